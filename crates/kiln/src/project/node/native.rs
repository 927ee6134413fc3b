//! npm packages whose install compiles C or C++, or that need system libraries.

use std::collections::BTreeSet;
use std::fs;

use camino::Utf8Path;
use serde::Serialize;

use super::{Lockfile, NodePackage};

/// A package that needs Debian packages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct NativeAddon {
    /// npm package name.
    pub package: String,
    /// Debian packages for the install.
    pub build: Vec<String>,
    /// Debian packages at run time.
    pub runtime: Vec<String>,
}

/// What node-gyp needs.
const GYP: [&str; 3] = ["g++", "make", "python3"];

/// Package, libraries beside node-gyp's needs, libraries at run time. Packages that ship prebuilt binaries for glibc
/// (sharp, esbuild, rollup, swc, lightningcss, argon2 from 0.31, bcrypt from 6) are not here, or only for those that still compile.
const ADDONS: [(&str, &[&str], &[&str]); 20] = [
    ("argon2", &[], &[]),
    ("bcrypt", &[], &[]),
    ("better-sqlite3", &[], &[]),
    ("bufferutil", &[], &[]),
    (
        "canvas",
        &["libcairo2-dev", "libgif-dev", "libjpeg-dev", "libpango1.0-dev", "librsvg2-dev", "pkg-config"],
        &["libcairo2", "libgif7", "libjpeg62-turbo", "libpango-1.0-0", "libpangocairo-1.0-0", "librsvg2-2"],
    ),
    ("couchbase", &["cmake"], &[]),
    ("deasync", &[], &[]),
    ("farmhash", &[], &[]),
    ("grpc", &[], &[]),
    ("ibm_db", &[], &[]),
    ("kerberos", &["libkrb5-dev"], &["libgssapi-krb5-2"]),
    ("libpq", &["libpq-dev"], &["libpq5"]),
    ("node-pty", &[], &[]),
    ("node-rdkafka", &["libsasl2-dev", "libssl-dev", "zlib1g-dev"], &["libsasl2-2", "libssl3"]),
    ("node-sass", &[], &[]),
    ("re2", &[], &[]),
    ("sqlite3", &[], &[]),
    ("tree-sitter", &[], &[]),
    ("usb", &["libudev-dev"], &["libudev1"]),
    ("zeromq", &["cmake", "pkg-config"], &[]),
];

/// Addons among the direct dependencies and the locked packages.
pub(super) fn find(directory: &Utf8Path, packages: &[NodePackage], lockfiles: &[Lockfile]) -> Vec<NativeAddon> {
    let direct = packages.iter().flat_map(|package| &package.manifest.dependencies).map(|dependency| dependency.name.as_str());
    let direct = direct.collect::<BTreeSet<_>>();
    let locks = lockfiles.iter().filter_map(|lock| fs::read_to_string(directory.join(&lock.name)).ok()).collect::<Vec<_>>();
    ADDONS
        .iter()
        .filter(|(name, ..)| direct.contains(name) || locks.iter().any(|lock| locked(lock, name)))
        .map(|(name, build, runtime)| NativeAddon {
            package: (*name).to_owned(),
            build: GYP.iter().chain(*build).map(|name| (*name).to_owned()).collect(),
            runtime: runtime.iter().map(|name| (*name).to_owned()).collect(),
        })
        .collect()
}

/// Whether a lock of any kind has an entry of that name: `"node_modules/x":`, `/x@1:`, `x@1:`, `"x@npm:^1":`.
fn locked(lock: &str, name: &str) -> bool {
    lock.contains(&format!("node_modules/{name}\""))
        || lock.lines().any(|line| {
            let entry = line.trim_start().trim_start_matches(['"', '\'', '/']);
            entry.strip_prefix(name).is_some_and(|rest| rest.starts_with('@') && line.trim_end().ends_with(':'))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addon_is_found_in_every_kind_of_lock() {
        for lock in [
            "  \"node_modules/bcrypt\": {",
            "bcrypt@^5.0.0:\n  version",
            "\"bcrypt@npm:^5\":",
            "  bcrypt@5.1.0:",
            "  /bcrypt@5.1.0:",
            "  '/bcrypt@5.1.0':",
        ] {
            assert!(locked(lock, "bcrypt"), "{lock}");
        }
        assert!(!locked("  \"node_modules/bcryptjs\": {\n bcryptjs@2.4.3:\n   bcrypt: ^5", "bcrypt"));
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(ADDONS.is_sorted_by_key(|(name, ..)| *name));
    }
}
