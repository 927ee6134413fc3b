//! A stub is never shipped, whatever the workspace looks like and whatever an interrupted cook leaves behind.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use kiln::process::Cancel;
use kiln::recipe::{CookRequest, Limits, STUB_PACKAGE, cook};

use super::bench::{Case, manifest};
use super::shared::write;

/// A program whose package is as much like a stub as can be: version 0.0.1 or 0.0.0, `required-features`, old sources.
fn trap(name: &str, version: &str, package: &str, binary: &str) -> Case {
    let case = Case::new(name);
    let library = package.replace('-', "_");
    case.file("Cargo.toml", &format!("[workspace]\nresolver = \"2\"\nmembers = [\"{package}\", \"lib\"]\n"))
        .file(
            &format!("{package}/Cargo.toml"),
            &manifest(
                package,
                &format!(
                    "[features]\nserve = [\"dep:itoa\"]\n[[bin]]\nname = \"{binary}\"\npath = \"src/main.rs\"\nrequired-features = [\"serve\"]\n\
                     [dependencies]\nitoa = {{ version = \"1\", optional = true }}\nryu = \"1\"\nlib = {{ path = \"../lib\" }}\n"
                ),
            )
            .replace("0.1.0", version),
        )
        .file(&format!("{package}/src/lib.rs"), "pub fn seven() -> u8 { 7 }\n")
        .file(
            &format!("{package}/src/main.rs"),
            &format!("fn main() {{ println!(\"real {{}} {{}}\", itoa::Buffer::new().format({library}::seven()), lib::NAME); }}\n"),
        )
        .file("lib/Cargo.toml", &manifest("lib", "").replace("0.1.0", "0.0.1"))
        .file("lib/src/lib.rs", "pub const NAME: &str = \"library\";\n")
        .select(|selection| {
            selection.package = Some(package.to_owned());
            selection.binaries = vec![binary.to_owned()];
            selection.features = vec!["serve".to_owned()];
        })
}

/// Sets the times of all files of a folder.
fn set_times(folder: &Path, time: SystemTime) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            set_times(&path, time);
        } else {
            fs::File::options().append(true).open(&path).unwrap().set_modified(time).unwrap();
        }
    }
}

#[test]
fn the_real_program_is_delivered_whatever_it_is_called_and_however_old_it_is() {
    let epoch = SystemTime::UNIX_EPOCH;
    for version in ["0.0.1", "0.0.0"] {
        for (package, binary) in [("app", "app"), ("app", STUB_PACKAGE), (STUB_PACKAGE, STUB_PACKAGE), ("kiln-stub-idle", "main")]
        {
            let case = trap(&format!("{package} {binary} {version}"), version, package, binary).locked();
            // Older than everything that cook makes, as after a checkout into an image with normalised times.
            set_times(&case.at("src"), epoch + Duration::from_secs(1));
            case.cook().unwrap();
            let report = case.compile("").unwrap();
            assert_eq!((report.external_compiled.len(), report.defects.len()), (0, 0), "{}: {report:?}", case.name);
            assert_eq!(case.run(binary), "real 7 library\n", "{}", case.name);
            // An edit with an old time, and a cook and a compile in between.
            write(&case.at("src/lib/src/lib.rs"), "pub const NAME: &str = \"edited!\";\n");
            set_times(&case.at("src"), epoch + Duration::from_secs(1));
            case.cook().unwrap();
            case.compile("").unwrap();
            assert_eq!(case.run(binary), "real 7 edited!\n", "{}", case.name);
        }
    }
}

#[test]
fn an_interrupted_cook_leaves_no_stub_that_could_be_built() {
    // With vendored sources the stub lies where the mirror of the workspace will be: the worst place for what is left over.
    let case = trap("interrupted", "0.0.1", STUB_PACKAGE, STUB_PACKAGE).locked();
    let recipe = case.recipe();
    let stub = case.at("mount/build/src");
    for milliseconds in [0, 150, 400, 800] {
        let cancel = Cancel::new();
        let flag = cancel.clone();
        let timer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(milliseconds));
            flag.set();
        });
        let request = CookRequest {
            recipe: &recipe,
            stub_folder: &stub,
            mount: &case.at("mount/units"),
            cargo_home: &case.home(),
            output: &case.at("deps"),
            seed: None,
            secret_variables: &[],
            vendored: None,
            cargo: &case.script("slow.sh", "sleep 0.2\n"),
            environment: &std::collections::BTreeMap::new(),
            system_files: &[],
            limits: Limits::default(),
            now: SystemTime::now(),
        };
        let _ = cook(&request, &cancel, &mut |_| {});
        timer.join().unwrap();
        assert!(!stub.exists(), "removed, however it ended");
    }
    case.cook().unwrap();
    // Killed: nothing could be removed. The stub lies in the place of the mirror, beside a target directory with its program.
    let rest = [
        ("Cargo.toml", manifest(STUB_PACKAGE, "[workspace]\n")),
        ("src/main.rs", "fn main() {}\n".to_owned()),
        ("build.rs", "fn main() { panic!(\"a build script of the stub\") }\n".to_owned()),
        (".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"left_over\"]\n".to_owned()),
        ("kiln-stub/src/main.rs", "fn main() {}\n".to_owned()),
        ("kiln-stub/src/bin/kiln-stub.rs", "fn main() {}\n".to_owned()),
        ("kiln-stub/build.rs", "fn main() { panic!(\"a build script of the stub\") }\n".to_owned()),
        ("lib/src/lib.rs", String::new()),
    ];
    for (path, text) in &rest {
        write(&stub.join(path), text);
    }
    let program = case.at("mount/build/target/debug").join(STUB_PACKAGE);
    write(&program, "#!/bin/sh\necho a stub\n");
    let report = case.compile("").unwrap();
    assert_eq!(case.run(STUB_PACKAGE), "real 7 library\n");
    assert_eq!((report.external_compiled.len(), report.defects.len()), (0, 0), "{report:?}");
    assert!(!stub.join("build.rs").exists() && !stub.join(".cargo").exists(), "the mirror has what the source has");
}

#[test]
fn a_workspace_without_external_crates_is_cooked_and_compiled_too() {
    let case = Case::new("nothing to cook")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n")
        .app("", "fn main() { println!(\"alone\"); }\n")
        .locked();
    let (cooked, layer) = case.cook().unwrap();
    assert_eq!((cooked.external_compiled.len(), layer.units.len()), (0, 0));
    case.compile(super::shared::OFFLINE_ONLY).unwrap();
    assert_eq!(case.run("app"), "alone\n");
}
