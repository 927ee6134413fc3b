//! An engine of a test's own beside the machine's. It goes with the test, also where that fails.

use std::path::Path;
use std::process::{Command, Output};

use crate::support::{command, kiln, repository};

/// A started engine of `testbed/engine`.
#[derive(Debug)]
pub(crate) struct OwnEngine {
    /// For `DOCKER_HOST`.
    pub(crate) host: String,
    name: &'static str,
}

impl OwnEngine {
    /// An empty one. `flags` are further ones of `testbed/engine up`.
    pub(crate) fn up(name: &'static str, flags: &[&str]) -> Self {
        testbed("engine", &["down", "--name", name, "--purge"]);
        testbed("engine", &[&["up", "--name", name], flags].concat());
        let env = testbed("engine", &["env", "--name", name]);
        Self { host: env.trim().strip_prefix("export DOCKER_HOST=").expect("a host").to_owned(), name }
    }

    /// Gets base images.
    pub(crate) fn images(&self, images: &[&str]) {
        succeeded(command(repository().join("testbed/images")).args(images).env("DOCKER_HOST", &self.host).output());
    }

    /// The registry of the tests on its localhost; it goes with the engine.
    pub(crate) fn registry(&self) {
        testbed("registry", &["up", "--engine", self.name]);
    }

    /// Stops it, for [`OwnEngine::start`].
    pub(crate) fn stop(&self) {
        testbed("engine", &["down", "--name", self.name]);
    }

    /// Starts it again, with what it had.
    pub(crate) fn start(&self) {
        testbed("engine", &["up", "--name", self.name]);
    }

    /// `docker …` on it, its stdout.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        succeeded(command("docker").args(arguments).env("DOCKER_HOST", &self.host).output())
    }

    /// `kiln …` in a folder, with this engine.
    pub(crate) fn kiln(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = command(kiln());
        command.args(arguments).env("DOCKER_HOST", &self.host).current_dir(folder);
        command
    }

    /// Whether it keeps images in the containerd store.
    pub(crate) fn on_containerd(&self) -> bool {
        self.docker(&["info", "--format", "{{.DriverStatus}}"]).contains("io.containerd.snapshotter")
    }
}

impl Drop for OwnEngine {
    fn drop(&mut self) {
        let testbed = repository().join("testbed");
        let _ = command(testbed.join("registry")).args(["down", "--engine", self.name]).output();
        let _ = command(testbed.join("engine")).args(["down", "--name", self.name, "--purge"]).output();
    }
}

fn testbed(script: &str, arguments: &[&str]) -> String {
    succeeded(command(repository().join("testbed").join(script)).args(arguments).output())
}

/// The stdout of a program that must have succeeded.
#[track_caller]
pub(crate) fn succeeded(output: std::io::Result<Output>) -> String {
    let output = output.expect("the program starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
