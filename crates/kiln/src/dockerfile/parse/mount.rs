//! `RUN --mount=…`.

use super::WordError;
use crate::text::did_you_mean;

/// A `--mount` as written. Only `from` is known before expansion; BuildKit reads the rest when the step's variables are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountSpec {
    /// The value of the flag.
    pub text: String,
    /// `from=`: stage, named context or image.
    pub from: Option<String>,
    fields: Vec<String>,
}

/// An expanded mount.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParsedMount {
    /// `type=`
    pub kind: MountKind,
    /// `from=`
    pub from: Option<String>,
    /// `source=`
    pub source: Option<String>,
    /// `target=`
    pub target: Option<String>,
    /// Whether the step may not write to it.
    pub read_only: bool,
    /// `size=` of a tmpfs, in bytes.
    pub size: Option<u64>,
    /// `id=` of a cache, secret or ssh mount.
    pub id: Option<String>,
    /// `sharing=`; shared when absent.
    pub sharing: Option<MountSharing>,
    /// `required`
    pub required: bool,
    /// `mode=`
    pub mode: Option<u32>,
    /// `uid=`
    pub uid: Option<u32>,
    /// `gid=`
    pub gid: Option<u32>,
    /// `env=` of a secret: the variable that holds it.
    pub env: Option<String>,
}

/// `type=` of a mount.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MountKind {
    /// Files of the context, a stage or an image.
    #[default]
    Bind,
    /// A folder that stays with the builder.
    Cache,
    /// A folder in memory.
    Tmpfs,
    /// A secret.
    Secret,
    /// The ssh agent.
    Ssh,
}

/// `sharing=` of a cache mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountSharing {
    /// Everybody gets it.
    Shared,
    /// The second gets a new one.
    Private,
    /// The second waits.
    Locked,
}

/// A mount that BuildKit refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MountError {
    /// Quotes that CSV does not allow.
    #[error("failed to parse csv mounts")]
    Csv,
    /// `from=$X`.
    #[error("'from' doesn't support variable expansion, define alias stage instead")]
    VariableInFrom,
    /// A word that needs a value.
    #[error("invalid field '{0}' must be a key=value pair")]
    NotPair(String),
    /// A key that no mount has, or not this kind.
    #[error("unexpected key '{key}' in '{field}'{}", suggestion.as_ref().map(|name| format!(" (did you mean {name}?)")).unwrap_or_default())]
    UnknownKey {
        /// The key.
        key: String,
        /// The field it stands in.
        field: String,
        /// The nearest key.
        suggestion: Option<String>,
    },
    /// A key that this kind of mount does not have.
    #[error("unexpected key '{key}' for mount type '{kind}'")]
    WrongKind {
        /// The key.
        key: String,
        /// The kind.
        kind: &'static str,
    },
    /// A `type=` that is none.
    #[error("unsupported mount type {0:?}")]
    UnknownType(String),
    /// A `sharing=` that is none.
    #[error("unsupported sharing value {0:?}")]
    UnknownSharing(String),
    /// A value that is neither true nor false.
    #[error("invalid value for {key}: {value}")]
    NotBoolean {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// A target that is the whole file system.
    #[error("invalid mount target {0:?}")]
    BadTarget(String),
    /// A value of the wrong form.
    #[error("invalid value {value} for {key}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// Its value.
        value: String,
    },
    /// `mode`, `uid` or `gid` where they mean nothing.
    #[error("{key} not allowed for {kind:?} type mounts")]
    NotAllowed {
        /// The key.
        key: &'static str,
        /// The kind.
        kind: &'static str,
    },
    /// `sharing=` of something else than a cache.
    #[error("invalid cache sharing set for {0} mount")]
    SharingOfOther(&'static str),
    /// A secret without name.
    #[error("invalid secret mount. one of source, target required")]
    NamelessSecret,
    /// A secret with two names.
    #[error("both source and id can't be set")]
    SourceAndId,
    /// A secret from a stage.
    #[error("secret mount should not have a from")]
    SecretFrom,
    /// A value that cannot be expanded.
    #[error(transparent)]
    Word(WordError),
}

const KEYS: [&str; 18] = [
    "type",
    "from",
    "source",
    "target",
    "readonly",
    "id",
    "sharing",
    "required",
    "size",
    "mode",
    "uid",
    "gid",
    "src",
    "dst",
    "destination",
    "ro",
    "rw",
    "readwrite",
];

impl MountKind {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Cache => "cache",
            Self::Tmpfs => "tmpfs",
            Self::Secret => "secret",
            Self::Ssh => "ssh",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Self::Bind, Self::Cache, Self::Tmpfs, Self::Secret, Self::Ssh].into_iter().find(|kind| kind.name() == name)
    }
}

impl MountSpec {
    /// Reads the value of a `--mount` flag as far as BuildKit does before it knows variables.
    pub(super) fn new(text: &str) -> Result<Self, MountError> {
        let fields = csv(text).ok_or(MountError::Csv)?;
        let mut from = None;
        for field in &fields {
            let Some((key, value)) = field.split_once('=') else { continue };
            if !key.eq_ignore_ascii_case("from") {
                continue;
            }
            if value.find('$').is_some_and(|at| at + 1 < value.len()) {
                return Err(MountError::VariableInFrom);
            }
            from = Some(value.to_owned()).filter(|value| !value.is_empty());
        }
        Ok(Self { text: text.to_owned(), from, fields })
    }

    /// The mount as it is when nothing in it needs expansion; for reading a Dockerfile without building it.
    ///
    /// # Errors
    /// What BuildKit refuses.
    pub fn literal(&self) -> Result<ParsedMount, MountError> {
        self.expanded(&|value| Ok(value.to_owned()))
    }

    /// The mount with its values expanded.
    ///
    /// # Errors
    /// What BuildKit refuses, and what the expansion does.
    pub fn expanded(&self, expand: &dyn Fn(&str) -> Result<String, WordError>) -> Result<ParsedMount, MountError> {
        let mut mount = ParsedMount::default();
        let mut read_only = None;
        for field in &self.fields {
            let (key, value) = field.split_once('=').map_or((field.as_str(), None), |(key, value)| (key, Some(value)));
            let key = key.to_lowercase();
            let Some(value) = value else {
                match key.as_str() {
                    "readonly" | "ro" => read_only = Some(true),
                    "readwrite" | "rw" => read_only = Some(false),
                    "required" if mount.can_be_required() => mount.required = true,
                    "required" => return Err(MountError::WrongKind { key, kind: mount.kind.name() }),
                    _ => return Err(MountError::NotPair(field.clone())),
                }
                continue;
            };
            let value = expand(value).map_err(MountError::Word)?;
            let text = |value: String| Some(value).filter(|value| !value.is_empty());
            match key.as_str() {
                "type" => mount.kind = MountKind::named(&value).ok_or(MountError::UnknownType(value))?,
                "from" => mount.from = text(value),
                "source" | "src" => mount.source = text(value),
                "target" | "dst" | "destination" => mount.target = text(value),
                "readonly" | "ro" => read_only = Some(boolean(&key, &value)?),
                "readwrite" | "rw" => read_only = Some(!boolean(&key, &value)?),
                "required" if mount.can_be_required() => mount.required = boolean(&key, &value)?,
                "size" if mount.kind == MountKind::Tmpfs => mount.size = Some(size(&value)?),
                "env" => mount.env = Some(value),
                "required" | "size" => return Err(MountError::WrongKind { key, kind: mount.kind.name() }),
                "id" => mount.id = text(value),
                "sharing" => mount.sharing = Some(sharing(value)?),
                "mode" => mount.mode = Some(number("mode", &value, 8)?),
                "uid" => mount.uid = Some(number("uid", &value, 10)?),
                "gid" => mount.gid = Some(number("gid", &value, 10)?),
                _ => {
                    let suggestion = did_you_mean(&key, KEYS).map(str::to_owned);
                    return Err(MountError::UnknownKey { key, field: field.clone(), suggestion });
                }
            }
        }
        mount.check()?;
        mount.read_only = read_only.unwrap_or(!matches!(mount.kind, MountKind::Cache | MountKind::Tmpfs));
        Ok(mount)
    }
}

impl ParsedMount {
    fn can_be_required(&self) -> bool {
        matches!(self.kind, MountKind::Secret | MountKind::Ssh)
    }

    fn check(&self) -> Result<(), MountError> {
        let kind = self.kind.name();
        if !matches!(self.kind, MountKind::Secret | MountKind::Ssh | MountKind::Cache) {
            let set = [("mode", self.mode), ("uid", self.uid), ("gid", self.gid)];
            if let Some((key, _)) = set.into_iter().find(|(_, value)| value.is_some()) {
                return Err(MountError::NotAllowed { key, kind });
            }
        }
        if self.sharing.is_some() && self.kind != MountKind::Cache {
            return Err(MountError::SharingOfOther(kind));
        }
        if self.kind == MountKind::Secret {
            if self.from.is_some() {
                return Err(MountError::SecretFrom);
            }
            if self.source.is_none() && self.target.is_none() && self.id.is_none() {
                return Err(MountError::NamelessSecret);
            }
            if self.source.is_some() && self.id.is_some() {
                return Err(MountError::SourceAndId);
            }
        }
        Ok(())
    }
}

/// The fields of one CSV record; `None` for quotes where none may be.
fn csv(text: &str) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    let mut rest = text;
    loop {
        let (field, after) = if let Some(quoted) = rest.strip_prefix('"') {
            let mut field = String::new();
            let mut body = quoted;
            loop {
                let (part, after) = body.split_once('"')?;
                field.push_str(part);
                match after.strip_prefix('"') {
                    Some(next) => {
                        field.push('"');
                        body = next;
                    }
                    None => break (field, after),
                }
            }
        } else {
            let (field, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
            if field.contains('"') {
                return None;
            }
            (field.to_owned(), after)
        };
        fields.push(field);
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None if after.is_empty() => return Some(fields),
            None => return None,
        }
    }
}

fn sharing(value: String) -> Result<MountSharing, MountError> {
    match value.as_str() {
        "shared" => Ok(MountSharing::Shared),
        "private" => Ok(MountSharing::Private),
        "locked" => Ok(MountSharing::Locked),
        _ => Err(MountError::UnknownSharing(value)),
    }
}

/// What Go takes for a boolean.
fn boolean(key: &str, value: &str) -> Result<bool, MountError> {
    match value {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(MountError::NotBoolean { key: key.to_owned(), value: value.to_owned() }),
    }
}

fn number(key: &'static str, value: &str, radix: u32) -> Result<u32, MountError> {
    // Go takes no sign here.
    let digits = Some(value).filter(|value| !value.starts_with('+'));
    digits
        .and_then(|digits| u32::from_str_radix(digits, radix).ok())
        .ok_or_else(|| MountError::BadValue { key, value: value.to_owned() })
}

/// A size with a binary unit: `64m`, `1.5 GiB`.
fn size(value: &str) -> Result<u64, MountError> {
    let bad = || MountError::BadValue { key: "size", value: value.to_owned() };
    let text = value.to_ascii_lowercase();
    let end = text.rfind(|c: char| c.is_ascii_digit() || c == '.' || c == ' ').map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(end);
    let factor: f64 = match unit.strip_suffix("ib").or(unit.strip_suffix('b')).unwrap_or(unit) {
        "" => 1.0,
        "k" => 1024.0,
        "m" => 1024f64.powi(2),
        "g" => 1024f64.powi(3),
        "t" => 1024f64.powi(4),
        "p" => 1024f64.powi(5),
        _ => return Err(bad()),
    };
    let number: f64 = number.trim_end().parse().map_err(|_| bad())?;
    if !number.is_finite() || number < 0.0 {
        return Err(bad());
    }
    // Beyond 2^63 the cast takes the largest number.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be finite and not negative")]
    let bytes = (number * factor) as u64;
    Ok(bytes)
}
