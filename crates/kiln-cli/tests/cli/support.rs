//! A world for one run of `kiln`: a project in a fresh folder, a cleared environment, `PATH` with a fake `docker` only.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tempfile::TempDir;

const FAKE_DOCKER: &str = include_str!("fake-docker.sh");
/// What `docker info` of a good engine prints.
pub(crate) const GOOD_INFO: &str = r#"echo '{"ServerVersion":"28.5.2","Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"]],"ClientInfo":{"Version":"28.2.2","Plugins":[{"Name":"buildx","Version":"0.29.1"}]}}'"#;

/// A run of `kiln` to be.
#[derive(Debug)]
#[must_use]
pub(crate) struct Test {
    _folder: TempDir,
    root: Utf8PathBuf,
    args: Vec<String>,
    env: BTreeMap<String, String>,
}

impl Test {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8Path::from_path(folder.path()).expect("UTF-8").canonicalize_utf8().expect("a path");
        for name in ["project", "home", "bin", "fake"] {
            fs::create_dir(root.join(name)).expect("a folder");
        }
        let streams = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("../kiln/tests/streams");
        let path = |name: &str| root.join(name).into_string();
        let env = [
            ("HOME", path("home")),
            ("PATH", path("bin")),
            ("FAKE_DOCKER", path("fake")),
            ("FAKE_STREAMS", streams.into_string()),
        ];
        let env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { _folder: folder, root, args: Vec::new(), env }
    }

    /// Writes a file of the project.
    pub(crate) fn write(self, path: &str, text: &str) -> Self {
        self.write_bytes(path, text.as_bytes())
    }

    /// The same for what is no text.
    pub(crate) fn write_bytes(self, path: &str, bytes: &[u8]) -> Self {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("written");
        self
    }

    /// Makes a symbolic link in the project.
    pub(crate) fn link(self, path: &str, target: &str) -> Self {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::os::unix::fs::symlink(target, path).expect("a link");
        self
    }

    /// Makes a Node service, the simplest thing that kiln builds.
    pub(crate) fn service(self, name: &str, dockerfile: &str) -> Self {
        let manifest = format!(r#"{{ "name": "{name}", "version": "1.0.0", "scripts": {{ "start": "node server.js" }} }}"#);
        let lock = format!(
            r#"{{ "name": "{name}", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": {{ "": {{ "name": "{name}", "version": "1.0.0" }} }} }}"#
        );
        self.write(&format!("{name}/package.json"), &manifest)
            .write(&format!("{name}/package-lock.json"), &lock)
            .write(&format!("{name}/.dockerignore"), "")
            .write(&format!("{name}/Dockerfile"), dockerfile)
    }

    /// Puts a program into `PATH`.
    pub(crate) fn program(self, name: &str, script: &str) -> Self {
        let program = self.root.join("bin").join(name);
        fs::write(&program, script).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        self
    }

    /// Installs the fake `docker`, with a good engine.
    pub(crate) fn docker(self) -> Self {
        self.program("docker", FAKE_DOCKER).fake("info", GOOD_INFO)
    }

    /// Says what the fake `docker` does: `info`, `imagetools`, `du`, `build`, or `build-<service>-<variant>`.
    pub(crate) fn fake(self, name: &str, script: &str) -> Self {
        fs::write(self.root.join("fake").join(name).with_extension("sh"), script).expect("written");
        self
    }

    /// Calls of scripted programs, in order, without the number of the process.
    pub(crate) fn redacted_calls(&self) -> String {
        let text = fs::read_to_string(self.root.join("fake/calls")).unwrap_or_default();
        let words = text.split_inclusive([' ', '\n']).map(|word| match word.strip_prefix("kiln-sqlx-") {
            Some(rest) => "kiln-sqlx-<pid>".to_owned() + rest.trim_start_matches(|letter: char| letter.is_ascii_digit()),
            None => word.to_owned(),
        });
        self.redact(&words.collect::<String>())
    }

    pub(crate) fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        self.args.extend(args.into_iter().map(str::to_owned));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn root(&self) -> &Utf8Path {
        &self.root
    }

    pub(crate) fn project(&self) -> Utf8PathBuf {
        self.root.join("project")
    }

    /// Calls of the fake `docker` so far, sorted, because builds run side by side; without the check, which may come or not.
    pub(crate) fn calls(&self) -> String {
        let text = fs::read_to_string(self.root.join("fake/calls")).unwrap_or_default();
        let mut lines: Vec<_> = text.lines().filter(|line| !line.starts_with("info ")).collect();
        lines.sort_unstable();
        self.redact(&lines.join("\n"))
    }

    /// Runs `kiln` in the project to its end.
    #[track_caller]
    pub(crate) fn run(&self) -> Ran {
        let output = self.command().output().expect("kiln runs");
        self.ran(&output)
    }

    /// Runs `kiln` with these arguments instead.
    #[track_caller]
    pub(crate) fn run_with<'a>(&mut self, args: impl IntoIterator<Item = &'a str>) -> Ran {
        self.args = args.into_iter().map(str::to_owned).collect();
        self.run()
    }

    /// Starts `kiln` in the project.
    pub(crate) fn spawn(&self) -> Child {
        self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kiln starts")
    }

    /// Starts `kiln` in the project with these arguments.
    #[expect(clippy::disallowed_methods, reason = "tests run the program as a user does")]
    pub(crate) fn spawn_with<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(args).env_clear().envs(&self.env).current_dir(self.project()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kiln starts")
    }

    pub(crate) fn ran(&self, output: &Output) -> Ran {
        let text = |bytes: &[u8]| self.redact(&String::from_utf8_lossy(bytes));
        Ran { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    #[expect(clippy::disallowed_methods, reason = "tests run the program as a user does")]
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(&self.args).env_clear().envs(&self.env).current_dir(self.project()).stdin(Stdio::null());
        command
    }

    /// Replaces what differs between runs. The only place that does.
    fn redact(&self, text: &str) -> String {
        let text = text.replace(self.root.as_str(), "<root>").replace(env!("CARGO_BIN_EXE_kiln"), "<kiln>");
        let lines = text.lines().map(|line| redact_times(&redact_hashes(line)));
        let mut text = lines.fold(String::new(), |text, line| text + &line + "\n");
        if !text.ends_with('\n') || text == "\n" {
            text = text.trim_end().to_owned();
        }
        text
    }
}

/// `0.3 s`, `"seconds": 0.123` and `"seconds":0.123` become `<time>`.
fn redact_times(line: &str) -> String {
    let mut redacted = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let number = &rest[start..];
        let end = number.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(number.len());
        let (before, after) = (&rest[..start], &number[end..]);
        let is_time = after.starts_with(" s") && number[..end].contains('.');
        let is_field = before.ends_with("\"seconds\": ") || before.ends_with("\"seconds\":");
        redacted.push_str(before);
        redacted.push_str(if is_time || is_field { "<time>" } else { &number[..end] });
        rest = if is_time { &after[2..] } else { after };
    }
    redacted + rest
}

/// Twelve or sixteen hexadecimal digits that follow `-` or `/` and end a path component: context links and tool folders.
fn redact_hashes(line: &str) -> String {
    let is_hash = |part: &str| {
        matches!(part.len(), 12 | 16) && part.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase())
    };
    let words = line.split_inclusive(['-', '/', ' ', '`']).map(|part| {
        let (text, end) = match part.char_indices().last() {
            Some((at, '-' | '/' | ' ' | '`')) => part.split_at(at),
            _ => (part, ""),
        };
        let id = line.contains("MB");
        if is_hash(text) && !id {
            return format!("<hash>{end}");
        }
        if text.parse::<u32>().is_ok() && line.contains(&format!("/run/{text}-")) {
            return format!("<pid>{end}");
        }
        part.to_owned()
    });
    words.collect()
}

/// What a run of `kiln` did. Shown as a whole, it is one snapshot.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The document on stdout.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout.replace("<time>", "0")).unwrap_or_else(|error| panic!("{error}:\n{self}"))
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        writeln!(f, "exit: {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(f, "--- {name}\n{text}")?;
            }
        }
        Ok(())
    }
}
