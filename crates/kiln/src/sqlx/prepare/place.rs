//! Where results go, what differs from what is there, and putting it into place.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::{PrepareError, PrepareOptions};
use crate::project::cargo::CargoWorkspace;
use crate::sqlx::data::file_name;
use crate::sqlx::outcome::{Check, Scope};

/// Where data goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// Into `.sqlx` of the package where there is one, else into that of the workspace.
    #[default]
    AsItIs,
    /// Into `.sqlx` of the workspace.
    Workspace,
    /// Into `.sqlx` of each package.
    Package,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// The file, absolute.
    pub path: Utf8PathBuf,
    /// How.
    pub change: Change,
    /// Hash of the query.
    pub hash: String,
}

/// How a file differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It was not there.
    Added,
    /// It said something else.
    Updated,
    /// No query asks for it.
    Removed,
}

/// What SQLx' macros wrote: text by hash.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub(super) files: BTreeMap<String, String>,
}

/// A change with the text to write.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) told: Changed,
    text: Option<String>,
}

/// Compares the results with what is there.
pub(super) fn changes(
    check: &Check,
    workspace: &CargoWorkspace,
    made: &Made,
    options: &PrepareOptions,
) -> Result<Vec<Planned>, PrepareError> {
    let places = Places::of(check, workspace, options);
    let mut wanted: BTreeMap<Utf8PathBuf, (&str, &str)> = BTreeMap::new();
    for (hash, text) in &made.files {
        for folder in places.of_query(hash) {
            wanted.insert(folder.join(file_name(hash)), (hash, text));
        }
    }
    let mut changes = Vec::new();
    for (path, (hash, text)) in &wanted {
        let change = match fs::read_to_string(path) {
            Ok(old) if same(&old, text) => continue,
            Ok(_) => Change::Updated,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Change::Added,
            Err(error) => return Err(PrepareError::file("read", path)(error)),
        };
        let told = Changed { path: path.clone(), change, hash: (*hash).to_owned() };
        changes.push(Planned { told, text: Some((*text).to_owned()) });
    }
    for folder in &places.all {
        for entry in folder.read_dir_utf8().into_iter().flatten().flatten() {
            let Some(hash) = entry.file_name().strip_prefix("query-").and_then(|name| name.strip_suffix(".json")) else {
                continue;
            };
            let path = entry.path().to_owned();
            // Data of queries that this compile left out (tests, other features) stays where its query looks for it.
            let elsewhere = made.files.contains_key(hash);
            if !wanted.contains_key(&path) && (elsewhere || !places.asked.contains(hash)) {
                let told = Changed { path, change: Change::Removed, hash: hash.to_owned() };
                changes.push(Planned { told, text: None });
            }
        }
    }
    changes.sort_by(|left, right| (left.told.change, &left.told.path).cmp(&(right.told.change, &right.told.path)));
    Ok(changes)
}

/// Whether two files say the same: their order of keys and white space do not matter.
fn same(old: &str, new: &str) -> bool {
    let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    old == new || value(old).is_some_and(|old| Some(old) == value(new))
}

struct Places {
    /// Folders by hash of the queries of the sources.
    queries: BTreeMap<String, BTreeSet<Utf8PathBuf>>,
    /// Hashes of queries of the sources.
    asked: BTreeSet<String>,
    root: Utf8PathBuf,
    /// Every folder whose files are kiln's to remove.
    all: BTreeSet<Utf8PathBuf>,
}

impl Places {
    fn of(check: &Check, workspace: &CargoWorkspace, options: &PrepareOptions) -> Self {
        let root = workspace.directory.join(".sqlx");
        let mut places =
            Self { queries: BTreeMap::new(), asked: BTreeSet::new(), all: BTreeSet::from([root.clone()]), root: root.clone() };
        for package in &workspace.packages {
            places.all.insert(workspace.folder(package).join(".sqlx"));
        }
        for query in &check.queries {
            let Some(package) = workspace.package(&query.package) else { continue };
            let own = workspace.folder(package).join(".sqlx");
            let folder = match options.placement {
                Placement::Workspace if package.member => &root,
                Placement::AsItIs if package.member && !own.is_dir() => &root,
                _ => &own,
            };
            places.asked.insert(query.hash.clone());
            if query.scope != Scope::Off {
                places.queries.entry(query.hash.clone()).or_default().insert(folder.clone());
            }
        }
        places
    }

    /// Where the data of a query goes. One that kiln did not see in the sources goes where every member looks.
    fn of_query(&self, hash: &str) -> BTreeSet<Utf8PathBuf> {
        self.queries.get(hash).cloned().unwrap_or_else(|| BTreeSet::from([self.root.clone()]))
    }
}

/// Writes and removes: all new files are complete before the first one is put into place.
pub(super) fn apply(changes: &[Planned], options: &PrepareOptions) -> Result<(), PrepareError> {
    if options.check_only {
        return Ok(());
    }
    let mut staged = Staged::default();
    for change in changes {
        if let Some(text) = &change.text {
            staged.write(&change.told.path, text)?;
        }
    }
    staged.commit()?;
    for change in changes.iter().filter(|change| change.text.is_none()) {
        let path = &change.told.path;
        fs::remove_file(path).map_err(PrepareError::file("remove", path))?;
        // Succeeds only if it was the last one in it.
        let _ = fs::remove_dir(path.parent().unwrap_or(Utf8Path::new(".")));
    }
    Ok(())
}

/// Files beside their targets; removed when dropped.
#[derive(Default)]
struct Staged(Vec<(Utf8PathBuf, Utf8PathBuf)>);

impl Staged {
    fn write(&mut self, path: &Utf8Path, text: &str) -> Result<(), PrepareError> {
        let folder = path.parent().unwrap_or(Utf8Path::new("."));
        fs::create_dir_all(folder).map_err(PrepareError::file("make the folder", folder))?;
        let temporary = folder.join(format!(".{}.kiln-{}", path.file_name().unwrap_or("query"), std::process::id()));
        self.0.push((temporary.clone(), path.to_owned()));
        fs::write(&temporary, text).map_err(PrepareError::file("write", &temporary))
    }

    fn commit(mut self) -> Result<(), PrepareError> {
        while let Some((temporary, path)) = self.0.first() {
            fs::rename(temporary, path).map_err(PrepareError::file("write", path))?;
            self.0.remove(0);
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (temporary, _) in &self.0 {
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Cancel;
    use crate::project::fixture::Fixture;
    use crate::project::look;
    use crate::sqlx::{CheckOptions, check, hash};

    const SQLX: &str = "[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n";

    fn options(placement: Placement) -> PrepareOptions {
        PrepareOptions {
            check: CheckOptions::default(),
            tests: false,
            check_only: false,
            placement,
            database: None,
            url: None,
            migrations: Vec::new(),
            migrate: false,
            container: false,
            image: None,
            compose: Vec::new(),
            tools: Utf8PathBuf::new(),
            locks: Utf8PathBuf::new(),
            temporary: Utf8PathBuf::new(),
            cargo: String::new(),
            docker: String::new(),
            path: Vec::new(),
            cancel: Cancel::new(),
        }
    }

    /// `a` has a folder of its own, `b` has none.
    fn members() -> Fixture {
        let old = |query: &str| format!(".sqlx/{}", file_name(&hash(query)));
        Fixture::new()
            .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n")
            .library("a", "a", SQLX)
            .library("b", "b", SQLX)
            .file("a/src/lib.rs", "fn f() { query!(\"one\"); query!(\"both\"); }\n#[test] fn g() { query!(\"test\"); }")
            .file(
                "b/src/lib.rs",
                "fn f() { query!(\"two\"); query!(\"both\"); }\n#[cfg(feature = \"x\")] fn g() { query!(\"off\"); }",
            )
            .file(&format!("a/{}", old("one")), "{ \"b\": 1, \"a\": \"one\" }")
            .file(&format!("a/{}", old("gone")), "{}")
            .file(&format!("a/{}", old("test")), "{}")
            .file(&old("one"), "{}")
            .file(&old("off"), "{}")
            .file(".sqlx/README.md", "")
    }

    fn planned(fixture: &Fixture, placement: Placement) -> (Vec<String>, Vec<Planned>, PrepareOptions) {
        let workspace = look(fixture.path()).unwrap().cargo.remove(0);
        let options = options(placement);
        let before = check(&workspace, &options.check).unwrap();
        let text = |query: &str| (hash(query), format!("{{\n  \"a\": \"{query}\",\n  \"b\": 1\n}}\n"));
        let made = Made { files: ["one", "two", "both", "made by a macro"].map(text).into() };
        let changes = changes(&before, &workspace, &made, &options).unwrap();
        let names: BTreeMap<String, &str> =
            ["one", "two", "both", "made by a macro", "gone", "test", "off"].map(|query| (hash(query), query)).into();
        let told = changes.iter().map(|planned| {
            let folder = planned.told.path.strip_prefix(fixture.path()).unwrap().parent().unwrap();
            format!("{:?} {folder} {}", planned.told.change, names[&planned.told.hash])
        });
        let mut told: Vec<String> = told.collect();
        told.sort();
        (told, changes, options)
    }

    #[test]
    fn data_goes_where_it_is_and_what_nobody_asks_for_goes_away() {
        let fixture = members();
        let (told, changes, options) = planned(&fixture, Placement::AsItIs);
        insta::assert_snapshot!(told.join("\n"), @"
        Added .sqlx both
        Added .sqlx made by a macro
        Added .sqlx two
        Added a/.sqlx both
        Removed .sqlx one
        Removed a/.sqlx gone
        ");
        apply(&changes, &options).unwrap();
        assert_eq!(planned(&fixture, Placement::AsItIs).0, [""; 0], "a second run has nothing to do");
        let left: Vec<_> =
            fixture.path().join(".sqlx").read_dir_utf8().unwrap().flatten().map(|entry| entry.into_path()).collect();
        assert!(left.iter().any(|path| path.ends_with("README.md")) && !left.iter().any(|path| path.as_str().contains(".kiln-")));
    }

    #[test]
    fn one_place_for_all_and_one_for_each_can_be_asked_for() {
        insta::assert_snapshot!(planned(&members(), Placement::Workspace).0.join("\n"), @"
        Added .sqlx both
        Added .sqlx made by a macro
        Added .sqlx two
        Removed a/.sqlx gone
        Removed a/.sqlx one
        Updated .sqlx one
        ");
        insta::assert_snapshot!(planned(&members(), Placement::Package).0.join("\n"), @"
        Added .sqlx made by a macro
        Added a/.sqlx both
        Added b/.sqlx both
        Added b/.sqlx two
        Removed .sqlx one
        Removed a/.sqlx gone
        ");
    }

    #[test]
    fn nothing_is_left_half_written_when_a_folder_cannot_be_made() {
        let fixture = members();
        let (_, changes, options) = planned(&fixture, Placement::Package);
        fixture.path().join("b").read_dir_utf8().unwrap();
        fs::write(fixture.path().join("b/.sqlx"), "in the way").unwrap();
        assert!(matches!(apply(&changes, &options), Err(PrepareError::File { .. })));
        let names = fixture.path().join("a/.sqlx").read_dir_utf8().unwrap().flatten().count();
        assert_eq!(names, 3, "as before");
    }
}
