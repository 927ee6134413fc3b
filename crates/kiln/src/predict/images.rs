//! What an engine knows about base images.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::dockerfile::evaluate::ImageConfig;
use crate::process::{Cancel, Run};

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Its id; empty where unknown.
    pub id: String,
    /// What it brings along; absent where unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ImageConfig>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    #[serde(default)]
    id: String,
    #[serde(default)]
    config: Option<InspectedConfig>,
    #[serde(default, rename = "RootFS")]
    root: Option<InspectedRoot>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InspectedRoot {
    #[serde(default)]
    layers: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct InspectedConfig {
    env: Option<Vec<String>>,
    working_dir: Option<String>,
    user: Option<String>,
    shell: Option<Vec<String>>,
    on_build: Option<Vec<String>>,
}

/// Asks the engine about images that it has. Those it does not have, or an engine that does not answer, say nothing.
#[must_use]
pub fn inspect(docker: &str, references: &[String], cancel: &Cancel) -> BTreeMap<String, ImageFacts> {
    let mut found = BTreeMap::new();
    // One at a time: a missing one would spoil the answer for all.
    for reference in references {
        let run = Run::new(docker).args(["image", "inspect", "--format", "{{json .}}"]).arg(reference);
        let Ok(finished) = run.output(cancel) else { continue };
        if let Some(facts) = parse(&finished.stdout) {
            found.insert(reference.clone(), facts);
        }
    }
    found
}

/// Reads one image of `docker image inspect`. Its layers are its identity: BuildKit goes by them.
fn parse(json: &str) -> Option<ImageFacts> {
    let image: Inspected = serde_json::from_str(json.lines().next()?).ok()?;
    let layers = image.root.and_then(|root| root.layers).unwrap_or_default();
    let id = if layers.is_empty() { image.id } else { crate::text::short_hash(layers.join("\n").as_bytes()) };
    let config = image.config.map(|config| ImageConfig {
        env: config
            .env
            .unwrap_or_default()
            .iter()
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        workdir: config.working_dir.unwrap_or_default(),
        user: config.user.unwrap_or_default(),
        shell: config.shell.unwrap_or_default(),
        onbuild: config.on_build.unwrap_or_default(),
    });
    Some(ImageFacts { id, config })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_an_image_are_read() {
        let facts = parse(
            r#"{"Id":"sha256:1","RootFS":{"Layers":["sha256:a"]},"Config":{"Env":["PATH=/bin","A=b=c"],"WorkingDir":"/w","OnBuild":null}}"#,
        );
        let config = facts.clone().unwrap().config.unwrap();
        assert_eq!(config.env, [("PATH".to_owned(), "/bin".to_owned()), ("A".to_owned(), "b=c".to_owned())]);
        assert_eq!(config.workdir, "/w");
        assert_ne!(facts.unwrap().id, "sha256:1", "the layers count");
        assert_eq!(parse("Error: no such image"), None);
    }
}
