//! Models of builds that a builder remembers, whoever started them.

use std::collections::{BTreeMap, BTreeSet};

use super::build::{Inputs, PredictError};
use super::images::ImageFacts;
use super::model::{Model, Origin};
use super::outputs::NoOutputs;
use crate::dockerfile::evaluate::Options;
use crate::engine::PastRun;
use crate::image_name::familiar;

impl Model {
    /// The model of a build by what its builder remembers; `merges` says whether the builder can merge layers. The files of its contexts are not known: where nothing else is different, a
    /// step that reads them ran because of [them](super::MissReason::ContextContent).
    ///
    /// # Errors
    /// A Dockerfile that cannot be built.
    pub fn of_past(past: &PastRun, succeeded: bool, merges: bool) -> Result<Self, PredictError> {
        let options = Options {
            build_args: past.arguments.clone(),
            target: past.target.clone(),
            contexts: past.contexts.iter().cloned().collect(),
            ..Options::default()
        };
        let inputs = Inputs { dockerfile: past.dockerfile.clone(), options, merges, ..Inputs::default() };
        let mut model = Self::new(inputs.clone(), &NoOutputs)?;
        let digests: BTreeMap<String, &String> = past.images.iter().map(|(name, digest)| (familiar(name), digest)).collect();
        let known = model.image_references().into_iter().filter_map(|reference| {
            let id = (*digests.get(&familiar(&reference))?).clone();
            Some((reference, ImageFacts { id, config: None }))
        });
        let images: BTreeMap<String, ImageFacts> = known.collect();
        if !images.is_empty() {
            model = Self::new(Inputs { images, ..inputs }, &NoOutputs)?;
        }
        model.settle(&past.state, succeeded);
        Ok(model)
    }

    /// Images that steps stand on or read from, as the Dockerfile names them.
    #[must_use]
    pub fn image_references(&self) -> BTreeSet<String> {
        let origins = self.steps.iter().flat_map(|step| step.reads.iter().map(|read| &read.origin).chain([&step.base]));
        origins.filter_map(|origin| if let Origin::Image(image) = origin { Some(image.clone()) } else { None }).collect()
    }
}
