use tempfile::TempDir;

use super::*;
use crate::recipe::build::export::{LAYER_SCHEMA, LayerFile, Surroundings};
use crate::recipe::build::step::Limits;

const A: &str = "a-00000000000000aa";
const B: &str = "b-00000000000000bb";

/// A layer and a target directory.
struct Place {
    folder: TempDir,
    layer: Layer,
}

impl Place {
    fn new() -> Self {
        let layer = Layer {
            schema: LAYER_SCHEMA,
            recipe: String::new(),
            toolchain: None,
            surroundings: Surroundings {
                rustc: String::new(),
                system: String::new(),
                profile: String::new(),
                target: None,
                environment: BTreeMap::new(),
            },
            not_before: 1,
            units: Vec::new(),
            sources: Vec::new(),
        };
        let mut place = Self { folder: tempfile::tempdir().unwrap(), layer };
        place.unit(A, "first");
        place.unit(B, "first");
        place
    }

    /// Puts a unit into the layer, in the place of an earlier one.
    fn unit(&mut self, name: &str, content: &str) {
        let paths = [format!("release/.fingerprint/{name}/lib-x"), format!("release/deps/lib{name}.rlib")];
        let files = paths.map(|path| {
            let file = self.folder.path().join("layer/target").join(&path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, content).unwrap();
            let digest = file_digest(&file).unwrap();
            LayerFile { path, kind: FileKind::File { size: content.len() as u64, digest, executable: false, within: None } }
        });
        self.layer.units.retain(|unit| unit.name != name);
        let digest = format!("{name} {content}");
        self.layer.units.push(LayerUnit { root: "release".to_owned(), name: name.to_owned(), digest, files: files.to_vec() });
    }

    fn target(&self) -> std::path::PathBuf {
        self.folder.path().join("target")
    }

    fn output(&self, name: &str) -> std::path::PathBuf {
        self.target().join(format!("release/deps/lib{name}.rlib"))
    }

    fn record(&self) -> std::path::PathBuf {
        self.folder.path().join("record.json")
    }

    fn seed(&self, now: u64) -> (usize, usize, usize) {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        let (seeded, _) = seed(&self.folder.path().join("layer"), &self.layer, &self.target(), &self.record(), now).unwrap();
        (seeded.copied, seeded.replaced, seeded.kept)
    }

    fn time(&self, name: &str) -> u64 {
        fs::metadata(self.output(name)).unwrap().modified().unwrap().duration_since(UNIX_EPOCH).unwrap().as_secs()
    }
}

#[test]
fn missing_units_are_copied_with_one_time_and_then_kept() {
    let place = Place::new();
    assert_eq!(place.seed(1000), (2, 0, 0));
    assert_eq!((place.time(A), place.time(B)), (1, 1));
    assert_eq!(place.seed(2000), (0, 0, 2));
    fs::remove_file(place.output(A)).unwrap();
    assert_eq!(place.seed(3000), (1, 0, 1));
    assert_eq!(place.time(A), 1);
    fs::remove_dir_all(place.target()).unwrap();
    assert_eq!(place.seed(3000), (2, 0, 0));
}

#[test]
fn replaced_content_makes_all_units_later_than_what_was_compiled_with_it() {
    let mut place = Place::new();
    place.seed(1000);
    place.unit(A, "other");
    assert_eq!(place.seed(2000), (0, 1, 1));
    assert_eq!(fs::read_to_string(place.output(A)).unwrap(), "other");
    assert_eq!((place.time(A), place.time(B)), (2000, 2000));
    assert_eq!(place.seed(3000), (0, 0, 2));
    // Also when the old content has been removed in between: something may have been compiled against it.
    fs::remove_dir_all(place.target()).unwrap();
    place.unit(B, "other");
    assert_eq!(place.seed(4000), (1, 1, 0));
    assert_eq!((place.time(A), place.time(B)), (4000, 4000));
}

#[test]
fn a_newer_system_file_makes_seeded_units_later() {
    let mut place = Place::new();
    place.seed(1000);
    place.layer.not_before = 500;
    assert_eq!(place.seed(1000), (0, 0, 2));
    assert_eq!((place.time(A), place.time(B)), (500, 500));
}

#[test]
fn what_cargo_compiled_itself_is_left_alone_until_the_layer_changes() {
    let mut place = Place::new();
    place.seed(1000);
    fs::write(place.output(A), "mine, and longer").unwrap();
    let mut record = Record::read(&place.record()).unwrap();
    own(&place.layer, &place.target(), &mut record).unwrap();
    record.write(&place.record()).unwrap();
    assert_eq!(record.contents.get(&format!("release/{A}")), Some(&Content::Own(format!("{A} first"))));
    assert_eq!(place.seed(2000), (0, 0, 2));
    assert_eq!(fs::read_to_string(place.output(A)).unwrap(), "mine, and longer");
    place.unit(A, "third");
    assert_eq!(place.seed(3000), (0, 1, 1));
    assert_eq!(place.time(B), 3000);
}

#[test]
fn units_that_were_there_before_are_compared() {
    let place = Place::new();
    place.seed(1000);
    fs::remove_file(place.record()).unwrap();
    // Same contents: nothing happens.
    assert_eq!(place.seed(2000), (0, 0, 2));
    assert_eq!(place.time(A), 1);
    fs::remove_file(place.record()).unwrap();
    fs::write(place.output(A), "12345").unwrap();
    assert_eq!(place.seed(2000), (0, 1, 1));
}

#[test]
fn an_interrupted_copy_is_finished_without_alarm() {
    let place = Place::new();
    let mut record = Record { time: 1, ..Record::default() };
    for unit in &place.layer.units {
        record.pending.insert(unit.id().to_string(), unit.digest.clone());
    }
    record.write(&place.record()).unwrap();
    fs::create_dir_all(place.output(A).parent().unwrap()).unwrap();
    fs::write(place.output(A), "fir").unwrap();
    assert_eq!(place.seed(1000), (2, 0, 0));
    assert_eq!(fs::read_to_string(place.output(A)).unwrap(), "first");
    assert_eq!(place.time(A), 1);
}

#[test]
fn units_age_out_by_time_and_size_but_never_what_is_kept() {
    let place = Place::new();
    place.seed(1000);
    let mut record = Record::read(&place.record()).unwrap();
    let keep_a = |unit: &UnitId| unit.name == A;
    let age = |days: u64| Limits { bytes: u64::MAX, age: Duration::from_secs(days * 86_400) };
    let aged = |record: &mut Record, limits, now| {
        let (removed, left) = age_out(Path::new("/units"), &place.target(), record, &keep_a, limits, now).unwrap();
        assert!(left.path == "/units" && left.bytes > left.unused_bytes, "{left:?}");
        (removed, left.units, left.unused, left.unused_bytes > 0)
    };
    assert_eq!(aged(&mut record, age(30), 1_000_000), (0, 2, 1, true));
    assert_eq!(aged(&mut record, age(30), 1_000_000 + 31 * 86_400), (1, 1, 0, false));
    assert!(place.output(A).exists() && !place.output(B).exists());
    let mut record = Record::read(&place.record()).unwrap();
    place.seed(1000);
    let limits = Limits { bytes: 0, ..age(30) };
    assert_eq!(aged(&mut record, limits, 1_000_000), (1, 1, 0, false));
    assert!(place.output(A).exists() && !place.output(B).exists());
}
