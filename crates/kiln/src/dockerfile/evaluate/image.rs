//! Platforms, and what an image brings along.

use serde::{Deserialize, Serialize};

/// An operating system and processor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// `linux`
    pub os: String,
    /// `amd64`, `arm64`
    pub architecture: String,
    /// `v7`; mostly empty.
    pub variant: String,
}

impl Default for Platform {
    fn default() -> Self {
        Self::linux("amd64")
    }
}

impl Platform {
    /// Linux on a processor.
    #[must_use]
    pub fn linux(architecture: &str) -> Self {
        Self { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: String::new() }
    }

    /// Reads `os/architecture[/variant]`, with the other names of processors that BuildKit takes; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let is_name =
            |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
        if !parts.iter().all(is_name) {
            return None;
        }
        let lower = |part: &str| part.to_lowercase();
        let (os, architecture, variant) = match parts.as_slice() {
            [one] if matches!(lower(one).as_str(), "linux" | "windows" | "darwin" | "freebsd") => {
                (lower(one), "amd64".to_owned(), String::new())
            }
            [one] => ("linux".to_owned(), lower(one), String::new()),
            [os, architecture] => (lower(os), lower(architecture), String::new()),
            [os, architecture, variant] => (lower(os), lower(architecture), lower(variant)),
            _ => return None,
        };
        let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
            ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
            ("i386", _) => ("386", ""),
            ("aarch64" | "arm64", "" | "8" | "v8") => ("arm64", ""),
            ("armhf", _) | ("arm", "" | "7") => ("arm", "v7"),
            ("armel", _) | ("arm", "6") => ("arm", "v6"),
            ("arm", "5") => ("arm", "v5"),
            ("arm", "8") => ("arm", "v8"),
            (architecture, variant) => (architecture, variant),
        };
        Some(Self { os, architecture: architecture.to_owned(), variant: variant.to_owned() })
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if self.variant.is_empty() { Ok(()) } else { write!(f, "/{}", self.variant) }
    }
}

/// The part of an image's configuration that its children inherit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `NAME=value`, in order.
    pub env: Vec<(String, String)>,
    /// Folder; `/` when empty.
    pub workdir: String,
    /// User; root when empty.
    pub user: String,
    /// `SHELL`; the default when empty.
    pub shell: Vec<String>,
    /// `ONBUILD` triggers.
    pub onbuild: Vec<String>,
}
