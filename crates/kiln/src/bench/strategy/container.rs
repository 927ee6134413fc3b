//! What the work costs without images: cargo or the bundler in a container that keeps everything.
//!
//! The container is made from the stage in which kiln's images compile, so compiler and system packages are the same. Sources are bound into it
//! (for Node copied, since bundlers write beside them), and volumes keep what cargo made. Only the command is timed.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};

use super::crates::Crates;
use super::image::{LABEL, Place};
use super::tool::end_of;
use super::{Measured, StrategyError};
use crate::bench::Scenario;
use crate::dockerfile::{inside, shell_word};
use crate::plan::{APP, NodeService, RustService, Service, ServiceKind};
use crate::process::{Cancel, Finished, Run};

/// Where sources are bound, and where cargo builds.
const SOURCES: &str = "/src";
const TARGET: &str = "/kiln/native";
/// `CARGO_HOME` of the image.
const CARGO_HOME: &str = "/kiln/cargo";

/// A running container with its volumes; all are removed when dropped.
#[derive(Debug)]
pub(super) struct Container {
    docker: String,
    name: String,
    /// Docker's own name for it.
    id: String,
    context: Utf8PathBuf,
    work: Work,
    /// Hash of the lock of what is installed.
    installed: Option<String>,
}

/// What is run in it.
#[derive(Debug)]
enum Work {
    Cargo { folder: String, command: String },
    Node { lock: Utf8PathBuf, workspace: String, package: String, install: String, build: String },
}

impl Container {
    /// Starts a container from `image` with the context bound or copied into it.
    pub(super) fn start(
        place: &Place,
        service: &Service,
        name: &str,
        image: &str,
        context: &Utf8Path,
    ) -> Result<Self, StrategyError> {
        let work = match &service.kind {
            ServiceKind::Rust(rust) => cargo(rust),
            ServiceKind::Node(node) => bundler(node),
        };
        let mut run = Run::new(&place.docker).args(["run", "--detach", "--init", "--name", name]);
        run = run.args(["--label", &format!("{LABEL}={}", place.name)]);
        if let Work::Cargo { .. } = work {
            run = run.args(["--volume", &format!("{context}:{SOURCES}:ro")]);
            run = run.args(["--volume", &format!("{name}-cargo:{CARGO_HOME}")]);
            run = run.args(["--volume", &format!("{name}-target:{TARGET}")]);
            run = run.args(["--env", &format!("CARGO_TARGET_DIR={TARGET}")]);
        }
        if matches!(&service.kind, ServiceKind::Rust(rust) if rust.sqlx.as_ref().is_some_and(|sqlx| sqlx.offline)) {
            run = run.args(["--env", "SQLX_OFFLINE=true"]);
        }
        for (name, value) in &service.build_args {
            run = run.args(["--env", &format!("{name}={value}")]);
        }
        let mut container = Self {
            docker: place.docker.clone(),
            name: name.to_owned(),
            id: String::new(),
            context: context.to_owned(),
            work,
            installed: None,
        };
        // From here on a failure removes what was made.
        let finished = run.args([image, "sleep", "infinity"]).output(&place.cancel)?;
        if finished.success() {
            finished.stdout.trim().clone_into(&mut container.id);
            return Ok(container);
        }
        Err(StrategyError::NotApplicable(format!("the container did not start: {}", end_of(&finished.stderr))))
    }

    /// Docker's own name for it.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Builds as the copy is now.
    pub(super) fn build(&mut self, scenario: Scenario, cancel: &Cancel) -> Result<Measured, StrategyError> {
        let mut installs = 0;
        let (folder, command) = match &self.work {
            Work::Cargo { folder, command } => (folder.clone(), command.clone()),
            Work::Node { lock, workspace, package, install, build } => {
                self.copy_sources(cancel)?;
                let lock = std::fs::read(self.context.join(lock)).map(|bytes| crate::text::short_hash(&bytes)).ok();
                // Nobody installs again because of a new version of the package itself.
                let wanted = self.installed.is_none() || (self.installed != lock && scenario != Scenario::FrontendVersion);
                installs = usize::from(wanted);
                self.installed = lock.or(Some(String::new()));
                let install = if wanted { format!("(cd {} && {install}) && ", shell_word(workspace)) } else { String::new() };
                (package.clone(), format!("{install}NODE_ENV=production {build}"))
            }
        };
        let run = Run::new(&self.docker).args(["exec", "--workdir", &folder, &self.name, "sh", "-c", &command]);
        let mut crates = Crates::default();
        let begun = Instant::now();
        let finished = run.lines(cancel, &mut |_, line| crates.line(line))?;
        let seconds = begun.elapsed().as_secs_f64();
        succeeded(&finished)?;
        Ok(Measured {
            seconds,
            local_crates: crates.local(),
            external_crates: crates.external(),
            installs,
            ..Measured::default()
        })
    }

    fn copy_sources(&self, cancel: &Cancel) -> Result<(), StrategyError> {
        let run = Run::new(&self.docker).arg("cp").arg(format!("{}/.", self.context)).arg(format!("{}:{APP}/", self.name));
        succeeded(&run.output(cancel)?)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // Also after an interruption, so not with the run's own flag. What fails here is found by its label at the end.
        let cancel = Cancel::new();
        let _ = Run::new(&self.docker).args(["rm", "--force", "--volumes", &self.name]).output(&cancel);
        if matches!(self.work, Work::Cargo { .. }) {
            let volumes = [format!("{}-cargo", self.name), format!("{}-target", self.name)];
            let _ = Run::new(&self.docker).args(["volume", "rm", "--force"]).args(volumes).output(&cancel);
        }
    }
}

fn succeeded(finished: &Finished) -> Result<(), StrategyError> {
    if finished.success() {
        return Ok(());
    }
    Err(StrategyError::Failed(end_of(&format!("{}\n{}", finished.stdout, finished.stderr))))
}

fn cargo(rust: &RustService) -> Work {
    let words = rust.cargo_flags(&rust.profile, false).into_iter().flatten();
    let words: Vec<String> = words.map(|word| shell_word(&word)).collect();
    Work::Cargo { folder: inside(SOURCES, &rust.workspace), command: format!("cargo build --locked {}", words.join(" ")) }
}

fn bundler(node: &NodeService) -> Work {
    let script = node.build_script.as_deref().unwrap_or("build");
    Work::Node {
        lock: node.workspace.join(&node.lockfile),
        workspace: inside(APP, &node.workspace),
        package: inside(APP, &node.package),
        install: node.manager.install_commands().join(" && "),
        build: node.run_command(script),
    }
}
