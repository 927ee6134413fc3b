//! A small workspace whose programs print everything that went into them, and the model of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::knobs::KNOBS;
use crate::sources::{
    APP, APP_SCRIPT, FIRST, FIRST_SCRIPT, KINDS, KINDS_SCRIPT, MACROS, NATIVE_SCRIPT, OTHER, SECOND, SECOND_SCRIPT, WRITER_SCRIPT,
};
use crate::world::Random;

/// How the workspace lies in the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Members below a root without a package.
    Virtual,
    /// The same one folder deeper, with a path dependency and files that lie above the workspace.
    Nested,
    /// The program is the root's package, the members lie below it.
    Root,
}

/// What the files of the workspace say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tree {
    shape: Shape,
    values: BTreeMap<&'static str, usize>,
}

/// What is built of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) app: bool,
    pub(crate) other: bool,
    pub(crate) loud: bool,
    pub(crate) release: bool,
    pub(crate) incremental: bool,
}

impl Order {
    /// The program, in the debug profile.
    pub(crate) const PLAIN: Self = Self { app: true, other: false, loud: false, release: false, incremental: false };

    /// Mostly the plain one.
    pub(crate) fn random(random: &mut Random) -> Self {
        match random.below(12) {
            0 => Self { other: true, ..Self::PLAIN },
            1 => Self { app: false, other: true, ..Self::PLAIN },
            2 => Self { loud: true, ..Self::PLAIN },
            3 => Self { release: true, ..Self::PLAIN },
            4 => Self { incremental: true, ..Self::PLAIN },
            _ => Self::PLAIN,
        }
    }

    pub(crate) fn profile(self) -> &'static str {
        if self.release { "release" } else { "dev" }
    }

    pub(crate) fn binaries(self) -> Vec<String> {
        [("app", self.app), ("other", self.other)]
            .into_iter()
            .filter(|(_, wanted)| *wanted)
            .map(|(name, _)| name.to_owned())
            .collect()
    }
}

/// One file for each digit of base 3: none if it is 0.
fn digits(value: usize) -> Vec<(usize, usize)> {
    (0..3).map(|key| (key, value / 3_usize.pow(key as u32) % 3)).filter(|(_, digit)| *digit > 0).collect()
}

fn list(value: usize) -> String {
    digits(value).into_iter().map(|(key, digit)| format!("{key}={digit};")).collect()
}

impl Tree {
    pub(crate) fn first(shape: Shape) -> Self {
        let mut values: BTreeMap<&'static str, usize> = KNOBS.iter().map(|(name, _)| (*name, 0)).collect();
        for name in ["watched", "migrations", "listed"] {
            values.insert(name, 1);
        }
        Self { shape, values }
    }

    pub(crate) fn get(&self, name: &str) -> usize {
        self.values[name]
    }

    pub(crate) fn set(&mut self, name: &'static str, value: usize) {
        assert!(self.values.insert(name, value).is_some(), "{name} is no knob");
    }

    pub(crate) fn bump(&mut self, name: &'static str) {
        self.set(name, self.get(name) + 1);
    }

    /// Whether a build writes into its source: such packages are built each time.
    pub(crate) fn writes(&self) -> bool {
        self.get("writer") + self.get("crosser") > 0
    }

    /// Changes one thing; small numbers, so that contents come back.
    pub(crate) fn edit(&mut self, random: &mut Random) -> String {
        let (name, limit) = KNOBS[random.below(KNOBS.len())];
        let value = match name {
            // Mostly gone: while they are there, they are compiled each time.
            "writer" | "crosser" => random.below(4 * limit) % (limit + 1),
            _ => random.below(limit),
        };
        let value = if value < limit { value } else { 0 };
        self.set(name, value);
        format!("{name} = {value}")
    }

    /// Environment variables of the build.
    pub(crate) fn environment(&self) -> BTreeMap<String, String> {
        [("GUARD_DECLARED", "declared"), ("GUARD_SILENT", "silent"), ("GUARD_SCRIPT", "script")]
            .into_iter()
            .filter(|(_, knob)| self.get(knob) > 0)
            .map(|(name, knob)| (name.to_owned(), self.get(knob).to_string()))
            .collect()
    }

    /// What the programs print.
    pub(crate) fn expected(&self, order: Order) -> String {
        let mut text = String::new();
        if order.app {
            text += &self.expected_of_app(order);
        }
        if order.other {
            write!(text, "other {}\n{}", self.get("other"), self.expected_of_kinds()).unwrap();
        }
        text
    }

    fn expected_of_app(&self, order: Order) -> String {
        let get = |name: &str| self.get(name);
        let set = |name: &str| if get(name) > 0 { get(name).to_string() } else { String::new() };
        let macros = get("macros");
        let watched: String = list(get("watched")) + &format!("link={};", get("watched link"));
        let mut lines = vec![
            format!("main {}", get("main")),
            format!("value {}", get("value")),
            format!("included {}", get("included")),
            format!("template {}+{macros}", get("template")),
            format!("input {}", get("input")),
            format!("also {}", get("also")),
            format!("executable {}", get("executable") == 1),
            format!("shared {}", get("shared")),
            format!("extra {}", get("extra")),
            format!("about {}", get("about")),
            format!("conf {}", get("conf")),
            format!("script {}", set("script")),
            format!("elsewhere {}", get("elsewhere")),
            format!("manifest {}", get("manifest")),
            format!("migrations {}", list(get("migrations"))),
        ];
        lines.extend(self.expected_of_kinds().lines().map(str::to_owned));
        let flag = get("config") >= 2;
        let config = if get("config") % 2 == 1 { "1" } else { "-" };
        lines.extend([
            format!("outside {}", get("outside")),
            format!("mover {}/src/lib.rs", self.mover()),
            format!("watched {watched}"),
            format!("declared {}", if get("declared") > 0 { set("declared") } else { "-".to_owned() }),
            format!("silent {}", set("silent")),
            format!("config {config} {flag}"),
            format!("head ref: refs/heads/b{}+{macros}", get("head")),
            format!("loud {0} {0}", order.loud),
        ]);
        lines.extend((get("writer") > 0).then(|| format!("writer {}", get("writer") * 10)));
        lines.extend((get("crosser") > 0).then(|| format!("receiver {}", get("crosser") * 10)));
        lines.join("\n") + "\n"
    }

    fn expected_of_kinds(&self) -> String {
        let get = |name: &str| self.get(name);
        let set = |which: usize| if which == 0 { get("set") } else { 7 };
        let thing = match get("thing") {
            0 => "file 0".to_owned(),
            1 => "folder a=1;".to_owned(),
            2 => "file 5".to_owned(),
            3 => "nothing".to_owned(),
            _ => "file 4".to_owned(),
        };
        let names = ["build", "other"];
        [
            format!("thing {thing}\n"),
            format!("linked {}\n", set(get("linked"))),
            format!("chain {}+{}\n", set(get("hop")), get("macros")),
            format!("both {0} {0}\n", get("both")),
            format!("listed {}\n", list(get("listed"))),
            format!("empty {}\n", if get("empty") == 1 { "folder " } else { "nothing" }),
            format!("scaffold {}+{} folder a={};\n", self.scaffold().trim(), get("macros"), get("scaffold") / 2),
            format!("features {} {}\n", get("features") > 0, get("features") > 1),
            format!("lib {}\n", get("lib")),
            format!("edition {}\n", if get("edition") == 0 { 2024 } else { 2021 }),
            format!("version 0.1.{}\n", get("version")),
            format!("license {}\n", get("license")),
            format!("note {}\n", get("note")),
            format!("kept {}.{}.{}.{}\n", names[get("who")], get("code"), get("helper"), get("native")),
            format!("locked {}\n", self.packages().len()),
        ]
        .concat()
    }

    fn mover(&self) -> &'static str {
        if self.get("mover") == 0 { "mover" } else { "elsewhere/mover" }
    }

    fn scaffold(&self) -> String {
        // Of a name that no package of the workspace has.
        format!("[package]\nname = 'scaffold{}'\n", self.get("scaffold") % 2)
    }

    /// Names of the packages with those that they depend on.
    fn packages(&self) -> BTreeMap<&'static str, Vec<&'static str>> {
        let mut packages = BTreeMap::from([
            ("app", vec!["first", "kinds", "macros", "mover", "outside", "second"]),
            ("first", vec!["macros"]),
            ("helper", vec![]),
            ("kinds", vec!["helper", "macros", "native"]),
            ("macros", vec![]),
            ("mover", vec![]),
            ("native", vec![]),
            ("outside", vec![]),
            ("second", vec!["macros"]),
        ]);
        let mut depend = |name: &'static str| packages.get_mut("app").unwrap().push(name);
        if self.get("writer") > 0 {
            depend("writer");
        }
        if self.get("crosser") > 0 {
            depend("receiver");
            packages.insert("receiver", vec!["crosser"]);
            packages.insert("crosser", vec![]);
        }
        if self.get("writer") > 0 {
            packages.insert("writer", vec![]);
        }
        for dependencies in packages.values_mut() {
            dependencies.sort_unstable();
        }
        packages
    }

    fn version(&self, package: &str) -> String {
        if package == "kinds" { format!("0.1.{}", self.get("version")) } else { "0.1.0".to_owned() }
    }

    /// Folder of a package: below the workspace, or at the top of the source.
    fn folder(&self, package: &str) -> String {
        match (package, self.shape) {
            ("app", Shape::Root) => String::new(),
            ("mover", _) => self.workspace() + self.mover() + "/",
            ("outside", _) => "outside/".to_owned(),
            _ => format!("{}{package}/", self.workspace()),
        }
    }

    /// Folder of the workspace with a slash, or nothing.
    pub(crate) fn workspace(&self) -> String {
        if self.shape == Shape::Nested { "ws/".to_owned() } else { String::new() }
    }

    /// The way from a package's folder to the top of the source.
    fn top(&self, package: &str) -> String {
        match self.folder(package).matches('/').count() {
            0 => ".".to_owned(),
            depth => vec![".."; depth].join("/"),
        }
    }

    fn manifest(&self, name: &str, edition: usize, more_of_package: &str, rest: &str) -> String {
        let mut text = format!(
            "[package]\nname = \"{name}\"\nversion = \"{}\"\nedition = \"{edition}\"\n{more_of_package}",
            self.version(name)
        );
        for table in ["", "build-"] {
            let dependencies =
                self.packages()[name].clone().into_iter().filter(|other| (*other == "helper") == (table == "build-"));
            let lines: String = dependencies
                .map(|other| {
                    format!("{other} = {{ path = \"{}/{}\" }}\n", self.top(name), self.folder(other).trim_end_matches('/'))
                })
                .collect();
            if !lines.is_empty() {
                write!(text, "[{table}dependencies]\n{lines}").unwrap();
            }
        }
        text + rest
    }

    /// Files with contents; a link has the content `-> TARGET`, a folder ends with `/`.
    pub(crate) fn files(&self) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        self.workspace_files(&mut files);
        self.files_of_app(&mut files);
        self.files_of_first_and_second(&mut files);
        self.files_of_kinds(&mut files);
        self.files_of_writers(&mut files);
        files
    }

    fn workspace_files(&self, files: &mut BTreeMap<String, String>) {
        let workspace = self.workspace();
        let packages = self.packages();
        let inside = packages.keys().filter(|name| **name != "outside" && !self.folder(name).is_empty());
        let members: Vec<String> = inside
            .map(|name| format!("\"{}\"", self.folder(name).strip_prefix(&workspace).unwrap().trim_end_matches('/')))
            .collect();
        let mut root = if self.shape == Shape::Root { self.manifest_of_app() } else { String::new() };
        write!(
            root,
            "[workspace]\nresolver = \"3\"\nmembers = [{}]\nexclude = [\"aaa\"]\n[workspace.metadata.guard]\nnote = {}\n[profile.dev]\ndebug = false\n",
            members.join(", "),
            self.get("note")
        )
        .unwrap();
        files.insert(format!("{workspace}Cargo.toml"), root);
        let mut lock = "version = 4\n".to_owned();
        for (name, dependencies) in packages {
            write!(lock, "\n[[package]]\nname = \"{name}\"\nversion = \"{}\"\n", self.version(name)).unwrap();
            if !dependencies.is_empty() {
                let list: String = dependencies.iter().map(|one| format!(" \"{one}\",\n")).collect();
                write!(lock, "dependencies = [\n{list}]\n").unwrap();
            }
        }
        files.insert(format!("{workspace}Cargo.lock"), lock);
        let config = ["", "[env]\nGUARD_CONFIG = \"1\"\n", "[build]\nrustflags = [\"--cfg=guard_flag\"]\n"];
        match self.get("config") {
            0 => {}
            3 => drop(files.insert(".cargo/config.toml".to_owned(), config.concat())),
            one => drop(files.insert(".cargo/config.toml".to_owned(), config[one].to_owned())),
        }
        // Enough of a repository for cargo to take it for one.
        files.insert(".git/HEAD".to_owned(), format!("ref: refs/heads/b{}\n", self.get("head")));
        files.insert(".git/refs/".to_owned(), String::new());
        files.insert(".git/objects/".to_owned(), String::new());
        // Another workspace with a package of a name that is here, too.
        files.insert(format!("{workspace}aaa/Cargo.toml"), "[workspace]\nmembers = [\"first\"]\n".to_owned());
        files.insert(format!("{workspace}aaa/first/Cargo.toml"), "[package]\nname = \"first\"\nversion = \"9.0.0\"\n".to_owned());
        files.insert(format!("{workspace}aaa/first/src/lib.rs"), String::new());
        for (key, digit) in digits(self.get("migrations")) {
            files.insert(format!("migrations/{key}.sql"), digit.to_string());
        }
        files.insert("shared/shared.rs".to_owned(), format!("pub const SHARED: usize = {};\n", self.get("shared")));
    }

    fn manifest_of_app(&self) -> String {
        self.manifest("app", 2024, "default-run = \"app\"\n", "[features]\nloud = [\"kinds/loud\"]\n")
    }

    fn files_of_app(&self, files: &mut BTreeMap<String, String>) {
        let folder = self.folder("app");
        let mut add = |path: &str, text: String| drop(files.insert(format!("{folder}{path}"), text));
        if self.shape != Shape::Root {
            add("Cargo.toml", self.manifest_of_app());
        }
        let sibling = if self.shape == Shape::Root { "." } else { ".." };
        add("build.rs", APP_SCRIPT.replace("SIBLING", sibling));
        let mut optional = String::new();
        if self.get("writer") > 0 {
            optional += "println!(\"writer {}\", writer::VALUE);";
        }
        if self.get("crosser") > 0 {
            optional += "println!(\"receiver {}\", receiver::VALUE);";
        }
        let main = APP.replace("MAIN", &self.get("main").to_string()).replace("OPTIONAL", &optional);
        add("src/main.rs", main.replace("TOP", &self.top("app")));
        add("src/bin/other.rs", OTHER.replace("OTHER", &self.get("other").to_string()));
    }

    fn files_of_first_and_second(&self, files: &mut BTreeMap<String, String>) {
        let number = |name: &str| self.get(name).to_string();
        let folder = self.folder("first");
        let mut add = |path: &str, text: String| drop(files.insert(format!("{folder}{path}"), text));
        add("Cargo.toml", self.manifest("first", 2024, &format!("description = \"{}\"\n", self.get("about")), ""));
        add("build.rs", FIRST_SCRIPT.to_owned());
        add("src/lib.rs", FIRST.to_owned());
        add("src/value.rs", format!("pub const VALUE: usize = {};\n", self.get("value")));
        add("src/shared.rs", format!("-> ../{}/shared/shared.rs", self.top("first")));
        let extra = if self.get("extra").is_multiple_of(2) { "src/extra.rs" } else { "src/extra/mod.rs" };
        add(extra, format!("pub const EXTRA: usize = {};\n", self.get("extra")));
        add("data/a.txt", number("included"));
        add("templates/t.txt", number("template"));
        add("input.txt", number("input"));
        add("also.txt", number("also"));
        add("elsewhere.txt", number("elsewhere"));
        add("linked.txt", number("watched link"));
        add(if self.get("executable") == 1 { "tool.sh!" } else { "tool.sh" }, "#!/bin/sh\n".to_owned());

        let folder = self.folder("second");
        let mut add = |path: &str, text: String| drop(files.insert(format!("{folder}{path}"), text));
        // Without hashes in the names of its files.
        let kinds = "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n";
        add("Cargo.toml", self.manifest("second", 2024, &format!("description = \"{}\"\n", self.get("manifest")), kinds));
        add("build.rs", SECOND_SCRIPT.to_owned());
        add("src/lib.rs", SECOND.replace("TOP", &self.top("second")));
        add("conf.txt", number("conf"));
        for (key, digit) in digits(self.get("watched")) {
            add(&format!("watched/{key}.txt"), digit.to_string());
        }
        add("watched/link.txt", "-> ../../first/linked.txt".to_owned());

        let folder = self.folder("macros");
        files.insert(format!("{folder}Cargo.toml"), self.manifest("macros", 2024, "", "[lib]\nproc-macro = true\n"));
        files.insert(format!("{folder}src/lib.rs"), MACROS.replace("NUMBER", &number("macros")));
    }

    fn files_of_kinds(&self, files: &mut BTreeMap<String, String>) {
        let number = |name: &str| self.get(name).to_string();
        let folder = self.folder("kinds");
        let top = self.top("kinds");
        let mut add = |path: &str, text: String| drop(files.insert(format!("{folder}{path}"), text));
        let script = ["build.rs", "other.rs"][self.get("who")];
        let of_package = format!("build = \"{script}\"\nlicense = \"{}\"\n", self.get("license"));
        let library = ["src/lib.rs", "src/alternative.rs"][self.get("lib")];
        let defaults = ["", "\"x\"", "\"x\", \"y\""][self.get("features")];
        let rest = format!("[lib]\npath = \"{library}\"\n[features]\ndefault = [{defaults}]\nx = []\ny = []\nloud = []\n");
        add("Cargo.toml", self.manifest("kinds", if self.get("edition") == 0 { 2024 } else { 2021 }, &of_package, &rest));
        for (who, name) in ["build", "other"].into_iter().enumerate() {
            let script = KINDS_SCRIPT.replace("WHO", name).replace("CODE", &number("code")).replace("ROOT", "..");
            add(["build.rs", "other.rs"][who], script);
        }
        add("src/lib.rs", "const WHICH: usize = 0; include!(\"text.rs\");\n".to_owned());
        add("src/alternative.rs", "const WHICH: usize = 1; include!(\"text.rs\");\n".to_owned());
        add("src/text.rs", KINDS.replace("ROOT", ".."));
        add("declared.txt", String::new());
        add("both.txt", number("both"));
        match self.get("thing") {
            1 => add("thing/a.txt", "1".to_owned()),
            2 => add("thing", format!("-> {top}/shared/text.txt")),
            3 => {}
            value => add("thing", value.to_string()),
        }
        add("linked", format!("-> {top}/sets/set-{}", self.get("linked")));
        add("chain", "-> ../native/hop".to_owned());
        for (key, digit) in digits(self.get("listed")) {
            add(&format!("listed/{key}.txt"), digit.to_string());
        }
        if self.get("empty") == 1 {
            add("empty/", String::new());
        }
        add("scaffold/Cargo.toml", self.scaffold());
        add("scaffold/src/a.rs", (self.get("scaffold") / 2).to_string());

        files.insert("shared/text.txt".to_owned(), "5".to_owned());
        files.insert("sets/set-0/deep/x.txt".to_owned(), number("set"));
        files.insert("sets/set-1/deep/x.txt".to_owned(), "7".to_owned());

        let folder = self.folder("native");
        files.insert(format!("{folder}Cargo.toml"), self.manifest("native", 2024, "links = \"native\"\n", ""));
        files.insert(format!("{folder}build.rs"), NATIVE_SCRIPT.to_owned());
        files.insert(format!("{folder}src/lib.rs"), String::new());
        files.insert(format!("{folder}number.txt"), number("native"));
        files.insert(format!("{folder}hop"), format!("-> {}/sets/set-{}", self.top("native"), self.get("hop")));

        for (name, text) in [
            ("helper", format!("pub const NUMBER: usize = {};\n", self.get("helper"))),
            ("outside", format!("pub fn text() -> usize {{ {} }}\n", self.get("outside"))),
            ("mover", "pub fn text() -> &'static str { file!() }\n".to_owned()),
        ] {
            let folder = self.folder(name);
            files.insert(format!("{folder}Cargo.toml"), self.manifest(name, 2024, "", ""));
            files.insert(format!("{folder}src/lib.rs"), text);
        }
    }

    fn files_of_writers(&self, files: &mut BTreeMap<String, String>) {
        for (writer, destination, knob) in [("writer", "writer", "writer"), ("crosser", "receiver", "crosser")] {
            if self.get(knob) == 0 {
                continue;
            }
            let folder = self.folder(writer);
            files.insert(format!("{folder}Cargo.toml"), self.manifest(writer, 2024, "", ""));
            files.insert(format!("{folder}build.rs"), WRITER_SCRIPT.replace("DESTINATION", &format!("../{destination}")));
            files.insert(format!("{folder}in.txt"), self.get(knob).to_string());
            files.insert(format!("{folder}src/lib.rs"), String::new());
            let folder = self.folder(destination);
            files.insert(format!("{folder}Cargo.toml"), self.manifest(destination, 2024, "", ""));
            files.insert(format!("{folder}src/lib.rs"), "mod generated;\npub use generated::VALUE;\n".to_owned());
            files.insert(format!("{folder}src/generated.rs"), "pub const VALUE: usize = 0;\n".to_owned());
        }
    }
}
