use tempfile::TempDir;

use super::*;

/// A source folder, its mirror, and the ledger between them.
struct Pair {
    folder: TempDir,
    ledger: Ledger,
    stamp: u64,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("source")).unwrap();
        Self { folder, ledger: Ledger::default(), stamp: 1_700_000_000_000_000_000 }
    }

    fn source(&self, path: &str) -> PathBuf {
        self.folder.path().join("source").join(path)
    }

    fn mirror(&self, path: &str) -> PathBuf {
        self.folder.path().join("mirror").join(path)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.source(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Brings the mirror up to date; gives the changes as `+path`, `~path`, `-path` and `!path`.
    fn sync(&mut self) -> Vec<String> {
        let plan = Plan::make(&self.source(""), &self.mirror(""), &self.ledger).unwrap();
        let changes = plan.changes.iter().map(|change| {
            let mark = match change.kind {
                ChangeKind::Added => '+',
                ChangeKind::Modified => '~',
                ChangeKind::Removed => '-',
                ChangeKind::Drifted => '!',
            };
            format!("{mark}{}", change.path.display())
        });
        let changes = changes.collect();
        self.stamp += 1_000_000_000;
        self.ledger.files = plan.apply(self.stamp).unwrap();
        let same = Plan::make(&self.source(""), &self.mirror(""), &self.ledger).unwrap();
        assert!(same.changes.is_empty() && same.write.is_empty() && same.remove.is_empty(), "{same:?}");
        changes
    }

    fn time(&self, path: &str) -> u64 {
        nanoseconds(&fs::metadata(self.mirror(path)).unwrap())
    }
}

#[test]
fn unchanged_files_keep_their_time_and_changed_ones_get_a_later_one() {
    let mut pair = Pair::new();
    pair.write("a", "1");
    pair.write("b/c", "2");
    assert_eq!(pair.sync(), ["+a", "+b/c"]);
    let (first, other) = (pair.time("a"), pair.time("b/c"));
    // A clone: same contents, other times.
    fs::remove_dir_all(pair.source("")).unwrap();
    pair.write("a", "1");
    pair.write("b/c", "3");
    assert_eq!(pair.sync(), ["~b/c"]);
    assert_eq!(pair.time("a"), first);
    assert!(pair.time("b/c") > other);
    assert_eq!(fs::read_to_string(pair.mirror("b/c")).unwrap(), "3");
}

#[test]
fn same_size_same_time_other_content_is_seen() {
    let mut pair = Pair::new();
    pair.write("a", "1");
    pair.sync();
    let time = fs::metadata(pair.source("a")).unwrap().modified().unwrap();
    pair.write("a", "2");
    File::open(pair.source("a")).unwrap().set_times(FileTimes::new().set_modified(time)).unwrap();
    assert_eq!(pair.sync(), ["~a"]);
    assert_eq!(fs::read_to_string(pair.mirror("a")).unwrap(), "2");
}

#[test]
fn kinds_modes_links_and_folders_are_kept_and_change_into_each_other() {
    let mut pair = Pair::new();
    pair.write("file", "x");
    pair.write("folder/inner/deep", "y");
    pair.write("tool", "z");
    symlink("file", pair.source("link")).unwrap();
    symlink("/nowhere", pair.source("dangling")).unwrap();
    fs::create_dir_all(pair.source("empty/below")).unwrap();
    pair.sync();
    assert!(pair.mirror("empty/below").is_dir());
    assert_eq!(fs::read_link(pair.mirror("dangling")).unwrap(), Path::new("/nowhere"));

    fs::set_permissions(pair.source("tool"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(pair.sync(), ["~tool"]);
    assert_eq!(fs::metadata(pair.mirror("tool")).unwrap().mode() & 0o777, 0o755);

    fs::remove_file(pair.source("file")).unwrap();
    fs::create_dir(pair.source("file")).unwrap();
    pair.write("file/now", "a folder");
    fs::remove_dir_all(pair.source("folder")).unwrap();
    pair.write("folder", "now a file");
    fs::remove_file(pair.source("link")).unwrap();
    pair.write("link", "now a file");
    fs::remove_dir_all(pair.source("empty")).unwrap();
    symlink("tool", pair.source("empty")).unwrap();
    assert_eq!(pair.sync(), ["~empty", "-empty/below", "~file", "+file/now", "~folder", "-folder/inner/deep", "~link"]);
    assert_eq!(fs::read_to_string(pair.mirror("file/now")).unwrap(), "a folder");
    assert_eq!(fs::read_to_string(pair.mirror("folder")).unwrap(), "now a file");
    assert_eq!(fs::read_to_string(pair.mirror("link")).unwrap(), "now a file");
    assert_eq!(fs::read_link(pair.mirror("empty")).unwrap(), Path::new("tool"));
}

#[test]
fn what_the_build_did_to_the_mirror_is_undone_and_told() {
    let mut pair = Pair::new();
    for name in ["kept", "changed", "removed"] {
        pair.write(name, name);
    }
    pair.sync();
    fs::write(pair.mirror("changed"), "CHANGED").unwrap();
    fs::write(pair.mirror("made"), "by the build").unwrap();
    fs::remove_file(pair.mirror("removed")).unwrap();
    // Rewritten with what was there: nothing happened.
    fs::write(pair.mirror("kept"), "kept").unwrap();
    assert_eq!(pair.sync(), ["!changed", "!made", "!removed"]);
    assert!(!pair.mirror("made").exists());
    assert_eq!(fs::read_to_string(pair.mirror("changed")).unwrap(), "changed");
    assert_eq!(fs::read_to_string(pair.mirror("removed")).unwrap(), "removed");
}

#[test]
fn a_run_that_was_killed_before_the_ledger_is_repeated() {
    let mut pair = Pair::new();
    pair.write("a", "1");
    pair.sync();
    pair.write("a", "2");
    pair.write("b", "new");
    let plan = Plan::make(&pair.source(""), &pair.mirror(""), &pair.ledger).unwrap();
    plan.apply(pair.stamp + 5).unwrap();
    let changes = pair.sync();
    assert!(changes.contains(&"~a".to_owned()) && changes.contains(&"+b".to_owned()), "{changes:?}");
}

#[test]
fn a_killed_run_that_left_equal_times_is_undone_once_times_are_distrusted() {
    let mut pair = Pair::new();
    pair.write("a", "1");
    pair.sync();
    reset_times(&pair.mirror(""), &mut pair.ledger.files).unwrap();
    pair.write("a", "2");
    let plan = Plan::make(&pair.source(""), &pair.mirror(""), &pair.ledger).unwrap();
    reset_times(&pair.mirror(""), &mut plan.apply(pair.stamp + 5).unwrap()).unwrap();
    pair.write("a", "1");
    pair.ledger.distrust_times();
    assert_eq!(pair.sync(), ["!a"]);
    assert_eq!(fs::read_to_string(pair.mirror("a")).unwrap(), "1");
}

#[test]
fn target_directories_and_sockets_are_no_source() {
    let mut pair = Pair::new();
    pair.write("target/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# created by cargo.\n");
    pair.write("target/debug/x", "x");
    let _socket = std::os::unix::net::UnixListener::bind(pair.source("socket")).unwrap();
    pair.write("a", "1");
    assert_eq!(pair.sync(), ["+a"]);
}

#[test]
fn names_that_are_not_utf8_are_mirrored() {
    let mut pair = Pair::new();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    fs::write(pair.source("").join(name), "x").unwrap();
    pair.sync();
    assert_eq!(fs::read_to_string(pair.mirror("").join(name)).unwrap(), "x");
    fs::remove_file(pair.source("").join(name)).unwrap();
    assert_eq!(pair.sync().len(), 1);
    assert!(!pair.mirror("").join(name).exists());
}

#[test]
fn times_before_the_epoch_are_compared_by_content() {
    let mut pair = Pair::new();
    pair.write("a", "1");
    pair.sync();
    let old = UNIX_EPOCH - Duration::from_secs(5);
    File::open(pair.mirror("a")).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    pair.write("a", "2");
    assert_eq!(pair.sync(), ["~a"]);
    assert_eq!(fs::read_to_string(pair.mirror("a")).unwrap(), "2");
}

#[test]
fn a_ledger_of_another_form_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.json");
    assert_eq!(Ledger::read(&path), None);
    for text in ["", "{}", "{\"schema\": 2, \"files\": {}}"] {
        fs::write(&path, text).unwrap();
        assert_eq!(Ledger::read(&path), None, "{text}");
    }
    let mut ledger = Ledger { latest: 7, ..Ledger::default() };
    ledger.write(&path).unwrap();
    assert_eq!(Ledger::read(&path), Some(ledger));
}

#[test]
fn vendored_packages_are_old_unless_they_are_edited_by_hand() {
    let mut pair = Pair::new();
    pair.write("vendor/x/.cargo-checksum.json", "1");
    pair.write("vendor/x/src/lib.rs", "1");
    pair.write("src/lib.rs", "1");
    pair.sync();
    assert_eq!((pair.time("vendor/x/src/lib.rs"), pair.time("src/lib.rs")), (OLDEST, pair.stamp));
    pair.write("vendor/x/src/lib.rs", "edited");
    pair.sync();
    assert_eq!(pair.time("vendor/x/src/lib.rs"), pair.stamp);
    pair.write("vendor/x/.cargo-checksum.json", "2");
    pair.write("vendor/x/src/lib.rs", "another version");
    pair.sync();
    assert_eq!(pair.time("vendor/x/src/lib.rs"), OLDEST);
}

#[test]
fn times_are_reset_of_folders_and_links_too() {
    let mut pair = Pair::new();
    pair.write("folder/file", "1");
    symlink("folder/file", pair.source("link")).unwrap();
    pair.sync();
    reset_times(&pair.mirror(""), &mut pair.ledger.files).unwrap();
    for name in ["folder", "folder/file", "link"] {
        assert_eq!(nanoseconds(&fs::symlink_metadata(pair.mirror(name)).unwrap()), OLDEST, "{name}");
    }
    assert_eq!(pair.sync(), Vec::<String>::new());
}
