//! The compiler cache that cargo's configuration puts before rustc.

use toml_edit::Item;

use super::CargoWorkspace;

/// Programs that run rustc, or take what it wrote before from a cache of their own. What they hand on is the same.
const CACHES: [&str; 3] = ["sccache", "cachepot", "ccache"];

/// The cache that `build.rustc-wrapper` names, if it is one by its bare name: a program that a developer has installed. A path is one of
/// the repository, and may do anything.
#[must_use]
pub fn compiler_cache(workspace: &CargoWorkspace) -> Option<&'static str> {
    let wrapper = workspace.configs.iter().find_map(|config| {
        let document = toml_edit::Document::parse(config.text.as_str()).ok()?;
        Some(document.as_table().get("build")?.as_table_like()?.get("rustc-wrapper").and_then(Item::as_str)?.to_owned())
    })?;
    CACHES.into_iter().find(|name| *name == wrapper)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::cargo::CargoConfig;
    use crate::project::fixture::Fixture;

    #[test]
    fn the_nearest_configuration_counts_and_a_path_is_the_repositorys_own() {
        let fixture = Fixture::new().binary(".", "api", "");
        let mut workspace = CargoWorkspace::load(fixture.path(), fixture.path()).unwrap();
        let table: [(&[&str], Option<&str>); 5] = [
            (&[], None),
            (&["[build]\nrustc-wrapper = \"sccache\"\n"], Some("sccache")),
            (&["[build]\nrustc-wrapper = \"tools/sccache\"\n"], None),
            (&["[build]\nrustc-wrapper = \"other\"\n", "[build]\nrustc-wrapper = \"sccache\"\n"], None),
            (&["[build]\njobs = 1\n", "build.rustc-wrapper = \"sccache\"\n"], Some("sccache")),
        ];
        for (configs, expected) in table {
            let config = |text: &&str| CargoConfig { path: ".cargo/config.toml".into(), text: (*text).to_owned() };
            workspace.configs = configs.iter().map(config).collect();
            assert_eq!(compiler_cache(&workspace), expected, "{configs:?}");
        }
    }
}
