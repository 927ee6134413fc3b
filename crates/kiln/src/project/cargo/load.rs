//! Reading a workspace: its root manifest, its members, and the packages that they reach by path.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};

use super::document::Document;
use super::inherit::{Inherited, WorkspaceTable};
use super::locate::Root;
use super::members::Member;
use super::{
    CargoError, CargoPackage, CargoWorkspace, DependencySource, Resolver, checks, configuration, dependencies, locate, lock,
    members, package, paths,
};
use crate::parallel;

/// So many manifests are worth a thread.
const MANIFESTS_PER_THREAD: usize = 12;

impl CargoWorkspace {
    /// Reads the workspace whose root manifest is in `directory`, or to which the package in `directory` belongs.
    ///
    /// Nothing above `boundary` (the repository) is looked at, except for path dependencies that lead there.
    ///
    /// # Errors
    ///
    /// Whatever would keep cargo from reading the manifests, with file and line.
    pub fn load(directory: &Utf8Path, boundary: &Utf8Path) -> Result<Self, CargoError> {
        let directory = absolute(directory)?;
        let boundary = absolute(boundary)?;
        let root = locate::root_of(&directory, &boundary)?;
        let workspace = thread::scope(|scope| {
            let folder = root.folder();
            let lock = scope.spawn(|| lock::read(&folder.join("Cargo.lock")));
            let mut workspace = read(&root, &boundary)?;
            workspace.lock = match lock.join() {
                Ok(lock) => lock?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            Ok::<_, CargoError>(workspace)
        })?;
        let relative = paths::relative(&workspace.directory, &directory);
        if root.folder() != directory && !workspace.packages.iter().any(|package| package.member && package.directory == relative)
        {
            return Err(CargoError::Unlisted { path: directory.join("Cargo.toml"), root: root.document.path });
        }
        Ok(workspace)
    }
}

/// The path from the file system's root, by its letters.
fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf, CargoError> {
    let absolute = camino::absolute_utf8(path).map_err(|source| CargoError::Read { path: path.to_owned(), source })?;
    Ok(paths::normalize(&absolute))
}

/// Everything but the lock.
fn read(root: &Root, boundary: &Utf8Path) -> Result<CargoWorkspace, CargoError> {
    let folder = root.folder();
    let document = &root.document;
    let inherited = match root.workspace {
        Some(_) => Some(Inherited::read(document, folder)?),
        None => None,
    };
    let root_package = match package::table(document)? {
        Some(table) => Some(package::read(document, table, folder, inherited.as_ref(), true)?),
        None => None,
    };
    let reader = Reader { root, inherited: inherited.as_ref(), boundary };
    let patches = dependencies::patches(document, folder)?;
    let replacements = dependencies::replacements(document, folder)?;
    let is_virtual = root_package.is_none();
    let resolver = resolver(root, root_package.as_ref())?;

    let mut packages = reader.members(root_package)?;
    let patched: Vec<_> = patches.iter().chain(&replacements).map(|patch| &patch.dependency).cloned().collect();
    let wanted = patched.iter().filter_map(|dependency| {
        let DependencySource::Path(path) = &dependency.source else { return None };
        let folder = paths::normalize(&folder.join(path));
        Some(Found { folder, manifest: document.path.clone(), line: dependency.line, alias: dependency.alias.clone() })
    });
    reader.others(&mut packages, wanted.collect())?;

    let default_members = match &root.workspace {
        Some(workspace) => members::default_members(workspace, &document.path, &packages)?,
        None => Vec::new(),
    };
    let packages: Vec<CargoPackage> = packages.into_values().collect();
    checks::names(&packages, folder)?;
    checks::cycles(&packages, folder)?;
    Ok(CargoWorkspace {
        is_virtual,
        resolver,
        packages,
        default_members,
        lock: None,
        toolchain: configuration::toolchain(folder, boundary)?,
        configs: configuration::configs(folder, boundary)?,
        profiles: package::profiles(document)?,
        patches,
        replacements,
        cargo_features: document.strings(document.root(), "", &["cargo-features"])?.unwrap_or_default(),
        incidental: false,
        directory: folder.to_owned(),
    })
}

fn resolver(root: &Root, root_package: Option<&CargoPackage>) -> Result<Resolver, CargoError> {
    let document = &root.document;
    let mut named = root.workspace.as_ref().and_then(|workspace| workspace.resolver.clone());
    if let (None, Some(table)) = (&named, package::table(document)?) {
        named = document.string(table, "package", "resolver")?;
    }
    let edition = root_package.map_or("2015", |package| package.edition.as_str());
    Ok(match named.as_deref() {
        Some("1") => Resolver::V1,
        Some(_) => Resolver::V2,
        None if matches!(edition, "2015" | "2018") => Resolver::V1,
        None => Resolver::V2,
    })
}

/// A folder that holds a package, and the dependency that led there.
struct Found {
    folder: Utf8PathBuf,
    manifest: Utf8PathBuf,
    line: usize,
    alias: String,
}

impl Found {
    /// Where the path dependencies of a package lead.
    fn of(package: &CargoPackage, root: &Utf8Path) -> Vec<Self> {
        let dependencies = package.dependencies.iter().filter_map(|dependency| {
            let DependencySource::Path(path) = &dependency.source else { return None };
            Some(Self {
                folder: paths::normalize(&root.join(path)),
                manifest: paths::normalize(&root.join(&package.directory)).join("Cargo.toml"),
                line: dependency.line,
                alias: dependency.alias.clone(),
            })
        });
        dependencies.collect()
    }

    fn document(&self) -> Result<Document, CargoError> {
        let path = self.folder.join("Cargo.toml");
        if !path.is_file() {
            return Err(CargoError::MissingPathDependency {
                path: self.manifest.clone(),
                line: self.line,
                alias: self.alias.clone(),
                folder: self.folder.clone(),
            });
        }
        Document::read(&path)
    }
}

/// Packages by their folder relative to the workspace root.
type Packages = BTreeMap<Utf8PathBuf, CargoPackage>;

struct Reader<'a> {
    root: &'a Root,
    inherited: Option<&'a Inherited>,
    boundary: &'a Utf8Path,
}

impl Reader<'_> {
    /// The members: those that are listed, and what they reach by path inside the workspace's folder.
    fn members(&self, root_package: Option<CargoPackage>) -> Result<Packages, CargoError> {
        let folder = self.root.folder();
        let mut packages = Packages::new();
        let mut seen = BTreeSet::from([folder.to_owned()]);
        let mut next = Vec::new();
        if let Some(package) = root_package {
            next = Found::of(&package, folder);
            packages.insert(package.directory.clone(), package);
        }
        let Some(workspace) = &self.root.workspace else { return Ok(packages) };
        let listed = members::listed(workspace, &self.root.document.path)?;
        let listed: Vec<Member> = listed.into_iter().filter(|member| seen.insert(member.folder.clone())).collect();
        let read = parallel::try_map(&listed, MANIFESTS_PER_THREAD, |member| {
            let document = member.document(&self.root.document.path)?;
            self.member(&document)
        })?;
        for package in read {
            next.extend(Found::of(&package, folder));
            packages.insert(package.directory.clone(), package);
        }
        while !next.is_empty() {
            next.retain(|found| !workspace.excludes(&found.folder) && seen.insert(found.folder.clone()));
            let read = parallel::try_map(&next, MANIFESTS_PER_THREAD, |found| self.reached(found))?;
            next.clear();
            for package in read.into_iter().flatten() {
                next.extend(Found::of(&package, folder));
                packages.insert(package.directory.clone(), package);
            }
        }
        Ok(packages)
    }

    /// Path dependencies that are no members, and theirs.
    fn others(&self, packages: &mut Packages, patched: Vec<Found>) -> Result<(), CargoError> {
        let folder = self.root.folder();
        let mut next = patched;
        next.extend(packages.values().flat_map(|package| Found::of(package, folder)));
        let mut seen: BTreeSet<Utf8PathBuf> = packages.keys().map(|key| paths::normalize(&folder.join(key))).collect();
        while !next.is_empty() {
            next.retain(|found| seen.insert(found.folder.clone()));
            let read = parallel::try_map(&next, MANIFESTS_PER_THREAD, |found| self.other(found))?;
            next.clear();
            for package in read {
                next.extend(Found::of(&package, folder));
                packages.insert(package.directory.clone(), package);
            }
        }
        Ok(())
    }

    fn member(&self, document: &Document) -> Result<CargoPackage, CargoError> {
        if document.root().contains_key("workspace") {
            let root = self.root.document.path.clone();
            return Err(CargoError::SeveralRoots { root, other: document.path.clone() });
        }
        self.package(document, self.inherited, true)
    }

    /// A path dependency of a member: itself a member if it lies in the workspace's folder, or says so.
    fn reached(&self, found: &Found) -> Result<Option<CargoPackage>, CargoError> {
        let folder = self.root.folder();
        let document = found.document()?;
        if found.folder.starts_with(folder) || locate::pointer(&document)?.as_deref() == Some(folder) {
            return self.member(&document).map(Some);
        }
        Ok(None)
    }

    fn other(&self, found: &Found) -> Result<CargoPackage, CargoError> {
        let document = found.document()?;
        if !document.text().contains("workspace") {
            return self.package(&document, None, false);
        }
        let own = match locate::pointer(&document)? {
            Some(pointer) => Some(Document::read(&pointer.join("Cargo.toml"))?),
            None if WorkspaceTable::read(&document)?.is_some() => None,
            None if found.folder.starts_with(self.boundary) => locate::above(&found.folder, self.boundary)?.map(|above| above.0),
            None => locate::above(&found.folder, Utf8Path::new("/"))?.map(|above| above.0),
        };
        let has_own_table = document.root().contains_key("workspace");
        let own = own.as_ref().or(has_own_table.then_some(&document));
        let inherited = own.map(|own| Inherited::read(own, self.root.folder())).transpose()?;
        self.package(&document, inherited.as_ref(), false)
    }

    fn package(&self, document: &Document, inherited: Option<&Inherited>, member: bool) -> Result<CargoPackage, CargoError> {
        match package::table(document)? {
            Some(table) => package::read(document, table, self.root.folder(), inherited, member),
            None => Err(CargoError::NotAManifest { path: document.path.clone() }),
        }
    }
}
