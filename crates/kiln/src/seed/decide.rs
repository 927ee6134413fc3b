//! Which seed a build gets.

use super::{Identity, Misfit, Needs, Pin};
use crate::engine::ImageInfo;
use crate::plan::reference::{PlaceholderError, Placeholders, expand};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The cook that is to be built.
    pub identity: &'a Identity,
    /// What the last successful build of this very cook was built with.
    pub remembered: Option<&'a Pin>,
    /// Templates of references, the best first.
    pub candidates: &'a [String],
    /// What placeholders stand for.
    pub placeholders: Placeholders<'a>,
    /// What units must have been built with.
    pub needs: &'a Needs,
    /// Platforms that are built for; empty where they are not known.
    pub platforms: &'a [String],
    /// Whether cached steps are imported from elsewhere.
    pub imports: bool,
}

/// Who is asked what cannot be known here. Each question may take seconds, so none is asked in vain.
pub trait World {
    /// Whether the builder has a units mount with something in it; `None` if that cannot be told.
    fn is_warm(&mut self) -> Option<bool>;

    /// The image of a reference; `None` if there is none.
    ///
    /// # Errors
    /// Why nobody could tell, in the words of who was asked.
    fn published(&mut self, reference: &str) -> Result<Option<ImageInfo>, String>;
}

/// What is built with, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The seed.
    pub pin: Pin,
    /// Why this one.
    pub reason: Reason,
    /// What is worth saying, in the order in which it was found.
    pub notes: Vec<Note>,
}

/// Why a seed was chosen, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Nothing has changed since the last build.
    Unchanged,
    /// The builder has units of its own.
    Warm,
    /// A candidate is the same cook: what it was cooked with, so that steps which are imported are found.
    SameCook {
        /// Its reference.
        reference: String,
    },
    /// A candidate fits.
    Nearest {
        /// Its reference.
        reference: String,
    },
    /// No candidate can be used, or there is none.
    NoSeed,
}

/// Something about a candidate that a person may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It does not fit.
    Foreign {
        /// The candidate.
        reference: String,
        /// Why not.
        misfit: Misfit,
    },
    /// It is not there.
    Absent {
        /// The candidate.
        reference: String,
    },
    /// Its registry does not answer, or not with an image.
    Unreachable {
        /// The candidate.
        reference: String,
        /// What was said.
        detail: String,
    },
    /// Its name cannot be made.
    Unnamed(PlaceholderError),
}

/// Decides. Never fails: what is wrong with a candidate is a note.
///
/// The cheapest answers come first: an unchanged cook asks nobody, a warm builder no registry.
pub fn decide(ask: &Ask<'_>, world: &mut dyn World) -> Decision {
    let mut notes = Vec::new();
    let chosen = |pin, reason, notes| Decision { pin, reason, notes };
    if let Some(pin) = ask.remembered {
        return chosen(pin.clone(), Reason::Unchanged, notes);
    }
    if ask.candidates.is_empty() {
        return chosen(Pin::scratch(), Reason::NoSeed, notes);
    }
    // A layer of hundreds of megabytes to save nothing; but an imported step is found under its own seed only.
    let warm = world.is_warm() == Some(true);
    if warm && !ask.imports {
        return chosen(Pin::scratch(), Reason::Warm, notes);
    }
    let mut silent: Vec<String> = Vec::new();
    for template in ask.candidates {
        let reference = match expand(template, &ask.placeholders) {
            Ok(reference) => reference,
            Err(error) => {
                notes.push(Note::Unnamed(error));
                continue;
            }
        };
        // One that did not answer once would be waited for again.
        if silent.iter().any(|host| host == host_of(&reference)) {
            continue;
        }
        let image = match world.published(&reference) {
            Ok(Some(image)) => image,
            Ok(None) => {
                notes.push(Note::Absent { reference });
                continue;
            }
            Err(detail) => {
                silent.push(host_of(&reference).to_owned());
                notes.push(Note::Unreachable { reference, detail });
                continue;
            }
        };
        if let Some(misfit) = image.misfit(ask.needs, ask.platforms) {
            notes.push(Note::Foreign { reference, misfit });
            continue;
        }
        if ask.imports
            && image.identity().as_ref() == Some(ask.identity)
            && let Some(pin) = image.cooked_with()
        {
            return chosen(pin, Reason::SameCook { reference }, notes);
        }
        // A warm builder only looked for the steps of the same cook.
        if warm {
            continue;
        }
        if let Some(pin) = Pin::image(&reference, &image.digest) {
            return chosen(pin, Reason::Nearest { reference }, notes);
        }
        notes.push(Note::Unreachable { reference, detail: format!("`{}` is no digest", image.digest) });
    }
    let reason = if warm { Reason::Warm } else { Reason::NoSeed };
    chosen(Pin::scratch(), reason, notes)
}

/// The registry in a reference; the whole Docker Hub is one.
fn host_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

#[cfg(test)]
mod tests;
