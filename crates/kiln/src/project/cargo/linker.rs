//! Which system packages cargo's configuration wants: the linkers that it names.
//!
//! The toolchain images have `gcc` and its linker. A configuration that names another (`linker = "clang"`, `-fuse-ld=mold`) fails the
//! first link, of a build script, minutes before a source of the repository is compiled.

use std::collections::{BTreeMap, BTreeSet};

use toml_edit::{Item, TableLike};

use super::CargoWorkspace;
use super::native::{NativeNeed, is_for_linux};

/// The packages with the linkers that cargo's configuration files name for Linux, in order of their files. Debian and Alpine have the
/// same names for them.
///
/// A table of another architecture counts as well: a package too many costs seconds, one too few costs the build. What rustc itself or
/// the image has (`cc`, `gcc`, `rust-lld`) needs none, and what no distribution has is left to the person.
#[must_use]
pub fn linker_needs(workspace: &CargoWorkspace) -> Vec<NativeNeed> {
    let mut needs: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for config in &workspace.configs {
        let Ok(document) = toml_edit::Document::parse(config.text.as_str()) else { continue };
        let build = document.as_table().get("build").and_then(Item::as_table_like);
        let targets = document.as_table().get("target").and_then(Item::as_table_like);
        let for_linux = targets.into_iter().flat_map(TableLike::iter).filter(|(key, _)| is_for_linux(Some(key)));
        for table in build.into_iter().chain(for_linux.filter_map(|(_, item)| item.as_table_like())) {
            let linker = table.get("linker").and_then(Item::as_str).and_then(package_of);
            let flags = flags(table.get("rustflags")).into_iter().filter_map(|flag| named_in(&flag));
            needs.entry(config.path.to_string()).or_default().extend(linker.into_iter().chain(flags));
        }
    }
    let needs = needs.into_iter().filter(|(_, build)| !build.is_empty());
    let need = |(krate, build): (String, BTreeSet<&str>)| NativeNeed {
        krate,
        build: build.into_iter().map(str::to_owned).collect(),
        runtime: Vec::new(),
    };
    needs.map(need).collect()
}

/// `rustflags` is a list, or one text with blanks.
fn flags(item: Option<&Item>) -> Vec<String> {
    let Some(item) = item else { return Vec::new() };
    match (item.as_str(), item.as_array()) {
        (Some(text), _) => text.split_whitespace().map(str::to_owned).collect(),
        (None, Some(list)) => list.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect(),
        (None, None) => Vec::new(),
    }
}

/// The package for `-Clinker=…`, `linker=…`, and any flag that hands `-fuse-ld=…` or `--ld-path=…` on.
fn named_in(flag: &str) -> Option<&'static str> {
    let given = ["-fuse-ld=", "--ld-path="].iter().find_map(|option| Some(flag.split_once(option)?.1));
    let flag = flag.strip_prefix("-C").unwrap_or(flag);
    package_of(given.or_else(|| flag.strip_prefix("linker="))?)
}

/// The package that has a linker, by its name or path.
fn package_of(linker: &str) -> Option<&'static str> {
    match linker.rsplit('/').next().unwrap_or(linker) {
        "clang" | "clang++" => Some("clang"),
        "lld" | "ld.lld" => Some("lld"),
        "mold" | "ld.mold" => Some("mold"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cargo::CargoConfig;
    use crate::project::fixture::Fixture;

    fn needs(config: &str) -> Vec<String> {
        let fixture = Fixture::new().binary(".", "api", "");
        let mut workspace = CargoWorkspace::load(fixture.path(), fixture.path()).unwrap();
        workspace.configs = vec![CargoConfig { path: ".cargo/config.toml".into(), text: config.to_owned() }];
        linker_needs(&workspace).into_iter().flat_map(|need| need.build).collect()
    }

    #[test]
    fn a_linker_of_the_configuration_is_a_package() {
        let nothing: [&str; 0] = [];
        let linux = "[target.x86_64-unknown-linux-gnu]\n";
        let with = |lines: &str| needs(&format!("{linux}{lines}"));
        assert_eq!(with("linker = \"clang\"\nrustflags = [\"-C\", \"link-arg=-fuse-ld=lld\"]"), ["clang", "lld"]);
        assert_eq!(
            with("rustflags = [\"-C\", \"linker=clang\", \"-C\", \"link-arg=-fuse-ld=/usr/bin/mold\"]"),
            ["clang", "mold"]
        );
        assert_eq!(with("rustflags = \"-Clinker=/usr/bin/clang -Clink-arg=--ld-path=/usr/bin/ld.lld\""), ["clang", "lld"]);
        assert_eq!(needs("[build]\nrustflags = [\"-Clink-arg=-fuse-ld=mold\"]"), ["mold"]);
        assert_eq!(needs("[target.'cfg(target_os = \"linux\")']\nlinker = \"clang\""), ["clang"]);
        // The image or rustc has these; nobody has that one; and those are for other systems.
        assert_eq!(
            with("linker = \"gcc\"\nrustflags = [\"-Clinker=rust-lld\", \"-Clink-arg=-fuse-ld=bfd\", \"-Cdebuginfo=0\"]"),
            nothing
        );
        assert_eq!(with("linker = \"tools/our-linker\""), nothing);
        assert_eq!(needs("[target.x86_64-pc-windows-msvc]\nrustflags = [\"-C\", \"link-arg=-fuse-ld=lld\"]"), nothing);
        assert_eq!(needs("[target.x86_64-apple-darwin]\nlinker = \"clang\""), nothing);
    }
}
