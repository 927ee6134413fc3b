//! The usual ways, and namespaces.

use insta::assert_snapshot;

use super::{Peer, foundation, in_namespace, render, render_peer};
use crate::plan::fixtures::{bundle, decide, node_server, workspace};
use crate::plan::{Plan, Variant};
use crate::project::fixture::Fixture;

const FOLDER: &str = "/kiln-bench/run-0";

fn chef(fixture: &Fixture) -> Plan {
    decide(fixture, "engine = \"chef\"\n[defaults]\napt = [\"clang\"]\n")
}

fn text(fixture: &Fixture, peer: Peer) -> String {
    let plan = chef(fixture);
    render_peer(&plan, &plan.services[0], peer, FOLDER).unwrap().to_string()
}

#[test]
fn a_rust_workspace_in_the_usual_ways() {
    for (name, peer) in [("naive", Peer::Naive), ("mounts", Peer::Mounts), ("chef", Peer::Chef)] {
        assert_snapshot!(format!("workspace_{name}"), text(&workspace(), peer));
    }
}

#[test]
fn a_node_package_in_the_usual_ways() {
    assert_snapshot!("bundle_naive", text(&bundle(), Peer::Naive));
    assert_snapshot!("bundle_mounts", text(&bundle(), Peer::Mounts));
    assert_snapshot!("server_naive", text(&node_server(), Peer::Naive));
    let plan = chef(&bundle());
    assert_eq!(render_peer(&plan, &plan.services[0], Peer::Chef, FOLDER), None);
}

/// Without the mounts of tools there is no folder to look into.
#[test]
fn the_usual_ways_remove_no_build_info() {
    let fixture = bundle().file("web/tsconfig.json", r#"{"compilerOptions": {"outDir": "dist"}}"#);
    for peer in [Peer::Naive, Peer::Mounts] {
        let text = text(&fixture, peer);
        assert!(!text.contains("tsbuildinfo"), "{text}");
    }
    let plan = decide(&fixture, "");
    let own = render(&plan, &plan.services[0], Variant::Prod).to_string();
    assert!(own.contains("tsbuildinfo"), "{own}");
}

/// A step above the folder would be shared with other runs, and a first build would not be one.
#[test]
fn nothing_reads_the_project_before_the_namespace_begins() {
    for fixture in [workspace(), bundle(), node_server()] {
        let plans = [decide(&fixture, ""), chef(&fixture)];
        for plan in &plans {
            let dockerfile = in_namespace(render(plan, &plan.services[0], Variant::Prod), FOLDER);
            let text = dockerfile.to_string();
            let below = foundation(dockerfile, FOLDER).to_string();
            assert!(!below.contains("type=bind") && !below.contains("\nCOPY") && !below.contains(FOLDER), "{below}");
            for stage in text.split("\nFROM ").skip(1) {
                let from = stage.split(' ').next().unwrap();
                let inherits = text.contains(&format!(" AS {from}\n")) || from == "scratch";
                let given = from.starts_with("${KILN_") || stage.contains(" AS cargo-chef\n");
                let reads = ["\nCOPY", "type=bind"].iter().filter_map(|word| stage.find(word)).min();
                let mark = stage.find(&format!("WORKDIR {FOLDER}\n"));
                assert_eq!(mark.is_some(), !inherits && !given, "{stage}");
                assert!(mark.is_none_or(|mark| reads.is_none_or(|reads| mark < reads)), "{stage}");
            }
        }
    }
}

/// The runtime stage is kiln's in all ways: images are compared, too.
#[test]
fn the_usual_ways_ship_the_same_runtime() {
    let runtime = |text: &str| text.split("\nFROM ").last().unwrap().replace(&format!("WORKDIR {FOLDER}\n"), "");
    let fixture = workspace();
    let plan = chef(&fixture);
    let own = runtime(&render(&plan, &plan.services[0], Variant::Prod).to_string());
    for peer in [Peer::Naive, Peer::Mounts, Peer::Chef] {
        assert_eq!(runtime(&text(&fixture, peer)), own);
    }
}
