//! What installs dependencies, and from which files.

use crate::advice::shell::Command;

/// The name of the installation that a command is, as people write it: `npm ci`; `None` if it installs nothing.
pub(super) fn dependencies(command: &Command) -> Option<String> {
    let operands = command.operands();
    let first = operands.first().copied().unwrap_or_default();
    let program = command.program();
    let is_global = command.has("-g") || command.has("--global") || operands.first() == Some(&"global");
    let installs = match program {
        "npm" => (first == "ci" || (matches!(first, "install" | "i") && operands.len() == 1)) && !is_global,
        "yarn" => matches!(first, "" | "install") && !is_global && !command.has("--version"),
        "pnpm" | "bun" => matches!(first, "install" | "i" | "fetch") && operands.len() == 1 && !is_global,
        "pip" | "pip3" => first == "install" && (command.has("-r") || command.has("--requirement")),
        "poetry" | "bundle" | "composer" => first == "install",
        "uv" => first == "sync",
        "go" => operands.starts_with(&["mod", "download"]),
        "cargo" => first == "fetch" || operands.starts_with(&["chef", "cook"]),
        "mix" => first == "deps.get",
        "dotnet" => first == "restore",
        _ => false,
    };
    let shown = if program == "go" || operands.starts_with(&["chef"]) {
        operands.get(..2).unwrap_or_default().join(" ")
    } else {
        first.to_owned()
    };
    installs.then(|| format!("{program} {shown}").trim_end().to_owned())
}

/// Whether a command installs packages of the system.
pub(super) fn system_packages(command: &Command) -> bool {
    match command.program() {
        "apt-get" | "apt" | "yum" | "dnf" | "microdnf" | "zypper" => command.operands().contains(&"install"),
        "apk" => command.operands().first() == Some(&"add"),
        _ => false,
    }
}

/// Whether a path decides what is installed: a manifest, a lockfile, a package manager's settings.
pub(super) fn is_manifest(path: &str) -> bool {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    const NAMES: [&str; 33] = [
        "npm-shrinkwrap.json",
        "yarn.lock",
        "pnpm-lock.yaml",
        "pnpm-workspace.yaml",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".yarn",
        ".pnpmfile.cjs",
        "bun.lock",
        "bun.lockb",
        "bunfig.toml",
        "pyproject.toml",
        "poetry.lock",
        "uv.lock",
        "Pipfile",
        "Pipfile.lock",
        "Gemfile",
        "Gemfile.lock",
        "go.mod",
        "go.sum",
        "go.work",
        "go.work.sum",
        "Cargo.toml",
        "Cargo.lock",
        "rust-toolchain",
        "rust-toolchain.toml",
        ".cargo",
        "recipe.json",
        "patches",
        "prisma",
        "mix.exs",
        "mix.lock",
    ];
    NAMES.contains(&name)
        || ["package", "composer", "requirements", "constraints"].iter().any(|stem| name.starts_with(stem))
        || [".csproj", ".sln", ".props", ".gemspec", ".config"].iter().any(|end| name.ends_with(end))
}
