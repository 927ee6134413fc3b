//! The stages of a Rust image: chef, planner, deps, builder, runtime; for development a stage that runs from source.

use std::fmt::Write as _;

use camino::Utf8Path;

use super::apt;
use super::network::{Network, environment};
use super::{Command, Copy, Dockerfile, Instruction, Mount, Run, Sharing, Stage, Word, shell_word};
use crate::plan::{
    APP, APP_SOURCES, APP_TARGET, Distribution, Plan, RustService, Service, Variant, distribution, is_rust_image, mounts,
};

/// Where a step sees the sources.
const SOURCES: &str = "/src";
/// `CARGO_HOME` in every stage: units are fresh only under the same one.
const CARGO_HOME: &str = "/kiln/cargo";
/// Where `cook` remembers units, and `compile` builds.
const UNITS: &str = "/kiln/units";
/// Where `cook` sees another recipe's layer.
const SEED: &str = "/kiln/seed";
/// Argument that says which image the stage `seed` is `FROM`: one by its digest, or `scratch`.
pub const SEED_ARGUMENT: &str = "KILN_SEED";
/// Stage that holds nothing but the layer of dependencies.
pub const LAYER_STAGE: &str = "layer";
const TARGET: &str = "/kiln/build";

/// The Dockerfile of a variant.
pub(super) fn dockerfile(plan: &Plan, service: &Service, rust: &RustService, variant: Variant) -> Dockerfile {
    let stages = Stages { plan, service, rust, variant, network: Network::of(service) };
    let mut list = vec![stages.kiln(), seed_stage(), stages.chef(), stages.planner(), stages.deps(), layer_stage()];
    match variant {
        Variant::Dev => list.push(stages.dev()),
        Variant::Prod | Variant::Fast => list.extend([stages.builder(), stages.runtime()]),
    }
    let args = [("KILN_IMAGE", plan.tool_image.as_str()), (SEED_ARGUMENT, "scratch")];
    let args = args.map(|(name, default)| (name.to_owned(), default.to_owned())).to_vec();
    Dockerfile { comments: comments(variant), args, stages: list }
}

/// What stands at the top.
pub(super) fn comments(variant: Variant) -> Vec<String> {
    let title = match variant {
        Variant::Prod => "Production image: a release build on a small base, without toolchain and sources.",
        Variant::Dev => "Development image: toolchain, tools and sources; runs from source.",
        Variant::Fast => "Fast image: the quickest way from an edit to a running container; not optimised.",
    };
    vec![
        title.to_owned(),
        "A step runs again when its text, the step before it or the files it reads change. So dependencies are compiled"
            .to_owned(),
        "before any source is there, and what changes most comes last.".to_owned(),
    ]
}

/// What stages are made of.
pub(super) struct Stages<'a> {
    pub(super) plan: &'a Plan,
    pub(super) service: &'a Service,
    pub(super) rust: &'a RustService,
    pub(super) variant: Variant,
    pub(super) network: Network,
}

impl Stages<'_> {
    fn kiln(&self) -> Stage {
        tool_stage()
    }

    fn chef(&self) -> Stage {
        let mut stage = Stage::new(
            &self.service.base_images.build,
            "chef",
            ["chef: the toolchain and the system packages that crates link to.", "Runs again when one of them changes."],
        );
        self.toolchain(&mut stage, CARGO_HOME);
        stage.push(Instruction::Workdir("/kiln".to_owned()));
        stage
    }

    /// System packages, the toolchain, and the variables by which all stages use the same.
    pub(super) fn toolchain(&self, stage: &mut Stage, cargo_home: &str) {
        let base = &self.service.base_images.build;
        stage.instructions.extend(apt::install(
            self.plan,
            &self.network,
            base,
            "build",
            &self.service.native_packages.build,
            &[],
        ));
        let mut rustup = Vec::new();
        if let Some(toolchain) = &self.rust.install_toolchain {
            rustup.push(format!("rustup toolchain install {} --profile minimal --no-self-update", shell_word(toolchain)));
        }
        if let Some(target) = &self.rust.target {
            let toolchain = self.rust.install_toolchain.as_ref().map(|name| format!(" --toolchain {}", shell_word(name)));
            rustup.push(format!("rustup target add{} {}", toolchain.unwrap_or_default(), shell_word(target)));
        }
        if !rustup.is_empty() {
            let lines = self.network.certificate_lines().into_iter().chain(rustup).collect();
            let mounts = self.network.certificate_mounts();
            stage.push(Instruction::Run(Run { mounts, command: Command::Shell(apt::joined(lines)) }));
        }
        stage.push(Instruction::Comment(
            "The same toolchain and CARGO_HOME in every stage: else cargo compiles everything twice.".to_owned(),
        ));
        let mut variables = vec![("CARGO_HOME".to_owned(), Word::from(cargo_home))];
        match &self.rust.install_toolchain {
            Some(toolchain) => variables.push(("RUSTUP_TOOLCHAIN".to_owned(), Word::Literal(toolchain.clone()))),
            None if is_rust_image(base) => {
                variables.push(("RUSTUP_TOOLCHAIN".to_owned(), Word::Variable("RUST_VERSION".to_owned())));
            }
            None => {}
        }
        stage.push(Instruction::Env(variables));
        if let Some(wrapper) = &self.rust.absent_wrapper {
            stage.push(Instruction::Comment(format!(
                "cargo's configuration puts {wrapper} before rustc. It is not in the image, and what it would save is in layers and mounts."
            )));
            stage.push(Instruction::Env(vec![("RUSTC_WRAPPER".to_owned(), Word::Literal(String::new()))]));
        }
    }

    fn planner(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "planner",
            [
                "planner: the recipe, which is what the manifests and the lock say about dependencies, and nothing else.",
                "Runs after every edit, in milliseconds; an equal recipe leaves the next stage cached.",
            ],
        );
        let command = self.recipe("prepare", &self.sources(), &["--output /recipe.json".to_owned()]);
        stage.push(Instruction::Run(Run { mounts: vec![self.source_mount(), tool_mount()], command: Command::Shell(command) }));
        stage
    }

    fn deps(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "deps",
            [
                "deps: all dependencies, compiled. Runs again when the recipe changes; the units mount then has all crates but the",
                "changed ones, and what the recipe needs is copied into the layer, so that it is whole on a fresh machine.",
            ],
        );
        stage.push(Instruction::Copy(Copy {
            from: Some("planner".to_owned()),
            sources: vec!["/recipe.json".into()],
            destination: "/recipe.json".to_owned(),
            ..Copy::default()
        }));
        let units = mounts::units(self.plan, self.service, self.rust, self.variant);
        let mut mounts = vec![tool_mount(), seed_mount(), self.cargo_mount(), locked(units, UNITS)];
        mounts.extend(self.network.mounts());
        let mut lines = self.network.lines();
        let mut command = format!("kiln recipe cook /recipe.json --seed {SEED} --output /deps");
        for name in self.network.secret_variables() {
            let _ = write!(command, " --secret-env {}", shell_word(name));
        }
        lines.push(command);
        stage.push(Instruction::Run(Run { mounts, command: Command::Shell(apt::joined(lines)) }));
        stage
    }

    fn builder(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "builder",
            [
                "builder: the workspace's own crates on top of the dependencies. Runs after every edit; the target mount has what did",
                "not change, and kiln compares contents, not times, so that it never serves something stale.",
            ],
        );
        self.source_variables(&mut stage);
        let target = mounts::target(self.plan, self.service, self.rust, self.variant);
        let mounts = vec![self.source_mount(), deps_mount(), tool_mount(), self.cargo_mount(), locked(target, TARGET)];
        let mut flags = vec!["--deps /deps --output /out".to_owned()];
        if self.variant == Variant::Fast {
            flags[0] += " --incremental";
        }
        let command = self.recipe("compile", &self.sources(), &flags);
        stage.push(Instruction::Run(Run { mounts, command: Command::Shell(command) }));
        stage
    }

    pub(super) fn runtime(&self) -> Stage {
        let service = self.service;
        let base = &service.base_images.runtime;
        let mut stage = Stage::new(
            base,
            "runtime",
            ["runtime: what is shipped. The steps above the first COPY run beside the build, and only once."],
        );
        let mut packages = vec!["ca-certificates".to_owned()];
        packages.extend(service.native_packages.runtime.iter().filter(|name| *name != "ca-certificates").cloned());
        stage.instructions.extend(apt::install(
            self.plan,
            &self.network,
            base,
            "runtime",
            &packages,
            &user_lines(&service.user, distribution(base)),
        ));
        // USER comes first, so that the working directory belongs to the user; what is copied belongs to root all the same.
        stage.push(Instruction::User(service.user.clone()));
        volumes(&mut stage, service);
        stage.push(Instruction::Workdir(APP.to_owned()));
        stage.push(Instruction::Copy(Copy {
            from: Some("builder".to_owned()),
            sources: vec!["/out/".into()],
            destination: "/usr/local/bin/".to_owned(),
            ..Copy::default()
        }));
        finish(&mut stage, service, 5);
        if let Some(binary) = self.rust.binaries.first() {
            stage.push(Instruction::Entrypoint(vec![format!("/usr/local/bin/{binary}")]));
        }
        stage
    }

    fn dev(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "dev",
            [
                "dev: sources, compiled dependencies and tools in one image. The container compiles what has changed and starts it, without",
                "a network. `docker compose` copies edited files into it and restarts it; see `develop` in compose.yaml.",
            ],
        );
        self.dev_packages(&mut stage);
        self.source_variables(&mut stage);
        stage.push(Instruction::Comment(format!(
            "No cache mounts here: the sources ({APP_SOURCES}), what was compiled ({APP_TARGET}) and CARGO_HOME stay in the image."
        )));
        let command = self.recipe("compile", &self.sources(), &[format!("--deps /deps --mount {APP} --output /usr/local/bin")]);
        stage.push(Instruction::Run(Run {
            mounts: vec![self.source_mount(), deps_mount(), tool_mount()],
            command: Command::Shell(command),
        }));
        stage.push(Instruction::Env(vec![("CARGO_TARGET_DIR".to_owned(), Word::from(APP_TARGET))]));
        stage.push(Instruction::Workdir(inside(APP_SOURCES, &self.rust.workspace)));
        self.run_from_source(&mut stage);
        stage
    }

    /// Debuggers and the like.
    pub(super) fn dev_packages(&self, stage: &mut Stage) {
        let service = self.service;
        let build = &service.base_images.build;
        stage.instructions.extend(apt::install(self.plan, &self.network, build, "dev", &service.dev_packages, &[]));
    }

    /// The end of a development image, whose container starts by compiling what has changed.
    pub(super) fn run_from_source(&self, stage: &mut Stage) {
        finish(stage, self.service, 60);
        let mut command: Vec<String> = ["cargo", "run"].map(str::to_owned).to_vec();
        command.extend(self.flags(true).iter().flat_map(|flag| flag.iter().cloned()));
        stage.push(Instruction::Cmd(command));
    }

    /// Variables of the steps that compile sources; declared there, so that they do not touch the dependencies.
    pub(super) fn source_variables(&self, stage: &mut Stage) {
        if self.rust.sqlx.as_ref().is_some_and(|sqlx| sqlx.offline) {
            stage.push(Instruction::Comment("Queries are checked against the data in `.sqlx`, without a database.".to_owned()));
            stage.push(Instruction::Env(vec![("SQLX_OFFLINE".to_owned(), Word::from("true"))]));
        }
        for (name, default) in &self.service.build_args {
            stage.push(Instruction::Arg(name.clone(), default.clone()));
        }
    }

    /// Folder of the workspace as steps see it.
    fn sources(&self) -> String {
        inside(SOURCES, &self.rust.workspace)
    }

    pub(super) fn profile(&self) -> &str {
        self.rust.profile_of(self.variant)
    }

    /// The cargo command line, decided in the plan: each flag with its value. `cargo run` takes one binary.
    pub(super) fn flags(&self, only_first: bool) -> Vec<Vec<String>> {
        self.rust.cargo_flags(self.profile(), only_first)
    }

    fn recipe(&self, verb: &str, folder: &str, last: &[String]) -> Vec<String> {
        let words: Vec<String> = self.flags(false).iter().flatten().map(|word| shell_word(word)).collect();
        let mut lines = vec![format!("kiln recipe {verb} {}", shell_word(folder))];
        lines.push(words.join(" "));
        lines.extend_from_slice(last);
        lines
    }

    fn source_mount(&self) -> Mount {
        Mount::Bind { from: None, source: ".".to_owned(), target: SOURCES.to_owned(), writable: false }
    }

    fn cargo_mount(&self) -> Mount {
        Mount::Cache { id: mounts::cargo_home(self.plan), target: CARGO_HOME.to_owned(), sharing: Sharing::Shared }
    }
}

/// The stage that holds the `kiln` binary.
pub(super) fn tool_stage() -> Stage {
    Stage::new("${KILN_IMAGE}", "kiln", ["kiln: the program that cooks and compiles; mounted where it is used, in no image."])
}

/// What a cook on an empty builder begins with. Without a value of the argument it is empty, and so is its mount.
fn seed_stage() -> Stage {
    Stage::new(
        format!("${{{SEED_ARGUMENT}}}"),
        "seed",
        [
            "seed: the dependencies of another recipe, which `kiln build --seed` finds. On a builder that has compiled nothing yet",
            "only what differs from them is compiled. Always named by its digest: it decides whether `deps` runs again.",
        ],
    )
}

/// The seed as the cook sees it: the whole image, because a folder that it lacks could not be mounted.
fn seed_mount() -> Mount {
    Mount::Bind { from: Some("seed".to_owned()), source: "/".to_owned(), target: SEED.to_owned(), writable: false }
}

/// What `kiln build --seed-to` publishes.
fn layer_stage() -> Stage {
    let mut stage = Stage::new(
        "scratch",
        LAYER_STAGE,
        ["layer: the compiled dependencies alone, as `kiln build --seed-to` publishes them for other machines. No image has it."],
    );
    stage.push(Instruction::Copy(Copy {
        from: Some("deps".to_owned()),
        sources: vec!["/deps".into()],
        destination: "/deps".to_owned(),
        ..Copy::default()
    }));
    stage
}

/// The `kiln` binary, on the path of a step.
pub(super) fn tool_mount() -> Mount {
    Mount::Bind {
        from: Some("kiln".to_owned()),
        source: "/kiln".to_owned(),
        target: "/usr/local/bin/kiln".to_owned(),
        writable: false,
    }
}

fn deps_mount() -> Mount {
    Mount::Bind { from: Some("deps".to_owned()), source: "/deps".to_owned(), target: "/deps".to_owned(), writable: false }
}

fn locked(id: String, target: &str) -> Mount {
    Mount::Cache { id, target: target.to_owned(), sharing: Sharing::Locked }
}

/// `base`, or a folder in it.
pub(crate) fn inside(base: &str, folder: &Utf8Path) -> String {
    if folder == "." { base.to_owned() } else { format!("{base}/{folder}") }
}

/// Makes the folders that the service writes to. `WORKDIR` makes a folder that belongs to the user in force, also without a shell.
pub(super) fn volumes(stage: &mut Stage, service: &Service) {
    for folder in &service.volumes {
        stage.push(Instruction::Workdir(folder.clone()));
    }
}

/// What every image ends with, apart from its command.
pub(super) fn finish(stage: &mut Stage, service: &Service, start_period: u32) {
    for asset in &service.assets {
        stage.push(Instruction::Copy(Copy {
            chmod: Some("755".to_owned()),
            sources: vec![asset.from.clone()],
            destination: asset.to.clone(),
            ..Copy::default()
        }));
    }
    if !service.environment.is_empty() {
        stage.push(Instruction::Env(environment(&service.environment)));
    }
    if let Some(port) = service.port {
        stage.push(Instruction::Expose(port));
    }
    if let Some(command) = &service.health {
        stage.push(Instruction::Healthcheck { command: command.clone(), start_period });
    }
}

/// The shell lines that give a high numeric user a name; other users are the base image's.
fn user_lines(user: &str, distribution: Distribution) -> Vec<String> {
    let Some((uid, gid)) = user.split_once(':') else { return Vec::new() };
    let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else { return Vec::new() };
    if !(10_000..65_534).contains(&uid) || !(10_000..65_534).contains(&gid) {
        return Vec::new();
    }
    match distribution {
        Distribution::Debian => vec![
            format!("groupadd --gid {gid} app"),
            format!("useradd --uid {uid} --gid {gid} --no-create-home --home-dir {APP} --shell /usr/sbin/nologin app"),
        ],
        Distribution::Alpine => {
            vec![format!("addgroup -g {gid} app"), format!("adduser -D -H -h {APP} -s /sbin/nologin -u {uid} -G app app")]
        }
        Distribution::Bare => Vec::new(),
    }
}
