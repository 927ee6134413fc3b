//! A registry of packages made for a test, on a port of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha512};

/// Serves packages until the test ends.
pub(crate) struct Registry {
    port: u16,
    tarballs: Arc<BTreeMap<String, Vec<u8>>>,
}

impl Registry {
    /// Packs packages, each by `name-version` with its files, and serves them.
    pub(crate) fn of(packages: &[(&str, &[(&str, &str)])]) -> Self {
        let tarballs: BTreeMap<String, Vec<u8>> =
            packages.iter().map(|(name, files)| (format!("/{name}.tgz"), tarball(files))).collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { port: listener.local_addr().unwrap().port(), tarballs: Arc::new(tarballs) };
        let mut served = (*registry.tarballs).clone();
        for (name, _) in packages.iter().filter_map(|(package, _)| package.rsplit_once('-')) {
            served.insert(format!("/{name}"), registry.document(name));
        }
        let served = Arc::new(served);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let served = Arc::clone(&served);
                std::thread::spawn(move || answer(stream, &served));
            }
        });
        registry
    }

    /// Where it is.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// What a registry says of all versions of a package.
    fn document(&self, name: &str) -> Vec<u8> {
        let mut versions = Map::new();
        for path in self.tarballs.keys() {
            let package = path.trim_start_matches('/').trim_end_matches(".tgz");
            if let Some((_, version)) = package.rsplit_once('-').filter(|(own, _)| *own == name) {
                let entry = self.entry(package);
                let dist = json!({ "tarball": entry["resolved"], "integrity": entry["integrity"] });
                versions.insert(version.to_owned(), json!({ "name": name, "version": version, "dist": dist }));
            }
        }
        let latest = versions.keys().max().cloned();
        json!({ "name": name, "dist-tags": { "latest": latest }, "versions": versions }).to_string().into_bytes()
    }

    /// What a lock says of a package, by `name-version`.
    pub(crate) fn entry(&self, name: &str) -> Value {
        let path = format!("/{name}.tgz");
        let digest = STANDARD.encode(Sha512::digest(&self.tarballs[&path]));
        let (_, version) = name.rsplit_once('-').unwrap();
        json!({
            "version": version,
            "resolved": format!("{}{name}.tgz", self.address()),
            "integrity": format!("sha512-{digest}"),
        })
    }
}

fn tarball(files: &[(&str, &str)]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join("package").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    pack(folder.path())
}

fn pack(folder: &Path) -> Vec<u8> {
    let output = Command::new("tar").args(["czf", "-", "package"]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn answer(mut stream: TcpStream, served: &BTreeMap<String, Vec<u8>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut line = String::new();
    while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
        line.clear();
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let (status, body) = served.get(path).map_or(("404 Not Found", &[][..]), |body| ("200 OK", body));
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    // npm may hang up: its business.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
