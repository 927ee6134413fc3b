//! The tool image: the kiln that runs inside image builds, supplied as a named context.
//!
//! A named context that is a folder replaces the image of its name in `FROM`. BuildKit hashes its contents, so an unchanged
//! binary keeps every step that mounts it cached; name and mode bits count, time stamps do not. But the transfer trusts size
//! and time stamp: so each binary gets a folder of its own, named by its hash, and a time stamp made of the hash.

use std::fs::{self, File, FileTimes, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, SystemTime};

use camino::{Utf8Path, Utf8PathBuf};

use super::EngineError;

/// How long a folder of another binary is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// The binary, ready to be a named context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// A folder that holds nothing but `kiln`.
    pub directory: Utf8PathBuf,
    /// What kind of program it is.
    pub kind: ToolKind,
}

/// What kind of program a tool is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolKind {
    /// A static Linux program: runs in every base image of its architecture.
    Static {
        /// As in platform names: `amd64`, `arm64`.
        architecture: Option<&'static str>,
    },
    /// A Linux program that needs a loader and libraries of the image.
    Dynamic {
        /// As in platform names.
        architecture: Option<&'static str>,
    },
    /// A script: not kiln itself, but something that stands for it.
    Script,
}

impl ToolKind {
    /// Architecture of the program, where it has one that platforms have names for.
    #[must_use]
    pub const fn architecture(&self) -> Option<&'static str> {
        match self {
            Self::Static { architecture } | Self::Dynamic { architecture } => *architecture,
            Self::Script => None,
        }
    }
}

impl Tool {
    /// Puts a binary into its folder below `state`, once.
    ///
    /// # Errors
    /// [`EngineError::Tool`] if it can never run in a Linux image, [`EngineError::File`] if it cannot be copied.
    pub fn prepare(binary: &Utf8Path, state: &Utf8Path) -> Result<Self, EngineError> {
        let failed = |path: &Utf8Path| {
            let path = path.to_owned();
            move |source| EngineError::File { path, source }
        };
        let kind = kind(binary).map_err(failed(binary))?;
        let kind = kind.ok_or_else(|| EngineError::Tool { path: binary.to_owned(), reason: "it is not a Linux program" })?;
        let mut hasher = blake3::Hasher::new();
        let file = File::open(binary).map_err(failed(binary))?;
        hasher.update_reader(file).map_err(failed(binary))?;
        let hash = hasher.finalize();
        let tools = state.join("tool");
        let directory = tools.join(&hash.to_hex().as_str()[..16]);
        let target = directory.join("kiln");
        if !target.is_file() {
            forget_others(&tools);
            fs::create_dir_all(&directory).map_err(failed(&directory))?;
            let partial = tools.join(format!("{}.{}.partial", &hash.to_hex().as_str()[..16], std::process::id()));
            let placed = place(binary, &partial, hash.as_bytes()).and_then(|()| fs::rename(&partial, &target));
            if let Err(source) = placed {
                let _ = fs::remove_file(&partial);
                return Err(EngineError::File { path: target, source });
            }
        }
        Ok(Self { directory, kind })
    }
}

fn place(binary: &Utf8Path, to: &Utf8Path, hash: &[u8; 32]) -> io::Result<()> {
    fs::copy(binary, to)?;
    fs::set_permissions(to, Permissions::from_mode(0o755))?;
    // Some second of the years 2000 to 2016, by content.
    let offset = u64::from(u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]]) % (16 * 365 * 86_400));
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(946_684_800 + offset);
    File::options().write(true).open(to)?.set_times(FileTimes::new().set_modified(time))
}

/// Removes folders of binaries that are no longer used. What cannot be removed stays.
fn forget_others(tools: &Utf8Path) {
    let Ok(entries) = tools.read_dir_utf8() else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > KEPT));
        if old && entry.path().is_dir() {
            let _ = fs::remove_dir_all(entry.path());
        } else if old {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What kind of program a file is; `None` if it can run in no Linux image.
fn kind(path: &Utf8Path) -> io::Result<Option<ToolKind>> {
    // Program headers follow the header in every program that linkers make.
    let mut head = Vec::new();
    File::open(path)?.take(4096).read_to_end(&mut head)?;
    Ok(kind_of(&head))
}

fn kind_of(head: &[u8]) -> Option<ToolKind> {
    const INTERPRETER: u32 = 3;
    if head.starts_with(b"#!") {
        return Some(ToolKind::Script);
    }
    // 64 bit, little endian: every platform that kiln builds images for.
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let half = |at: usize| Some(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let architecture = match half(18)? {
        62 => Some("amd64"),
        183 => Some("arm64"),
        243 => Some("riscv64"),
        258 => Some("loong64"),
        _ => None,
    };
    let start = usize::try_from(u64::from_le_bytes(head.get(32..40)?.try_into().ok()?)).ok()?;
    let (size, count) = (usize::from(half(54)?), usize::from(half(56)?));
    let dynamic = (0..count).filter_map(|index| word(start + index * size)).any(|kind| kind == INTERPRETER);
    Some(if dynamic { ToolKind::Dynamic { architecture } } else { ToolKind::Static { architecture } })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn elf(machine: u16, segments: &[u32]) -> Vec<u8> {
        let mut bytes = vec![0; 64 + segments.len() * 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        bytes[18..20].copy_from_slice(&machine.to_le_bytes());
        bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
        bytes[54..56].copy_from_slice(&56u16.to_le_bytes());
        bytes[56..58].copy_from_slice(&(segments.len() as u16).to_le_bytes());
        for (index, kind) in segments.iter().enumerate() {
            let at = 64 + index * 56;
            bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn programs_are_told_apart() {
        assert_eq!(kind_of(&elf(62, &[1, 2])), Some(ToolKind::Static { architecture: Some("amd64") }));
        assert_eq!(kind_of(&elf(183, &[6, 3, 1])), Some(ToolKind::Dynamic { architecture: Some("arm64") }));
        assert_eq!(kind_of(b"#!/bin/sh\n"), Some(ToolKind::Script));
        assert_eq!(kind_of(b"\xcf\xfa\xed\xfe mach-o"), None);
        assert_eq!(kind_of(b""), None);
        assert_eq!(kind_of(b"\x7fELF\x02\x01"), None);
    }

    #[test]
    fn a_binary_is_placed_once_and_by_content() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        let (binary, state) = (root.join("my-kiln"), root.join("state"));
        fs::write(&binary, "#!/bin/sh\necho one\n").unwrap();
        let first = Tool::prepare(&binary, &state).unwrap();
        let placed = fs::metadata(first.directory.join("kiln")).unwrap();
        assert_eq!(placed.permissions().mode() & 0o777, 0o755);
        assert_eq!(Tool::prepare(&binary, &state).unwrap(), first);
        assert_eq!(fs::metadata(first.directory.join("kiln")).unwrap().modified().unwrap(), placed.modified().unwrap());
        fs::write(&binary, "#!/bin/sh\necho two\n").unwrap();
        let second = Tool::prepare(&binary, &state).unwrap();
        assert_ne!(second.directory, first.directory);
        let time = |tool: &Tool| fs::metadata(tool.directory.join("kiln")).unwrap().modified().unwrap();
        assert_ne!(time(&first), time(&second), "a transfer by size and time stamp would miss the change");
    }
}
