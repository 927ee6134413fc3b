//! What was sent to BuildKit, so that a file that changed without looking so is sent again.
//!
//! BuildKit keeps its copy of a context and asks only for files whose size, time or mode differ from it. A restored backup, an
//! archive that was unpacked, `cp -p` or `touch -r` can put other content there with the same size and time: BuildKit would build
//! with the old one. The system knows better: it gives each file that is written another change time, which no program can set, or
//! another inode. kiln remembers both; where only they differ it sends the context under a new name, which BuildKit has no copy of.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::time::{SystemTime, UNIX_EPOCH};

use camino::{Utf8Path, Utf8PathBuf};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::{BuildRequest, EngineError};
use crate::context::{IgnoreFile, Stamp};

/// Version of the file; another one is as good as none.
const SCHEMA: u32 = 1;

/// Files as they were sent, and under which name.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Sent {
    schema: u32,
    /// Part of the name; a new one for each copy that BuildKit is to make.
    generation: String,
    /// The one before: a build that began then may still read through its link.
    #[serde(default)]
    previous: String,
    files: BTreeMap<String, Stamp>,
}

/// Whether the content may be another although BuildKit, which looks at sizes and modification times, would take it for the same.
fn hides_a_change(before: Stamp, after: Stamp) -> bool {
    (after.size, after.modified) == (before.size, before.modified) && after != before
}

/// A link to the context, in `folder`, with a basename of its own: BuildKit keeps its copy of a context under that name, so two
/// contexts never share one. It is the same for the next build of the same request, unless a file there has changed unseen.
///
/// # Errors
/// [`EngineError::File`], when something in `folder` cannot be read or written.
pub(super) fn link(folder: &Utf8Path, request: &BuildRequest) -> Result<Utf8PathBuf, EngineError> {
    let digest = |text: &str| blake3::hash(text.as_bytes()).to_hex()[..12].to_owned();
    let own = digest(request.context.as_str());
    let path = folder.join(format!("{}-{own}.json", request.name));
    let failed = |path: &Utf8Path| {
        let path = path.to_owned();
        move |source| EngineError::File { path, source }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // Of two builds at once the second must know what the first has sent.
    let lock = folder.join(format!("{}-{own}.lock", request.name));
    let held = File::options().create(true).append(true).open(&lock).map_err(failed(&lock))?;
    // Without locks on this file system a build is as it was: right, unless two begin in the same moment.
    let _ = flock(&held, FlockOperation::LockExclusive);
    let before: Option<Sent> = fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let before = before.filter(|sent: &Sent| sent.schema == SCHEMA);
    let files = stamps(request);
    let name =
        |generation: &str| folder.join(format!("{}-{}", request.name, digest(&format!("{}\n{generation}", request.context))));
    let generation = match &before {
        Some(sent) if !files.iter().any(|(path, stamp)| sent.files.get(path).is_some_and(|old| hides_a_change(*old, *stamp))) => {
            sent.generation.clone()
        }
        _ => new_generation(),
    };
    let link = name(&generation);
    match symlink(&request.context, &link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let target = link.read_link_utf8().map_err(failed(&link))?;
            if target != request.context {
                return Err(failed(&link)(error));
            }
        }
        made => made.map_err(failed(&link))?,
    }
    let previous = match before {
        Some(before) if before.generation == generation && before.files == files => return Ok(link),
        Some(before) if before.generation == generation => before.previous,
        Some(before) => {
            let _ = fs::remove_file(name(&before.previous));
            before.generation
        }
        None => String::new(),
    };
    let bytes = serde_json::to_vec(&Sent { schema: SCHEMA, generation, previous, files }).unwrap_or_default();
    let temporary = path.with_extension("json.new");
    fs::write(&temporary, bytes).map_err(failed(&temporary))?;
    fs::rename(&temporary, &path).map_err(failed(&path))?;
    Ok(link)
}

/// No two are equal: nothing must meet what an earlier one has left in a builder.
fn new_generation() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}", now.as_nanos(), std::process::id())
}

/// The files of a context that BuildKit sees. What cannot be read is left to it: it will say so.
fn stamps(request: &BuildRequest) -> BTreeMap<String, Stamp> {
    let beside = Utf8PathBuf::from(format!("{}.dockerignore", request.dockerfile));
    let texts = [beside, request.context.join(".dockerignore")];
    let text = texts.iter().find_map(|path| fs::read_to_string(path).ok()).unwrap_or_default();
    let ignore = IgnoreFile::parse(&text).unwrap_or_default();
    let mut found = BTreeMap::new();
    let mut pending = vec![String::new()];
    while let Some(folder) = pending.pop() {
        let Ok(reader) = request.context.join(&folder).read_dir_utf8() else { continue };
        for entry in reader.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let path = if folder.is_empty() { entry.file_name().to_owned() } else { format!("{folder}/{}", entry.file_name()) };
            if metadata.is_dir() {
                if ignore.has_inclusions() || !ignore.excludes(&path) {
                    pending.push(path);
                }
            } else if metadata.is_file() && !ignore.excludes(&path) {
                found.insert(path, Stamp::of(&metadata));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::fs::FileTimes;
    use std::time::Duration;

    use super::*;

    struct Bench(tempfile::TempDir);

    impl Bench {
        fn new() -> Self {
            let bench = Self(tempfile::tempdir().unwrap());
            bench.write("src/main.rs", "1", 1_000_000_000);
            bench.write(".dockerignore", "notes\n", 1_000_000_000);
            bench
        }

        fn root(&self) -> &Utf8Path {
            Utf8Path::from_path(self.0.path()).unwrap()
        }

        fn write(&self, path: &str, text: &str, seconds: u64) {
            let path = self.root().join("context").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            let time = UNIX_EPOCH + Duration::from_secs(seconds);
            File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
            // Change times are those of the system's tick.
            std::thread::sleep(Duration::from_millis(20));
        }

        fn link(&self) -> Utf8PathBuf {
            let request = BuildRequest {
                name: "api-prod".to_owned(),
                context: self.root().join("context"),
                dockerfile: self.root().join("context/Dockerfile"),
                ..BuildRequest::default()
            };
            link(&self.root().join("state"), &request).unwrap()
        }
    }

    #[test]
    fn the_context_link_is_unique_and_stable() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let request = |name: &str, context: &str| BuildRequest {
            name: name.to_owned(),
            context: root.join(context),
            ..BuildRequest::default()
        };
        let links: Vec<_> = [("api-prod", "a/app"), ("api-dev", "a/app"), ("api-prod", "b/app"), ("api-prod", "a/app")]
            .into_iter()
            .map(|(name, context)| link(&root.join("state"), &request(name, context)).unwrap())
            .collect();
        assert_eq!(links[0], links[3]);
        let names: std::collections::BTreeSet<_> = links.iter().map(|link| link.file_name().unwrap()).collect();
        assert_eq!(names.len(), 3);
        assert_eq!(links[0].read_link_utf8().unwrap(), root.join("a/app"));
    }

    #[test]
    fn what_buildkit_sees_by_itself_keeps_the_name() {
        let bench = Bench::new();
        let first = bench.link();
        assert_eq!(first.read_link_utf8().unwrap(), bench.root().join("context"));
        assert_eq!(bench.link(), first, "nothing changed");
        bench.write("src/main.rs", "2", 1_000_000_001);
        assert_eq!(bench.link(), first, "another time");
        bench.write("src/main.rs", "20", 1_000_000_001);
        assert_eq!(bench.link(), first, "another size");
        bench.write("src/new.rs", "1", 1_000_000_000);
        assert_eq!(bench.link(), first, "a new file");
        bench.write("notes/a.txt", "1", 1_000_000_000);
        bench.link();
        bench.write("notes/a.txt", "2", 1_000_000_000);
        assert_eq!(bench.link(), first, "an ignored file");
    }

    #[test]
    fn other_content_of_equal_size_and_time_gets_a_new_name() {
        let bench = Bench::new();
        let first = bench.link();
        bench.write("src/main.rs", "2", 1_000_000_000);
        let second = bench.link();
        assert_ne!(second, first);
        assert_eq!(bench.link(), second);
        // Another file in its place, as from a backup.
        bench.write("src/other.rs", "3", 1_000_000_000);
        fs::rename(bench.root().join("context/src/other.rs"), bench.root().join("context/src/main.rs")).unwrap();
        let third = bench.link();
        assert_ne!(third, second);
        // Nothing is known of what was sent.
        for entry in fs::read_dir(bench.root().join("state")).unwrap().flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "json") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        assert_ne!(bench.link(), third);
    }
}
