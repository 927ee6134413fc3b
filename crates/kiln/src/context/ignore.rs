//! `.dockerignore`: read and matched as BuildKit does.
//!
//! The semantics are those of moby's `ignorefile` and of `patternmatcher` as a client that walks a context uses it
//! (`MatchesUsingParentResults`), which are not gitignore's: patterns are anchored at the root, the last match wins, and `!docs/a.md` after
//! `docs` brings the file back.

use super::pattern::Pattern;
pub use super::pattern::PatternError;

/// The rules of one ignore file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IgnoreFile {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    line: usize,
    included: bool,
    pattern: Pattern,
}

/// An ignore file that BuildKit refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: `{pattern}` is not a valid pattern")]
pub struct IgnoreError {
    /// Line, from 1.
    pub line: usize,
    /// The pattern as written.
    pub pattern: String,
    /// What is wrong with it; absent for a lone `!`.
    pub source: Option<PatternError>,
}

/// What is known about a folder when its children are matched.
///
/// moby remembers for each pattern whether it matched the folder or one above it. A pattern that had nothing to decide there (an exception
/// for a folder that nothing excludes) is not asked and counts as not matching, also for everything below.
#[derive(Debug, Clone, Default)]
pub struct FolderMatches {
    matched: Option<Vec<bool>>,
}

impl IgnoreFile {
    /// Reads the text of an ignore file.
    ///
    /// # Errors
    /// The first pattern that BuildKit would refuse.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, raw) in text.lines().enumerate() {
            let line = index + 1;
            let written = raw.trim();
            let error = |source| IgnoreError { line, pattern: written.chars().take(200).collect(), source };
            if raw.len() >= LONGEST_LINE {
                return Err(error(Some(PatternError::TooLong)));
            }
            let Some(pattern) = normalized(raw) else { continue };
            let (included, pattern) = match pattern.strip_prefix('!') {
                Some("") => return Err(error(None)),
                Some(rest) => (true, rest),
                None => (false, pattern.as_str()),
            };
            let pattern = Pattern::new(pattern).map_err(|source| error(Some(source)))?;
            rules.push(Rule { line, included, pattern });
        }
        Ok(Self { rules })
    }

    /// Whether the path (relative to the context root, with `/`) is left out of the context.
    ///
    /// A path is also left out when one of its parents matches, unless a later `!` rule brings it back.
    #[must_use]
    pub fn excludes(&self, path: &str) -> bool {
        self.deciding_rule(path).is_some_and(|rule| !rule.included)
    }

    /// The line of the rule that decides about a path, if any rule speaks of it.
    #[must_use]
    pub fn deciding_line(&self, path: &str) -> Option<usize> {
        self.deciding_rule(path).map(|rule| rule.line)
    }

    /// Whether some `!` rule could bring back something below an excluded folder, so that it must still be walked.
    #[must_use]
    pub fn has_inclusions(&self) -> bool {
        self.rules.iter().any(|rule| rule.included)
    }

    /// Whether a path is left out, when what matched its folder is known, and what its own children then need to know.
    ///
    /// For walks of whole trees: each pattern is tried once for each path. The root's children take `FolderMatches::default()`.
    /// A folder that is left out is still sent when something below it is not.
    #[must_use]
    pub fn enter(&self, folder: &FolderMatches, path: &str) -> (bool, FolderMatches) {
        let (deciding, matched) = self.step(folder, path);
        (deciding.is_some_and(|rule| !rule.included), matched)
    }

    fn step(&self, folder: &FolderMatches, path: &str) -> (Option<&Rule>, FolderMatches) {
        let mut excluded = false;
        let mut deciding = None;
        let mut matched = vec![false; self.rules.len()];
        for (index, rule) in self.rules.iter().enumerate() {
            let inherited = folder.matched.as_ref().is_some_and(|matched| matched[index]);
            // An exception has nothing to say about what is not excluded, and the other way round.
            if !inherited && (rule.included != excluded || !rule.pattern.matches(path)) {
                continue;
            }
            matched[index] = true;
            excluded = !rule.included;
            deciding = Some(rule);
        }
        (deciding, FolderMatches { matched: Some(matched) })
    }

    fn deciding_rule(&self, path: &str) -> Option<&Rule> {
        let mut folder = FolderMatches::default();
        for (end, _) in path.match_indices('/') {
            folder = self.step(&folder, &path[..end]).1;
        }
        self.step(&folder, path).0
    }
}

/// Lines of this many bytes are not read by BuildKit.
const LONGEST_LINE: usize = 64 << 10;

/// A line as a pattern with its `!`, as moby first reads and then cleans it; `None` for one that says nothing.
fn normalized(raw: &str) -> Option<String> {
    if raw.starts_with('#') {
        return None;
    }
    let trimmed = raw.trim();
    let (mark, pattern) = match trimmed.strip_prefix('!') {
        Some(rest) => ("!", rest.trim()),
        None => ("", trimmed),
    };
    if trimmed.is_empty() {
        return None;
    }
    let cleaned = if pattern.is_empty() { String::new() } else { clean(pattern) };
    let relative = match cleaned.strip_prefix('/') {
        Some(rest) if !rest.is_empty() => rest,
        _ => cleaned.as_str(),
    };
    // Cleaned twice, the second time with the `!`: `/!a` is an exception, too, and `!/` one without a pattern.
    let pattern = format!("{mark}{relative}");
    let pattern = pattern.trim();
    (!pattern.is_empty()).then(|| clean(pattern))
}

/// Go's `path.Clean`: the shortest equal path by text alone.
fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            other => parts.push(other),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".to_owned(),
        (false, false) => parts.join("/"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_moby() {
        let cases: &[(&str, &str, bool)] = &[
            ("**", "file", true),
            ("**", "dir/file", true),
            ("**/", "file", true),
            ("**/**", "dir/file", true),
            ("dir/**", "dir/file", true),
            ("dir/**", "dir", false),
            ("dir/**", "dir/dir2/file", true),
            ("dir/**", "dirx/file", false),
            ("**/dir", "dir", true),
            ("**/dir", "dir/file", true),
            ("**/dir", "a/dir/file", true),
            ("**/dir2/*", "dir/dir2/file", true),
            ("**/dir2/**", "dir/dir2/dir3/file", true),
            ("**file", "file", true),
            ("**file", "dir/file", true),
            ("**file", "dir/afile", true),
            ("**/file", "dir/afile", false),
            ("**file*txt", "dir/file.txt", true),
            ("**/**/*.txt", "dir/dir2/file.txt", true),
            ("a**/*.txt", "a/file.txt", true),
            ("a**/*.txt", "a/dir/dir/file.txt", true),
            ("a/*.txt", "a/file.txt", true),
            ("a/*.txt", "a/b/file.txt", false),
            ("*", "file", true),
            ("*", "dir/file", true),
            ("a/b/c*", "a/b/cx/file", true),
            ("?", "a", true),
            ("?", "ab", false),
            ("a?c", "a/c", false),
            ("[a-c]x", "bx", true),
            ("[^a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("a.b", "axb", false),
            ("a\\*b", "a*b", true),
            ("a\\*b", "axb", false),
            ("/target", "target/debug/x", true),
            ("target/", "target", true),
            ("./target", "target/x", true),
            ("a/../b", "b/x", true),
            ("target", "crates/target", false),
            (".*", ".git/config", true),
            ("*.md", "README.md", true),
            ("*.md", "docs/a.md", false),
            ("**/*.md", "docs/a.md", true),
            ("a(b)+{c}$", "a(b)+{c}$", true),
            ("  spaced  ", "spaced", true),
        ];
        for (pattern, path, expected) in cases {
            let file = IgnoreFile::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(file.excludes(path), *expected, "pattern `{pattern}`, path `{path}`");
        }
    }

    #[test]
    fn the_last_match_wins_and_exclamation_brings_files_back() {
        let cases: &[(&str, &str, bool)] = &[
            ("docs\n!docs/README.md", "docs/README.md", false),
            ("docs\n!docs/README.md", "docs/other.md", true),
            ("docs\n!docs/README.md\ndocs/README.md", "docs/README.md", true),
            ("!a\na", "a", true),
            ("**\n!src", "src/main.rs", false),
            ("**\n!src", "Cargo.toml", true),
            ("*\n!dir/deep/file", "dir/deep/file", false),
            ("# comment\n\n a \n", "a", true),
            ("\u{feff}a", "a", true),
            (" # not a comment", "# not a comment", true),
            ("a\r\nb\r\n", "b", true),
        ];
        for (text, path, expected) in cases {
            let file = IgnoreFile::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(file.excludes(path), *expected, "rules {text:?}, path `{path}`");
        }
    }

    #[test]
    fn invalid_patterns_name_their_line() {
        for (text, line) in [("a\n[", 2), ("!", 1), ("!/", 1), ("x\ny\n[b-a]", 3), ("a\\", 1), ("[]", 1)] {
            assert_eq!(IgnoreFile::parse(text).expect_err(text).line, line, "{text:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_linear_time() {
        let file = IgnoreFile::parse(&"*a".repeat(200)).expect("valid");
        assert!(!file.excludes(&("a".repeat(5_000) + "b")));
    }
}
