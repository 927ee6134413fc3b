//! Alternate registries: one with a sparse index behind a small HTTP server, one with an index in git.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use super::bench::{Case, manifest};
use super::shared::{command, repository, run, write};

/// Files of a registry, `index/…` and `crates/<name>-<version>.crate`, in a folder of the case.
pub(crate) struct Registry {
    folder: PathBuf,
    index: String,
}

impl Registry {
    /// A registry that is served by HTTP for as long as the case has its folder `network`.
    pub(crate) fn sparse(case: &Case) -> Self {
        let folder = case.at("network");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        write(
            &folder.join("index/config.json"),
            &format!("{{\"dl\":\"{address}/crates/{{crate}}-{{version}}.crate\",\"api\":null}}"),
        );
        let served = folder.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let served = served.clone();
                std::thread::spawn(move || answer(stream, &served));
            }
        });
        Self { folder, index: format!("sparse+{address}/index/") }
    }

    /// A registry whose index is a git repository. Its packages are files.
    pub(crate) fn in_git(case: &Case) -> Self {
        let folder = case.at("network");
        let dl = format!("file://{}/crates/{{crate}}-{{version}}.crate", folder.display());
        write(&folder.join("index/config.json"), &format!("{{\"dl\":\"{dl}\",\"api\":null}}"));
        let index = format!("file://{}/index", folder.display());
        Self { folder, index }
    }

    /// Its URL, for `[registries]`.
    pub(crate) fn index(&self) -> &str {
        &self.index
    }

    /// Makes a repository of the index, once all packages are there.
    pub(crate) fn commit(self) -> Self {
        repository(&self.folder.join("index"));
        self
    }

    /// Publishes version 1.0.0 of a package. `dependencies` is the JSON of the index.
    pub(crate) fn publish(self, name: &str, manifest_rest: &str, dependencies: &str, files: &[(&str, &str)]) -> Self {
        let stem = format!("{name}-1.0.0");
        let sources = self.folder.join("sources");
        let package = sources.join(&stem);
        write(&package.join("Cargo.toml"), &manifest(name, manifest_rest).replace("0.1.0", "1.0.0"));
        for (path, text) in files {
            write(&package.join(path), text);
        }
        let archive = self.folder.join("crates").join(format!("{stem}.crate"));
        fs::create_dir_all(archive.parent().unwrap()).unwrap();
        run(command("tar").arg("-czf").arg(&archive).arg("-C").arg(&sources).arg(&stem));
        let digest = run(command("sha256sum").arg(&archive));
        let digest = digest.split_whitespace().next().unwrap();
        let links = if manifest_rest.contains("links =") { format!("\"{name}\"") } else { "null".to_owned() };
        let entry = format!(
            "{{\"name\":\"{name}\",\"vers\":\"1.0.0\",\"deps\":[{dependencies}],\"cksum\":\"{digest}\",\"features\":{{}},\"yanked\":false,\"links\":{links}}}\n"
        );
        write(&self.folder.join("index").join(&name[..2]).join(&name[2..4]).join(name), &entry);
        self
    }
}

/// Answers one request with a file.
fn answer(mut stream: TcpStream, folder: &Path) {
    let mut line = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    reader.read_line(&mut line).unwrap_or_default();
    let mut header = String::from("x");
    while !header.trim().is_empty() {
        header.clear();
        if reader.read_line(&mut header).unwrap_or_default() == 0 {
            return;
        }
    }
    let path = line.split(' ').nth(1).unwrap_or_default().trim_start_matches('/');
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

/// Two packages: `mine`, with a build script and `links`, which uses `below`.
pub(crate) fn filled(registry: Registry) -> Registry {
    let dependency =
        r#"{"name":"below","req":"^1","features":[],"optional":false,"default_features":true,"target":null,"kind":"normal"}"#;
    registry.publish("below", "", "", &[("src/lib.rs", "pub const DEPTH: u8 = 2;\n")]).publish(
        "mine",
        "links = \"mine\"\nbuild = \"build.rs\"\n[dependencies]\nbelow = \"1\"\n",
        dependency,
        &[
            ("build.rs", "fn main() { println!(\"cargo:rustc-env=BUILT=yes\"); println!(\"cargo:place=there\"); }\n"),
            ("src/lib.rs", "pub const TEXT: &str = env!(\"BUILT\");\npub use below::DEPTH;\n"),
        ],
    )
}

/// The cases.
pub(crate) fn cases() -> Vec<Case> {
    let program = "fn main() { println!(\"{} {} {}\", mine::TEXT, mine::DEPTH, itoa::Buffer::new().format(7)); }\n";
    let workspace = |case: Case, index: &str, dependency: &str| {
        case.file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
            .file(".cargo/config.toml", &format!("[registries.own]\nindex = \"{index}\"\n"))
            .app(&format!("[dependencies]\nitoa = \"1\"\nmine = {{ version = \"1\", {dependency} }}\n"), program)
            .compiles(&["app (bin)"])
            .prints("app", "yes 2 7")
    };
    let case = Case::new("alternate registry, sparse index");
    let registry = filled(Registry::sparse(&case));
    let sparse = workspace(case, registry.index(), "registry = \"own\"");
    let case = Case::new("alternate registry by CARGO_REGISTRIES_*");
    let registry = filled(Registry::sparse(&case));
    let by_environment = case
        .env("CARGO_REGISTRIES_OWN_INDEX", registry.index())
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .app("[dependencies]\nitoa = \"1\"\nmine = { version = \"1\", registry = \"own\" }\n", program)
        .compiles(&["app (bin)"])
        .prints("app", "yes 2 7");
    let case = Case::new("alternate registry, index in git");
    let registry = filled(Registry::in_git(&case)).commit();
    // cargo reads such an index from a clone, which no layer has: it is cloned again where `CARGO_HOME` is empty.
    let in_git = workspace(case, registry.index(), "registry = \"own\"").online();
    let case = Case::new("crates.io replaced by a mirror");
    let registry = filled(Registry::sparse(&case));
    let mirror = format!("[source.crates-io]\nreplace-with = \"mirror\"\n[source.mirror]\nregistry = \"{}\"\n", registry.index());
    let replaced = case
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .file(".cargo/config.toml", &mirror)
        .app("[dependencies]\nmine = \"1\"\n", "fn main() { println!(\"{} {}\", mine::TEXT, mine::DEPTH); }\n")
        .compiles(&["app (bin)"])
        .prints("app", "yes 2");
    vec![sparse, by_environment, in_git, replaced]
}
