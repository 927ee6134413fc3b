use insta::assert_snapshot;

use super::*;
use crate::plan::Sqlx;
use crate::plan::fixtures::{bundle, decide, node_server, single, two_binaries, workspace};
use crate::project::fixture::Fixture;

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

/// A workspace with a site that needs a library of it, which needs another; each is built.
fn node_workspace() -> Fixture {
    let package = |name: &str, scripts: &str, dependencies: &str| {
        format!(r#"{{"name":"@shop/{name}","version":"1.0.0","scripts":{{{scripts}}},"dependencies":{{{dependencies}}}}}"#)
    };
    let build = r#""build":"tsc -p .""#;
    Fixture::new()
        .file("package.json", r#"{"name":"shop","private":true,"workspaces":["packages/*"]}"#)
        .file(
            "package-lock.json",
            r#"{"name":"shop","lockfileVersion":3,"packages":{"":{"name":"shop","workspaces":["packages/*"]},
            "packages/site":{"name":"@shop/site","version":"1.0.0","dependencies":{"@shop/ui":"^1.0.0"}},
            "packages/ui":{"name":"@shop/ui","version":"1.0.0","dependencies":{"@shop/base":"^1.0.0"}},
            "packages/base":{"name":"@shop/base","version":"1.0.0"}, "packages/other":{"name":"@shop/other","version":"1.0.0"},
            "node_modules/@shop/ui":{"resolved":"packages/ui","link":true},"node_modules/@shop/base":{"resolved":"packages/base","link":true},
            "node_modules/@shop/site":{"resolved":"packages/site","link":true},"node_modules/@shop/other":{"resolved":"packages/other","link":true}}}"#,
        )
        .file("packages/base/package.json", &package("base", r#""build":"tsc -p .","prepare":"npm run build""#, ""))
        .file("packages/ui/package.json", &package("ui", build, r#""@shop/base":"^1.0.0""#))
        .file("packages/other/package.json", &package("other", build, ""))
        .file("packages/site/package.json", &package("site", r#""build":"webpack""#, r#""@shop/ui":"^1.0.0""#))
        .file(
            "packages/site/webpack.config.js",
            "const path = require('path');\nmodule.exports = { output: { path: path.resolve(__dirname, 'public/app') } };\n",
        )
}

/// What a stage runs, with the folder it runs in.
fn runs(text: &str, stage: &str) -> Vec<String> {
    let (_, from) = text.split_once(&format!(" AS {stage}\n")).unwrap();
    let stage = from.split("\nFROM ").next().unwrap();
    let lines = stage.replace(" \\\n    ", " ");
    let lines = lines.lines().filter(|line| line.starts_with("WORKDIR") || line.starts_with("RUN"));
    lines.map(|line| line.split(' ').filter(|word| !word.starts_with("--mount")).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn local_packages_are_built_before_what_needs_them() {
    let plan = decide(&node_workspace(), "");
    let builds = [
        "WORKDIR /app/packages/base",
        "RUN npm run build",
        "WORKDIR /app/packages/ui",
        "RUN npm run build",
        "WORKDIR /app/packages/site",
    ];
    let prod = text(&plan, 0, Variant::Prod);
    let (last, before) = {
        let mut lines = runs(&prod, "builder");
        (lines.pop().unwrap(), lines)
    };
    assert_eq!((before.as_slice(), last.as_str()), (builds.map(str::to_owned).as_slice(), "RUN npm run build"));
    assert!(prod.contains("COPY --from=builder /app/packages/site/public/app/ /usr/share/nginx/html/"), "{prod}");
    assert!(runs(&text(&plan, 0, Variant::Dev), "dev").ends_with(&builds.map(str::to_owned)));
}

#[test]
fn a_task_runner_builds_local_packages_itself() {
    let fixture = node_workspace().file(
        "packages/site/package.json",
        r#"{"name":"@shop/site","version":"1.0.0","scripts":{"build":"nx run-many -t bundle","bundle":"webpack"},"dependencies":{"@shop/ui":"^1.0.0"}}"#,
    );
    let plan = decide(&fixture, "[services.site]\npath = \"packages/site\"\noutput = \"dist\"\n");
    assert!(!text(&plan, 0, Variant::Prod).contains("WORKDIR /app/packages/ui"));
}

#[test]
fn build_info_does_not_outlive_what_was_compiled() {
    let service = |options: &str| {
        let fixture = node_server()
            .file(
                "package.json",
                r#"{"name":"api","version":"1.0.0","scripts":{"build":"tsc --incremental","start":"node dist/server.js"}}"#,
            )
            .file("package-lock.json", r#"{"lockfileVersion":3,"packages":{"":{"name":"api","version":"1.0.0"}}}"#)
            .file("tsconfig.json", &format!(r#"{{"compilerOptions":{{{options}}}}}"#));
        runs(&text(&decide(&fixture, ""), 0, Variant::Prod), "builder").pop().unwrap()
    };
    let emitting = service(r#""outDir":"dist","tsBuildInfoFile":"node_modules/.cache/a.tsbuildinfo""#);
    assert_eq!(emitting, "RUN find node_modules/.cache -name '*.tsbuildinfo' -delete && npm run build");
    assert_eq!(service(r#""noEmit":true"#), "RUN npm run build");
}

#[test]
fn a_standalone_server_of_next_gets_the_files_that_it_serves() {
    let fixture = Fixture::new()
        .file(
            "package.json",
            r#"{"name":"site","version":"1.0.0","scripts":{"build":"next build","start":"next start"},"dependencies":{"next":"14.0.0"}}"#,
        )
        .file(
            "package-lock.json",
            r#"{"lockfileVersion":3,"packages":{"":{"name":"site","version":"1.0.0","dependencies":{"next":"14.0.0"}},"node_modules/next":{"version":"14.0.0"}}}"#,
        )
        .file("next.config.js", "module.exports = { output: 'standalone' };\n");
    assert_eq!(
        runs(&text(&decide(&fixture, ""), 0, Variant::Prod), "builder").pop().unwrap(),
        "RUN npm run build && cp -R .next/static .next/standalone/.next/static && \
         if [ -d public ]; then cp -R public .next/standalone/public; fi"
    );
}

#[test]
fn a_secret_that_is_written_into_npmrc_reaches_no_layer() {
    let fixture = node_server().file(".npmrc", "legacy-peer-deps=true\n//registry.example/:_authToken=s3cr3t\n");
    for toml in ["", "engine = \"chef\"\n"] {
        let plan = decide(&fixture, toml);
        let text = text(&plan, 0, Variant::Prod);
        assert!(!text.contains("s3cr3t") && !text.contains("COPY .npmrc"), "{text}");
        assert!(text.contains("COPY <<\"EOF\" ./.npmrc\nlegacy-peer-deps=true\nEOF"), "{text}");
        assert!(plan.services[0].ignore.iter().flat_map(|section| &section.patterns).any(|pattern| pattern == ".npmrc"));
    }
    let reference = decide(&fixture.file(".npmrc", "//registry.example/:_authToken=${NPM_TOKEN}\n"), "");
    assert!(!text(&reference, 0, Variant::Prod).contains(".npmrc"), "the recipe has it");
}

#[test]
fn an_install_script_does_not_run_where_its_tools_are_missing() {
    let manifest = r#"{"name":"api","version":"1.0.0","scripts":{"start":"node server.js","postinstall":"patch-package"},"devDependencies":{"patch-package":"8.0.0"}}"#;
    let npm = node_server().file("package.json", manifest).file(
        "package-lock.json",
        r#"{"lockfileVersion":3,"packages":{"":{"name":"api","version":"1.0.0","devDependencies":{"patch-package":"8.0.0"}},"node_modules/patch-package":{"version":"8.0.0","dev":true}}}"#,
    );
    let text = text(&decide(&npm, ""), 0, Variant::Prod);
    assert!(text.contains("FROM deps AS production\n"), "{text}");
    assert_eq!(runs(&text, "production"), ["RUN npm prune --omit=dev --ignore-scripts --no-audit --no-fund"]);
}
