//! The sources of the fixture. `TOP` stands for the way from a member to the folder that is the build context, `ROOT` for the way
//! to the workspace's, `SIBLING` for the one that members lie in, and words like `NUMBER` for what a tree says.

pub(crate) const APP: &str = r#"
fn main() {
    println!("main {}", MAIN);
    print!("{}", first::text());
    print!("{}", second::text());
    print!("{}", kinds::text());
    println!("outside {}", outside::text());
    println!("mover {}", mover::text());
    println!("watched {}", include_str!(concat!(env!("OUT_DIR"), "/watched.txt")));
    println!("declared {}", option_env!("GUARD_DECLARED").unwrap_or("-"));
    println!("silent {}", macros::variable!("GUARD_SILENT"));
    println!("config {} {}", option_env!("GUARD_CONFIG").unwrap_or("-"), cfg!(guard_flag));
    println!("head {}", macros::read!("TOP/.git/HEAD"));
    println!("loud {} {}", cfg!(feature = "loud"), kinds::LOUD);
    OPTIONAL
}
"#;

pub(crate) const OTHER: &str = r#"
fn main() {
    println!("other {}", OTHER);
    print!("{}", kinds::text());
}
"#;

/// Declares a folder of another package, and fails to notice that its own old result is still there.
pub(crate) const APP_SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=SIBLING/second/watched");
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("watched.txt");
    if !out.exists() {
        let mut found = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir("SIBLING/second/watched").into_iter().flatten().flatten() {
            let path = entry.path();
            found.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        }
        let text: String = found.iter().map(|(key, value)| format!("{}={value};", key.to_str().unwrap())).collect();
        std::fs::write(out, text).unwrap();
    }
}
"#;

pub(crate) const FIRST: &str = r#"
mod extra;
mod shared;
mod value;
include!(concat!(env!("OUT_DIR"), "/generated.rs"));
pub fn text() -> String {
    format!(
        "value {}\nincluded {}\ntemplate {}\ninput {}\nalso {}\nexecutable {}\nshared {}\nextra {}\nabout {}\n",
        value::VALUE, include_str!("../data/a.txt"), macros::read!("templates/t.txt"), INPUT, ALSO, EXECUTABLE, shared::SHARED,
        extra::EXTRA, ABOUT
    )
}
"#;

/// Declares one of the files it reads.
pub(crate) const FIRST_SCRIPT: &str = r#"
use std::os::unix::fs::PermissionsExt;
fn main() {
    println!("cargo::rerun-if-changed=input.txt");
    let read = |name: &str| std::fs::read_to_string(name).unwrap();
    let executable = std::fs::metadata("tool.sh").unwrap().permissions().mode() & 0o111 != 0;
    let about = std::env::var("CARGO_PKG_DESCRIPTION").unwrap();
    let text = format!(
        "const INPUT: usize = {}; const ALSO: usize = {}; const EXECUTABLE: bool = {executable}; const ABOUT: &str = \"{about}\";",
        read("input.txt"), read("also.txt")
    );
    std::fs::write(format!("{}/generated.rs", std::env::var("OUT_DIR").unwrap()), text).unwrap();
}
"#;

pub(crate) const SECOND: &str = r#"
pub fn text() -> String {
    format!(
        "conf {}\nscript {}\nelsewhere {}\nmanifest {}\nmigrations {}\n",
        env!("CONF"), env!("SCRIPT"), env!("ELSEWHERE"), env!("CARGO_PKG_DESCRIPTION"), macros::list!("TOP/migrations")
    )
}
"#;

/// Declares nothing, and reads a file of a package that this one does not depend on.
pub(crate) const SECOND_SCRIPT: &str = r#"
fn main() {
    println!("cargo:rustc-env=CONF={}", std::fs::read_to_string("conf.txt").unwrap());
    println!("cargo:rustc-env=SCRIPT={}", std::env::var("GUARD_SCRIPT").unwrap_or_default());
    println!("cargo:rustc-env=ELSEWHERE={}", std::fs::read_to_string("../first/elsewhere.txt").unwrap());
}
"#;

pub(crate) const KINDS: &str = r#"
include!(concat!(env!("OUT_DIR"), "/generated.rs"));
pub const LOUD: bool = cfg!(feature = "loud");
macro_rules! edition { ($value:expr) => { 2024 }; (const $block:block) => { 2021 } }
pub fn text() -> String {
    [
        format!("thing {}\n", macros::shape!("thing")),
        format!("linked {}\n", include_str!("../linked/deep/x.txt")),
        format!("chain {}\n", macros::read!("chain/deep/x.txt")),
        format!("both {} {}\n", include_str!("../both.txt"), BOTH),
        format!("listed {}\n", macros::list!("listed")),
        format!("empty {}\n", macros::shape!("empty")),
        format!("scaffold {} {}\n", macros::read!("scaffold/Cargo.toml"), macros::shape!("scaffold/src")),
        format!("features {} {}\n", cfg!(feature = "x"), cfg!(feature = "y")),
        format!("lib {}\n", WHICH),
        format!("edition {}\n", edition!(const { 1 })),
        format!("version {}\n", env!("CARGO_PKG_VERSION")),
        format!("license {}\n", macros::variable!("CARGO_PKG_LICENSE")),
        format!("note {}\n", macros::note!("ROOT/Cargo.toml")),
        format!("kept {}\n", include_str!(concat!(env!("OUT_DIR"), "/kept.txt"))),
        format!("locked {}\n", LOCKED),
    ].concat()
}
"#;

/// Keeps what an earlier run wrote, whatever has changed since; looks at the lock; declares one file.
pub(crate) const KINDS_SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=declared.txt");
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap());
    let kept = out.join("kept.txt");
    if !kept.exists() {
        let native = std::env::var("DEP_NATIVE_NUMBER").unwrap();
        std::fs::write(kept, format!("WHO.CODE.{}.{native}", helper::NUMBER)).unwrap();
    }
    let both = std::fs::read_to_string("both.txt").unwrap();
    let locked = std::fs::read_to_string("ROOT/Cargo.lock").unwrap().matches("[[package]]").count();
    let text = format!("const BOTH: usize = {both}; const LOCKED: usize = {locked};");
    std::fs::write(out.join("generated.rs"), text).unwrap();
}
"#;

pub(crate) const NATIVE_SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=number.txt");
    println!("cargo::metadata=number={}", std::fs::read_to_string("number.txt").unwrap());
}
"#;

/// Writes into a source of its own, or of the package that depends on it.
pub(crate) const WRITER_SCRIPT: &str = r#"
fn main() {
    println!("cargo:rerun-if-changed=in.txt");
    let number: usize = std::fs::read_to_string("in.txt").unwrap().trim().parse().unwrap();
    std::fs::write("DESTINATION/src/generated.rs", format!("pub const VALUE: usize = {};\n", number * 10)).unwrap();
}
"#;

pub(crate) const MACROS: &str = r#"
extern crate proc_macro;
use proc_macro::{Literal, TokenStream, TokenTree};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
fn here(input: TokenStream) -> PathBuf {
    Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join(input.to_string().trim_matches('"'))
}
fn literal(text: &str) -> TokenStream { TokenTree::from(Literal::string(text)).into() }
fn folder(path: &Path) -> String {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        let path = entry.path();
        found.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
    }
    found.iter().map(|(key, value)| format!("{}={value};", key.to_str().unwrap())).collect()
}
/// The text of a file.
#[proc_macro]
pub fn read(input: TokenStream) -> TokenStream {
    literal(&format!("{}+{}", std::fs::read_to_string(here(input)).unwrap().trim(), NUMBER))
}
/// The files of a folder.
#[proc_macro]
pub fn list(input: TokenStream) -> TokenStream { literal(&folder(&here(input))) }
/// What is there: a file, a folder or nothing.
#[proc_macro]
pub fn shape(input: TokenStream) -> TokenStream {
    let path = here(input);
    literal(&match std::fs::metadata(&path) {
        Err(_) => "nothing".to_owned(),
        Ok(metadata) if metadata.is_dir() => format!("folder {}", folder(&path)),
        Ok(_) => format!("file {}", std::fs::read_to_string(&path).unwrap()),
    })
}
/// `note = N` in a manifest.
#[proc_macro]
pub fn note(input: TokenStream) -> TokenStream {
    let text = std::fs::read_to_string(here(input)).unwrap();
    literal(text.lines().find_map(|line| line.strip_prefix("note = ")).unwrap_or("none"))
}
/// A variable.
#[proc_macro]
pub fn variable(input: TokenStream) -> TokenStream {
    literal(&std::env::var(input.to_string().trim_matches('"')).unwrap_or_default())
}
"#;
