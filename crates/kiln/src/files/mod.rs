//! The files that `kiln init` writes: rendering, headers with a hash of the body, and what to do with edited ones.
//!
//! Three steps, each a function: [`render()`] turns a plan into texts, [`compare()`] looks at what is there and decides what would
//! happen to each file, [`write`](Comparison::write) does it. Nothing is written before all is rendered and compared, and each file is
//! replaced in one step, so that an interrupted run leaves no half file.

mod bake;
mod compare;
mod compose;
mod github;
mod header;
mod ignore_file;
mod make;
mod scratch;
mod settings_file;
#[cfg(test)]
mod tests;
mod write;

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use crate::dockerfile;
use crate::plan::{ImageEngine, Plan, Variant};

pub use compare::{Comparison, Entry, compare};
pub(crate) use make::targets;
pub use scratch::Scratch;
pub use write::replace_file;
pub(crate) use write::replace_files;

/// Version that generated headers name.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A file as kiln would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// Path relative to the project root.
    pub path: Utf8PathBuf,
    /// Its text; the header of [`Ownership::Kiln`] is not part of it.
    pub body: String,
    /// Who owns it once it is there.
    pub ownership: Ownership,
}

/// Who owns a file, and so what may happen to one that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ownership {
    /// kiln: replaced as long as nobody edited it.
    Kiln,
    /// The user, from the day it is written: it has no header. What kiln wrote before, unedited, it may take the place of.
    HandedOver,
    /// The user: written once, then left alone.
    User,
    /// The user, but one line of it is kiln's: the line is added where it is missing, and all else stays.
    Line {
        /// Other spellings of the line that do as well.
        accepted: Vec<String>,
    },
    /// Left out, because a file that does the same stands under another name.
    Replaced {
        /// That file.
        by: Utf8PathBuf,
    },
}

/// What happened, or would happen, to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It was not there.
    Created,
    /// It was there, unedited, with other content.
    Updated,
    /// It is as it should be.
    Unchanged,
    /// A person wrote or edited it: left alone.
    Kept,
}

/// Why files could not be written. Nothing was changed, unless the variant says so.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// What is there cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder or device stands where a file is to be.
    #[error("`{path}` is {found}, expected a file")]
    NotAFile {
        /// The path.
        path: Utf8PathBuf,
        /// What stands there, with its article.
        found: &'static str,
    },
    /// A file that kiln would have to compare is not text.
    #[error("`{path}` is not UTF-8 text (line {line})")]
    NotText {
        /// The file.
        path: Utf8PathBuf,
        /// Line of the first bad byte, from 1.
        line: usize,
    },
    /// A folder cannot be made, or nothing can be written into it.
    #[error("cannot write into `{folder}`; nothing was changed")]
    Folder {
        /// The folder.
        folder: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A finished file could not be put into place.
    #[error("cannot replace `{path}`; files before it in the list are written")]
    Replace {
        /// The file.
        path: Utf8PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Facts about the repository that decide which files are written.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Text of the Makefile in force (`GNUmakefile`, `makefile` or `Makefile`), with its name.
    pub makefile: Option<(Utf8PathBuf, String)>,
    /// A compose file under another name than kiln's.
    pub compose: Option<Utf8PathBuf>,
    /// Whether there is to be a workflow for GitHub Actions: it was asked for, or kiln wrote one before.
    pub github: bool,
}

/// Whether a text begins with the header of a file that kiln wrote, edited since or not.
pub(crate) fn is_generated(path: &Utf8Path, text: &str) -> bool {
    header::parse(path, text).is_some()
}

/// All files of a plan, in the order in which they are shown.
#[must_use]
pub fn render(plan: &Plan, surroundings: &Surroundings) -> Vec<Rendered> {
    let with_kiln = plan.engine == ImageEngine::Kiln;
    let ownership = if with_kiln { Ownership::Kiln } else { Ownership::HandedOver };
    let generated = |path: &Utf8PathBuf, body: String| Rendered { path: path.clone(), body, ownership: ownership.clone() };
    let mut files = vec![Rendered { path: "kiln.toml".into(), body: settings_file::body(plan), ownership: Ownership::User }];
    for service in &plan.services {
        for variant in Variant::ALL {
            let text = dockerfile::render(plan, service, variant).to_string();
            files.push(generated(service.files.dockerfile(variant), text));
        }
        let text = ignore_file::body(plan, service);
        files.extend(service.files.ignore.iter().map(|path| generated(path, text.clone())));
    }
    files.push(generated(&"docker-bake.hcl".into(), bake::body(plan)));
    let mut compose = generated(&"compose.yaml".into(), compose::body(plan));
    if let Some(by) = &surroundings.compose {
        compose.ownership = Ownership::Replaced { by: by.clone() };
    }
    files.push(compose);
    if with_kiln {
        files.extend(make_files(surroundings));
    }
    if surroundings.github {
        files.push(generated(&github::PATH.into(), github::body(plan)));
    }
    files
}

/// `kiln.mk` and the line that includes it.
fn make_files(surroundings: &Surroundings) -> [Rendered; 2] {
    let own = surroundings.makefile.as_ref().map_or("", |(_, text)| text);
    let makefile = surroundings.makefile.as_ref().map_or_else(|| "Makefile".into(), |(path, _)| path.clone());
    let accepted = vec!["-include kiln.mk".to_owned(), "sinclude kiln.mk".to_owned()];
    [
        Rendered { path: "kiln.mk".into(), body: make::body(own), ownership: Ownership::Kiln },
        Rendered { path: makefile, body: make::INCLUDE.to_owned(), ownership: Ownership::Line { accepted } },
    ]
}
