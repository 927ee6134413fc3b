//! Which base images: from a toolchain to an image tag, and from an image to its distribution.

/// The Rust version whose image is used where the repository asks for none.
pub const DEFAULT_RUST_VERSION: &str = "1.95";

/// Base of the production image of a Rust service.
pub const DEFAULT_RUNTIME_IMAGE: &str = "debian:bookworm-slim";

/// A toolchain, as an image and what rustup must add to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolchainImage {
    /// What is asked for: a version, or a channel with date.
    pub(super) toolchain: String,
    /// The image that has it, or in which it is installed.
    pub(super) image: String,
    /// The toolchain to install, where the image lacks it.
    pub(super) install: Option<String>,
}

/// The image for a channel (`kiln.toml` or toolchain file) and the `rust-version` of the packages.
pub(super) fn toolchain_image(channel: Option<&str>, rust_version: Option<&str>) -> ToolchainImage {
    let channel = channel.map(without_host).filter(|channel| *channel != "stable");
    let image = |version: &str| format!("rust:{version}-slim-bookworm");
    match channel {
        Some(version) if is_release(version) => {
            ToolchainImage { toolchain: version.to_owned(), image: image(version), install: None }
        }
        Some(other) => {
            ToolchainImage { toolchain: other.to_owned(), image: image(DEFAULT_RUST_VERSION), install: Some(other.to_owned()) }
        }
        None => {
            let version = match rust_version {
                Some(version) if is_release(version) && numbers(version) > numbers(DEFAULT_RUST_VERSION) => version,
                _ => DEFAULT_RUST_VERSION,
            };
            ToolchainImage { toolchain: version.to_owned(), image: image(version), install: None }
        }
    }
}

/// `1.95`, `1.95.0`: what has an image of its own.
fn is_release(version: &str) -> bool {
    let parts: Vec<&str> = version.split('.').collect();
    (2..=3).contains(&parts.len()) && parts.iter().all(|part| part.parse::<u32>().is_ok())
}

pub(super) fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map_while(|part| part.parse().ok()).collect()
}

/// A channel without the host triple that a toolchain file may append: `1.85.0-x86_64-unknown-linux-gnu`.
fn without_host(channel: &str) -> &str {
    ["-x86_64-", "-aarch64-", "-i686-", "-armv7-", "-riscv64gc-", "-powerpc64le-", "-s390x-"]
        .iter()
        .find_map(|part| channel.find(part))
        .map_or(channel, |at| &channel[..at])
}

/// How packages are installed in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distribution {
    /// `apt-get`
    Debian,
    /// `apk`
    Alpine,
    /// No shell and no package manager: `scratch`, distroless.
    Bare,
}

/// The distribution of an image, told from its name; Debian where the name says nothing.
#[must_use]
pub fn distribution(image: &str) -> Distribution {
    if image.contains("alpine") {
        Distribution::Alpine
    } else if image == "scratch" || image.contains("distroless") || image.contains("chainguard/static") {
        Distribution::Bare
    } else {
        Distribution::Debian
    }
}

/// Whether an image is one of the official Rust images, which tell their toolchain in `RUST_VERSION`.
pub(crate) fn is_rust_image(image: &str) -> bool {
    let name = image.rsplit('/').next().unwrap_or(image);
    name == "rust" || name.starts_with("rust:") || name.starts_with("rust@")
}

/// The image in which cargo-chef is compiled for steps in `build`: that image itself, unless its toolchain is too old for that.
pub(crate) fn cargo_chef_image(build: &str) -> String {
    let version = build.strip_prefix("rust:").and_then(|tag| tag.strip_suffix("-slim-bookworm"));
    match version {
        Some(version) if is_release(version) && numbers(version) < numbers(DEFAULT_RUST_VERSION) => {
            build.replace(version, DEFAULT_RUST_VERSION)
        }
        _ => build.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_becomes_an_image() {
        let table = [
            (None, None, "rust:1.95-slim-bookworm", None),
            (Some("stable"), None, "rust:1.95-slim-bookworm", None),
            (Some("1.85"), None, "rust:1.85-slim-bookworm", None),
            (Some("1.85.1"), Some("1.99"), "rust:1.85.1-slim-bookworm", None),
            (Some("1.85.1-x86_64-unknown-linux-gnu"), None, "rust:1.85.1-slim-bookworm", None),
            (None, Some("1.80"), "rust:1.95-slim-bookworm", None),
            (None, Some("1.97.1"), "rust:1.97.1-slim-bookworm", None),
            (Some("nightly-2026-01-01"), None, "rust:1.95-slim-bookworm", Some("nightly-2026-01-01")),
            (Some("beta"), None, "rust:1.95-slim-bookworm", Some("beta")),
        ];
        for (channel, rust_version, image, install) in table {
            let found = toolchain_image(channel, rust_version);
            assert_eq!((found.image.as_str(), found.install.as_deref()), (image, install), "{channel:?} {rust_version:?}");
        }
    }

    #[test]
    fn a_distribution_is_told_from_the_name() {
        for (image, expected) in [
            ("debian:bookworm-slim", Distribution::Debian),
            ("rust:1.95-alpine3.20", Distribution::Alpine),
            ("gcr.io/distroless/cc-debian12", Distribution::Bare),
            ("scratch", Distribution::Bare),
        ] {
            assert_eq!(distribution(image), expected, "{image}");
        }
        assert!(is_rust_image("docker.io/library/rust:1.95") && !is_rust_image("acme/rust-base:1"));
    }
}
