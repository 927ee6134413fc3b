//! Names of cached stages among the engine's images.

use std::fmt;

use crate::plan::Variant;
use crate::text::short_hash;

/// The longest tag that Docker takes.
const LONGEST: usize = 128;

/// Repository of all cached stages of a project: `shop-cache`.
#[must_use]
pub fn cache_repository(project: &str) -> String {
    format!("{project}-cache")
}

/// Which stage a cache image holds. Its tag is `<service>-<variant>-<stage>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CacheTag {
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
    /// Name of the stage in the Dockerfile.
    pub stage: String,
}

impl CacheTag {
    /// The whole name of the image: `shop-cache:api-prod-deps`.
    #[must_use]
    pub fn image(&self, project: &str) -> String {
        format!("{}:{self}", cache_repository(project))
    }

    /// Takes a tag apart. Names of services may hold dashes and even the name of a variant, so only those of `services` count; the
    /// longest that fits. `None` for a tag that is none of theirs.
    pub fn parse<'a>(tag: &str, services: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let fits = services.into_iter().filter_map(|service| {
            let rest = tag.strip_prefix(service)?.strip_prefix('-')?;
            let (variant, stage) = rest.split_once('-')?;
            let variant = Variant::ALL.into_iter().find(|known| known.name() == variant)?;
            Some(Self { service: service.to_owned(), variant, stage: stage.to_owned() })
        });
        fits.filter(|found| !found.stage.is_empty()).max_by_key(|found| found.service.len())
    }
}

impl fmt::Display for CacheTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tag = format!("{}-{}-{}", self.service, self.variant.name(), self.stage);
        if tag.len() <= LONGEST {
            return f.write_str(&tag);
        }
        // Names are ASCII; a name that long is told from others by its hash.
        let (cut, hash) = (LONGEST - 17, short_hash(tag.as_bytes()));
        write!(f, "{}-{hash}", tag.chars().take(cut).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_service_variant_and_stage() {
        let tag = CacheTag { service: "api".to_owned(), variant: Variant::Prod, stage: "deps".to_owned() };
        assert_eq!(tag.image("shop"), "shop-cache:api-prod-deps");
        assert_eq!(CacheTag::parse("api-prod-deps", ["web", "api"]), Some(tag));
    }

    #[test]
    fn names_with_dashes_are_told_apart_by_the_services_there_are() {
        let parsed = |tag: &str, services: &[&str]| {
            CacheTag::parse(tag, services.iter().copied()).map(|tag| (tag.service, tag.variant.name(), tag.stage))
        };
        let some = |service: &str, variant, stage: &str| Some((service.to_owned(), variant, stage.to_owned()));
        assert_eq!(parsed("api-dev-fast-deps", &["api", "api-dev"]), some("api-dev", "fast", "deps"));
        assert_eq!(parsed("api-dev-fast-deps", &["api"]), some("api", "dev", "fast-deps"));
        for foreign in ["other-prod-deps", "api-prod", "api-prod-", "api-release-deps", "latest"] {
            assert_eq!(parsed(foreign, &["api"]), None, "{foreign}");
        }
    }

    #[test]
    fn a_tag_is_never_longer_than_docker_takes() {
        let of = |stage: &str| CacheTag { service: "s".repeat(100), variant: Variant::Fast, stage: stage.to_owned() };
        let (one, two) = (of(&"x".repeat(60)).to_string(), of(&("x".repeat(59) + "y")).to_string());
        assert_eq!((one.len(), one == two), (LONGEST, false));
    }
}
