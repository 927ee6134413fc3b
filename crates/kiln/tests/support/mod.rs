//! What the tests that really cook and compile share: files, scripts in the place of cargo, repositories, programs.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Beginning of a script that fails when cargo is run without `--offline`.
pub(crate) const OFFLINE_ONLY: &str = "case \"$*\" in *--offline*) ;; *) echo 'online!' >&2; exit 9 ;; esac\n";

/// Writes a file, and the folders above it.
pub(crate) fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Writes a script for the shell that does `prologue` and then becomes cargo.
pub(crate) fn cargo_script(path: &Path, prologue: &str) {
    let text = format!("#!/bin/sh\n{prologue}exec cargo \"$@\"\n");
    // By another process: a file that this one has open for writing, while a thread of it starts a program, cannot be run.
    let writer = "printf %s \"$1\" > \"$2\" && chmod 755 \"$2\"";
    run(command("sh").args(["-c", writer, "sh", &text]).arg(path));
}

/// Makes a git repository of a folder, with one commit on the branch `main`.
pub(crate) fn repository(folder: &Path) {
    for arguments in [
        ["init", "-q", "-b", "main", "."].as_slice(),
        &["add", "."],
        &["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "first"],
    ] {
        run(command("git").args(arguments).current_dir(folder));
    }
}

/// Runs a program that must succeed; gives its stdout.
pub(crate) fn run(command: &mut Command) -> String {
    let output = loop {
        match command.output() {
            // Just copied, and a child of another thread still holds it open.
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => std::thread::sleep(Duration::from_millis(5)),
            output => break output.unwrap(),
        }
    };
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "tests run cargo, git and programs")]
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}
