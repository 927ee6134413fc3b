//! Which Rust image compiles which cargo workspace.

use crate::advice::{Context, Dockerfile, command_text};
use crate::image_name::familiar;
use crate::project::cargo::CargoWorkspace;

/// An official Rust image in a `FROM`.
#[derive(Debug, Clone)]
pub(crate) struct RustImage {
    pub(crate) image: String,
    /// Its version's first two numbers; absent for moving tags.
    pub(crate) version: Option<(u64, u64)>,
    /// Line of the `FROM`.
    pub(crate) line: usize,
}

/// A stage that compiles a workspace on an official Rust image.
#[derive(Debug)]
pub(crate) struct Build<'c> {
    pub(crate) dockerfile: &'c Dockerfile,
    pub(crate) workspace: &'c CargoWorkspace,
    pub(crate) image: RustImage,
    /// The `RUN`s of the stage and of those it is based on, from the bottom up: line, text, and whether it compiles.
    pub(crate) steps: Vec<(usize, String, bool)>,
}

impl Build<'_> {
    /// Whether rustup takes another toolchain than the image's.
    pub(crate) fn has_toolchain_file(&self) -> bool {
        self.workspace.toolchain.as_ref().is_some_and(|toolchain| toolchain.channel.is_some())
            || self.steps.iter().any(|(_, text, _)| text.contains("rustup "))
    }
}

/// Words that compile dependencies or the workspace.
const COMPILES: [&str; 5] = ["cargo build", "cargo chef cook", "cargo install --path", "cargo rustc", "kiln recipe co"];

/// Every build whose workspace is known: the one in the Dockerfile's folder, or the only one of the repository.
pub(crate) fn builds<'c>(context: &'c Context<'_>) -> Vec<Build<'c>> {
    let own: Vec<&CargoWorkspace> = context.project.cargo.iter().filter(|workspace| !workspace.incidental).collect();
    let mut found = Vec::new();
    for dockerfile in context.dockerfiles() {
        let here = own.iter().find(|workspace| context.relative(&workspace.directory).is_some_and(|f| f == dockerfile.folder()));
        let workspace = match (here, own.as_slice()) {
            (Some(workspace), _) | (None, [workspace]) => *workspace,
            _ => continue,
        };
        let compiling: Vec<usize> = (0..dockerfile.stages().len())
            .filter(|stage| dockerfile.runs().any(|(index, _, run)| index == *stage && compiles(&command_text(run))))
            .collect();
        // The first is enough: what it lacks, all lack.
        let Some(stage) = compiling.first() else { continue };
        let Some(image) = dockerfile.image(*stage).filter(|image| is_official(image)) else { continue };
        let mut ancestry = dockerfile.ancestry(*stage);
        ancestry.reverse();
        let bottom = ancestry.first().copied().unwrap_or(*stage);
        let steps = ancestry.iter().flat_map(|stage| dockerfile.runs().filter(move |(index, ..)| index == stage));
        let steps = steps.map(|(_, step, run)| (step.lines.first, command_text(run)));
        let steps = steps.map(|(line, text)| (line, text.clone(), compiles(&text))).collect();
        let tag = image.rsplit_once(':').map_or("", |(_, tag)| tag);
        let mut numbers = tag.split(['-', '@']).next().unwrap_or_default().split('.').map(|part| part.parse::<u64>().ok());
        let version = numbers.next().flatten().zip(numbers.next().flatten());
        let line = dockerfile.stages()[bottom].lines.first;
        let image = RustImage { image: image.to_owned(), version, line };
        found.push(Build { dockerfile, workspace, image, steps });
    }
    found
}

/// Whether an image is Docker's own of Rust, or a mirror of it that keeps Docker's name. Any other may hold anything.
fn is_official(image: &str) -> bool {
    let name = familiar(image);
    let name = name.rsplit_once("/library/").map_or(name.as_str(), |(_, name)| name);
    name.starts_with("rust:") || name.starts_with("rust@")
}

fn compiles(text: &str) -> bool {
    COMPILES.iter().any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::is_official;

    #[test]
    fn images_of_others_are_not_judged() {
        for image in
            ["rust", "rust:1.90-slim", "docker.io/library/rust:1", "public.ecr.aws/docker/library/rust:1.90", "rust@sha256:ab"]
        {
            assert!(is_official(image), "{image}");
        }
        for image in
            ["public.ecr.aws/zinclabs/rust:trixie-sccache", "acme/rust:1", "localhost:5000/rust", "rustlang/rust:nightly"]
        {
            assert!(!is_official(image), "{image}");
        }
    }
}
