use std::fs;

use camino::Utf8Path;

use super::header::{parse, with_header};
use super::*;
use crate::plan::fixtures::{bundle, decide, single, two_binaries};
use crate::project::fixture::Fixture;

fn run(fixture: &Fixture, force: bool) -> Vec<(String, Status)> {
    let comparison = compared(fixture, force);
    comparison.write().unwrap();
    comparison.entries.iter().map(|entry| (entry.path.to_string(), entry.status)).collect()
}

fn compared(fixture: &Fixture, force: bool) -> Comparison {
    let plan = decide(fixture, "");
    assert_eq!(plan.questions, []);
    let surroundings = Surroundings::look(fixture.path()).unwrap();
    compare(fixture.path(), render(&plan, &surroundings), force).unwrap()
}

fn status(entries: &[(String, Status)], path: &str) -> Status {
    entries.iter().find(|(name, _)| name == path).map(|(_, status)| *status).unwrap()
}

fn read(fixture: &Fixture, path: &str) -> String {
    fs::read_to_string(fixture.path().join(path)).unwrap()
}

#[test]
fn a_second_run_changes_nothing() {
    let fixture = single();
    assert!(run(&fixture, false).iter().all(|(_, status)| *status == Status::Created));
    assert!(run(&fixture, false).iter().all(|(_, status)| *status == Status::Unchanged));
}

#[test]
fn an_edited_file_is_kept_until_forced_and_then_saved() {
    let fixture = single();
    run(&fixture, false);
    let edited = read(&fixture, "Dockerfile").replace("debian:bookworm-slim", "debian:trixie-slim");
    let fixture = fixture.file("Dockerfile", &edited);
    assert_eq!(status(&run(&fixture, false), "Dockerfile"), Status::Kept);
    assert_eq!(read(&fixture, "Dockerfile"), edited);
    assert_eq!(status(&run(&fixture, true), "Dockerfile"), Status::Updated);
    assert_eq!(read(&fixture, "Dockerfile.kept"), edited);
    assert!(read(&fixture, "Dockerfile").contains("debian:bookworm-slim"));
}

#[test]
fn a_file_that_a_person_wrote_is_kept() {
    let fixture = single().file("Dockerfile", "FROM scratch\n").file("docker-compose.yml", "services: {}\n");
    let entries = run(&fixture, false);
    assert_eq!(status(&entries, "Dockerfile"), Status::Kept);
    assert_eq!(status(&entries, "docker-compose.yml"), Status::Kept);
    assert!(!fixture.path().join("compose.yaml").exists());
}

#[test]
fn an_unedited_file_is_updated_whatever_version_wrote_it() {
    let fixture = single();
    run(&fixture, false);
    let old = read(&fixture, "Dockerfile").replace(VERSION, "0.0.1");
    let fixture = fixture.file("Dockerfile", &old);
    assert_eq!(status(&run(&fixture, false), "Dockerfile"), Status::Unchanged);
    let fixture = fixture.file("Dockerfile", &with_header("Dockerfile".into(), "FROM scratch\n"));
    assert_eq!(status(&run(&fixture, false), "Dockerfile"), Status::Updated);
}

#[test]
fn line_ends_are_no_edit() {
    let text = with_header("Dockerfile".into(), "a\nZ\n");
    assert!(parse("Dockerfile".into(), &text).is_some_and(|parsed| parsed.intact && parsed.body == "a\nZ\n"));
    assert!(parse("Dockerfile".into(), &text.replace('\n', "\r\n")).is_some_and(|parsed| parsed.intact));
    assert!(parse("Dockerfile".into(), &text.replace('Z', "c")).is_some_and(|parsed| !parsed.intact));
    assert!(parse("Dockerfile".into(), "a\nb\n").is_none());
}

#[test]
fn the_settings_file_is_the_users_from_the_first_day() {
    let fixture = single();
    run(&fixture, false);
    assert!(crate::settings::Settings::parse(&read(&fixture, "kiln.toml")).is_ok());
    let fixture = fixture.file("kiln.toml", "# mine\n");
    assert_eq!(status(&run(&fixture, true), "kiln.toml"), Status::Unchanged);
    assert_eq!(read(&fixture, "kiln.toml"), "# mine\n");
}

#[test]
fn every_commented_setting_is_a_valid_one() {
    let fixture = two_binaries();
    let plan = decide(&fixture, "[services.api]\nbinary = \"api\"\n[services.worker]\nbinary = \"worker\"\n");
    let body = settings_file::body(&plan);
    let uncommented: Vec<&str> = body
        .lines()
        .map(|line| line.strip_prefix("# ").unwrap_or(line))
        .filter(|line| line.is_empty() || line.starts_with('[') || line.contains(" = "))
        .collect();
    let text = uncommented.join("\n");
    if let Err(error) = crate::settings::Settings::parse(&text) {
        panic!("{error}\n{text}");
    }
}

#[test]
fn names_that_toml_or_yaml_read_otherwise_are_in_quotes() {
    let member = |folder: &str, fixture: Fixture| {
        let fixture = fixture.binary(folder, "hello", "");
        fixture.file(&format!("{folder}/Cargo.lock"), &crate::plan::fixtures::lock(&["hello"]))
    };
    let fixture =
        ["api.v2", "2048", "true", "it is \"so\""].into_iter().fold(Fixture::new(), |fixture, folder| member(folder, fixture));
    let plan = decide(&fixture, "");
    assert_eq!(plan.questions, []);
    let settings = settings_file::body(&plan);
    let sections: Vec<&str> = settings.lines().filter_map(|line| line.strip_prefix("# [services.")).collect();
    assert_eq!(sections, ["2048]", "\"api.v2\"]", "it-is-so]", "true]"]);
    assert!(settings.contains(r#"# path = "it is \"so\"""#), "{settings}");
    let compose = compose::body(&plan);
    let keys: Vec<&str> = compose.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   ")).collect();
    assert_eq!(
        keys,
        [
            r#"  "2048":"#,
            "  2048-dev:",
            "  api.v2:",
            "  api.v2-dev:",
            "  it-is-so:",
            "  it-is-so-dev:",
            r#"  "true":"#,
            "  true-dev:",
        ]
    );
}

#[test]
fn a_makefile_gets_one_line_and_keeps_its_own_targets() {
    let own = "all: docker-build\n\t@true\n\ndocker-build:\n\t./mine.sh\nVAR := x:y";
    let fixture = single().file("Makefile", own);
    assert_eq!(status(&run(&fixture, false), "Makefile"), Status::Updated);
    assert_eq!(read(&fixture, "Makefile"), format!("{own}\ninclude kiln.mk\n"));
    let make = read(&fixture, "kiln.mk");
    assert!(!make.contains("\ndocker-build:") && make.contains("\ndocker-build-fast:"), "{make}");
    assert_eq!(status(&run(&fixture, false), "Makefile"), Status::Unchanged);
}

#[test]
fn nothing_is_written_where_a_folder_or_link_stands_in_the_way() {
    let fixture = single().file("Dockerfile.fast/x", "");
    let plan = decide(&fixture, "");
    let files = render(&plan, &Surroundings::default());
    let error = compare(fixture.path(), files.clone(), false).unwrap_err();
    assert_eq!(error.to_string(), "`Dockerfile.fast` is a folder, expected a file");
    fs::remove_dir_all(fixture.path().join("Dockerfile.fast")).unwrap();
    std::os::unix::fs::symlink("/dev/null", fixture.path().join("Dockerfile.fast")).unwrap();
    let error = compare(fixture.path(), files, false).unwrap_err();
    assert_eq!(error.to_string(), "`Dockerfile.fast` is a symbolic link, expected a file");
    assert!(!fixture.path().join("Dockerfile").exists());
}

#[test]
fn a_failure_halfway_leaves_nothing_behind() {
    let fixture = single();
    let comparison = compared(&fixture, false);
    // The folder of the last file cannot be made: a file appeared there in the meantime.
    let mut late = comparison.clone();
    late.entries.push(Entry { path: "blocked/x".into(), ..late.entries[1].clone() });
    let fixture = fixture.file("blocked", "");
    assert!(matches!(late.write(), Err(FilesError::Folder { .. })));
    let left: Vec<String> =
        fs::read_dir(fixture.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(left.iter().all(|name| !name.contains("kiln")), "{left:?}");
    assert!(!fixture.path().join("Dockerfile").exists());
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_mode() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = single().file("kiln.mk", &with_header("Dockerfile".into(), "# old\n"));
    let path = fixture.path().join("kiln.mk");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(status(&run(&fixture, false), "kiln.mk"), Status::Updated);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_difference_is_a_unified_diff() {
    let fixture = single().file("kiln.mk", "# mine\n");
    let comparison = compared(&fixture, false);
    let entry = comparison.entries.iter().find(|entry| entry.path == Utf8Path::new("kiln.mk")).unwrap();
    assert!(entry.diff().starts_with("--- a/kiln.mk\n+++ b/kiln.mk\n@@ -1 +1,"), "{}", entry.diff());
}

#[test]
fn the_files_of_a_repository_with_two_services() {
    let toml = "[defaults]\nca-certificates = [\"certs/a.pem\"]\nsecrets = [{ id = \"npm\", env = \"NPM_TOKEN\", as-env = \"NPM_TOKEN\" }]\n[services.hello]\nport = 8080\nenvironment = { COST = \"5$\" }\nplatform = \"linux/arm64\"\n";
    let fixture = bundle().binary(".", "hello", "").file("Cargo.lock", &crate::plan::fixtures::lock(&["hello"]));
    let plan = decide(&fixture, toml);
    let files = render(&plan, &Surroundings::default());
    let wanted = ["kiln.toml", ".dockerignore", "docker-bake.hcl", "compose.yaml", "kiln.mk", "Makefile", "web/.dockerignore"];
    for name in wanted {
        let file = files.iter().find(|file| file.path == Utf8Path::new(name)).unwrap();
        insta::assert_snapshot!(name.replace(['/', '.'], "_"), file.body);
    }
    let compose = files.iter().find(|file| file.path == Utf8Path::new("compose.yaml")).unwrap();
    let parsed: serde_json::Value = serde_saphyr::from_str(&compose.body).unwrap();
    assert_eq!(parsed["services"]["hello"]["build"]["dockerfile"], "Dockerfile");
}

#[test]
fn with_chef_no_file_knows_of_kiln() {
    let toml = "engine = \"chef\"\n[defaults]\nca-certificates = [\"certs/a.pem\"]\n[services.hello]\nport = 8080\n";
    let fixture = bundle().binary(".", "hello", "").file("Cargo.lock", &crate::plan::fixtures::lock(&["hello"]));
    let files = render(&decide(&fixture, toml), &Surroundings::default());
    let names: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert!(!names.contains(&"kiln.mk") && !names.contains(&"Makefile"), "{names:?}");
    for file in files.iter().filter(|file| file.path != "kiln.toml") {
        assert_eq!(file.ownership, Ownership::HandedOver);
        assert!(!file.body.to_lowercase().contains("kiln"), "{}:\n{}", file.path, file.body);
    }
    for name in [".dockerignore", "docker-bake.hcl", "compose.yaml"] {
        let file = files.iter().find(|file| file.path == Utf8Path::new(name)).unwrap();
        insta::assert_snapshot!(format!("chef_{}", name.replace(['/', '.'], "_")), file.body);
    }
    let settings = crate::settings::Settings::parse(&files[0].body).unwrap();
    assert_eq!(settings.project.engine.map(|at| at.value), Some(ImageEngine::Chef));
}

#[test]
fn with_chef_a_file_is_the_users_as_soon_as_it_is_written() {
    let leave = |fixture: &Fixture, force: bool| {
        let plan = decide(fixture, "engine = \"chef\"\n");
        let comparison = compare(fixture.path(), render(&plan, &Surroundings::default()), force).unwrap();
        comparison.write().unwrap();
        comparison.entries.iter().map(|entry| (entry.path.to_string(), entry.status)).collect::<Vec<_>>()
    };
    let fixture = single();
    run(&fixture, false);
    let edited = read(&fixture, "Dockerfile.dev") + "# mine\n";
    let fixture = fixture.file("Dockerfile.dev", &edited).file("compose.yaml", "services: {}\n");
    // What kiln wrote and nobody edited makes way; everything else is kept.
    let entries = leave(&fixture, false);
    assert_eq!(status(&entries, "Dockerfile"), Status::Updated);
    assert_eq!(status(&entries, "Dockerfile.dev"), Status::Kept);
    assert_eq!(status(&entries, "compose.yaml"), Status::Kept);
    assert!(read(&fixture, "Dockerfile").starts_with("# Production image"));
    // From then on all files are the user's, for either engine.
    assert_eq!(status(&leave(&fixture, false), "Dockerfile"), Status::Unchanged);
    let fixture = fixture.file("Dockerfile", "FROM scratch\n");
    assert_eq!(status(&leave(&fixture, false), "Dockerfile"), Status::Kept);
    assert_eq!(status(&run(&fixture, false), "Dockerfile"), Status::Kept);
    assert_eq!(status(&leave(&fixture, true), "Dockerfile"), Status::Updated);
    assert_eq!(read(&fixture, "Dockerfile.kept"), "FROM scratch\n");
    // A file that differs by kiln's header alone still loses it.
    let body = read(&fixture, "Dockerfile");
    let fixture = fixture.file("Dockerfile", &with_header("Dockerfile".into(), &body));
    assert_eq!(status(&leave(&fixture, false), "Dockerfile"), Status::Updated);
    assert_eq!(read(&fixture, "Dockerfile"), body);
}

#[test]
fn a_persons_ignore_file_stays_and_kilns_dockerfiles_have_their_own() {
    let fixture = single().file(".dockerignore", "*\n!dist\n").file("Dockerfile", "FROM scratch\nCOPY dist /\n");
    let entries = run(&fixture, false);
    let names: Vec<&str> = entries.iter().map(|(path, _)| path.as_str()).collect();
    assert!(names.contains(&"Dockerfile.dev.dockerignore") && names.contains(&"Dockerfile.fast.dockerignore"), "{names:?}");
    // Beside their own Dockerfile it would take the place of their own ignore file.
    assert!(!names.contains(&"Dockerfile.dockerignore") && !names.contains(&".dockerignore"), "{names:?}");
    assert_eq!(read(&fixture, ".dockerignore"), "*\n!dist\n");
    assert!(run(&fixture, false).iter().all(|(_, status)| !matches!(status, Status::Created | Status::Updated)));
    // As soon as the Dockerfile is kiln's it has one too, in the same run.
    let forced = run(&fixture, true);
    assert_eq!(status(&forced, "Dockerfile"), Status::Updated);
    assert_eq!(status(&forced, "Dockerfile.dockerignore"), Status::Created);
    assert_eq!(read(&fixture, ".dockerignore"), "*\n!dist\n");
}

#[test]
fn an_ignore_file_of_kiln_that_a_person_edited_goes_on_to_serve_kilns_dockerfiles() {
    let fixture = single();
    run(&fixture, false);
    let edited = read(&fixture, ".dockerignore") + "notes\n";
    let fixture = fixture.file(".dockerignore", &edited);
    let entries = run(&fixture, false);
    assert_eq!(status(&entries, ".dockerignore"), Status::Kept);
    assert!(!entries.iter().any(|(path, _)| path == "Dockerfile.dockerignore"), "{entries:?}");
}
