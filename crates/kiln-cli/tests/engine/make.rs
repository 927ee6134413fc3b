//! The targets of `kiln.mk` in a fresh copy of `examples/kiro`, and `kiln refresh` with base images from a registry.

use std::process::Output;

use serde_json::Value;

use crate::support::{Copy, command, docker, environment, kiln, this_run};

/// `make TARGET ARGS=…`, as a person types it; `kiln` is the one under test.
fn make(copy: &Copy, target: &str, arguments: &str) -> Output {
    let program = format!("KILN={}", kiln().display());
    let arguments = format!("ARGS={arguments}");
    command("make").args(["--silent", target, &program, &arguments]).current_dir(&copy.root).output().expect("make starts")
}

fn document(copy: &Copy, target: &str, arguments: &str) -> Value {
    let output = make(copy, target, &format!("{arguments} --json --progress plain"));
    assert!(output.status.success(), "{target}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("stdout is one JSON document")
}

fn list<'a>(value: &'a Value, name: &str) -> &'a Vec<Value> {
    value[name].as_array().unwrap_or_else(|| panic!("no `{name}` in {value:#}"))
}

/// An image under a name of this run in the registry of the tests.
fn publish(image: &str, name: &str) -> String {
    let registry = environment("KILN_TEST_REGISTRY").expect("KILN_TEST_REGISTRY: run `make engine-test`");
    let published = format!("{registry}/kiln-test-{}/{name}:1", this_run());
    docker(&["tag", image, &published]);
    docker(&["push", "--quiet", &published]);
    published
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn the_targets_warm_show_refresh_and_clean() {
    let copy = Copy::kiro(&format!("kiro-make-{}", this_run()));
    let plan: Value = serde_json::from_slice(&copy.run(&["plan", "--json"]).stdout).expect("a plan");
    let service = list(&plan, "services").iter().find(|service| service["name"] == "frontend").expect("the frontend");
    let image = |which: &str| service["base_images"][which].as_str().expect("an image").to_owned();
    let (build, runtime) = (publish(&image("build"), "build"), publish(&image("runtime"), "runtime"));
    copy.edit(
        "kiln.toml",
        "[services.frontend]\n",
        &format!("[services.frontend]\nbuild-image = \"{build}\"\nruntime-image = \"{runtime}\"\n"),
    );
    copy.run(&["init"]);

    let warmed = document(&copy, "warm-cache", "");
    assert!(list(&warmed, "targets").iter().all(|target| ["warm", "built"].contains(&target["status"].as_str().unwrap_or("?"))));
    let built = copy.build(&[]);
    for service in ["backend", "frontend"] {
        assert_eq!(built.stages_that_ran(service), Vec::<String>::new(), "all of it is warm: {}", built.log);
    }
    let status = document(&copy, "cache-status", "");
    let text = status.to_string();
    assert!(text.contains("backend-prod") && text.contains("frontend-prod"), "{status:#}");
    assert!(!list(&status, "tags").is_empty());

    // Nothing has moved; then the runtime's tag stands for another image.
    let moved = |document: &Value| -> Vec<String> {
        let targets = list(document, "targets").iter().filter(|target| target["moved"].is_object());
        targets.map(|target| target["name"].as_str().unwrap_or("?").to_owned()).collect()
    };
    let refreshed = document(&copy, "refresh-cache", "frontend");
    assert_eq!(moved(&refreshed), Vec::<String>::new());
    assert!(refreshed["cleaned"].is_array(), "{refreshed:#}");
    let label = format!("FROM {runtime}\nLABEL moved={}\n", copy.project);
    copy.write("moved/Dockerfile", &label);
    let folder = copy.root.join("moved").display().to_string();
    docker(&["build", "--quiet", "--provenance=false", "--tag", &format!("{runtime}-next"), &folder]);
    let before = docker(&["image", "inspect", "--format", "{{.Id}}", &runtime]);
    docker(&["tag", &format!("{runtime}-next"), &runtime]);
    docker(&["push", "--quiet", &runtime]);
    docker(&["tag", &before, &runtime]);
    let refreshed = document(&copy, "refresh-cache", "frontend");
    assert_eq!(moved(&refreshed), std::slice::from_ref(&runtime), "{refreshed:#}");

    let cleaned = document(&copy, "clean-cache", "--all");
    assert!(!list(&cleaned, "removed").is_empty(), "{cleaned:#}");
    let status = document(&copy, "cache-status", "");
    assert_eq!(list(&status, "tags"), &Vec::<Value>::new());
    let mounts: Vec<&Value> = list(&status, "entries").iter().filter(|entry| entry["kind"] == "mount").collect();
    assert!(mounts.is_empty(), "{mounts:#?}");
    for image in [&build, &runtime, &format!("{runtime}-next")] {
        docker(&["image", "rm", "--force", image]);
    }
}
