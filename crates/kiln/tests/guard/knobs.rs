//! What can be edited in the fixture.

/// What can be edited, and how many values it has; all begin with 0.
pub(crate) const KNOBS: &[(&str, usize)] = &[
    // `app/src/main.rs` and `app/src/bin/other.rs`
    ("main", 4),
    ("other", 3),
    // `first/src/value.rs`, a module
    ("value", 4),
    // `first/data/a.txt`, by `include_str!`
    ("included", 4),
    // `first/templates/t.txt`, read by a macro, undeclared
    ("template", 4),
    // `first/input.txt`, read by a build script that declares it
    ("input", 4),
    // `first/also.txt`, read by the same script, undeclared
    ("also", 4),
    // `second/conf.txt`, read by a build script that declares nothing
    ("conf", 4),
    // `first/elsewhere.txt`, read by the same script, of another package
    ("elsewhere", 3),
    // `second/watched/*.txt`, a folder that a build script of `app` declares; one digit of base 3 for each file, 0 for none
    ("watched", 27),
    // The file to which a link in that folder leads, in another package
    ("watched link", 3),
    // `migrations/*.sql`, listed by a macro in `second`, undeclared
    ("migrations", 27),
    // `shared/shared.rs`, to which `first/src/shared.rs` is a link
    ("shared", 4),
    // `macros/src/lib.rs`, a number that one of the macros adds
    ("macros", 3),
    // Description in `second/Cargo.toml`, read by `env!`
    ("manifest", 3),
    // Description in `first/Cargo.toml`, which the build script reads from its environment
    ("about", 3),
    // `first/src/extra.rs` or `first/src/extra/mod.rs`, by turns
    ("extra", 4),
    // `$GUARD_DECLARED`, by `option_env!`; 0: not set
    ("declared", 3),
    // `$GUARD_SILENT`, read by a macro
    ("silent", 3),
    // `$GUARD_SCRIPT`, read by the build script that declares nothing
    ("script", 3),
    // `first/tool.sh` can be run: a build script asks
    ("executable", 2),
    // `kinds/thing` is a file, a folder, a link or nothing
    ("thing", 5),
    // `kinds/linked` is a link to one of two folders
    ("linked", 2),
    // `kinds/chain` is a link to a link to one of the two
    ("hop", 2),
    // A file in one of the two
    ("set", 3),
    // `kinds/both.txt`, by `include_str!` and undeclared by a script that declares something else
    ("both", 3),
    // `kinds/listed/*.txt`, listed by a macro of the package, undeclared
    ("listed", 27),
    // `kinds/empty`, a folder without files, is there
    ("empty", 2),
    // `kinds/scaffold`, data that looks like a package
    ("scaffold", 4),
    // Default features of `kinds`
    ("features", 3),
    // `[lib] path` of `kinds`
    ("lib", 2),
    // Edition of `kinds`
    ("edition", 2),
    // Version of `kinds`
    ("version", 3),
    // Licence of `kinds`, from the environment of a macro
    ("license", 3),
    // `[workspace.metadata]`, read by a macro
    ("note", 3),
    // The build script of `kinds` is `build.rs` or `other.rs`
    ("who", 2),
    // A number in the build script of `kinds`
    ("code", 3),
    // A build dependency of `kinds`
    ("helper", 3),
    // `native/number.txt`, which the script of `kinds` gets as `DEP_NATIVE_NUMBER`
    ("native", 3),
    // A library beside the workspace
    ("outside", 3),
    // The folder of a package
    ("mover", 2),
    // `.cargo/config.toml`: not there, a variable, flags
    ("config", 4),
    // `.git/HEAD`, read by a macro
    ("head", 3),
    // A member whose build script writes into its own source
    ("writer", 3),
    // One whose build script writes into the source of its dependent
    ("crosser", 3),
];
