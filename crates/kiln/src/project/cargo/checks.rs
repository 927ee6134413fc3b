//! What holds between the packages of a workspace.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::{CargoError, CargoPackage, DependencyKind, DependencySource, paths};

/// Members have different names, and path dependencies find the package that they ask for.
pub(super) fn names(packages: &[CargoPackage], root: &Utf8Path) -> Result<(), CargoError> {
    let mut members: BTreeMap<&str, &CargoPackage> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.member) {
        if let Some(first) = members.insert(&package.name, package) {
            return Err(CargoError::DuplicateName {
                name: package.name.clone(),
                first: manifest(root, first),
                second: manifest(root, package),
            });
        }
    }
    let by_folder = by_folder(packages);
    for package in packages {
        for dependency in &package.dependencies {
            let DependencySource::Path(folder) = &dependency.source else { continue };
            let Some(found) = by_folder.get(folder).map(|index| &packages[*index]) else { continue };
            if found.name != dependency.package {
                return Err(CargoError::WrongPackage {
                    path: manifest(root, package),
                    line: dependency.line,
                    expected: dependency.package.clone(),
                    found: found.name.clone(),
                    folder: paths::normalize(&root.join(folder)),
                });
            }
        }
    }
    Ok(())
}

/// No package needs itself to be built. Development dependencies may lead back.
pub(super) fn cycles(packages: &[CargoPackage], root: &Utf8Path) -> Result<(), CargoError> {
    let by_folder = by_folder(packages);
    let edges = |index: usize| {
        let package: &CargoPackage = &packages[index];
        package.dependencies.iter().filter_map(|dependency| match &dependency.source {
            DependencySource::Path(folder)
                if dependency.kind != DependencyKind::Development && (package.member || !dependency.optional) =>
            {
                by_folder.get(folder).map(|target| (*target, dependency.line))
            }
            _ => None,
        })
    };
    let mut done = vec![false; packages.len()];
    for start in 0..packages.len() {
        if done[start] {
            continue;
        }
        // The way from `start` down, each with the edges that are still to be followed.
        let mut way = vec![(start, edges(start))];
        while let Some((index, rest)) = way.last_mut() {
            let index = *index;
            let Some((target, line)) = rest.next() else {
                done[index] = true;
                way.pop();
                continue;
            };
            if let Some(first) = way.iter().position(|(on_way, _)| *on_way == target) {
                let circle = way[first..].iter().map(|(index, _)| *index).chain([target]);
                return Err(CargoError::Cycle {
                    path: manifest(root, &packages[index]),
                    line,
                    packages: circle.map(|index| packages[index].name.clone()).collect(),
                });
            }
            if !done[target] {
                way.push((target, edges(target)));
            }
        }
    }
    Ok(())
}

fn by_folder(packages: &[CargoPackage]) -> BTreeMap<&Utf8PathBuf, usize> {
    packages.iter().enumerate().map(|(index, package)| (&package.directory, index)).collect()
}

fn manifest(root: &Utf8Path, package: &CargoPackage) -> Utf8PathBuf {
    paths::normalize(&root.join(&package.directory)).join("Cargo.toml")
}
