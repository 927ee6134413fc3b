//! Typed access to the TOML tree: every failure knows key, line and what was expected.

use std::collections::BTreeMap;
use std::ops::Range;

use camino::{Utf8Component, Utf8PathBuf};
use toml_edit::{Document, Item, TableLike, Value};

use super::{
    At, BenchSettings, CacheSettings, DoctorSettings, FILE_NAME, Kind, ProjectSettings, ServeSetting, ServiceSettings, Settings,
    SettingsError, service_head,
};
use crate::plan::reference::{Placeholders, expand};
use crate::plan::{ImageEngine, Secret};
use crate::text;

const ROOT: &[&str] = &["project", "cache", "doctor", "bench", "defaults", "services"];
pub(super) const PROJECT: &[&str] = &["engine", "name", "tool-image"];
pub(super) const DOCTOR: &[&str] = &["ignore"];
pub(super) const CACHE: &[&str] = &["from", "to"];
pub(super) const BENCH: &[&str] = &["fail-under", "max-seconds"];
const SECRET: &[&str] = &["id", "env", "file", "as-env", "target"];
const DEFAULTS: &[&str] = &[
    "apt",
    "build-args",
    "ca-certificates",
    "dev-apt",
    "environment",
    "fast-profile",
    "node-version",
    "platform",
    "profile",
    "runtime-apt",
    "secrets",
    "seed",
    "toolchain",
    "user",
];
pub(super) const SERVICE: &[&str] = &[
    "apt",
    "assets",
    "binaries",
    "binary",
    "build-args",
    "build-image",
    "build-script",
    "ca-certificates",
    "dev-apt",
    "dev-script",
    "enabled",
    "environment",
    "fast-profile",
    "features",
    "health",
    "include",
    "kind",
    "no-default-features",
    "node-version",
    "output",
    "package",
    "path",
    "platform",
    "port",
    "profile",
    "proxy",
    "runtime-apt",
    "runtime-image",
    "secrets",
    "seed",
    "serve",
    "target",
    "toolchain",
    "user",
    "volumes",
];

type Result<T> = std::result::Result<T, SettingsError>;

pub(super) fn settings(text: &str) -> Result<Settings> {
    let document = Document::parse(text).map_err(|error| SettingsError::Syntax {
        path: FILE_NAME.into(),
        line: line_at(text, error.span().map_or(0, |span| span.start)),
        message: error.message().trim().replace('\n', ", "),
    })?;
    let root = Section { text, name: "the file".to_owned(), line: 1, table: document.as_table() };
    root.allow(ROOT)?;
    let mut settings = Settings::default();
    if let Some(section) = root.section("project", "[project]")? {
        section.allow(PROJECT)?;
        settings.project = ProjectSettings {
            name: section.image_name("name")?,
            engine: section.engine("engine")?,
            tool_image: section.string("tool-image")?,
        };
    }
    if let Some(section) = root.section("cache", "[cache]")? {
        settings.cache = section.cache()?;
    }
    if let Some(section) = root.section("doctor", "[doctor]")? {
        section.allow(DOCTOR)?;
        settings.doctor = DoctorSettings { ignore: section.strings("ignore")? };
    }
    if let Some(section) = root.section("bench", "[bench]")? {
        settings.bench = section.bench()?;
    }
    if let Some(section) = root.section("defaults", "[defaults]")? {
        section.allow(DEFAULTS)?;
        settings.defaults = section.service()?;
    }
    if let Some(services) = root.section("services", "[services]")? {
        for (name, _) in services.table.iter() {
            let title = service_head(name);
            let Some(section) = services.section(name, &title)? else { continue };
            if !is_image_name(name) {
                return Err(services.value_error(name, format!("`{name}`"), NAME_RULE));
            }
            section.allow(SERVICE)?;
            settings.services.insert(name.to_owned(), section.service()?);
        }
    }
    Ok(settings)
}

const NAME_RULE: &str = "lower-case letters, digits and single `-`, `_` or `.` between them, as it becomes part of image names";

/// Whether a name may be a path component of an image reference.
pub(super) fn is_image_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || matches!(c, '-' | '_' | '.'))
        && !name.contains("..")
        && !name.contains("._")
}

fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// A table with its name for people.
struct Section<'a> {
    text: &'a str,
    name: String,
    line: usize,
    table: &'a dyn TableLike,
}

impl<'a> Section<'a> {
    fn allow(&self, known: &'static [&'static str]) -> Result<()> {
        for (key, _) in self.table.iter() {
            if !known.contains(&key) {
                return Err(SettingsError::UnknownKey {
                    path: FILE_NAME.into(),
                    line: self.line_of(key),
                    key: key.to_owned(),
                    table: self.name.clone(),
                    suggestion: text::did_you_mean(&key.replace('_', "-"), known.iter().copied())
                        .and_then(|found| known.iter().copied().find(|known| *known == found)),
                    known,
                });
            }
        }
        Ok(())
    }

    fn line_of(&self, key: &str) -> usize {
        let span: Option<Range<usize>> = self.table.get_key_value(key).and_then(|(key, item)| key.span().or_else(|| item.span()));
        span.map_or(self.line, |span| line_at(self.text, span.start))
    }

    fn value_error(&self, key: &str, found: String, expected: &'static str) -> SettingsError {
        SettingsError::Value { path: FILE_NAME.into(), line: self.line_of(key), key: key.to_owned(), found, expected }
    }

    fn read<T>(&self, key: &str, expected: &'static str, read: impl Fn(&Item) -> Option<T>) -> Result<Option<At<T>>> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        match read(item) {
            Some(value) => Ok(Some(At { value, line: self.line_of(key) })),
            None => Err(self.value_error(key, describe(item), expected)),
        }
    }

    fn section<'s>(&'s self, key: &str, name: &str) -> Result<Option<Section<'s>>> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let Some(table) = item.as_table_like() else { return Err(self.value_error(key, describe(item), "a table")) };
        Ok(Some(Section { text: self.text, name: name.to_owned(), line: self.line_of(key), table }))
    }

    fn string(&self, key: &str) -> Result<Option<At<String>>> {
        self.read(key, "a string that is not empty", |item| item.as_str().filter(|text| !text.is_empty()).map(str::to_owned))
    }

    fn image_name(&self, key: &str) -> Result<Option<At<String>>> {
        self.read(key, NAME_RULE, |item| item.as_str().filter(|text| is_image_name(text)).map(str::to_owned))
    }

    fn engine(&self, key: &str) -> Result<Option<At<ImageEngine>>> {
        self.read(key, "\"kiln\" or \"chef\"", |item| {
            let name = item.as_str()?;
            ImageEngine::ALL.into_iter().find(|engine| engine.name() == name)
        })
    }

    fn boolean(&self, key: &str) -> Result<Option<At<bool>>> {
        self.read(key, "true or false", Item::as_bool)
    }

    fn strings(&self, key: &str) -> Result<Option<At<Vec<String>>>> {
        self.read(key, "a list of strings", strings)
    }

    fn folder(&self, key: &str) -> Result<Option<At<Utf8PathBuf>>> {
        self.read(key, INSIDE, |item| item.as_str().and_then(inside))
    }

    fn paths(&self, key: &str) -> Result<Option<At<Vec<Utf8PathBuf>>>> {
        self.read(key, "a list of paths inside the repository", |item| {
            strings(item)?.iter().map(|text| inside(text)).collect::<Option<Vec<_>>>()
        })
    }

    /// A table of strings; numbers and booleans are taken as they are written, since both ends are strings anyway.
    fn strings_by_name(&self, key: &str) -> Result<BTreeMap<String, At<String>>> {
        let mut map = BTreeMap::new();
        if let Some(section) = self.section(key, &format!("`{key}` of {}", self.name))? {
            for (name, _) in section.table.iter() {
                let value = section.read(name, "a string, a number or a boolean", |item| match item.as_value()? {
                    Value::String(text) => Some(text.value().clone()),
                    Value::Integer(number) => Some(number.value().to_string()),
                    Value::Float(number) => Some(number.value().to_string()),
                    Value::Boolean(value) => Some(value.value().to_string()),
                    _ => None,
                })?;
                map.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        Ok(map)
    }

    fn one_or_many(&self, one: &'static str, many: &'static str) -> Result<Option<At<Vec<String>>>> {
        match (self.string(one)?, self.strings(many)?) {
            (Some(_), Some(list)) => {
                Err(SettingsError::Conflict { path: FILE_NAME.into(), line: list.line, key: one, other: many })
            }
            (Some(value), None) => Ok(Some(At { value: vec![value.value], line: value.line })),
            (None, list) => Ok(list),
        }
    }

    fn secrets(&self) -> Result<Vec<At<Secret>>> {
        let Some(item) = self.table.get("secrets") else { return Ok(Vec::new()) };
        let tables: Vec<(&dyn TableLike, Option<Range<usize>>)> = match item {
            Item::ArrayOfTables(tables) => tables.iter().map(|table| (table as &dyn TableLike, table.span())).collect(),
            Item::Value(Value::Array(array)) if array.iter().all(Value::is_inline_table) => {
                array.iter().filter_map(Value::as_inline_table).map(|table| (table as &dyn TableLike, table.span())).collect()
            }
            _ => return Err(self.value_error("secrets", describe(item), "a list of tables with `id`, and `env` or `file`")),
        };
        tables.into_iter().map(|(table, span)| self.secret(table, span)).collect()
    }

    fn secret(&self, table: &dyn TableLike, span: Option<Range<usize>>) -> Result<At<Secret>> {
        let line = span.map_or_else(|| self.line_of("secrets"), |span| line_at(self.text, span.start));
        let section = Section { text: self.text, name: format!("a secret of {}", self.name), line, table };
        section.allow(SECRET)?;
        let missing = |key| SettingsError::Missing { path: FILE_NAME.into(), line, key, table: section.name.clone() };
        let value = |found: Option<At<String>>| found.map(|found| found.value);
        let id = section.read("id", SECRET_ID, |item| item.as_str().filter(|id| is_secret_id(id)).map(str::to_owned))?;
        let secret = Secret {
            id: value(id).ok_or_else(|| missing("id"))?,
            env: value(section.string("env")?),
            file: value(section.string("file")?).map(Utf8PathBuf::from),
            as_env: value(section.string("as-env")?),
            target: value(section.string("target")?),
        };
        match (&secret.env, &secret.file, &secret.as_env, &secret.target) {
            (Some(_), Some(_), ..) => Err(SettingsError::Conflict { path: FILE_NAME.into(), line, key: "env", other: "file" }),
            (None, None, ..) => Err(missing("env` or `file")),
            (.., None, None) => Err(missing("as-env` or `target")),
            _ => Ok(At { value: secret, line }),
        }
    }

    fn cache(&self) -> Result<CacheSettings> {
        self.allow(CACHE)?;
        let references = |key| {
            self.read(key, "a cache as `--cache-from` takes it, or a list of them", |item| {
                let list = item.as_str().map_or_else(|| strings(item), |text| Some(vec![text.to_owned()]))?;
                Some(list).filter(|list| list.iter().all(|text| !text.is_empty()))
            })
        };
        Ok(CacheSettings { from: references("from")?, to: references("to")? })
    }

    fn bench(&self) -> Result<BenchSettings> {
        self.allow(BENCH)?;
        let number = |key, expected, most: f64| {
            self.read(key, expected, |item| {
                let number = item.as_float().or_else(|| item.as_integer().map(|number| number as f64))?;
                (number.is_finite() && number > 0.0 && number <= most).then_some(number)
            })
        };
        Ok(BenchSettings {
            fail_under: number("fail-under", "a number of percent, such as 80, at most 100", 100.0)?,
            max_seconds: number("max-seconds", "a number of seconds, such as 30", f64::MAX)?,
        })
    }

    fn service(&self) -> Result<ServiceSettings> {
        Ok(ServiceSettings {
            line: self.line,
            enabled: self.boolean("enabled")?,
            path: self.folder("path")?,
            kind: self.read("kind", "\"rust\" or \"node\"", |item| match item.as_str()? {
                "rust" => Some(Kind::Rust),
                "node" => Some(Kind::Node),
                _ => None,
            })?,
            package: self.string("package")?,
            binaries: self.one_or_many("binary", "binaries")?,
            features: self.strings("features")?,
            no_default_features: self.boolean("no-default-features")?,
            profile: self.string("profile")?,
            fast_profile: self.string("fast-profile")?,
            target: self.string("target")?,
            toolchain: self.string("toolchain")?,
            build_image: self.string("build-image")?,
            runtime_image: self.string("runtime-image")?,
            apt: self.packages("apt")?,
            runtime_apt: self.packages("runtime-apt")?,
            dev_apt: self.packages("dev-apt")?,
            seed: self.read(
                "seed",
                "a list of images such as [\"registry.example/deps:{service}-{variant}-{branch}\"]",
                |item| strings(item).filter(|templates| templates.iter().all(|template| is_reference(template))),
            )?,
            port: self.read("port", "a port from 1 to 65535", |item| {
                item.as_integer().and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0)
            })?,
            user: self.read("user", "a `uid:gid` pair or a user name", |item| {
                item.as_str().filter(|user| is_user(user)).map(str::to_owned)
            })?,
            health: self.read("health", "a command as a list of strings, such as [\"/app\", \"--check\"]", |item| {
                strings(item).filter(|command| !command.is_empty())
            })?,
            environment: self.variables("environment")?,
            build_args: self.variables("build-args")?,
            platform: self.read("platform", "a platform such as \"linux/arm64\"", |item| {
                item.as_str().filter(|text| is_platform(text)).map(str::to_owned)
            })?,
            ca_certificates: self.paths("ca-certificates")?,
            secrets: self.secrets()?,
            assets: self.strings("assets")?,
            include: self.paths("include")?,
            volumes: self.read("volumes", "a list of absolute folders such as [\"/data\"]", |item| {
                strings(item).filter(|folders| folders.iter().all(|folder| is_volume(folder)))
            })?,
            node_version: self.string_or_integer("node-version")?,
            build_script: self.string("build-script")?,
            dev_script: self.string("dev-script")?,
            output: self.read("output", "a folder, or a list of folders", |item| match item.as_str() {
                Some(text) => Some(vec![inside(text)?]),
                None => strings(item)?.iter().map(|text| inside(text)).collect(),
            })?,
            serve: self.read("serve", "\"static\", or a command as a list of strings", |item| match item.as_str() {
                Some("static") => Some(ServeSetting::Static),
                Some(_) => None,
                None => strings(item).filter(|command| !command.is_empty()).map(ServeSetting::Command),
            })?,
            proxy: self.strings_by_name("proxy")?,
        })
    }

    fn packages(&self, key: &str) -> Result<Option<At<Vec<String>>>> {
        self.read(key, "a list of package names", |item| strings(item).filter(|names| names.iter().all(|name| is_package(name))))
    }

    fn string_or_integer(&self, key: &str) -> Result<Option<At<String>>> {
        self.read(key, "a version such as \"22\" or \"22.11.0\"", |item| match item.as_integer() {
            Some(number) => Some(number.to_string()),
            None => item.as_str().filter(|text| !text.is_empty()).map(str::to_owned),
        })
    }

    fn variables(&self, key: &str) -> Result<BTreeMap<String, At<String>>> {
        let map = self.strings_by_name(key)?;
        match map.iter().find(|(name, _)| !is_variable(name)) {
            Some((name, at)) => Err(SettingsError::Value {
                path: FILE_NAME.into(),
                line: at.line,
                key: key.to_owned(),
                found: format!("a table with `{name}`"),
                expected: "names made of letters, digits and `_`",
            }),
            None => Ok(map),
        }
    }
}

const INSIDE: &str = "a path inside the repository, relative to its root";
const SECRET_ID: &str = "an id made of letters, digits, `-`, `_` and `.`";

fn is_secret_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_package(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+' | ':' | '=' | '~' | '_' | '@' | '/'))
}

/// An image reference whose placeholders stand for something.
fn is_reference(template: &str) -> bool {
    let values = Placeholders { service: "service", variant: "prod", branch: Some("main") };
    !template.starts_with('-')
        && expand(template, &values).is_ok_and(|text| !text.is_empty() && !text.contains(char::is_whitespace))
}

fn is_user(user: &str) -> bool {
    let part = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    match user.split_once(':') {
        Some((user, group)) => part(user) && part(group),
        None => part(user),
    }
}

/// An absolute folder in the image, other than its root.
fn is_volume(folder: &str) -> bool {
    folder.len() > 1
        && folder.starts_with('/')
        && !folder.contains([':', '"', '\\', '$'])
        && !folder.contains(char::is_whitespace)
}

fn is_platform(text: &str) -> bool {
    let parts: Vec<&str> = text.split('/').collect();
    (2..=3).contains(&parts.len())
        && parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'))
}

/// A relative path without `..` beyond its start, `.` and `//` removed; `.` for the root itself.
fn inside(text: &str) -> Option<Utf8PathBuf> {
    if text.is_empty() || text.contains('\\') {
        return None;
    }
    let mut path = Utf8PathBuf::new();
    for component in Utf8PathBuf::from(text).components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::Normal(name) => path.push(name),
            Utf8Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    if path.as_str().is_empty() {
        path.push(".");
    }
    Some(path)
}

fn strings(item: &Item) -> Option<Vec<String>> {
    item.as_array()?.iter().map(|value| value.as_str().map(str::to_owned)).collect()
}

/// What a value is, for people: `the string "x"`, `a list`.
fn describe(item: &Item) -> String {
    match item {
        Item::Value(Value::String(text)) => format!("the string {:?}", text.value()),
        Item::Value(Value::Integer(number)) => format!("the number {}", number.value()),
        Item::Value(Value::Float(number)) => format!("the number {}", number.value()),
        Item::Value(Value::Boolean(value)) => format!("{}", value.value()),
        Item::Value(Value::Datetime(_)) => "a date".to_owned(),
        Item::Value(Value::Array(array)) => match array.iter().find(|value| !value.is_str()) {
            Some(value) => format!("a list that holds more than strings ({})", value.type_name()),
            _ => "a list".to_owned(),
        },
        Item::ArrayOfTables(_) => "a list of tables".to_owned(),
        _ => "a table".to_owned(),
    }
}
