//! What the TypeScript compiler of a package remembers between builds.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::Value;

use super::Manifest;
use super::javascript::without_comments;

/// How a package is compiled by TypeScript, as far as its `tsconfig*.json` say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TypeScript {
    /// Whether a compiler may write JavaScript or declarations. Only where every configuration says `noEmit` it cannot.
    ///
    /// A compiler that emits takes its build info as proof that what it emitted earlier is still there, and writes only the rest.
    pub emits: bool,
    /// Folders below `node_modules` in which the configurations keep build info, relative to the package.
    pub build_info: BTreeSet<Utf8PathBuf>,
}

impl TypeScript {
    /// Reads the configurations beside a manifest; `None` where nothing speaks of TypeScript.
    pub(super) fn read(folder: &Utf8Path, manifest: &Manifest) -> Option<Self> {
        let mut found = Self { emits: false, build_info: BTreeSet::new() };
        let mut checked = false;
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !(name.starts_with("tsconfig") && name.ends_with(".json")) {
                continue;
            }
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let Ok(document) = serde_json::from_str::<Value>(&without_trailing_commas(&without_comments(&text))) else {
                found.emits = true;
                continue;
            };
            let refers_only = document.get("files").and_then(Value::as_array).is_some_and(Vec::is_empty);
            let options = document.get("compilerOptions");
            let option = |key: &str| options.and_then(|options| options.get(key));
            if option("noEmit") == Some(&Value::Bool(true)) {
                checked = true;
            } else if !refers_only {
                found.emits = true;
            }
            let file = option("tsBuildInfoFile").and_then(Value::as_str).map(|path| path.trim_start_matches("./"));
            if let Some(below) = file.and_then(|path| path.strip_prefix("node_modules/"))
                && let Some((first, _)) = below.split_once('/')
            {
                found.build_info.insert(Utf8Path::new("node_modules").join(first));
            }
        }
        found.emits |= !checked && manifest.depends_on("typescript");
        (found.emits || checked).then_some(found)
    }
}

/// `tsc` takes a comma before a closing bracket; JSON does not.
fn without_trailing_commas(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = quoted && c == '\\' && !escaped;
        if c == ',' && !quoted && text[at + 1..].trim_start().starts_with(['}', ']']) {
            continue;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn read(files: &[(&str, &str)], manifest: &str) -> Option<TypeScript> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for (path, text) in files {
            fs::write(root.join(path), text).unwrap();
        }
        TypeScript::read(root, &Manifest::parse(&root.join("package.json"), manifest.to_owned()).unwrap())
    }

    const WITH: &str = r#"{"devDependencies": {"typescript": "5"}}"#;
    const CHECK: &str = r#"{"compilerOptions": {"tsBuildInfoFile": "./node_modules/.tmp/a.tsbuildinfo", /* the bundler's work */ "noEmit": true,},}"#;

    #[test]
    fn a_compiler_emits_unless_every_configuration_forbids_it() {
        let references = r#"{"files": [], "references": [{"path": "./tsconfig.app.json"}]}"#;
        let template = read(&[("tsconfig.json", references), ("tsconfig.app.json", CHECK)], WITH).unwrap();
        assert!(!template.emits);
        assert_eq!(template.build_info.into_iter().collect::<Vec<_>>(), ["node_modules/.tmp"]);
        let both = [("tsconfig.json", CHECK), ("tsconfig.build.json", r#"{"compilerOptions": {"outDir": "dist"}}"#)];
        assert!(read(&both, WITH).unwrap().emits);
        assert!(read(&[("tsconfig.json", "no JSON")], "{}").unwrap().emits);
        assert!(read(&[], WITH).unwrap().emits, "the configuration may be elsewhere");
        assert_eq!(read(&[("tsconfig.json", references)], "{}"), None);
        assert_eq!(read(&[], "{}"), None);
    }
}
