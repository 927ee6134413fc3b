//! What commands share that begin with a repository: looking, deciding, and saying what keeps kiln from going on.

use camino::{Utf8Path, Utf8PathBuf};
use kiln::lifecycle::presence::{Checkout, Presence};
use kiln::plan::{ImageEngine, Plan, Question, QuestionKind};
use kiln::project::{LookError, Project, look, look_past_errors};
use kiln::settings::{At, Settings, SettingsError};

use super::Context;
use crate::env_vars;
use crate::error::{CommandError, Kind};

/// Reads `kiln.toml` and the repository, and decides. Gives the absolute root with the plan.
pub(crate) fn look_and_decide(directory: &Utf8Path) -> Result<(Utf8PathBuf, Plan), CommandError> {
    let (settings, project) = look_at(directory)?;
    let plan = decide_for(&project, settings, None);
    Ok((project.root, plan))
}

/// Reads `kiln.toml` and the repository.
pub(crate) fn look_at(directory: &Utf8Path) -> Result<(Settings, Project), CommandError> {
    let settings = settings_of(directory)?;
    let project = look(directory).map_err(|error| look_error(&error))?;
    Ok((settings, project))
}

/// Reads `kiln.toml` and what can be read of the repository, and why the rest cannot.
pub(crate) fn look_past_errors_at(directory: &Utf8Path) -> Result<(Settings, Project, Vec<LookError>), CommandError> {
    let settings = settings_of(directory)?;
    let (project, broken) = look_past_errors(directory).map_err(|error| look_error(&error))?;
    Ok((settings, project, broken))
}

fn settings_of(directory: &Utf8Path) -> Result<Settings, CommandError> {
    if !directory.is_dir() {
        let message = format!("`{directory}` is no folder");
        return Err(CommandError::new(Kind::User, message).hint("name the repository with `--project DIR`"));
    }
    settings(directory)
}

/// Decides, with an engine in place of that in the settings.
pub(crate) fn decide_for(project: &Project, mut settings: Settings, engine: Option<ImageEngine>) -> Plan {
    if let Some(value) = engine {
        settings.project.engine = Some(At { value, line: 0 });
    }
    kiln::plan::plan(project, &settings)
}

/// `.kiln` in the project: records, results, context links, the tool. It keeps itself out of git.
pub(crate) fn state_directory(root: &Utf8Path) -> Result<Utf8PathBuf, CommandError> {
    let state = root.join(".kiln");
    let ignore = state.join(".gitignore");
    let made =
        if ignore.exists() { Ok(()) } else { std::fs::create_dir_all(&state).and_then(|()| std::fs::write(&ignore, "*\n")) };
    made.map(|()| state.clone()).map_err(|error| unwritable(&state, &error))
}

/// A state folder in which nothing can be made.
pub(crate) fn unwritable(state: &Utf8Path, error: &std::io::Error) -> CommandError {
    let mut command_error = CommandError::new(Kind::User, format!("cannot write to `{state}`"));
    command_error.causes.push(error.to_string());
    command_error.hint("kiln keeps build records and links to contexts there")
}

/// Where kiln keeps what concerns several checkouts: which projects there are, and who builds them. In the checkout itself where there is
/// no home.
pub(crate) fn shared_state(state: &Utf8Path) -> Utf8PathBuf {
    let home = || Some(Utf8PathBuf::from(env_vars::read(env_vars::HOME)?).join(".local/state"));
    let folder = env_vars::read(env_vars::STATE).map(Utf8PathBuf::from).or_else(home);
    folder.filter(|folder| folder.is_absolute()).map_or_else(|| state.to_owned(), |folder| folder.join("kiln"))
}

/// Keeps `kiln clean` from this project's caches as long as the value lives, and lets it know that the project is here. What goes wrong
/// is no reason not to build.
pub(crate) fn present(context: &Context, plan: &Plan, root: &Utf8Path, state: &Utf8Path) -> Option<Presence> {
    let folder = shared_state(state);
    let _ = Checkout { root: root.to_owned(), project: plan.project.clone() }.remember(&folder.join("projects"));
    Presence::share(&folder.join("locks"), &plan.project, || context.ui.note("waiting for `kiln clean` to end")).ok()
}

/// The file of the running program.
pub(crate) fn own_path() -> Result<Utf8PathBuf, CommandError> {
    let unknown = || CommandError::new(Kind::User, "cannot find the running kiln's own file").hint("name it with `--tool PATH`");
    let path = std::env::current_exe().map_err(|_| unknown())?;
    Utf8PathBuf::try_from(path).map_err(|_| unknown())
}

/// What `kiln.toml` says.
pub(crate) fn settings(directory: &Utf8Path) -> Result<Settings, CommandError> {
    Settings::load(directory).map_err(|error| settings_error(&error))
}

fn settings_error(error: &SettingsError) -> CommandError {
    let message = CommandError::from_error(Kind::User, error);
    match error {
        SettingsError::UnknownKey { suggestion: Some(known), .. } => message.hint(format!("did you mean `{known}`?")),
        SettingsError::UnknownKey { known, .. } => message.hint(format!("known keys here: {}", known.join(", "))),
        _ => message,
    }
}

fn look_error(error: &LookError) -> CommandError {
    CommandError::from_error(Kind::User, error)
}

/// The error for a plan with open questions; `None` if there are none.
pub(crate) fn refuse(plan: &Plan) -> Option<CommandError> {
    let (first, rest) = plan.questions.split_first()?;
    // One error for each question: they have to be answered one by one anyway.
    let messages: Vec<String> = std::iter::once(first).chain(rest).map(sentence).collect();
    let mut error = CommandError::new(Kind::User, messages.join("\nerror: "));
    for question in &plan.questions {
        error.hints.extend(way_out(question));
    }
    Some(error)
}

fn sentence(question: &Question) -> String {
    let place = match question.line {
        Some(line) => format!("{}:{line}", question.path),
        None => question.path.to_string(),
    };
    let listed = |names: &[String]| format!("`{}`", names.join("`, `"));
    let service = question.service.as_deref().unwrap_or_default();
    match &question.kind {
        QuestionKind::WhichBinary { candidates } => {
            format!("{place}: which binary is the service? candidates: {}", listed(candidates))
        }
        QuestionKind::NoBinary => format!("{place}: no binary to build: the workspace has libraries only"),
        QuestionKind::MissingLock { expected, .. } => {
            format!("{place}: `{expected}` is missing: without it each build could take other dependencies")
        }
        QuestionKind::StaleLock { dependency, .. } => format!("{place}: the lockfile does not fit the manifest: `{dependency}`"),
        QuestionKind::LinkedOut { target, context } => {
            format!("{place}: it is a link to `{target}`, which is not sent to the builder: the build context is `{context}`")
        }
        QuestionKind::WhichPackageManager { lockfiles } => {
            format!("{place}: which package manager? found side by side: {}", listed(lockfiles))
        }
        QuestionKind::UnknownService { .. } => format!("{place}: nothing says where service `{service}` is"),
        QuestionKind::NothingAt { folder, .. } => format!("{place}: nothing to build in `{folder}` for service `{service}`"),
        QuestionKind::NoSuchBinary { wanted, candidates } if candidates.is_empty() => format!("{place}: there is no `{wanted}`"),
        QuestionKind::NoSuchBinary { wanted, candidates } => {
            format!("{place}: there is no `{wanted}`; there are {}", listed(candidates))
        }
        QuestionKind::WhichKind => format!("{place}: `{service}` could be a Rust or a Node service"),
        QuestionKind::WhatToServe { bundler: None } => {
            format!("{place}: what does `{service}` serve? no bundler and no start script is known")
        }
        QuestionKind::WhatToServe { bundler: Some(bundler) } => {
            format!(
                "{place}: what does `{service}` serve? `{bundler}` builds it; nothing says where to, and no script starts what it has built"
            )
        }
        QuestionKind::NothingFound => "nothing to build: no cargo workspace with a binary and no Node package".to_owned(),
    }
}

fn way_out(question: &Question) -> Vec<String> {
    let mut hints = Vec::new();
    match &question.kind {
        QuestionKind::MissingLock { command, .. } | QuestionKind::StaleLock { command, .. } => {
            let folder = question.path.parent().filter(|folder| !folder.as_str().is_empty());
            hints.push(match folder {
                Some(folder) => format!("run `{command}` in `{folder}` and commit the lockfile"),
                None => format!("run `{command}` and commit the lockfile"),
            });
        }
        QuestionKind::UnknownService { candidates } | QuestionKind::NothingAt { candidates, .. } if !candidates.is_empty() => {
            hints.push(format!("what can be built: {}", candidates.join(", ")));
        }
        QuestionKind::WhichPackageManager { .. } => {
            hints.push("remove the lockfiles that are not in use, or set `packageManager` in package.json".to_owned());
        }
        QuestionKind::LinkedOut { .. } => hints.push(match &question.service {
            Some(service) => format!(
                "put the file itself in its place, or switch the service off: `enabled = false` under `{}` in kiln.toml",
                kiln::settings::service_head(service)
            ),
            None => "put the file itself in its place".to_owned(),
        }),
        QuestionKind::NoBinary => {
            hints.push(
                "a service needs a program: add `src/main.rs` to a member, or name another repository with `--project DIR`"
                    .to_owned(),
            );
        }
        QuestionKind::NothingFound => hints.push("name the repository with `--project DIR`".to_owned()),
        QuestionKind::WhatToServe { bundler: Some(bundler) } if bundler == "sveltekit" => {
            hints.push(
                "SvelteKit's adapter decides: `@sveltejs/adapter-node` makes a server and `@sveltejs/adapter-static` files, which kiln knows; \
                 other adapters make what only their platform runs"
                    .to_owned(),
            );
        }
        _ => {}
    }
    if let Some(setting) = &question.setting {
        let several = setting.matches("[services.").count() > 1;
        let what = if several { ", of these, the services that are to be images" } else { "" };
        hints.push(format!("write into kiln.toml{what}:\n\n{}\n", indented(setting)));
    }
    hints
}

fn indented(text: &str) -> String {
    text.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") }).collect::<Vec<_>>().join("\n")
}
