//! Under link-time optimization, proven by building: the unit graph does not show it.

use super::support::Case;
use super::{member, root};

/// Libraries of several crate types under a binary with link-time optimization.
fn optimized(lto: &str) -> Case {
    Case::new("lto")
        .file("Cargo.toml", &root(&format!("[profile.release]\nlto = {lto}\nopt-level = 1\n")))
        .file(
            "app/Cargo.toml",
            &member(
                "app",
                r#"
                [lib]
                crate-type = ["rlib"]
                [dependencies]
                mixed = { path = "../mixed" }
                dynamic = { path = "../dynamic" }
                derive = { path = "../derive" }
                memchr = { version = "2", default-features = false }
                shared = { package = "cfg-if", version = "1" }
                [build-dependencies]
                fnv = "1"
                "#,
            ),
        )
        .main("app")
        .lib("app")
        .file("app/build.rs", "fn main() {}")
        .file(
            "mixed/Cargo.toml",
            &member(
                "mixed",
                "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[dependencies]\nitoa = \"1\"\nbelow = { path = \"../below\" }\n",
            ),
        )
        .lib("mixed")
        .file(
            "below/Cargo.toml",
            &member("below", "[dependencies]\nscopeguard = { version = \"1\", default-features = false }\n"),
        )
        .lib("below")
        .file(
            "dynamic/Cargo.toml",
            &member("dynamic", "[lib]\ncrate-type = [\"dylib\"]\n[dependencies]\nryu = \"1\"\ncfg-if = \"1\"\n"),
        )
        .lib("dynamic")
        .file("derive/Cargo.toml", &member("derive", "[lib]\nproc-macro = true\n[dependencies]\nunicode-ident = \"1\"\n"))
        .lib("derive")
}

#[test]
fn under_thin_lto_everything_cooked_is_fresh_for_the_real_build() {
    optimized("\"thin\"").check_by_building("release");
}

#[test]
fn under_fat_lto_everything_cooked_is_fresh_for_the_real_build() {
    optimized("true").check_by_building("release");
}

#[test]
fn without_lto_everything_cooked_is_fresh_for_the_real_build() {
    optimized("false").check_by_building("release");
    optimized("\"off\"").check_by_building("release");
}
