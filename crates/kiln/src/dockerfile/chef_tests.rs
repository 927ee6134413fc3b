//! Images without kiln.

use insta::assert_snapshot;

use super::render;
use crate::plan::fixtures::{bundle, decide, lock, node_server, single, workspace};
use crate::plan::{Plan, ServiceKind, Sqlx, Variant};
use crate::project::fixture::Fixture;

const CHEF: &str = "engine = \"chef\"\n";

fn chef(fixture: &Fixture, toml: &str) -> Plan {
    let plan = decide(fixture, &format!("{CHEF}{toml}"));
    assert_eq!(plan.questions, []);
    plan
}

fn text(plan: &Plan, variant: Variant) -> String {
    let text = render(plan, &plan.services[0], variant).to_string();
    assert!(!text.to_lowercase().contains("kiln"), "{text}");
    text
}

#[test]
fn a_rust_workspace_in_three_variants() {
    let mut plan = chef(
        &workspace(),
        "[services.backend]\nport = 8080\nhealth = [\"/usr/local/bin/server\", \"--check\"]\nfeatures = [\"tls\"]\nbuild-args = { GIT_SHA = \"\" }\n",
    );
    if let ServiceKind::Rust(rust) = &mut plan.services[0].kind {
        rust.sqlx = Some(Sqlx { version: None, offline: true, data: vec![".sqlx".into()], migrations: Vec::new() });
    }
    for variant in Variant::ALL {
        assert_snapshot!(format!("workspace_{}", variant.name()), text(&plan, variant));
    }
}

#[test]
fn certificates_secrets_and_packages_are_where_the_network_is_used() {
    let toml = "[defaults]\nca-certificates = [\"certs/a.pem\"]\nsecrets = [{ id = \"registry\", env = \"TOKEN\", as-env = \"CARGO_REGISTRIES_ACME_TOKEN\" }]\napt = [\"clang\"]\n";
    assert_snapshot!(text(&chef(&workspace(), toml), Variant::Prod));
}

#[test]
fn a_nightly_toolchain_for_another_target() {
    let fixture = single().file("rust-toolchain.toml", "[toolchain]\nchannel = \"nightly-2026-01-01\"\n");
    let toml = "[services.hello]\ntarget = \"x86_64-unknown-linux-musl\"\nruntime-image = \"scratch\"\n";
    assert_snapshot!(text(&chef(&fixture, toml), Variant::Dev));
}

#[test]
fn cargo_chef_is_compiled_by_a_toolchain_that_can() {
    let old = text(&chef(&single(), "[services.hello]\ntoolchain = \"1.70\"\n"), Variant::Prod);
    assert!(
        old.contains("FROM rust:1.95-slim-bookworm AS cargo-chef\n") && old.contains("FROM rust:1.70-slim-bookworm AS chef\n")
    );
    let own = text(&chef(&single(), "[services.hello]\nbuild-image = \"acme/toolbox:7\"\n"), Variant::Prod);
    assert!(own.contains("FROM acme/toolbox:7 AS cargo-chef\n") && !own.contains("RUST_VERSION"), "{own}");
}

#[test]
fn what_a_recipe_of_cargo_chef_lacks_is_copied() {
    let fixture = Fixture::new()
        .binary("backend/app", "app", "[dependencies]\nshared = { path = \"../../shared\" }\n")
        .file("backend/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .file(
            "backend/Cargo.lock",
            &lock(&["app", "shared"]).replacen("0.1.0\"\n", "0.1.0\"\ndependencies = [\n \"shared\",\n]\n", 1),
        )
        .library("shared", "shared", "")
        .file(".cargo/config.toml", "[net]\nretry = 3\n");
    let text = text(&chef(&fixture, ""), Variant::Fast);
    assert!(
        text.contains("\nCOPY .cargo/config.toml /app/src/.cargo/config.toml\nCOPY shared /app/src/shared\nCOPY --from=planner"),
        "{text}"
    );
    assert!(text.contains("\nWORKDIR /app/src/backend\n"), "{text}");
}

#[test]
fn vendored_sources_are_there_when_dependencies_are_cooked() {
    let fixture = single().file(
        ".cargo/config.toml",
        "[source.crates-io]\nreplace-with = \"vendored-sources\"\n[source.vendored-sources]\ndirectory = \"third/party\"\n",
    );
    let text = text(&chef(&fixture.file("third/party/libc/Cargo.toml", "[package]\nname = \"libc\"\n"), ""), Variant::Prod);
    assert!(text.contains("\nCOPY third/party /app/src/third/party\nCOPY --from=planner"), "{text}");
}

#[test]
fn records_of_builds_are_no_sources() {
    for fixture in [single(), node_server()] {
        let plan = chef(&fixture, "");
        let patterns: Vec<&str> =
            plan.services[0].ignore.iter().flat_map(|section| &section.patterns).map(String::as_str).collect();
        assert!(patterns.contains(&".*/builds"), "{patterns:?}");
        assert!(patterns.iter().all(|pattern| !pattern.contains("kiln")), "{patterns:?}");
    }
}

#[test]
fn a_static_bundle_in_three_variants() {
    let plan = chef(&bundle(), "[services.web]\nproxy = { \"/api/\" = \"backend:8080\" }\n");
    for variant in Variant::ALL {
        assert_snapshot!(format!("bundle_{}", variant.name()), text(&plan, variant));
    }
}

#[test]
fn a_node_server_in_production() {
    assert_snapshot!(text(&chef(&node_server(), ""), Variant::Prod));
}

#[test]
fn manifests_of_members_patches_and_scripts_are_copied_and_late_scripts_wait() {
    let fixture = Fixture::new()
        .file(
            "package.json",
            r#"{"name":"shop","private":true,"workspaces":["packages/*"],"scripts":{"postinstall":"node scripts/setup.js","prepare":"node build-all.js --glob"}}"#,
        )
        .file("scripts/setup.js", "console.log(1);\n")
        .file("build-all.js", "require('child_process');\n")
        .file(".npmrc", "legacy-peer-deps=true\n")
        .file("packages/cli/package.json", r#"{"name":"cli","version":"1.0.0","bin":"bin/cli.js"}"#)
        .file("packages/cli/bin/cli.js", "#!/usr/bin/env node\nconsole.log(1);\n")
        .file(
            "packages/web/package.json",
            r#"{"name":"web","version":"1.0.0","scripts":{"build":"rollup -c","install":"node-gyp rebuild"},"devDependencies":{"cli":"1.0.0"}}"#,
        )
        .file("packages/web/rollup.config.mjs", "export default { input: 'src/main.js', output: { dir: 'dist', format: 'es' } };\n")
        .file("packages/web/src/main.js", "console.log(1);\n")
        .file(
            "package-lock.json",
            r#"{"name":"shop","lockfileVersion":3,"packages":{"":{"name":"shop","workspaces":["packages/*"]},"packages/cli":{"version":"1.0.0","bin":{"cli":"bin/cli.js"}},"packages/web":{"version":"1.0.0","devDependencies":{"cli":"1.0.0"}},"node_modules/cli":{"resolved":"packages/cli","link":true},"node_modules/web":{"resolved":"packages/web","link":true}}}"#,
        );
    let rendered = text(&chef(&fixture, "[services.web]\npath = \"packages/web\"\noutput = \"dist\"\n"), Variant::Prod);
    let (install, _) = rendered.split_once("\n# runtime").unwrap();
    assert_snapshot!(install);
}
