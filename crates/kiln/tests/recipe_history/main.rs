//! Recipes over the history of real repositories, against cargo's own unit graph.
//!
//! For each pair of neighbouring commits of a branch: did the recipe change, and did what cargo would compile of others' crates?
//! A change of the recipe alone is *false* (a layer rebuilt for nothing), one of the units alone is *missed* (a stale layer).
//! Where cargo-chef is given, its recipes are put to the same question.
//!
//! It takes an hour or so, and downloads some thousand crates. To run it, or to continue where it was interrupted:
//!
//! ```text
//! KILN_HISTORY=/a/folder cargo test -p kiln --test recipe_history -- --ignored --nocapture
//! ```
//!
//! `KILN_HISTORY_LIST` names a list of repositories other than `repositories.json` beside this file, `KILN_HISTORY_CHEF` the binary of
//! cargo-chef. All that cargo and cargo-chef answered is kept in the folder by commit (JSON lines), so that after a change of
//! kiln only what kiln does is done again.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod facts;
mod replay;
mod repository;
mod store;
mod table;
#[path = "../unit_graph/mod.rs"]
mod unit_graph;

use camino::{Utf8Path, Utf8PathBuf};

#[test]
#[ignore = "downloads repositories and thousands of crates"]
#[expect(clippy::print_stdout, reason = "the table is what it is run for")]
fn recipes_change_exactly_when_external_units_do() {
    let folder = environment("KILN_HISTORY").expect("KILN_HISTORY is a folder for clones and results");
    let list = environment("KILN_HISTORY_LIST")
        .unwrap_or_else(|| Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipe_history/repositories.json"));
    let chef = environment("KILN_HISTORY_CHEF");
    let subjects = repository::read_list(&list);
    let mut rows = Vec::new();
    for subject in &subjects {
        let row = replay::replay(subject, &folder.join(&subject.name), chef.as_deref());
        println!("{}", table::details(&row));
        rows.push(row);
    }
    println!("{}", table::markdown(&rows));
    let wrong: usize = rows.iter().map(|row| row.kiln.missed.len() + row.unequal.len() + row.refused_by_kiln.len()).sum();
    assert_eq!(wrong, 0, "missed changes, stubs with other units, or refusals of what cargo builds");
}

#[expect(clippy::disallowed_methods, reason = "how a test is told where to work")]
fn environment(name: &str) -> Option<Utf8PathBuf> {
    std::env::var(name).ok().map(Utf8PathBuf::from)
}
