//! How much memory a build needs at most, from the control groups of its containers.
//!
//! BuildKit starts a container for each `RUN`, below one group of the engine's own. While a build goes on, what the processes of all
//! containers have that began with it is added up ten times a second: without the page cache, which grows with the machine and not with
//! the build. Shorter peaks are missed. An engine on another machine, or in a virtual one, shows no groups here: then nothing is known.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

/// Where control groups are.
const ROOT: &str = "/sys/fs/cgroup";
/// How often they are read.
const PERIOD: Duration = Duration::from_millis(100);
/// Where the engine has the groups of `RUN` steps: version 1 and 2 of control groups, Docker's own builder and a BuildKit by itself.
const BUILDS: [&str; 5] =
    ["memory/docker/buildkit", "memory/buildkit", "docker/buildkit", "buildkit", "system.slice/docker.service/docker/buildkit"];

/// Watches builds while it lives.
#[derive(Debug)]
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Option<u64>>>,
}

impl Watch {
    /// Watches what begins now: the containers of builds, or the one container of a name that Docker gave.
    pub(super) fn begin(container: Option<&str>) -> Self {
        let mut groups = Groups::new(Utf8Path::new(ROOT), container);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let mut peak = None;
            while !stopped.load(Ordering::Relaxed) {
                peak = peak.max(groups.bytes());
                thread::park_timeout(PERIOD);
            }
            peak
        });
        Self { stop, thread: Some(thread) }
    }

    /// The most that was seen; nothing where no group was.
    pub(super) fn end(mut self) -> Option<u64> {
        self.stop()
    }

    fn stop(&mut self) -> Option<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take()?;
        thread.thread().unpark();
        thread.join().ok().flatten()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The control groups of one build.
#[derive(Debug)]
struct Groups {
    /// Folders whose subfolders are groups of `RUN` steps.
    parents: Vec<Utf8PathBuf>,
    /// Groups that are the build's for sure.
    own: Vec<Utf8PathBuf>,
    /// Groups that were there before: other builds.
    others: BTreeSet<Utf8PathBuf>,
}

impl Groups {
    fn new(root: &Utf8Path, container: Option<&str>) -> Self {
        if let Some(id) = container {
            let names = [format!("docker/{id}"), format!("system.slice/docker-{id}.scope")];
            let own = names.iter().flat_map(|name| [root.join(name), root.join("memory").join(name)]).collect();
            return Self { parents: Vec::new(), own, others: BTreeSet::new() };
        }
        let parents: Vec<Utf8PathBuf> = BUILDS.iter().map(|path| root.join(path)).collect();
        let others = parents.iter().flat_map(|parent| folders(parent)).collect();
        Self { parents, own: Vec::new(), others }
    }

    /// What their processes have now; nothing if there is no group.
    fn bytes(&mut self) -> Option<u64> {
        let there: Vec<Utf8PathBuf> = self.parents.iter().flat_map(|parent| folders(parent)).collect();
        // One that has gone may come again under its name only with another build.
        self.others.retain(|other| there.contains(other));
        let new = there.iter().filter(|group| !self.others.contains(*group));
        let used = new.chain(&self.own).filter_map(|group| used(&fs::read_to_string(group.join("memory.stat")).ok()?));
        used.fold(None, |sum, bytes| Some(sum.unwrap_or(0) + bytes))
    }
}

fn folders(parent: &Utf8Path) -> Vec<Utf8PathBuf> {
    let Ok(entries) = parent.read_dir_utf8() else { return Vec::new() };
    let folders = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(camino::Utf8DirEntry::into_path).collect()
}

/// Bytes of processes in a group and below it, from its `memory.stat`: `anon` in version 2, `total_rss` in version 1.
fn used(stat: &str) -> Option<u64> {
    let value = |wanted: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(wanted)?.strip_prefix(' '));
        line?.trim().parse().ok()
    };
    value("anon").or_else(|| value("total_rss"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_of_the_statistics_are_read() {
        assert_eq!(used("anon 4096\nfile 1\nanon_thp 0\n"), Some(4096));
        assert_eq!(used("cache 10\nrss 1\nrss_huge 0\ntotal_rss 8192\n"), Some(8192));
        assert_eq!(used("nonsense"), None);
    }

    #[test]
    fn only_what_began_with_the_build_counts() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let group = |path: &str, bytes: u64| {
            fs::create_dir_all(root.join(path)).unwrap();
            fs::write(root.join(path).join("memory.stat"), format!("anon {bytes}\n")).unwrap();
        };
        assert_eq!(Groups::new(root, None).bytes(), None, "no engine");
        group("docker/buildkit/another", 1000);
        group("docker/fedcba", 50);
        let mut groups = Groups::new(root, None);
        assert_eq!(groups.bytes(), None, "nothing of this build");
        group("docker/buildkit/one", 10);
        group("docker/buildkit/two", 5);
        assert_eq!(groups.bytes(), Some(15));
        assert_eq!(Groups::new(root, Some("fedcba")).bytes(), Some(50));
    }
}
