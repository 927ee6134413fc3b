//! `.dockerignore`: read and matched as BuildKit does.
//!
//! The semantics are those of moby's `ignorefile` and `patternmatcher` (`MatchesOrParentMatches`), which are not gitignore's: patterns are
//! anchored at the root, the last match wins, and `!docs/a.md` after `docs` brings the file back.

use super::pattern::Pattern;
pub use super::pattern::PatternError;

/// The rules of one ignore file.
#[derive(Debug, Clone, Default)]
pub struct IgnoreFile {
    rules: Vec<Rule>,
}

#[derive(Debug, Clone)]
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

impl IgnoreFile {
    /// Reads the text of an ignore file.
    ///
    /// # Errors
    /// The first pattern that BuildKit would refuse.
    pub fn parse(text: &str) -> Result<Self, IgnoreError> {
        let mut rules = Vec::new();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for (index, raw) in text.lines().enumerate() {
            if raw.starts_with('#') || raw.trim().is_empty() {
                continue;
            }
            let line = index + 1;
            let trimmed = raw.trim();
            let (included, pattern) = match trimmed.strip_prefix('!') {
                Some(rest) => (true, rest.trim()),
                None => (false, trimmed),
            };
            if pattern.is_empty() {
                return Err(IgnoreError { line, pattern: trimmed.to_owned(), source: None });
            }
            let cleaned = clean(pattern);
            let cleaned = match cleaned.strip_prefix('/') {
                Some(rest) if !rest.is_empty() => rest,
                _ => cleaned.as_str(),
            };
            let pattern = Pattern::new(cleaned).map_err(|source| IgnoreError {
                line,
                pattern: trimmed.to_owned(),
                source: Some(source),
            })?;
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

    fn deciding_rule(&self, path: &str) -> Option<&Rule> {
        self.rules.iter().rev().find(|rule| matches_or_parent(&rule.pattern, path))
    }
}

fn matches_or_parent(pattern: &Pattern, path: &str) -> bool {
    pattern.matches(path) || path.match_indices('/').any(|(end, _)| pattern.matches(&path[..end]))
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
        for (text, line) in [("a\n[", 2), ("!", 1), ("x\ny\n[b-a]", 3), ("a\\", 1), ("[]", 1)] {
            assert_eq!(IgnoreFile::parse(text).expect_err(text).line, line, "{text:?}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_linear_time() {
        let file = IgnoreFile::parse(&"*a".repeat(200)).expect("valid");
        assert!(!file.excludes(&("a".repeat(5_000) + "b")));
    }
}
