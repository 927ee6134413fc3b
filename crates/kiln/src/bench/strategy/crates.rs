//! Which crates cargo compiled, from what it prints.

use std::collections::{BTreeMap, BTreeSet};

use crate::event::BuildEvent;

/// Crates that were compiled in one build.
#[derive(Debug, Default)]
pub(super) struct Crates {
    local: BTreeSet<String>,
    external: BTreeSet<String>,
    /// Unfinished lines of each step.
    pending: BTreeMap<String, String>,
}

impl Crates {
    /// Takes in one event of a build.
    pub(super) fn event(&mut self, event: &BuildEvent) {
        let BuildEvent::StepLog { digest, text, .. } = event else { return };
        let mut pending = self.pending.remove(digest).unwrap_or_default();
        pending.push_str(text);
        while let Some((line, rest)) = pending.split_once('\n') {
            self.line(line);
            pending = rest.to_owned();
        }
        self.pending.insert(digest.clone(), pending);
    }

    /// Takes in one line of cargo's: `   Compiling serde v1.0.0`, with a path behind if the crate is a local one.
    pub(super) fn line(&mut self, line: &str) {
        let Some(rest) = line.trim_start().strip_prefix("Compiling ") else { return };
        let mut words = rest.split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else { return };
        if !version.starts_with('v') {
            return;
        }
        if words.any(|word| word.starts_with("(/")) {
            self.local.insert(name.to_owned());
        } else {
            self.external.insert(format!("{name} {version}"));
        }
    }

    /// How many local ones.
    pub(super) fn local(&self) -> usize {
        self.local.len()
    }

    /// How many others.
    pub(super) fn external(&self) -> usize {
        self.external.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crates_are_counted_once_across_pieces_and_steps() {
        let mut crates = Crates::default();
        let log = |digest: &str, text: &str| BuildEvent::StepLog { digest: digest.to_owned(), stream: 2, text: text.to_owned() };
        for event in [
            log("a", "   Compiling serde v1.0.0\n   Compi"),
            log("b", "   Compiling app v0.1.0 (/app/app)\n"),
            log("a", "ling serde v2.0.0\n   Compiling fork v0.1.0 (https://example.org/fork#1234)\n"),
            log("b", "Compiling app v0.1.0 (/app/app)\nCompiling TypeScript files…\n    Finished `release`\n"),
        ] {
            crates.event(&event);
        }
        assert_eq!((crates.local(), crates.external()), (1, 3));
    }
}
