//! Content hashes, remembered: a file is read again only when the system says that it may have changed.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use camino::Utf8Path;
use sha1::{Digest as _, Sha1};

use super::stamp::Stamp;
use crate::files::replace_file;
use crate::parallel;

/// Begins the file; another version is as good as none.
const MAGIC: &[u8; 8] = b"kilnhsh1";
/// A file that was written so shortly before it was read may be written again within the same tick of the clock: it is not remembered.
const RACY: Duration = Duration::from_secs(2);
/// So many files are remembered that nobody asked for the last time, and as many again as somebody did: several images may have one folder
/// for their context, each with an ignore file of its own.
const SPARE: usize = 100_000;
/// So many files are worth a thread.
const FILES_PER_THREAD: usize = 16;

/// What is in a file: git's id of the content as a blob, so that a commit's files need not be read at all.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentId([u8; 20]);

impl ContentId {
    /// The id of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut hash = Sha1::new();
        hash.update(format!("blob {}\0", bytes.len()));
        hash.update(bytes);
        Self(hash.finalize().into())
    }

    /// The id of 20 bytes that git calls so; `None` for another length.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// The 40 hexadecimal digits, as bytes of text.
    #[must_use]
    pub fn digits(&self) -> [u8; 40] {
        const DIGITS: [u8; 16] = *b"0123456789abcdef";
        // By hand: this is done for every file of a context.
        let mut text = [0; 40];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xf)]]);
        }
        text
    }

    /// Reads 40 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 40 {
            return None;
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// The id of a file's content, which is never in memory as a whole.
    fn of_file(path: &Utf8Path, size: u64) -> io::Result<Self> {
        let mut file = fs::File::open(path)?;
        let mut hash = Sha1::new();
        hash.update(format!("blob {size}\0"));
        let mut buffer = [0; 64 * 1024];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Self(hash.finalize().into())),
                count => hash.update(&buffer[..count]),
            }
        }
    }
}

impl fmt::Display for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for ContentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hashes of the files of one folder, by path.
#[derive(Debug, Default)]
pub struct Hashes {
    known: HashMap<String, (Stamp, ContentId)>,
    /// Whether saving would write something else than is there.
    changed: bool,
}

/// A file whose hash is asked for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) path: String,
    pub(super) metadata: Metadata,
}

impl Hashes {
    /// Reads remembered hashes. A file that is missing, damaged or of another version has none.
    #[must_use]
    pub fn load(file: &Utf8Path) -> Self {
        let known = fs::read(file).ok().and_then(|bytes| read(&bytes)).unwrap_or_default();
        Self { known, changed: false }
    }

    /// Writes them beside `file` and renames: a reader never sees half of it. Nothing happens where nothing is new.
    ///
    /// # Errors
    /// What the system says.
    pub fn save(&self, file: &Utf8Path) -> io::Result<()> {
        if !self.changed {
            return Ok(());
        }
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut bytes = MAGIC.to_vec();
        for (path, (stamp, id)) in &self.known {
            let numbers = [stamp.modified.0, stamp.modified.1, stamp.changed.0, stamp.changed.1];
            bytes.extend(stamp.size.to_le_bytes());
            numbers.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend(stamp.inode.to_le_bytes());
            bytes.extend(id.0);
            bytes.extend(u32::try_from(path.len()).unwrap_or_default().to_le_bytes());
            bytes.extend(path.as_bytes());
        }
        bytes.extend(blake3::hash(&bytes).as_bytes());
        replace_file(file, bytes)
    }

    /// Answers all questions, from memory where possible, reading the rest on all processors. Files that are not asked for are
    /// forgotten once there are many of them. The first file that cannot be read is an error, with its path.
    pub(super) fn answer(&mut self, root: &Utf8Path, questions: &[Question]) -> Result<Vec<ContentId>, (String, io::Error)> {
        let begun = SystemTime::now();
        let mut answers: Vec<Option<ContentId>> = questions
            .iter()
            .map(|question| self.known.get(&question.path).filter(|(stamp, _)| *stamp == Stamp::of(&question.metadata)))
            .map(|known| known.map(|(_, id)| *id))
            .collect();
        let open: Vec<usize> = (0..questions.len()).filter(|&index| answers[index].is_none()).collect();
        let read = parallel::try_map(&open, FILES_PER_THREAD, |&index| {
            let Question { path, metadata } = &questions[index];
            ContentId::of_file(&root.join(path), metadata.len()).map_err(|error| (path.clone(), error))
        })?;
        for (&index, id) in open.iter().zip(read) {
            answers[index] = Some(id);
        }
        let ids: Vec<ContentId> = answers.into_iter().flatten().collect();
        let settled = |metadata: &Metadata| {
            let limit = begun.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(RACY);
            let limit = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
            metadata.ctime() < limit && metadata.mtime() < limit
        };
        for &index in &open {
            let question = &questions[index];
            let stamp = Stamp::of(&question.metadata);
            let before = if settled(&question.metadata) {
                self.known.insert(question.path.clone(), (stamp, ids[index]))
            } else {
                self.known.remove(&question.path)
            };
            self.changed |= settled(&question.metadata) || before.is_some();
        }
        if self.known.len() > 2 * questions.len() + SPARE {
            let asked: HashSet<&str> = questions.iter().map(|question| question.path.as_str()).collect();
            self.known.retain(|path, _| asked.contains(path.as_str()));
            self.changed = true;
        }
        Ok(ids)
    }
}

fn read(bytes: &[u8]) -> Option<HashMap<String, (Stamp, ContentId)>> {
    let (body, sum) = bytes.split_last_chunk::<32>()?;
    if blake3::hash(body) != *sum {
        return None;
    }
    let mut rest = body.strip_prefix(MAGIC)?;
    let mut known = HashMap::with_capacity(rest.len() / 96);
    while !rest.is_empty() {
        let (fixed, after) = rest.split_first_chunk::<72>()?;
        let number = |index: usize| fixed[index * 8..].first_chunk::<8>().map(|bytes| i64::from_le_bytes(*bytes));
        let unsigned = |index: usize| fixed[index * 8..].first_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes));
        let stamp = Stamp {
            size: unsigned(0)?,
            modified: (number(1)?, number(2)?),
            changed: (number(3)?, number(4)?),
            inode: unsigned(5)?,
        };
        let id = ContentId(*fixed[48..].first_chunk::<20>()?);
        let length = usize::try_from(u32::from_le_bytes(*fixed[68..].first_chunk::<4>()?)).ok()?;
        let (path, after) = after.split_at_checked(length)?;
        known.insert(String::from_utf8(path.to_vec()).ok()?, (stamp, id));
        rest = after;
    }
    Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_other_ignore_files_are_remembered_until_there_are_many() {
        let folder = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(folder.path()).unwrap();
        fs::write(root.join("f"), "text").unwrap();
        let metadata = || fs::metadata(root.join("f")).unwrap();
        let remembered = ContentId::of(b"remembered");
        let mut hashes = Hashes::default();
        for path in ["f", "of another image"] {
            hashes.known.insert(path.to_owned(), (Stamp::of(&metadata()), remembered));
        }
        let question = || [Question { path: "f".to_owned(), metadata: metadata() }];
        assert_eq!(hashes.answer(root, &question()).unwrap(), [remembered]);
        assert!(hashes.known.len() == 2 && !hashes.changed);
        for number in 0..=SPARE {
            hashes.known.insert(number.to_string(), (Stamp::of(&metadata()), remembered));
        }
        assert_eq!(hashes.answer(root, &question()).unwrap(), [remembered]);
        assert!(hashes.known.len() == 1 && hashes.changed);
        // What was just written may be written again unseen.
        fs::write(root.join("f"), "other").unwrap();
        assert_eq!(hashes.answer(root, &question()).unwrap(), [ContentId::of(b"other")]);
        assert!(hashes.known.is_empty());
    }
}
