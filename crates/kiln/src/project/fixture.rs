//! Repositories for tests: a temporary folder with files.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use tempfile::TempDir;

/// A folder that is removed when the value is dropped.
pub(crate) struct Fixture {
    _folder: TempDir,
    path: Utf8PathBuf,
}

impl Fixture {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The name is its own: the system's temporary folder may be reached by a symbolic link.
        let path = Utf8PathBuf::from_path_buf(folder.path().canonicalize().unwrap()).unwrap();
        Self { _folder: folder, path }
    }

    /// Writes a file, with the folders above it.
    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    /// A package with `src/lib.rs`; `rest` follows its `[package]` table.
    pub(crate) fn library(self, folder: &str, name: &str, rest: &str) -> Self {
        self.package(folder, name, rest).file(&format!("{folder}/src/lib.rs"), "")
    }

    /// A package with `src/main.rs`; `rest` follows its `[package]` table.
    pub(crate) fn binary(self, folder: &str, name: &str, rest: &str) -> Self {
        self.package(folder, name, rest).file(&format!("{folder}/src/main.rs"), "fn main() {}\n")
    }

    fn package(self, folder: &str, name: &str, rest: &str) -> Self {
        let manifest = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2021\"\n{rest}");
        self.file(&format!("{folder}/Cargo.toml"), &manifest)
    }

    /// A workspace of `members` packages in `crates/`, each with dependencies on external crates and on the one before it,
    /// and a lock of `locked` external packages. Every thirtieth has a binary.
    pub(crate) fn generated(members: usize, locked: usize) -> Self {
        let mut fixture = Self::new().file(
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"crates/*\"]\n\n[workspace.package]\nversion = \"1.2.3\"\nedition = \
             \"2024\"\n\n[workspace.dependencies]\nserde = { version = \"1.0\", features = [\"derive\"] }\ntokio = { version \
             = \"1.40\", default-features = false }\n\n[profile.release]\nlto = \"thin\"\n",
        );
        let mut lock = vec!["version = 4\n".to_owned()];
        let external = |name: &str, version: &str, dependencies: &str| {
            format!(
                "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \
                 \"registry+https://example.test/index\"\nchecksum = \"{:064}\"\ndependencies = [\n{dependencies}]\n",
                name.len()
            )
        };
        for index in 0..locked {
            let dependencies = (index + 1..(index + 5).min(locked)).map(|other| format!(" \"external{other}\",\n"));
            lock.push(external(&format!("external{index}"), &format!("1.0.{index}"), &dependencies.collect::<String>()));
        }
        lock.extend([external("serde", "1.0.200", ""), external("tokio", "1.45.1", "")]);
        for index in 0..members {
            let used: Vec<usize> = (0..12).filter(|other| *other < locked).collect();
            let mut manifest = vec![format!(
                "[package]\nname = \"member{index}\"\nversion.workspace = true\nedition.workspace = true\ndescription = \"Member \
                 {index}\"\n\n[features]\ndefault = [\"full\"]\nfull = []\n\n[dependencies]\nserde.workspace = true\ntokio = {{ \
                 workspace = true, features = [\"rt\", \"net\"] }}\n"
            )];
            for other in &used {
                manifest.push(format!("external{other} = {{ version = \"1.0\", default-features = false }}\n"));
            }
            lock.push(format!("\n[[package]]\nname = \"member{index}\"\nversion = \"1.2.3\"\ndependencies = [\n"));
            lock.extend(used.iter().map(|other| format!(" \"external{other}\",\n")));
            if index > 0 {
                manifest.push(format!("member{0} = {{ path = \"../member{0}\" }}\n", index - 1));
                lock.push(format!(" \"member{}\",\n", index - 1));
            }
            lock.push(" \"serde\",\n \"tokio\",\n]\n".to_owned());
            manifest.push("\n[dev-dependencies]\nserde = \"1\"\n\n[lints]\nworkspace = true\n".to_owned());
            let folder = format!("crates/member{index}");
            let manifest = manifest.concat();
            fixture = fixture.file(&format!("{folder}/Cargo.toml"), &manifest).file(&format!("{folder}/src/lib.rs"), "");
            if index % 30 == 0 {
                fixture = fixture.file(&format!("{folder}/src/main.rs"), "fn main() {}\n");
            }
        }
        fixture.file("Cargo.lock", &lock.concat())
    }

    /// Absolute path of the folder.
    pub(crate) fn path(&self) -> &Utf8Path {
        &self.path
    }
}
