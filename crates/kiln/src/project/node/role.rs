//! Application, library or tooling; and how a server is started.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::bundler::{build_script, expanded, has_words};
use super::javascript::without_comments;
use super::{Bundle, Bundler, Manifest, Output};

/// What a package is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Makes something that an image serves.
    Application,
    /// Is used by other packages.
    Library,
    /// Only holds tools: hooks, formatters, the scripts of a workspace root.
    Tooling,
}

/// How a server is started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerStart {
    /// Command in exec form.
    pub command: Vec<String>,
    /// The script it was read off; `None` where it follows from `main`.
    pub script: Option<String>,
    /// The server framework among the dependencies.
    pub framework: Option<String>,
    /// The port that the program listens on, where its text tells.
    pub port: Option<u16>,
}

/// Packages that make a Node process a server.
const FRAMEWORKS: [&str; 17] = [
    "express",
    "fastify",
    "@nestjs/core",
    "koa",
    "@hapi/hapi",
    "@hono/node-server",
    "hono",
    "polka",
    "restify",
    "h3",
    "@adonisjs/core",
    "@feathersjs/feathers",
    "@apollo/server",
    "apollo-server",
    "socket.io",
    "ws",
    "json-server",
];

/// Commands that serve for development only.
const DEVELOPMENT: [&str; 14] = [
    "vite",
    "webpack",
    "webpack-dev-server",
    "react-scripts",
    "ng",
    "parcel",
    "rollup",
    "vue-cli-service",
    "nodemon",
    "serve",
    "http-server",
    "live-server",
    "gatsby",
    "docusaurus",
];

/// Reads how the package is started, where it is a server.
pub(super) fn server_start(folder: &Utf8Path, manifest: &Manifest, bundle: Option<&Bundle>) -> Option<ServerStart> {
    let framework = FRAMEWORKS.into_iter().find(|name| manifest.runs_with(name));
    let bundles = bundle.is_some_and(|bundle| matches!(bundle.output, Output::Static { .. }));
    let framework_serves = bundle.is_some_and(|bundle| matches!(bundle.output, Output::Server { .. }));
    if bundles && framework.is_none() {
        return None;
    }
    let script = ["start:prod", "start:production", "start", "serve"].into_iter().find_map(|name| {
        let text = manifest.scripts.get(name)?;
        let develops = DEVELOPMENT.iter().any(|command| words(text).next() == Some(*command));
        (!develops && !text.trim().is_empty() && !builds(text)).then_some((name, text))
    });
    let (command, name) = match script {
        Some((name, text)) => (exec_form(name, text), Some(name)),
        None => {
            framework?;
            let main = manifest.main.as_deref().or_else(|| folder.join("server.js").is_file().then_some("server.js"))?;
            (vec!["node".to_owned(), main.to_owned()], None)
        }
    };
    let runs_node = matches!(command.first().map(String::as_str), Some("node" | "tsx" | "bun" | "ts-node"));
    if framework.is_none() && !framework_serves && !runs_node {
        return None;
    }
    let port = name.and_then(|name| port_in_script(manifest, name)).or_else(|| port_in_sources(folder, &command));
    Some(ServerStart { command, script: name.map(str::to_owned), framework: framework.map(str::to_owned), port })
}

/// Whether a script builds first, as in `npm run build && node dist/main.js`: then it is none for an image. A path or folder of that name is no such word.
fn builds(text: &str) -> bool {
    let mut before = "";
    text.split(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | '|' | '"' | '\'' | '(' | ')'))
        .filter(|word| !word.is_empty())
        .any(|word| {
            let starts = before == "node" || before.starts_with('-');
            before = word;
            word == "build" && !starts
        })
}

/// Words of a command without leading assignments and `cross-env`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let skip = |word: &&str| *word == "cross-env" || *word == "exec" || *word == "npx" || is_assignment(word);
    text.split_whitespace().skip_while(skip)
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    })
}

/// A plain `node …` as it is; anything else by the script's name.
fn exec_form(name: &str, text: &str) -> Vec<String> {
    let plain = !text.contains(['&', '|', ';', '"', '\'', '$', '`', '<', '>', '*', '(']);
    if plain && words(text).next() == Some("node") {
        return words(text).map(str::to_owned).collect();
    }
    ["npm", "run", "--silent", name].map(str::to_owned).to_vec()
}

fn port_in_script(manifest: &Manifest, script: &str) -> Option<u16> {
    let text = expanded(manifest, script);
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.next() {
        if let Some(port) = word.strip_prefix("PORT=").or_else(|| word.strip_prefix("--port=")).and_then(|port| port.parse().ok())
        {
            return Some(port);
        }
        if matches!(word, "--port" | "-p")
            && let Some(port) = words.peek().and_then(|port| port.parse().ok())
        {
            return Some(port);
        }
    }
    None
}

/// Looks for `PORT || 4000`, `PORT ?? 4000` and `listen(4000` in the started file or its likely source.
fn port_in_sources(folder: &Utf8Path, command: &[String]) -> Option<u16> {
    let started = command.iter().skip(1).find(|word| !word.starts_with('-')).map(Utf8PathBuf::from);
    let stem = started.as_ref().and_then(|path| path.file_stem()).unwrap_or("index").to_owned();
    let stems = [stem.as_str(), "main", "index", "server", "app"];
    let likely = ["src", "."].into_iter().flat_map(|place| stems.iter().map(move |stem| (place, *stem)));
    let likely =
        likely.flat_map(|(place, stem)| ["ts", "js", "mjs", "cjs"].map(|end| Utf8PathBuf::from(format!("{place}/{stem}.{end}"))));
    started
        .into_iter()
        .chain(likely)
        .find_map(|path| port_in_text(&without_comments(&fs::read_to_string(folder.join(path)).ok()?)))
}

fn port_in_text(text: &str) -> Option<u16> {
    ["PORT ||", "PORT ??", "PORT) ||", "PORT) ??", "PORT, 10) ||", "listen(", "port:"].iter().find_map(|marker| {
        text.match_indices(marker).find_map(|(at, found)| {
            let rest = text[at + found.len()..].trim_start().trim_start_matches(['"', '\'']);
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse::<u16>().ok().filter(|port| *port > 79)
        })
    })
}

/// Decides what a package is for. `used`: another package of the workspace depends on it.
pub(super) fn role(
    folder: &Utf8Path,
    manifest: &Manifest,
    bundle: Option<&Bundle>,
    server: Option<&ServerStart>,
    workspace_root: bool,
    used: bool,
) -> Role {
    let script = build_script(manifest);
    if workspace_root {
        let text = script.map(|name| expanded(manifest, name)).unwrap_or_default();
        let delegates = [
            "--workspace",
            "--workspaces",
            "-w",
            "-ws",
            "-r",
            "--recursive",
            "--filter",
            "workspaces",
            "workspace",
            "turbo",
            "lerna",
            "nx",
        ];
        let own = bundle.is_some_and(|bundle| !matches!(bundle.bundler, Bundler::Turbo | Bundler::Tsc));
        let builds_itself = own && !delegates.iter().any(|word| has_words(&text, word));
        let serves = server.is_some_and(|server| server.framework.is_some());
        return if builds_itself || serves { Role::Application } else { Role::Tooling };
    }
    if used
        && bundle.is_none_or(|bundle| !bundle.bundler.is_framework())
        && server.is_none_or(|server| server.framework.is_none())
    {
        return Role::Library;
    }
    if server.is_some() {
        return Role::Application;
    }
    let published = ["exports", "module", "types", "typings", "publishConfig", "peerDependencies"];
    let looks_published =
        published.iter().any(|key| manifest.document.contains_key(*key)) || (manifest.main.is_some() && !manifest.private);
    match bundle {
        Some(bundle) if bundle.library => Role::Library,
        Some(bundle) if bundle.bundler.is_framework() => Role::Application,
        Some(bundle) if matches!(bundle.bundler, Bundler::Tsc | Bundler::Turbo) => {
            if looks_published {
                Role::Library
            } else {
                Role::Tooling
            }
        }
        Some(_) if has_page(folder, manifest) => Role::Application,
        Some(_) if looks_published => Role::Library,
        Some(_) => Role::Application,
        None if script.is_none() => {
            if looks_published {
                Role::Library
            } else {
                Role::Tooling
            }
        }
        None if looks_published => Role::Library,
        None => Role::Application,
    }
}

fn has_page(folder: &Utf8Path, manifest: &Manifest) -> bool {
    let places = ["", "public", "src", "static", "app", "client"];
    places.iter().any(|place| folder.join(place).join("index.html").is_file()) || manifest.depends_on("html-webpack-plugin")
}
