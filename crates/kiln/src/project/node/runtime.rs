//! Which Node and which package manager a repository asks for.

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::Value;

use super::{Manifest, NodeError, Range, Version, json};
use crate::plan::PackageManager;

/// Supported release lines with long-term support, newest first.
const LONG_TERM: [u64; 4] = [24, 22, 20, 18];

/// Code names of release lines, as `.nvmrc` may have them (`lts/iron`).
const CODE_NAMES: [(&str, u64); 7] =
    [("krypton", 24), ("jod", 22), ("iron", 20), ("hydrogen", 18), ("gallium", 16), ("fermium", 14), ("erbium", 12)];

/// The Node version that a repository asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeVersion {
    /// As written.
    pub requirement: String,
    /// Tag of the base image: a major, or a full version where one is pinned.
    pub tag: String,
    /// The file, relative to the workspace root.
    pub path: Utf8PathBuf,
    /// Line, from 1.
    pub line: usize,
}

impl NodeVersion {
    /// The tag where nothing is asked for.
    pub const DEFAULT_TAG: &'static str = "24";
}

/// The package manager that the root manifest pins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PinnedManager {
    /// Which one; `yarn` is classic below version 2.
    pub manager: PackageManager,
    /// Version without its hash, where one is given.
    pub version: Option<String>,
    /// Line in `package.json`, from 1.
    pub line: usize,
}

/// `packageManager`, else `devEngines.packageManager`, else `volta`.
pub(super) fn pinned_manager(manifest: &Manifest) -> Option<PinnedManager> {
    let document = &manifest.document;
    if let Some(text) = document.get("packageManager").and_then(Value::as_str) {
        let (name, version) = text.split_once('@').map_or((text, None), |(name, version)| (name, Some(version)));
        return pinned(name, version, manifest.line_of(&["packageManager"]));
    }
    if let Some(table) = document.get("devEngines").and_then(|value| value.get("packageManager")) {
        let name = table.get("name").and_then(Value::as_str)?;
        let version = table.get("version").and_then(Value::as_str).filter(|version| Version::parse(version).is_some());
        return pinned(name, version, manifest.line_of(&["devEngines", "packageManager"]));
    }
    let volta = document.get("volta")?;
    ["pnpm", "yarn", "npm"].into_iter().find_map(|name| {
        let version = volta.get(name).and_then(Value::as_str)?;
        pinned(name, Some(version), manifest.line_of(&["volta", name]))
    })
}

fn pinned(name: &str, version: Option<&str>, line: usize) -> Option<PinnedManager> {
    let version = version.map(|version| version.split('+').next().unwrap_or(version).to_owned());
    let manager = match name {
        "npm" => PackageManager::Npm,
        "pnpm" => PackageManager::Pnpm,
        "bun" => PackageManager::Bun,
        "yarn" if version.as_deref().is_some_and(|version| version.starts_with("1.") || version == "1") => {
            PackageManager::YarnClassic
        }
        "yarn" => PackageManager::YarnBerry,
        _ => return None,
    };
    Some(PinnedManager { manager, version, line })
}

/// `.nvmrc`, else `.node-version`, else `volta.node`, else `engines.node`. What is not understood (`system`) is passed over.
pub(super) fn node_version(directory: &Utf8Path, manifest: &Manifest) -> Result<Option<NodeVersion>, NodeError> {
    for name in [".nvmrc", ".node-version"] {
        let Some(text) = json::read_text_if_there(&directory.join(name))? else { continue };
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.split('#').next().unwrap_or("").trim()));
        let Some((line, wanted)) = lines.find(|(_, text)| !text.is_empty()) else { continue };
        if let Some(tag) = pinned_tag(wanted) {
            return Ok(Some(NodeVersion { requirement: wanted.to_owned(), tag, path: name.into(), line }));
        }
    }
    let found = |requirement: &str, tag, keys: &[&str]| NodeVersion {
        requirement: requirement.to_owned(),
        tag,
        path: "package.json".into(),
        line: manifest.line_of(keys),
    };
    let volta = manifest.document.get("volta").and_then(|volta| volta.get("node")).and_then(Value::as_str);
    if let Some((wanted, tag)) = volta.and_then(|wanted| Some((wanted, pinned_tag(wanted)?))) {
        return Ok(Some(found(wanted, tag, &["volta", "node"])));
    }
    let engines = manifest.engines.get("node");
    Ok(engines.and_then(|wanted| Some(found(wanted, range_tag(wanted)?, &["engines", "node"]))))
}

fn pinned_tag(text: &str) -> Option<String> {
    if let Some(name) = text.strip_prefix("lts/") {
        let named = CODE_NAMES.iter().find(|(code, _)| code.eq_ignore_ascii_case(name)).map(|(_, major)| major.to_string());
        return if name == "*" || name == "-1" { Some(NodeVersion::DEFAULT_TAG.to_owned()) } else { named };
    }
    if matches!(text, "node" | "stable" | "current" | "latest") {
        return Some(NodeVersion::DEFAULT_TAG.to_owned());
    }
    let bare = text.trim_start_matches('v');
    let numbers = bare.split('.').map(str::parse::<u64>).collect::<Result<Vec<_>, _>>();
    match numbers {
        Ok(numbers) if numbers.len() <= 3 => Some(bare.to_owned()),
        _ => range_tag(text),
    }
}

/// The newest long-term line that the range holds as a whole, else any other line, else the lowest version of the range.
fn range_tag(text: &str) -> Option<String> {
    let range = Range::parse(text)?;
    let newest_of = |major: u64| Version::new(major, 999, 999);
    let majors = LONG_TERM.into_iter().chain((4..40).rev());
    let mut candidates = majors.filter(|major| range.contains(&newest_of(*major)));
    candidates.next().map(|major| major.to_string()).or_else(|| range.lower_bounds().last().map(ToString::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_becomes_the_newest_long_term_line_that_it_holds() {
        let table = [
            (">=20", "24"),
            (">=18 <21", "20"),
            ("^18.17.0 || ^20.3.0", "20"),
            ("^22.12.0 || >=24", "24"),
            ("18.x", "18"),
            ("16", "16"),
            ("<=22.3.0", "20"),
            ("21", "21"),
            ("20.11.1", "20.11.1"),
            ("~20.11.0", "20.11.0"),
            ("*", "24"),
        ];
        for (range, tag) in table {
            assert_eq!(range_tag(range).as_deref(), Some(tag), "{range}");
        }
    }

    #[test]
    fn a_pin_is_kept_as_written() {
        let table = [
            ("v20.11.1", "20.11.1"),
            ("22", "22"),
            ("lts/iron", "20"),
            ("lts/Jod", "22"),
            ("lts/*", "24"),
            ("node", "24"),
            (">=20", "24"),
        ];
        for (pin, tag) in table {
            assert_eq!(pinned_tag(pin).as_deref(), Some(tag), "{pin}");
        }
        assert_eq!(pinned_tag("system"), None);
    }

    #[test]
    fn the_pinned_manager_is_read_from_three_places() {
        let table = [
            (r#"{"packageManager":"pnpm@9.1.0+sha512.abc"}"#, Some((PackageManager::Pnpm, Some("9.1.0")))),
            (r#"{"packageManager":"yarn@1.22.22"}"#, Some((PackageManager::YarnClassic, Some("1.22.22")))),
            (r#"{"packageManager":"yarn@4.5.0"}"#, Some((PackageManager::YarnBerry, Some("4.5.0")))),
            (r#"{"devEngines":{"packageManager":{"name":"bun","version":"^1"}}}"#, Some((PackageManager::Bun, None))),
            (r#"{"volta":{"node":"20.1.0","yarn":"1.22.19"}}"#, Some((PackageManager::YarnClassic, Some("1.22.19")))),
            (r#"{"packageManager":"zpm@1"}"#, None),
            ("{}", None),
        ];
        for (text, expected) in table {
            let manifest = Manifest::parse(Utf8Path::new("package.json"), text.to_owned()).unwrap();
            let pinned = pinned_manager(&manifest);
            assert_eq!(pinned.as_ref().map(|pin| (pin.manager, pin.version.as_deref())), expected, "{text}");
        }
    }
}
