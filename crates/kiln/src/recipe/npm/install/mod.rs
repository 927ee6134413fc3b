//! `npm ci` that unpacks only what has changed.
//!
//! `npm ci` removes `node_modules` and unpacks every package again, whatever has changed: of a project with 900 packages that is nearly all
//! of its time. Here a cache mount keeps the packages as npm unpacked them. npm brings that tree up to date by the lock, comparing
//! checksums; it is copied into the layer, and there npm runs what scripts there are.
//!
//! - **Nothing that a script or a patch did is kept**: the kept tree is only ever installed with `--ignore-scripts`. Packages with install
//!   scripts are not copied, so that npm unpacks them and runs their scripts as after a plain `npm ci`.
//! - **npm decides**, not kiln: what it says is there (`node_modules/.package-lock.json`) has to be what the lock says, package by package.
//!   Otherwise, and for anything that has no checksum, `npm ci` installs from nothing.
//! - **An interrupted run leaves no half**: a kept tree counts only with the mark that is written last.

mod lock;
mod tree;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use crate::process::{Cancel, Run};
use crate::recipe::build::{At as _, StepError, remove};
use lock::{Lock, lifecycle_script};

/// Where npm says what it has installed.
const INSTALLED: &str = "node_modules/.package-lock.json";

/// What is installed, and with what.
#[derive(Debug, Clone, Copy)]
pub struct InstallRequest<'a> {
    /// Folder of the manifests and the lock; what is installed goes there.
    pub project: &'a Path,
    /// Mount that keeps unpacked packages.
    pub mount: &'a Path,
    /// The npm program.
    pub npm: &'a Path,
    /// Arguments of `npm ci`, without `ci`.
    pub arguments: &'a [String],
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub struct InstallReport {
    /// Packages that are installed.
    pub packages: usize,
    /// How many of them the mount had.
    pub kept: usize,
    /// Why `npm ci` installed from nothing, where it did.
    pub plain: Option<String>,
    /// Seconds that bringing the kept tree up to date took.
    pub update: f64,
    /// Seconds that copying took.
    pub copy: f64,
    /// Seconds that npm took in the project.
    pub scripts: f64,
}

/// Why nothing could be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// A file or folder, or a program that could not be run.
    #[error(transparent)]
    Step(#[from] StepError),
    /// npm ran and failed; it has said why.
    #[error("`npm {command}` failed{}", code.map_or_else(|| " by a signal".to_owned(), |code| format!(" with exit code {code}")))]
    Npm {
        /// `ci` or `install`.
        command: &'static str,
        /// Its exit code, unless a signal ended it.
        code: Option<i32>,
    },
}

/// Installs what the lock of a project holds. Lines of npm go to `talk` as they come.
///
/// # Errors
/// [`InstallError`]. The mount then holds what a later run can use, or nothing.
pub fn install(request: &InstallRequest<'_>, cancel: &Cancel, talk: &mut dyn FnMut(&str)) -> Result<InstallReport, InstallError> {
    let mut installation =
        Installation { request, tree: request.mount.join("tree"), mark: request.mount.join("complete"), cancel, talk };
    let lock = match installation.lock() {
        Ok(lock) => lock,
        Err(obstacle) => return installation.plain(obstacle),
    };
    let started = Instant::now();
    let before = installation.kept()?;
    let there = match installation.update(&lock, before.is_some())? {
        Ok(there) => there,
        Err(difference) => {
            remove(&installation.tree)?;
            return installation.plain(difference);
        }
    };
    let update = started.elapsed().as_secs_f64();
    let started = Instant::now();
    let scripted = there.with_scripts();
    let packages = there.installed();
    let kept = before.map_or(0, |before| there.shared_with(&before));
    installation.hand_over(there, &scripted)?;
    let copy = started.elapsed().as_secs_f64();
    let started = Instant::now();
    if !scripted.is_empty() || lifecycle_script(request.project).is_some() {
        installation.npm("install", request.project, &["--no-save"])?;
        let there = Lock::read(&request.project.join(INSTALLED));
        if let Some(difference) = there.and_then(|there| lock.difference(&there, request.arguments)) {
            tree::remove_modules(request.project)?;
            return installation.plain(difference);
        }
    }
    Ok(InstallReport { packages, kept, plain: None, update, copy, scripts: started.elapsed().as_secs_f64() })
}

struct Installation<'a> {
    request: &'a InstallRequest<'a>,
    /// The kept tree, with the manifests that it was installed from.
    tree: PathBuf,
    /// Says that the tree is whole.
    mark: PathBuf,
    cancel: &'a Cancel,
    talk: &'a mut dyn FnMut(&str),
}

impl Installation<'_> {
    /// The lock, or why it is nothing to keep packages by.
    fn lock(&self) -> Result<Lock, String> {
        let project = self.request.project;
        if project.join("npm-shrinkwrap.json").exists() {
            return Err("there is an `npm-shrinkwrap.json`".to_owned());
        }
        if project.join("node_modules").exists() {
            return Err("there is a `node_modules` already".to_owned());
        }
        let lock = Lock::read(&project.join("package-lock.json"));
        let lock = lock.ok_or("`package-lock.json` is none that lists packages by folder (npm 7 or later writes one)")?;
        lock.obstacle(project).map_or(Ok(lock), Err)
    }

    /// What the mount has, if it is whole; otherwise nothing is left of it.
    fn kept(&self) -> Result<Option<Lock>, StepError> {
        let kept = self.mark.exists().then(|| Lock::read(&self.tree.join(INSTALLED))).flatten();
        remove(&self.mark)?;
        if kept.is_none() {
            remove(&self.tree)?;
        }
        Ok(kept)
    }

    /// Makes the kept tree one of the lock: gives what is in it then, or how it differs.
    fn update(&mut self, lock: &Lock, kept: bool) -> Result<Result<Lock, String>, InstallError> {
        tree::take_manifests(self.request.project, &self.tree)?;
        let tree = self.tree.clone();
        if kept {
            // What `npm ci` says of a lock that is out of step says it better than this.
            match self.npm("install", &tree, &["--no-save", "--ignore-scripts"]) {
                Err(InstallError::Npm { .. }) => return Ok(Err("npm could not bring the kept packages up to date".to_owned())),
                done => done?,
            }
        } else {
            self.npm("ci", &tree, &["--ignore-scripts"])?;
        }
        let Some(there) = Lock::read(&tree.join(INSTALLED)) else {
            return Ok(Err("this npm does not say what it has installed".to_owned()));
        };
        if let Some(difference) = lock.difference(&there, self.request.arguments) {
            return Ok(Err(difference));
        }
        fs::write(&self.mark, "").at("write", &self.mark)?;
        Ok(Ok(there))
    }

    /// Copies the kept tree into the project, without packages that have scripts.
    fn hand_over(&self, there: Lock, scripted: &[String]) -> Result<(), StepError> {
        let project = self.request.project;
        tree::give_modules(&self.tree, project, scripted)?;
        let path = project.join(INSTALLED);
        if path.exists() {
            if !scripted.is_empty() {
                fs::write(&path, there.without(scripted)).at("write", &path)?;
            }
            // npm trusts it only if no folder is newer.
            let file = File::options().write(true).open(&path).at("write", &path)?;
            file.set_modified(SystemTime::now()).at("write", &path)?;
        }
        Ok(())
    }

    /// `npm ci` as anybody would run it.
    fn plain(&mut self, why: String) -> Result<InstallReport, InstallError> {
        (self.talk)(&format!("kiln install: npm ci installs from nothing: {why}"));
        let started = Instant::now();
        let project = self.request.project;
        self.npm("ci", project, &[])?;
        let packages = Lock::read(&project.join(INSTALLED)).map_or(0, |there| there.installed());
        let scripts = started.elapsed().as_secs_f64();
        Ok(InstallReport { packages, kept: 0, plain: Some(why), update: 0.0, copy: 0.0, scripts })
    }

    fn npm(&mut self, command: &'static str, folder: &Path, more: &[&str]) -> Result<(), InstallError> {
        let run = Run::new(self.request.npm).arg(command).args(self.request.arguments).args(more).cwd(folder);
        let finished = run.lines(self.cancel, &mut |_, line| (self.talk)(line)).map_err(StepError::from)?;
        if finished.success() { Ok(()) } else { Err(InstallError::Npm { command, code: finished.code }) }
    }
}
