//! Whose records are whose, and what may go.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::clean::{Choice, Extent, Kept, at_stake, choose};
use super::known::{KnownBuild, KnownStep, mounts, step_key};
use super::status::{EntryKind, Inventory, Knowledge, Shared};
use crate::engine::CacheRecord;
use crate::plan::Variant;
use crate::recipe::MountUse;

const COOK: &str = "RUN --mount=type=cache,id=shop-cargo,target=/kiln/cargo kiln recipe cook /recipe.json";
const COPY: &str = "COPY . /app";

fn at(seconds: i64) -> Timestamp {
    "2026-11-25T12:00:00Z".parse::<Timestamp>().unwrap().checked_add(SignedDuration::from_secs(seconds)).unwrap()
}

/// A build of ten seconds from `start`: of each step, whether it ran.
fn build(service: &str, start: i64, steps: &[(&str, bool)]) -> KnownBuild {
    let steps = steps.iter().map(|(instruction, ran)| KnownStep {
        stage: "deps".to_owned(),
        key: step_key(instruction),
        instruction: (*instruction).to_owned(),
        mounts: mounts(instruction),
        ran: ran.then(|| (at(start), at(start + 10))),
        units: None,
    });
    KnownBuild {
        service: service.to_owned(),
        variant: Variant::Prod,
        target: None,
        branch: Some("main".to_owned()),
        started: at(start),
        ended: at(start + 10),
        succeeded: true,
        steps: steps.collect(),
        loads: vec![(at(start), at(start + 1))],
    }
}

fn record(id: &str, parents: &[&str], description: &str, created: i64, used: i64) -> CacheRecord {
    let kind = match description.split(' ').next() {
        Some("cached") => "exec.cachemount",
        Some("local") => "source.local",
        _ => "regular",
    };
    CacheRecord {
        id: id.to_owned(),
        parents: parents.iter().map(|&parent| parent.to_owned()).collect(),
        description: description.to_owned(),
        kind: kind.to_owned(),
        bytes: 100,
        created: Some(at(created)),
        last_used: Some(at(used)),
        rounded: SignedDuration::ZERO,
        usage_count: 1,
        shared: false,
        in_use: false,
    }
}

fn cook(id: &str, parents: &[&str], created: i64, used: i64) -> CacheRecord {
    record(id, parents, "mount / from exec /bin/sh -c kiln recipe cook /recipe.json", created, used)
}

/// `id: shared, current` of each entry.
fn shown(inventory: &Inventory) -> BTreeMap<&str, (Shared, bool)> {
    inventory.entries.iter().map(|entry| (entry.id.as_str(), (entry.shared, entry.current))).collect()
}

#[test]
fn a_record_is_mapped_by_command_and_time_and_a_mount_by_its_id() {
    let records = [
        cook("ours", &["base"], 5, 8),
        cook("theirs", &["base"], 500, 508),
        record("base", &[], "pulled from docker.io/library/rust", 0, 8),
        record("cargo", &[], "cached mount /kiln/cargo from exec kiln recipe cook with id \"/shop-cargo\"", 5, 8),
        record("other", &[], "cached mount /kiln/cargo from exec kiln recipe cook with id \"/shop-api-cargo\"", 5, 8),
    ];
    let known = Knowledge { builds: vec![build("api", 0, &[(COOK, true)])], ..Knowledge::default() };
    let inventory = Inventory::of(&records, &known);
    assert_eq!(shown(&inventory).into_keys().collect::<Vec<_>>(), ["cargo", "ours"]);
    assert_eq!((inventory.unknown.records, inventory.elsewhere.records), (1, 2));
    let entry = inventory.entries.iter().find(|entry| entry.id == "ours").unwrap();
    assert_eq!((entry.owners.clone(), entry.kind), (BTreeSet::from(["api-prod".to_owned()]), EntryKind::Layer));
}

#[test]
fn a_bump_makes_the_old_layer_stale_and_a_deleted_branch_its_own() {
    let records = [cook("old", &[], 5, 10), cook("new", &[], 1005, 1010), cook("topic", &[], 505, 510)];
    let mut topic = build("api", 500, &[(COOK, true)]);
    topic.branch = Some("topic".to_owned());
    let builds = vec![build("api", 1000, &[(COOK, true)]), topic, build("api", 0, &[(COOK, true)])];
    let known = Knowledge { builds, ..Knowledge::default() };
    let all = Inventory::of(&records, &known);
    assert_eq!(
        shown(&all),
        BTreeMap::from([("new", (Shared::No, true)), ("old", (Shared::No, false)), ("topic", (Shared::No, true))])
    );
    assert_eq!(choose(&all, &records, Extent::Stale { unused_since: None }).remove, BTreeSet::from(["old".to_owned()]));
    let known = Knowledge { branches: Some(BTreeSet::from(["main".to_owned()])), ..known };
    assert!(!shown(&Inventory::of(&records, &known))["topic"].1);
}

#[test]
fn a_layer_that_the_engine_let_go_of_while_the_next_build_ran_is_stale_all_the_same() {
    let records = [cook("old", &[], 5, 22), cook("new", &[], 25, 30)];
    let builds = vec![build("api", 20, &[(COOK, true)]), build("api", 0, &[(COOK, true)])];
    let inventory = Inventory::of(&records, &Knowledge { builds, ..Knowledge::default() });
    assert_eq!((shown(&inventory)["old"].1, shown(&inventory)["new"].1), (false, true));
}

#[test]
fn what_another_project_used_meanwhile_does_not_make_the_own_layer_stale() {
    let records = [cook("ours", &[], 5, 10), cook("theirs", &[], 102, 108)];
    let builds = vec![build("api", 100, &[(COOK, false)]), build("api", 0, &[(COOK, true)])];
    let inventory = Inventory::of(&records, &Knowledge { builds, ..Knowledge::default() });
    assert!(shown(&inventory)["ours"].1);
}

#[test]
fn a_build_makes_what_was_warmed_before_it_stale_and_a_warming_what_was_built() {
    let records = [cook("old", &[], 5, 10), cook("new", &[], 1005, 1010)];
    let with = |old: Option<&str>, new: Option<&str>| {
        let of = |start, target: Option<&str>| {
            let mut build = build("api", start, &[(COOK, true)]);
            build.target = target.map(str::to_owned);
            build
        };
        let builds = vec![of(1000, new), of(0, old)];
        let inventory = Inventory::of(&records, &Knowledge { builds, ..Knowledge::default() });
        choose(&inventory, &records, Extent::Stale { unused_since: None }).remove
    };
    let old = BTreeSet::from(["old".to_owned()]);
    assert_eq!(
        (with(Some("deps"), None), with(None, Some("deps")), with(Some("builder"), Some("deps"))),
        (old.clone(), old.clone(), old)
    );
}

#[test]
fn what_a_later_build_found_cached_is_current_though_it_is_old() {
    // Reverted to the old recipe: the builder used the old record again.
    let records = [cook("old", &[], 5, 2005), cook("new", &[], 1005, 1010)];
    let builds =
        vec![build("api", 2000, &[(COOK, false)]), build("api", 1000, &[(COOK, true)]), build("api", 0, &[(COOK, true)])];
    let inventory = Inventory::of(&records, &Knowledge { builds, ..Knowledge::default() });
    assert_eq!((shown(&inventory)["old"].1, shown(&inventory)["new"].1), (true, false));
    assert_eq!(inventory.entries.iter().find(|entry| entry.id == "old").unwrap().hits, 1);
}

#[test]
fn nothing_of_another_project_is_let_go() {
    let records = [
        record("app", &["cook"], "[1/2] COPY . /app", 5, 10),
        cook("cook", &[], 5, 10),
        record("foreign", &["app"], "mount / from exec /bin/sh -c theirs", 6, 9),
        cook("lent", &[], 1005, 1010),
    ];
    let builds = vec![build("api", 1000, &[(COOK, true)]), build("api", 0, &[(COOK, true), (COPY, true)])];
    let known = Knowledge { builds, ..Knowledge::default() };
    let inventory = Inventory::of(&records, &known);
    let choice = choose(&inventory, &records, Extent::All);
    assert_eq!(choice.remove, BTreeSet::from(["lent".to_owned()]));
    assert_eq!(choice.kept, BTreeMap::from([("app".to_owned(), Kept::Below), ("cook".to_owned(), Kept::Below)]));

    // A project with the same steps found all of them cached and has none of its own.
    let others = BTreeMap::from([("two".to_owned(), vec![build("api", 1015, &[(COOK, false)])])]);
    let inventory = Inventory::of(&records, &Knowledge { others: others.clone(), ..known.clone() });
    assert_eq!(choose(&inventory, &records, Extent::All).kept["lent"], Kept::Shared);

    // A third one, whose service has the same name, has built since and has its own.
    let mut more = records.to_vec();
    more.push(cook("third", &[], 1105, 1110));
    let others = BTreeMap::from_iter(others.into_iter().chain([("three".to_owned(), vec![build("api", 1100, &[(COOK, true)])])]));
    let inventory = Inventory::of(&more, &Knowledge { others, ..known.clone() });
    assert_eq!(choose(&inventory, &more, Extent::All).kept["lent"], Kept::Shared);

    // Somebody whom kiln does not know used it after the last build.
    let later = [cook("lent", &[], 1005, 1500)];
    let inventory = Inventory::of(&later, &known);
    assert_eq!(choose(&inventory, &later, Extent::All).kept["lent"], Kept::Shared);
}

#[test]
fn work_that_left_no_record_is_not_taken_for_that_of_another_project() {
    // Warmed again after a minute: all was there, so nothing was recorded.
    let records = [cook("ours", &[], 5, 70)];
    let known = Knowledge { builds: vec![build("api", 0, &[(COOK, true)])], ..Knowledge::default() };
    let kept = |known: &Knowledge| choose(&Inventory::of(&records, known), &records, Extent::All).kept;
    assert_eq!(kept(&known), BTreeMap::from([("ours".to_owned(), Kept::Shared)]));
    assert_eq!(kept(&Knowledge { worked: Some(at(71)), ..known }), BTreeMap::new());
}

#[test]
fn the_copy_of_a_context_is_the_projects_only_if_nobody_else_loaded_one_then() {
    let context = |id: &str, created| record(id, &[], "local source for context", created, created);
    // In the moment of loading; while the build went on; and in the second after it, when another project began.
    let records = [context("ours", 0), context("during", 6), context("after", 11)];
    let known = Knowledge { builds: vec![build("api", 0, &[(COOK, true)])], ..Knowledge::default() };
    assert_eq!(shown(&Inventory::of(&records, &known)).into_keys().collect::<Vec<_>>(), ["ours"]);
    let others = BTreeMap::from([("two".to_owned(), vec![build("web", 1, &[(COOK, true)])])]);
    let records = [context("one", 0), context("both", 1), context("theirs", 2)];
    let known = Knowledge { others, ..known };
    assert_eq!(shown(&Inventory::of(&records, &known)).into_keys().collect::<Vec<_>>(), ["one"]);
}

#[test]
fn a_mount_that_another_project_names_too_stays() {
    let mount = record("cargo", &[], "cached mount /kiln/cargo from exec kiln with id \"/shop-cargo\"", 5, 8);
    let builds = vec![build("api", 0, &[(COOK, true)])];
    let records = [mount];
    let gone = |known: &Knowledge| choose(&Inventory::of(&records, known), &records, Extent::All).remove.len();
    let known = Knowledge { builds: builds.clone(), ..Knowledge::default() };
    assert_eq!(gone(&known), 1);
    assert_eq!(gone(&Knowledge { others: BTreeMap::from([("two".to_owned(), builds)]), ..known }), 0);
}

#[test]
fn a_mount_of_units_is_what_its_last_step_said() {
    let told = |start, unused| {
        let mut build = build("api", start, &[(COOK, true)]);
        let units = MountUse { path: "/kiln/cargo".to_owned(), units: 10, bytes: 100, unused, unused_bytes: 7 };
        build.steps[0].units = Some(("shop-cargo".to_owned(), units));
        build
    };
    let mount = record("cargo", &[], "cached mount /kiln/cargo from exec kiln with id \"/shop-cargo\"", 5, 8);
    let other = record("npm", &[], "cached mount /npm from exec kiln with id \"/shop-npm\"", 5, 8);
    let mounts = BTreeSet::from(["shop-npm".to_owned()]);
    let known = Knowledge { builds: vec![told(0, 1), told(100, 3), told(50, 2)], mounts, ..Knowledge::default() };
    let inventory = Inventory::of(&[mount, other], &known);
    let unused = |id: &str| {
        let entry = inventory.entries.iter().find(|entry| entry.id == id).unwrap();
        entry.units.as_ref().map(|units| units.unused)
    };
    assert_eq!((unused("cargo"), unused("npm")), (Some(3), None));
}

#[test]
fn a_bound_takes_what_is_current_and_old() {
    let records = [cook("only", &[], 5, 10)];
    let inventory =
        Inventory::of(&records, &Knowledge { builds: vec![build("api", 0, &[(COOK, true)])], ..Knowledge::default() });
    let taken = |since| choose(&inventory, &records, Extent::Stale { unused_since: since }).remove.len();
    assert_eq!((taken(None), taken(Some(at(5))), taken(Some(at(60)))), (0, 0, 1));
}

#[test]
fn a_removal_with_which_other_layers_are_forgotten_is_weighed() {
    let records = [
        record("rust", &[], "pulled from docker.io/library/rust:1@sha256:00", 0, 8),
        cook("old", &["rust"], 5, 10),
        cook("new", &["rust"], 1005, 1010),
        record("debian", &[], "pulled from docker.io/library/debian:12", 0, 8),
        record("run", &["debian"], "mount / from exec /bin/sh -c apt-get update", 1, 8),
    ];
    let choice = |ids: &[&str]| Choice { remove: ids.iter().map(|&id| id.to_owned()).collect(), ..Choice::default() };
    let stake = |ids: &[&str], image: &str| at_stake(&records, &choice(ids), |name| name.starts_with(image));
    let lost = stake(&["old"], "docker.io/library/rust").unwrap();
    assert_eq!((lost.layers, lost.images), (1, BTreeSet::from(["docker.io/library/rust:1".to_owned()])));
    assert_eq!(stake(&["old", "new"], "docker.io/library/rust"), None, "all that would be forgotten goes");
    assert_eq!(stake(&["old"], "nobody's"), None, "only the builder has them");
    assert_eq!(stake(&[], "docker.io"), None, "nothing is removed");
    let there = [record("rust", &[], "", 0, 8), cook("old", &["rust"], 5, 10), cook("new", &["rust"], 1005, 1010)];
    let lost = at_stake(&there, &choice(&["old"]), |_| false).unwrap();
    assert_eq!((lost.layers, lost.images), (1, BTreeSet::new()), "the engine had the image by itself");
}
