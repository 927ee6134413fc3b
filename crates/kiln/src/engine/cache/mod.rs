//! References to caches outside of the engine, as `--cache-from` and `--cache-to` of buildx take them, typed and checked.
//!
//! `type=registry,ref=registry.example/shop/cache:main,mode=max`, or only the name of an image, which is one in a registry.

mod local;
mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

pub use local::LocalCacheError;
pub(super) use local::LocalCaches;

/// Where a cache is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheKind {
    /// An image of its own in a registry.
    Registry,
    /// A folder on the machine of the caller.
    Local,
    /// The cache service of GitHub Actions.
    Gha,
    /// In the image that is built.
    Inline,
    /// A bucket of S3.
    S3,
    /// Azure's blob storage.
    Azblob,
}

impl CacheKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [Self::Registry, Self::Local, Self::Gha, Self::Inline, Self::S3, Self::Azblob];

    /// Its name, as in `type=`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registry => "registry",
            Self::Local => "local",
            Self::Gha => "gha",
            Self::Inline => "inline",
            Self::S3 => "s3",
            Self::Azblob => "azblob",
        }
    }

    /// Keys that it knows when it is read from, beyond those that every kind knows.
    const fn source_keys(self) -> &'static [&'static str] {
        match self {
            Self::Registry => &["ref", "registry.insecure"],
            Self::Local => &["src", "digest", "tag"],
            Self::Gha => &["scope", "url", "url_v2", "token", "timeout", "version"],
            Self::Inline => &[],
            Self::S3 => S3,
            Self::Azblob => AZBLOB,
        }
    }

    /// Keys that it knows when it is written to.
    fn destination_keys(self) -> Vec<&'static str> {
        const LAYERS: &[&str] = &[
            "compression",
            "compression-level",
            "force-compression",
            "image-manifest",
            "oci-mediatypes",
            "ignore-error",
            "mode",
        ];
        const GHA: &[&str] = &["repository", "ghtoken", "ignore-error", "mode"];
        let own: &[&str] = if self == Self::Local { &["dest", "tag", "reset"] } else { self.source_keys() };
        let more = match self {
            Self::Registry | Self::Local => LAYERS,
            Self::Gha => GHA,
            Self::Inline => &["mode"],
            Self::S3 | Self::Azblob => &["ignore-error", "mode"],
        };
        own.iter().chain(more).copied().collect()
    }
}

const S3: &[&str] = &[
    "bucket",
    "region",
    "name",
    "manifests_prefix",
    "blobs_prefix",
    "prefix",
    "endpoint_url",
    "use_path_style",
    "access_key_id",
    "secret_access_key",
    "session_token",
    "touch_refresh",
    "upload_parallelism",
];
const AZBLOB: &[&str] = &["account_url", "secret_access_key", "container", "name", "manifests_prefix", "blobs_prefix", "prefix"];

/// One cache outside of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CacheRef {
    kind: CacheKind,
    /// In the order given, without `type`.
    attributes: Vec<(String, String)>,
}

/// Why a reference to a cache cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CacheRefError {
    /// Not the form that buildx takes.
    #[error("`{part}` is no `key=value`")]
    NoPair {
        /// What stands there.
        part: String,
    },
    /// A quote that has no end, or stands within a value.
    #[error("a quote is out of place: quotes go around a whole `\"key=value\"`, and a quote in it is written twice")]
    Quote,
    /// Nothing at all, or an empty part.
    #[error("it is empty")]
    Empty,
    /// Pairs, but none says of which kind the cache is.
    #[error("it has no `type=`")]
    NoType,
    /// A kind that buildx does not know.
    #[error("there is no cache of type `{found}`")]
    UnknownType {
        /// What stands there.
        found: String,
        /// The kind that is most like it.
        suggestion: Option<&'static str>,
    },
    /// A key that the kind cannot do without.
    #[error("a cache of type `{}` needs `{key}=`", kind.name())]
    Missing {
        /// The kind.
        kind: CacheKind,
        /// The key.
        key: &'static str,
    },
    /// A key that is nearly one that the kind knows. BuildKit ignores what it does not know without a word.
    #[error("a cache of type `{}` has no `{key}`", kind.name())]
    UnknownKey {
        /// The kind.
        kind: CacheKind,
        /// The key.
        key: String,
        /// The known one.
        suggestion: &'static str,
    },
    /// A mode other than `min` and `max`.
    #[error("`mode={found}` is neither `min` nor `max`")]
    Mode {
        /// What stands there.
        found: String,
    },
    /// Only the layers of the image fit into the image.
    #[error("a cache of type `inline` is part of the image and has its layers only: `mode=max` needs another type")]
    InlineMax,
    /// An inline cache is read from the image that has it.
    #[error("a cache of type `inline` is read by the name of its image")]
    InlineSource,
}

impl CacheRef {
    /// Reads a value of `--cache-from`. The short form may name several images.
    ///
    /// # Errors
    /// [`CacheRefError`]
    pub fn sources(value: &str) -> Result<Vec<Self>, CacheRefError> {
        let references = parse::references(value)?;
        for reference in &references {
            match reference.kind {
                CacheKind::Inline => return Err(CacheRefError::InlineSource),
                CacheKind::Local => reference.need("src")?,
                _ => reference.check_common()?,
            }
            reference.check_keys(reference.kind.source_keys())?;
        }
        Ok(references)
    }

    /// Reads a value of `--cache-to`. The short form may name several images.
    ///
    /// # Errors
    /// [`CacheRefError`]
    pub fn destinations(value: &str) -> Result<Vec<Self>, CacheRefError> {
        let references = parse::references(value)?;
        for reference in &references {
            match reference.kind {
                CacheKind::Local => reference.need("dest")?,
                _ => reference.check_common()?,
            }
            match reference.get("mode") {
                None | Some("min") => {}
                Some("max") if reference.kind != CacheKind::Inline => {}
                Some("max") => return Err(CacheRefError::InlineMax),
                Some(found) => return Err(CacheRefError::Mode { found: found.to_owned() }),
            }
            reference.check_keys(&reference.kind.destination_keys())?;
        }
        Ok(references)
    }

    fn check_common(&self) -> Result<(), CacheRefError> {
        match self.kind {
            CacheKind::Registry => self.need("ref"),
            CacheKind::S3 => self.need("bucket"),
            CacheKind::Azblob => self.need("account_url"),
            CacheKind::Local | CacheKind::Gha | CacheKind::Inline => Ok(()),
        }
    }

    fn need(&self, key: &'static str) -> Result<(), CacheRefError> {
        match self.get(key) {
            Some(value) if !value.is_empty() => Ok(()),
            _ => Err(CacheRefError::Missing { kind: self.kind, key }),
        }
    }

    /// Only what is nearly right is refused: engines learn new keys.
    fn check_keys(&self, known: &[&'static str]) -> Result<(), CacheRefError> {
        for (key, _) in self.attributes.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            if let Some(near) = crate::text::did_you_mean(key, known.iter().copied())
                && let Some(suggestion) = known.iter().copied().find(|known| *known == near)
            {
                return Err(CacheRefError::UnknownKey { kind: self.kind, key: key.clone(), suggestion });
            }
        }
        Ok(())
    }

    /// Where it is kept.
    #[must_use]
    pub const fn kind(&self) -> CacheKind {
        self.kind
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// Gives a key a value, in place of one that it has.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.attributes.retain(|(name, _)| name != key);
        self.attributes.push((key.to_owned(), value.into()));
    }

    /// Gives a key a value unless it has one.
    pub fn set_default(&mut self, key: &str, value: impl Into<String>) {
        if self.get(key).is_none() {
            self.set(key, value);
        }
    }

    /// The folder of a local cache.
    #[must_use]
    pub fn folder(&self) -> Option<&Utf8Path> {
        let local = self.kind == CacheKind::Local;
        self.get("dest").or_else(|| self.get("src")).filter(|_| local).map(Utf8Path::new)
    }

    /// Takes the folder of a local cache as relative to `base`, and takes `..` out of it as a shell does.
    pub fn resolve(&mut self, base: &Utf8Path) {
        if self.kind == CacheKind::Local {
            for (_, value) in self.attributes.iter_mut().filter(|(key, _)| key == "src" || key == "dest") {
                *value = without_parents(&base.join(&*value)).into_string();
            }
        }
    }

    /// Fills in what makes an export worth having, where the reference says nothing else.
    ///
    /// All steps and not only those of the image (`mode=max`), zstd, a manifest that every registry takes, and an image even if the
    /// cache cannot be written. zstd and image manifests need OCI media types, so those who refuse these get neither.
    pub fn fill_in_export(&mut self) {
        match self.kind {
            CacheKind::Inline => return,
            CacheKind::Registry | CacheKind::Local => {
                self.set_default("oci-mediatypes", "true");
                if self.get("oci-mediatypes") == Some("true") {
                    self.set_default("image-manifest", "true");
                    self.set_default("compression", "zstd");
                }
            }
            CacheKind::Gha | CacheKind::S3 | CacheKind::Azblob => {}
        }
        self.set_default("mode", "max");
        self.set_default("ignore-error", "true");
    }

    /// The place that an export writes to: two exports with the same place overwrite each other. Nothing for inline caches.
    #[must_use]
    pub fn place(&self) -> Option<String> {
        let get = |key| self.get(key).unwrap_or_default();
        match self.kind {
            CacheKind::Registry => {
                let name = get("ref");
                let last = name.rsplit('/').next().unwrap_or(name);
                let latest = if last.contains([':', '@']) { "" } else { ":latest" };
                Some(format!("registry {name}{latest}"))
            }
            CacheKind::Local => Some(format!("local {} {}", get("dest"), self.get("tag").unwrap_or("latest"))),
            CacheKind::Gha => Some(format!("gha {}", self.get("scope").unwrap_or("buildkit"))),
            CacheKind::S3 => Some(format!("s3 {} {} {} {}", get("bucket"), get("prefix"), get("manifests_prefix"), get("name"))),
            CacheKind::Azblob => {
                let keys = ["account_url", "container", "prefix", "manifests_prefix", "name"];
                Some(format!("azblob {}", keys.map(get).join(" ")))
            }
            CacheKind::Inline => None,
        }
    }

    /// What it is called in a sentence: the image, the folder, the scope.
    #[must_use]
    pub fn label(&self) -> &str {
        let key = match self.kind {
            CacheKind::Registry => "ref",
            CacheKind::Local => return self.folder().map_or("local", Utf8Path::as_str),
            CacheKind::Gha => "scope",
            CacheKind::S3 => "bucket",
            CacheKind::Azblob => "account_url",
            CacheKind::Inline => return "inline",
        };
        self.get(key).unwrap_or_else(|| self.kind.name())
    }
}

fn without_parents(path: &Utf8Path) -> Utf8PathBuf {
    let mut whole = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::ParentDir => drop(whole.pop()),
            component => whole.push(component),
        }
    }
    whole
}

impl fmt::Display for CacheRef {
    /// The form that buildx takes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type={}", self.kind.name())?;
        for (key, value) in &self.attributes {
            f.write_str(",")?;
            parse::quoted(f, &format!("{key}={value}"))?;
        }
        Ok(())
    }
}
