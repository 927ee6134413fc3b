//! Which package and binaries a [`Selection`] means, and which features the command line turns on.

use super::error::PrepareError;
use super::features::Seed;
use super::graph::{FeatureValue, Graph, Package};
use super::lock;
use crate::project::cargo::{Binary, CargoPackage, CargoWorkspace, Resolver};
use crate::recipe::Selection;
use crate::text;

/// The package to build and its binaries.
#[derive(Debug)]
pub(super) struct Chosen<'w> {
    pub(super) package: Package,
    pub(super) binaries: Vec<&'w Binary>,
}

/// The selection with its package and binaries named: what `cargo build -p PACKAGE --bin BINARY…` is to be told, so that it builds
/// what the recipe was made for.
pub fn resolve_selection(workspace: &CargoWorkspace, selection: &Selection) -> Result<Selection, PrepareError> {
    let chosen = choose(workspace, selection)?;
    Ok(Selection {
        package: Some(workspace.packages[chosen.package].name.clone()),
        binaries: chosen.binaries.iter().map(|binary| binary.name.clone()).collect(),
        ..selection.clone()
    })
}

/// Finds the binaries meant.
pub(super) fn choose<'w>(workspace: &'w CargoWorkspace, selection: &Selection) -> Result<Chosen<'w>, PrepareError> {
    let members = || workspace.packages.iter().enumerate().filter(|(_, package)| package.member);
    let candidates: Vec<(Package, &CargoPackage)> = match &selection.package {
        Some(name) => match members().find(|(_, package)| package.name == *name) {
            Some(found) => vec![found],
            None => {
                let names = members().map(|(_, package)| package.name.as_str());
                let hint = text::did_you_mean(name, names).map(str::to_owned);
                return Err(PrepareError::NoSuchPackage { package: name.clone(), hint });
            }
        },
        None => members().collect(),
    };
    if selection.binaries.is_empty() { default_binary(workspace, selection, candidates) } else { named(selection, &candidates) }
}

fn named<'w>(selection: &Selection, candidates: &[(Package, &'w CargoPackage)]) -> Result<Chosen<'w>, PrepareError> {
    let mut owners = Vec::new();
    for binary in &selection.binaries {
        let mut having = candidates.iter().filter(|(_, package)| package.binaries.iter().any(|known| known.name == *binary));
        match (having.next(), having.next()) {
            (Some(owner), None) => owners.push(*owner),
            (Some(first), Some(second)) => {
                let mut packages: Vec<_> =
                    [first, second].into_iter().chain(having).map(|(_, package)| package.name.clone()).collect();
                packages.sort();
                return Err(PrepareError::AmbiguousBinary { binary: binary.clone(), packages });
            }
            (None, _) => {
                let known = candidates.iter().flat_map(|(_, package)| &package.binaries).map(|known| known.name.as_str());
                let hint = text::did_you_mean(binary, known).map(str::to_owned);
                return Err(PrepareError::NoSuchBinary { binary: binary.clone(), package: selection.package.clone(), hint });
            }
        }
    }
    let Some((package, owner)) = owners.first().copied() else {
        return Err(PrepareError::NoBinary { package: selection.package.clone() });
    };
    if owners.iter().any(|(other, _)| *other != package) {
        let mut packages: Vec<_> = owners.iter().map(|(_, owner)| owner.name.clone()).collect();
        packages.sort();
        packages.dedup();
        return Err(PrepareError::BinariesApart { packages });
    }
    let binaries = owner.binaries.iter().filter(|known| selection.binaries.contains(&known.name)).collect();
    Ok(Chosen { package, binaries })
}

/// The only binary, or the default one, of the package that `cargo run` would take.
fn default_binary<'w>(
    workspace: &'w CargoWorkspace,
    selection: &Selection,
    candidates: Vec<(Package, &'w CargoPackage)>,
) -> Result<Chosen<'w>, PrepareError> {
    let with_binaries: Vec<_> = candidates.into_iter().filter(|(_, package)| !package.binaries.is_empty()).collect();
    let preferred: Vec<_> = with_binaries.iter().filter(|(_, package)| is_default(workspace, package)).copied().collect();
    let group = if selection.package.is_none() && !preferred.is_empty() { preferred } else { with_binaries };
    match group.as_slice() {
        [] => return Err(PrepareError::NoBinary { package: selection.package.clone() }),
        [(package, owner)] => {
            let default = owner.default_run.as_ref().and_then(|name| owner.binaries.iter().find(|known| known.name == *name));
            match (owner.binaries.as_slice(), default) {
                ([only], _) => return Ok(Chosen { package: *package, binaries: vec![only] }),
                (_, Some(default)) => return Ok(Chosen { package: *package, binaries: vec![default] }),
                _ => {}
            }
        }
        _ => {}
    }
    let mut binaries: Vec<_> =
        group.iter().flat_map(|(_, package)| &package.binaries).map(|binary| binary.name.clone()).collect();
    binaries.sort();
    Err(PrepareError::SeveralBinaries { binaries })
}

/// Whether cargo takes this member when it is run in the root without `-p`.
fn is_default(workspace: &CargoWorkspace, package: &CargoPackage) -> bool {
    if workspace.default_members.is_empty() {
        !workspace.is_virtual && is_root(package)
    } else {
        workspace.default_members.contains(&package.directory)
    }
}

fn is_root(package: &CargoPackage) -> bool {
    package.directory == "." || package.directory == ""
}

/// The packages that features are resolved from, with those that the command line gives to each.
pub(super) fn seeds<'w>(
    graph: &Graph<'w>,
    workspace: &CargoWorkspace,
    selection: &'w Selection,
    package: Package,
) -> Result<Vec<Seed<'w>>, PrepareError> {
    let words = selection.features.iter().flat_map(|features| features.split([',', ' ', '\t', '\n']));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let default_features = !selection.no_default_features;
    let root = workspace.packages.iter().position(is_root);
    let old = graph.resolver == Resolver::V1 && !workspace.is_virtual;
    match root {
        // Under resolver 1 the flags mean the package of the current folder, which takes part even if another one is built.
        Some(root) if old && root != package => {
            let name = graph.packages[package].name.as_str();
            let mut own = Vec::new();
            let mut rest = Vec::new();
            for word in words {
                match FeatureValue::parse(word) {
                    FeatureValue::DependencyFeature { alias, feature, .. } if alias == name => {
                        own.push(FeatureValue::Feature(feature));
                    }
                    _ => rest.push(word),
                }
            }
            let values = rest.into_iter().map(|word| value(graph, root, word)).collect::<Result<_, _>>()?;
            Ok(vec![Seed { package: root, values, default_features }, Seed { package, values: own, default_features: true }])
        }
        _ => {
            let values = words.into_iter().map(|word| value(graph, package, word)).collect::<Result<_, _>>()?;
            Ok(vec![Seed { package, values, default_features }])
        }
    }
}

/// What one word of `--features` means for a package.
fn value<'w>(graph: &Graph<'w>, package: Package, word: &'w str) -> Result<FeatureValue<'w>, PrepareError> {
    let this = &graph.packages[package];
    let unknown = |feature: &str| PrepareError::UnknownFeature {
        manifest: lock::manifest(this),
        package: this.name.clone(),
        feature: feature.to_owned(),
        by: None,
        hint: text::did_you_mean(feature, graph.feature_names(package)).map(str::to_owned),
    };
    match FeatureValue::parse(word) {
        FeatureValue::Feature(name) if graph.feature(package, name).is_some() => Ok(FeatureValue::Feature(name)),
        FeatureValue::DependencyFeature { alias, feature, weak } => {
            if this.dependencies.iter().any(|dependency| dependency.alias == alias) {
                Ok(FeatureValue::DependencyFeature { alias, feature, weak })
            } else if alias == this.name && graph.feature(package, feature).is_some() {
                Ok(FeatureValue::Feature(feature))
            } else {
                Err(unknown(word))
            }
        }
        FeatureValue::Feature(_) | FeatureValue::Dependency(_) => Err(unknown(word)),
    }
}
