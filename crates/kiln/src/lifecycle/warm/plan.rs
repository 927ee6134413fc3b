//! From images to build to what is to be there beforehand.

use std::collections::{BTreeMap, BTreeSet};

use super::{Mounts, Outline, Stage, Target, WarmPlan, Work};
use crate::dockerfile::SEED_ARGUMENT;
use crate::engine::{BuildRequest, Output};
use crate::lifecycle::CacheTag;
use crate::plan::Variant;

/// An image of the project whose stages are to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The service.
    pub service: String,
    /// The variant.
    pub variant: Variant,
    /// Text of its Dockerfile.
    pub dockerfile: String,
    /// How the image is built.
    pub request: BuildRequest,
}

impl WarmPlan {
    /// What a project's images need. With a `store`, base images are pulled into it and each stage is kept there under its tag; without one
    /// stages are built into the builder's cache, and base images come with them.
    #[must_use]
    pub fn new(project: &str, images: &[Image], store: bool) -> Self {
        let mut plan = Self::default();
        let mut bases: BTreeMap<(String, Option<String>), usize> = BTreeMap::new();
        // A mount that several stages share is filled by the first.
        let mut mounts: BTreeSet<String> = BTreeSet::new();
        for (number, image) in images.iter().enumerate() {
            let request = &image.request;
            let kept = Outline::read(&image.dockerfile, &request.build_args).kept(request.target.as_deref());
            // Where the targets of this image begin: other images' targets are no matter to it.
            let mut places: Vec<usize> = Vec::new();
            let seed = request.build_args.get(SEED_ARGUMENT).cloned().flatten();
            // Several platforms are several images under one name, which an engine's store may not hold.
            let platform = match request.platforms.as_slice() {
                [] => Some(None),
                [one] => Some(Some(one.clone())),
                _ => None,
            };
            for stage in kept {
                let mut needs: Vec<usize> = stage.needs.iter().map(|place| places[*place]).collect();
                let outside = |name: &&String| !request.named_contexts.contains_key(*name) && seed.as_ref() != Some(*name);
                if let Some(platform) = platform.as_ref().filter(|_| store) {
                    for name in stage.images.iter().filter(outside) {
                        let base =
                            bases.entry((name.clone(), platform.clone())).or_insert_with(|| plan.base(name, platform.as_ref()));
                        needs.push(*base);
                    }
                }
                let tag = CacheTag {
                    service: image.service.clone(),
                    variant: image.variant,
                    stage: stage.name.clone().unwrap_or_else(|| "image".to_owned()),
                };
                let keep = store && platform.is_some();
                let request = BuildRequest {
                    target: if stage.last { request.target.clone() } else { stage.name },
                    tags: if keep { vec![tag.image(project)] } else { Vec::new() },
                    output: if keep { Output::Load } else { Output::Discard },
                    no_cache: false,
                    cache_to: Vec::new(),
                    ..request.clone()
                };
                places.push(plan.targets.len());
                let number_of_stage = plan.targets.len();
                let built = Stage { image: number, tag: tag.clone(), request, seed: seed.clone() };
                let ids: Vec<String> = stage.mounts.into_iter().filter(|id| mounts.insert(id.clone())).collect();
                plan.targets.push(Target { name: tag.to_string(), needs, work: Work::Stage(Box::new(built.clone())) });
                if !ids.is_empty() {
                    let work = Work::Mounts(Box::new(Mounts { ids, stage: built, dockerfile: image.dockerfile.clone() }));
                    plan.targets.push(Target { name: format!("{tag}-mounts"), needs: vec![number_of_stage], work });
                }
            }
        }
        plan
    }

    fn base(&mut self, image: &str, platform: Option<&String>) -> usize {
        let name = platform.map_or_else(|| image.to_owned(), |platform| format!("{image} ({platform})"));
        let work = Work::Base { image: image.to_owned(), platform: platform.cloned() };
        self.targets.push(Target { name, needs: Vec::new(), work });
        self.targets.len() - 1
    }
}
