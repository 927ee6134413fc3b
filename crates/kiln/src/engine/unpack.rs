//! Images of which the engine loses a layer while it unpacks them, through no fault of the build.
//!
//! With the containerd store an image is unpacked once it is built, and containerd's garbage collection may take a layer from under that.
//! It is a race, met most where images that share layers are built side by side: <https://github.com/moby/buildkit/issues/6521>. The image
//! is whole and its steps are cached, so that building it again takes a moment.

use jiff::Timestamp;

use super::{EngineError, Outcome};
use crate::event::BuildEvent;

/// So often an image is built at most.
const ATTEMPTS: usize = 3;
/// What containerd says then; all of it.
const WORDS: [&str; 3] = ["failed to prepare extraction snapshot", "parent snapshot", "does not exist"];

/// Whether words are those of an engine that lost a layer.
pub(super) fn is_lost(text: &str) -> bool {
    WORDS.iter().all(|word| text.contains(word))
}

/// Builds, and builds again where a layer was lost. The events then take back that a step failed.
pub(super) fn build(
    mut once: impl FnMut(&mut dyn FnMut(BuildEvent)) -> Result<Outcome, EngineError>,
    events: &mut dyn FnMut(BuildEvent),
) -> Result<Outcome, EngineError> {
    for _ in 1..ATTEMPTS {
        let mut failed: Vec<(String, Timestamp)> = Vec::new();
        let result = once(&mut |event| {
            if let BuildEvent::StepFinished { digest, at, error: Some(error) } = &event
                && is_lost(error)
            {
                failed.push((digest.clone(), *at));
            }
            events(event);
        });
        let Err(EngineError::LayerLost { .. }) = result else { return result };
        for (digest, at) in failed {
            events(BuildEvent::StepFinished { digest, at, error: None });
        }
        events(BuildEvent::Warning {
            message: "the engine's store lost a layer while it unpacked the image, which is now built again".to_owned(),
            line: None,
            url: Some("https://github.com/moby/buildkit/issues/6521".to_owned()),
        });
    }
    once(events)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BuildState, StepStatus};

    const LOST: &str =
        "failed to prepare extraction snapshot \"extract-7 sha256:aa\": parent snapshot sha256:bb does not exist: not found";

    /// Builds whose first `lost` attempts lose a layer: how often it was built, how it ended, and what is known of it.
    fn built(lost: usize) -> (usize, bool, BuildState) {
        let (mut times, mut state) = (0, BuildState::new());
        let ended = build(
            |events| {
                times += 1;
                let (digest, at) = (format!("export {times}"), Timestamp::UNIX_EPOCH);
                let error = (times <= lost).then(|| LOST.to_owned());
                events(BuildEvent::StepFound {
                    digest: digest.clone(),
                    name: "exporting to image".to_owned(),
                    inputs: Vec::new(),
                });
                events(BuildEvent::StepFinished { digest, at, error });
                if times <= lost { Err(EngineError::LayerLost { detail: LOST.to_owned() }) } else { Ok(Outcome::default()) }
            },
            &mut |event| state.apply(&event),
        );
        (times, ended.is_ok(), state)
    }

    #[test]
    fn an_image_is_built_again_a_few_times() {
        for (lost, times, succeeds) in [(0, 1, true), (1, 2, true), (2, 3, true), (3, 3, false)] {
            let (attempts, ended, state) = built(lost);
            assert_eq!((attempts, ended), (times, succeeds), "{lost} lost");
            let failed = state.steps().iter().filter(|step| step.status() == StepStatus::Failed).count();
            assert_eq!((failed, state.warnings.len()), (usize::from(!succeeds), usize::from(lost > 0)), "{lost} lost");
        }
    }

    #[test]
    fn other_failures_stay() {
        let mut times = 0;
        let ended = build(
            |_| {
                times += 1;
                Err(EngineError::Unresponsive)
            },
            &mut |_| {},
        );
        assert!(ended.is_err() && times == 1);
    }
}
