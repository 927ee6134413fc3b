//! A crate's metadata, of which its library has a copy.
//!
//! rustc writes the metadata of a library twice: as `.rmeta`, so that other crates can be compiled while this one is still being
//! finished, and within the `.rlib`. In a release build that is a third of all bytes of a target directory. A layer holds the library
//! alone, and where in it the metadata lies. Nothing is taken to be known about either format: the bytes themselves are looked for.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::export::FileKind;
use super::step::{At as _, StepError};

/// Where the bytes of a file that is not in the layer lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Within {
    /// Path of another file of the same unit.
    pub file: String,
    /// The first byte there.
    pub offset: u64,
}

/// Describes a `.rmeta` whose bytes are in its library; `None` for every other file. `exported` tells of a path below the target
/// directory whether the layer has it.
pub(super) fn of_library(target: &Path, path: &Path, exported: impl Fn(&Path) -> bool) -> Result<Option<FileKind>, StepError> {
    let library = path.with_extension("rlib");
    let is_file = |path: &Path| fs::symlink_metadata(target.join(path)).is_ok_and(|metadata| metadata.is_file());
    let is_metadata = path.extension().is_some_and(|extension| extension == "rmeta");
    let (true, Some(name)) = (is_metadata && exported(&library) && is_file(path) && is_file(&library), library.to_str()) else {
        return Ok(None);
    };
    let read = |path: &Path| fs::read(target.join(path)).at("read", &target.join(path));
    let bytes = read(path)?;
    let found = memchr::memmem::find(&read(&library)?, &bytes);
    Ok(found.map(|offset| FileKind::File {
        size: bytes.len() as u64,
        digest: blake3::hash(&bytes).to_hex().to_string(),
        executable: false,
        within: Some(Within { file: name.to_owned(), offset: offset as u64 }),
    }))
}

impl Within {
    /// Writes the bytes to a file. `target` is the layer's folder with the units.
    pub(super) fn write(&self, target: &Path, size: u64, to: &Path) -> Result<(), StepError> {
        let library = target.join(&self.file);
        let mut source = File::open(&library).at("read", &library)?;
        source.seek(SeekFrom::Start(self.offset)).at("read", &library)?;
        let mut destination = File::create(to).at("write", to)?;
        let copied = io::copy(&mut source.take(size), &mut destination).at("write", to)?;
        if copied == size { Ok(()) } else { Err(StepError::io("read", library, io::ErrorKind::UnexpectedEof.into())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(library: &[u8], metadata: &[u8], exported: bool) -> Option<FileKind> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("liba-1.rlib"), library).unwrap();
        fs::write(folder.path().join("liba-1.rmeta"), metadata).unwrap();
        let kind = of_library(folder.path(), Path::new("liba-1.rmeta"), |_| exported).unwrap()?;
        let FileKind::File { size, digest, within: Some(within), .. } = &kind else { panic!("{kind:?}") };
        let copy = folder.path().join("copy");
        within.write(folder.path(), *size, &copy).unwrap();
        assert_eq!(fs::read(&copy).unwrap(), metadata);
        assert_eq!(*digest, blake3::hash(metadata).to_hex().to_string());
        Some(kind)
    }

    #[test]
    fn metadata_is_left_out_where_the_library_in_the_layer_has_the_very_bytes() {
        let offset = |kind: Option<FileKind>| match kind? {
            FileKind::File { within, .. } => within.map(|within| within.offset),
            _ => None,
        };
        for (library, metadata, exported, expected) in [
            (&b"!<arch>\nmeta code"[..], &b"meta"[..], true, Some(8)),
            (b"meta", b"meta", true, Some(0)),
            (b"!<arch>\nmetA code", b"meta", true, None),
            (b"met", b"meta", true, None),
            (b"!<arch>\nmeta code", b"meta", false, None),
        ] {
            assert_eq!(offset(found(library, metadata, exported)), expected, "{library:?} {exported}");
        }
    }

    #[test]
    fn other_files_and_metadata_without_a_library_are_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["liba-1.rlib", "liba-1.d", "libb-1.rmeta"] {
            fs::write(folder.path().join(name), "x").unwrap();
            assert_eq!(of_library(folder.path(), Path::new(name), |_| true).unwrap(), None, "{name}");
        }
    }

    #[test]
    fn a_library_that_is_too_short_is_an_error_and_not_half_a_file() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("liba-1.rlib"), "short").unwrap();
        let within = Within { file: "liba-1.rlib".to_owned(), offset: 3 };
        assert!(within.write(folder.path(), 10, &folder.path().join("copy")).is_err());
    }
}
