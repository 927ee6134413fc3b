//! `kiln status` and `kiln clean` with a fake `docker`.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::records::Recorded;
use crate::support::{Ran, Test};

/// What the builder has, but for what was removed: of the first build, of the second, of nobody that kiln knows, and of others.
const DU: &str = r#"
pruned=; [[ -e $FAKE_DOCKER/pruned ]] && pruned=$(<"$FAKE_DOCKER/pruned")
rec() { # id parent made size type description [used]
  if [[ $pruned == *"<$1>"* ]]; then return; fi
  printf 'ID: %s\n' "$1"
  if [[ $2 != - ]]; then printf 'Parents:\n - %s\n' "$2"; fi
  printf 'Created at: 2026-11-01 00:%s +0000 UTC\nReclaimable: true\nShared: false\nSize: %s\nType: %s\nDescription: %s\nUsage count: 1\n' "${@:3:4}"
  if [[ -n ${7:-} ]]; then printf 'Last used: %s\n' "$7"; fi
  printf '\n'
}
compile='mount / from exec /bin/sh -c kiln recipe compile'
rec base - 00:00.1 1GB regular 'pulled from docker.io/library/rust:1.95.0-slim-bookworm'
rec planned-1 base 00:01.1 12kB regular 'mount / from exec /bin/sh -c kiln recipe prepare --output /recipe.json'
rec built-1 base 00:03.1 30MB regular "$compile"
rec planned-2 base 10:01.1 12kB regular 'mount / from exec /bin/sh -c kiln recipe prepare --output /recipe.json' '2 hours ago'
rec built-2 base 10:03.1 31MB regular "$compile" '2 hours ago'
rec copied-2 - 10:09.6 9MB regular '[runtime 2/2] COPY --from=builder /out /usr/local/bin' '2 hours ago'
rec units - 00:02.1 700MB exec.cachemount 'cached mount /units from exec /bin/sh -c kiln recipe cook /recipe.json with id "/shop-units"' '2 hours ago'
rec foreign-units - 00:02.1 70MB exec.cachemount 'cached mount /units from exec /bin/sh -c kiln recipe cook /recipe.json with id "/other-units"'
rec context - 00:00.4 1kB source.local 'local source for context'
rec foreign-context - 00:05.1 1kB source.local 'local source for context'
rec plain base 05:00.1 29MB regular "$compile"
rec foreign base 00:03.1 5MB regular 'mount / from exec /bin/sh -c make'
"#;

/// Removes what the filter names, and says so; images are removed, but for one that a container uses.
const OBJECTS: &str = r#"
case "$1 $2" in
"buildx prune")
  ids=${*: -1}; ids=${ids#'id~=^('}; ids=${ids%')$'}
  IFS='|'; for id in $ids; do printf '<%s>' "$id" >>"$FAKE_DOCKER/pruned"; done
  echo 'Total: 30.01MB'
  ;;
"images --format")
  printf 'shop-cache:api-prod-deps\nshop-cache:gone-prod-deps\n'
  ;;
"image rm")
  if [[ $3 == shop-cache:api-prod-deps ]]; then
    echo 'Error response from daemon: conflict: unable to remove repository reference "shop-cache:api-prod-deps" (must force) - container 0a1b2c is using its referenced image d3adb33f' >&2
    exit 1
  fi
  ;;
esac
"#;

/// A container uses one of the images; the other images have no container.
const HELD: &str = "if [[ $1 == ps && $* == *ancestor=shop-cache:api-prod-deps* ]]; then echo 0a1b2c; fi\n";

const GONE: &str =
    "echo 'ERROR: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2; exit 1";

/// Built twice, and kiln has worked with it since, so that what was used a while ago was used by it.
fn shop() -> Test {
    let test = Test::new().docker().write("kiln.toml", "[project]\nname = \"shop\"\n").service("api", "FROM scratch\n");
    for minute in [0, 10] {
        Recorded { compiles: Some(8.0), ..Recorded::new("api", minute) }.write(&test.project());
    }
    let locks = test.root().join("home/.local/state/kiln/locks");
    fs::create_dir_all(&locks).expect("a folder");
    let worked = locks.join(format!("{}.worked", kiln::text::short_hash(b"shop")));
    fs::write(worked, jiff::Timestamp::now().to_string()).expect("written");
    test.fake("du", DU).fake("objects", OBJECTS)
}

fn ids(document: &Value, list: &str) -> Vec<String> {
    let entries = document[list].as_array().expect("a list").iter();
    entries.map(|entry| entry["id"].as_str().expect("an id").to_owned()).collect()
}

fn run(arguments: &[&str]) -> (Ran, Test) {
    let mut test = shop();
    let ran = test.run_with(arguments.iter().copied());
    (ran, test)
}

#[test]
fn status_is_a_tree_of_services_stages_and_mounts() {
    let rules = "printf 'Name: default\\nDriver: docker\\n\\nNodes:\\nGC Policy rule#0:\\n Filters: type==source.local,type==exec.cachemount,type==source.git.checkout\\n Keep Duration: 48h0m0s\\n Max Used Space: 1.5GiB\\nGC Policy rule#1:\\n All: true\\n Max Used Space: 80GiB\\n'";
    let mut test = shop().fake("inspect", rules);
    insta::assert_snapshot!(test.run_with(["status"]));
    let newer = crate::support::GOOD_INFO.replace("28.5.2", "29.6.0");
    let ran = test.fake("info", &newer).run_with(["status"]);
    assert!(ran.stdout.contains("the mount `shop-units`, 700.0 MB, is removed after 48 h without a build"), "{ran}");
}

#[test]
fn status_as_a_document_accounts_for_all_records() {
    let document = run(&["status", "--json"]).0.json();
    assert_eq!(document["schema"], 1);
    assert_eq!(ids(&document, "entries").len(), 7);
    let totals = &document["totals"];
    let sum = |name: &str| (totals[name]["records"].as_u64().unwrap(), totals[name]["bytes"].as_u64().unwrap());
    assert_eq!(sum("project").0, 7);
    assert_eq!(sum("stale"), (2, 30_012_000));
    assert_eq!(sum("unknown"), (1, 29_000_000));
    assert_eq!(sum("elsewhere").0, 4);
    assert_eq!(document["tags"], serde_json::json!(["shop-cache:api-prod-deps", "shop-cache:gone-prod-deps"]));
}

#[test]
fn a_dry_run_tells_what_goes_and_a_clean_up_takes_just_that() {
    let (planned, test) = run(&["clean", "--dry-run"]);
    insta::assert_snapshot!(planned);
    assert!(!test.calls().contains("prune") && !test.calls().contains("image rm"), "{}", test.calls());
    let (mut held, all) = (shop().fake("objects", &format!("{HELD}{OBJECTS}")), ["clean", "--all", "--dry-run", "--json"]);
    let document = held.run_with(all).json();
    assert!(!ids(&document, "removed").contains(&"shop-cache:api-prod-deps".to_owned()), "{document:#}");
    let stays = document["kept"].as_array().expect("a list").iter().find(|stays| stays["id"] == "shop-cache:api-prod-deps");
    assert!(stays.is_some_and(|stays| stays["why"] == "the container 0a1b2c uses it"), "{document:#}");
    let (planned, _) = run(&["clean", "--dry-run", "--json"]);
    let (cleaned, test) = run(&["clean", "--json"]);
    assert_eq!(cleaned.code, Some(0), "{cleaned}");
    let (planned, cleaned) = (planned.json(), cleaned.json());
    assert_eq!(planned["removed"], cleaned["removed"]);
    assert_eq!(ids(&cleaned, "removed"), ["shop-cache:gone-prod-deps", "built-1", "planned-1"]);
    assert_eq!(cleaned["bytes"], 30_010_000, "as the engine counts");
    assert!(test.calls().contains("buildx prune --force --all --filter id~=^(built-1|planned-1)$"), "{}", test.calls());
}

#[test]
fn all_is_everything_of_the_project_but_what_a_container_holds() {
    let (ran, test) = run(&["clean", "--all"]);
    insta::assert_snapshot!(ran);
    let pruned = fs::read_to_string(test.root().join("fake/pruned")).expect("something was removed");
    assert!(!pruned.contains("foreign") && !pruned.contains("plain") && !pruned.contains("base"), "{pruned}");
}

#[test]
fn a_build_keeps_a_clean_up_away() {
    let build = ": >\"$FAKE_DOCKER/works\"; while true; do /bin/sleep 60; done";
    let mut test = shop().fake("build", build);
    let mut child = test.spawn_with(["build", "--progress", "quiet"]);
    let until = Instant::now() + Duration::from_secs(20);
    while !test.root().join("fake/works").exists() {
        assert!(Instant::now() < until, "the build does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
    let ran = test.run_with(["clean", "--all"]);
    assert_eq!(test.run_with(["clean", "--dry-run"]).code, Some(0), "to look is allowed");
    let pid = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    child.wait().unwrap();
    insta::assert_snapshot!(ran);
    assert!(!test.calls().contains("prune"), "{}", test.calls());
    assert_eq!(test.run_with(["clean", "--all"]).code, Some(0), "the build is over");
}

#[test]
fn an_engine_that_is_missing_lacks_buildx_or_goes_away_has_its_exit_code() {
    for command in ["status", "clean"] {
        let gone = format!(
            "echo '{{\"ServerVersion\":\"\",\"ClientInfo\":{{\"Version\":\"28\",\"Plugins\":[{{\"Name\":\"buildx\",\"Version\":\"0.29.1\"}}]}}}}'; {GONE}"
        );
        let ran = shop().fake("info", &gone).run_with([command]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.starts_with("error: cannot reach the Docker daemon"), "{ran}");
        let bare = r#"echo '{"ServerVersion":"28.5.2","ClientInfo":{"Version":"28.5.2","Plugins":[]}}'"#;
        let ran = shop().fake("info", bare).run_with([command]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.starts_with("error: the Docker client has no buildx plugin"), "{ran}");
        let ran = shop().fake("du", GONE).run_with([command]);
        assert_eq!(ran.code, Some(75), "{ran}");
        assert!(ran.stderr.starts_with("error: lost the connection to the Docker daemon"), "{ran}");
        let ran = shop().fake("du", "echo 'ERROR: something nobody has seen' >&2; exit 1").run_with([command]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(ran.stderr.contains("something nobody has seen"), "{ran}");
    }
    // Halfway: what is gone is gone, and it may be tried again.
    let ran = shop().fake("objects", &format!("if [[ $2 == prune ]]; then {GONE}; fi")).run_with(["clean"]);
    assert_eq!(ran.code, Some(75), "{ran}");
}

#[test]
fn a_builder_of_its_own_has_no_images_to_remove() {
    let inspect = "printf 'Name:   %s\\nDriver: docker-container\\n\\nNodes:\\n' \"$3\"";
    let mut test = shop().fake("inspect", inspect);
    let ran = test.run_with(["clean", "--builder", "ci", "--json"]);
    assert_eq!(ids(&ran.json(), "removed"), ["built-1", "planned-1"], "{ran}");
    let calls = test.calls();
    assert!(
        calls.contains("buildx prune --force --all --filter id~=^(built-1|planned-1)$ --builder ci")
            || calls.contains("--builder ci --filter"),
        "{calls}"
    );
    assert!(!calls.contains("images ") && !calls.contains("dial-stdio"), "{calls}");
}

#[test]
fn refresh_cleans_then_warms() {
    let mut test = shop().fake("stored", "has nothing").fake("build", "stream cold");
    let ran = test.run_with(["refresh", "--json", "--progress", "quiet"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let document = ran.json();
    assert_eq!(ids(&document["cleaned"][0], "removed"), ["shop-cache:gone-prod-deps", "built-1", "planned-1"]);
    assert!(!document["targets"].as_array().expect("targets").is_empty());
    let calls = fs::read_to_string(test.root().join("fake/calls")).expect("calls");
    let at = |word: &str| calls.find(word).unwrap_or_else(|| panic!("{word}: {calls}"));
    assert!(at("buildx prune") < at("buildx build"), "{calls}");
}

#[test]
fn where_the_engine_forgets_others_layers_and_mounts_stay() {
    let containerd = crate::support::GOOD_INFO
        .replace("[[\"Backing Filesystem\",\"extfs\"]]", "[[\"driver-type\",\"io.containerd.snapshotter.v1\"]]");
    let with = |stored: &str| shop().fake("info", &containerd).fake("stored", stored);
    let mut test = with("has docker.io/library/rust:1.95.0-slim-bookworm");
    insta::assert_snapshot!(test.run_with(["clean"]));
    assert!(!test.calls().contains("buildx prune"), "{}", test.calls());
    let document = test.run_with(["clean", "--all", "--json"]).json();
    assert_eq!((document["forgets"]["records"].as_u64(), document["forgets"]["layers"].as_u64()), (Some(7), Some(2)));
    assert_eq!(ids(&document, "removed"), ["shop-cache:gone-prod-deps"]);
    let document = test.run_with(["clean", "--force", "--json"]).json();
    assert_eq!(ids(&document, "removed"), ["shop-cache:gone-prod-deps", "built-1", "planned-1"]);
    assert_eq!((document["forgets"]["forced"].as_bool(), document["forgets"]["records"].as_u64()), (Some(true), Some(2)));
    let mut test = with("has docker.io/library/rust:1.95.0-slim-bookworm");
    let ran = test.run_with(["clean", "--force", "--dry-run"]);
    assert!(ran.stdout.contains("with the containerd store this removal would make this engine forget "), "{ran}");
    let ran = test.run_with(["clean", "--force"]);
    assert!(ran.stdout.contains("with the containerd store this removal makes this engine forget "), "{ran}");
    // Only the builder has the base image: nothing is forgotten.
    let document = with("has nothing").run_with(["clean", "--json"]).json();
    assert_eq!(ids(&document, "removed"), ["shop-cache:gone-prod-deps", "built-1", "planned-1"]);
}
