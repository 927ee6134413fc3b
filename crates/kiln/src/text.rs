//! Small pieces that every sentence needs: counts with their plural, and "did you mean".

use std::fmt::{self, Write as _};
use std::ops::AddAssign;

/// `1 crate`, `2 crates`: a number with its noun, plural by `s` unless the noun says otherwise.
///
/// ```
/// assert_eq!(kiln::text::count(1, "crate"), "1 crate");
/// assert_eq!(kiln::text::count(2, "binary"), "2 binaries");
/// ```
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 {
        return format!("1 {noun}");
    }
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o', 'u']) => format!("{number} {stem}ies"),
        _ => format!("{number} {noun}s"),
    }
}

/// Line, from 1, of the first byte of a file that is no UTF-8.
pub(crate) fn line_of_bad_byte(error: &std::string::FromUtf8Error) -> usize {
    let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
    1 + good.iter().filter(|byte| **byte == b'\n').count()
}

/// The candidate that is most like `word`, if one is near enough to be a slip of the finger.
///
/// Near enough means at most a third of the word's letters differ (Levenshtein distance).
///
/// ```
/// assert_eq!(kiln::text::did_you_mean("prot", ["port", "path"]), Some("port"));
/// assert_eq!(kiln::text::did_you_mean("zebra", ["port", "path"]), None);
/// ```
#[must_use]
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// `1.2 MB`: bytes in decimal units, as registries and `docker images` count them.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit < UNITS.len() - 1 {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `0.3 s`, `12.4 s`, `3 min 05 s`, `3 h 20 min`: a duration in seconds for people.
#[must_use]
pub fn seconds(seconds: f64) -> String {
    if seconds < 99.95 {
        format!("{seconds:.1} s")
    } else {
        let whole = seconds.round() as u64;
        match whole / 60 {
            minutes @ 0..60 => format!("{minutes} min {:02} s", whole % 60),
            minutes => format!("{} h {:02} min", minutes / 60, minutes % 60),
        }
    }
}

/// Text that grows by formatted pieces, without a string of its own for each.
///
/// ```
/// let mut text = kiln::text::Text::new("services:\n");
/// text += format_args!("  {}: {}\n", "web", 8080);
/// assert_eq!(text.finish(), "services:\n  web: 8080\n");
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Text that begins with `start`.
    #[must_use]
    pub fn new(start: impl Into<String>) -> Self {
        Self(start.into())
    }

    /// The whole.
    #[must_use]
    pub fn finish(self) -> String {
        self.0
    }
}

impl AddAssign<&str> for Text {
    fn add_assign(&mut self, piece: &str) {
        self.0.push_str(piece);
    }
}

impl AddAssign<fmt::Arguments<'_>> for Text {
    fn add_assign(&mut self, piece: fmt::Arguments<'_>) {
        // Writing into a string fails only if a `Display` does.
        let _ = self.0.write_fmt(piece);
    }
}

impl AddAssign<&String> for Text {
    fn add_assign(&mut self, piece: &String) {
        self.0.push_str(piece);
    }
}

/// The first sixteen hexadecimal digits of a BLAKE3 hash: enough to tell things apart, short enough to show.
#[must_use]
pub fn short_hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex()[..16].to_owned()
}

/// The name of an image without tag and digest. A colon before the last `/` is a port.
///
/// ```
/// assert_eq!(kiln::text::repository("localhost:5000/shop/api:1"), "localhost:5000/shop/api");
/// ```
#[must_use]
pub fn repository(reference: &str) -> &str {
    let name = reference.split_once('@').map_or(reference, |(name, _)| name);
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    }
}
