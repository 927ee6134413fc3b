//! Rust images that are too old for what they build.

use crate::advice::facts::rust_image::{RustImage, builds};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const LOCK_VERSION: Rule = Rule {
    id: "cargo-lock-too-new",
    group: Group::Native,
    severity: Severity::Error,
    summary: "the Rust of the base image cannot read the version of Cargo.lock",
    fixable: false,
    check: lock_version,
};

pub(super) const RUST_VERSION: Rule = Rule {
    id: "rust-image-too-old",
    group: Group::Native,
    severity: Severity::Error,
    summary: "the Rust of the base image is older than the edition or rust-version of a package",
    fixable: false,
    check: rust_version,
};

fn lock_version(context: &Context<'_>, findings: &mut Findings<'_>) {
    for build in builds(context) {
        let Some(lock) = &build.workspace.lock else { continue };
        let needed = match lock.version {
            4 => (1, 78),
            3 => (1, 53),
            _ => continue,
        };
        let Some(minor) = build.image.version.filter(|version| *version < needed) else { continue };
        if build.has_toolchain_file() {
            continue;
        }
        let RustImage { image, .. } = &build.image;
        let message = format!(
            "`{image}` has cargo {}.{}, and Cargo.lock is of version {}: error: lock file version {} was found, but this version of cargo \
             does not understand this lock file",
            minor.0, minor.1, lock.version, lock.version
        );
        findings
            .line(&build.dockerfile.file, build.image.line, message)
            .help(format!("take `rust:{}.{}` or newer", needed.0, needed.1));
    }
}

fn rust_version(context: &Context<'_>, findings: &mut Findings<'_>) {
    for build in builds(context) {
        let Some(has) = build.image.version.filter(|_| !build.has_toolchain_file()) else { continue };
        let needs = build.workspace.members().filter_map(|package| {
            let by_edition = match package.edition.as_str() {
                "2024" => Some(((1, 85), "edition 2024".to_owned(), "feature `edition2024` is required")),
                "2021" => Some(((1, 56), "edition 2021".to_owned(), "feature `edition2021` is required")),
                _ => None,
            };
            let numbers = package.rust_version.as_deref().and_then(numbers);
            let by_version = numbers
                .zip(package.rust_version.as_deref())
                .map(|(numbers, text)| (numbers, format!("rust-version {text}"), "cannot be built because it requires rustc"));
            let need = by_edition.into_iter().chain(by_version).max_by_key(|(numbers, ..)| *numbers)?;
            (need.0 > has).then_some((need, package))
        });
        let Some(((needed, reason, error), package)) = needs.max_by_key(|((needed, ..), _)| *needed) else { continue };
        let message =
            format!("`{}` has Rust {}.{}, and `{}` has {reason}: error: {error}", build.image.image, has.0, has.1, package.name);
        findings
            .line(&build.dockerfile.file, build.image.line, message)
            .help(format!("take `rust:{}.{}` or newer", needed.0, needed.1));
    }
}

fn numbers(version: &str) -> Option<(u64, u64)> {
    let mut numbers = version.split('.').map(|part| part.parse::<u64>().ok());
    Some((numbers.next()??, numbers.next()??))
}
