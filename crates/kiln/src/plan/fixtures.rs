//! Small repositories for tests of what is decided and written.

use super::{Plan, plan};
use crate::project::fixture::Fixture;
use crate::project::look;
use crate::settings::Settings;

/// Decides for a repository; `toml` is its `kiln.toml` below `[project] name = "demo"`.
pub(crate) fn decide(fixture: &Fixture, toml: &str) -> Plan {
    let settings = Settings::parse(&format!("[project]\nname = \"demo\"\n{toml}")).unwrap();
    plan(&look(fixture.path()).unwrap(), &settings)
}

/// A lock that has the members and nothing else.
pub(crate) fn lock(members: &[&str]) -> String {
    let packages = members.iter().map(|name| format!("\n[[package]]\nname = \"{name}\"\nversion = \"0.1.0\"\n"));
    format!("version = 4\n{}", packages.collect::<String>())
}

/// One package at the root.
pub(crate) fn single() -> Fixture {
    Fixture::new().binary(".", "hello", "").file("Cargo.lock", &lock(&["hello"]))
}

/// `backend/` with a server, a library and an `xtask`.
pub(crate) fn workspace() -> Fixture {
    Fixture::new()
        .file("backend/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\", \"xtask\"]\n")
        .binary("backend/crates/server", "server", "[dependencies]\nstore = { path = \"../store\" }\n")
        .library("backend/crates/store", "store", "")
        .binary("backend/xtask", "xtask", "")
        .file(
            "backend/Cargo.lock",
            &lock(&["server", "store", "xtask"]).replace(
                "name = \"server\"\nversion = \"0.1.0\"\n",
                "name = \"server\"\nversion = \"0.1.0\"\ndependencies = [\n \"store\",\n]\n",
            ),
        )
}

/// A package at the root with the binaries `api` and `worker`.
pub(crate) fn two_binaries() -> Fixture {
    Fixture::new()
        .library(".", "app", "")
        .file("src/bin/api.rs", "fn main() {}\n")
        .file("src/bin/worker.rs", "fn main() {}\n")
        .file("Cargo.lock", &lock(&["app"]))
}

/// A bundle made by rollup.
pub(crate) fn bundle() -> Fixture {
    Fixture::new()
        .file(
            "web/package.json",
            r#"{"name":"web","version":"1.0.0","private":true,"scripts":{"build":"rollup -c","dev":"rollup -c -w"},"devDependencies":{"rollup":"4.0.0"}}"#,
        )
        .file("web/package-lock.json", r#"{"name":"web","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"web","version":"1.0.0","devDependencies":{"rollup":"4.0.0"}},"node_modules/rollup":{"version":"4.0.0","dev":true}}}"#)
        .file("web/rollup.config.mjs", "export default { input: 'src/main.js', output: { dir: 'dist', format: 'es' } };\n")
        .file("web/src/main.js", "console.log(1);\n")
}

/// An HTTP server without a build.
pub(crate) fn node_server() -> Fixture {
    Fixture::new()
        .file(
            "package.json",
            r#"{"name":"api","version":"1.0.0","private":true,"scripts":{"start":"node server.js"},"dependencies":{"express":"4.0.0"}}"#,
        )
        .file("package-lock.json", r#"{"name":"api","version":"1.0.0","lockfileVersion":3,"packages":{"":{"name":"api","version":"1.0.0","dependencies":{"express":"4.0.0"}},"node_modules/express":{"version":"4.0.0"}}}"#)
        .file("server.js", "require('express')().listen(3000);\n")
}
