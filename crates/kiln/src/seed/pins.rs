//! Which seed each cook was built with: `.kiln/seeds.json`.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::Identity;
use crate::text::repository;

const FILE: &str = "seeds.json";

/// The value of the argument that names the seed: an image by its digest, or nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pin(String);

impl Pin {
    const SCRATCH: &'static str = "scratch";

    /// No seed.
    #[must_use]
    pub fn scratch() -> Self {
        Self(Self::SCRATCH.to_owned())
    }

    /// An image by its digest. A tag in the reference is left out: it says nothing more.
    #[must_use]
    pub fn image(reference: &str, digest: &str) -> Option<Self> {
        Self::parse(&format!("{}@{digest}", repository(reference)))
    }

    /// Reads a pin: `scratch` or `name@sha256:…`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_digest = |digest: &str| {
            digest.strip_prefix("sha256:").is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let is_image = text.split_once('@').is_some_and(|(name, digest)| !name.is_empty() && is_digest(digest));
        (text == Self::SCRATCH || is_image).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no seed.
    #[must_use]
    pub fn is_scratch(&self) -> bool {
        self.0 == Self::SCRATCH
    }
}

impl TryFrom<String> for Pin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("`{text}` is no image with a digest"))
    }
}

impl From<Pin> for String {
    fn from(pin: Pin) -> Self {
        pin.0
    }
}

/// What a cook was built with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// The cook.
    pub identity: Identity,
    /// Its seed.
    pub pin: Pin,
}

/// How many cooks of a variant are remembered: whoever goes back to another branch finds its steps cached.
const REMEMBERED: usize = 20;

/// The pins of a project's services and variants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pins {
    /// By service, then by name of the variant; the latest first.
    services: BTreeMap<String, BTreeMap<String, Vec<Pinned>>>,
}

/// Why the pins could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot write `{path}`")]
pub struct PinError {
    path: Utf8PathBuf,
    #[source]
    source: io::Error,
}

impl Pins {
    /// Reads the pins below `state`, kiln's own folder. Unreadable ones are as good as none: seeds are then chosen anew.
    #[must_use]
    pub fn read(state: &Utf8Path) -> Self {
        let text = fs::read(state.join(FILE)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Whether anything is known of a variant.
    #[must_use]
    pub fn knows(&self, service: &str, variant: &str) -> bool {
        self.services.get(service).is_some_and(|variants| variants.contains_key(variant))
    }

    /// What a cook was last built with.
    #[must_use]
    pub fn get(&self, service: &str, variant: &str, identity: &Identity) -> Option<&Pin> {
        let known = self.services.get(service)?.get(variant)?;
        known.iter().find(|pinned| pinned.identity == *identity).map(|pinned| &pinned.pin)
    }

    /// Notes what a variant was built with; gives whether anything changed.
    pub fn set(&mut self, service: &str, variant: &str, pinned: Pinned) -> bool {
        let known = self.services.entry(service.to_owned()).or_default().entry(variant.to_owned()).or_default();
        if known.first() == Some(&pinned) {
            return false;
        }
        known.retain(|other| other.identity != pinned.identity);
        known.insert(0, pinned);
        known.truncate(REMEMBERED);
        true
    }

    /// Writes the pins, whole or not at all.
    ///
    /// # Errors
    /// [`PinError`], if the file cannot be written.
    pub fn write(&self, state: &Utf8Path) -> Result<(), PinError> {
        let path = state.join(FILE);
        let temporary = state.join(format!("{FILE}.{}", std::process::id()));
        let bytes = serde_json::to_vec_pretty(self).map_err(io::Error::from);
        let written = bytes.and_then(|bytes| fs::write(&temporary, bytes)).and_then(|()| fs::rename(&temporary, &path));
        written.map_err(|source| PinError { path, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_images_by_digest_or_nothing() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        for (reference, name) in [
            ("localhost:5000/shop/deps:api-main", "localhost:5000/shop/deps"),
            ("localhost:5000/shop/deps", "localhost:5000/shop/deps"),
            ("deps:x", "deps"),
            ("r.example/deps:x@sha256:00", "r.example/deps"),
        ] {
            assert_eq!(Pin::image(reference, &digest).unwrap().as_str(), format!("{name}@{digest}"));
        }
        assert!(Pin::parse("scratch").unwrap().is_scratch());
        for wrong in ["deps:main", "deps", "deps@sha256:12", "@sha256:", "", "a@md5:12"] {
            assert_eq!(Pin::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn pins_are_read_back_and_a_spoilt_file_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let state = Utf8Path::from_path(folder.path()).unwrap();
        assert_eq!(Pins::read(state), Pins::default());
        let mut pins = Pins::default();
        let pinned = Pinned { identity: Identity::from_label("a"), pin: Pin::scratch() };
        assert!(pins.set("api", "prod", pinned.clone()));
        assert!(!pins.set("api", "prod", pinned.clone()));
        pins.write(state).unwrap();
        assert_eq!(Pins::read(state).get("api", "prod", &pinned.identity), Some(&pinned.pin));
        assert_eq!(Pins::read(state).get("api", "prod", &Identity::from_label("b")), None);
        assert_eq!(fs::read_dir(state).unwrap().count(), 1, "nothing is left beside it");
        for spoilt in ["{", "{\"services\":{\"api\":{\"prod\":[{\"identity\":\"a\",\"pin\":\"deps:main\"}]}}}"] {
            fs::write(state.join(FILE), spoilt).unwrap();
            assert_eq!(Pins::read(state), Pins::default());
        }
    }

    #[test]
    fn the_latest_cooks_are_remembered() {
        let mut pins = Pins::default();
        let identity = |number: usize| Identity::from_label(&number.to_string());
        for number in 0..REMEMBERED + 1 {
            pins.set("api", "prod", Pinned { identity: identity(number), pin: Pin::scratch() });
        }
        assert_eq!(pins.get("api", "prod", &identity(0)), None);
        let image = Pin::image("deps", &format!("sha256:{}", "ab".repeat(32))).unwrap();
        assert!(pins.set("api", "prod", Pinned { identity: identity(1), pin: image.clone() }));
        assert_eq!(pins.get("api", "prod", &identity(1)), Some(&image));
        assert!(pins.get("api", "prod", &identity(2)).is_some() && pins.knows("api", "prod") && !pins.knows("api", "dev"));
    }
}
