//! The tool image in the engine's own store, for those who build without kiln.
//!
//! `kiln build` hands its binary to BuildKit as a named context. `docker build`, `bake` and `compose` look for an image of that name
//! instead, so one is made after builds that did something, wherever the engine does not have the one of this binary.

use std::fs;

use camino::Utf8Path;
use kiln::engine::{BuildRequest, Engine};

use super::session::Builds;
use crate::commands::Context;

const DOCKERFILE: &str = "FROM scratch\nCOPY kiln /kiln\n";

/// Makes the tool image, if the engine lacks it or has that of another binary. Failing to do so fails no build.
pub(super) fn keep(context: &Context, engine: &impl Engine, image: &str, builds: &Builds, state: &Utf8Path) {
    let Some(directory) = builds.builds.iter().find_map(|build| build.job.request.named_contexts.get(image)) else { return };
    // The id of the image that was made of this binary.
    let stamp = directory.with_extension("image");
    // Whoever clears images takes this one, too, and another engine may never have had it.
    let Ok(found) = engine.stored(&[image.to_owned()]) else { return };
    if let Some(Some(there)) = found.first()
        && fs::read_to_string(&stamp).is_ok_and(|made| made == there.id)
    {
        return;
    }
    let dockerfile = state.join("tool").join("Dockerfile");
    if fs::write(&dockerfile, DOCKERFILE).is_err() {
        return;
    }
    let request = BuildRequest {
        name: "tool".to_owned(),
        context: directory.clone(),
        dockerfile,
        tags: vec![image.to_owned()],
        ..BuildRequest::default()
    };
    match engine.build(&request, &mut |_| ()) {
        Ok(outcome) => drop(outcome.id.map(|id| fs::write(&stamp, id))),
        Err(error) => {
            context.ui.warn(&format!("cannot make the image `{image}`, which plain `docker build` would need: {error}"));
        }
    }
}
