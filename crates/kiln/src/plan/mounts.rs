//! Names of cache mounts.
//!
//! BuildKit's own name for a mount is its path, under which unrelated projects would share one folder. kiln's names begin with the
//! project and say what may be shared: everything that would make the content useless to another build is part of the name.

use super::{NodeService, PackageManager, Plan, RustService, Service, Variant};

/// Registry and git sources of cargo: one mount for the whole `CARGO_HOME`, because cargo's lock lies beside `registry/`, not in it.
#[must_use]
pub fn cargo_home(plan: &Plan) -> String {
    format!("{}-cargo", plan.project)
}

/// External units, shared by all services of a project that build with the same base image, toolchain, target and profile.
#[must_use]
pub fn units(plan: &Plan, service: &Service, rust: &RustService, variant: Variant) -> String {
    format!("{}-units-{}", plan.project, compiler(service, rust, variant))
}

/// Target directory of one variant of one service.
#[must_use]
pub fn target(plan: &Plan, service: &Service, rust: &RustService, variant: Variant) -> String {
    format!("{}-{}-{}-{}", plan.project, service.name, variant.name(), compiler(service, rust, variant))
}

/// Downloads of a Node package manager.
#[must_use]
pub fn node_packages(plan: &Plan, node: &NodeService) -> String {
    let name = match node.manager {
        PackageManager::Npm => "npm",
        PackageManager::Pnpm => "pnpm",
        PackageManager::YarnClassic | PackageManager::YarnBerry => "yarn",
        PackageManager::Bun => "bun",
    };
    format!("{}-{name}", plan.project)
}

/// Packages that npm unpacked, shared by all variants and services of one workspace on the same base image and platform.
#[must_use]
pub fn node_modules(plan: &Plan, service: &Service, node: &NodeService) -> String {
    let folder = Some(node.workspace.as_str()).filter(|folder| !matches!(*folder, "" | "."));
    let parts = folder.into_iter().chain([service.base_images.build.as_str()]).chain(service.platform.as_deref());
    let slugs: Vec<String> = parts.map(slug).collect();
    format!("{}-node_modules-{}", plan.project, slugs.join("-"))
}

/// Cache folder of a bundler or compiler of one variant of a Node service.
#[must_use]
pub fn node_tool(plan: &Plan, service: &Service, variant: Variant, folder: &str) -> String {
    format!("{}-{}-{}-{}", plan.project, service.name, variant.name(), slug(folder))
}

/// Package lists (`lists`) or packages (`cache`) of apt or apk. `stage` keeps stages that run side by side from waiting for
/// each other.
#[must_use]
pub fn system_packages(plan: &Plan, stage: &str, what: &str) -> String {
    format!("{}-{stage}-packages-{what}", plan.project)
}

/// Base image, toolchain, platform or target, and profile: what units of different builds must have in common.
fn compiler(service: &Service, rust: &RustService, variant: Variant) -> String {
    let profile = rust.profile_of(variant);
    let mut parts = vec![slug(&service.base_images.build)];
    parts.extend(rust.install_toolchain.as_deref().map(slug));
    parts.push(match (&rust.target, &service.platform) {
        (Some(target), _) => slug(target),
        (None, Some(platform)) => slug(platform),
        (None, None) => "native".to_owned(),
    });
    parts.push(slug(profile));
    parts.join("-")
}

/// Letters, digits, `.` and `_`; everything else becomes a single `-`.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.trim_end_matches('-').to_owned()
}
