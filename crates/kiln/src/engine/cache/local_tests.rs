use super::*;

/// A cache folder, and what BuildKit does to it.
struct World {
    _temporary: tempfile::TempDir,
    folder: Utf8PathBuf,
}

impl World {
    fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let folder = Utf8Path::from_path(temporary.path()).unwrap().join("cache");
        Self { _temporary: temporary, folder }
    }

    fn to(&self, tag: &str) -> CacheRef {
        CacheRef::destinations(&format!("type=local,dest={},tag={tag}", self.folder)).unwrap().remove(0)
    }

    fn from(&self, more: &str) -> CacheRef {
        CacheRef::sources(&format!("type=local,src={}{more}", self.folder)).unwrap().remove(0)
    }

    fn prepare(&self, tag: &str) -> LocalCaches {
        LocalCaches::prepare(&[], &[self.to(tag)], "own").unwrap()
    }

    /// A build that exports these layers under a tag.
    fn export(&self, tag: &str, layers: &[&str]) {
        let caches = self.prepare(tag);
        write(caches.to[0].folder().unwrap(), tag, layers);
        assert!(caches.commit().is_empty());
    }

    /// The tag that an import is told, or why there is none.
    fn import(&self, more: &str) -> String {
        let caches = LocalCaches::prepare(&[self.from(more)], &[], "own").unwrap();
        match (caches.from.first(), caches.skipped.first()) {
            (Some(found), None) => found.get("tag").unwrap_or("no tag").to_owned(),
            (None, Some((_, reason))) => reason.to_string(),
            other => panic!("{other:?}"),
        }
    }

    /// Contents of all blobs that are layers, and whether all manifests are whole.
    fn layers(&self) -> Vec<String> {
        let blobs =
            self.folder.join(BLOBS).read_dir_utf8().unwrap().map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap());
        let mut layers: Vec<String> = blobs.filter(|text| !text.starts_with('{')).collect();
        layers.sort();
        layers
    }

    /// Everything in the cache that is not a lock, a blob or the index.
    fn leftovers(&self) -> Vec<String> {
        let entries = self.folder.join(OWN).read_dir_utf8().unwrap().map(|entry| entry.unwrap().file_name().to_owned());
        entries.filter(|name| !name.ends_with(".lock")).collect()
    }
}

/// Not a real digest, but as long as one and different for different contents.
fn digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Writes as BuildKit does: a blob that is there stays, and a tag in the index is replaced.
fn write(folder: &Utf8Path, tag: &str, layers: &[&str]) {
    let blobs = folder.join(BLOBS);
    fs::create_dir_all(&blobs).unwrap();
    let blob = |text: &str, kind: &str| {
        let path = blobs.join(digest(text));
        if !path.exists() {
            fs::write(path, text).unwrap();
        }
        json!({ "mediaType": kind, "digest": format!("sha256:{}", digest(text)), "size": text.len() })
    };
    let layers: Vec<Value> = layers.iter().map(|layer| blob(layer, "application/vnd.oci.image.layer.v1.tar+zstd")).collect();
    let config = blob(&json!({ "config": tag }).to_string(), "application/vnd.buildkit.cacheconfig.v0");
    let manifest = json!({ "schemaVersion": 2, "config": config, "layers": layers }).to_string();
    let mut entry = blob(&manifest, "application/vnd.oci.image.manifest.v1+json");
    entry["annotations"] = json!({ TAG: tag });
    let index = read_json(&folder.join(INDEX)).unwrap_or(Value::Null);
    let mut all: Vec<Value> = manifests(&index).filter(|manifest| manifest["annotations"][TAG] != tag).cloned().collect();
    all.push(entry);
    fs::write(folder.join(INDEX), json!({ "schemaVersion": 2, "manifests": all }).to_string()).unwrap();
    fs::create_dir_all(folder.join("ingest")).unwrap();
}

#[test]
fn a_cache_does_not_grow_and_tags_do_not_disturb_each_other() {
    let world = World::new();
    world.export("own", &["one", "two"]);
    world.export("web", &["two", "three"]);
    assert_eq!(world.layers(), ["one", "three", "two"]);
    world.export("own", &["four", "two"]);
    assert_eq!(world.layers(), ["four", "three", "two"], "what no tag names is gone");
    assert_eq!((world.import(",tag=own"), world.import(",tag=web")), ("own".to_owned(), "web".to_owned()));
    assert!(world.leftovers().is_empty());
}

#[test]
fn what_is_there_is_not_written_again() {
    let world = World::new();
    world.export("own", &["one"]);
    let inode =
        |folder: &Utf8Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(folder.join(BLOBS).join(digest("one"))).unwrap());
    let before = inode(&world.folder);
    let caches = world.prepare("own");
    assert_eq!(inode(caches.to[0].folder().unwrap()), before);
    write(caches.to[0].folder().unwrap(), "own", &["one", "two"]);
    assert!(caches.commit().is_empty());
    assert_eq!((inode(&world.folder), world.layers()), (before, vec!["one".to_owned(), "two".to_owned()]));
}

#[test]
fn an_interrupted_export_changes_nothing_and_the_next_one_clears_up() {
    let world = World::new();
    world.export("own", &["one"]);
    // Ended in an orderly way: nothing is left.
    drop(world.prepare("own"));
    assert!(world.leftovers().is_empty());
    // Killed while the engine wrote: its folder stays, its lock does not.
    let killed = world.folder.join(OWN).join("999999-0");
    write(&killed, "own", &["half"]);
    fs::remove_file(killed.join(INDEX)).unwrap();
    assert_eq!((world.import(""), world.layers()), ("own".to_owned(), vec!["one".to_owned()]));
    world.export("own", &["one"]);
    assert!(world.leftovers().is_empty());
}

#[test]
fn an_export_that_is_not_whole_does_not_replace_one_that_is() {
    let world = World::new();
    world.export("own", &["one"]);
    let caches = world.prepare("own");
    let staging = caches.to[0].folder().unwrap().to_owned();
    write(&staging, "own", &["two", "three"]);
    fs::write(staging.join(BLOBS).join(digest("three")), "thr").unwrap();
    let failed = caches.commit();
    assert!(matches!(failed.as_slice(), [(_, LocalCacheError::Incomplete { .. })]), "{failed:?}");
    // The engine told of a failure and wrote no index.
    let caches = world.prepare("own");
    assert!(caches.commit().is_empty());
    assert_eq!((world.import(""), world.layers()), ("own".to_owned(), vec!["one".to_owned()]));
}

#[test]
fn a_blob_that_was_cut_off_is_not_imported_and_the_next_export_heals_it() {
    let world = World::new();
    world.export("own", &["one", "two"]);
    let blob = world.folder.join(BLOBS).join(digest("two"));
    fs::write(&blob, "t").unwrap();
    assert_eq!(world.import(""), format!("it is incomplete: blob `sha256:{}` is missing or cut off", digest("two")));
    fs::remove_file(&blob).unwrap();
    assert_eq!(world.import(""), format!("it is incomplete: blob `sha256:{}` is missing or cut off", digest("two")));
    fs::write(&blob, "t").unwrap();
    world.export("own", &["one", "two"]);
    assert_eq!((world.import(""), world.layers()), ("own".to_owned(), vec!["one".to_owned(), "two".to_owned()]));
}

#[test]
fn nothing_is_deleted_under_a_build_that_reads() {
    let world = World::new();
    world.export("own", &["one"]);
    let reader = LocalCaches::prepare(&[world.from("")], &[], "own").unwrap();
    world.export("own", &["two"]);
    assert_eq!(world.layers(), ["one", "two"], "the reader may still want the first");
    drop(reader);
    world.export("own", &["two"]);
    assert_eq!(world.layers(), ["two"]);
}

#[test]
fn the_last_of_several_builds_clears_up() {
    let world = World::new();
    world.export("api", &["one"]);
    let both = LocalCaches::prepare(&[world.from(",tag=api")], &[world.to("api")], "api").unwrap();
    let other = world.prepare("web");
    write(both.to[0].folder().unwrap(), "api", &["two"]);
    write(other.to[0].folder().unwrap(), "web", &["three"]);
    assert!(both.commit().is_empty());
    assert_eq!(world.layers(), ["one", "two"]);
    assert!(other.commit().is_empty());
    assert_eq!(world.layers(), ["three", "two"]);
    assert!(world.leftovers().is_empty());
}

#[test]
fn a_source_is_found_by_its_own_tag_then_by_that_of_buildx() {
    let world = World::new();
    assert_eq!(world.import(""), "there is none yet");
    write(&world.folder, "latest", &["one"]);
    assert_eq!(world.import(""), "latest");
    assert_eq!(world.import(",tag=other"), "it has nothing under the tag `other`");
    world.export("own", &["two"]);
    assert_eq!((world.import(""), world.layers()), ("own".to_owned(), vec!["one".to_owned(), "two".to_owned()]));
    fs::write(world.folder.join(INDEX), "{").unwrap();
    assert_eq!(world.import(""), format!("`{}/index.json` is no part of an OCI layout", world.folder));
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_the_build() {
    let world = World::new();
    fs::write(&world.folder, "a file").unwrap();
    let error = LocalCaches::prepare(&[], &[world.to("own")], "own").unwrap_err();
    assert_eq!(error.to_string(), format!("cannot write the cache in `{}`", world.folder));
}
