//! A small workspace whose program prints everything that went into it, and the model of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::world::Random;

/// What the files of the workspace say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    /// `app/src/main.rs`
    pub(crate) main: usize,
    /// `first/src/value.rs`, a module
    pub(crate) value: usize,
    /// `first/data/a.txt`, by `include_str!`
    pub(crate) included: usize,
    /// `first/templates/t.txt`, read by a macro, undeclared
    pub(crate) template: usize,
    /// `first/input.txt`, read by a build script that declares it
    pub(crate) input: usize,
    /// `first/also.txt`, read by the same script, undeclared
    pub(crate) also: usize,
    /// `second/conf.txt`, read by a build script that declares nothing
    pub(crate) conf: usize,
    /// `second/watched/*.txt`, a folder that a build script of `app` declares
    pub(crate) watched: BTreeMap<usize, usize>,
    /// `migrations/*.sql`, listed by a macro in `second`, undeclared
    pub(crate) migrations: BTreeMap<usize, usize>,
    /// `shared/shared.rs`, to which `first/src/shared.rs` is a link
    pub(crate) shared: usize,
    /// `macros/src/lib.rs`, a number that the macro adds
    pub(crate) macros: usize,
    /// Description in `second/Cargo.toml`, read by `env!`
    pub(crate) manifest: usize,
    /// Description in `first/Cargo.toml`, which the build script reads from its environment
    pub(crate) about: usize,
    /// `first/src/extra.rs` or `first/src/extra/mod.rs`, by turns
    pub(crate) extra: usize,
    /// `$GUARD_DECLARED`, by `option_env!`
    pub(crate) declared: usize,
    /// `$GUARD_SILENT`, read by a macro
    pub(crate) silent: usize,
    /// `$GUARD_SCRIPT`, read by the build script that declares nothing
    pub(crate) script: usize,
    /// `first/tool.sh` can be run: a build script asks
    pub(crate) executable: bool,
    /// A member whose build script writes into its own source
    pub(crate) writer: Option<usize>,
}

impl Tree {
    pub(crate) fn first() -> Self {
        Self {
            main: 0,
            value: 0,
            included: 0,
            template: 0,
            input: 0,
            also: 0,
            conf: 0,
            watched: BTreeMap::from([(0, 0)]),
            migrations: BTreeMap::from([(0, 0)]),
            shared: 0,
            macros: 0,
            manifest: 0,
            about: 0,
            extra: 0,
            declared: 0,
            silent: 0,
            script: 0,
            executable: false,
            writer: None,
        }
    }

    /// Changes one thing; small numbers, so that contents come back.
    pub(crate) fn edit(&mut self, random: &mut Random) -> String {
        let number = random.below(4);
        let key = random.below(3);
        let (name, place) = match random.below(18) {
            0 => ("main", &mut self.main),
            1 => ("value", &mut self.value),
            2 => ("included", &mut self.included),
            3 => ("template", &mut self.template),
            4 => ("input", &mut self.input),
            5 => ("also", &mut self.also),
            6 => ("conf", &mut self.conf),
            7 => ("shared", &mut self.shared),
            8 => ("macros", &mut self.macros),
            9 => ("manifest", &mut self.manifest),
            10 => ("extra", &mut self.extra),
            11 => ("declared", &mut self.declared),
            12 => ("silent", &mut self.silent),
            13 => ("script", &mut self.script),
            17 => ("about", &mut self.about),
            14 => {
                self.executable = number > 1;
                return format!("executable {}", self.executable);
            }
            kind => {
                let (name, map) = if kind == 15 { ("watched", &mut self.watched) } else { ("migrations", &mut self.migrations) };
                if number == 0 {
                    map.remove(&key);
                    return format!("{name} {key} removed");
                }
                map.insert(key, number);
                return format!("{name} {key} = {number}");
            }
        };
        *place = number;
        format!("{name} = {number}")
    }

    /// Environment variables of the build.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        [("GUARD_DECLARED", self.declared), ("GUARD_SILENT", self.silent), ("GUARD_SCRIPT", self.script)]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_string()))
            .collect()
    }

    /// What the program prints.
    pub(crate) fn expected(&self) -> String {
        let list = |map: &BTreeMap<usize, usize>| map.iter().map(|(key, value)| format!("{key}={value};")).collect::<String>();
        let macros = self.macros;
        let mut text = format!(
            "main {}\nvalue {}\nincluded {}\ntemplate {}+{macros}\ninput {}\nalso {}\nexecutable {}\nshared {}\nextra {}\nabout {}\n",
            self.main,
            self.value,
            self.included,
            self.template,
            self.input,
            self.also,
            self.executable,
            self.shared,
            self.extra,
            self.about
        );
        write!(
            text,
            "conf {}\nscript {}\nmanifest {}\nmigrations {}\nwatched {}\ndeclared {}\nsilent {}\n",
            self.conf,
            self.script,
            self.manifest,
            list(&self.migrations),
            list(&self.watched),
            self.declared,
            self.silent
        )
        .unwrap();
        if let Some(writer) = self.writer {
            writeln!(text, "writer {}", writer * 10).unwrap();
        }
        text
    }

    /// Files with contents; a link has the content `-> TARGET`.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        let mut add = |path: &str, text: String| drop(files.insert(path.to_owned(), text));
        let package =
            |name: &str, rest: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{rest}");
        let members = if self.writer.is_some() { ", \"writer\"" } else { "" };
        add(
            "Cargo.toml",
            format!("[workspace]\nresolver = \"3\"\nmembers = [\"app\", \"first\", \"second\", \"macros\"{members}]\n"),
        );
        add("Cargo.lock", self.lock());
        let writer = if self.writer.is_some() { "writer = { path = \"../writer\" }\n" } else { "" };
        let dependencies = "[dependencies]\nmacros = { path = \"../macros\" }\n";
        add(
            "app/Cargo.toml",
            package(
                "app",
                &format!("{dependencies}first = {{ path = \"../first\" }}\nsecond = {{ path = \"../second\" }}\n{writer}"),
            ),
        );
        add("app/build.rs", APP_SCRIPT.to_owned());
        let printed = if self.writer.is_some() { "println!(\"writer {}\", writer::VALUE);" } else { "" };
        add("app/src/main.rs", APP.replace("MAIN", &self.main.to_string()).replace("WRITER", printed));
        add("first/Cargo.toml", package("first", &format!("description = \"{}\"\n{dependencies}", self.about)));
        add("first/build.rs", FIRST_SCRIPT.to_owned());
        add("first/src/lib.rs", FIRST.to_owned());
        add("first/src/value.rs", format!("pub const VALUE: usize = {};\n", self.value));
        add("first/src/shared.rs", "-> ../../shared/shared.rs".to_owned());
        let extra = if self.extra.is_multiple_of(2) { "first/src/extra.rs" } else { "first/src/extra/mod.rs" };
        add(extra, format!("pub const EXTRA: usize = {};\n", self.extra));
        add("first/data/a.txt", self.included.to_string());
        add("first/templates/t.txt", self.template.to_string());
        add("first/input.txt", self.input.to_string());
        add("first/also.txt", self.also.to_string());
        add(if self.executable { "first/tool.sh!" } else { "first/tool.sh" }, "#!/bin/sh\n".to_owned());
        add("shared/shared.rs", format!("pub const SHARED: usize = {};\n", self.shared));
        add("second/Cargo.toml", package("second", &format!("description = \"{}\"\n{dependencies}", self.manifest)));
        add("second/build.rs", SECOND_SCRIPT.to_owned());
        add("second/src/lib.rs", SECOND.to_owned());
        add("second/conf.txt", self.conf.to_string());
        for (key, value) in &self.watched {
            add(&format!("second/watched/{key}.txt"), value.to_string());
        }
        for (key, value) in &self.migrations {
            add(&format!("migrations/{key}.sql"), value.to_string());
        }
        add("macros/Cargo.toml", package("macros", "[lib]\nproc-macro = true\n"));
        add("macros/src/lib.rs", MACROS.replace("NUMBER", &self.macros.to_string()));
        if let Some(writer) = self.writer {
            add("writer/Cargo.toml", package("writer", ""));
            add("writer/build.rs", WRITER_SCRIPT.to_owned());
            add("writer/in.txt", writer.to_string());
            add("writer/src/lib.rs", "mod generated;\npub use generated::VALUE;\n".to_owned());
            add("writer/src/generated.rs", "pub const VALUE: usize = 0;\n".to_owned());
        }
        files
    }

    fn lock(&self) -> String {
        let mut text = "version = 4\n".to_owned();
        let writer: &[&str] = if self.writer.is_some() { &["writer"] } else { &[] };
        let app = [&["first", "macros", "second"], writer].concat();
        let packages: [(&str, &[&str]); 4] = [("app", &app), ("first", &["macros"]), ("macros", &[]), ("second", &["macros"])];
        for (name, dependencies) in packages.into_iter().chain(writer.iter().map(|name| (*name, [].as_slice()))) {
            write!(text, "\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n").unwrap();
            if !dependencies.is_empty() {
                let list: String = dependencies.iter().map(|one| format!(" \"{one}\",\n")).collect();
                write!(text, "dependencies = [\n{list}]\n").unwrap();
            }
        }
        text
    }
}

const APP: &str = r#"
fn main() {
    println!("main {}", MAIN);
    print!("{}", first::text());
    print!("{}", second::text());
    println!("watched {}", include_str!(concat!(env!("OUT_DIR"), "/watched.txt")));
    println!("declared {}", option_env!("GUARD_DECLARED").unwrap_or("-"));
    println!("silent {}", macros::variable!("GUARD_SILENT"));
    WRITER
}
"#;

/// Declares a folder of another package, and fails to notice that its own old result is still there.
const APP_SCRIPT: &str = r#"
fn main() {
    println!("cargo::rerun-if-changed=../second/watched");
    let out = std::path::PathBuf::from(std::env::var("OUT_DIR").unwrap()).join("watched.txt");
    if !out.exists() {
        let mut found = std::collections::BTreeMap::new();
        for entry in std::fs::read_dir("../second/watched").into_iter().flatten().flatten() {
            let path = entry.path();
            found.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
        }
        let text: String = found.iter().map(|(key, value)| format!("{}={value};", key.to_str().unwrap())).collect();
        std::fs::write(out, text).unwrap();
    }
}
"#;

const FIRST: &str = r#"
mod extra;
mod shared;
mod value;
include!(concat!(env!("OUT_DIR"), "/generated.rs"));
pub fn text() -> String {
    format!(
        "value {}\nincluded {}\ntemplate {}\ninput {}\nalso {}\nexecutable {}\nshared {}\nextra {}\nabout {}\n",
        value::VALUE, include_str!("../data/a.txt"), macros::read!("templates/t.txt"), INPUT, ALSO, EXECUTABLE, shared::SHARED, extra::EXTRA, ABOUT
    )
}
"#;

/// Declares one of the files it reads.
const FIRST_SCRIPT: &str = r#"
use std::os::unix::fs::PermissionsExt;
fn main() {
    println!("cargo::rerun-if-changed=input.txt");
    let read = |name: &str| std::fs::read_to_string(name).unwrap();
    let executable = std::fs::metadata("tool.sh").unwrap().permissions().mode() & 0o111 != 0;
    let text = format!("const INPUT: usize = {}; const ALSO: usize = {}; const EXECUTABLE: bool = {executable}; const ABOUT: &str = \"{}\";", read("input.txt"), read("also.txt"), std::env::var("CARGO_PKG_DESCRIPTION").unwrap());
    std::fs::write(format!("{}/generated.rs", std::env::var("OUT_DIR").unwrap()), text).unwrap();
}
"#;

const SECOND: &str = r#"
pub fn text() -> String {
    format!("conf {}\nscript {}\nmanifest {}\nmigrations {}\n", env!("CONF"), env!("SCRIPT"), env!("CARGO_PKG_DESCRIPTION"), macros::list!("../migrations"))
}
"#;

/// Declares nothing.
const SECOND_SCRIPT: &str = r#"
fn main() {
    println!("cargo:rustc-env=CONF={}", std::fs::read_to_string("conf.txt").unwrap());
    println!("cargo:rustc-env=SCRIPT={}", std::env::var("GUARD_SCRIPT").unwrap_or_default());
}
"#;

const WRITER_SCRIPT: &str = r#"
fn main() {
    println!("cargo:rerun-if-changed=in.txt");
    let number: usize = std::fs::read_to_string("in.txt").unwrap().trim().parse().unwrap();
    std::fs::write("src/generated.rs", format!("pub const VALUE: usize = {};\n", number * 10)).unwrap();
}
"#;

const MACROS: &str = r#"
extern crate proc_macro;
use proc_macro::{Literal, TokenStream, TokenTree};
fn argument(input: TokenStream) -> String { input.to_string().trim_matches('"').to_owned() }
fn here(path: &str) -> std::path::PathBuf { std::path::Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join(path) }
fn literal(text: &str) -> TokenStream { TokenTree::from(Literal::string(text)).into() }
#[proc_macro]
pub fn read(input: TokenStream) -> TokenStream {
    literal(&format!("{}+{}", std::fs::read_to_string(here(&argument(input))).unwrap(), NUMBER))
}
#[proc_macro]
pub fn list(input: TokenStream) -> TokenStream {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(here(&argument(input))).into_iter().flatten().flatten() {
        let path = entry.path();
        found.insert(path.file_stem().unwrap().to_owned(), std::fs::read_to_string(&path).unwrap());
    }
    literal(&found.iter().map(|(key, value)| format!("{}={value};", key.to_str().unwrap())).collect::<String>())
}
#[proc_macro]
pub fn variable(input: TokenStream) -> TokenStream {
    literal(&std::env::var(argument(input)).unwrap_or_default())
}
"#;
