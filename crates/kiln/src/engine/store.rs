//! The images that an engine keeps: which builder has such a store, what is in it, and getting an image into it.

use serde_json::Value;

use super::buildx::{CHECK_TIMEOUT, process_error};
use super::failure::{self, BuildFailure};
use super::{BuilderInfo, EngineError, StoredImage};
use crate::image_name::familiar;
use crate::process::{Cancel, Run};

/// Words of a registry that answers: there is no such image, or not for everybody.
const ABSENT: &[&str] =
    &["manifest unknown", "not found", "pull access denied", "repository does not exist", "no matching manifest", "unauthorized"];

/// Asks which builder does the work.
pub(super) fn inspect_builder(docker: &str, name: Option<&str>, cancel: &Cancel) -> Result<BuilderInfo, EngineError> {
    let run = Run::new(docker).args(["buildx", "inspect"]).args(name).timeout(CHECK_TIMEOUT);
    let finished = run.output(cancel).map_err(process_error)?;
    if let Some(info) = builder(&finished.stdout).filter(|_| finished.success()) {
        return Ok(info);
    }
    let detail = failure::error_line(&finished.stderr);
    let strange = || EngineError::NotDocker { program: docker.to_owned(), detail };
    Err(failure::client_error(&finished.stderr).unwrap_or_else(strange))
}

/// Asks which images of these names there are.
pub(super) fn inspect_images(
    client: Run,
    references: &[String],
    cancel: &Cancel,
) -> Result<Vec<Option<StoredImage>>, EngineError> {
    if references.is_empty() {
        return Ok(Vec::new());
    }
    let run = client.args(["image", "inspect", "--format", "{{json .}}"]).args(references);
    let finished = run.timeout(CHECK_TIMEOUT).capture(16 << 20).output(cancel).map_err(process_error)?;
    // It fails as soon as one of them is missing, and tells of the others all the same.
    match failure::client_error(&finished.stderr) {
        Some(error) if !finished.success() => Err(error),
        _ => Ok(images(&finished.stdout, references)),
    }
}

/// Pulls an image with the client of this name.
pub(super) fn pull(
    client: Run,
    (docker, reference): (&str, &str),
    platform: Option<&str>,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let mut run = client.args(["pull", "--quiet"]);
    if let Some(platform) = platform {
        run = run.args(["--platform", platform]);
    }
    let finished = run.arg(reference).output(cancel).map_err(process_error)?;
    match finished.signal {
        Some(signal) => Err(EngineError::Killed { program: docker.to_owned(), signal }),
        None if finished.success() => Ok(()),
        None => Err(pull_error(reference, &finished.stderr)),
    }
}

/// Removes an image without a name. Without force Docker itself leaves one that a container uses.
pub(super) fn forget(client: impl Fn() -> Run, id: &str, cancel: &Cancel) -> Result<(), EngineError> {
    let run = client().args(["image", "inspect", "--format", "{{len .RepoTags}}", id]).timeout(CHECK_TIMEOUT);
    let names = run.output(cancel).map_err(process_error)?;
    if names.stdout.trim() == "0" {
        client().args(["image", "rm", id]).timeout(CHECK_TIMEOUT).output(cancel).map_err(process_error)?;
    }
    Ok(())
}

/// Reads `docker buildx inspect`. Only what stands before the list of nodes is about the builder.
pub(super) fn builder(text: &str) -> Option<BuilderInfo> {
    let field = |name: &str| {
        let mut lines = text.lines().take_while(|line| !line.starts_with("Nodes"));
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    Some(BuilderInfo { name: field("Name:")?, driver: field("Driver:")? })
}

/// Reads `docker image inspect --format '{{json .}}' REFERENCE…`: one line for each image that is there, in no order to rely on.
pub(super) fn images(text: &str, references: &[String]) -> Vec<Option<StoredImage>> {
    let found: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    references.iter().map(|reference| found.iter().find(|image| is_named(image, reference)).and_then(stored)).collect()
}

/// Whether an image goes by a name. Docker leaves out its own registry and `library/`.
fn is_named(image: &Value, reference: &str) -> bool {
    let names = |key: &str| image.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let wanted = familiar(reference);
    names("RepoTags").chain(names("RepoDigests")).any(|name| familiar(name) == wanted)
}

fn stored(image: &Value) -> Option<StoredImage> {
    let text = |key: &str| image.get(key).and_then(Value::as_str).map(str::to_owned);
    let platform = text("Os").zip(text("Architecture")).map(|(system, machine)| format!("{system}/{machine}"));
    Some(StoredImage { id: text("Id")?, platform, size: image.get("Size").and_then(Value::as_u64) })
}

/// Why `docker pull` failed, told from what it printed.
pub(super) fn pull_error(image: &str, stderr: &str) -> EngineError {
    let detail = failure::error_line(stderr);
    let text = detail.to_ascii_lowercase();
    if failure::is_full(&text) {
        return EngineError::DiskFull { detail };
    }
    if let Some(error) = failure::client_error(stderr) {
        return error;
    }
    if ABSENT.iter().any(|word| text.contains(word)) {
        let message = format!("cannot get the base image `{image}`: {detail}");
        let failure = BuildFailure { message, step: None, exit_code: None, line: None, image: Some(image.to_owned()) };
        return EngineError::Build(Box::new(failure));
    }
    if failure::is_broken(&text) {
        return EngineError::Disconnected { detail };
    }
    EngineError::Registry { image: image.to_owned(), detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_stands_before_the_nodes() {
        let text = "Name:   default\nDriver: docker\nLast Activity: 2026-01-01\n\nNodes:\nName:             default\nEndpoint:         default\n";
        assert_eq!(builder(text), Some(BuilderInfo { name: "default".to_owned(), driver: "docker".to_owned() }));
        assert_eq!(builder("Nodes:\nName: x\nDriver: y\n"), None);
    }

    #[test]
    fn images_are_found_by_any_of_their_names() {
        let text = concat!(
            r#"{"Id":"sha256:aa","RepoTags":["rust:1.95","r.example:5000/rust:1"],"RepoDigests":["rust@sha256:01"],"Os":"linux","Architecture":"amd64","Size":7}"#,
            "\n",
            r#"{"Id":"sha256:bb","RepoTags":["nginxinc/nginx:latest"],"RepoDigests":null}"#,
            "\n"
        );
        let id = |reference: &str| images(text, &[reference.to_owned()]).remove(0).map(|image| image.id);
        for (reference, expected) in [
            ("rust:1.95", Some("sha256:aa")),
            ("docker.io/library/rust:1.95", Some("sha256:aa")),
            ("rust:1.95@sha256:01", Some("sha256:aa")),
            ("r.example:5000/rust:1", Some("sha256:aa")),
            ("nginxinc/nginx", Some("sha256:bb")),
            ("rust", None),
            ("rust:1.9", None),
            ("other/rust:1.95", None),
        ] {
            assert_eq!(id(reference).as_deref(), expected, "{reference}");
        }
        let image = images(text, &["rust:1.95".to_owned()]).remove(0).unwrap();
        assert_eq!((image.platform.as_deref(), image.size), (Some("linux/amd64"), Some(7)));
        assert_eq!(images("nonsense", &["rust".to_owned()]), [None]);
    }

    #[test]
    fn failed_pulls_are_told_apart() {
        let kind = |text: &str| match pull_error("x:1", text) {
            EngineError::Build(failure) => format!("build: {}", failure.message),
            error => format!("{} {error}", error.is_transient()),
        };
        for (text, expected) in [
            (
                "Error response from daemon: manifest for x:1 not found: manifest unknown: manifest unknown",
                "build: cannot get the base image `x:1`: manifest for x:1 not found: manifest unknown: manifest unknown",
            ),
            (
                "Error response from daemon: Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host",
                "true cannot get `x:1` from its registry: Get \"https://r.example/v2/\": dial tcp: lookup r.example: no such host",
            ),
            (
                "toomanyrequests: You have reached your pull rate limit.",
                "true cannot get `x:1` from its registry: toomanyrequests: You have reached your pull rate limit.",
            ),
            (
                "Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
                "false cannot reach the Docker daemon: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
            ),
            (
                "failed to register layer: write /usr/lib/x: no space left on device",
                "false the disk of the Docker engine is full: failed to register layer: write /usr/lib/x: no space left on device",
            ),
            ("unexpected EOF", "true cannot get `x:1` from its registry: unexpected EOF"),
        ] {
            assert_eq!(kind(text), expected);
        }
    }
}
