use super::fixtures::{bundle, decide, lock, node_server, single, two_binaries, workspace};
use super::*;
use crate::project::fixture::Fixture;

fn names(plan: &Plan) -> Vec<(&str, &str)> {
    plan.services.iter().map(|service| (service.name.as_str(), service.path.as_str())).collect()
}

fn kinds(plan: &Plan) -> Vec<&QuestionKind> {
    plan.questions.iter().map(|question| &question.kind).collect()
}

fn rust(service: &Service) -> &RustService {
    match &service.kind {
        ServiceKind::Rust(rust) => rust,
        ServiceKind::Node(_) => panic!("a Node service"),
    }
}

#[test]
fn a_workspace_is_called_as_its_folder_and_a_root_as_its_binary() {
    assert_eq!(names(&decide(&single(), "")), [("hello", ".")]);
    assert_eq!(names(&decide(&workspace(), "")), [("backend", "backend")]);
    assert_eq!(names(&decide(&bundle(), "")), [("web", "web")]);
}

#[test]
fn a_plan_is_plain_data() {
    insta::assert_json_snapshot!(decide(
        &workspace(),
        "[services.backend]\nport = 8080\nenvironment = { RUST_LOG = \"info\" }\n"
    ));
}

#[test]
fn two_binaries_are_a_question_whose_answer_makes_them_two_services() {
    let plan = decide(&two_binaries(), "");
    let [question] = plan.questions.as_slice() else { panic!("{:?}", plan.questions) };
    assert_eq!(question.kind, QuestionKind::WhichBinary { candidates: vec!["app/api".to_owned(), "app/worker".to_owned()] });
    let setting = question.setting.clone().unwrap();
    insta::assert_snapshot!(setting);

    let plan = decide(&two_binaries(), &setting);
    assert_eq!(plan.questions, []);
    assert_eq!(names(&plan), [("api", "."), ("worker", ".")]);
    assert_eq!(plan.services[1].files.prod, "docker/worker/Dockerfile");
    assert_eq!(plan.services[1].files.ignore[0], "docker/worker/Dockerfile.dockerignore");
    assert_eq!(plan.services[1].context, ".");
}

#[test]
fn default_run_and_default_members_decide() {
    let default_run = two_binaries()
        .file("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2021\"\ndefault-run = \"worker\"\n");
    assert_eq!(rust(&decide(&default_run, "").services[0]).binaries, ["worker"]);
    let members = Fixture::new()
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"a\", \"b\"]\ndefault-members = [\"b\"]\n")
        .binary("a", "a", "")
        .binary("b", "b", "")
        .file("Cargo.lock", &lock(&["a", "b"]));
    assert_eq!(rust(&decide(&members, "").services[0]).binaries, ["b"]);
}

#[test]
fn a_service_finds_its_place_by_path_member_binary_or_name() {
    let repository = || {
        Fixture::new()
            .file("app/Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n")
            .binary("app/crates/api", "api", "")
            .binary("app/crates/jobs", "jobs", "")
            .file("app/Cargo.lock", &lock(&["api", "jobs"]))
    };
    let table = [
        ("[services.x]\npath = \"app/crates/jobs\"", "x", "app/crates/jobs", "jobs"),
        ("[services.x]\nbinary = \"jobs\"", "x", "app", "jobs"),
        ("[services.x]\npackage = \"jobs\"", "x", "app", "jobs"),
        ("[services.jobs]", "jobs", "app", "jobs"),
        ("[services.app]\nbinary = \"api\"", "app", "app", "api"),
    ];
    for (toml, name, path, binary) in table {
        let plan = decide(&repository(), toml);
        assert_eq!(plan.questions, [], "{toml}");
        assert_eq!(names(&plan), [(name, path)], "{toml}");
        assert_eq!(rust(&plan.services[0]).binaries, [binary], "{toml}");
        assert_eq!(plan.services[0].context, "app", "{toml}");
    }
}

#[test]
fn what_cannot_be_found_is_a_question_that_names_the_line() {
    let line = |toml: &str| decide(&workspace(), toml).questions.iter().map(|question| question.line).collect::<Vec<_>>();
    assert_eq!(line("[services.nope]\n"), [Some(3)]);
    assert_eq!(line("\n[services.nope]\npath = \"elsewhere\"\n"), [Some(5)]);
    let plan = decide(&workspace(), "[services.backend]\nbinary = \"nope\"\n");
    assert!(matches!(kinds(&plan)[..], [QuestionKind::NoSuchBinary { .. }]), "{:?}", plan.questions);
    let plan = decide(&Fixture::new(), "");
    assert_eq!(kinds(&plan), [&QuestionKind::NothingFound]);
}

#[test]
fn a_missing_or_stale_lock_is_a_question() {
    let plan = decide(&Fixture::new().binary(".", "hello", ""), "");
    assert!(matches!(kinds(&plan)[..], [QuestionKind::MissingLock { .. }]), "{:?}", plan.questions);
    let plan =
        decide(&Fixture::new().binary(".", "hello", "[dependencies]\nserde = \"1\"\n").file("Cargo.lock", &lock(&["hello"])), "");
    let [Question { kind: QuestionKind::StaleLock { dependency, .. }, line: Some(6), .. }] = plan.questions.as_slice() else {
        panic!("{:?}", plan.questions)
    };
    assert_eq!(dependency, "serde");
}

#[test]
fn a_service_that_is_off_is_left_out() {
    assert_eq!(
        names(&decide(
            &bundle().binary("api", "api", "").file("api/Cargo.lock", &lock(&["api"])),
            "[services.web]\nenabled = false\n"
        )),
        [("api", "api")]
    );
    assert_eq!(
        names(&decide(
            &bundle().binary("api", "api", "").file("api/Cargo.lock", &lock(&["api"])),
            "[services.api]\nenabled = false\n"
        )),
        [("web", "web")]
    );
}

#[test]
fn the_context_holds_path_dependencies_toolchain_files_and_configurations_above() {
    let outside = || {
        Fixture::new()
            .binary("services/api", "api", "[dependencies]\nshared = { path = \"../../libs/shared\" }\n")
            .library("libs/shared", "shared", "")
            .file(
                "services/api/Cargo.lock",
                "version = 4\n\n[[package]]\nname = \"api\"\nversion = \"0.1.0\"\ndependencies = [\n \"shared\",\n]\n\n[[package]]\nname = \"shared\"\nversion = \"0.1.0\"\n",
            )
    };
    let plan = decide(&outside(), "");
    let api = &plan.services[0];
    assert_eq!((api.path.as_str(), api.context.as_str(), rust(api).workspace.as_str()), ("services/api", ".", "services/api"));
    assert_eq!(api.files.prod, "services/api/Dockerfile");
    assert_eq!(api.files.ignore[0], "services/api/Dockerfile.dockerignore");

    let toolchain = workspace().file("rust-toolchain.toml", "[toolchain]\nchannel = \"1.90.0\"\n");
    let plan = decide(&toolchain, "");
    assert_eq!(plan.services[0].context, ".");
    assert_eq!(plan.services[0].base_images.build, "rust:1.90.0-slim-bookworm");
    assert_eq!(plan.services[0].sources["toolchain"], Source::Detected { path: "rust-toolchain.toml".into() });
}

#[test]
fn every_value_tells_where_it_came_from() {
    let plan = decide(&workspace(), "[services.backend]\nport = 8080\n[defaults]\napt = [\"clang\"]\n");
    let rows: Vec<String> =
        explain(&plan.services[0]).into_iter().map(|row| format!("{} = {} ({:?})", row.key, row.value, row.source)).collect();
    insta::assert_snapshot!(rows.join("\n"));
}

#[test]
fn test_folders_are_ignored_unless_a_package_lives_there() {
    let plan = decide(&workspace(), "");
    let patterns: Vec<&str> =
        plan.services[0].ignore.iter().flat_map(|section| section.patterns.iter().map(String::as_str)).collect();
    assert!(patterns.contains(&"crates/*/tests"), "{patterns:?}");
    assert!(patterns.contains(&"target") && !patterns.contains(&"**/target"), "{patterns:?}");
}

#[test]
fn a_node_server_is_a_service() {
    let plan = decide(&node_server(), "");
    assert_eq!(plan.questions, []);
    assert_eq!(plan.services.len(), 1);
}

#[test]
fn a_member_with_only_tests_or_with_named_ones_keeps_them() {
    let members = |manifest: &str| {
        let fixture = Fixture::new()
            .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n")
            .binary("crates/app", "app", "")
            .file(
                "crates/e2e/Cargo.toml",
                &format!("[package]\nname = \"e2e\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{manifest}"),
            )
            .file("crates/e2e/tests/all.rs", "")
            .file("Cargo.lock", &lock(&["app", "e2e"]));
        if manifest.is_empty() { fixture } else { fixture.file("crates/e2e/src/lib.rs", "") }
    };
    for manifest in ["", "[[test]]\nname = \"all\"\n"] {
        let plan = decide(&members(manifest), "");
        let patterns: Vec<&str> =
            plan.services[0].ignore.iter().flat_map(|section| section.patterns.iter().map(String::as_str)).collect();
        assert!(patterns.contains(&"crates/app/tests"), "{patterns:?}");
        assert!(!patterns.iter().any(|pattern| pattern.contains("crates/*/") || pattern.contains("e2e")), "{patterns:?}");
    }
}

#[test]
fn what_sources_include_comes_through_and_into_the_context() {
    let fixture = workspace()
        .file("backend/crates/server/src/main.rs", "const A: &str = include_str!(\"../README.md\");\nconst B: &str = include_str!(\"../../../../NOTES.md\");\nfn main() {}\n")
        .file("backend/crates/server/README.md", "")
        .file("NOTES.md", "");
    let plan = decide(&fixture, "");
    let backend = &plan.services[0];
    assert_eq!(backend.context, ".");
    let last = backend.ignore.last().unwrap();
    assert_eq!(last.patterns, ["!NOTES.md", "!backend/crates/server/README.md"]);
}

#[test]
fn a_compiler_cache_of_cargos_configuration_is_left_out_unless_the_image_has_it() {
    let fixture = single().file(".cargo/config.toml", "[build]\nrustc-wrapper = \"sccache\"\n");
    assert_eq!(rust(&decide(&fixture, "").services[0]).absent_wrapper.as_deref(), Some("sccache"));
    let own = decide(&fixture, "[services.hello]\napt = [\"sccache\"]\n");
    assert_eq!(rust(&own.services[0]).absent_wrapper, None);
    let plan = decide(&fixture, "");
    let text = crate::dockerfile::render(&plan, &plan.services[0], Variant::Prod).to_string();
    assert!(text.contains("ENV RUSTC_WRAPPER=\"\""), "{text}");
}

#[test]
fn the_linker_that_cargos_configuration_names_is_installed() {
    let config = "[target.x86_64-unknown-linux-gnu]\nlinker = \"clang\"\nrustflags = [\"-C\", \"link-arg=-fuse-ld=lld\"]\n";
    let fixture = single().file(".cargo/config.toml", config);
    let service = &decide(&fixture, "").services[0];
    assert_eq!(service.native_packages.build, ["clang", "lld"]);
    assert_eq!(service.native_packages.runtime, [""; 0]);
    assert_eq!(service.native_packages.wanted_by[".cargo/config.toml"], ["clang", "lld"]);
    assert_eq!(service.sources["apt"], Source::Detected { path: ".cargo/config.toml".into() });
    let bare = &decide(&fixture, "[services.hello]\nbuild-image = \"scratch\"\n").services[0];
    assert_eq!(bare.native_packages.build, [""; 0]);
}
