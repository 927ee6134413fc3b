//! Fixtures as repositories of their own.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::advice::{Changes, Context, Finding, Rule, Selection, examine};
use kiln::engine::GcPolicy;
use kiln::project::look_past_errors;
use kiln::settings::Settings;
use tempfile::TempDir;

pub(crate) fn root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture_root() -> Utf8PathBuf {
    Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules/fixtures")
}

fn folders(path: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = path.read_dir_utf8() else { return Vec::new() };
    let mut folders: Vec<_> =
        entries.map(|entry| entry.expect("a fixture that can be read").into_path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Names of the folders with fixtures.
pub(crate) fn fixtures() -> Vec<String> {
    folders(&fixture_root()).iter().map(|path| path.file_name().expect("a fixture that can be read").to_owned()).collect()
}

/// The fixtures of a rule of one kind: `fires`, `fires-…`.
pub(crate) fn cases(rule: &str, kind: &str) -> Vec<Utf8PathBuf> {
    let mut cases = folders(&fixture_root().join(rule));
    cases.retain(|path| path.file_name().is_some_and(|name| name.starts_with(kind)));
    cases
}

/// The text of a rule's section.
pub(crate) fn docs_of(rule: &Rule) -> Option<String> {
    let text = fs::read_to_string(root().join(format!("docs/rules/{}.md", rule.group.page()))).ok()?;
    let (_, section) = text.split_once(&format!("\n## {}\n", rule.id))?;
    Some(section.split("\n## ").next().unwrap_or_default().trim().to_owned())
}

/// A copy of a fixture.
pub(crate) struct World {
    _folder: TempDir,
    path: Utf8PathBuf,
}

impl World {
    pub(crate) fn copy(case: &Utf8Path) -> Self {
        let folder = tempfile::tempdir().expect("a fixture that can be read");
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().expect("a fixture that can be read"))
            .expect("a fixture that can be read")
            .join("project");
        copy(case, &path);
        Self { _folder: folder, path }
    }

    /// An empty repository.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().expect("a path")).expect("UTF-8").join("project");
        fs::create_dir(&path).expect("a folder");
        Self { _folder: folder, path }
    }

    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }

    /// Applies the fixes of all rules.
    pub(crate) fn mend_all(&self) {
        for _ in 0..8 {
            let changes = self.with(None, |context, findings| Changes::of(context, &findings));
            if changes.is_empty() {
                return;
            }
            changes.apply(&self.path).expect("fixes that can be applied");
        }
        panic!("{}: still changing after eight rounds", self.path);
    }

    pub(crate) fn examine(&self, rule: Option<&str>) -> Vec<Finding> {
        self.with(rule, |_, findings| findings)
    }

    /// What these rules find, the others unasked.
    pub(crate) fn examine_only(&self, rules: BTreeSet<String>) -> Vec<Finding> {
        let (project, broken) = look_past_errors(&self.path).expect("a repository that can be read");
        let settings = Settings::load(&self.path).expect("settings that can be read");
        examine(&Context::new(&project, &settings).with_broken(&broken), &Selection { rules })
    }

    pub(crate) fn diff(&self, rule: &str) -> String {
        self.with(Some(rule), |context, findings| Changes::of(context, &findings).diff())
    }

    pub(crate) fn mend(&self, rule: &str) {
        for _ in 0..8 {
            let changes = self.with(Some(rule), |context, findings| Changes::of(context, &findings));
            if changes.is_empty() {
                return;
            }
            changes.apply(&self.path).expect("a fixture that can be read");
        }
        panic!("{}: still changing after eight rounds", self.path);
    }

    fn with<T>(&self, rule: Option<&str>, use_it: impl FnOnce(&Context<'_>, Vec<Finding>) -> T) -> T {
        let (project, broken) = look_past_errors(&self.path).unwrap_or_else(|error| panic!("{rule:?}: {error}"));
        let settings = Settings::load(&self.path).expect("a fixture that can be read");
        // What an engine says is a file of the fixture.
        let inspected = fs::read_to_string(self.path.join("buildx-inspect.txt")).ok();
        let context =
            Context::new(&project, &settings).with_broken(&broken).collected_by(inspected.map(|text| GcPolicy::read(&text)));
        let rules = rule.into_iter().map(str::to_owned).collect();
        // A silence is unused only if its rule was asked.
        let asked = if rule == Some("unused-silence") { BTreeSet::new() } else { rules };
        let mut findings = examine(&context, &Selection { rules: asked });
        findings.retain(|finding| rule.is_none_or(|rule| finding.rule == rule));
        use_it(&context, findings)
    }

    /// Text files with what is in them, by path.
    pub(crate) fn files(&self) -> BTreeMap<Utf8PathBuf, String> {
        let mut files = Vec::new();
        list(&self.path, &mut files);
        let text = |path: Utf8PathBuf| Some((path.strip_prefix(&self.path).ok()?.to_owned(), fs::read_to_string(&path).ok()?));
        files.into_iter().filter_map(text).collect()
    }

    /// Puts something else into some text files.
    pub(crate) fn rewrite(&self, chosen: &dyn Fn(&Utf8Path) -> bool, change: &dyn Fn(&str) -> String) {
        for (path, text) in self.files().into_iter().filter(|(path, _)| chosen(path)) {
            fs::write(self.path.join(path), change(&text)).expect("written");
        }
    }

    /// Every comment of every file, without indentation: a comment is what follows `//` or `#` after a blank or at the start of a line.
    pub(crate) fn comments(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(&self.path, &mut files);
        let mut comments = Vec::new();
        for text in files.iter().filter_map(|path| fs::read_to_string(path).ok()) {
            for line in text.lines() {
                let starts = ["//", "# ", "/*"].iter().filter_map(|mark| {
                    let at = line.find(mark)?;
                    (at == 0 || line[..at].ends_with([' ', '\t'])).then_some(at)
                });
                comments.extend(starts.min().map(|at| line[at..].trim().to_owned()));
            }
        }
        comments
    }
}

fn list(folder: &Utf8Path, into: &mut Vec<Utf8PathBuf>) {
    for entry in folder.read_dir_utf8().expect("a fixture that can be read") {
        let path = entry.expect("a fixture that can be read").into_path();
        if path.is_dir() { list(&path, into) } else { into.push(path) }
    }
}

fn copy(from: &Utf8Path, to: &Utf8Path) {
    fs::create_dir_all(to).expect("a fixture that can be read");
    for entry in from.read_dir_utf8().expect("a fixture that can be read") {
        let entry = entry.expect("a fixture that can be read");
        let (mode, name) = mode_of(entry.file_name());
        let name = name.strip_prefix("dot-").map_or_else(|| name.to_owned(), |rest| format!(".{rest}"));
        if entry.path().is_dir() {
            copy(entry.path(), &to.join(name));
        } else {
            let copied = to.join(name);
            fs::copy(entry.path(), &copied).expect("a fixture that can be read");
            let before = fs::metadata(&copied).expect("a copy").permissions();
            // Whatever the umask of this checkout is.
            let usual = if before.mode() & 0o100 == 0 { 0o644 } else { 0o755 };
            fs::set_permissions(&copied, Permissions::from_mode(mode.unwrap_or(usual))).expect("a copy");
        }
    }
}

/// The mode that a name asks for: `mode-664-x` stands for `x` with mode 664, which git could not keep.
fn mode_of(name: &str) -> (Option<u32>, &str) {
    let told = name.strip_prefix("mode-").and_then(|rest| rest.split_once('-'));
    match told.and_then(|(mode, rest)| Some((u32::from_str_radix(mode, 8).ok()?, rest))) {
        Some((mode, rest)) => (Some(mode), rest),
        None => (None, name),
    }
}
