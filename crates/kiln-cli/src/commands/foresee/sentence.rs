//! Misses and what would help, in words.

use kiln::predict::{Miss, MissReason, Remedy, Saving};
use kiln::text::{count, seconds};

pub(crate) use kiln::report::sentence::{listed, reasons, short, step};

/// Whether a reason is only that another step runs.
pub(crate) fn is_upstream(reason: &MissReason) -> bool {
    matches!(reason, MissReason::Upstream { .. } | MissReason::UpstreamOutput { .. })
}

/// One line about a step that ran on its own account.
pub(crate) fn miss(miss: &Miss) -> String {
    let causes: Vec<MissReason> = miss.reasons.iter().filter(|reason| !is_upstream(reason)).cloned().collect();
    let causes = if causes.is_empty() { &miss.reasons } else { &causes };
    let dragged = match miss.dragged_along.len() {
        0 => String::new(),
        number => format!(", with {} after it {}", count(number, "step"), seconds(miss.cost_seconds)),
    };
    format!("{} ran ({}{dragged}): {}", step(&miss.place), seconds(miss.seconds), reasons(causes))
}

/// What would help.
pub(crate) fn remedy(remedy: &Remedy) -> String {
    match remedy {
        Remedy::Ignore { patterns } => {
            format!("ignore {} in the ignore file: no program reads it", listed(patterns))
        }
        Remedy::ManifestsFirst { install } => {
            format!("copy the manifests and the lock before the sources: {} then stays cached", step(install))
        }
        Remedy::Firewall { install } => format!(
            "the lock did not change: a stage that keeps only what decides about dependencies, as `kiln init` writes it, keeps {} cached",
            step(install)
        ),
        Remedy::NarrowerCopy { folder, reader } => {
            format!("leave `{folder}` out of this copy (`--exclude={folder}`): only {} asks for it", step(reader))
        }
        Remedy::LaterArgument { name } => format!("declare `ARG {name}` later: this step does not use it"),
        Remedy::PinImage { image } => format!("name `{image}` by its digest, so that it changes only when you say so"),
        _ => String::new(),
    }
}

/// What a remedy would have saved.
pub(crate) fn saving(saving: &Saving) -> String {
    let builds =
        if saving.of == 1 { "this build".to_owned() } else { format!("{} of the last {} builds", saving.builds, saving.of) };
    format!("that would have saved {} in {builds}", seconds(saving.seconds))
}
