//! Crates whose system packages no step of the Dockerfile installs.

use std::collections::{BTreeMap, BTreeSet};

use crate::advice::facts::rust_image::{Build, builds};
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::plan::Distribution as Images;
use crate::project::cargo::{AskedFeatures, Distribution, certain_native_needs};

pub(super) const RULE: Rule = Rule {
    id: "native-packages",
    group: Group::Native,
    severity: Severity::Error,
    summary: "a crate needs system packages that the stage which compiles it does not install",
    fixable: false,
    check,
};

/// What `rust:1.90` and `rust:1.90-bookworm` bring with them (buildpack-deps), as far as crates ask for it.
const FULL_IMAGE: [&str; 22] = [
    "autoconf",
    "automake",
    "bzip2",
    "default-libmysqlclient-dev",
    "file",
    "g++",
    "gcc",
    "git",
    "libbz2-dev",
    "libcurl4-openssl-dev",
    "libevent-dev",
    "libffi-dev",
    "libglib2.0-dev",
    "liblzma-dev",
    "libpq-dev",
    "libsqlite3-dev",
    "libssl-dev",
    "libtool",
    "libxml2-dev",
    "make",
    "patch",
    "pkg-config",
];
/// And these, which did not fit.
const FULL_IMAGE_TOO: [&str; 7] = ["curl", "perl", "python3", "unzip", "xz-utils", "zlib1g-dev", "libkrb5-dev"];

/// What Debian's packages recommend, as far as crates ask for it.
const RECOMMENDED: [(&str, &[&str]); 2] = [("cmake", &["make", "gcc"]), ("protobuf-compiler", &["libprotobuf-dev"])];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for build in builds(context) {
        let (distribution, full) = match crate::plan::distribution(&build.image.image) {
            Images::Debian => (Distribution::Debian, !build.image.image.contains("slim")),
            Images::Alpine => (Distribution::Alpine, false),
            Images::Bare => continue,
        };
        let Some(Installed { words: mut installed, line, compiles }) = installed(&build) else { continue };
        // apt brings what packages recommend unless it is told not to.
        if distribution == Distribution::Debian && !installed.contains("--no-install-recommends") {
            let recommended = RECOMMENDED.iter().filter(|(package, _)| installed.contains(*package));
            let recommended: Vec<String> =
                recommended.flat_map(|(_, others)| others.iter().map(|name| (*name).to_owned())).collect();
            installed.extend(recommended);
        }
        let asked = asked(&compiles);
        let mut missing: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (package, _) in
            build.workspace.binaries().into_iter().filter(|(package, binary)| asked.builds(&package.name, &binary.name))
        {
            for need in certain_native_needs(build.workspace, &package.name, &asked.features, distribution) {
                let lacks = need.build.into_iter().filter(|name| {
                    !(full && (FULL_IMAGE.contains(&name.as_str()) || FULL_IMAGE_TOO.contains(&name.as_str())))
                        && !has(&installed, name)
                });
                missing.entry(need.krate).or_default().extend(lacks);
            }
        }
        missing.retain(|_, packages| !packages.is_empty());
        let all: BTreeSet<&str> = missing.values().flatten().map(String::as_str).collect();
        if all.is_empty() {
            continue;
        }
        let wants = missing.iter().map(|(krate, names)| {
            format!("`{krate}` wants {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        });
        let install = match distribution {
            Distribution::Debian => "apt-get update && apt-get install -y --no-install-recommends",
            Distribution::Alpine => "apk add --no-cache",
        };
        let names: Vec<&str> = all.into_iter().collect();
        findings
            .line(
                &build.dockerfile.file,
                line,
                format!(
                    "error: failed to run custom build command: {}, and no step before installs it",
                    wants.collect::<Vec<_>>().join("; ")
                ),
            )
            .help(format!("before the first cargo command: `RUN {install} {}`", names.join(" ")));
    }
}

/// What the steps up to the first that compiles say.
struct Installed {
    /// Words of them all.
    words: BTreeSet<String>,
    /// Line of the one that compiles.
    line: usize,
    /// Its text.
    compiles: String,
}

/// What a cargo command is to build.
struct Asked {
    features: AskedFeatures,
    packages: BTreeSet<String>,
    binaries: BTreeSet<String>,
}

impl Asked {
    fn builds(&self, package: &str, binary: &str) -> bool {
        (self.packages.is_empty() || self.packages.contains(package))
            && (self.binaries.is_empty() || self.binaries.contains(binary))
    }
}

/// Reads the flags; those of several commands in one step are joined so that fewer crates are certain.
fn asked(text: &str) -> Asked {
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(['"', '\''])).collect();
    let values = |flags: &[&str]| -> BTreeSet<String> {
        let apart = words.windows(2).filter(|pair| flags.contains(&pair[0])).map(|pair| pair[1]);
        let joined = words.iter().filter_map(|word| word.split_once('=').filter(|(flag, _)| flags.contains(flag)));
        let lists = apart.chain(joined.map(|(_, value)| value));
        let single = lists.flat_map(|list| list.split(',')).map(|value| value.trim_matches(['"', '\'']));
        single.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    };
    let has = |flag: &str| words.contains(&flag);
    Asked {
        features: AskedFeatures {
            default: !has("--no-default-features"),
            all: has("--all-features"),
            names: values(&["--features", "-F"]),
        },
        packages: values(&["--package", "-p"]),
        binaries: values(&["--bin"]),
    }
}

/// `None` where a script may install anything.
fn installed(build: &Build<'_>) -> Option<Installed> {
    let mut words = BTreeSet::new();
    for (line, text, compiles) in &build.steps {
        if *compiles {
            let own: BTreeSet<String> = split(text).collect();
            words.extend(own);
            return Some(Installed { words, line: *line, compiles: text.clone() });
        }
        if text.contains(".sh") || text.contains("cargo install") && text.contains("binstall") {
            return None;
        }
        words.extend(split(text));
    }
    None
}

fn split(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '\\' | '"' | '\''))
        .map(|word| plain(word.split('=').next().unwrap_or(word)))
        .filter(|word| !word.is_empty())
}

/// A package's name without the version in it: `libclang-14-dev`, `clang-14`, `llvm-dev`.
fn plain(name: &str) -> String {
    name.split('-')
        .filter(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
        .collect::<Vec<_>>()
        .join("-")
}

fn has(installed: &BTreeSet<String>, name: &str) -> bool {
    let any = |names: &[&str]| names.iter().any(|name| installed.contains(*name));
    installed.contains(&plain(name))
        || match name {
            "g++" | "gcc" | "make" => any(&["build-essential", "build-base", "alpine-sdk"]),
            "pkg-config" | "pkgconf" => any(&["pkgconf", "pkg-config", "pkgconfig", "build-essential"]),
            "perl" => any(&["build-essential"]),
            "clang" | "libclang-dev" => any(&["clang", "llvm-dev", "libclang-dev"]),
            "protobuf-compiler" | "protoc" => any(&["protoc", "protobuf", "protobuf-dev"]),
            "libmariadb-dev" | "default-libmysqlclient-dev" => {
                any(&["libmysqlclient-dev", "default-libmysqlclient-dev", "libmariadb-dev"])
            }
            "openssl-dev" => any(&["libressl-dev", "openssl-dev"]),
            // Whoever downloads with one does so with the other.
            "curl" => any(&["python3"]),
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_in_names_do_not_matter() {
        let words: BTreeSet<String> =
            split("apt-get install -y libclang-14-dev clang-14 cmake=3.25.1 \\\n libssl-dev; x").collect();
        for name in ["libclang-dev", "clang", "cmake", "libssl-dev"] {
            assert!(has(&words, name), "{name}: {words:?}");
        }
        assert!(!has(&words, "libpq-dev"));
    }
}
