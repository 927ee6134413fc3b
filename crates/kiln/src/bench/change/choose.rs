//! What each scenario means in a repository.

use camino::{Utf8Path, Utf8PathBuf};
use semver::{Version, VersionReq};

use super::candidates::{Movable, Trials, Wanted};
use super::choose_node::Frontend;
use super::files::read;
use super::{Change, Choice, LockTool, NotApplicable, cargo_files, rust_source};
use crate::bench::Scenario;
use crate::plan::{Plan, RustService, Service, ServiceKind, join};
use crate::project::Project;
use crate::project::cargo::paths::relative;
use crate::project::cargo::{CargoPackage, CargoWorkspace, DependencySource, included_paths};
use crate::recipe::{Recipe, Selection, prepare, vendored_folders};
use crate::text::count;

/// Texts for people, beside a service or at the root.
const DOCS: [&str; 8] =
    ["README.md", "Readme.md", "readme.md", "README", "README.txt", "CONTRIBUTING.md", "CHANGELOG.md", "docs/README.md"];

/// What every scenario means in this repository, in the order of [`Scenario::ALL`], or why it does not apply: [`choose_from`] all.
#[must_use]
pub fn choose(
    project: &Project,
    plan: &Plan,
    root: &Utf8Path,
    tools: &dyn LockTool,
) -> Vec<(Scenario, Result<Choice, NotApplicable>)> {
    choose_from(&Scenario::ALL, project, plan, root, tools)
}

/// What some scenarios mean in this repository, in their order, or why they do not apply.
///
/// The first service that cargo builds is the one of the backend's scenarios, the first Node package that of the frontend's.
///
/// `root` is the copy that will be measured: `project` and `plan` may stem from the original. To prove that another version of a
/// dependency resolves, locks in the copy are changed and put back. That takes seconds for each scenario that moves one, and the
/// network; the others are chosen in milliseconds.
#[must_use]
pub fn choose_from(
    scenarios: &[Scenario],
    project: &Project,
    plan: &Plan,
    root: &Utf8Path,
    tools: &dyn LockTool,
) -> Vec<(Scenario, Result<Choice, NotApplicable>)> {
    let backend = plan.services.iter().find_map(|service| Backend::new(project, service, root, tools));
    let frontend = plan.services.iter().find_map(|service| Frontend::new(project, service, root, tools));
    let chooser = Chooser { plan, root, backend, frontend };
    scenarios.iter().map(|scenario| (*scenario, chooser.choose(*scenario))).collect()
}

/// A source edit of each service: [`Scenario::SourceBin`] of those that cargo builds, [`Scenario::FrontendSource`] of Node packages. Those
/// that have no source to edit are left out.
#[must_use]
pub fn edits_of_all(project: &Project, plan: &Plan, root: &Utf8Path, tools: &dyn LockTool) -> Vec<Choice> {
    let edit = |service: &Service| {
        let backend = Backend::new(project, service, root, tools).map(|backend| (Scenario::SourceBin, backend.source_bin()));
        let frontend = || Some((Scenario::FrontendSource, Frontend::new(project, service, root, tools)?.source()));
        let (scenario, chosen) = backend.or_else(frontend)?;
        let Chosen { what, change, max_rounds } = chosen.ok()?;
        Some(Choice { scenario, service: service.name.clone(), what, max_rounds, change })
    };
    plan.services.iter().filter_map(edit).collect()
}

/// What a scenario changes: for people, its data, and how many rounds there are.
pub(super) struct Chosen {
    pub(super) what: String,
    pub(super) change: Change,
    pub(super) max_rounds: Option<u32>,
}

impl Chosen {
    pub(super) fn new(what: impl Into<String>, change: Change) -> Self {
        Self { what: what.into(), change, max_rounds: None }
    }

    pub(super) fn rounds(self, rounds: usize) -> Self {
        Self { max_rounds: Some(u32::try_from(rounds).unwrap_or(u32::MAX)), ..self }
    }
}

struct Chooser<'a> {
    plan: &'a Plan,
    root: &'a Utf8Path,
    backend: Option<Backend<'a>>,
    frontend: Option<Frontend<'a>>,
}

impl Chooser<'_> {
    fn choose(&self, scenario: Scenario) -> Result<Choice, NotApplicable> {
        let main = self.backend.as_ref().map(|backend| backend.service).or_else(|| self.plan.services.first());
        let main = main.ok_or(NotApplicable::NoService)?;
        let backend = || self.backend.as_ref().ok_or(NotApplicable::NoRustService);
        let frontend = || self.frontend.as_ref().ok_or(NotApplicable::NoNodeService);
        let mut service = main;
        let chosen = match scenario {
            Scenario::Cold | Scenario::NoOp | Scenario::FreshBuilder | Scenario::GcEdMount => {
                Chosen::new("nothing is edited", Change::None)
            }
            Scenario::Docs => self.docs(main)?,
            Scenario::SourceBin => backend()?.source_bin()?,
            Scenario::SourceLib => backend()?.source_lib()?,
            Scenario::Comment => backend()?.comment()?,
            Scenario::VersionBump => backend()?.version()?,
            Scenario::AddDependency => backend()?.add()?,
            Scenario::BumpLeaf => backend()?.bump(Wanted::Leaf)?,
            Scenario::BumpCore => backend()?.bump(Wanted::Core)?,
            Scenario::LockOnly => backend()?.bump(Wanted::Unreached)?,
            Scenario::FrontendSource | Scenario::FrontendDependency | Scenario::FrontendVersion => {
                let frontend = frontend()?;
                service = frontend.service;
                match scenario {
                    Scenario::FrontendSource => frontend.source()?,
                    Scenario::FrontendVersion => frontend.version()?,
                    _ => frontend.dependency()?,
                }
            }
            Scenario::BranchSwitchBack => self.branch()?,
        };
        let Chosen { what, change, max_rounds } = chosen;
        Ok(Choice { scenario, service: service.name.clone(), what, max_rounds, change })
    }

    /// A text that no source includes: beside the service, where it is in the build context, else at the root.
    fn docs(&self, service: &Service) -> Result<Chosen, NotApplicable> {
        let included = self.backend.as_ref().filter(|backend| backend.service.name == service.name);
        let included = included.map(Backend::included).unwrap_or_default();
        let folders = [service.path.as_path(), service.context.as_path(), Utf8Path::new(".")];
        let paths = folders.into_iter().flat_map(|folder| DOCS.iter().map(move |name| join(folder, Utf8Path::new(name))));
        let free = |path: &Utf8PathBuf| !included.iter().any(|included| path.starts_with(included));
        let path = paths.filter(free).find(|path| self.root.join(path).is_file()).ok_or(NotApplicable::NoDocs)?;
        Ok(Chosen::new(format!("{path}: one line"), Change::Text { path }))
    }

    fn branch(&self) -> Result<Chosen, NotApplicable> {
        let parts: Vec<Chosen> = match (&self.backend, &self.frontend) {
            (Some(backend), _) => [backend.source_lib().ok(), Some(backend.source_bin()?)].into_iter().flatten().collect(),
            (None, Some(frontend)) => vec![frontend.source()?],
            (None, None) => return Err(NotApplicable::NoService),
        };
        let what = parts.iter().map(|part| part.what.as_str()).collect::<Vec<_>>().join("; ");
        let changes = parts.into_iter().map(|part| part.change).collect();
        Ok(Chosen::new(format!("{what}; and back"), Change::Branch { changes }))
    }
}

/// A service that cargo builds.
struct Backend<'a> {
    service: &'a Service,
    rust: &'a RustService,
    workspace: &'a CargoWorkspace,
    package: &'a CargoPackage,
    /// Folder of the workspace, relative to the root.
    folder: Utf8PathBuf,
    root: &'a Utf8Path,
    recipe: Result<Recipe, String>,
    tools: &'a dyn LockTool,
}

impl<'a> Backend<'a> {
    fn new(project: &'a Project, service: &'a Service, root: &'a Utf8Path, tools: &'a dyn LockTool) -> Option<Self> {
        let ServiceKind::Rust(rust) = &service.kind else { return None };
        let folder = join(&service.context, &rust.workspace);
        let workspace = project.cargo.iter().find(|workspace| relative(&project.root, &workspace.directory) == folder)?;
        let selection = Selection {
            package: Some(rust.package.clone()),
            binaries: rust.binaries.clone(),
            features: rust.features.clone(),
            no_default_features: rust.no_default_features,
            profile: rust.profile.clone(),
            target: rust.target.clone(),
        };
        let host = match &service.platform {
            Some(platform) if platform.contains("arm64") => "aarch64-unknown-linux-gnu",
            _ => "x86_64-unknown-linux-gnu",
        };
        let recipe = prepare(workspace, &selection, host).map_err(|error| error.to_string());
        Some(Self { service, rust, workspace, package: workspace.package(&rust.package)?, folder, root, recipe, tools })
    }

    fn recipe(&self) -> Result<&Recipe, NotApplicable> {
        self.recipe.as_ref().map_err(|error| NotApplicable::Failed(error.clone()))
    }

    /// A path relative to the workspace, relative to the root.
    fn path(&self, below: impl AsRef<Utf8Path>) -> Utf8PathBuf {
        join(&self.folder, below.as_ref())
    }

    /// What sources include, relative to the root.
    fn included(&self) -> Vec<Utf8PathBuf> {
        included_paths(self.workspace, &self.package.name).iter().map(|path| self.path(path)).collect()
    }

    fn main(&self) -> Result<Utf8PathBuf, NotApplicable> {
        let wanted = self.rust.binaries.first();
        let binary = self.package.binaries.iter().find(|binary| wanted.is_none_or(|name| binary.name == *name));
        let binary = binary.ok_or_else(|| NotApplicable::Failed(format!("`{}` has no binary", self.package.name)))?;
        Ok(self.path(self.package.directory.join(&binary.path)))
    }

    fn source_bin(&self) -> Result<Chosen, NotApplicable> {
        let path = self.main()?;
        let text = read(self.root, &path).map_err(|error| NotApplicable::Failed(error.to_string()))?;
        let place = if rust_source::has_main(&text) { "one line in `fn main`" } else { "one item" };
        Ok(Chosen::new(format!("{path}: {place}"), Change::RustMain { path }))
    }

    fn comment(&self) -> Result<Chosen, NotApplicable> {
        let path = self.main()?;
        Ok(Chosen::new(format!("{path}: one comment"), Change::RustComment { path }))
    }

    /// The library that most members need, of those that the binary needs and that lie in the repository.
    fn source_lib(&self) -> Result<Chosen, NotApplicable> {
        let reached = self.workspace.closure(&self.package.name, false);
        let closures: Vec<Vec<&Utf8Path>> = self
            .workspace
            .members()
            .map(|member| self.workspace.closure(&member.name, false).iter().map(|found| found.directory.as_path()).collect())
            .collect();
        let users = |package: &CargoPackage| {
            let using = closures.iter().filter(|closure| closure.first() != Some(&package.directory.as_path()));
            using.filter(|closure| closure.contains(&package.directory.as_path())).count()
        };
        let libraries = reached.into_iter().filter_map(|package| {
            let library = package.library.as_ref()?;
            let path = self.path(package.directory.join(self.library_path(package)));
            (package.directory != self.package.directory && self.root.join(&path).is_file() && !path.starts_with(".."))
                .then_some((package, library, path))
        });
        let best = libraries.max_by(|(left, one, _), (right, other, _)| {
            let rank = |package: &CargoPackage, proc_macro: bool| (!proc_macro, users(package));
            rank(left, one.proc_macro).cmp(&rank(right, other.proc_macro)).then_with(|| right.name.cmp(&left.name))
        });
        let (package, library, path) = best.ok_or_else(|| NotApplicable::NoLibrary { package: self.package.name.clone() })?;
        let users = users(package);
        let depend = if users == 1 { "depends" } else { "depend" };
        let what = format!("{path}: one item; {} {depend} on `{}`", count(users, "local package"), package.name);
        Ok(Chosen::new(what, Change::RustLibrary { path, proc_macro: library.proc_macro }))
    }

    /// `path` of `[lib]`, relative to the package.
    fn library_path(&self, package: &CargoPackage) -> Utf8PathBuf {
        let manifest = self.path(package.manifest());
        let text = read(self.root, &manifest).unwrap_or_default();
        let document = cargo_files::parse(&manifest, &text).ok();
        let path = document.and_then(|document| Some(document.get("lib")?.get("path")?.as_str()?.to_owned()));
        path.map_or_else(|| "src/lib.rs".into(), Utf8PathBuf::from)
    }

    /// The manifest that holds the version of the binary's package, and all packages that have it from there.
    fn version(&self) -> Result<Chosen, NotApplicable> {
        let failed = |error: super::ChangeError| NotApplicable::Failed(error.to_string());
        let inherits = |package: &CargoPackage| {
            let path = self.path(package.manifest());
            let text = read(self.root, &path).map_err(failed)?;
            cargo_files::inherits_version(&path, &text).map_err(failed)
        };
        let own = self.path(self.package.manifest());
        let inherited = inherits(self.package)?.ok_or_else(|| NotApplicable::NoVersion { manifest: own.clone() })?;
        let mut packages = vec![self.package];
        if inherited {
            for member in self.workspace.members().filter(|member| member.name != self.package.name) {
                if inherits(member)? == Some(true) {
                    packages.push(member);
                }
            }
        }
        let from = Version::parse(&self.package.version).map_err(|error| NotApplicable::Failed(error.to_string()))?;
        let names: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
        self.allows_versions(&names, &from)?;
        let manifest = if inherited { self.path("Cargo.toml") } else { own };
        let what = format!("{manifest} and Cargo.lock: the version of {}", count(names.len(), "package"));
        let lock = self.lock()?;
        Ok(Chosen::new(what, Change::CargoVersion { manifest, inherited, lock, packages: names, from: from.to_string() }))
    }

    /// Requirements between local packages (`version = "=0.4.2"` beside `path`) must still hold.
    fn allows_versions(&self, packages: &[String], from: &Version) -> Result<(), NotApplicable> {
        let next = Version::new(from.major, from.minor, from.patch + 1);
        for package in &self.workspace.packages {
            for dependency in &package.dependencies {
                let local = matches!(dependency.source, DependencySource::Path(_)) && packages.contains(&dependency.package);
                let Some(requirement) = dependency.requirement.as_deref().filter(|_| local) else { continue };
                if VersionReq::parse(requirement).is_ok_and(|parsed| !parsed.matches(&next)) {
                    return Err(NotApplicable::NoPackage(format!(
                        "{}:{} asks for `{}` {requirement}",
                        self.path(package.manifest()),
                        dependency.line,
                        dependency.package
                    )));
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<Utf8PathBuf, NotApplicable> {
        let path = self.path("Cargo.lock");
        if self.workspace.lock.is_some() { Ok(path) } else { Err(NotApplicable::NoLock { path }) }
    }

    fn add(&self) -> Result<Chosen, NotApplicable> {
        let lock = self.lock()?;
        let locked = self.workspace.lock.as_ref().ok_or_else(|| NotApplicable::NoLock { path: lock.clone() })?;
        // Older formats keep checksums elsewhere.
        if locked.version < 3 {
            return Err(NotApplicable::OldLock { path: lock, version: locked.version });
        }
        if let [folder, ..] = vendored_folders(self.recipe()?).as_slice() {
            return Err(NotApplicable::NoPackage(format!("external crates are vendored in `{folder}`")));
        }
        let taken = |name: &str| {
            let asked = self.package.dependencies.iter().any(|dependency| dependency.alias == name);
            asked || locked.packages.iter().any(|package| package.name == name)
        };
        let new = cargo_files::NEW_CRATES.iter().map(|new| new.name.to_owned()).filter(|name| !taken(name));
        let crates: Vec<String> = new.collect();
        let Some(first) = crates.first() else {
            return Err(NotApplicable::NoPackage("the lock has every small crate that the bench knows".to_owned()));
        };
        let manifest = self.path(self.package.manifest());
        let rounds = crates.len();
        let what = format!("{manifest} and Cargo.lock: a new crate (`{first}`)");
        Ok(Chosen::new(what, Change::CargoAdd { manifest, lock, package: self.package.name.clone(), crates }).rounds(rounds))
    }

    fn bump(&self, wanted: Wanted) -> Result<Chosen, NotApplicable> {
        let path = self.lock()?;
        let lock = self.workspace.lock.as_ref().ok_or_else(|| NotApplicable::NoLock { path: path.clone() })?;
        let toolchain = Version::parse(&self.rust.toolchain).ok();
        let trials = Trials {
            root: self.root,
            folder: &self.folder,
            workspace: self.workspace,
            recipe: self.recipe()?,
            toolchain,
            tools: self.tools,
        };
        let Movable { name, versions, with } = trials.find(lock, wanted)?;
        let (from, to) = (&versions[0], versions.get(1).map_or("", String::as_str));
        let others = if with.is_empty() {
            String::new()
        } else {
            format!(", and with it {}", with.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        };
        let what = format!("{path}: `{name}` {from} to {to}{others}");
        let rounds = versions.len() - 1;
        Ok(Chosen::new(what, Change::CargoMove { workspace: self.folder.clone(), package: name, versions }).rounds(rounds))
    }
}
