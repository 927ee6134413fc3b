//! The verdict: which queries SQLx finds data for, and which data nobody looks for.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

use super::data::{Database, Store, file_name, hash};
use super::environment::offline_directory;
use super::features::{self, FeatureChoice, uses_sqlx};
use super::find::{Found, queries};
use super::outcome::{Check, DeadData, DuplicatedData, Query, SplitData, State, UnresolvedReason};
use super::targets::Reader;
use super::version::{Layout, Version};
use crate::project::cargo::{CargoPackage, CargoWorkspace};

/// What to check, and in which world.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Features to compile with.
    pub features: FeatureChoice,
    /// Packages to look at, by name; all when empty.
    pub packages: BTreeSet<String>,
    /// Environment variables, of which SQLx reads `SQLX_OFFLINE_DIR`.
    pub environment: BTreeMap<String, String>,
}

/// Why a workspace cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No local package depends on SQLx.
    #[error("no package of `{workspace}` depends on sqlx")]
    NoSqlx {
        /// Folder of the workspace.
        workspace: Utf8PathBuf,
    },
    /// A package was asked for that is not there.
    #[error("there is no package `{package}` in `{workspace}`")]
    NoPackage {
        /// As asked for.
        package: String,
        /// Folder of the workspace.
        workspace: Utf8PathBuf,
        /// Those that depend on SQLx.
        known: Vec<String>,
    },
}

/// Checks a workspace.
///
/// # Errors
///
/// No package depends on SQLx, or one that was asked for is not there.
pub fn check(workspace: &CargoWorkspace, options: &CheckOptions) -> Result<Check, CheckError> {
    let packages: Vec<&CargoPackage> = workspace.packages.iter().filter(|package| uses_sqlx(package)).collect();
    if packages.is_empty() {
        return Err(CheckError::NoSqlx { workspace: workspace.directory.clone() });
    }
    if let Some(package) = options.packages.iter().find(|name| packages.iter().all(|package| package.name != **name)) {
        let known = packages.iter().map(|package| package.name.clone()).collect();
        return Err(CheckError::NoPackage { package: package.clone(), workspace: workspace.directory.clone(), known });
    }
    let version = Version::of(workspace);
    let layout = version.as_ref().map_or(Layout::Folder, Version::layout);
    let mut checker = Checker {
        workspace,
        layout,
        stores: BTreeMap::new(),
        claimed: BTreeSet::new(),
        guessed: Guessed::default(),
        check: Check {
            workspace: workspace.directory.clone(),
            layout,
            databases: features::drivers(workspace),
            queries: Vec::new(),
            unresolved: Vec::new(),
            dead: Vec::new(),
            duplicated: Vec::new(),
            split: Vec::new(),
            other_layout: Vec::new(),
            unread: Vec::new(),
            sqlx: version,
        },
    };
    let enabled = features::enabled(workspace, &options.features);
    let mut reader = Reader::default();
    let none = BTreeSet::new();
    for package in packages {
        let found = queries(workspace, package, enabled.get(&package.directory).unwrap_or(&none), &mut reader);
        let places = checker.places(package, options);
        let wanted = options.packages.is_empty() || options.packages.contains(&package.name);
        checker.package(package, &places, &found.found, wanted);
        checker.guessed.unreadable |= found.unresolved.iter().any(|call| call.reason == UnresolvedReason::MacroArgument);
        checker.guessed.hashes.extend(found.literals.iter().map(|literal| hash(literal)));
        checker.check.unresolved.extend(found.unresolved.into_iter().filter(|_| wanted));
    }
    checker.check.unread = reader.unread;
    Ok(checker.finish())
}

/// What macros may make of the literals that they are given.
#[derive(Default)]
struct Guessed {
    unreadable: bool,
    hashes: BTreeSet<String>,
}

struct Checker<'w> {
    workspace: &'w CargoWorkspace,
    layout: Layout,
    stores: BTreeMap<Utf8PathBuf, Option<Store>>,
    /// Places and hashes that a query asks for.
    claimed: BTreeSet<(Utf8PathBuf, String)>,
    guessed: Guessed,
    check: Check,
}

impl Checker<'_> {
    /// Where SQLx looks for the data of a package's queries, in its order, whether it is there or not.
    fn places(&mut self, package: &CargoPackage, options: &CheckOptions) -> Vec<Utf8PathBuf> {
        let folder = self.workspace.folder(package);
        // `cargo metadata` in a package outside of the workspace names another one.
        let root = if package.member { &self.workspace.directory } else { &folder };
        let name = match self.layout {
            Layout::Folder => ".sqlx",
            Layout::SingleFile => "sqlx-data.json",
        };
        let how = self.check.sqlx.as_ref().map(Version::offline_directory);
        let named = how.and_then(|how| offline_directory(how, &options.environment, &folder, &self.workspace.directory));
        let mut places: Vec<Utf8PathBuf> = named.into_iter().collect();
        for place in [folder.join(name), root.join(name)] {
            if !places.contains(&place) {
                places.push(place);
            }
        }
        for place in &places {
            let layout = self.layout;
            self.stores.entry(place.clone()).or_insert_with(|| Store::open(layout, place));
        }
        for place in [&folder, root] {
            let other = match self.layout {
                Layout::Folder => place.join("sqlx-data.json"),
                Layout::SingleFile => place.join(".sqlx"),
            };
            if other.exists() && !self.check.other_layout.contains(&other) {
                self.check.other_layout.push(other);
            }
        }
        places
    }

    fn package(&mut self, package: &CargoPackage, places: &[Utf8PathBuf], found: &[Found], wanted: bool) {
        let mut split: BTreeMap<Utf8PathBuf, usize> = BTreeMap::new();
        let mut duplicated = BTreeSet::new();
        for query in found {
            let text = query.text.as_deref().unwrap_or_default();
            let hash = hash(text);
            if query.text.is_ok() {
                self.claimed.extend(places.iter().map(|place| (place.clone(), hash.clone())));
            }
            let holding: Vec<&Store> = places
                .iter()
                .filter_map(|place| self.stores.get(place)?.as_ref())
                .filter(|store| self.layout == Layout::SingleFile || store.file(&hash).is_some())
                .collect();
            let state = match (&query.text, holding.first()) {
                (Err(message), _) => State::NoFile { message: message.clone() },
                (Ok(text), Some(store)) => self.state(store, text, &hash, query.arguments),
                (Ok(_), None) => {
                    let looked_at = places.iter().map(|place| match self.layout {
                        Layout::Folder => place.join(file_name(&hash)),
                        Layout::SingleFile => place.clone(),
                    });
                    State::Missing { looked_at: looked_at.collect() }
                }
            };
            if let (Some(store), true) = (holding.first(), query.text.is_ok() && !matches!(state, State::Missing { .. })) {
                *split.entry(store.path().to_owned()).or_default() += 1;
                let entries: Vec<_> = holding.iter().map(|store| store.entry(&hash)).collect();
                let both: Vec<Utf8PathBuf> = holding
                    .iter()
                    .zip(&entries)
                    .filter(|(_, entry)| entry.is_some())
                    .filter_map(|(store, _)| store.file(&hash).map(Utf8Path::to_owned))
                    .collect();
                if let ([used, shadowed @ ..], true) = (both.as_slice(), duplicated.insert(hash.clone()))
                    && !shadowed.is_empty()
                    && wanted
                {
                    self.check.duplicated.push(DuplicatedData {
                        hash: hash.clone(),
                        package: package.name.clone(),
                        used: used.clone(),
                        shadowed: shadowed.to_vec(),
                        equal: entries.windows(2).all(|pair| pair[0] == pair[1]),
                    });
                }
            }
            if wanted {
                self.check.queries.push(Query {
                    package: package.name.clone(),
                    path: query.path.clone(),
                    line: query.place.line,
                    column: query.place.column,
                    macro_name: query.macro_name.clone(),
                    scope: query.scope,
                    file: query.file.clone(),
                    sql: text.to_owned(),
                    hash,
                    state,
                });
            }
        }
        if split.len() > 1 && wanted {
            self.check.split.push(SplitData { package: package.name.clone(), places: split });
        }
    }

    fn state(&self, store: &Store, text: &str, hash: &str, has: Option<usize>) -> State {
        let Some(data) = store.file(hash).map(Utf8Path::to_owned) else { return State::Missing { looked_at: Vec::new() } };
        let entry = match store.entry(hash) {
            None => return State::Missing { looked_at: vec![data] },
            Some(Err(message)) => return State::Broken { data, message },
            Some(Ok(entry)) => entry,
        };
        if entry.query != text {
            return State::Broken { data, message: "it is the data of another query".to_owned() };
        }
        let on = &self.check.databases;
        if !on.is_empty() && !Database::named(&entry.database).is_some_and(|database| on.contains(&database)) {
            return State::NoDriver { data, database: entry.database };
        }
        match (entry.parameters, has) {
            (Some(wants), Some(has)) if wants != has => State::Arguments { data, wants, has },
            _ => State::Found { data },
        }
    }

    fn finish(mut self) -> Check {
        for (place, store) in &self.stores {
            let Some(store) = store else { continue };
            for hash in store.hashes() {
                let asked = self.claimed.contains(&(place.clone(), hash.to_owned())) || self.guessed.hashes.contains(hash);
                if let (false, Some(path)) = (asked, store.file(hash)) {
                    let certain = !self.guessed.unreadable;
                    self.check.dead.push(DeadData { path: path.to_owned(), hash: hash.to_owned(), certain });
                }
            }
        }
        self.check.queries.sort_by(|left, right| (&left.path, left.line).cmp(&(&right.path, right.line)));
        self.check
    }
}
