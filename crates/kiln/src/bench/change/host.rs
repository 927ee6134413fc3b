//! [`LockTool`] by the cargo and npm of this machine.

use std::fs;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use semver::Version;
use serde::Deserialize;

use super::{LockTool, Release, ToolError};
use crate::process::{Cancel, Finished, ProcessError, Run};

/// How much of a program's answer is kept: some npm packages have thousands of versions.
const CAPTURE: usize = 8 << 20;

/// The cargo and npm of this machine.
#[derive(Debug, Clone)]
pub struct HostTools {
    /// Folder of cargo's own files (`CARGO_HOME`, or `~/.cargo`): its copy of the registry's index tells versions.
    pub cargo_home: Utf8PathBuf,
    /// Ends running programs.
    pub cancel: Cancel,
    /// How long one call may take.
    pub timeout: Duration,
}

impl HostTools {
    /// With a timeout of two minutes for each call.
    #[must_use]
    pub const fn new(cargo_home: Utf8PathBuf, cancel: Cancel) -> Self {
        Self { cargo_home, cancel, timeout: Duration::from_secs(120) }
    }

    fn run(&self, directory: &Utf8Path, command: &[&str]) -> Result<Finished, ToolError> {
        let [program, args @ ..] = command else { return Err(ToolError::Missing { program: String::new() }) };
        let run = Run::new(program).args(args).cwd(directory).timeout(self.timeout).capture(CAPTURE);
        // rustup would install a pinned toolchain by itself: gigabytes that nobody asked for.
        let run = run.env("CARGO_HOME", &self.cargo_home).env("RUSTUP_AUTO_INSTALL", "0").env("CARGO_TERM_COLOR", "never");
        let finished = run.output(&self.cancel).map_err(|error| match error {
            ProcessError::NotFound { program } => ToolError::Missing { program },
            other => ToolError::Process(other),
        })?;
        if finished.success() {
            return Ok(finished);
        }
        Err(ToolError::Failed { command: command.join(" "), message: complaint(&finished.stderr) })
    }

    /// The entries of a crate in each index that cargo has a copy of.
    fn indexes(&self, name: &str) -> Vec<Vec<Entry>> {
        let folder = self.cargo_home.join("registry/index");
        let Ok(indexes) = folder.read_dir_utf8() else { return Vec::new() };
        let path = index_path(name);
        let files = indexes.flatten().map(|index| index.path().join(".cache").join(&path));
        files.filter_map(|file| fs::read(file).ok()).map(|bytes| entries(&bytes)).collect()
    }
}

/// What a program complains about: its errors, else its last words.
fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let is_error = |line: &str| line.starts_with("error") || line.starts_with("npm error") || line.starts_with("npm ERR!");
    let start = lines.iter().position(|line| is_error(line)).unwrap_or(lines.len().saturating_sub(4));
    lines[start..].iter().take(8).copied().collect::<Vec<_>>().join("\n")
}

/// A version of a crate in the registry's index.
#[derive(Debug, Deserialize)]
struct Entry {
    vers: String,
    cksum: String,
    #[serde(default)]
    yanked: bool,
    rust_version: Option<String>,
}

/// The versions in cargo's copy of an index file: each a JSON object between NUL bytes, behind a head that differs among cargos.
fn entries(bytes: &[u8]) -> Vec<Entry> {
    let objects = bytes.split(|byte| *byte == 0).filter(|part| part.first() == Some(&b'{'));
    objects.filter_map(|object| serde_json::from_slice(object).ok()).collect()
}

/// Where an index keeps a crate.
fn index_path(name: &str) -> Utf8PathBuf {
    let name = name.to_ascii_lowercase();
    match name.as_bytes() {
        [_] => format!("1/{name}").into(),
        [_, _] => format!("2/{name}").into(),
        [first, _, _] => format!("3/{}/{name}", char::from(*first)).into(),
        _ => format!("{}/{}/{name}", name.get(..2).unwrap_or("_"), name.get(2..4).unwrap_or("_")).into(),
    }
}

impl LockTool for HostTools {
    fn crate_releases(
        &self,
        workspace: &Utf8Path,
        name: &str,
        version: &str,
        checksum: Option<&str>,
    ) -> Result<Vec<Release>, ToolError> {
        // Asks the registry, so that cargo's copy of the index is there and new; the lock stays as it is.
        let spec = format!("{name}@{version}");
        self.run(workspace, &["cargo", "update", "--dry-run", "--package", &spec])?;
        // Registries may have crates of one name: the locked version's checksum tells which one is meant.
        let is_ours = |entries: &Vec<Entry>| {
            let mut same = entries.iter().filter(|entry| entry.vers == version);
            same.any(|entry| checksum.is_none_or(|checksum| entry.cksum == checksum))
        };
        let found = self.indexes(name).into_iter().find(is_ours);
        let entries = found.ok_or_else(|| ToolError::Answer {
            command: "cargo update --dry-run".to_owned(),
            message: format!("cargo's copy of the index below `{}` does not have `{spec}`", self.cargo_home),
        })?;
        let mut releases: Vec<Release> = entries
            .into_iter()
            .filter(|entry| !entry.yanked)
            .filter_map(|entry| Some(Release { version: Version::parse(&entry.vers).ok()?, rust_version: entry.rust_version }))
            .collect();
        releases.sort_by(|left, right| left.version.cmp(&right.version));
        Ok(releases)
    }

    fn move_crate(&self, workspace: &Utf8Path, name: &str, from: &str, to: &str) -> Result<(), ToolError> {
        let spec = format!("{name}@{from}");
        self.run(workspace, &["cargo", "update", "--package", &spec, "--precise", to]).map(drop)
    }

    fn npm_versions(&self, directory: &Utf8Path, name: &str) -> Result<Vec<Version>, ToolError> {
        /// One version is printed bare.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Answer {
            One(String),
            Many(Vec<String>),
        }
        let command = ["npm", "view", name, "versions", "--json"];
        let finished = self.run(directory, &command)?;
        let answer = serde_json::from_str(&finished.stdout)
            .map_err(|error| ToolError::Answer { command: command.join(" "), message: error.to_string() })?;
        let texts = match answer {
            Answer::One(version) => vec![version],
            Answer::Many(versions) => versions,
        };
        let mut versions: Vec<Version> = texts.iter().filter_map(|text| Version::parse(text).ok()).collect();
        versions.sort();
        Ok(versions)
    }

    fn move_npm(
        &self,
        directory: &Utf8Path,
        member: Option<&Utf8Path>,
        name: &str,
        to: &str,
        development: bool,
    ) -> Result<(), ToolError> {
        let spec = format!("{name}@{to}");
        let mut command = vec!["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"];
        command.extend(["--save-exact", if development { "--save-dev" } else { "--save-prod" }]);
        command.extend(member.into_iter().flat_map(|member| ["--workspace", member.as_str()]));
        command.push(&spec);
        self.run(directory, &command).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_file_is_found_and_read() {
        for (name, path) in [("a", "1/a"), ("cc", "2/cc"), ("fnv", "3/f/fnv"), ("Serde", "se/rd/serde")] {
            assert_eq!(index_path(name), path);
        }
        let file = b"\x03\x02\0\0\0etag\x001.0.0\0{\"vers\":\"1.0.0\",\"cksum\":\"aa\",\"deps\":[]}\x001.0.1\0{\"vers\":\"1.0.1\",\"cksum\":\"bb\",\"yanked\":true,\"rust_version\":\"1.70\"}\0";
        let versions: Vec<_> = entries(file).into_iter().map(|entry| (entry.vers, entry.yanked)).collect();
        assert_eq!(versions, [("1.0.0".to_owned(), false), ("1.0.1".to_owned(), true)]);
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let home = tempfile::tempdir().unwrap();
        let home = Utf8PathBuf::from_path_buf(home.path().to_owned()).unwrap();
        let tools = HostTools::new(home.clone(), Cancel::new());
        let error = tools.run(&home, &["kiln-no-such-program"]).unwrap_err();
        assert!(matches!(error, ToolError::Missing { .. }), "{error}");
        let error = tools.run(&home, &["sh", "-c", "echo warning: x >&2; echo error: no such crate >&2; exit 1"]).unwrap_err();
        assert!(matches!(&error, ToolError::Failed { message, .. } if message == "error: no such crate"), "{error}");
    }
}
