//! Faults of the world around a warming, real ones: a disk that is full, a client without buildx. What another project has cached
//! outlives them, and what was begun is gone on with.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::own_engine::{OwnEngine, succeeded};
use crate::support::{command, copy_tree};

const IMAGES: [&str; 1] = ["node:20-bookworm-slim"];
const MEGABYTE: u64 = 1 << 20;

/// A Node service of a project of its own.
pub(crate) struct Project<'a> {
    folder: tempfile::TempDir,
    engine: &'a OwnEngine,
}

impl<'a> Project<'a> {
    pub(crate) fn new(name: &str, engine: &'a OwnEngine) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        copy_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engine/shop/web"), &folder.path().join("web"));
        let settings = format!("[project]\nname = \"{name}\"\n\n[services.web]\npath = \"web\"\nnode-version = \"20\"\n");
        fs::write(folder.path().join("kiln.toml"), settings).expect("written");
        let project = Self { folder, engine };
        // The source names the project: nothing of it is another's.
        let server = project.folder.path().join("web/server.js");
        let text = fs::read_to_string(&server).expect("read");
        fs::write(server, format!("// {name}\n{text}")).expect("written");
        succeeded(project.command(&["init"]).output());
        project
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> std::process::Command {
        self.engine.kiln(self.folder.path(), arguments)
    }

    /// Exit code, talk, and what became of the targets: `name status`.
    pub(crate) fn warm(&self) -> (Option<i32>, String, Vec<String>) {
        let output = self.command(&["warm", "--json", "--progress", "plain"]).output().expect("kiln starts");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
        let targets = document["targets"].as_array().into_iter().flatten();
        let states = targets.map(|target| format!("{} {}", text(&target["name"]), text(&target["status"]))).collect();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned(), states)
    }

    #[track_caller]
    pub(crate) fn assert_warm(&self) {
        let text = succeeded(self.command(&["build", "--json", "--progress", "plain"]).output());
        let document: Value = serde_json::from_str(&text).expect("a document");
        let steps = document["builds"][0]["steps"].as_array().expect("steps");
        assert!(!steps.is_empty() && steps.iter().all(|step| step["status"] != "ran"), "{document:#}");
    }
}

/// A file that takes all of a disk but some megabytes, and goes when dropped.
struct Filler(PathBuf);

impl Filler {
    fn new(disk: &str, leave: u64) -> Self {
        let filler = Self(Path::new(disk).join("filler"));
        let free = succeeded(command("df").args(["--output=avail", "--block-size=1M", disk]).output());
        let free: u64 = free.lines().last().and_then(|line| line.trim().parse().ok()).expect("a number");
        let size = format!("{}M", free.checked_sub(leave).expect("the disk is not that full yet"));
        succeeded(command("fallocate").args(["--length", &size]).arg(&filler.0).output());
        filler
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn nobody_loses_what_is_warm_when_the_disk_is_full_or_buildx_is_gone() {
    let engine = OwnEngine::up("faults-test", &["--disk", "1500m"]);
    engine.images(&IMAGES);
    let other = Project::new("faults-other", &engine);
    let (code, talk, _) = other.warm();
    assert_eq!(code, Some(0), "{talk}");
    other.assert_warm();
    a_full_disk_is_named_and_warming_goes_on_when_there_is_room(&engine);
    other.assert_warm();
    a_client_without_buildx_is_named(&other);
    other.assert_warm();
}

fn a_full_disk_is_named_and_warming_goes_on_when_there_is_room(engine: &OwnEngine) {
    let large = Project::new("faults-large", engine);
    // Of bytes that do not compress, and more than there is room for.
    let mut state = 1_u32;
    let noise = (0..80 * MEGABYTE / 4).flat_map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()
    });
    fs::write(large.folder.path().join("web/assets.bin"), noise.collect::<Vec<u8>>()).expect("written");
    let filler = Filler::new(engine.docker(&["info", "--format", "{{.DockerRootDir}}"]).trim(), 40);
    let (code, talk, states) = large.warm();
    assert_eq!(code, Some(1), "{talk}");
    assert_eq!(talk.matches("error: the disk of the Docker engine is full").count(), 1, "{talk}");
    assert!(talk.contains("hint: `docker system df` shows what takes the space"), "{talk}");
    assert!(states.iter().any(|state| state.ends_with(" failed")), "{states:?}");
    drop(filler);
    let (code, talk, states) = large.warm();
    assert_eq!(code, Some(0), "{talk}");
    assert!(states.iter().all(|state| state.ends_with(" warm") || state.ends_with(" built")), "{states:?}");
    large.assert_warm();
}

/// The folder of the client's plugins is hidden, in a view of the file system that nobody else has.
fn a_client_without_buildx_is_named(project: &Project<'_>) {
    let query = "{{range .ClientInfo.Plugins}}{{if eq .Name \"buildx\"}}{{.Path}}{{end}}{{end}}";
    let path = project.engine.docker(&["info", "--format", query]);
    let folder = Path::new(path.trim()).parent().expect("a folder");
    for arguments in [["warm", "--progress=plain"], ["status", "--json"], ["clean", "--all"], ["refresh", "--progress=plain"]] {
        let own = project.command(&arguments);
        let output = command("unshare")
            .args(["--mount", "sh", "-c", "mount -t tmpfs none \"$0\" && exec \"$@\""])
            .arg(folder)
            .arg(own.get_program())
            .args(own.get_args())
            .env("DOCKER_HOST", &project.engine.host)
            .current_dir(project.folder.path())
            .output()
            .expect("unshare starts");
        let talk = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {talk}");
        // A kiln that is linked dynamically says so first.
        let said: Vec<&str> = talk.lines().skip_while(|line| line.starts_with("warning: ")).collect();
        let expected = "error: the Docker client has no buildx plugin\nhint: install";
        assert!(said.join("\n").starts_with(expected), "{arguments:?}: {talk}");
    }
}
