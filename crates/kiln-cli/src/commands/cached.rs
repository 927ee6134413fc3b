//! What `kiln status` and `kiln clean` look at: the builder's cache, and what kiln knows of it.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::engine::{Buildx, CacheRecord, Engine as _, EngineError, EngineInfo};
use kiln::lifecycle::cache_repository;
use kiln::lifecycle::known::{KnownBuild, dockerfile_keys, mounts};
use kiln::lifecycle::presence::{Checkout, Presence};
use kiln::lifecycle::status::{Inventory, Knowledge};
use kiln::plan::{Plan, Variant};

use super::Context;
use super::project::{look_and_decide, shared_state};
use crate::env_vars;
use crate::error::CommandError;
use crate::hints;

/// A project and the builder that is asked.
pub(crate) struct World {
    pub(crate) root: Utf8PathBuf,
    pub(crate) state: Utf8PathBuf,
    pub(crate) plan: Plan,
    pub(crate) engine: Buildx,
    pub(crate) info: EngineInfo,
    /// Whether stages are kept as images.
    store: bool,
}

impl World {
    pub(crate) fn find(context: &Context, builder: Option<&str>) -> Result<Self, CommandError> {
        let (root, plan) = look_and_decide(&context.project)?;
        let state = root.join(".kiln");
        let docker = env_vars::docker();
        let engine = Buildx::new(&state).docker(docker).builder(builder.map(str::to_owned)).cancel(context.cancel.clone());
        let (info, builder) = thread::scope(|scope| {
            let builder = scope.spawn(|| engine.builder_info());
            (engine.check(), builder.join().unwrap_or(Err(EngineError::Interrupted)))
        });
        let info = info.map_err(|error| hints::engine_error(&error))?;
        let store = builder.map_err(|error| hints::engine_error(&error))?.has_store();
        Ok(Self { root, state, plan, engine, info, store })
    }

    /// Whether Docker's own builder is asked.
    pub(crate) const fn is_dockers_own(&self) -> bool {
        self.store
    }

    /// The records of the builder, and whose they are.
    pub(crate) fn look(&self) -> Result<(Vec<CacheRecord>, Inventory), CommandError> {
        let records = self.engine.cache_records().map_err(hints::engine_gone)?;
        let inventory = Inventory::of(&records, &self.knowledge());
        Ok((records, inventory))
    }

    /// Base images below these records that the engine has by itself, where that matters: a builder with the containerd store forgets
    /// what lies on them with any removal.
    pub(crate) fn unpacked(&self, records: &[CacheRecord]) -> Result<BTreeSet<String>, CommandError> {
        if !self.store || !self.info.containerd_store {
            return Ok(BTreeSet::new());
        }
        let bases: BTreeSet<&str> = records.iter().filter_map(CacheRecord::base_image).collect();
        // Builds name an image with its digest, which one that was loaded from a file may not have.
        let names: Vec<String> =
            bases.iter().flat_map(|base| [*base, base.split('@').next().unwrap_or(base)]).map(str::to_owned).collect();
        let found = self.engine.stored(&names).map_err(hints::engine_gone)?;
        let pairs = bases.into_iter().zip(found.chunks(2));
        Ok(pairs.filter(|(_, found)| found.iter().any(Option::is_some)).map(|(base, _)| base.to_owned()).collect())
    }

    /// Names of the cached stages among the engine's images, sorted: the engine lists those of one moment in any order.
    pub(crate) fn tags(&self) -> Result<Vec<String>, CommandError> {
        if !self.store {
            return Ok(Vec::new());
        }
        let mut tags = self.engine.images_of(&cache_repository(&self.plan.project)).map_err(hints::engine_gone)?;
        tags.sort();
        Ok(tags)
    }

    fn knowledge(&self) -> Knowledge {
        let mut known = Knowledge { branches: kiln::record::git_branches(&self.root), ..Knowledge::default() };
        let builds = |root: &Utf8Path| KnownBuild::read(&root.join(".kiln/builds"));
        known.builds = builds(&self.root);
        let shared = shared_state(&self.state);
        known.worked = Presence::last_work(&shared.join("locks"), &self.plan.project);
        for checkout in Checkout::all(&shared.join("projects")) {
            if checkout.root == self.root {
                continue;
            }
            if checkout.project == self.plan.project {
                // Another checkout may have other branches.
                known.branches = None;
                known.builds.extend(builds(&checkout.root));
            } else {
                known.others.entry(checkout.project).or_default().extend(builds(&checkout.root));
            }
        }
        for (service, variant) in self.plan.services.iter().flat_map(|service| Variant::ALL.map(|variant| (service, variant))) {
            let text = fs::read_to_string(self.root.join(service.files.dockerfile(variant))).unwrap_or_default();
            known.mounts.extend(mounts(&text));
            known.steps.extend(dockerfile_keys(&text));
        }
        known
    }
}

/// `5 min ago`
pub(crate) fn ago(time: Option<jiff::Timestamp>, now: jiff::Timestamp) -> String {
    let Some(time) = time else { return "never".to_owned() };
    let seconds = now.duration_since(time).as_secs().max(0);
    format!("{} ago", span(seconds.unsigned_abs()))
}

/// `5 min`, `48 h`, `60 days`
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7199 => format!("{} min", seconds / 60),
        7200..=345_599 => format!("{} h", seconds / 3600),
        _ => format!("{} days", seconds / 86_400),
    }
}
