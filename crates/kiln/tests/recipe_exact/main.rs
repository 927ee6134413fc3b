//! A recipe is exact: cargo's unit graph of the stub has the external units of the real workspace, no more and no fewer.
//!
//! Units are compared with everything that cargo's unit hash is made of: package, target, features, profile, platform, mode and,
//! recursively, the units below. Needs cargo and a registry.
#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod lto;
mod sources;
mod support;
#[path = "../unit_graph/mod.rs"]
mod unit_graph;

use support::{Case, TARGET};

/// A manifest of a member with these lines after the `[package]` table.
fn member(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}")
}

fn root(rest: &str) -> String {
    format!("[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\nexclude = [\"outside\"]\n{rest}")
}

#[test]
fn features_of_local_packages_reach_external_ones_as_cargo_resolves_them() {
    Case::new("features")
        .file("Cargo.toml", &root("[workspace.dependencies]\nlog = { version = \"0.4\", default-features = false }\n"))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [features]
                default = ["fast"]
                fast = ["lib/speed", "dep:itoa"]
                extra = ["memchr?/std", "serde"]
                all = ["extra", "memchr"]
                [dependencies]
                lib = { path = "../lib", default-features = false }
                itoa = { version = "1", optional = true }
                memchr = { version = "2", optional = true, default-features = false }
                serde = { version = "1", optional = true, default-features = false, features = ["derive"] }
                log.workspace = true
                "#,
            ),
        )
        .main("app")
        .file(
            "lib/Cargo.toml",
            &member(
                "lib",
                r#"
                [features]
                default = ["log/std"]
                speed = ["cfg-if", "ryu/small"]
                [dependencies]
                cfg-if = { version = "1", optional = true }
                ryu = { version = "1", optional = true }
                log = { workspace = true, features = ["kv"] }
                "#,
            ),
        )
        .lib("lib")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--features", "all"])
        .check(&["--bin", "app", "--features", "extra lib/default"])
        .check(&["--bin", "app", "--features", "app/extra", "--no-default-features"])
        .check(&["--bin", "app", "--profile", "release"]);
}

/// A library that is asked for both as a dependency and below a build script and a procedural macro.
fn host_and_target(resolver: &str) -> Case {
    Case::new(&format!("host-{resolver}"))
        .file(
            "Cargo.toml",
            &format!(
                "[workspace]\nresolver = \"{resolver}\"\nmembers = [\"app\", \"derive\", \"shared\", \"generator\", \"unused\"]\n"
            ),
        )
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [features]
                more = ["shared/loud", "generator/loud"]
                [dependencies]
                derive = { path = "../derive" }
                shared = { path = "../shared" }
                serde = { version = "1", default-features = false, features = ["alloc"] }
                [target.'cfg(windows)'.dependencies]
                shared = { path = "../shared", features = ["windows"] }
                memchr = { version = "2", default-features = false, features = ["alloc"] }
                [target.'cfg(target_os = "linux")'.dependencies]
                memchr = { version = "2", default-features = false }
                [build-dependencies]
                generator = { path = "../generator" }
                cc = "1"
                [dev-dependencies]
                serde = { version = "1", features = ["rc"] }
                ryu = "1"
                log = { version = "0.4", features = ["std"] }
                "#,
            ),
        )
        .main("app")
        .file("app/build.rs", "fn main() {}")
        .file(
            "derive/Cargo.toml",
            &member(
                "derive",
                r#"
                [lib]
                proc-macro = true
                [dependencies]
                syn = { version = "2", features = ["full"] }
                quote = "1"
                shared = { path = "../shared", features = ["host"] }
                "#,
            ),
        )
        .lib("derive")
        .file(
            "generator/Cargo.toml",
            &member(
                "generator",
                r#"
                [features]
                loud = ["shared/loud"]
                [dependencies]
                shared = { path = "../shared" }
                proc-macro2 = "1"
                [target.'cfg(unix)'.dependencies]
                libc = { version = "0.2", default-features = false }
                "#,
            ),
        )
        .lib("generator")
        .file(
            "shared/Cargo.toml",
            &member(
                "shared",
                r#"
                [features]
                host = ["log/std", "itoa"]
                windows = ["log/kv", "ryu"]
                loud = ["log/max_level_info"]
                [dependencies]
                log = "0.4"
                itoa = { version = "1", optional = true }
                ryu = { version = "1", optional = true }
                [build-dependencies]
                autocfg = "1"
                "#,
            ),
        )
        .lib("shared")
        .file(
            "unused/Cargo.toml",
            &member("unused", "[dependencies]\nlog = { version = \"0.4\", features = [\"serde\"] }\nlibc = \"0.2\"\n"),
        )
        .lib("unused")
}

#[test]
fn resolver_2_keeps_host_and_target_apart() {
    host_and_target("2")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--features", "more", "--profile", "release"])
        .check(&["--bin", "app", "--target", TARGET])
        .check(&["--bin", "app", "--target", "x86_64-pc-windows-msvc"]);
}

#[test]
fn resolver_3_is_resolver_2_to_features() {
    host_and_target("3").check(&["--bin", "app"]);
}

#[test]
fn resolver_1_unifies_kinds_platforms_and_development() {
    host_and_target("1")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--features", "more", "--profile", "release"])
        .check(&["--bin", "app", "--target", TARGET])
        .check(&["--bin", "app", "--target", "x86_64-pc-windows-msvc"]);
}

#[test]
fn under_resolver_1_the_root_package_takes_part_in_features() {
    Case::new("rooted")
        .file(
            "Cargo.toml",
            "[workspace]\nmembers = [\"tool\"]\n[package]\nname = \"rooted\"\nversion = \"0.1.0\"\nedition = \"2018\"\n\
             [features]\nbig = [\"memchr\"]\n[dependencies]\nlog = { version = \"0.4\", features = [\"std\"] }\n\
             memchr = { version = \"2\", optional = true }\n[dev-dependencies]\nitoa = \"1\"\n",
        )
        .file("src/lib.rs", "")
        .file(
            "tool/Cargo.toml",
            &member(
                "tool",
                "[features]\nf = [\"log/kv\"]\n[dependencies]\nlog = \"0.4\"\nmemchr = { version = \"2\", default-features = false }\n",
            ),
        )
        .main("tool")
        .check(&["--bin", "tool", "-p", "tool"])
        .check(&["--bin", "tool", "-p", "tool", "--features", "big"])
        .check(&["--bin", "tool", "-p", "tool", "--features", "tool/f"]);
}

#[test]
fn build_dependencies_without_a_build_script_only_share_features() {
    Case::new("idle")
        .file("Cargo.toml", &root(""))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [dependencies]
                idle = { path = "../idle" }
                [build-dependencies]
                log = "0.4"
                memchr = { version = "2", default-features = false }
                "#,
            ),
        )
        .main("app")
        .file("app/build.rs", "fn main() {}")
        .file(
            "idle/Cargo.toml",
            &member("idle", "[dependencies]\nitoa = \"1\"\n[build-dependencies]\nlog = { version = \"0.4\", features = [\"std\"] }\nryu = \"1\"\n"),
        )
        .lib("idle")
        .check(&["--bin", "app"]);
}

#[test]
fn renamed_and_doubled_dependencies_stay_what_they_are() {
    Case::new("renamed")
        .file("Cargo.toml", &root(""))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [features]
                default = ["old/std", "json?/std"]
                [dependencies]
                old = { package = "itoa", version = "0.4" , default-features = false }
                itoa = "1"
                json = { package = "memchr", version = "2", default-features = false, optional = true }
                lib = { path = "../lib", package = "very-lib" }
                bitflags1 = { package = "bitflags", version = "1" }
                bitflags = { version = "2" }
                serde = { version = "1", default-features = false, features = ["derive"] }
                "#,
            ),
        )
        .main("app")
        .file("lib/Cargo.toml", &member("very-lib", "[lib]\nname = \"other\"\n[dependencies]\nitoa = \"0.4\"\nlog = \"0.4\"\n"))
        .lib("lib")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--features", "json"])
        .check(&["--bin", "app", "--no-default-features"]);
}

#[test]
fn path_dependencies_outside_and_members_of_every_kind_are_followed() {
    Case::new("kinds")
        .file("Cargo.toml", &root(""))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                autobins = false
                default-run = "app"
                [features]
                server = ["dep:log"]
                [[bin]]
                name = "app"
                path = "src/entry.rs"
                [[bin]]
                name = "server"
                path = "src/server.rs"
                required-features = ["server", "native/extra"]
                [dependencies]
                outside = { path = "../outside/far" }
                native = { path = "../native" }
                log = { version = "0.4", optional = true }
                "#,
            ),
        )
        .file("app/src/entry.rs", "fn main() {}")
        .file("app/src/server.rs", "fn main() {}")
        .file("outside/far/Cargo.toml", &member("outside", "[features]\nf = [\"itoa\"]\n[dependencies]\nitoa = { version = \"1\", optional = true }\ncfg-if = \"1\"\n[dev-dependencies]\nsyn = \"2\"\n"))
        .lib("outside/far")
        .file(
            "native/Cargo.toml",
            &member(
                "native",
                "links = \"native\"\nbuild = \"make.rs\"\n[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[features]\nextra = [\"memchr/std\"]\n\
                 [dependencies]\nmemchr = { version = \"2\", default-features = false }\n[build-dependencies]\ncc = \"1\"\n",
            ),
        )
        .lib("native")
        .file("native/make.rs", "fn main() {}")
        .check(&[])
        .check(&["--bin", "server", "--features", "server native/extra"])
        .check(&["--bin", "server", "--features", "server,native/extra", "--profile", "release"]);
}

#[test]
fn profiles_with_their_chain_and_overrides_are_those_of_the_workspace() {
    Case::new("profiles")
        .file(
            "Cargo.toml",
            &root(
                r#"
                [profile.release]
                debug = 1
                strip = "debuginfo"
                panic = "abort"
                [profile.release.package."*"]
                opt-level = 2
                [profile.release.package.app]
                opt-level = 1
                [profile.dist]
                inherits = "release"
                lto = "thin"
                codegen-units = 1
                incremental = true
                [profile.dist.package.memchr]
                opt-level = 3
                codegen-units = 7
                [profile.dist.build-override]
                opt-level = 1
                [profile.dev]
                opt-level = 1
                [profile.dev.package.log]
                debug-assertions = false
                [profile.bench]
                debug = true
                "#,
            ),
        )
        .file(".cargo/config.toml", "[profile.dist]\ncodegen-units = 3\n[profile.dist.package.itoa]\nopt-level = \"s\"\n[build]\njobs = 2\n[alias]\nx = \"run\"\n")
        .file(
            "app/Cargo.toml",
            &member("app", "[dependencies]\nmemchr = \"2\"\nlog = \"0.4\"\nitoa = \"1\"\nserde = { version = \"1\", features = [\"derive\"] }\n[build-dependencies]\nlog = \"0.4\"\n"),
        )
        .file("app/build.rs", "fn main() {}")
        .main("app")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--profile", "release"])
        .check(&["--bin", "app", "--profile", "dist"])
        .check(&["--bin", "app", "--profile", "bench"])
        .check(&["--bin", "app", "--profile", "test"]);
}

#[test]
fn configuration_and_custom_cfgs_count_as_in_the_workspace() {
    Case::new("config")
        .file("Cargo.toml", &root(""))
        .file(
            ".cargo/config.toml",
            "[build]\nrustflags = [\"--cfg\", \"chosen\"]\n[target.'cfg(windows)']\nrustflags = [\"-Ctarget-feature=+crt-static\"]\n\
             [target.x86_64-unknown-linux-gnu.native]\nrustc-link-lib = [\"c\"]\n[env]\nA = \"b\"\n[term]\nverbose = false\n",
        )
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [dependencies]
                native = { path = "../native" }
                [target.'cfg(chosen)'.dependencies]
                log = "0.4"
                lib = { path = "../lib" }
                [target.'cfg(not(chosen))'.dependencies]
                memchr = "2"
                [target.'cfg(target_feature = "avx512f")'.dependencies]
                bitflags = "2"
                [target.'cfg(not(target_feature = "avx512f"))'.dependencies]
                ryu = "1"
                [target.x86_64-unknown-linux-gnu.dependencies]
                cfg-if = "1"
                "#,
            ),
        )
        .main("app")
        .file("lib/Cargo.toml", &member("lib", "[dependencies]\nitoa = \"1\"\n"))
        .lib("lib")
        .file("native/Cargo.toml", &member("native", "links = \"native\"\n[build-dependencies]\ncc = \"1\"\n"))
        .lib("native")
        .file("native/build.rs", "fn main() {}")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--target", TARGET]);
}

#[test]
fn a_runtime_with_derives_and_build_scripts_is_exact() {
    Case::new("tokio")
        .file("Cargo.toml", &root(""))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [dependencies]
                tokio = { version = "1", features = ["rt", "macros", "net"] }
                serde = { version = "1", features = ["derive"] }
                thiserror = "2"
                "#,
            ),
        )
        .main("app")
        .check(&["--bin", "app"])
        .check(&["--bin", "app", "--profile", "release", "--target", TARGET]);
}

#[test]
fn the_example_repository_is_exact() {
    let backend = camino::Utf8Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/kiro/backend"));
    support::compare(backend, &[]);
    support::compare(backend, &["--profile", "release"]);
}
