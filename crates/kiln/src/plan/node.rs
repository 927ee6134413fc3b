//! Decides what is built for each Node package: manager, script, bundle or server, images, port and user.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::{LateScript, NativePackages, NodeService, PackageManager, Question, QuestionKind, Serve};
use crate::project::node::{Bundle, Bundler, InstallScript, NodePackage, NodeVersion, NodeWorkspace, Output};
use crate::recipe::npm::cleaned_configuration;
use crate::settings::{service_head, string};

/// What was decided for one buildable package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeDecision {
    /// Suggested service name: the folder's, else the package's. Not yet unique within the project.
    pub name: String,
    /// Folder of the package, relative to the project root.
    pub path: Utf8PathBuf,
    /// Build context, relative to the project root: the folder of the workspace root. `service.workspace` and `service.package`
    /// are relative to it.
    pub context: Utf8PathBuf,
    /// The Node part of the service.
    pub service: NodeService,
    /// Base of the stages that install and bundle.
    pub build_image: String,
    /// Base of the production runtime.
    pub runtime_image: String,
    /// Port on which the image listens.
    pub port: u16,
    /// `uid:gid` of the production image.
    pub user: String,
    /// Debian packages for native addons.
    pub native_packages: NativePackages,
    /// Environment of the runtime stage.
    pub environment: BTreeMap<String, String>,
    /// Setting key (as in `kiln.toml`) to the file it was read off, relative to the project root. What is not here is a default.
    pub sources: Vec<(String, Utf8PathBuf)>,
}

/// What a person wrote in `kiln.toml` about one package; it wins over what is detected and answers questions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeChoice {
    /// Package manager.
    pub manager: Option<PackageManager>,
    /// Node version.
    pub node_version: Option<String>,
    /// Build script.
    pub build_script: Option<String>,
    /// Development script.
    pub dev_script: Option<String>,
    /// Folder of a static bundle, relative to the package.
    pub output: Option<Utf8PathBuf>,
    /// Command of a server, in exec form.
    pub command: Option<Vec<String>>,
}

/// Decisions and open questions of one workspace.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct NodePlan {
    /// One for each buildable package without an open question, ordered by path.
    pub decisions: Vec<NodeDecision>,
    /// What could not be decided.
    pub questions: Vec<Question>,
}

/// Decides for every buildable package of a workspace. `project_root` is the absolute folder against which all paths of the
/// result are relative; `choices` are keyed by the package's folder relative to it (`.` for the root itself).
#[must_use]
pub fn plan_node(project_root: &Utf8Path, workspace: &NodeWorkspace, choices: &BTreeMap<Utf8PathBuf, NodeChoice>) -> NodePlan {
    let context = relative(project_root, &workspace.directory);
    let no_choice = NodeChoice::default();
    let mut plan = NodePlan::default();
    for package in &workspace.packages {
        let path = join(&context, &package.directory);
        let chosen = choices.get(&path);
        let choice = chosen.unwrap_or(&no_choice);
        // A package that kiln would pass over is built where a person says what of it is to be served.
        let asked_for = choice.output.is_some() || choice.command.is_some();
        if !package.buildable() && !asked_for {
            continue;
        }
        match decide(&context, workspace, package, &path, choice) {
            Ok(decision) => plan.decisions.push(decision),
            Err(question) if !plan.questions.contains(&question) => plan.questions.push(*question),
            Err(_) => {}
        }
    }
    plan
}

fn decide(
    context: &Utf8Path,
    workspace: &NodeWorkspace,
    package: &NodePackage,
    path: &Utf8Path,
    choice: &NodeChoice,
) -> Result<NodeDecision, Box<Question>> {
    let mut sources = Sources { context, path, found: Vec::new() };
    let (manager, lockfile) = manager(context, workspace, choice, &mut sources)?;
    let node_version = match (&choice.node_version, &workspace.node_version) {
        (Some(chosen), _) => chosen.clone(),
        (None, Some(asked)) => {
            sources.workspace("node-version", &asked.path);
            asked.tag.clone()
        }
        (None, None) => NodeVersion::DEFAULT_TAG.to_owned(),
    };
    let manifest = &package.manifest;
    let bundle = package.bundle.as_ref();
    let build_script = choice.build_script.clone().or_else(|| bundle.and_then(|bundle| bundle.script.clone()));
    let build_script = build_script.or_else(|| manifest.scripts.contains_key("build").then(|| "build".to_owned()));
    if build_script.is_some() && choice.build_script.is_none() {
        sources.package("build-script", "package.json");
    }
    let dev_names = ["dev", "start:dev", "develop", "watch", "serve", "start"];
    let dev_script = dev_names.into_iter().find(|name| manifest.scripts.contains_key(*name)).map(str::to_owned);
    let dev_script = choice.dev_script.clone().or(dev_script);
    let mut port = 8080;
    let serve = serve(package, choice, &mut port, &mut sources).ok_or_else(|| {
        let name = service_name(path, package);
        Box::new(Question {
            service: Some(name.clone()),
            path: path_of(path, "package.json"),
            line: Some(manifest.line_of(&["scripts"])),
            kind: QuestionKind::WhatToServe { bundler: bundle.map(|bundle| bundle.bundler.name().to_owned()) },
            setting: Some(format!("{}\npath = {}\nserve = \"dist\"", service_head(&name), string(path.as_str()))),
        })
    })?;
    let is_static = matches!(serve, Serve::Static { .. });
    let mut native_packages = NativePackages::default();
    for addon in &workspace.native_addons {
        native_packages.build.extend(addon.build.iter().cloned());
        if !is_static {
            native_packages.runtime.extend(addon.runtime.iter().cloned());
        }
        native_packages.wanted_by.insert(addon.package.clone(), addon.build.clone());
    }
    for list in [&mut native_packages.build, &mut native_packages.runtime] {
        list.sort();
        list.dedup();
    }
    let node_image = format!("node:{node_version}-bookworm-slim");
    let service = NodeService {
        workspace: ".".into(),
        package: package.directory.clone(),
        package_name: manifest.name.clone(),
        manager,
        manager_version: workspace
            .pinned_manager
            .as_ref()
            .filter(|pin| pin.manager == manager)
            .and_then(|pin| pin.version.clone()),
        lockfile,
        node_version,
        cleaned: cleaned_configuration(workspace),
        local_builds: local_builds(workspace, package),
        late_scripts: late_scripts(workspace, package, build_script.as_deref()),
        emits_typescript: package.typescript.as_ref().is_some_and(|typescript| typescript.emits),
        runs_install_scripts: workspace
            .packages
            .iter()
            .flat_map(|package| &package.install_scripts)
            .any(|script| matches!(script, InstallScript::Files { .. })),
        build_script,
        dev_script,
        bundler: bundle.map(|bundle| bundle.bundler.name().to_owned()),
        tool_caches: tool_caches(workspace, package),
        serve,
        proxy: BTreeMap::new(),
        install: None,
        after_build: bundle.map(after_build).unwrap_or_default(),
    };
    Ok(NodeDecision {
        name: service_name(path, package),
        path: path.to_owned(),
        context: context.to_owned(),
        build_image: node_image.clone(),
        runtime_image: if is_static { STATIC_IMAGE.to_owned() } else { node_image },
        port,
        user: if is_static { "101:101" } else { "1000:1000" }.to_owned(),
        native_packages,
        environment: if is_static { BTreeMap::new() } else { server_environment(bundle, port) },
        sources: sources.found,
        service,
    })
}

/// Serves static files as a user without rights, on port 8080.
const STATIC_IMAGE: &str = "nginxinc/nginx-unprivileged:stable-bookworm";

struct Sources<'a> {
    context: &'a Utf8Path,
    path: &'a Utf8Path,
    found: Vec<(String, Utf8PathBuf)>,
}

impl Sources<'_> {
    fn workspace(&mut self, key: &str, file: &Utf8Path) {
        self.found.push((key.to_owned(), path_of(self.context, file.as_str())));
    }

    fn package(&mut self, key: &str, file: &str) {
        self.found.push((key.to_owned(), path_of(self.path, file)));
    }
}

/// The package manager and its lockfile, or what stands in the way.
fn manager(
    context: &Utf8Path,
    workspace: &NodeWorkspace,
    choice: &NodeChoice,
    sources: &mut Sources<'_>,
) -> Result<(PackageManager, String), Box<Question>> {
    let question =
        |file: &str, line, kind| Box::new(Question { service: None, path: path_of(context, file), line, kind, setting: None });
    let Some(manager) = choice.manager.or_else(|| workspace.manager()) else {
        let lockfiles = workspace.lockfiles.iter().map(|lock| lock.name.to_string()).collect();
        return Err(question("package.json", None, QuestionKind::WhichPackageManager { lockfiles }));
    };
    let Some(lock) = workspace.lockfiles.iter().find(|lock| lock.manager == manager) else {
        let (expected, command) = (manager.lockfile().to_owned(), manager.relock_command().to_owned());
        return Err(question("package.json", None, QuestionKind::MissingLock { expected, command }));
    };
    if let Some(found) = workspace.disagreement.as_ref().filter(|_| workspace.manager() == Some(manager)) {
        let kind = QuestionKind::StaleLock { dependency: found.dependency.clone(), command: manager.relock_command().to_owned() };
        return Err(question(found.path.as_str(), Some(found.line), kind));
    }
    if choice.manager.is_none() {
        let pinned = workspace.pinned_manager.is_some() && workspace.lockfiles.len() > 1;
        sources.workspace("manager", if pinned { Utf8Path::new("package.json") } else { &lock.name });
    }
    Ok((manager, lock.name.to_string()))
}

/// What a person chose, else the framework's server, else the manifest's server, else the bundle.
fn serve(package: &NodePackage, choice: &NodeChoice, port: &mut u16, sources: &mut Sources<'_>) -> Option<Serve> {
    if let Some(directory) = &choice.output {
        return Some(Serve::Static { directory: directory.clone() });
    }
    let server = package.server.as_ref();
    let server_port = server.and_then(|server| server.port);
    if let Some(command) = &choice.command {
        *port = server_port.unwrap_or(3000);
        return Some(Serve::Server { command: command.clone(), output: Vec::new() });
    }
    let start = || server.map(|server| server.command.clone());
    match (package.bundle.as_ref().map(|bundle| &bundle.output), server) {
        (Some(Output::Server { command, output, source, port: default }), _) => {
            *port = server_port.unwrap_or(*default);
            sources.package("serve", source.as_deref().map_or("package.json", Utf8Path::as_str));
            let (command, output) = if command.is_empty() { (start()?, Vec::new()) } else { (command.clone(), output.clone()) };
            Some(Serve::Server { command, output })
        }
        (_, Some(_)) => {
            *port = server_port.unwrap_or(3000);
            if server_port.is_some() {
                sources.package("port", "package.json");
            }
            sources.package("serve", "package.json");
            Some(Serve::Server { command: start()?, output: Vec::new() })
        }
        (Some(Output::Static { directory, source }), None) => {
            if let Some(source) = source {
                sources.package("serve", source.as_str());
            }
            Some(Serve::Static { directory: directory.clone() })
        }
        (Some(Output::Unknown) | None, None) => None,
    }
}

fn server_environment(bundle: Option<&Bundle>, port: u16) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([("NODE_ENV", "production".to_owned()), ("PORT", port.to_string())]);
    match bundle.map(|bundle| bundle.bundler) {
        Some(Bundler::Next) => {
            environment.insert("HOSTNAME", "0.0.0.0".to_owned());
        }
        Some(Bundler::Nuxt | Bundler::Astro | Bundler::Sveltekit) => {
            environment.insert("HOST", "0.0.0.0".to_owned());
        }
        _ => {}
    }
    environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Folders in which tools keep what makes the next build faster, relative to the package.
fn tool_caches(workspace: &NodeWorkspace, package: &NodePackage) -> Vec<String> {
    let mut caches = vec!["node_modules/.cache"];
    match package.bundle.as_ref().map(|bundle| bundle.bundler) {
        Some(Bundler::Next) => caches.push(".next/cache"),
        Some(Bundler::Vite | Bundler::Sveltekit | Bundler::Remix) => caches.push("node_modules/.vite"),
        Some(Bundler::Astro) => caches.extend(["node_modules/.astro", "node_modules/.vite"]),
        Some(Bundler::Nuxt) => caches.extend(["node_modules/.vite", ".nuxt/cache"]),
        Some(Bundler::Angular) => caches.push(".angular/cache"),
        Some(Bundler::Parcel) => caches.push(".parcel-cache"),
        Some(Bundler::Gatsby) => caches.push(".cache"),
        Some(Bundler::Docusaurus) => caches.push(".docusaurus"),
        Some(Bundler::Rollup) => caches.push(".rollup.cache"),
        _ => {}
    }
    if let Some(typescript) = package.typescript.as_ref().filter(|typescript| !typescript.emits) {
        caches.extend(
            typescript
                .build_info
                .iter()
                .map(|folder| folder.as_str())
                .filter(|folder| !caches.contains(folder))
                .collect::<Vec<_>>(),
        );
    }
    let turbo = workspace.root().is_some_and(|root| root.manifest.depends_on("turbo")) || package.manifest.depends_on("turbo");
    if turbo {
        caches.push(".turbo");
    }
    caches.into_iter().map(str::to_owned).collect()
}

/// Whether a command is nothing but `npm run <script>`.
fn calls(command: &str, script: &str) -> bool {
    let words = command.split_whitespace().filter(|word| *word != "run").collect::<Vec<_>>();
    matches!(words.as_slice(), ["npm" | "pnpm" | "yarn" | "bun", called] if *called == script)
}

/// Install scripts of all packages, as the install would run them; but not a `prepare` that is the build itself.
fn late_scripts(workspace: &NodeWorkspace, built: &NodePackage, build_script: Option<&str>) -> Vec<LateScript> {
    let is_build = |package: &NodePackage, command: &str| {
        package.directory == built.directory && build_script.is_some_and(|script| calls(command, script))
    };
    let local_builds = local_builds(workspace, built);
    let is_local_build = |package: &NodePackage, command: &str| {
        local_builds.iter().any(|build| build.directory == package.directory && calls(command, &build.script))
    };
    let mut late = Vec::new();
    for package in &workspace.packages {
        for script in &package.install_scripts {
            match script {
                InstallScript::NeedsSources { name, command, .. }
                    if !is_build(package, command) && !is_local_build(package, command) =>
                {
                    late.push(LateScript { directory: package.directory.clone(), script: name.clone() });
                }
                _ => {}
            }
        }
    }
    late
}

/// Programs that build what a package depends on by themselves.
const TASK_RUNNERS: [&str; 6] = ["turbo", "nx", "lerna", "wireit", "lage", "moon"];

/// The builds of the local packages that `built` depends on, dependencies first.
fn local_builds(workspace: &NodeWorkspace, built: &NodePackage) -> Vec<LateScript> {
    let by_name: BTreeMap<&str, &NodePackage> =
        workspace.packages.iter().filter_map(|package| Some((package.manifest.name.as_deref()?, package))).collect();
    let own = built.manifest.scripts.get("build").map(String::as_str).unwrap_or_default();
    if own.split_whitespace().any(|word| TASK_RUNNERS.contains(&word)) {
        return Vec::new();
    }
    let mut order = Vec::new();
    let mut seen = BTreeSet::from([built.directory.as_path()]);
    dependencies_first(&by_name, built, &mut seen, &mut order);
    order
        .into_iter()
        .filter_map(|package| {
            let script = package.bundle.as_ref().and_then(|bundle| bundle.script.as_deref());
            let script = script.or_else(|| package.manifest.scripts.contains_key("build").then_some("build"))?;
            Some(LateScript { directory: package.directory.clone(), script: script.to_owned() })
        })
        .collect()
}

fn dependencies_first<'a>(
    by_name: &BTreeMap<&str, &'a NodePackage>,
    package: &'a NodePackage,
    seen: &mut BTreeSet<&'a Utf8Path>,
    order: &mut Vec<&'a NodePackage>,
) {
    for dependency in &package.manifest.dependencies {
        // A range that the local version does not fit names the registry's package: to build the local one too costs only time.
        if let Some(local) = by_name.get(dependency.name.as_str())
            && seen.insert(&local.directory)
        {
            dependencies_first(by_name, local, seen, order);
            order.push(local);
        }
    }
}

/// What a framework leaves for its user to do: Next does not put the files that its standalone server serves beside it.
fn after_build(bundle: &Bundle) -> Vec<String> {
    match (bundle.bundler, &bundle.output) {
        (Bundler::Next, Output::Server { output, .. }) if !output.is_empty() => vec![
            "cp -R .next/static .next/standalone/.next/static".to_owned(),
            "if [ -d public ]; then cp -R public .next/standalone/public; fi".to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// The folder's name; for the repository's root the package's.
fn service_name(path: &Utf8Path, package: &NodePackage) -> String {
    let name = package.manifest.name.as_deref().map(|name| name.rsplit('/').next().unwrap_or(name));
    let name = path.file_name().filter(|_| path != ".").or(name).unwrap_or("web");
    let fit = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect::<String>();
    let fit = fit.trim_matches('-');
    if fit.is_empty() { "web".to_owned() } else { fit.to_owned() }
}

fn relative(root: &Utf8Path, directory: &Utf8Path) -> Utf8PathBuf {
    match directory.strip_prefix(root) {
        Ok(path) if path != "" => path.to_owned(),
        _ => ".".into(),
    }
}

fn join(context: &Utf8Path, folder: &Utf8Path) -> Utf8PathBuf {
    match (context.as_str(), folder.as_str()) {
        (_, ".") => context.to_owned(),
        (".", _) => folder.to_owned(),
        _ => context.join(folder),
    }
}

fn path_of(folder: &Utf8Path, file: &str) -> Utf8PathBuf {
    if folder == "." { file.into() } else { folder.join(file) }
}

#[cfg(test)]
#[path = "node_tests.rs"]
mod tests;
