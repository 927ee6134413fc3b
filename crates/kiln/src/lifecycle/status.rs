//! What a builder holds of one project: each record mapped to service, stage and mount, by what kiln has recorded of its builds.
//!
//! A record of BuildKit says which command made it and when, but not for whom. kiln's records say which of the project's steps ran when.
//! Where both agree, the record is the project's. Cache mounts bear their id. The copy of a context bears nothing: it is the project's
//! only if it was made in the very moment in which a build of the project, and of no other, loaded one. What fits a step of the project
//! but none of its recorded builds may be someone else's, so it is counted as unknown, and is never removed.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::known::{KnownBuild, KnownStep, record_key};
use crate::engine::CacheRecord;
use crate::recipe::MountUse;

/// A record may be let go this long after the build is said to have ended.
const SLACK: SignedDuration = SignedDuration::from_secs(10);
/// BuildKit's description of the layer with the program that generated Dockerfiles need.
const TOOL: &str = "[1/1] COPY kiln /kiln";

/// What is known on this side.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// Builds of the project in all its checkouts, the latest first.
    pub builds: Vec<KnownBuild>,
    /// Builds of every other project on this machine, by its name.
    pub others: BTreeMap<String, Vec<KnownBuild>>,
    /// When kiln last worked with the project's caches: not all of that is a recorded build.
    pub worked: Option<Timestamp>,
    /// Branches that exist; `None` if that cannot be told: then all do.
    pub branches: Option<BTreeSet<String>>,
    /// Ids of the cache mounts that the current Dockerfiles name.
    pub mounts: BTreeSet<String>,
    /// Keys of the steps of the current Dockerfiles.
    pub steps: BTreeSet<String>,
}

impl Knowledge {
    fn of_others(&self) -> impl Iterator<Item = &KnownBuild> {
        self.others.values().flatten()
    }
}

/// What kind of thing is cached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// The result of a step.
    Layer,
    /// A cache mount.
    Mount,
    /// The builder's copy of a build context or of a Dockerfile.
    Context,
    /// The program that generated Dockerfiles need; all projects of this kiln share it.
    Tool,
}

/// Who else has something of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Shared {
    /// Nobody that kiln knows of.
    No,
    /// An image holds it too: its removal frees nothing as long as the image is there.
    Image,
    /// Another project uses it, or something did after this project's last build.
    Others,
}

/// One cached thing of the project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Id of the builder's record.
    pub id: String,
    /// What kind of thing.
    pub kind: EntryKind,
    /// The services and variants it is of, as `api-prod`; several for what they share.
    pub owners: BTreeSet<String>,
    /// Stages of those.
    pub stages: BTreeSet<String>,
    /// The instruction, the id of the mount, the name of the context.
    pub what: String,
    /// Bytes.
    pub bytes: u64,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
    /// In how many recorded builds it was found there.
    pub hits: usize,
    /// Who else has something of it.
    pub shared: Shared,
    /// Whether a build works with it now.
    pub in_use: bool,
    /// Whether the latest builds of the project, one for each service, variant and branch, use it.
    pub current: bool,
    /// What a mount of compiled units holds, as the last step that used it told: units of old dependencies are in there, too, and age out
    /// by themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<MountUse>,
}

/// How many records, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// Records.
    pub records: usize,
    /// Bytes.
    pub bytes: u64,
}

impl Sum {
    fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }
}

/// Everything in the builder's cache, sorted by whose it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The project's.
    pub entries: Vec<Entry>,
    /// What fits steps of the project but none of its recorded builds.
    pub unknown: Sum,
    /// What is not the project's: of other projects, of base images, dangling.
    pub elsewhere: Sum,
}

impl Inventory {
    /// Maps records to the project.
    #[must_use]
    pub fn of(records: &[CacheRecord], known: &Knowledge) -> Self {
        let mapping = Mapping::new(records, known);
        let mut inventory = Self::default();
        for record in records {
            match mapping.entry(record) {
                Some(entry) => inventory.entries.push(entry),
                None if mapping.may_be_ours(record) => inventory.unknown.add(record.bytes),
                None => inventory.elsewhere.add(record.bytes),
            }
        }
        mapping.mark_current(records, &mut inventory.entries);
        inventory.entries.sort_by(|a, b| (&a.owners, &a.stages, a.kind, &a.what).cmp(&(&b.owners, &b.stages, b.kind, &b.what)));
        inventory
    }

    /// The sum of all entries that pass.
    #[must_use]
    pub fn sum(&self, passes: impl Fn(&Entry) -> bool) -> Sum {
        let mut sum = Sum::default();
        self.entries.iter().filter(|entry| passes(entry)).for_each(|entry| sum.add(entry.bytes));
        sum
    }
}

/// Lookups that every record needs.
struct Mapping<'a> {
    known: &'a Knowledge,
    /// Keys of records, by their ids.
    keys: BTreeMap<&'a str, String>,
    /// End of the project's last build, or of other work of kiln with its caches.
    last: Option<Timestamp>,
    /// Ids of mounts that the project has or had.
    mounts: BTreeSet<&'a str>,
    /// Keys that another project's latest builds found cached, and that it has no record of its own for; with the time of the build.
    needed_by_others: Vec<(&'a str, Timestamp)>,
    /// When the layers with the tool were made.
    tools: Vec<Timestamp>,
}

impl<'a> Mapping<'a> {
    fn new(records: &'a [CacheRecord], known: &'a Knowledge) -> Self {
        let keys: BTreeMap<&str, String> =
            records.iter().filter_map(|record| Some((record.id.as_str(), record_key(&record.description)?))).collect();
        let in_records = known.builds.iter().flat_map(|build| &build.steps).flat_map(|step| &step.mounts);
        let mounts = known.mounts.iter().chain(in_records).map(String::as_str).collect();
        let made_by = |builds: &[KnownBuild], key: &str| {
            records.iter().any(|record| {
                keys.get(record.id.as_str()).is_some_and(|own| own == key)
                    && record
                        .created
                        .is_some_and(|time| builds.iter().flat_map(|build| &build.steps).any(|step| step.made(key, time)))
            })
        };
        let mut needed_by_others = Vec::new();
        // Each for itself: services of two projects may well have one name.
        for builds in known.others.values() {
            for build in latest(builds, |_| true) {
                let cached = build.steps.iter().filter(|step| step.ran.is_none() && !made_by(builds, &step.key));
                needed_by_others.extend(cached.map(|step| (step.key.as_str(), build.ended)));
            }
        }
        let tools = records.iter().filter(|record| record.description == TOOL).filter_map(|record| record.created).collect();
        let last = known.builds.iter().map(|build| build.ended).chain(known.worked).max();
        Self { known, keys, last, mounts, needed_by_others, tools }
    }

    fn entry(&self, record: &CacheRecord) -> Option<Entry> {
        let kind = match record.kind.as_str() {
            "exec.cachemount" => EntryKind::Mount,
            "source.local" => EntryKind::Context,
            _ if record.description == TOOL => EntryKind::Tool,
            _ => EntryKind::Layer,
        };
        let mut entry = Entry {
            id: record.id.clone(),
            kind,
            owners: BTreeSet::new(),
            stages: BTreeSet::new(),
            what: String::new(),
            bytes: record.bytes,
            created: record.created,
            last_used: record.last_used,
            hits: 0,
            shared: if record.shared { Shared::Image } else { Shared::No },
            in_use: record.in_use,
            current: false,
            units: None,
        };
        match kind {
            EntryKind::Mount => self.mount(record, &mut entry)?,
            EntryKind::Context => self.context(record, &mut entry)?,
            EntryKind::Tool => self.tool(&mut entry),
            EntryKind::Layer => self.layer(record, &mut entry)?,
        }
        Some(entry)
    }

    fn mount(&self, record: &CacheRecord, entry: &mut Entry) -> Option<()> {
        let id = record.mount_id()?;
        if !self.mounts.contains(id) {
            return None;
        }
        id.clone_into(&mut entry.what);
        let mut runs = 0;
        for build in &self.known.builds {
            for step in build.steps.iter().filter(|step| step.mounts.contains(id)) {
                entry.owners.insert(owner(build));
                entry.stages.insert(step.stage.clone());
                runs += usize::from(step.ran.is_some() && record.created.is_none_or(|created| build.ended >= created));
            }
        }
        // Some ids are chosen by people: two projects may well have named theirs alike.
        if self.known.of_others().flat_map(|build| &build.steps).any(|step| step.mounts.contains(id)) {
            entry.shared = Shared::Others;
        }
        // The first one filled it.
        entry.hits = runs.saturating_sub(1);
        let told = self.known.builds.iter().flat_map(|build| &build.steps).filter_map(|step| {
            let (mount, units) = step.units.as_ref()?;
            Some((step.ran?.1, units)).filter(|_| mount == id)
        });
        entry.units = told.max_by_key(|(ended, _)| *ended).map(|(_, units)| units.clone());
        Some(())
    }

    fn context(&self, record: &CacheRecord, entry: &mut Entry) -> Option<()> {
        let name = record.description.strip_prefix("local source for ")?;
        let created = record.created?;
        if self.known.of_others().any(|build| build.loaded(created)) {
            return None;
        }
        let builds: Vec<&KnownBuild> = self.known.builds.iter().filter(|build| build.loaded(created)).collect();
        if builds.is_empty() {
            // kiln keeps the tool as an image for plain `docker build` right after a build.
            let tool = self.tools.iter().any(|time| (0..3000).contains(&time.duration_since(created).as_millis()));
            tool.then(|| self.tool(entry))?;
            entry.kind = EntryKind::Tool;
        }
        entry.owners.extend(builds.into_iter().map(owner));
        name.clone_into(&mut entry.what);
        Some(())
    }

    fn tool(&self, entry: &mut Entry) {
        "kiln, the program that runs in image builds".clone_into(&mut entry.what);
        entry.shared = Shared::Others;
        entry.current = self.last.is_some();
    }

    fn layer(&self, record: &CacheRecord, entry: &mut Entry) -> Option<()> {
        let key = self.keys.get(record.id.as_str())?;
        let created = record.created?;
        for build in &self.known.builds {
            for step in build.steps.iter().filter(|step| step.made(key, created)) {
                entry.owners.insert(owner(build));
                entry.stages.insert(step.stage.clone());
                step.instruction.clone_into(&mut entry.what);
            }
        }
        if entry.owners.is_empty() {
            return None;
        }
        let later = self.known.builds.iter().filter(|build| build.started > created);
        entry.hits = later.filter(|build| build.steps.iter().any(|step| step.key == *key && step.ran.is_none())).count();
        let made_by_others = || self.known.of_others().flat_map(|build| &build.steps).any(|step| step.made(key, created));
        let needed = || self.needed_by_others.iter().any(|(other, time)| other == key && *time >= created);
        let used_since =
            || record.last_used.zip(self.last).is_some_and(|(used, last)| used.duration_since(last) - record.rounded > SLACK);
        if made_by_others() || needed() || used_since() {
            entry.shared = Shared::Others;
        }
        Some(())
    }

    fn may_be_ours(&self, record: &CacheRecord) -> bool {
        let Some(key) = self.keys.get(record.id.as_str()) else { return false };
        let recorded = self.known.builds.iter().flat_map(|build| &build.steps).any(|step| step.key == *key);
        let by_others = record
            .created
            .is_some_and(|time| self.known.of_others().flat_map(|build| &build.steps).any(|step| step.made(key, time)));
        (recorded || self.known.steps.contains(key)) && !by_others
    }

    /// Marks what the latest builds use: the result of each of their steps, the mounts that those name, and what results lie on.
    fn mark_current(&self, records: &[CacheRecord], entries: &mut [Entry]) {
        let exists = |build: &KnownBuild| match (&self.known.branches, &build.branch) {
            (Some(branches), Some(branch)) => branches.contains(branch),
            _ => true,
        };
        let mut current: BTreeSet<String> = BTreeSet::new();
        let mut contexts_since: Option<Timestamp> = None;
        let latest = latest_of_stages(&self.known.builds, exists);
        for (build, steps) in &latest {
            contexts_since = Some(contexts_since.map_or(build.started, |since: Timestamp| since.min(build.started)));
            for step in steps {
                // Also those of others: the build may have used one of theirs, and then none of its own.
                let same = records.iter().filter(|record| self.keys.get(record.id.as_str()).is_some_and(|key| *key == step.key));
                let before: Vec<&CacheRecord> = same
                    .filter(|record| record.created.is_some_and(|created| created.duration_since(build.ended) <= SLACK))
                    .collect();
                // What a step made is what it left. What BuildKit calls the last use does not tell: it lets go of results of the
                // build before at a time of its own.
                let made = before.iter().filter(|record| record.created.is_some_and(|created| step.made(&step.key, created)));
                let mut found: Vec<&str> = made.map(|record| record.id.as_str()).collect();
                if found.is_empty() {
                    let used = before.iter().filter(|record| record.last_used.is_some_and(|used| used >= build.started));
                    found.extend(used.map(|record| record.id.as_str()));
                }
                let is_own = |id: &str| entries.iter().any(|entry| entry.id == id);
                if !found.iter().any(|id| is_own(id)) {
                    // A step below one that is cached is not even looked at; and what was used meanwhile may be another project's.
                    let own = before.iter().filter(|record| is_own(&record.id));
                    found.extend(own.max_by_key(|record| record.created).map(|record| record.id.as_str()));
                }
                current.extend(found.into_iter().map(str::to_owned));
            }
        }
        let parents: BTreeMap<&str, &[String]> =
            records.iter().map(|record| (record.id.as_str(), record.parents.as_slice())).collect();
        let mut pending: Vec<String> = current.iter().cloned().collect();
        while let Some(id) = pending.pop() {
            for parent in parents.get(id.as_str()).copied().unwrap_or_default() {
                if current.insert(parent.clone()) {
                    pending.push(parent.clone());
                }
            }
        }
        let named: BTreeSet<&String> =
            latest.iter().flat_map(|(_, steps)| steps).flat_map(|step| &step.mounts).chain(&self.known.mounts).collect();
        for entry in entries {
            entry.current = match entry.kind {
                EntryKind::Layer => current.contains(&entry.id),
                EntryKind::Mount => named.contains(&entry.what),
                EntryKind::Context => entry.last_used.zip(contexts_since).is_none_or(|(used, since)| used >= since),
                EntryKind::Tool => true,
            };
        }
    }
}

/// `api-prod`
fn owner(build: &KnownBuild) -> String {
    format!("{}-{}", build.service, build.variant.name())
}

/// The latest successful build of each stage of each service, variant and branch, with the steps of those stages: builds of images and
/// warmings of single stages follow one another, and either makes the other's stages old.
fn latest_of_stages(builds: &[KnownBuild], passes: impl Fn(&KnownBuild) -> bool) -> Vec<(&KnownBuild, Vec<&KnownStep>)> {
    let mut seen = BTreeSet::new();
    let mut passing: Vec<&KnownBuild> = builds.iter().filter(|build| build.succeeded && passes(build)).collect();
    passing.sort_by_key(|build| std::cmp::Reverse(build.started));
    let mut found = Vec::new();
    for build in passing {
        let key = |step: &KnownStep| (build.service.clone(), build.variant.name(), build.branch.clone(), step.stage.clone());
        let steps: Vec<&KnownStep> = build.steps.iter().filter(|step| !seen.contains(&key(step))).collect();
        seen.extend(steps.iter().map(|step| key(step)));
        if !steps.is_empty() {
            found.push((build, steps));
        }
    }
    found
}

/// The latest successful build of each service, variant, stage and branch.
fn latest(builds: &[KnownBuild], passes: impl Fn(&KnownBuild) -> bool) -> impl Iterator<Item = &KnownBuild> {
    let mut seen = BTreeSet::new();
    let mut found: Vec<&KnownBuild> = builds.iter().filter(|build| build.succeeded && passes(build)).collect();
    found.sort_by_key(|build| std::cmp::Reverse(build.started));
    found.retain(|build| seen.insert((build.service.clone(), build.variant.name(), build.target.clone(), build.branch.clone())));
    found.into_iter()
}
