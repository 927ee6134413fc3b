//! Toolchain files and `.cargo/config.toml`, from the workspace root upward.

use camino::{Utf8Path, Utf8PathBuf};

use super::document::{Document, read_text};
use super::{CargoConfig, CargoError, Toolchain, paths};

/// The folders from `folder` up to `boundary`; only `folder` itself where it is not below.
fn upward<'a>(folder: &'a Utf8Path, boundary: &'a Utf8Path) -> impl Iterator<Item = &'a Utf8Path> {
    let within = folder.starts_with(boundary);
    folder
        .ancestors()
        .enumerate()
        .take_while(move |(steps, ancestor)| *steps == 0 || (within && ancestor.starts_with(boundary)))
        .map(|(_, ancestor)| ancestor)
}

/// The nearest toolchain file; as rustup does, the file without extension wins over the other.
pub(super) fn toolchain(folder: &Utf8Path, boundary: &Utf8Path) -> Result<Option<Toolchain>, CargoError> {
    for ancestor in upward(folder, boundary) {
        for name in ["rust-toolchain", "rust-toolchain.toml"] {
            let path = ancestor.join(name);
            if path.is_file() {
                let relative = paths::relative(folder, &path);
                let text = read_text(&path)?;
                return parse_toolchain(&path, relative, text).map(Some);
            }
        }
    }
    Ok(None)
}

fn parse_toolchain(path: &Utf8Path, relative: Utf8PathBuf, text: String) -> Result<Toolchain, CargoError> {
    let trimmed = text.trim();
    let one_line = !trimmed.is_empty() && !trimmed.contains(['\n', '=', '[']);
    if one_line && !path.as_str().ends_with(".toml") {
        let channel = Some(trimmed.to_owned());
        return Ok(Toolchain { path: relative, channel, targets: Vec::new(), components: Vec::new() });
    }
    let document = Document::parse(path, text)?;
    let Some(table) = document.table(document.root(), "", "toolchain")? else {
        return Err(CargoError::MissingKey { path: path.to_owned(), line: 1, key: "toolchain".to_owned() });
    };
    let strings = |key| document.strings(table, "toolchain", &[key]).map(Option::unwrap_or_default);
    Ok(Toolchain {
        path: relative,
        channel: document.string(table, "toolchain", "channel")?,
        targets: strings("targets")?,
        components: strings("components")?,
    })
}

/// Cargo's configuration files, nearest first; as cargo does, the file without extension wins over the other.
pub(super) fn configs(folder: &Utf8Path, boundary: &Utf8Path) -> Result<Vec<CargoConfig>, CargoError> {
    let mut configs = Vec::new();
    for ancestor in upward(folder, boundary) {
        let found = ["config", "config.toml"].map(|name| ancestor.join(".cargo").join(name));
        if let Some(path) = found.into_iter().find(|path| path.is_file()) {
            let text = read_text(&path)?;
            Document::parse(&path, text.clone())?;
            configs.push(CargoConfig { path: paths::relative(folder, &path), text });
        }
    }
    Ok(configs)
}
