//! `kiln recipe prepare`: from a workspace to its [`Recipe`], without cargo and without the network.

mod canonical;
mod config;
mod error;
mod features;
mod graph;
mod lock;
mod patch;
mod platform;
mod profile;
mod select;
mod stub;
#[cfg(test)]
mod tests;
mod units;

use std::collections::HashSet;

pub use self::error::{PrepareError, RecipeError};
pub use self::select::resolve_selection;
pub use self::stub::{STUB_PACKAGE, stub_workspace, vendored_folders};

use self::config::Config;
use self::features::Resolution;
use self::graph::{Destination, FeatureValue, Graph, Package};
use self::lock::Index;
use self::patch::Patches;
use self::platform::{Side, Verdict};
use self::select::Chosen;
use self::units::Wishes;
use super::{RECIPE_SCHEMA, Recipe, Requirement, Selection};
use crate::project::cargo::{CargoWorkspace, Resolver};

/// Makes the recipe of the chosen binaries. Pure: reads nothing but its arguments, which the workspace's loader has read.
///
/// `host` is the triple of the machine that compiles (that of the image in which `cook` runs); it counts for build scripts,
/// procedural macros and, where no target is chosen, for everything.
pub fn prepare(workspace: &CargoWorkspace, selection: &Selection, host: &str) -> Result<Recipe, PrepareError> {
    let config = config::read(&workspace.configs, selection.target.as_deref(), host)?;
    let chosen = select::choose(workspace, selection)?;
    let name = if selection.profile.is_empty() { "dev" } else { &selection.profile };
    let profile = profile::read(name, &workspace.profiles, &config.profiles)?;
    let patches = Patches::read(workspace, &config);
    let locked = workspace.lock.as_ref();
    let locked = locked.ok_or_else(|| PrepareError::LockMissing { directory: workspace.directory.clone() })?;
    let index = Index::new(locked, &config.registries);
    let graph = Graph::new(&workspace.packages, workspace.resolver, &config.machines, &index, &patches);

    let seeds = select::seeds(&graph, workspace, selection, chosen.package)?;
    let resolution = features::resolve(&graph, &seeds)?;
    check_required(&graph, &resolution, &chosen)?;
    let overrides = |links: &str, side: Side| config.overrides(links, side);
    let wishes = units::wishes(&graph, &resolution, chosen.package, profile.lto(), overrides)?;
    let pruned = index.prune(wishes.keys().map(|(id, ..)| *id))?;
    // Said last: where a dependency that is built is to blame, the errors above know more about it.
    if let Some(first) = workspace.lock_disagreements().into_iter().next() {
        return Err(PrepareError::LockDisagrees(Box::new(first)));
    }
    let external: HashSet<&str> = pruned.entries.iter().map(|entry| entry.name.as_str()).collect();

    let mut requirements = requirements(&graph, wishes, &pruned);
    requirements.sort();
    let mut cargo_features = workspace.cargo_features.clone();
    cargo_features.sort();
    let Config { text: config, target, .. } = &config;
    Ok(Recipe {
        schema: RECIPE_SCHEMA,
        toolchain: workspace.toolchain.as_ref().and_then(|toolchain| toolchain.channel.clone()),
        target: target.clone(),
        profile: name.to_owned(),
        profiles: profile.text(|name| external.contains(name)),
        resolver: match workspace.resolver {
            Resolver::V1 => 1,
            Resolver::V2 => 2,
        },
        config: config.clone(),
        requirements,
        patches: patches.text(&pruned.entries),
        lock: pruned.entries,
        cargo_features,
    })
}

/// `required-features` of the chosen binaries must be on: cargo would refuse to build them, or leave them out.
fn check_required(graph: &Graph<'_>, resolution: &Resolution<'_>, chosen: &Chosen<'_>) -> Result<(), PrepareError> {
    for binary in &chosen.binaries {
        let mut missing = Vec::new();
        for feature in &binary.required_features {
            if !is_on(graph, resolution, chosen.package, feature)? {
                missing.push(feature.clone());
            }
        }
        if !missing.is_empty() {
            let package = &graph.packages[chosen.package];
            return Err(PrepareError::RequiredFeatures {
                binary: binary.name.clone(),
                package: lock::manifest(package).into_string(),
                missing,
            });
        }
    }
    Ok(())
}

fn is_on(graph: &Graph<'_>, resolution: &Resolution<'_>, package: Package, feature: &str) -> Result<bool, PrepareError> {
    let FeatureValue::DependencyFeature { alias, feature, .. } = FeatureValue::parse(feature) else {
        return Ok(resolution.has(package, Side::Target, feature));
    };
    for (index, dependency) in graph.packages[package].dependencies.iter().enumerate() {
        let off = dependency.optional && !resolution.is_active(package, Side::Target, alias);
        if dependency.alias != alias || off || graph.applies(package, index, Side::Target)? == Verdict::No {
            continue;
        }
        let on = match graph.destination(package, index)? {
            Destination::Local(local) => resolution.has(local, Side::Target, feature),
            Destination::Opaque => true,
            // What its default features turn on only its own manifest knows: cargo will tell.
            Destination::External => resolution
                .ask(package, Side::Target, index)
                .is_some_and(|(_, ask)| ask.default_features || ask.features.contains(feature)),
        };
        if on {
            return Ok(true);
        }
    }
    Ok(false)
}

fn requirements(graph: &Graph<'_>, wishes: Wishes<'_>, pruned: &lock::Pruned) -> Vec<Requirement> {
    let wishes = wishes.into_iter().filter(|((id, ..), _)| pruned.reached.contains(id));
    let requirements = wishes.filter_map(|((id, context, platform), wish)| {
        let locked = graph.lock.get(id);
        Some(Requirement {
            name: locked.name.clone(),
            version: locked.version.clone(),
            source: lock::encoded(locked.source.as_deref()?).into_owned(),
            context,
            platform: platform.map(str::to_owned),
            default_features: wish.ask.default_features,
            features: wish.ask.features.into_iter().map(str::to_owned).collect(),
            locator: wish.locator?,
            codegen: wish.codegen,
        })
    });
    requirements.collect()
}
