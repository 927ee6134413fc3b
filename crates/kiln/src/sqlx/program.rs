//! The files that go into a package's programs, for readers that look for something other than queries.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use camino::Utf8PathBuf;
use proc_macro2::TokenStream;

use super::cfg::{self, Facts, Truth};
use super::targets::{Reader, TargetKind};
use super::tokens;
use crate::project::cargo::{CargoPackage, CargoWorkspace};

/// The files, absolute and in order, each with its tokens, from which a package's library and binaries are compiled for an image: neither
/// those of tests nor those of build scripts. With any feature that the package has. What cannot be read is not there.
pub(crate) fn program_files(workspace: &CargoWorkspace, package: &CargoPackage) -> BTreeMap<Utf8PathBuf, TokenStream> {
    let features: BTreeSet<String> = package.features.keys().cloned().collect();
    let facts = Facts { features: &features, test: false };
    let reached = Reader::default().files(&workspace.folder(package), package);
    let compiled = reached
        .into_iter()
        .filter(|file| file.kind == TargetKind::Build && cfg::all(&file.conditions, facts) != Truth::No)
        .map(|file| file.path);
    let read = |path: Utf8PathBuf| {
        let stream = tokens::read(&fs::read_to_string(&path).ok()?).ok()?;
        Some((path, stream))
    };
    compiled.collect::<BTreeSet<_>>().into_iter().filter_map(read).collect()
}
