//! What each package manager is told to do, and where it keeps its cache.

use super::{NodeService, PackageManager};

impl PackageManager {
    /// The program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The lockfile that it writes.
    #[must_use]
    pub const fn lockfile(self) -> &'static str {
        match self {
            Self::Npm => "package-lock.json",
            Self::Pnpm => "pnpm-lock.yaml",
            Self::YarnClassic | Self::YarnBerry => "yarn.lock",
            Self::Bun => "bun.lock",
        }
    }

    /// The command that brings the lock up to date, for people.
    #[must_use]
    pub const fn relock_command(self) -> &'static str {
        match self {
            Self::Npm => "npm install --package-lock-only",
            Self::Pnpm => "pnpm install --lockfile-only",
            Self::YarnClassic => "yarn install",
            Self::YarnBerry => "yarn install --mode=update-lockfile",
            Self::Bun => "bun install --lockfile-only",
        }
    }

    /// Commands (shell words without operators) that install exactly what is locked, in the folder of the recipe.
    #[must_use]
    pub const fn install_commands(self) -> &'static [&'static str] {
        match self {
            Self::Npm => &["npm ci --prefer-offline --no-audit --no-fund"],
            Self::Pnpm => &["pnpm fetch", "pnpm install --offline --frozen-lockfile"],
            Self::YarnClassic => &["yarn install --frozen-lockfile --prefer-offline --non-interactive"],
            Self::YarnBerry => &["yarn install --immutable"],
            Self::Bun => &["bun install --frozen-lockfile"],
        }
    }

    /// The command that removes development dependencies from an installed tree, for the runtime of a server.
    #[must_use]
    pub const fn prune_command(self) -> &'static str {
        match self {
            Self::Npm => "npm prune --omit=dev --ignore-scripts --no-audit --no-fund",
            Self::Pnpm => "pnpm prune --prod --ignore-scripts",
            Self::YarnClassic => {
                "yarn install --production --frozen-lockfile --prefer-offline --ignore-scripts --non-interactive"
            }
            Self::YarnBerry => "yarn workspaces focus --all --production",
            Self::Bun => "bun install --production --frozen-lockfile --ignore-scripts",
        }
    }

    /// Folder of its download cache in the image (as root), for a cache mount.
    #[must_use]
    pub const fn cache_directory(self) -> &'static str {
        match self {
            Self::Npm => "/root/.npm",
            Self::Pnpm => "/pnpm/store",
            Self::YarnClassic => "/usr/local/share/.cache/yarn",
            Self::YarnBerry => "/root/.yarn/berry/cache",
            Self::Bun => "/root/.bun/install/cache",
        }
    }

    /// Environment of the stages that install and build.
    #[must_use]
    pub const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Npm => &[("NPM_CONFIG_UPDATE_NOTIFIER", "false")],
            // Copied, not linked: the store is in a mount, and a layer cannot link into a mount.
            Self::Pnpm => {
                &[("NPM_CONFIG_STORE_DIR", "/pnpm/store"), ("NPM_CONFIG_PACKAGE_IMPORT_METHOD", "copy"), ("CI", "true")]
            }
            Self::YarnClassic => &[("YARN_CACHE_FOLDER", "/usr/local/share/.cache/yarn")],
            Self::YarnBerry => &[("YARN_ENABLE_GLOBAL_CACHE", "true"), ("YARN_ENABLE_TELEMETRY", "false")],
            Self::Bun => &[],
        }
    }

    /// The npm package that provides it in a Node image; `None` for npm, which is there.
    const fn package(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Npm => None,
            Self::Pnpm => Some(("pnpm", "10")),
            Self::YarnClassic => Some(("yarn", "1.22.22")),
            Self::YarnBerry => Some(("@yarnpkg/cli-dist", "4")),
            Self::Bun => Some(("bun", "1")),
        }
    }
}

impl NodeService {
    /// The command that puts the package manager into a Node image, at the version that the manifest pins; `None` where the image's own
    /// does. By npm, not corepack: Node 25 and later come without it, and it downloads on first use.
    #[must_use]
    pub fn manager_setup(&self) -> Option<String> {
        let pinned = self.manager_version.as_deref();
        if self.manager == PackageManager::Npm {
            return pinned.map(|version| format!("npm install --global npm@{version}"));
        }
        let (package, default) = self.manager.package()?;
        let flag = match self.manager {
            // The Node image has a yarn of its own: npm must be told to write over it.
            PackageManager::YarnClassic | PackageManager::YarnBerry => " --force",
            // bun's program is put in place by its install script, which npm 11.19 and later run only on request.
            PackageManager::Bun => " --allow-scripts=bun",
            _ => "",
        };
        Some(format!("npm install --global{flag} {package}@{}", pinned.unwrap_or(default)))
    }

    /// The command that runs a script of the manifest, in the folder of the package.
    #[must_use]
    pub fn run_command(&self, script: &str) -> String {
        format!("{} run {script}", self.manager.program())
    }
}
