//! The files of a run: Dockerfiles beside the copy, and what kiln's own builds read in it.

use std::collections::BTreeSet;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::Images;
use crate::bench::{Strategy, StrategyError};
use crate::files::{self, Ownership, Surroundings};
use crate::plan::{Plan, SecretFrom, Service};
use crate::settings;

impl Images {
    /// Writes a Dockerfile with its own ignore file beside the copy, out of every context.
    pub(super) fn write(&self, name: &str, text: &str, ignore: &str) -> Result<Utf8PathBuf, StrategyError> {
        let path = self.place.state.join("dockerfiles").join(format!("{name}.Dockerfile"));
        write(&path, text)?;
        write(&Utf8PathBuf::from(format!("{path}.dockerignore")), ignore)?;
        Ok(path)
    }

    /// kiln's ignore files, which hold for all strategies but `own`.
    pub(super) fn write_ignore_files(&self) -> Result<(), StrategyError> {
        let ignore: BTreeSet<&Utf8PathBuf> = self.chosen().flat_map(|service| &service.files.ignore).collect();
        for file in rendered(&self.plan) {
            if ignore.contains(&file.path) {
                write(&self.place.copy.join(&file.path), &file.body)?;
            }
        }
        Ok(())
    }

    /// `kiln.toml` of the copy: the user's settings under the namespace's name, without the user's caches and seeds.
    pub(super) fn write_settings(&self, service: &str, generation: u32) -> Result<(), StrategyError> {
        let path = self.place.copy.join(settings::FILE_NAME);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut document: toml_edit::DocumentMut =
            text.parse().map_err(|error| StrategyError::Failed(format!("cannot read `{path}`: {error}")))?;
        let project = document.entry("project").or_insert_with(toml_edit::table);
        let Some(project) = project.as_table_like_mut() else {
            return Err(StrategyError::Failed(format!("`{path}`: `project` is no table")));
        };
        let values = [
            ("name", self.namespace(Strategy::Kiln, service, generation)),
            ("engine", "kiln".to_owned()),
            ("tool-image", self.plan.tool_image.clone()),
        ];
        for (key, value) in values {
            project.insert(key, toml_edit::value(value));
        }
        document.remove("cache");
        leave_out_seeds(&mut document);
        let new = document.to_string();
        if new == text { Ok(()) } else { write(&path, &new) }
    }

    /// Files that are secrets are seldom tracked by git, so the copy lacks them.
    pub(super) fn bring_secrets(&self) -> Result<(), StrategyError> {
        for secret in self.chosen().flat_map(Service::secret_sources) {
            let SecretFrom::File(path) = secret.from else { continue };
            let target = self.place.copy.join(&path);
            if path.is_relative() && !target.exists() {
                let text = fs::read(self.place.original.join(&path)).unwrap_or_default();
                write_bytes(&target, &text)?;
            }
        }
        Ok(())
    }
}

/// What `kiln init` would write, apart from what is the user's.
fn rendered(plan: &Plan) -> Vec<files::Rendered> {
    let rendered = files::render(plan, &Surroundings::default());
    rendered.into_iter().filter(|file| file.ownership == Ownership::Kiln).collect()
}

/// kiln's ignore file of a service.
pub(in crate::bench::strategy) fn ignore_text(plan: &Plan, service: &Service) -> String {
    let mut rendered = rendered(plan).into_iter();
    rendered.find(|file| service.files.ignore.contains(&file.path)).map(|file| file.body).unwrap_or_default()
}

/// A first build with a seed would not be one.
fn leave_out_seeds(document: &mut toml_edit::DocumentMut) {
    if let Some(defaults) = document.get_mut("defaults").and_then(toml_edit::Item::as_table_like_mut) {
        defaults.remove("seed");
    }
    let services = document.get_mut("services").and_then(toml_edit::Item::as_table_like_mut);
    for (_, service) in services.into_iter().flat_map(toml_edit::TableLike::iter_mut) {
        if let Some(service) = service.as_table_like_mut() {
            service.remove("seed");
        }
    }
}

pub(super) fn write(path: &Utf8Path, text: &str) -> Result<(), StrategyError> {
    write_bytes(path, text.as_bytes())
}

fn write_bytes(path: &Utf8Path, bytes: &[u8]) -> Result<(), StrategyError> {
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent.and_then(|()| fs::write(path, bytes)).map_err(|error| StrategyError::Failed(format!("cannot write `{path}`: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_seed_is_left() {
        let text = "[defaults]\nseed = [\"a\"]\nplatform = \"b\"\n[services.api]\nseed = [\"c\"]\nport = 1\n[services]\nweb = { seed = [\"d\"], port = 2 }\n";
        let mut document: toml_edit::DocumentMut = text.replace("[services]\nweb", "[services.web]\nx").parse().unwrap();
        leave_out_seeds(&mut document);
        let left = document.to_string();
        assert!(
            !left.contains("\"a\"") && !left.contains("\"c\"") && left.contains("platform") && left.contains("port = 1"),
            "{left}"
        );
    }
}
