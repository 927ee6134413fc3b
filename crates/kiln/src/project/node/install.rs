//! Scripts that a package manager runs at install, and what they need to be there.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::Manifest;
use super::install_files::{SourceNeed, all_files, script_closure, within};
use crate::plan::PackageManager;

/// A script that the package manager runs at install.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "needs", rename_all = "kebab-case")]
pub enum InstallScript {
    /// It only sets up a checkout (git hooks, a check of the package manager): an image does without.
    Nothing {
        /// Name of the script.
        name: String,
    },
    /// It runs on the installed packages and these files.
    Files {
        /// Name of the script.
        name: String,
        /// The command, without the parts that only set up a checkout.
        command: String,
        /// Other scripts that it runs.
        scripts: BTreeSet<String>,
        /// Files that must be there, relative to the workspace root.
        files: BTreeSet<Utf8PathBuf>,
    },
    /// It needs the sources: it must run after they are copied, not at install.
    NeedsSources {
        /// Name of the script.
        name: String,
        /// The command as written.
        command: String,
        /// What cannot be resolved to files.
        why: SourceNeed,
    },
}

/// The scripts that a package manager runs at install for the packages of a workspace, in their order.
#[must_use]
pub const fn install_script_names(manager: PackageManager) -> &'static [&'static str] {
    match manager {
        PackageManager::Npm => &["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"],
        PackageManager::Pnpm => {
            &["pnpm:devPreinstall", "preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"]
        }
        PackageManager::YarnClassic => &["preinstall", "install", "postinstall", "prepublish", "prepare"],
        PackageManager::YarnBerry => &["preinstall", "install", "postinstall"],
        PackageManager::Bun => &["preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare"],
    }
}

/// Commands that set up a checkout or greet a person.
const CHECKOUT_ONLY: [&str; 16] = [
    "husky",
    "simple-git-hooks",
    "lefthook",
    "lint-staged",
    "yorkie",
    "pre-commit",
    "only-allow",
    "is-ci",
    "opencollective",
    "opencollective-postinstall",
    "check-node-version",
    "check-engine",
    "echo",
    "true",
    ":",
    "exit",
];

/// Commands that work on installed packages alone.
const INSTALLED_ONLY: [&str; 6] = ["ngcc", "playwright", "cypress", "puppeteer", "rimraf", "rm"];

/// Reads each install script of a package that is no member (a folder that a member links).
pub(crate) fn install_inputs(
    root: &Utf8Path,
    package: &Utf8Path,
    manifest: &Manifest,
    manager: PackageManager,
) -> Vec<InstallScript> {
    classify(root, package, manifest, Some(manager))
}

/// Reads each install script of a package. `package` is its folder relative to `root`.
pub(super) fn classify(
    root: &Utf8Path,
    package: &Utf8Path,
    manifest: &Manifest,
    manager: Option<PackageManager>,
) -> Vec<InstallScript> {
    let names = install_script_names(manager.unwrap_or(PackageManager::Npm));
    let scripts = names.iter().filter_map(|name| Some((*name, manifest.scripts.get(*name)?)));
    scripts
        .map(|(name, command)| {
            let mut reader = Reader { root, package, manifest, files: BTreeSet::new(), scripts: BTreeSet::new() };
            match reader.command(command, 4) {
                Err(why) => InstallScript::NeedsSources { name: name.to_owned(), command: command.clone(), why },
                Ok(None) => InstallScript::Nothing { name: name.to_owned() },
                Ok(Some(command)) => {
                    InstallScript::Files { name: name.to_owned(), command, scripts: reader.scripts, files: reader.files }
                }
            }
        })
        .collect()
}

struct Reader<'a> {
    root: &'a Utf8Path,
    package: &'a Utf8Path,
    manifest: &'a Manifest,
    files: BTreeSet<Utf8PathBuf>,
    scripts: BTreeSet<String>,
}

impl Reader<'_> {
    /// The command with what an image does without left out; `None` where nothing is left.
    fn command(&mut self, text: &str, depth: usize) -> Result<Option<String>, SourceNeed> {
        let unresolved = || SourceNeed::Command { command: text.to_owned() };
        let parts = split(text).ok_or_else(unresolved)?;
        // `a || true` stands or falls as one; what is joined by `&&` can be left out one by one.
        let mut kept: Vec<String> = Vec::new();
        let mut chains: Vec<Vec<&str>> = Vec::new();
        for (operator, part) in parts {
            match (operator, chains.last_mut()) {
                ("" | "&&" | ";", _) => chains.push(vec![part]),
                ("||", Some(chain)) => chain.push(part),
                _ => return Err(unresolved()),
            }
        }
        for chain in chains {
            let mut needed = false;
            for part in &chain {
                needed |= self.part(part, depth)?;
            }
            if needed {
                kept.push(chain.join(" || "));
            }
        }
        Ok((!kept.is_empty()).then(|| kept.join(" && ")))
    }

    /// Whether an image needs the part.
    fn part(&mut self, part: &str, depth: usize) -> Result<bool, SourceNeed> {
        let unresolved = || SourceNeed::Command { command: part.to_owned() };
        if depth == 0 || part.contains(['$', '`', '<', '>', '(', ')', '\\']) {
            return Err(unresolved());
        }
        let mut words = part.split_whitespace().map(|word| word.trim_matches(['"', '\''])).peekable();
        while words
            .next_if(|word| {
                matches!(*word, "npx" | "pnpx" | "bunx" | "cross-env" | "--yes" | "-y" | "--no-install" | "--no") || assigns(word)
            })
            .is_some()
        {}
        let Some(program) = words.next() else { return Ok(false) };
        let arguments = words.collect::<Vec<_>>();
        match program {
            "git" if arguments.first() == Some(&"config") => Ok(false),
            _ if CHECKOUT_ONLY.contains(&program) => Ok(false),
            _ if INSTALLED_ONLY.contains(&program) => Ok(true),
            "patch-package" => {
                let folder = after(&arguments, "--patch-dir").unwrap_or("patches");
                let folder = within(self.package, folder)?;
                self.files.extend(all_files(self.root, &folder)?);
                Ok(true)
            }
            "prisma" if arguments.first() == Some(&"generate") => self.prisma(&arguments).map(|()| true),
            "node" => match arguments.as_slice() {
                [file, ..] if !file.starts_with('-') => {
                    self.files.extend(script_closure(self.root, self.package, file)?);
                    Ok(true)
                }
                ["-v" | "--version"] => Ok(false),
                _ => Err(unresolved()),
            },
            "npm" | "pnpm" | "yarn" | "bun" | "run-s" | "npm-run-all" => {
                self.run(program, &arguments, depth).unwrap_or_else(|| Err(unresolved()))
            }
            _ => Err(unresolved()),
        }
    }

    /// `npm run a` and its like: the scripts named must resolve too. `None` for what is no such command.
    fn run(&mut self, program: &str, arguments: &[&str], depth: usize) -> Option<Result<bool, SourceNeed>> {
        let names = match (program, arguments) {
            ("run-s" | "npm-run-all", names) => names.to_vec(),
            (_, ["run" | "run-script", rest @ ..]) => rest.iter().take(1).copied().collect(),
            ("npm", ["rebuild", ..]) => return Some(Ok(true)),
            ("npm", _) => return None,
            (_, [name]) => vec![*name],
            _ => return None,
        };
        let mut needed = false;
        for name in names.into_iter().filter(|name| !name.starts_with('-')) {
            let text = self.manifest.scripts.get(name)?.clone();
            match self.command(&text, depth - 1) {
                Ok(left) => needed |= left.is_some(),
                Err(why) => return Some(Err(why)),
            }
            self.scripts.extend([format!("pre{name}"), name.to_owned(), format!("post{name}")]);
            if ["pre", "post"].iter().any(|around| self.manifest.scripts.contains_key(&format!("{around}{name}"))) {
                return None;
            }
        }
        self.scripts.retain(|name| self.manifest.scripts.contains_key(name));
        Some(Ok(needed))
    }

    /// The schema that `prisma generate` reads.
    fn prisma(&mut self, arguments: &[&str]) -> Result<(), SourceNeed> {
        let folder = self.root.join(self.package);
        let configured = self.manifest.document.contains_key("prisma")
            || ["ts", "js", "mjs", "cjs"].iter().any(|end| folder.join(format!("prisma.config.{end}")).is_file());
        let stated = after(arguments, "--schema");
        let found = stated.or_else(|| {
            ["prisma/schema.prisma", "schema.prisma", "prisma/schema"].into_iter().find(|path| folder.join(path).exists())
        });
        match found {
            Some(path) if !configured => {
                self.files.extend(all_files(self.root, &within(self.package, path)?)?);
                Ok(())
            }
            _ => Err(SourceNeed::Command { command: "prisma generate".to_owned() }),
        }
    }
}

fn assigns(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
}

/// The word after a flag, or behind its `=`.
fn after<'a>(arguments: &[&'a str], flag: &str) -> Option<&'a str> {
    arguments.iter().enumerate().find_map(|(index, word)| {
        if *word == flag { arguments.get(index + 1).copied() } else { word.strip_prefix(flag)?.strip_prefix('=') }
    })
}

/// The parts of a command line, each with the operator before it. `None` where a quote is left open.
fn split(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut parts = Vec::new();
    let (mut start, mut operator, mut quote) = (0, "", None);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '&' | '|' | ';' | '\n') => {
                parts.push((operator, text[start..at].trim()));
                let double = chars.next_if(|(_, next)| *next == c && c != ';' && c != '\n').is_some();
                start = at + if double { 2 } else { 1 };
                operator = text[at..start].trim();
                if operator.is_empty() {
                    operator = ";";
                }
            }
            _ => {}
        }
    }
    parts.push((operator, text[start..].trim()));
    quote.is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// One line for each install script: what it needs.
    fn classified(scripts: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        for (path, text) in [
            ("patches/a+1.0.0.patch", "--- a"),
            (
                "scripts/fix.js",
                "const a = require('./lib/a'); const fs = require('fs'); fs.copyFileSync('data/x.json', 'node_modules/x')",
            ),
            ("scripts/lib/a.js", "module.exports = 1"),
            ("scripts/lists.js", "require('fs').readdirSync('src')"),
            ("scripts/version.mjs", "import p from '../package.json' with {type: 'json'}"),
            ("data/x.json", "{}"),
            ("prisma/schema.prisma", ""),
        ] {
            fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
            fs::write(root.join(path), text).unwrap();
        }
        let manifest = Manifest::parse(&root.join("package.json"), format!("{{\"scripts\": {scripts}}}")).unwrap();
        let scripts = classify(root, Utf8Path::new("."), &manifest, Some(PackageManager::Npm));
        scripts
            .iter()
            .map(|script| match script {
                InstallScript::Nothing { name } => format!("{name}: nothing"),
                InstallScript::Files { name, command, scripts, files } => format!("{name}: `{command}` {files:?} {scripts:?}"),
                InstallScript::NeedsSources { name, why, .. } => format!("{name}: sources: {why}"),
            })
            .collect()
    }

    #[test]
    fn each_install_script_is_resolved_to_files_or_said_to_need_the_sources() {
        let table = [
            r#"{"prepare": "husky install", "build": "x"}"#,
            r#"{"prepare": "is-ci || husky"}"#,
            r#"{"prepare": "husky || git config core.hooksPath x && patch-package || true"}"#,
            r#"{"preinstall": "npx only-allow npm"}"#,
            r#"{"postinstall": "patch-package"}"#,
            r#"{"postinstall": "husky && patch-package"}"#,
            r#"{"postinstall": "git config core.hooksPath .githooks && npm run fix", "fix": "node scripts/fix.js"}"#,
            r#"{"postinstall": "node ./scripts/lists.js"}"#,
            r#"{"postinstall": "node scripts/version"}"#,
            r#"{"postinstall": "node scripts/none.js"}"#,
            r#"{"postinstall": "node ../x.js"}"#,
            r#"{"postinstall": "prisma generate"}"#,
            r#"{"prepare": "svelte-kit sync || echo ''"}"#,
            r#"{"prepare": "npm run build", "build": "rollup -c"}"#,
            r#"{"prepare": "npm run a", "a": "npm run b", "b": "npm run a"}"#,
            r#"{"postinstall": "node -e \"require('x')\""}"#,
            r#"{"postinstall": "CI=1 npx playwright install"}"#,
        ];
        let lines = table.iter().map(|scripts| format!("{scripts}\n    {}", classified(scripts).join("\n    ")));
        insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
    }
}
