//! How each Node package manager installs and runs.

use crate::plan::{NodeService, PackageManager};

/// A package manager, with the version that the manifest pins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manager<'a> {
    manager: PackageManager,
    version: Option<&'a str>,
}

impl<'a> Manager<'a> {
    pub(super) fn of(node: &'a NodeService) -> Self {
        Self { manager: node.manager, version: node.manager_version.as_deref() }
    }

    /// The line that brings the manager into the image, where Node's image lacks it or has another version.
    pub(super) fn provide(self) -> Option<String> {
        let package = |name: &str| match self.version {
            Some(version) => format!("npm install --global --no-fund --no-audit {name}@{version}"),
            None => format!("npm install --global --no-fund --no-audit {name}"),
        };
        match self.manager {
            PackageManager::Npm => self.version.map(|_| package("npm")),
            PackageManager::Pnpm => Some(package("pnpm")),
            // Node's images have yarn 1.
            PackageManager::YarnClassic => None,
            // The version comes from `packageManager` or from a file in the repository.
            PackageManager::YarnBerry => {
                Some("npm install --global --no-fund --no-audit --force corepack && corepack enable".to_owned())
            }
            PackageManager::Bun => Some(package("bun")),
        }
    }

    /// Where downloads are kept.
    pub(super) const fn cache(self) -> &'static str {
        match self.manager {
            PackageManager::Npm => "/root/.npm",
            PackageManager::Pnpm => "/root/.local/share/pnpm/store",
            PackageManager::YarnClassic => "/root/.cache/yarn",
            PackageManager::YarnBerry => "/root/.yarn/berry",
            PackageManager::Bun => "/root/.bun/install/cache",
        }
    }

    /// Installs exactly what the lock says.
    pub(super) fn install(self, production: bool) -> String {
        let (line, only_production) = match self.manager {
            PackageManager::Npm => ("npm ci --prefer-offline --no-audit --no-fund", " --omit=dev"),
            PackageManager::Pnpm => {
                ("pnpm install --frozen-lockfile --prefer-offline --store-dir /root/.local/share/pnpm/store", " --prod")
            }
            PackageManager::YarnClassic => (
                "yarn install --frozen-lockfile --non-interactive --prefer-offline --cache-folder /root/.cache/yarn",
                " --production",
            ),
            PackageManager::YarnBerry if production => ("yarn workspaces focus --all --production", ""),
            PackageManager::YarnBerry => ("yarn install --immutable", ""),
            PackageManager::Bun => ("bun install --frozen-lockfile", " --production"),
        };
        format!("{line}{}", if production { only_production } else { "" })
    }

    /// Removes development dependencies, where the manager can without installing anew.
    pub(super) fn prune(self) -> Option<String> {
        match self.manager {
            PackageManager::Npm => Some("npm prune --omit=dev --no-audit --no-fund".to_owned()),
            _ => None,
        }
    }

    /// Runs a script.
    pub(super) fn run(self, script: &str) -> Vec<String> {
        let program = match self.manager {
            PackageManager::Npm => "npm",
            PackageManager::Pnpm => "pnpm",
            PackageManager::YarnClassic | PackageManager::YarnBerry => "yarn",
            PackageManager::Bun => "bun",
        };
        vec![program.to_owned(), "run".to_owned(), script.to_owned()]
    }

    /// Runs a script such that its server can be reached from outside of the container.
    pub(super) fn run_for_development(self, script: &str, bundler: Option<&str>) -> Vec<String> {
        let mut command = self.run(script);
        if matches!(bundler, Some("vite" | "astro")) {
            if self.manager == PackageManager::Npm {
                command.push("--".to_owned());
            }
            command.extend(["--host".to_owned(), "0.0.0.0".to_owned()]);
        }
        command
    }
}
