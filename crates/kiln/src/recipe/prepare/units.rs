//! Which local units `cargo build` would build, and so which external packages they ask for, where and how.
//!
//! Under link-time optimization the crate types of a local library decide how the crates below it are compiled: for
//! optimization only, for plain linking only, or for both. cargo works that out from the roots downwards; [`Lto`] follows it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::error::PrepareError;
use super::features::{Ask, Resolution};
use super::graph::{Destination, Graph, Package};
use super::lock::Id;
use super::platform::{Side, Verdict};
use crate::project::cargo::{DependencyKind, DependencySource, Resolver};
use crate::recipe::{Codegen, Context, Locator};

/// What the closure asks of one external package in one context: requirements that differ in nothing else are one.
#[derive(Debug, Default)]
pub(super) struct Wish<'w> {
    pub(super) ask: Ask<'w>,
    pub(super) codegen: Option<Codegen>,
    /// How the package is found; the first in order, where manifests spell it differently.
    pub(super) locator: Option<Locator>,
}

/// All wishes, by locked package, context and platform.
pub(super) type Wishes<'w> = BTreeMap<(Id, Context, Option<&'w str>), Wish<'w>>;

/// What link-time optimization wants of a local unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lto {
    /// It is optimized as a whole.
    Run,
    /// It is only food for that.
    Bitcode,
    /// It is linked as it is.
    Object,
    /// Both.
    Both,
}

/// A local library on one side, or (`binary`) the binaries of the chosen package.
type Unit = (Package, Side, bool);

/// Walks from the chosen package's binaries.
pub(super) fn wishes<'w>(
    graph: &Graph<'w>,
    resolution: &Resolution<'w>,
    root: Package,
    lto: bool,
    overrides: impl Fn(&str, Side) -> bool,
) -> Result<Wishes<'w>, PrepareError> {
    let mut walk = Walk { graph, resolution, overrides: &overrides, units: HashMap::new(), found: Vec::new() };
    walk.unit((root, Side::Target, true), Lto::Run)?;
    let mut wishes = Wishes::new();
    let mut used = HashSet::new();
    for (unit, package, index, side) in &walk.found {
        let Some((key, ask)) = resolution.ask(*package, unit.1, *index) else { continue };
        let dependency = graph.dependency(*package, *index);
        used.insert(key);
        let context = if *side == Side::Host { Context::Host } else { Context::Target };
        let open = graph.applies(*package, *index, *side)? == Verdict::Unknown;
        let platform = dependency.platform.as_deref().filter(|_| open);
        let codegen = (lto && context == Context::Target).then(|| match walk.units[unit] {
            Lto::Run | Lto::Bitcode => Codegen::Bitcode,
            Lto::Object => Codegen::Object,
            Lto::Both => Codegen::Both,
        });
        let wish = wishes.entry((graph.locked(*package, *index)?, context, platform)).or_default();
        wish.add(ask, locator(&dependency.source), codegen);
    }
    features_only(graph, resolution, &used, &mut wishes)?;
    Ok(wishes)
}

impl<'w> Wish<'w> {
    fn add(&mut self, ask: &Ask<'w>, locator: Locator, codegen: Option<Codegen>) {
        self.ask.features.extend(&ask.features);
        self.ask.default_features |= ask.default_features;
        self.codegen = match (self.codegen, codegen) {
            (Some(one), Some(other)) if one != other => Some(Codegen::Both),
            (one, other) => one.or(other),
        };
        self.locator = Some(self.locator.take().map_or_else(|| locator.clone(), |known| known.min(locator.clone())));
    }
}

fn locator(source: &DependencySource) -> Locator {
    match source {
        DependencySource::Registry(None) | DependencySource::Path(_) => Locator::CratesIo,
        DependencySource::Registry(Some(index)) if index.contains("://") => Locator::Index(index.clone()),
        DependencySource::Registry(Some(name)) => Locator::Registry(name.clone()),
        DependencySource::Git { url, reference } => Locator::Git(url.clone(), reference.clone()),
    }
}

/// Entries that take part in feature unification without being built: under resolver 1 those of development dependencies and of
/// other platforms; under any, build dependencies of packages without a build script. Kept only where they add something.
fn features_only<'w>(
    graph: &Graph<'w>,
    resolution: &Resolution<'w>,
    used: &HashSet<(Package, Side, usize)>,
    wishes: &mut Wishes<'w>,
) -> Result<(), PrepareError> {
    let mut rest: Vec<_> = resolution.asks.iter().filter(|(key, ask)| ask.active && !used.contains(*key)).collect();
    rest.sort_by_key(|((package, side, index), _)| (*package, *side == Side::Host, *index));
    for ((package, side, index), ask) in rest {
        let dependency = graph.dependency(*package, *index);
        let host = *side == Side::Host || dependency.kind == DependencyKind::Build;
        if graph.resolver == Resolver::V2 && !host {
            continue;
        }
        let id = graph.locked(*package, *index)?;
        let mut features = ask.features.clone();
        let mut default_features = ask.default_features;
        for ((_, context, _), wish) in wishes.range((id, Context::Target, None)..(id + 1, Context::Target, None)) {
            let unified = match context {
                Context::Target => graph.resolver == Resolver::V1,
                Context::Host => true,
                Context::Development => false,
            };
            if unified {
                features.retain(|feature| !wish.ask.features.contains(feature));
                default_features &= !wish.ask.default_features;
            }
        }
        let nothing_new = features.is_empty() && !default_features;
        let exists = wishes.range((id, Context::Target, None)..(id + 1, Context::Target, None)).next().is_some();
        // What nothing builds and nothing shares decides nothing; but it may turn on features of what others share.
        if nothing_new && exists {
            continue;
        }
        let ask = Ask { features, default_features, active: true };
        wishes.entry((id, Context::Development, None)).or_default().add(&ask, locator(&dependency.source), None);
    }
    Ok(())
}

struct Walk<'g, 'w, O> {
    graph: &'g Graph<'w>,
    resolution: &'g Resolution<'w>,
    overrides: &'g O,
    units: HashMap<Unit, Lto>,
    /// External entries in force: the unit that has it, the package, the entry's position, the side it is built for.
    found: Vec<(Unit, Package, usize, Side)>,
}

impl<O: Fn(&str, Side) -> bool> Walk<'_, '_, O> {
    fn unit(&mut self, unit: Unit, lto: Lto) -> Result<(), PrepareError> {
        let known = self.units.get(&unit).copied();
        let merged = known.map_or(lto, |known| merge(lto, known));
        if known == Some(merged) {
            return Ok(());
        }
        self.units.insert(unit, merged);
        let (package, side, binary) = unit;
        let this = &self.graph.packages[package];
        if binary && let Some(library) = &this.library {
            // A library of other crate types (`cdylib` alone) cannot be linked, so the binaries do not build it.
            if library.proc_macro {
                self.unit((package, Side::Host, false), Lto::Object)?;
            } else if library.crate_types.iter().any(|kind| matches!(kind.as_str(), "lib" | "rlib" | "dylib")) {
                self.unit((package, side, false), library_lto(&library.crate_types, merged))?;
            }
        }
        let script = this.build_script && !this.links.as_ref().is_some_and(|links| (self.overrides)(links, side));
        for (index, dependency) in this.dependencies.iter().enumerate() {
            let edge_side = match dependency.kind {
                DependencyKind::Development => continue,
                DependencyKind::Build if !script => continue,
                DependencyKind::Build => Side::Host,
                DependencyKind::Normal => side,
            };
            if dependency.optional && !self.resolution.is_active(package, side, &dependency.alias) {
                continue;
            }
            if self.graph.applies(package, index, edge_side)? == Verdict::No {
                continue;
            }
            match self.graph.destination(package, index)? {
                Destination::Opaque => {}
                Destination::External => {
                    if known.is_none() {
                        self.found.push((unit, package, index, edge_side));
                    }
                }
                Destination::Local(child) => {
                    let Some(library) = &self.graph.packages[child].library else { continue };
                    if library.proc_macro {
                        self.unit((child, Side::Host, false), Lto::Object)?;
                    } else {
                        let parent = if dependency.kind == DependencyKind::Build { Lto::Object } else { merged };
                        self.unit((child, edge_side, false), library_lto(&library.crate_types, parent))?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// What a library is compiled for, given what its parent is.
fn library_lto(crate_types: &[String], parent: Lto) -> Lto {
    let whole = |kind: &String| matches!(kind.as_str(), "cdylib" | "staticlib" | "bin");
    if crate_types.iter().all(whole) {
        return Lto::Run;
    }
    let needs_object = crate_types.iter().any(|kind| whole(kind) || kind == "dylib");
    match parent {
        Lto::Run | Lto::Bitcode if !needs_object => Lto::Bitcode,
        Lto::Run | Lto::Bitcode if crate_types.iter().all(|kind| kind == "dylib") => Lto::Object,
        Lto::Run | Lto::Bitcode => Lto::Both,
        parent => parent,
    }
}

/// What a unit is compiled for that two parents ask for.
fn merge(one: Lto, other: Lto) -> Lto {
    match (one, other) {
        (Lto::Run, _) | (_, Lto::Run) => Lto::Run,
        (one, other) if one == other => one,
        _ => Lto::Both,
    }
}
