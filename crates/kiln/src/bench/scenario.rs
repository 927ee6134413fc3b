//! The kinds of change, by name.

use serde::{Deserialize, Serialize};

/// One kind of change, by its name on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// A first build: nothing is cached.
    Cold,
    /// The same build once more.
    NoOp,
    /// A line in a text that no step of the image reads.
    Docs,
    /// A line in the binary's main source file.
    SourceBin,
    /// A line in the local library that most members depend on.
    SourceLib,
    /// A comment in the binary's main source file.
    Comment,
    /// The next patch version of the binary's package, in manifest and lock.
    VersionBump,
    /// A new, small external crate.
    AddDependency,
    /// Another version of an external crate that no other one depends on.
    BumpLeaf,
    /// Another version of an external crate on which about half of the others depend.
    BumpCore,
    /// Another version of a locked crate that the binary does not reach.
    LockOnly,
    /// A line in the entry module of the frontend.
    FrontendSource,
    /// Another version of one of the frontend's dependencies.
    FrontendDependency,
    /// The next patch version of the frontend's package, in manifest and lock.
    FrontendVersion,
    /// To another branch and back: the files are as they were at the last build.
    BranchSwitchBack,
    /// A builder without any local state, as on a fresh CI machine with a registry cache.
    FreshBuilder,
    /// The builder has collected the cache mounts as garbage; layers are still there.
    #[serde(rename = "gc-ed-mount")]
    GcEdMount,
}

impl Scenario {
    /// All scenarios in the order in which they are run and shown.
    pub const ALL: [Self; 17] = [
        Self::Cold,
        Self::NoOp,
        Self::Docs,
        Self::SourceBin,
        Self::SourceLib,
        Self::Comment,
        Self::VersionBump,
        Self::AddDependency,
        Self::BumpLeaf,
        Self::BumpCore,
        Self::LockOnly,
        Self::FrontendSource,
        Self::FrontendDependency,
        Self::FrontendVersion,
        Self::BranchSwitchBack,
        Self::FreshBuilder,
        Self::GcEdMount,
    ];

    /// The name on the command line and in results.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::NoOp => "no-op",
            Self::Docs => "docs",
            Self::SourceBin => "source-bin",
            Self::SourceLib => "source-lib",
            Self::Comment => "comment",
            Self::VersionBump => "version-bump",
            Self::AddDependency => "add-dependency",
            Self::BumpLeaf => "bump-leaf",
            Self::BumpCore => "bump-core",
            Self::LockOnly => "lock-only",
            Self::FrontendSource => "frontend-source",
            Self::FrontendDependency => "frontend-dependency",
            Self::FrontendVersion => "frontend-version",
            Self::BranchSwitchBack => "branch-switch-back",
            Self::FreshBuilder => "fresh-builder",
            Self::GcEdMount => "gc-ed-mount",
        }
    }

    /// The scenario of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == name)
    }

    /// What happens, in a few words for a list.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::Cold => "a first build, with nothing cached",
            Self::NoOp => "the same build once more",
            Self::Docs => "a line in a README",
            Self::SourceBin => "a line in the binary's main source file",
            Self::SourceLib => "a line in the library that most local crates depend on",
            Self::Comment => "a comment in the binary's main source file",
            Self::VersionBump => "a new version of the package, in Cargo.toml and Cargo.lock",
            Self::AddDependency => "a new, small external crate",
            Self::BumpLeaf => "another version of a crate that no other crate depends on",
            Self::BumpCore => "another version of a crate that about half of the crates depend on",
            Self::LockOnly => "another version of a locked crate that the binary does not use",
            Self::FrontendSource => "a line in the frontend's entry module",
            Self::FrontendDependency => "another version of a dependency of the frontend",
            Self::FrontendVersion => "a new version in package.json and its lockfile",
            Self::BranchSwitchBack => "to another branch and back",
            Self::FreshBuilder => "an empty builder with a registry cache, as in CI",
            Self::GcEdMount => "the builder has thrown its cache mounts away",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_has_one_name_everywhere() {
        for scenario in Scenario::ALL {
            assert_eq!(Scenario::parse(scenario.name()), Some(scenario));
            assert_eq!(serde_json::to_value(scenario).unwrap(), scenario.name());
        }
        assert_eq!(Scenario::parse("Cold"), None);
    }
}
