//! What units of a published layer need, as labels of its image: read without pulling the layer.

use std::collections::BTreeMap;

use super::{Identity, Pin};
use crate::engine::ImageInfo;
use crate::plan::{RustService, Service, Variant};
use crate::recipe::LAYER_SCHEMA;

const IDENTITY: &str = "org.kiln.seed.identity";
const PIN: &str = "org.kiln.seed.cooked-with";
const SCHEMA: &str = "org.kiln.seed.schema";
const BUILD_IMAGE: &str = "org.kiln.seed.build-image";
const TOOLCHAIN: &str = "org.kiln.seed.toolchain";
const TARGET: &str = "org.kiln.seed.target";
const PROFILE: &str = "org.kiln.seed.profile";

/// What builds must have in common to use each other's units, as far as it can be told without looking at them. The same values make
/// the name of the units mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Schema of the layer.
    pub schema: u32,
    /// Base image of the stages that compile.
    pub build_image: String,
    /// Toolchain that is installed on top; empty for the image's own.
    pub toolchain: String,
    /// Target triple; empty for the machine's own.
    pub target: String,
    /// cargo profile.
    pub profile: String,
}

/// Why an image is not used as a seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// It is no published layer.
    NotASeed,
    /// It was written by another version of kiln.
    Schema,
    /// Another base image.
    BuildImage {
        /// The seed's.
        found: String,
    },
    /// Another toolchain; empty for the base image's own.
    Toolchain {
        /// The seed's.
        found: String,
    },
    /// Another target triple; empty for the machine's own.
    Target {
        /// The seed's.
        found: String,
    },
    /// Another profile.
    Profile {
        /// The seed's.
        found: String,
    },
    /// Another platform.
    Platform {
        /// The seed's.
        found: Vec<String>,
    },
}

impl Needs {
    /// What the units of a variant need.
    #[must_use]
    pub fn of(service: &Service, rust: &RustService, variant: Variant) -> Self {
        Self {
            schema: LAYER_SCHEMA,
            build_image: service.base_images.build.clone(),
            toolchain: rust.install_toolchain.clone().unwrap_or_default(),
            target: rust.target.clone().unwrap_or_default(),
            profile: rust.profile_of(variant).to_owned(),
        }
    }

    /// The labels of a layer's image.
    #[must_use]
    pub fn labels(&self, identity: &Identity, cooked_with: &Pin) -> BTreeMap<String, String> {
        let schema = self.schema.to_string();
        let labels = [
            (IDENTITY, identity.as_str()),
            (PIN, cooked_with.as_str()),
            (SCHEMA, &schema),
            (BUILD_IMAGE, &self.build_image),
            (TOOLCHAIN, &self.toolchain),
            (TARGET, &self.target),
            (PROFILE, &self.profile),
        ];
        labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
    }
}

/// What labels say of an image that may be a seed.
impl ImageInfo {
    /// The cook that made it, if it says so.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.label(IDENTITY).map(Identity::from_label)
    }

    /// What that cook was itself seeded with.
    #[must_use]
    pub fn cooked_with(&self) -> Option<Pin> {
        self.label(PIN).and_then(Pin::parse)
    }

    /// Why it cannot be the seed of a build with these needs for these platforms; `None` if it can. `platforms` is empty where they are
    /// not known.
    #[must_use]
    pub fn misfit(&self, needs: &Needs, platforms: &[String]) -> Option<Misfit> {
        let Some(schema) = self.label(SCHEMA) else { return Some(Misfit::NotASeed) };
        if schema != needs.schema.to_string() {
            return Some(Misfit::Schema);
        }
        let differs = |name: &str, wanted: &str| {
            let found = self.label(name).unwrap_or_default();
            (found != wanted).then(|| found.to_owned())
        };
        if let Some(found) = differs(BUILD_IMAGE, &needs.build_image) {
            return Some(Misfit::BuildImage { found });
        }
        if let Some(found) = differs(TOOLCHAIN, &needs.toolchain) {
            return Some(Misfit::Toolchain { found });
        }
        if let Some(found) = differs(TARGET, &needs.target) {
            return Some(Misfit::Target { found });
        }
        if let Some(found) = differs(PROFILE, &needs.profile) {
            return Some(Misfit::Profile { found });
        }
        let lacks = |platform: &String| !self.platforms.contains(platform);
        (!self.platforms.is_empty() && platforms.iter().any(lacks)).then(|| Misfit::Platform { found: self.platforms.clone() })
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }
}
