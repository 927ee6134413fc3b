//! When the layers of namespaces were made: by that they are known where they have no name any more.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};

use camino::{Utf8Path, Utf8PathBuf};
use jiff::Timestamp;

use super::output;
use super::owned::of_run;
use crate::engine::{CacheRecord, verbose_records};

/// A file beside the copy, so that the next run has it when this one is killed.
#[derive(Debug, Clone)]
pub(in crate::bench::run) struct Made(Utf8PathBuf);

impl Made {
    /// The list in a run's folder of state.
    pub(in crate::bench::run) fn at(state: &Utf8Path) -> Self {
        Self(state.join("made"))
    }

    /// Where it is.
    #[cfg(test)]
    pub(super) fn path(&self) -> &Utf8Path {
        &self.0
    }

    /// Notes the layers that a namespace has now. To be called before they are exported, and so before they can be imported.
    pub(in crate::bench::run) fn note(&self, docker: &str, namespace: &str) -> io::Result<()> {
        let all = verbose_records(&output(docker, &["buildx", "du", "--verbose"]), Timestamp::now());
        let found = of_run(&all, namespace, &BTreeMap::new());
        let lines =
            all.iter().filter(|record| found.contains(&record.id)).map(|record| format!("{}\t{namespace}\n", created(record)));
        let text: String = lines.collect();
        let mut file = File::options().create(true).append(true).open(&self.0)?;
        file.write_all(text.as_bytes())
    }

    /// Time and namespace.
    pub(super) fn read(&self) -> BTreeMap<String, String> {
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.lines().filter_map(|line| line.split_once('\t'));
        lines.map(|(created, namespace)| (created.to_owned(), namespace.to_owned())).collect()
    }
}

/// When a record was made, as text that tells it from others.
pub(super) fn created(record: &CacheRecord) -> String {
    record.created.map(|time| time.to_string()).unwrap_or_default()
}
