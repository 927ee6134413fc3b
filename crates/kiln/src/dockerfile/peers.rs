//! The usual ways to write a Dockerfile, for comparison: with kiln's base images, system packages, cargo command line and runtime stage,
//! so that nothing but the way of caching differs.

use super::apt::joined;
use super::namespace::mark;
use super::network::Network;
use super::node;
use super::rust::{Stages, inside};
use super::{Command, Copy, Dockerfile, Instruction, Mount, Run, Sharing, Stage, Word, shell_word};
use crate::plan::{APP, Plan, RustService, Service, ServiceKind, Variant};

/// Version of cargo-chef.
const CARGO_CHEF: &str = "0.1.78";
/// `CARGO_HOME` of the official Rust images.
const CARGO_HOME: &str = "/usr/local/cargo";
/// Where cargo builds.
const TARGET: &str = "/target";
/// Where the runtime stage finds the binaries.
const OUT: &str = "/out";

/// A usual way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// `COPY . .`, then build everything.
    Naive,
    /// As Docker's own guides do it: downloads and results in cache mounts; for Node the manifests before the sources.
    Mounts,
    /// As the README of cargo-chef does it. Rust only.
    Chef,
}

/// The production Dockerfile of a service in a usual way, below the folder `namespace` (see [`in_namespace`](super::in_namespace)).
/// `plan` is one for the engine `chef`, which knows what a Node install reads. Nothing, where the way is not for such a service.
#[must_use]
pub fn render_peer(plan: &Plan, service: &Service, peer: Peer, namespace: &str) -> Option<Dockerfile> {
    let stages = match (&service.kind, peer) {
        (ServiceKind::Rust(rust), _) => {
            let stages = Stages { plan, service, rust, variant: Variant::Prod, network: Network::of(service) };
            Rust { stages: &stages, namespace }.stages(peer)
        }
        (ServiceKind::Node(node), Peer::Naive) => node::naive(plan, service, node, namespace),
        (ServiceKind::Node(node), Peer::Mounts) => node::guide(plan, service, node, namespace),
        (ServiceKind::Node(_), Peer::Chef) => return None,
    };
    Some(Dockerfile { comments: Vec::new(), args: Vec::new(), stages })
}

struct Rust<'a> {
    stages: &'a Stages<'a>,
    namespace: &'a str,
}

impl Rust<'_> {
    fn stages(&self, peer: Peer) -> Vec<Stage> {
        let mut stages = match peer {
            Peer::Naive => vec![self.naive()],
            Peer::Mounts => vec![self.mounts()],
            Peer::Chef => self.chef(),
        };
        let mut runtime = self.stages.runtime();
        mark(&mut runtime, self.namespace);
        stages.push(runtime);
        stages
    }

    fn base(&self, name: &str) -> Stage {
        let mut stage = Stage::new(&self.stages.service.base_images.build, name, []);
        self.stages.toolchain(&mut stage, CARGO_HOME);
        stage.push(Instruction::Env(vec![("CARGO_TARGET_DIR".to_owned(), Word::from(TARGET))]));
        stage
    }

    /// The namespace's folder, and the place of the sources.
    fn enter(&self, stage: &mut Stage) {
        stage.push(Instruction::Workdir(self.namespace.to_owned()));
        stage.push(Instruction::Workdir(APP.to_owned()));
    }

    fn naive(&self) -> Stage {
        let mut stage = self.base("builder");
        self.enter(&mut stage);
        self.copy_and_build(&mut stage);
        stage
    }

    fn mounts(&self) -> Stage {
        let mut stage = self.base("builder");
        self.enter(&mut stage);
        self.stages.source_variables(&mut stage);
        let folder = inside(APP, &self.workspace().workspace);
        if folder != APP {
            stage.push(Instruction::Workdir(folder));
        }
        let cache = |what: &str, target: String| Mount::Cache {
            id: format!("{}-{}-mounts-{what}", self.stages.plan.project, self.stages.service.name),
            target,
            sharing: Sharing::Shared,
        };
        let mut mounts = vec![
            Mount::Bind { from: None, source: ".".to_owned(), target: APP.to_owned(), writable: false },
            cache("target", TARGET.to_owned()),
            cache("registry", format!("{CARGO_HOME}/registry")),
            cache("git", format!("{CARGO_HOME}/git/db")),
        ];
        mounts.extend(self.stages.network.mounts());
        stage.push(Instruction::Run(Run { mounts, command: Command::Shell(self.build_lines()) }));
        stage
    }

    fn chef(&self) -> Vec<Stage> {
        let mut chef = self.base("chef");
        let mut lines = self.stages.network.certificate_lines();
        lines.push(format!("cargo install --locked cargo-chef --version {CARGO_CHEF} --target-dir /tmp/cargo-chef"));
        lines.push(format!("rm -rf /tmp/cargo-chef {CARGO_HOME}/registry"));
        chef.push(Instruction::Run(Run {
            mounts: self.stages.network.certificate_mounts(),
            command: Command::Shell(joined(lines)),
        }));
        self.enter(&mut chef);
        let folder = inside(APP, &self.workspace().workspace);
        if folder != APP {
            chef.push(Instruction::Workdir(folder));
        }

        let mut planner = Stage::new("chef", "planner", []);
        planner.push(copy_sources());
        planner.push(shell(Vec::new(), vec!["cargo chef prepare --recipe-path /recipe.json".to_owned()]));

        let mut builder = Stage::new("chef", "builder", []);
        for path in &self.workspace().beside {
            let destination = inside(APP, path);
            builder.push(Instruction::Copy(Copy { sources: vec![path.clone()], destination, ..Copy::default() }));
        }
        builder.push(Instruction::Copy(Copy {
            from: Some("planner".to_owned()),
            sources: vec!["/recipe.json".into()],
            destination: "/recipe.json".to_owned(),
            ..Copy::default()
        }));
        let mut lines = self.stages.network.lines();
        lines.push(format!("cargo chef cook --locked --recipe-path /recipe.json {}", self.flags()));
        builder.push(shell(self.stages.network.mounts(), lines));
        self.copy_and_build(&mut builder);
        vec![chef, planner, builder]
    }

    fn copy_and_build(&self, stage: &mut Stage) {
        self.stages.source_variables(stage);
        stage.push(copy_sources());
        let folder = inside(APP, &self.workspace().workspace);
        if folder != APP && stage.from != "chef" {
            stage.push(Instruction::Workdir(folder));
        }
        stage.push(Instruction::Run(Run { mounts: self.stages.network.mounts(), command: Command::Shell(self.build_lines()) }));
    }

    fn build_lines(&self) -> Vec<String> {
        let rust = self.workspace();
        let profile = match rust.profile.as_str() {
            "dev" | "test" => "debug",
            "release" | "bench" => "release",
            own => own,
        };
        let target = rust.target.iter().map(|target| format!("/{target}"));
        let folder = format!("{TARGET}{}/{profile}", target.collect::<String>());
        let binaries: Vec<String> = rust.binaries.iter().map(|binary| shell_word(&format!("{folder}/{binary}"))).collect();
        let mut lines = self.stages.network.lines();
        lines.push(format!("cargo build --locked {}", self.flags()));
        lines.push(format!("mkdir {OUT}"));
        lines.push(format!("cp {} {OUT}/", binaries.join(" ")));
        joined(lines)
    }

    fn flags(&self) -> String {
        let words: Vec<String> = self.stages.flags(false).iter().flatten().map(|word| shell_word(word)).collect();
        words.join(" ")
    }

    const fn workspace(&self) -> &RustService {
        self.stages.rust
    }
}

fn copy_sources() -> Instruction {
    Instruction::Copy(Copy { sources: vec![".".into()], destination: APP.to_owned(), ..Copy::default() })
}

fn shell(mounts: Vec<Mount>, lines: Vec<String>) -> Instruction {
    Instruction::Run(Run { mounts, command: Command::Shell(joined(lines)) })
}
