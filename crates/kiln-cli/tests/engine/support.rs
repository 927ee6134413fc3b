//! A copy of `examples/kiro` with a project name of its own, the static `kiln`, and questions to the engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

/// The static binary under test; `make engine-test` says where it is.
pub(crate) fn kiln() -> PathBuf {
    PathBuf::from(environment("KILN_TEST_BINARY").expect("KILN_TEST_BINARY names the static kiln: run `make engine-test`"))
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(clippy::disallowed_methods, reason = "tests run the program as a user does")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Whether the engine keeps images in the containerd store.
pub(crate) fn on_containerd() -> bool {
    docker(&["info", "--format", "{{.DriverStatus}}"]).contains("io.containerd.snapshotter")
}

/// `git …` in a folder, its stdout; commits are someone's, whatever is configured.
pub(crate) fn git(folder: impl AsRef<Path>, arguments: &[&str]) -> String {
    let settings = ["-c", "user.name=someone", "-c", "user.email=someone@example.org", "-c", "advice.detachedHead=false"];
    let output = command("git").args(settings).args(arguments).current_dir(folder).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A name for this run of the tests that no other run has had: an engine keeps what earlier runs built, and process ids come again,
/// so that what is counted here as compiled could otherwise be found in the cache.
pub(crate) fn this_run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is past 1970");
        format!("{:x}-{}", now.as_secs(), std::process::id())
    })
}

/// The folder of the repository kiln is developed in.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().and_then(Path::parent).expect("crates/kiln-cli lies two folders deep")
}

/// A copy of an example that tests edit and build.
#[derive(Debug)]
pub(crate) struct Copy {
    pub(crate) root: PathBuf,
    pub(crate) project: String,
}

impl Copy {
    /// Copies `examples/kiro` to a fresh folder and names the project, so that its caches are its own.
    pub(crate) fn kiro(project: &str) -> Self {
        let root = std::env::temp_dir().join(format!("kiln-engine-test-{project}-{}", this_run()));
        let _ = fs::remove_dir_all(&root);
        let copy = Self { root, project: project.to_owned() };
        copy.restore();
        copy
    }

    /// A repository of these files; its project, and so its caches, are this run's own.
    pub(crate) fn of(name: &str, files: &[(&str, &str)]) -> Self {
        let project = format!("kiln-test-{name}-{}", this_run());
        let root = std::env::temp_dir().join(format!("kiln-engine-test-{project}"));
        let _ = fs::remove_dir_all(&root);
        let copy = Self { root, project };
        copy.write("kiln.toml", &format!("[project]\nname = \"{}\"\n", copy.project));
        for (path, text) in files {
            copy.write(path, text);
        }
        copy
    }

    /// Writes a file, and the folders that it needs.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let file = self.root.join(path);
        fs::create_dir_all(file.parent().expect("a file lies in a folder")).expect("folder is created");
        fs::write(&file, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Brings every file back to what the example has, with new modification times, as a fresh clone would. Each program gets a
    /// comment of its own: the engine may have this example, and the edits of the tests, as layers of other projects and earlier runs.
    fn restore(&self) {
        copy_tree(&repository().join("examples/kiro"), &self.root);
        let comment = format!("// {}\n", self.project);
        self.edit("backend/crates/kiro-server/src/main.rs", "use ", &format!("{comment}use "));
        self.edit("frontend/src/main.js", "import ", &format!("{comment}import "));
        self.edit("kiln.toml", "name = \"kiro\"", &format!("name = \"{}\"", self.project));
        self.run(&["init"]);
    }

    /// Runs kiln in this copy and expects success.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.try_run(arguments);
        assert!(
            output.status.success(),
            "kiln {arguments:?} failed with {}:\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// Runs kiln in this copy.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Output {
        command(kiln()).args(arguments).current_dir(&self.root).output().expect("kiln starts")
    }

    /// `kiln build --json …`, as JSON.
    pub(crate) fn build(&self, arguments: &[&str]) -> Build {
        let mut all = vec!["build", "--json", "--progress", "plain"];
        all.extend(arguments);
        let output = self.run(&all);
        Build {
            document: serde_json::from_slice(&output.stdout).expect("stdout is one JSON document"),
            log: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Replaces the first occurrence of `from` in a file.
    pub(crate) fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.root.join(path);
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert!(text.contains(from), "`{from}` stands in {path}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The image of a service.
    pub(crate) fn image(&self, service: &str, tag: &str) -> String {
        format!("{}/{service}:{tag}", self.project)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("folder is created");
    for entry in fs::read_dir(from).expect("folder is read") {
        let entry = entry.expect("entry is read");
        let name = entry.file_name();
        if ["target", "node_modules", "dist", ".kiln"].iter().any(|skipped| name == *skipped) {
            continue;
        }
        let target = to.join(&name);
        if entry.file_type().expect("type is known").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("file is copied");
        }
    }
}

/// What `kiln build --json` said.
#[derive(Debug)]
pub(crate) struct Build {
    pub(crate) document: Value,
    pub(crate) log: String,
}

impl Build {
    /// The build of one service.
    pub(crate) fn service(&self, name: &str) -> &Value {
        self.document["builds"]
            .as_array()
            .and_then(|builds| builds.iter().find(|build| build["service"] == name))
            .unwrap_or_else(|| panic!("no build of `{name}` in {:#}", self.document))
    }

    /// `stage` names of the steps of a service that ran, without repetition, in order.
    pub(crate) fn stages_that_ran(&self, service: &str) -> Vec<String> {
        let mut stages: Vec<String> = Vec::new();
        for step in self.service(service)["steps"].as_array().expect("steps") {
            if step["status"] == "ran" {
                let stage = step["stage"].as_str().unwrap_or("?").to_owned();
                if !stages.contains(&stage) {
                    stages.push(stage);
                }
            }
        }
        stages
    }

    /// Seconds of one stage's steps.
    pub(crate) fn stage_seconds(&self, service: &str, stage: &str) -> f64 {
        let steps = self.service(service)["steps"].as_array().expect("steps");
        steps.iter().filter(|step| step["stage"] == stage).filter_map(|step| step["seconds"].as_f64()).sum()
    }

    /// Names of the local crates that were compiled for a service.
    pub(crate) fn crates_compiled(&self, service: &str) -> Vec<String> {
        let mut crates: Vec<String> = self.service(service)["local_crates_compiled"]
            .as_array()
            .unwrap_or_else(|| panic!("no local_crates_compiled in {:#}", self.service(service)))
            .iter()
            .filter_map(|name| name.as_str())
            .map(|name| name.split(' ').next().unwrap_or(name).to_owned())
            .collect();
        crates.sort();
        crates.dedup();
        crates
    }

    /// Names of the external crates that were compiled for a service.
    pub(crate) fn external_crates_compiled(&self, service: &str) -> usize {
        self.service(service)["external_crates_compiled"].as_array().map_or(0, Vec::len)
    }
}

/// One copy of kiro, shared by the tests of this binary and as in the repository at the beginning of each.
pub(crate) fn kiro() -> MutexGuard<'static, Copy> {
    static KIRO: OnceLock<Mutex<Copy>> = OnceLock::new();
    let copy = KIRO.get_or_init(|| {
        forget_earlier_runs();
        let copy = Copy::kiro(&format!("kiro-test-{}", this_run()));
        copy.build(&[]);
        Mutex::new(copy)
    });
    let copy = copy.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    copy.restore();
    copy
}

/// Images and copies of earlier runs: a static is never dropped, so each run cleans up behind the last one.
fn forget_earlier_runs() {
    let images = docker(&["images", "--quiet", "--filter", "reference=kiro-test-*/*"]);
    for image in images.lines() {
        // One that a container still uses stays.
        let _ = command("docker").args(["rmi", "--force", image]).output();
    }
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("kiln-engine-test-kiro-test-") {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// `docker …`, its stdout.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = command("docker").args(arguments).output().expect("docker starts");
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A running container that is removed when dropped.
#[derive(Debug)]
pub(crate) struct Container {
    id: String,
}

impl Container {
    /// `docker run -d` with the given arguments.
    pub(crate) fn run(arguments: &[&str]) -> Self {
        let mut all = vec!["run", "-d", "-p", "127.0.0.1::8080"];
        all.extend(arguments);
        Self { id: docker(&all) }
    }

    /// Where the container's port 8080 is; fails with its log if it has ended.
    fn address(&self) -> String {
        let output = command("docker").args(["port", &self.id, "8080/tcp"]).output().expect("docker starts");
        assert!(output.status.success(), "the container has ended:\n{}", docker(&["logs", &self.id]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// GET a path of the container's port 8080, waiting up to a minute for the first answer.
    pub(crate) fn get(&self, path: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let address = self.address();
            let url = format!("http://{}{path}", address.lines().next().unwrap_or_default());
            let output = command("curl").args(["--noproxy", "*", "-fsS", &url]).output().expect("curl starts");
            if output.status.success() {
                return String::from_utf8_lossy(&output.stdout).into_owned();
            }
            assert!(
                Instant::now() < deadline,
                "no answer from {url}: {}\n{}",
                String::from_utf8_lossy(&output.stderr),
                docker(&["logs", &self.id])
            );
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = command("docker").args(["rm", "-f", &self.id]).output();
    }
}
