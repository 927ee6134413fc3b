use insta::assert_snapshot;

use super::*;
use crate::plan::Sqlx;
use crate::plan::fixtures::{bundle, decide, node_server, single, two_binaries, workspace};

fn text(plan: &Plan, index: usize, variant: Variant) -> String {
    assert_eq!(plan.questions, []);
    render(plan, &plan.services[index], variant).to_string()
}

#[test]
fn a_single_rust_package_in_production() {
    assert_snapshot!(text(&decide(&single(), ""), 0, Variant::Prod));
}

#[test]
fn a_rust_workspace_in_three_variants() {
    let plan = decide(
        &workspace(),
        "[services.backend]\nport = 8080\nhealth = [\"/usr/local/bin/server\", \"--check\"]\nfeatures = [\"tls\"]\n",
    );
    for variant in Variant::ALL {
        assert_snapshot!(format!("workspace_{}", variant.name()), text(&plan, 0, variant));
    }
}

#[test]
fn sqlx_and_native_packages() {
    let mut plan = decide(
        &workspace(),
        "[services.backend]\napt = [\"pkg-config\", \"libssl-dev\"]\nruntime-apt = [\"libssl3\"]\nassets = [\"config\"]\nbuild-args = { GIT_SHA = \"\", PROFILE_NAME = \"a b\" }\n",
    );
    if let ServiceKind::Rust(rust) = &mut plan.services[0].kind {
        rust.sqlx = Some(Sqlx { version: None, offline: true, data: vec![".sqlx".into()], migrations: Vec::new() });
    }
    assert_snapshot!(text(&plan, 0, Variant::Prod));
}

#[test]
fn secrets_and_certificates_are_mounted_where_the_network_is_used() {
    let toml = "[defaults]\nca-certificates = [\"certs/a.pem\", \"certs/b.pem\"]\nsecrets = [{ id = \"registry\", env = \"TOKEN\", as-env = \"CARGO_REGISTRIES_ACME_TOKEN\" }]\napt = [\"clang\"]\n";
    let plan = decide(&workspace(), toml);
    let rendered = text(&plan, 0, Variant::Prod);
    assert_snapshot!(rendered);
    for stage in rendered.split("\nFROM ").filter(|stage| stage.contains("AS planner") || stage.contains("AS builder")) {
        assert!(!stage.contains("type=secret"), "{stage}");
    }
}

#[test]
fn a_nightly_toolchain_is_installed() {
    let plan = decide(
        &single().file("rust-toolchain.toml", "[toolchain]\nchannel = \"nightly-2026-01-01\"\n"),
        "[services.hello]\ntarget = \"x86_64-unknown-linux-musl\"\nruntime-image = \"scratch\"\n",
    );
    assert_snapshot!(text(&plan, 0, Variant::Fast));
}

#[test]
fn a_static_bundle_in_three_variants() {
    let plan = decide(
        &bundle(),
        "[services.web]\nproxy = { \"/api/\" = \"backend:8080\", \"/old\" = \"http://legacy/v1\" }\nbuild-args = { VITE_URL = \"/\" }\n",
    );
    for variant in Variant::ALL {
        assert_snapshot!(format!("bundle_{}", variant.name()), text(&plan, 0, variant));
    }
}

#[test]
fn a_node_server() {
    assert_snapshot!(text(&decide(&node_server(), ""), 0, Variant::Prod));
}

#[test]
fn two_services_in_one_folder_share_all_but_the_last_stages() {
    let plan = decide(&two_binaries(), "[services.api]\nbinary = \"api\"\n[services.worker]\nbinary = \"worker\"\n");
    assert_snapshot!(text(&plan, 1, Variant::Prod));
}

#[test]
fn an_alpine_runtime_gets_its_packages_by_apk() {
    let plan = decide(
        &single(),
        "[services.hello]\nbuild-image = \"rust:1.95-alpine3.22\"\nruntime-image = \"alpine:3.22\"\napt = [\"musl-dev\"]\n",
    );
    assert_snapshot!(text(&plan, 0, Variant::Prod));
}

#[test]
fn instructions_are_quoted_as_dockerfiles_want_it() {
    let table = [
        (
            Instruction::Env(vec![("A".to_owned(), "b c\"$d\\".into()), ("B".to_owned(), "".into())]),
            "ENV A=\"b c\\\"\\$d\\\\\" \\\n    B=\"\"",
        ),
        (Instruction::Arg("A".to_owned(), String::new()), "ARG A"),
        (Instruction::Entrypoint(vec!["a \"b\"".to_owned()]), "ENTRYPOINT [\"a \\\"b\\\"\"]"),
        (Instruction::Label("a".to_owned(), "b c".to_owned()), "LABEL a=\"b c\""),
        (
            Instruction::Copy(Copy { sources: vec!["a b[1].txt".into()], destination: "/x".to_owned(), ..Copy::default() }),
            "COPY [\"a b[[]1].txt\", \"/x\"]",
        ),
        (
            Instruction::Run(Run {
                mounts: vec![Mount::Bind { from: None, source: "a b".to_owned(), target: "/src".to_owned(), writable: true }],
                command: Command::Exec(vec!["x".to_owned()]),
            }),
            "RUN --mount=type=bind,source=\"a b\",target=/src,rw \\\n    [\"x\"]",
        ),
        (Instruction::File { destination: "/f".to_owned(), text: "EOF\n$x\n".to_owned() }, "COPY <<\"EOFF\" /f\nEOF\n$x\nEOFF"),
        (
            Instruction::Run(Run { mounts: Vec::new(), command: Command::Heredoc("set -e\ntrue".to_owned()) }),
            "RUN <<\"EOF\"\nset -e\ntrue\nEOF",
        ),
    ];
    for (instruction, expected) in table {
        assert_eq!(instruction.to_string(), expected);
    }
}
