//! The stages of a Rust image without kiln: cargo-chef, chef, planner, deps, builder and the runtime of every other image.
//!
//! What kiln's own steps add is missing here: dependencies are compiled all or not at all, and nothing that is compiled persists
//! between builds but in layers. Cache mounts hold downloads only: what a mount holds is in no layer.

use super::apt::joined;
use super::network::Network;
use super::rust::{Stages, comments, inside};
use super::{Command, Copy, Dockerfile, Instruction, Mount, Run, Sharing, Stage, Word, shell_word};
use crate::plan::{APP_SOURCES, APP_TARGET, Plan, RustService, Service, Variant, cargo_chef_image, is_rust_image, mounts};

/// Version of cargo-chef whose recipes and flags the stages were tried with.
const VERSION: &str = "0.1.78";
/// Where the program is, in the image that compiles it: the place that cargo-chef's own images use.
const INSTALLED: &str = "/usr/local/cargo";
/// `CARGO_HOME` in every stage: units are fresh only under the same one.
const CARGO_HOME: &str = "/cargo";
/// Where the runtime stage finds the binaries.
const OUT: &str = "/out/";

/// The Dockerfile of a variant.
pub(super) fn dockerfile(plan: &Plan, service: &Service, rust: &RustService, variant: Variant) -> Dockerfile {
    let chef = Chef(Stages { plan, service, rust, variant, network: Network::of(service) });
    let mut stages = vec![chef.cargo_chef(), chef.chef(), chef.planner(), chef.deps()];
    match variant {
        Variant::Dev => stages.push(chef.dev()),
        Variant::Prod | Variant::Fast => stages.extend([chef.builder(), chef.0.runtime()]),
    }
    Dockerfile { comments: comments(variant), args: Vec::new(), stages }
}

struct Chef<'a>(Stages<'a>);

impl Chef<'_> {
    fn cargo_chef(&self) -> Stage {
        let image = cargo_chef_image(&self.0.service.base_images.build);
        let mut stage = Stage::new(
            &image,
            "cargo-chef",
            [
                "cargo-chef: the program that prepares and cooks recipes. Compiled once for a base image, for all projects.",
                "`--build-context cargo-chef=docker-image://…` puts an image that has it in this stage's place.",
            ],
        );
        let mut variables = vec![("CARGO_HOME".to_owned(), Word::from(CARGO_HOME))];
        if is_rust_image(&image) {
            variables.push(("RUSTUP_TOOLCHAIN".to_owned(), Word::Variable("RUST_VERSION".to_owned())));
        }
        stage.push(Instruction::Env(variables));
        // Without a mount, whose id would name the project: so the step is the same for all projects of a machine.
        let mounts = self.0.network.certificate_mounts();
        let mut lines = self.0.network.certificate_lines();
        lines.push(format!("cargo install cargo-chef --version {VERSION} --locked --root {INSTALLED}"));
        stage.push(Instruction::Run(Run { mounts, command: Command::Shell(joined(lines)) }));
        stage
    }

    fn chef(&self) -> Stage {
        let mut stage = Stage::new(
            &self.0.service.base_images.build,
            "chef",
            ["chef: the toolchain and the system packages that crates link to.", "Runs again when one of them changes."],
        );
        self.0.toolchain(&mut stage, CARGO_HOME);
        stage.push(Instruction::Env(vec![("CARGO_TARGET_DIR".to_owned(), Word::from(APP_TARGET))]));
        stage.push(Instruction::Copy(Copy {
            from: Some("cargo-chef".to_owned()),
            sources: vec![format!("{INSTALLED}/bin/cargo-chef").into()],
            destination: "/usr/local/bin/".to_owned(),
            ..Copy::default()
        }));
        stage.push(Instruction::Workdir(inside(APP_SOURCES, &self.0.rust.workspace)));
        stage
    }

    fn planner(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "planner",
            [
                "planner: the recipe, which is what the manifests and the lock say. Runs after every edit, in seconds and without",
                "a network; an equal recipe leaves the next stage cached.",
            ],
        );
        let source = Mount::Bind { from: None, source: ".".to_owned(), target: APP_SOURCES.to_owned(), writable: false };
        let command = Command::Shell(vec!["cargo chef prepare --recipe-path /recipe.json".to_owned()]);
        stage.push(Instruction::Run(Run { mounts: vec![source], command }));
        stage
    }

    fn deps(&self) -> Stage {
        let mut stage = Stage::new(
            "chef",
            "deps",
            [
                "deps: all dependencies, compiled. Runs again, as a whole, when the recipe changes. Only downloads are in a mount:",
                "what is compiled stays in the layer.",
            ],
        );
        for path in &self.0.rust.beside {
            stage.push(Instruction::Copy(Copy {
                sources: vec![path.clone()],
                destination: inside(APP_SOURCES, path),
                ..Copy::default()
            }));
        }
        stage.push(Instruction::Copy(Copy {
            from: Some("planner".to_owned()),
            sources: vec!["/recipe.json".into()],
            destination: "/recipe.json".to_owned(),
            ..Copy::default()
        }));
        let cook = format!("cargo chef cook --locked --recipe-path /recipe.json {}", self.flags());
        stage.push(self.with_downloads(vec![cook]));
        stage
    }

    fn builder(&self) -> Stage {
        let mut stage = Stage::new(
            "deps",
            "builder",
            ["builder: the workspace's own crates on top of the dependencies. Runs after every edit."],
        );
        self.0.source_variables(&mut stage);
        if self.0.variant == Variant::Fast {
            // Nothing of it would be there for the next build.
            stage.push(Instruction::Env(vec![("CARGO_INCREMENTAL".to_owned(), Word::from("0"))]));
        }
        self.compile(&mut stage, OUT);
        stage
    }

    fn dev(&self) -> Stage {
        let mut stage = Stage::new(
            "deps",
            "dev",
            [
                "dev: sources, compiled dependencies and tools in one image. The container compiles what has changed and starts it, without",
                "a network. `docker compose` copies edited files into it and restarts it; see `develop` in compose.yaml.",
            ],
        );
        stage.push(Instruction::Comment(
            "Without a cache mount, so that what cargo needs to start offline is in the image.".to_owned(),
        ));
        let mut lines = self.0.network.lines();
        let other = self.0.rust.target.iter().map(|target| format!(" --target {}", shell_word(target)));
        lines
            .push(format!("cargo fetch --locked --target \"$(rustc -vV | sed -n 's/^host: //p')\"{}", other.collect::<String>()));
        stage.push(Instruction::Run(Run { mounts: self.0.network.mounts(), command: Command::Shell(joined(lines)) }));
        self.0.dev_packages(&mut stage);
        self.0.source_variables(&mut stage);
        self.compile(&mut stage, "/usr/local/bin/");
        self.0.run_from_source(&mut stage);
        stage
    }

    /// Copies the sources, compiles them and puts the binaries into a folder.
    fn compile(&self, stage: &mut Stage, output: &str) {
        stage.push(Instruction::Copy(Copy { sources: vec![".".into()], destination: APP_SOURCES.to_owned(), ..Copy::default() }));
        stage.push(Instruction::Comment(
            "cargo goes by times: sources that look older than what was cooked in their place would not be compiled.".to_owned(),
        ));
        let profile = match self.0.profile() {
            "dev" | "test" => "debug",
            "release" | "bench" => "release",
            own => own,
        };
        let target = self.0.rust.target.iter().map(|target| format!("/{target}"));
        let folder = format!("{APP_TARGET}{}/{profile}", target.collect::<String>());
        let binaries: Vec<String> = self.0.rust.binaries.iter().map(|binary| shell_word(&format!("{folder}/{binary}"))).collect();
        let mut commands =
            vec!["find . -name '*.rs' -exec touch {} +".to_owned(), format!("cargo build --locked {}", self.flags())];
        commands.extend((output == OUT).then(|| format!("mkdir {OUT}")));
        commands.push(format!("cp {} {output}", binaries.join(" ")));
        stage.push(self.with_downloads(commands));
    }

    /// A step that downloads what the mount lacks.
    fn with_downloads(&self, commands: Vec<String>) -> Instruction {
        let mut mounts = vec![self.cargo_mount()];
        mounts.extend(self.0.network.mounts());
        let lines = self.0.network.lines().into_iter().chain(commands).collect();
        Instruction::Run(Run { mounts, command: Command::Shell(joined(lines)) })
    }

    /// The cargo command line, the same for `cook` and `build`.
    fn flags(&self) -> String {
        let words: Vec<String> = self.0.flags(false).iter().flatten().map(|word| shell_word(word)).collect();
        words.join(" ")
    }

    fn cargo_mount(&self) -> Mount {
        Mount::Cache { id: mounts::cargo_home(self.0.plan), target: CARGO_HOME.to_owned(), sharing: Sharing::Shared }
    }
}
