//! cargo's JSON messages: what was compiled, what was fresh, which files came out.
//!
//! Takes the lines of `--message-format=json-render-diagnostics`; gives a [`Transcript`]. Nothing is run here.

use std::path::PathBuf;

use serde::Deserialize;

/// A package as cargo's messages name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackageRef {
    /// Name.
    pub(super) name: String,
    /// Version.
    pub(super) version: String,
    /// Whether it comes from a folder of the workspace, not from a registry or git.
    pub(super) local: bool,
}

impl PackageRef {
    /// Reads a package id: `registry+URL#name@1.0.0`, `path+file:///x/name#1.0.0`, or, before cargo 1.77, `name 1.0.0 (URL)`.
    #[must_use]
    pub(super) fn parse(id: &str) -> Option<Self> {
        if let Some((rest, source)) = id.split_once(" (") {
            let (name, version) = rest.split_once(' ')?;
            return Some(Self { name: name.to_owned(), version: version.to_owned(), local: source.starts_with("path+") });
        }
        let local = id.starts_with("path+");
        let (url, fragment) = id.rsplit_once('#')?;
        let (name, version) = match fragment.split_once('@') {
            Some((name, version)) => (name, version),
            None => {
                let path = url.split_once('?').map_or(url, |(path, _)| path).trim_end_matches('/');
                let name = path.rsplit('/').next()?;
                (name.strip_suffix(".git").unwrap_or(name), fragment)
            }
        };
        Some(Self { name: name.to_owned(), version: version.to_owned(), local })
    }
}

/// One compiled or fresh target of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Artifact {
    /// Its package.
    pub(super) package: PackageRef,
    /// `lib`, `proc-macro`, `bin`, `custom-build`, …
    pub(super) kinds: Vec<String>,
    /// Name of the target.
    pub(super) target: String,
    /// Output files.
    pub(super) files: Vec<PathBuf>,
    /// The program, if it is one that can be run.
    pub(super) executable: Option<PathBuf>,
    /// Whether cargo had nothing to do.
    pub(super) fresh: bool,
}

impl Artifact {
    /// Whether the target is of a kind.
    #[must_use]
    pub(super) fn is(&self, kind: &str) -> bool {
        self.kinds.iter().any(|own| own == kind)
    }

    /// `name` for a library, `name (bin NAME)`, `name (build script)` else.
    #[must_use]
    pub(super) fn label(&self) -> String {
        let package = &self.package.name;
        match self.kinds.first().map(String::as_str) {
            Some("custom-build") => format!("{package} (build script)"),
            Some(kind @ ("bin" | "example" | "test" | "bench")) if self.target != *package => {
                format!("{package} ({kind} {})", self.target)
            }
            Some(kind @ ("bin" | "example" | "test" | "bench")) => format!("{package} ({kind})"),
            Some("proc-macro") => format!("{package} (proc-macro)"),
            _ => format!("{package} (lib)"),
        }
    }
}

/// A build script's run, now or at an earlier time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScriptRun {
    /// Its package.
    pub(super) package: PackageRef,
    /// Its `OUT_DIR`.
    pub(super) out_dir: PathBuf,
}

/// All that one run of cargo said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    /// Targets, in cargo's order.
    pub(super) artifacts: Vec<Artifact>,
    /// Build scripts that ran.
    pub(super) scripts: Vec<ScriptRun>,
    /// Whether cargo said that the build succeeded.
    pub(super) succeeded: bool,
}

#[derive(Deserialize)]
struct Raw {
    reason: String,
    package_id: Option<String>,
    target: Option<RawTarget>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
    out_dir: Option<PathBuf>,
    #[serde(default)]
    success: bool,
}

#[derive(Deserialize)]
struct RawTarget {
    kind: Vec<String>,
    name: String,
}

impl Transcript {
    /// Takes one line of stdout. Gives `false` for a line that is no message of cargo: the output of a program.
    pub(super) fn line(&mut self, line: &str) -> bool {
        let Ok(raw) = serde_json::from_str::<Raw>(line) else { return false };
        let package = raw.package_id.as_deref().and_then(PackageRef::parse);
        match (raw.reason.as_str(), package) {
            ("compiler-artifact", Some(package)) => {
                let (kinds, target) = raw.target.map_or_else(Default::default, |target| (target.kind, target.name));
                let Raw { filenames: files, executable, fresh, .. } = raw;
                self.artifacts.push(Artifact { package, kinds, target, files, executable, fresh });
            }
            ("build-script-executed", Some(package)) => {
                self.scripts.extend(raw.out_dir.map(|out_dir| ScriptRun { package, out_dir }));
            }
            ("build-finished", _) => self.succeeded = raw.success,
            _ => {}
        }
        true
    }

    /// Local targets that were compiled, as labels, sorted.
    #[must_use]
    pub(super) fn local_compiled(&self) -> Vec<String> {
        sorted(self.artifacts.iter().filter(|one| one.package.local && !one.fresh).map(Artifact::label))
    }

    /// External packages of which something was compiled, as `name version`, sorted.
    #[must_use]
    pub(super) fn external_compiled(&self) -> Vec<String> {
        let compiled = self.artifacts.iter().filter(|one| !one.package.local && !one.fresh);
        sorted(compiled.map(|one| format!("{} {}", one.package.name, one.package.version)))
    }

    /// How many targets were fresh.
    #[must_use]
    pub(super) fn fresh(&self) -> usize {
        self.artifacts.iter().filter(|one| one.fresh).count()
    }
}

fn sorted(labels: impl Iterator<Item = String>) -> Vec<String> {
    let mut labels: Vec<String> = labels.collect();
    labels.sort();
    labels.dedup();
    labels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn package_ids_of_all_forms_are_read() {
        let table = [
            ("registry+https://example.org/index#itoa@1.0.1", "itoa", "1.0.1", false),
            ("path+file:///src/crates/m#0.1.0", "m", "0.1.0", true),
            ("path+file:///src/crates/folder#m@0.1.0", "m", "0.1.0", true),
            ("git+https://example.org/some/thing.git?branch=main#0.3.0", "thing", "0.3.0", false),
            ("git+https://example.org/some/thing?rev=abc#other@0.3.0", "other", "0.3.0", false),
            ("itoa 1.0.1 (registry+https://example.org/index)", "itoa", "1.0.1", false),
            ("m 0.1.0 (path+file:///src/m)", "m", "0.1.0", true),
        ];
        for (id, name, version, local) in table {
            let expected = PackageRef { name: name.to_owned(), version: version.to_owned(), local };
            assert_eq!(PackageRef::parse(id), Some(expected), "{id}");
        }
    }

    #[test]
    fn lines_that_are_no_messages_are_told_apart() {
        let mut transcript = Transcript::default();
        assert!(!transcript.line("hello"));
        assert!(!transcript.line("{\"a\": 1}"));
        assert!(transcript.line(r#"{"reason":"build-finished","success":true}"#));
        assert!(transcript.succeeded);
    }

    #[test]
    fn compiled_and_fresh_targets_are_counted() {
        let mut transcript = Transcript::default();
        let artifact = |id: &str, kind: &str, name: &str, fresh: bool| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"{id}","target":{{"kind":["{kind}"],"name":"{name}"}},"filenames":[],"executable":null,"fresh":{fresh}}}"#
            )
        };
        for (id, kind, name, fresh) in [
            ("path+file:///m#0.1.0", "lib", "m", false),
            ("path+file:///m#0.1.0", "custom-build", "build-script-build", false),
            ("path+file:///m#0.1.0", "bin", "tool", false),
            ("registry+x#a@1.0.0", "lib", "a", false),
            ("registry+x#a@1.0.0", "custom-build", "build-script-build", false),
            ("registry+x#b@1.0.0", "lib", "b", true),
        ] {
            assert!(transcript.line(&artifact(id, kind, name, fresh)));
        }
        assert_eq!(transcript.local_compiled(), ["m (bin tool)", "m (build script)", "m (lib)"]);
        assert_eq!(transcript.external_compiled(), ["a 1.0.0"]);
        assert_eq!(transcript.fresh(), 1);
    }
}
