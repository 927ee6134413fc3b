//! What decides the result of a cook, computed on this machine without an engine.

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::plan::{Distribution, RustService, Service, Variant, distribution};
use crate::project::cargo::{CargoError, CargoWorkspace};
use crate::recipe::{PrepareError, Selection, prepare};

/// What decides the result of a cook, apart from its seed: the recipe, the Dockerfile as far as the cook, and the kiln that cooks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Identity(String);

impl Identity {
    /// The text that [`as_str`](Self::as_str) gave.
    #[must_use]
    pub fn from_label(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why there is no identity. The build itself will say more.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The workspace cannot be read.
    #[error(transparent)]
    Workspace(#[from] CargoError),
    /// It has no recipe.
    #[error(transparent)]
    Recipe(#[from] PrepareError),
}

/// The part of a Dockerfile that decides what its stage `deps` holds: all instructions down to its end. `None` if it has no such stage, or
/// takes no seed: then it is not kiln's, or an old one.
#[must_use]
pub fn cook_part(dockerfile: &str) -> Option<String> {
    let mut part = String::new();
    let mut inside = false;
    let mut takes_seed = false;
    // Comments do not decide anything.
    for line in dockerfile.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if line.starts_with("FROM ") {
            if inside {
                break;
            }
            inside = line.ends_with(" AS deps");
            takes_seed |= line.ends_with(" AS seed") && line.contains(crate::dockerfile::SEED_ARGUMENT);
        }
        part.push_str(line);
        part.push('\n');
    }
    (inside && takes_seed).then_some(part)
}

/// The identity of a variant's cook. `root` is the repository, `part` the [`cook_part`] of its Dockerfile, `tool` a digest of the kiln that
/// cooks, `platforms` those that are asked for.
///
/// # Errors
/// [`IdentityError`], if the workspace has no recipe.
pub fn identity(
    root: &Utf8Path,
    service: &Service,
    rust: &RustService,
    variant: Variant,
    part: &str,
    tool: &str,
    platforms: &[String],
) -> Result<Identity, IdentityError> {
    let context = root.join(&service.context);
    let workspace = CargoWorkspace::load(&context.join(&rust.workspace), &context)?;
    let selection = Selection {
        package: Some(rust.package.clone()),
        binaries: rust.binaries.clone(),
        features: rust.features.clone(),
        no_default_features: rust.no_default_features,
        profile: rust.profile_of(variant).to_owned(),
        target: rust.target.clone(),
    };
    let recipe = prepare(&workspace, &selection, &host(service, platforms))?.digest();
    let mut hasher = blake3::Hasher::new();
    for input in [recipe.as_str(), part, tool].into_iter().chain(platforms.iter().map(String::as_str)) {
        hasher.update(&(input.len() as u64).to_le_bytes());
        hasher.update(input.as_bytes());
    }
    Ok(Identity(hasher.finalize().to_hex().to_string()))
}

/// The triple of the machine that will cook, as `kiln recipe prepare` would find it there.
fn host(service: &Service, platforms: &[String]) -> String {
    let architecture = match platforms.first().and_then(|platform| platform.split('/').nth(1)) {
        Some("amd64") => "x86_64",
        Some("arm64") => "aarch64",
        Some(other) => other,
        None => std::env::consts::ARCH,
    };
    let libc = if distribution(&service.base_images.build) == Distribution::Alpine { "musl" } else { "gnu" };
    format!("{architecture}-unknown-linux-{libc}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dockerfile::render;
    use crate::plan::fixtures::{decide, single};
    use crate::plan::{ImageEngine, ServiceKind};

    #[test]
    fn the_cook_part_ends_with_the_cook() {
        let plan = decide(&single(), "");
        let text = render(&plan, &plan.services[0], Variant::Prod).to_string();
        let part = cook_part(&text).unwrap();
        assert!(part.contains("kiln recipe cook") && !part.contains("recipe compile") && !part.contains("AS layer"), "{part}");
        assert_eq!(cook_part(&text.replace("# ", "# otherwise ")), Some(part.clone()));
        assert_ne!(cook_part(&text.replace("kiln recipe cook", "kiln recipe cook --max-age 1")), Some(part));
        assert_eq!(cook_part(&text.replace(" AS deps", " AS dependencies")), None);
        assert_eq!(cook_part(&text.replace("FROM ${KILN_SEED}", "FROM scratch")), None);
        let mut plan = plan;
        plan.engine = ImageEngine::Chef;
        assert_eq!(cook_part(&render(&plan, &plan.services[0], Variant::Prod).to_string()), None);
    }

    #[test]
    fn an_identity_changes_with_its_inputs_and_with_nothing_else() {
        let fixture = single();
        let root = fixture.path();
        let plan = decide(&fixture, "");
        let service = &plan.services[0];
        let ServiceKind::Rust(rust) = &service.kind else { panic!("a Rust service") };
        let of = |part: &str, tool: &str, variant, platforms: &[String]| {
            identity(root, service, rust, variant, part, tool, platforms).unwrap()
        };
        let first = of("FROM x", "tool", Variant::Prod, &[]);
        std::fs::write(root.join("src/main.rs"), "fn main() { println!(); }").unwrap();
        assert_eq!(of("FROM x", "tool", Variant::Prod, &[]), first);
        let others = [
            of("FROM y", "tool", Variant::Prod, &[]),
            of("FROM x", "other", Variant::Prod, &[]),
            of("FROM x", "tool", Variant::Fast, &[]),
            of("FROM x", "tool", Variant::Prod, &["linux/arm64".to_owned()]),
        ];
        for other in &others {
            assert_ne!(*other, first);
        }
    }
}
