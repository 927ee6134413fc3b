//! The stages of a Node image: manifests, deps, builder, runtime (a web server or a Node process); for development the sources
//! with the bundler's own server.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::namespace::mark;
use super::network::Network;
use super::nginx;
use super::node_manager;
use super::rust::{finish, inside, tool_mount, tool_stage, volumes};
use super::{Command, Copy, Dockerfile, Instruction, Mount, Run, Sharing, Stage, Word, apt};
use crate::plan::{
    APP, ImageEngine, LateScript, NodeInstall, NodeService, PackageManager, Plan, Serve, Service, Variant, join, mounts,
};
use crate::recipe::npm::BIN_STUB;

/// Where the mount of unpacked packages is.
const KEPT: &str = "/kiln/node_modules";

/// The Dockerfile of a variant.
pub(super) fn dockerfile(plan: &Plan, service: &Service, node: &NodeService, variant: Variant) -> Dockerfile {
    let stages = Stages { plan, service, node, variant, network: Network::of(service) };
    let title = match variant {
        Variant::Prod => "Production image: the bundle or the server, without development dependencies.",
        Variant::Dev => "Development image: sources and all dependencies; runs the development script.",
        Variant::Fast => "Fast image: like production, built in development mode.",
    };
    let with_kiln = plan.engine == ImageEngine::Kiln;
    let mut list = vec![stages.base(), stages.deps()];
    if with_kiln {
        list.insert(0, tool_stage());
        list.insert(2, stages.manifests());
    } else if stages.has_members() {
        list.insert(1, stages.plain_manifests());
    }
    match (variant, &node.serve) {
        (Variant::Dev, _) => list.push(stages.dev()),
        (_, Serve::Static { directory }) => list.extend([stages.builder(), stages.web(&inside(&stages.package(), directory))]),
        (_, Serve::Server { command, output }) => {
            if node.build_script.is_some() {
                list.push(stages.builder());
            }
            list.extend(stages.server(command, output));
        }
    }
    Dockerfile {
        comments: vec![
            title.to_owned(),
            "A step runs again when its text, the step before it or the files it reads change. So dependencies are installed"
                .to_owned(),
            "before any source is there, and what changes most comes last.".to_owned(),
        ],
        args: if with_kiln { vec![("KILN_IMAGE".to_owned(), plan.tool_image.clone())] } else { Vec::new() },
        stages: list,
    }
}

/// The stages of `COPY . .` and an install of everything after each edit. `plan` is one for the engine `chef`.
pub(super) fn naive(plan: &Plan, service: &Service, node: &NodeService, namespace: &str) -> Vec<Stage> {
    let stages = Stages { plan, service, node, variant: Variant::Prod, network: Network::of(service) };
    let mut builder = stages.base();
    "builder".clone_into(&mut builder.name);
    mark(&mut builder, namespace);
    stages.copy_sources(&mut builder);
    let mut lines = stages.network.lines();
    lines.extend(node_manager::install(node.manager, false));
    builder.push(Instruction::Run(Run { mounts: stages.network.mounts(), command: Command::Shell(apt::joined(lines)) }));
    stages.variables(&mut builder);
    stages.run_scripts(&mut builder, &node.local_builds);
    stages.run_build(&mut builder, Vec::new());
    let mut list = vec![builder];
    match &node.serve {
        Serve::Static { directory } => list.push(stages.web(&inside(&stages.package(), directory))),
        Serve::Server { command, .. } => {
            let mut runtime = Stage::new(&service.base_images.runtime, "runtime", []);
            runtime.push(Instruction::Workdir(stages.package()));
            runtime.push(Instruction::Copy(Copy {
                from: Some("builder".to_owned()),
                sources: vec![APP.into()],
                destination: APP.to_owned(),
                ..Copy::default()
            }));
            finish(&mut runtime, service, 5);
            runtime.push(Instruction::Cmd(command.clone()));
            list.push(runtime);
        }
    }
    for stage in list.iter_mut().skip(1) {
        mark(stage, namespace);
    }
    list
}

/// The stages of Docker's guide for Node: manifests first, downloads in a mount, no mounts for tools. `plan` is one for the engine `chef`.
pub(super) fn guide(plan: &Plan, service: &Service, node: &NodeService, namespace: &str) -> Vec<Stage> {
    let node = NodeService { tool_caches: Vec::new(), ..node.clone() };
    super::in_namespace(dockerfile(plan, service, &node, Variant::Prod), namespace).stages
}

struct Stages<'a> {
    plan: &'a Plan,
    service: &'a Service,
    node: &'a NodeService,
    variant: Variant,
    network: Network,
}

impl Stages<'_> {
    fn base(&self) -> Stage {
        let mut stage = Stage::new(
            &self.service.base_images.build,
            "base",
            ["base: Node, the package manager, and system packages for native addons."],
        );
        let packages = &self.service.native_packages.build;
        stage.instructions.extend(apt::install(
            self.plan,
            &self.network,
            &self.service.base_images.build,
            "build",
            packages,
            &[],
        ));
        if let Some(line) = self.node.manager_setup() {
            let lines = self.network.certificate_lines().into_iter().chain([line]).collect();
            let mounts = self.network.certificate_mounts();
            stage.push(Instruction::Run(Run { mounts, command: Command::Shell(apt::joined(lines)) }));
        }
        let environment = self.node.manager.environment();
        if !environment.is_empty() {
            stage.push(Instruction::Env(
                environment.iter().map(|(name, value)| ((*name).to_owned(), Word::from(*value))).collect(),
            ));
        }
        stage.push(Instruction::Workdir(self.workspace()));
        stage
    }

    fn manifests(&self) -> Stage {
        let mut stage = Stage::new(
            "base",
            "manifests",
            [
                "manifests: the part of package.json and the lock that decides what is installed.",
                "Runs after every edit, in milliseconds; a new version or script leaves the next stage cached.",
            ],
        );
        let source = Mount::Bind { from: None, source: ".".to_owned(), target: "/src".to_owned(), writable: false };
        let line = format!("kiln recipe npm {} --output /manifests", super::shell_word(&inside("/src", &self.node.workspace)));
        stage.push(Instruction::Run(Run { mounts: vec![source, tool_mount()], command: Command::Shell(vec![line]) }));
        stage
    }

    /// Every `package.json`, found when the image is built: so that a new member needs no edit of the Dockerfile.
    fn plain_manifests(&self) -> Stage {
        let mut stage = Stage::new(
            "base",
            "manifests",
            ["manifests: every package.json. Runs after every edit, in milliseconds; equal ones leave the next stage cached."],
        );
        let source = Mount::Bind { from: None, source: ".".to_owned(), target: "/src".to_owned(), writable: false };
        let lines = vec![
            "mkdir /manifests".to_owned(),
            format!("cd {}", super::shell_word(&inside("/src", &self.node.workspace))),
            "find . -name node_modules -prune -o -name package.json -exec cp --parents '{}' /manifests/ ';'".to_owned(),
        ];
        stage.push(Instruction::Run(Run { mounts: vec![source], command: Command::Shell(apt::joined(lines)) }));
        stage
    }

    /// Whether the install reads the manifests of more than one package.
    fn has_members(&self) -> bool {
        let manifests = self.node.install.iter().flat_map(|install| &install.files).filter(|path| is_manifest(path));
        manifests.count() > 1
    }

    fn deps(&self) -> Stage {
        let mut stage = Stage::new(
            "base",
            "deps",
            ["deps: node_modules. Runs again when the manifests change; downloads come from the cache mount."],
        );
        if self.keeps_packages() {
            stage.comments.push(
                "Unpacked packages are kept in another one, as they were before any script ran: only new ones are unpacked."
                    .to_owned(),
            );
        }
        self.install(&mut stage, false);
        stage
    }

    /// Whether the install finds in a mount what it unpacked before. The other package managers have stores of their own.
    fn keeps_packages(&self) -> bool {
        self.plan.engine == ImageEngine::Kiln && self.node.manager == PackageManager::Npm
    }

    fn install(&self, stage: &mut Stage, production: bool) {
        match &self.node.install {
            Some(install) => self.copy_manifests(stage, install),
            None => stage.push(Instruction::Copy(Copy {
                from: Some("manifests".to_owned()),
                sources: vec!["/manifests/".into()],
                destination: "./".to_owned(),
                ..Copy::default()
            })),
        }
        for (path, text) in self.node.cleaned.iter().filter(|(_, text)| !text.is_empty()) {
            stage.push(Instruction::Comment(format!("{path} as it is, but for the secret that is written in it.")));
            stage.push(Instruction::File { destination: format!("./{path}"), text: text.clone() });
        }
        let mut mounts = vec![Mount::Cache {
            id: mounts::node_packages(self.plan, self.node),
            target: self.node.manager.cache_directory().to_owned(),
            sharing: Sharing::Locked,
        }];
        // Without development dependencies it would be another tree, with a mount of its own, and few packages.
        let keeps = self.keeps_packages() && !production;
        if keeps {
            mounts.push(Mount::Cache {
                id: mounts::node_modules(self.plan, self.service, self.node),
                target: KEPT.to_owned(),
                sharing: Sharing::Locked,
            });
            mounts.push(tool_mount());
        }
        mounts.extend(self.network.mounts());
        let mut lines = self.network.lines();
        let late = self.node.install.as_ref().map_or(&[][..], |install| &install.without);
        lines.extend(node_manager::without_scripts(late));
        let install = node_manager::install(self.node.manager, production);
        let kept = |line: String| if keeps { format!("kiln recipe install --mount {KEPT} -- {line}") } else { line };
        lines.extend(install.into_iter().map(kept));
        stage.push(Instruction::Run(Run { mounts, command: Command::Shell(apt::joined(lines)) }));
    }

    /// Copies what the install reads, folder by folder.
    fn copy_manifests(&self, stage: &mut Stage, install: &NodeInstall) {
        let mut folders: BTreeMap<&Utf8Path, Vec<Utf8PathBuf>> = BTreeMap::new();
        let found = self.has_members();
        if found {
            stage.push(Instruction::Copy(Copy {
                from: Some("manifests".to_owned()),
                sources: vec!["/manifests/".into()],
                destination: "./".to_owned(),
                ..Copy::default()
            }));
        }
        let by_name = |path: &Utf8PathBuf| !(self.node.cleaned.contains_key(path) || found && is_manifest(path));
        for path in install.files.iter().filter(|path| by_name(path)) {
            folders.entry(path.parent().unwrap_or(Utf8Path::new(""))).or_default().push(join(&self.node.workspace, path));
        }
        for (folder, sources) in folders {
            let destination = if folder == "" { "./".to_owned() } else { format!("./{folder}/") };
            stage.push(Instruction::Copy(Copy { sources, destination, ..Copy::default() }));
        }
        for path in &install.stubs {
            let text = BIN_STUB.to_owned();
            stage.push(Instruction::File { destination: format!("./{path}"), text });
        }
    }

    fn builder(&self) -> Stage {
        let mut stage = Stage::new(
            "deps",
            "builder",
            ["builder: the sources, bundled. Runs after every edit; the tools' own caches are mounted."],
        );
        self.copy_sources(&mut stage);
        self.variables(&mut stage);
        self.run_scripts(&mut stage, &self.node.late_scripts);
        self.run_scripts(&mut stage, &self.node.local_builds);
        let mounts = self.node.tool_caches.iter().map(|folder| Mount::Cache {
            id: mounts::node_tool(self.plan, self.service, self.variant, folder),
            target: format!("{}/{folder}", self.package()),
            sharing: Sharing::Locked,
        });
        self.run_build(&mut stage, mounts.collect());
        stage
    }

    /// What the build script may read, declared after the install.
    fn variables(&self, stage: &mut Stage) {
        let mode = if self.variant == Variant::Prod { "production" } else { "development" };
        for (name, default) in &self.service.build_args {
            stage.push(Instruction::Arg(name.clone(), default.clone()));
        }
        stage.push(Instruction::Env(vec![("NODE_ENV".to_owned(), Word::from(mode))]));
    }

    fn run_build(&self, stage: &mut Stage, mounts: Vec<Mount>) {
        if let Some(script) = &self.node.build_script {
            stage.push(Instruction::Workdir(self.package()));
            let mut lines = Vec::new();
            // What no mount keeps has no build info of an earlier build.
            if self.node.emits_typescript && !mounts.is_empty() {
                lines.extend(node_manager::without_build_info(&self.node.tool_caches));
            }
            lines.push(self.node.run_command(script));
            lines.extend(self.node.after_build.iter().cloned());
            stage.push(Instruction::Run(Run { mounts, command: Command::Shell(apt::joined(lines)) }));
        }
    }

    /// Install scripts that had to wait for the sources, or the builds of local packages.
    fn run_scripts(&self, stage: &mut Stage, scripts: &[LateScript]) {
        for script in scripts {
            stage.push(Instruction::Workdir(inside(APP, &script.directory)));
            let command = Command::Shell(vec![self.node.run_command(&script.script)]);
            stage.push(Instruction::Run(Run { mounts: Vec::new(), command }));
        }
    }

    fn copy_sources(&self, stage: &mut Stage) {
        stage.push(Instruction::Copy(Copy { sources: vec![".".into()], destination: APP.to_owned(), ..Copy::default() }));
    }

    /// A web server with the bundle.
    fn web(&self, bundle: &str) -> Stage {
        let service = self.service;
        let mut stage = Stage::new(
            &service.base_images.runtime,
            "runtime",
            ["runtime: what is shipped, a web server with the bundle. Only the last COPY runs after an edit."],
        );
        let port = service.port.unwrap_or(nginx::DEFAULT_PORT);
        let text = nginx::configuration(port, &self.node.proxy);
        stage.push(Instruction::File { destination: "/etc/nginx/conf.d/default.conf".to_owned(), text });
        stage.push(Instruction::User(service.user.clone()));
        stage.push(Instruction::Copy(Copy {
            from: Some("builder".to_owned()),
            sources: vec![format!("{bundle}/").into()],
            destination: "/usr/share/nginx/html/".to_owned(),
            ..Copy::default()
        }));
        finish(&mut stage, service, 2);
        stage
    }

    /// A Node process with production dependencies only.
    fn server(&self, command: &[String], output: &[Utf8PathBuf]) -> Vec<Stage> {
        let service = self.service;
        let mut stages = Vec::new();
        let mut runtime = Stage::new(
            &service.base_images.runtime,
            "runtime",
            ["runtime: what is shipped, Node with the server and its production dependencies."],
        );
        runtime.instructions.extend(apt::install(
            self.plan,
            &self.network,
            &service.base_images.runtime,
            "runtime",
            &service.native_packages.runtime,
            &[],
        ));
        runtime.push(Instruction::User(service.user.clone()));
        volumes(&mut runtime, service);
        runtime.push(Instruction::Workdir(self.package()));
        let from = |stage: &str, path: &str| {
            Instruction::Copy(Copy {
                from: Some(stage.to_owned()),
                sources: vec![path.into()],
                destination: path.to_owned(),
                ..Copy::default()
            })
        };
        let alone = self.node.package == self.node.workspace;
        if alone && (!output.is_empty() || self.node.build_script.is_none()) {
            stages.push(self.production());
            runtime.push(from("production", &self.workspace()));
            if self.node.build_script.is_none() {
                self.copy_sources(&mut runtime);
            } else {
                runtime.push(from("builder", &format!("{}/package.json", self.package())));
                for folder in output {
                    runtime.push(from("builder", &inside(&self.package(), folder)));
                }
            }
        } else {
            // Packages of a workspace link to each other, and each may have been built: take it as a whole.
            let mut stage = Stage::new(
                "builder",
                "production",
                ["production: the workspace as it was built, without development dependencies where the manager can prune them."],
            );
            if let Some(line) = node_manager::prune(self.node.manager) {
                stage.push(Instruction::Workdir(self.workspace()));
                stage.push(Instruction::Run(Run { mounts: Vec::new(), command: Command::Shell(vec![line]) }));
            }
            stages.push(stage);
            runtime.push(from("production", APP));
        }
        finish(&mut runtime, service, 5);
        runtime.push(Instruction::Cmd(command.to_vec()));
        stages.push(runtime);
        stages
    }

    /// What is installed without development dependencies.
    ///
    /// Where there are install scripts, the others are removed from what the deps stage has: a script may need one of them
    /// (`patch-package`), and what it did stays done.
    fn production(&self) -> Stage {
        let comment = ["production: node_modules without development dependencies."];
        match node_manager::prune_installed(self.node) {
            Some(line) => {
                let mut stage = Stage::new("deps", "production", comment);
                stage.push(Instruction::Run(Run { mounts: Vec::new(), command: Command::Shell(vec![line]) }));
                stage
            }
            None => {
                let mut stage = Stage::new("base", "production", comment);
                self.install(&mut stage, true);
                stage
            }
        }
    }

    fn dev(&self) -> Stage {
        let mut stage = Stage::new(
            "deps",
            "dev",
            [
                "dev: sources with all dependencies; runs the development script, which watches them.",
                "`docker compose` copies edited files into the container; see `develop` in compose.yaml.",
            ],
        );
        stage.push(Instruction::Env(vec![
            ("NODE_ENV".to_owned(), Word::from("development")),
            ("HOST".to_owned(), Word::from("0.0.0.0")),
        ]));
        stage.push(Instruction::Workdir(self.package()));
        for (name, default) in &self.service.build_args {
            stage.push(Instruction::Arg(name.clone(), default.clone()));
        }
        self.copy_sources(&mut stage);
        if !(self.node.late_scripts.is_empty() && self.node.local_builds.is_empty()) {
            self.run_scripts(&mut stage, &self.node.late_scripts);
            self.run_scripts(&mut stage, &self.node.local_builds);
            stage.push(Instruction::Workdir(self.package()));
        }
        finish(&mut stage, self.service, 30);
        let script = self.node.dev_script.as_ref().or(self.node.build_script.as_ref());
        stage.push(Instruction::Cmd(node_manager::development(self.node, script.map_or("start", String::as_str))));
        stage
    }

    fn workspace(&self) -> String {
        inside(APP, &self.node.workspace)
    }

    fn package(&self) -> String {
        inside(APP, &self.node.package)
    }
}

fn is_manifest(path: &Utf8Path) -> bool {
    path.file_name() == Some("package.json")
}
