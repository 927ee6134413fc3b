//! Which features of the local packages are on, and with which features they ask for external ones.
//!
//! The rules are those of cargo's feature resolver for `cargo build -p PACKAGE --bin …`:
//!
//! - Version 2 keeps features for the target and for the host (build scripts, procedural macros and everything below them)
//!   apart, and leaves out development dependencies and platforms that are not built for.
//! - Version 1 unifies them all: host and target, every platform, and the development dependencies of the packages named on
//!   the command line.
//!
//! Features are turned on until nothing changes; `alias?/feature` waits until something else turns `alias` on.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::error::PrepareError;
use super::graph::{Destination, FeatureValue, Graph, Package};
use super::lock;
use super::platform::{Side, Verdict};
use crate::project::cargo::{DependencyKind, Resolver};
use crate::text;

/// A local package with the features it is built with; under resolver 1 always [`Side::Target`].
type Node = (Package, Side);

/// What is asked of an external package by one entry of one manifest.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Ask<'w> {
    pub(super) features: BTreeSet<&'w str>,
    pub(super) default_features: bool,
    /// Whether the entry is in force (optional ones may have features while being off).
    pub(super) active: bool,
}

/// The outcome.
#[derive(Debug)]
pub(super) struct Resolution<'w> {
    features: HashMap<Node, HashSet<&'w str>>,
    dependencies: HashMap<Node, HashSet<&'w str>>,
    /// External asks by the package that has the entry, its side, and the entry's position.
    pub(super) asks: HashMap<(Package, Side, usize), Ask<'w>>,
    resolver: Resolver,
}

impl<'w> Resolution<'w> {
    fn side(&self, side: Side) -> Side {
        if self.resolver == Resolver::V1 { Side::Target } else { side }
    }

    /// Whether a feature of a package is on.
    pub(super) fn has(&self, package: Package, side: Side, feature: &str) -> bool {
        self.features.get(&(package, self.side(side))).is_some_and(|on| on.contains(feature))
    }

    /// Whether an optional dependency is on.
    pub(super) fn is_active(&self, package: Package, side: Side, alias: &str) -> bool {
        self.dependencies.get(&(package, self.side(side))).is_some_and(|on| on.contains(alias))
    }

    /// What an entry asks for, with the key under which it is kept.
    pub(super) fn ask(&self, package: Package, side: Side, index: usize) -> Option<((Package, Side, usize), &Ask<'w>)> {
        let key = (package, self.side(side), index);
        self.asks.get(&key).map(|ask| (key, ask))
    }
}

/// A package named on the command line, with the features that it gets from there.
#[derive(Debug)]
pub(super) struct Seed<'w> {
    pub(super) package: Package,
    pub(super) values: Vec<FeatureValue<'w>>,
    pub(super) default_features: bool,
}

/// Turns on everything that the seeds lead to.
pub(super) fn resolve<'w>(graph: &Graph<'w>, seeds: &[Seed<'w>]) -> Result<Resolution<'w>, PrepareError> {
    let mut walk = Walk {
        graph,
        with_development: seeds.iter().map(|seed| seed.package).collect(),
        processed: HashSet::new(),
        deferred: HashMap::new(),
        by: None,
        result: Resolution {
            features: HashMap::new(),
            dependencies: HashMap::new(),
            asks: HashMap::new(),
            resolver: graph.resolver,
        },
    };
    for seed in seeds {
        let mut values = seed.values.clone();
        if seed.default_features && graph.feature(seed.package, "default").is_some() {
            values.push(FeatureValue::Feature("default"));
        }
        walk.package((seed.package, Side::Target), &values)?;
        if graph.resolver == Resolver::V2 && graph.is_proc_macro(seed.package) {
            walk.package((seed.package, Side::Host), &values)?;
        }
    }
    Ok(walk.result)
}

struct Walk<'g, 'w> {
    graph: &'g Graph<'w>,
    with_development: HashSet<Package>,
    processed: HashSet<Node>,
    /// `alias?/feature` that waits for `alias`.
    deferred: HashMap<(Node, &'w str), BTreeSet<&'w str>>,
    /// The package whose entry is being followed, for errors.
    by: Option<Package>,
    result: Resolution<'w>,
}

impl<'w> Walk<'_, 'w> {
    fn package(&mut self, node: Node, values: &[FeatureValue<'w>]) -> Result<(), PrepareError> {
        self.result.features.entry(node).or_default();
        for value in values {
            self.value(node, *value)?;
        }
        if !self.processed.insert(node) {
            return Ok(());
        }
        for index in 0..self.graph.packages[node.0].dependencies.len() {
            if let Some(side) = self.side_of(node, index)?
                && !self.graph.dependency(node.0, index).optional
            {
                self.follow(node, index, side)?;
            }
        }
        Ok(())
    }

    /// The side on which a dependency is built; none if it takes no part.
    fn side_of(&self, node: Node, index: usize) -> Result<Option<Side>, PrepareError> {
        let dependency = self.graph.dependency(node.0, index);
        if dependency.kind == DependencyKind::Development
            && (self.graph.resolver == Resolver::V2 || !self.with_development.contains(&node.0))
        {
            return Ok(None);
        }
        if self.graph.resolver == Resolver::V1 {
            return Ok(Some(Side::Target));
        }
        let side = if dependency.kind == DependencyKind::Build { Side::Host } else { node.1 };
        if self.graph.applies(node.0, index, side)? == Verdict::No {
            return Ok(None);
        }
        Ok(Some(match self.graph.destination(node.0, index)? {
            Destination::Local(package) if self.graph.is_proc_macro(package) => Side::Host,
            _ => side,
        }))
    }

    /// A dependency is in force: what its entry asks for.
    fn follow(&mut self, node: Node, index: usize, side: Side) -> Result<(), PrepareError> {
        let dependency = self.graph.dependency(node.0, index);
        match self.graph.destination(node.0, index)? {
            Destination::Opaque => Ok(()),
            Destination::External => {
                let ask = self.result.asks.entry((node.0, node.1, index)).or_default();
                ask.active = true;
                ask.default_features |= dependency.default_features;
                ask.features.extend(dependency.features.iter().map(String::as_str));
                Ok(())
            }
            Destination::Local(package) => {
                let mut values: Vec<_> = dependency.features.iter().map(|feature| FeatureValue::parse(feature)).collect();
                if dependency.default_features && self.graph.feature(package, "default").is_some() {
                    values.push(FeatureValue::Feature("default"));
                }
                let by = self.by.replace(node.0);
                self.package((package, side), &values)?;
                self.by = by;
                Ok(())
            }
        }
    }

    fn value(&mut self, node: Node, value: FeatureValue<'w>) -> Result<(), PrepareError> {
        match value {
            FeatureValue::Feature(name) => self.feature(node, name),
            FeatureValue::Dependency(alias) => self.dependency(node, alias),
            FeatureValue::DependencyFeature { alias, feature, weak } => self.dependency_feature(node, alias, feature, weak),
        }
    }

    fn feature(&mut self, node: Node, name: &'w str) -> Result<(), PrepareError> {
        if !self.result.features.entry(node).or_default().insert(name) {
            return Ok(());
        }
        let Some(values) = self.graph.feature(node.0, name) else {
            let package = &self.graph.packages[node.0];
            return Err(PrepareError::UnknownFeature {
                manifest: lock::manifest(package),
                package: package.name.clone(),
                feature: name.to_owned(),
                by: self.by.map(|by| lock::manifest(&self.graph.packages[by])),
                hint: text::did_you_mean(name, self.graph.feature_names(node.0)).map(str::to_owned),
            });
        };
        values.into_iter().try_for_each(|value| self.value(node, value))
    }

    /// `dep:alias`
    fn dependency(&mut self, node: Node, alias: &'w str) -> Result<(), PrepareError> {
        if !self.result.dependencies.entry(node).or_default().insert(alias) {
            return Ok(());
        }
        let waiting = self.deferred.remove(&(node, alias)).unwrap_or_default();
        for index in self.entries(node, alias) {
            if let Some(side) = self.side_of(node, index)? {
                for feature in &waiting {
                    self.on_dependency(node, index, side, feature)?;
                }
                self.follow(node, index, side)?;
            }
        }
        Ok(())
    }

    /// `alias/feature` and `alias?/feature`
    fn dependency_feature(&mut self, node: Node, alias: &'w str, feature: &'w str, weak: bool) -> Result<(), PrepareError> {
        for index in self.entries(node, alias) {
            let Some(side) = self.side_of(node, index)? else { continue };
            if self.graph.dependency(node.0, index).optional {
                if weak && !self.result.is_active(node.0, node.1, alias) {
                    self.deferred.entry((node, alias)).or_default().insert(feature);
                    continue;
                }
                self.dependency(node, alias)?;
                if !weak && self.graph.feature(node.0, alias).is_some() {
                    self.feature(node, alias)?;
                }
            }
            self.on_dependency(node, index, side, feature)?;
        }
        Ok(())
    }

    fn on_dependency(&mut self, node: Node, index: usize, side: Side, feature: &'w str) -> Result<(), PrepareError> {
        match self.graph.destination(node.0, index)? {
            Destination::Opaque => Ok(()),
            Destination::External => {
                self.result.asks.entry((node.0, node.1, index)).or_default().features.insert(feature);
                Ok(())
            }
            Destination::Local(package) => {
                let by = self.by.replace(node.0);
                self.value((package, side), FeatureValue::parse(feature))?;
                self.by = by;
                Ok(())
            }
        }
    }

    fn entries(&self, node: Node, alias: &str) -> Vec<usize> {
        let dependencies = self.graph.packages[node.0].dependencies.iter().enumerate();
        dependencies.filter(|(_, dependency)| dependency.alias == alias).map(|(index, _)| index).collect()
    }
}
