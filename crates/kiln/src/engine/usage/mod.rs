//! What a builder's cache holds, and by which rules it is cleared: questions to the builder, and the removal of records by their ids.

mod forgotten;
mod policy;
mod read;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::buildx::process_error;
use super::{Buildx, Engine as _, EngineError, failure, store};
use crate::process::{Finished, Run};

pub use forgotten::{forgotten, with_all_above};
pub use policy::{GcPolicy, GcRule};
use read::api_records;
pub use read::verbose_records;

/// How long a builder may take to list its records.
const TIMEOUT: Duration = Duration::from_secs(120);
/// How long it may take to remove some.
const PRUNE_TIMEOUT: Duration = Duration::from_secs(600);
/// Room for the records of a large cache.
const CAPTURE: usize = 256 << 20;
/// How many records one call removes: their ids have to fit on a command line.
const AT_ONCE: usize = 500;

/// A record of the build cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CacheRecord {
    /// Its id.
    pub id: String,
    /// Records that it lies on; they stay as long as it does.
    pub parents: Vec<String>,
    /// What BuildKit says of it: the step, the cache mount, the context.
    pub description: String,
    /// `regular`, `exec.cachemount`, `source.local`, …
    pub kind: String,
    /// Bytes that it alone takes.
    pub bytes: u64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last used. From clients that only say `3 hours ago` it is the latest time that fits.
    pub last_used: Option<Timestamp>,
    /// How much earlier that may have been: nothing where times are exact.
    #[serde(skip)]
    pub rounded: SignedDuration,
    /// How often.
    pub usage_count: u64,
    /// Whether an image holds it, too, so that its removal frees nothing.
    pub shared: bool,
    /// Whether something works with it now.
    pub in_use: bool,
}

/// Why an image keeps its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImageStays {
    /// A container, of this id, uses it.
    Used(String),
    /// Anything else, in the engine's words.
    Refused(String),
}

impl ImageStays {
    /// Reads the engine's answer: `conflict: unable to remove repository reference "a:b" (must force) - container 0a1b is using its …`.
    fn read(said: &str) -> Self {
        let user = || said.rsplit_once("container ")?.1.split_once(" is using").map(|(id, _)| id.to_owned());
        let words = || said.strip_prefix("Error response from daemon: ").unwrap_or(said).to_owned();
        user().map_or_else(|| Self::Refused(words()), Self::Used)
    }
}

impl CacheRecord {
    /// Id of the cache mount, without its namespace.
    #[must_use]
    pub fn mount_id(&self) -> Option<&str> {
        let (_, id) = self.description.strip_prefix("cached mount ")?.rsplit_once(" with id \"")?;
        let id = id.trim_end().strip_suffix('"')?;
        Some(id.split_once('/').map_or(id, |(_, id)| id))
    }
}

impl Buildx {
    /// All records of the builder's cache.
    ///
    /// `docker buildx du` rounds bytes and times; for Docker's own builder its API adds the exact ones.
    ///
    /// # Errors
    /// Why the builder could not tell.
    pub fn cache_records(&self) -> Result<Vec<CacheRecord>, EngineError> {
        let run = self.with_builder(self.client().args(["buildx", "du", "--verbose"])).timeout(TIMEOUT).capture(CAPTURE);
        let mut records = verbose_records(&self.succeed(&run)?.stdout, Timestamp::now());
        if self.builder_info()?.has_store() {
            let request = "GET /system/df?type=build-cache HTTP/1.0\r\nHost: docker\r\n\r\n";
            // The engine gives up a question whose asker hangs up, and then has no records to tell of.
            let run = self.client().args(["system", "dial-stdio"]).stdin(request).stdin_stays_open();
            let run = run.timeout(TIMEOUT).capture(CAPTURE);
            let answer = run.output(self.cancel_flag()).map_err(process_error)?;
            // Newer engines leave the parents out there, so both lists are needed.
            let exact = answer.success().then(|| api_records(&answer.stdout)).flatten().unwrap_or_default();
            let mut exact: BTreeMap<String, CacheRecord> = exact.into_iter().map(|record| (record.id.clone(), record)).collect();
            for record in &mut records {
                if let Some(found) = exact.remove(&record.id) {
                    *record = CacheRecord { parents: std::mem::take(&mut record.parents), ..found };
                }
            }
        }
        Ok(records)
    }

    /// How the builder describes the records of its cache. Nothing where it does not answer in time.
    #[must_use]
    pub fn cache_descriptions(&self, patience: Duration) -> Option<Vec<String>> {
        let run = self.with_builder(self.client().args(["buildx", "du", "--verbose"])).timeout(patience).capture(CAPTURE);
        let finished = run.output(self.cancel_flag()).ok().filter(Finished::success)?;
        let records = verbose_records(&finished.stdout, Timestamp::now());
        Some(records.into_iter().map(|record| record.description).collect())
    }

    /// The rules by which the builder clears its cache by itself.
    ///
    /// # Errors
    /// Why the builder could not tell.
    pub fn gc_policy(&self) -> Result<GcPolicy, EngineError> {
        let run = self.client().args(["buildx", "inspect"]);
        let run = if let Some(name) = self.builder_name() { run.arg(name) } else { run };
        Ok(GcPolicy::read(&self.succeed(&run.timeout(TIMEOUT).capture(4 << 20))?.stdout))
    }

    /// The same, with those rules marked that this version of Docker's own builder never applies. `limit` is how long it may take.
    ///
    /// # Errors
    /// Why the builder could not tell in time.
    pub fn gc_policy_in_effect(&self, limit: Duration) -> Result<GcPolicy, EngineError> {
        let run = self.client().args(["buildx", "inspect"]).args(self.builder_name()).timeout(limit).capture(4 << 20);
        let version = self.client().args(["version", "--format", "{{.Server.Version}}"]).timeout(limit);
        let (inspected, version) = thread::scope(|scope| {
            let version = scope.spawn(|| self.succeed(&version));
            (self.succeed(&run), version.join().unwrap_or(Err(EngineError::Interrupted)))
        });
        let text = inspected?.stdout;
        let policy = GcPolicy::read(&text);
        let is_dockers_own = store::builder(&text).is_some_and(|builder| builder.has_store());
        Ok(if is_dockers_own { policy.for_engine(Some(version?.stdout.trim())) } else { policy })
    }

    /// Removes records by their ids; those that are used, or lie below one that stays, stay. Gives the bytes that were freed as the builder
    /// counts them.
    ///
    /// # Errors
    /// Why the builder could not; what an earlier call removed is gone.
    pub fn remove_records(&self, ids: &[String]) -> Result<u64, EngineError> {
        let mut freed = 0;
        for ids in ids.chunks(AT_ONCE) {
            let filter = format!("id~=^({})$", ids.join("|"));
            let run = self.with_builder(self.client().args(["buildx", "prune", "--force", "--all"]));
            let finished = self.succeed(&run.args(["--filter", &filter]).timeout(PRUNE_TIMEOUT).capture(CAPTURE))?;
            freed += read::total(&finished.stdout);
        }
        Ok(freed)
    }

    /// Names of the engine's images in a repository: `shop-cache:api-prod-deps`.
    ///
    /// # Errors
    /// Why the engine could not tell.
    pub fn images_of(&self, repository: &str) -> Result<Vec<String>, EngineError> {
        let run = self.client().args(["images", "--format", "{{.Repository}}:{{.Tag}}", "--filter"]);
        let finished = self.succeed(&run.arg(format!("reference={repository}:*")).timeout(TIMEOUT).capture(4 << 20))?;
        let names = finished.stdout.lines().map(str::trim).filter(|name| name.starts_with(&format!("{repository}:")));
        Ok(names.map(str::to_owned).collect())
    }

    /// Which of these images could not lose that name, with the container that uses each: its last name stays as long as one does.
    ///
    /// # Errors
    /// Why the engine could not tell.
    pub fn held_images(&self, names: &[String]) -> Result<BTreeMap<String, ImageStays>, EngineError> {
        let users = |names: &[String]| {
            let filters = names.iter().flat_map(|name| ["--filter".to_owned(), format!("ancestor={name}")]);
            let run = self.client().args(["ps", "--all", "--format", "{{.ID}}"]).args(filters);
            self.succeed(&run.timeout(TIMEOUT)).map(|finished| finished.stdout.lines().next().map(str::to_owned))
        };
        let mut held = BTreeMap::new();
        // Mostly no container uses any of them, and one question is enough.
        if names.is_empty() || users(names)?.is_none() {
            return Ok(held);
        }
        for name in names {
            let Some(container) = users(std::slice::from_ref(name))? else { continue };
            let run = self.client().args(["image", "inspect", "--format", "{{len .RepoTags}}", name]).timeout(TIMEOUT);
            if self.succeed(&run)?.stdout.trim() == "1" {
                held.insert(name.clone(), ImageStays::Used(container));
            }
        }
        Ok(held)
    }

    /// Removes one name of an image, and the image with its last name. One that a container uses stays; then, or where the engine refuses
    /// for another reason, that is the answer.
    ///
    /// # Errors
    /// Why the client could not be asked.
    pub fn remove_image(&self, name: &str) -> Result<Option<ImageStays>, EngineError> {
        let run = self.client().args(["image", "rm", name]).timeout(PRUNE_TIMEOUT);
        let finished = run.output(self.cancel_flag()).map_err(process_error)?;
        if finished.success() {
            return Ok(None);
        }
        if let Some(error) = failure::client_error(&finished.stderr) {
            return Err(error);
        }
        let said = finished.stderr.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or("no message");
        Ok(Some(ImageStays::read(said)))
    }

    pub(super) fn succeed(&self, run: &Run) -> Result<Finished, EngineError> {
        let finished = run.output(self.cancel_flag()).map_err(process_error)?;
        if finished.success() {
            return Ok(finished);
        }
        Err(failure::question_error(self.program(), &finished.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_that_holds_an_image_is_named() {
        let used = |id: &str| ImageStays::Used(id.to_owned());
        for (said, expected) in [
            (
                "Error response from daemon: conflict: unable to remove repository reference \"a-cache:b\" (must force) - container 0a1b2c is using its referenced image d3adb33f",
                used("0a1b2c"),
            ),
            (
                "Error response from daemon: conflict: unable to delete a-cache:b (must be forced) - container 77aa is using its referenced image d3ad",
                used("77aa"),
            ),
            ("Error response from daemon: something else", ImageStays::Refused("something else".to_owned())),
        ] {
            assert_eq!(ImageStays::read(said), expected);
        }
    }
}
