//! Which bundler or framework builds a package, and what comes out.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;
use serde_json::Value;

use super::Manifest;
use super::javascript::{literals, path_value, values_of, without_comments};

/// What builds a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the name of a well-known tool")]
pub enum Bundler {
    Next,
    Nuxt,
    Astro,
    Sveltekit,
    Remix,
    CreateReactApp,
    Angular,
    VueCli,
    Gatsby,
    Docusaurus,
    Eleventy,
    Vite,
    Webpack,
    Rollup,
    Parcel,
    Esbuild,
    Turbo,
    Tsc,
}

/// The build output of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bundle {
    /// The tool.
    pub bundler: Bundler,
    /// The script that builds.
    pub script: Option<String>,
    /// Its configuration file, relative to the package.
    pub config: Option<Utf8PathBuf>,
    /// What comes out.
    pub output: Output,
    /// Whether the output is a library for other packages (`build.lib` of vite).
    pub library: bool,
}

/// What a build leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "lowercase")]
pub enum Output {
    /// Files to be served as they are.
    Static {
        /// Folder, relative to the package.
        directory: Utf8PathBuf,
        /// The file that names the folder, relative to the package; `None` for the tool's default.
        source: Option<Utf8PathBuf>,
    },
    /// A Node server.
    Server {
        /// Command in exec form; empty where the manifest's start script is to be used.
        command: Vec<String>,
        /// Folders that it needs, relative to the package; empty for the whole package.
        output: Vec<Utf8PathBuf>,
        /// The file that says so, relative to the package.
        source: Option<Utf8PathBuf>,
        /// The port that it listens on by default.
        port: u16,
    },
    /// The tool's configuration does not tell.
    Unknown,
}

struct Signature {
    bundler: Bundler,
    packages: &'static [&'static str],
    commands: &'static [&'static str],
    configs: &'static [&'static str],
}

const fn signature(
    bundler: Bundler,
    packages: &'static [&'static str],
    commands: &'static [&'static str],
    configs: &'static [&'static str],
) -> Signature {
    Signature { bundler, packages, commands, configs }
}

/// Frameworks first: they bring a bundler of their own.
const SIGNATURES: [Signature; 18] = [
    signature(Bundler::Next, &["next"], &["next build", "next export"], &["next.config"]),
    signature(
        Bundler::Nuxt,
        &["nuxt", "nuxt3", "nuxt-edge"],
        &["nuxt build", "nuxi build", "nuxt generate", "nuxi generate"],
        &["nuxt.config"],
    ),
    signature(Bundler::Astro, &["astro"], &["astro build"], &["astro.config"]),
    signature(Bundler::Sveltekit, &["@sveltejs/kit"], &["svelte-kit build"], &["svelte.config"]),
    signature(
        Bundler::Remix,
        &["@remix-run/dev", "@react-router/dev"],
        &["remix build", "remix vite:build", "react-router build"],
        &["react-router.config", "remix.config"],
    ),
    signature(
        Bundler::CreateReactApp,
        &["react-scripts"],
        &["react-scripts build", "craco build", "react-app-rewired build"],
        &["craco.config"],
    ),
    signature(
        Bundler::Angular,
        &["@angular/cli", "@angular/build", "@angular-devkit/build-angular"],
        &["ng build"],
        &["angular"],
    ),
    signature(Bundler::VueCli, &["@vue/cli-service"], &["vue-cli-service build"], &["vue.config"]),
    signature(Bundler::Gatsby, &["gatsby"], &["gatsby build"], &["gatsby-config"]),
    signature(Bundler::Docusaurus, &["@docusaurus/core"], &["docusaurus build"], &["docusaurus.config"]),
    signature(Bundler::Eleventy, &["@11ty/eleventy"], &["eleventy"], &[".eleventy", "eleventy.config"]),
    signature(Bundler::Vite, &["vite", "rolldown-vite"], &["vite build"], &["vite.config"]),
    signature(Bundler::Webpack, &["webpack", "webpack-cli"], &["webpack"], &["webpack.config"]),
    signature(Bundler::Rollup, &["rollup"], &["rollup"], &["rollup.config"]),
    signature(Bundler::Parcel, &["parcel", "parcel-bundler"], &["parcel"], &[".parcelrc"]),
    signature(Bundler::Esbuild, &["esbuild", "tsup"], &["esbuild", "tsup"], &["esbuild", "esbuild.config", "tsup.config"]),
    signature(Bundler::Turbo, &["turbo"], &["turbo"], &["turbo"]),
    signature(Bundler::Tsc, &["typescript", "@nestjs/cli"], &["tsc", "nest build"], &["tsconfig"]),
];

impl Bundler {
    /// The name used in plans and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Nuxt => "nuxt",
            Self::Astro => "astro",
            Self::Sveltekit => "sveltekit",
            Self::Remix => "remix",
            Self::CreateReactApp => "create-react-app",
            Self::Angular => "angular",
            Self::VueCli => "vue-cli",
            Self::Gatsby => "gatsby",
            Self::Docusaurus => "docusaurus",
            Self::Eleventy => "eleventy",
            Self::Vite => "vite",
            Self::Webpack => "webpack",
            Self::Rollup => "rollup",
            Self::Parcel => "parcel",
            Self::Esbuild => "esbuild",
            Self::Turbo => "turbo",
            Self::Tsc => "tsc",
        }
    }

    /// Whether it makes a whole application by itself: what it builds is never a library.
    #[must_use]
    pub const fn is_framework(self) -> bool {
        !matches!(self, Self::Vite | Self::Webpack | Self::Rollup | Self::Parcel | Self::Esbuild | Self::Turbo | Self::Tsc)
    }
}

/// The text of a script with the scripts that it runs put in behind.
pub(super) fn expanded(manifest: &Manifest, name: &str) -> String {
    fn expand(manifest: &Manifest, name: &str, depth: usize, into: &mut String) {
        let Some(text) = manifest.scripts.get(name) else { return };
        into.push_str(text);
        into.push_str(" \n ");
        if depth == 0 {
            return;
        }
        for word in text.split(|c: char| c.is_whitespace() || matches!(c, '&' | ';' | '|' | '"' | '\'')) {
            if word != name && manifest.scripts.contains_key(word) && !word.is_empty() {
                expand(manifest, word, depth - 1, into);
            }
        }
    }
    let mut text = String::new();
    expand(manifest, name, 4, &mut text);
    text
}

/// The script that builds, by its usual names.
pub(super) fn build_script(manifest: &Manifest) -> Option<&'static str> {
    ["build", "build:prod", "build:production", "bundle", "generate"]
        .into_iter()
        .find(|name| manifest.scripts.contains_key(*name))
}

/// Finds the bundler by the build script, else by dependency and configuration file.
pub(super) fn detect(folder: &Utf8Path, manifest: &Manifest) -> Option<Bundle> {
    let script = build_script(manifest);
    let text = script.map(|name| expanded(manifest, name)).unwrap_or_default();
    let has = |signature: &Signature| signature.packages.iter().any(|package| manifest.depends_on(package));
    // SvelteKit is built by `vite build`, and some wrap their framework in a script of their own.
    let found = SIGNATURES
        .iter()
        .find(|signature| signature.bundler == Bundler::Sveltekit && has(signature) && script.is_some())
        .or_else(|| SIGNATURES.iter().find(|signature| signature.commands.iter().any(|command| has_words(&text, command))))
        .or_else(|| {
            SIGNATURES.iter().find(|signature| {
                script.is_some()
                    && signature.bundler != Bundler::Tsc
                    && has(signature)
                    && (signature.bundler.is_framework() || config_file(folder, signature.configs).is_some())
            })
        })?;
    let config = flag_value(&text, &["--config", "-c"], found.bundler).filter(|path| folder.join(path).is_file());
    let config = config.or_else(|| config_file(folder, found.configs));
    let config_text = config.as_ref().and_then(|path| fs::read_to_string(folder.join(path)).ok()).unwrap_or_default();
    let reader = Reader { folder, manifest, config: config.as_deref(), text: without_comments(&config_text), script: &text };
    let library = found.bundler == Bundler::Vite && !values_of(&reader.text, "lib").is_empty();
    let output = reader.output(found.bundler);
    Some(Bundle { bundler: found.bundler, script: script.map(str::to_owned), config, output, library })
}

/// Whether the words stand in the text, one after the other, as whole words.
pub(super) fn has_words(text: &str, words: &str) -> bool {
    let boundary = |c: char| c.is_whitespace() || matches!(c, '&' | ';' | '|' | '"' | '\'' | '/' | '(' | ')');
    text.match_indices(words).any(|(at, found)| {
        let before = text[..at].chars().next_back().is_none_or(boundary);
        let after = text[at + found.len()..].chars().next().is_none_or(boundary);
        before && after
    })
}

fn config_file(folder: &Utf8Path, stems: &[&str]) -> Option<Utf8PathBuf> {
    const EXTENSIONS: [&str; 8] = ["", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json"];
    let mut names = stems.iter().flat_map(|stem| EXTENSIONS.iter().map(move |extension| format!("{stem}{extension}")));
    names.find(|name| folder.join(name).is_file()).map(Utf8PathBuf::from)
}

/// The word after one of the flags. `-c` is a configuration file only for some tools.
fn flag_value(script: &str, flags: &[&str], bundler: Bundler) -> Option<Utf8PathBuf> {
    if !matches!(bundler, Bundler::Rollup | Bundler::Vite | Bundler::Webpack) {
        return None;
    }
    flag(script, flags).map(Utf8PathBuf::from)
}

fn flag(script: &str, flags: &[&str]) -> Option<String> {
    let words = script.split_whitespace().collect::<Vec<_>>();
    words.iter().enumerate().find_map(|(index, word)| {
        flags.iter().find_map(|flag| {
            if word == flag {
                return words.get(index + 1).filter(|next| !next.starts_with('-')).map(|next| (*next).to_owned());
            }
            word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')).map(str::to_owned)
        })
    })
}

struct Reader<'a> {
    folder: &'a Utf8Path,
    manifest: &'a Manifest,
    config: Option<&'a Utf8Path>,
    text: String,
    script: &'a str,
}

impl Reader<'_> {
    fn output(&self, bundler: Bundler) -> Output {
        match bundler {
            Bundler::Next => self.next(),
            Bundler::Nuxt => self.nuxt(),
            Bundler::Astro => self.astro(),
            Bundler::Sveltekit => self.sveltekit(),
            Bundler::Remix => self.remix(),
            Bundler::CreateReactApp => fixed("build"),
            Bundler::Angular => self.angular(),
            Bundler::VueCli => self.key("outputDir").unwrap_or_else(|| fixed("dist")),
            Bundler::Gatsby => fixed("public"),
            Bundler::Docusaurus => fixed("build"),
            Bundler::Eleventy => self.key("output").unwrap_or_else(|| fixed("_site")),
            Bundler::Vite => self.vite(),
            Bundler::Webpack => {
                self.flags(&["--output-path", "-o"]).or_else(|| self.key("path")).unwrap_or_else(|| fixed("dist"))
            }
            Bundler::Rollup => self.rollup(),
            Bundler::Parcel => self.parcel(),
            Bundler::Esbuild => self.esbuild(),
            Bundler::Turbo | Bundler::Tsc => Output::Unknown,
        }
    }

    fn stated(&self, directory: impl Into<Utf8PathBuf>) -> Output {
        Output::Static { directory: directory.into(), source: self.config.map(Utf8Path::to_owned) }
    }

    fn server(&self, command: &[&str], output: &[&str], port: u16) -> Output {
        Output::Server {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            output: output.iter().map(Utf8PathBuf::from).collect(),
            source: self.config.map(Utf8Path::to_owned),
            port,
        }
    }

    /// The folder that a key of the configuration names.
    fn key(&self, key: &str) -> Option<Output> {
        values_of(&self.text, key).into_iter().find_map(path_value).map(|path| self.stated(path))
    }

    /// The folder that a flag of the build script names.
    fn flags(&self, flags: &[&str]) -> Option<Output> {
        let directory = flag(self.script, flags)?;
        let directory = directory.trim_start_matches("./").trim_end_matches('/').into();
        Some(Output::Static { directory, source: Some("package.json".into()) })
    }

    /// Whether a key has the literal as its value.
    fn says(&self, key: &str, literal: &str) -> bool {
        values_of(&self.text, key).iter().any(|value| literals(value).contains(&literal) || *value == literal)
    }

    fn next(&self) -> Output {
        if self.says("output", "export") || has_words(self.script, "next export") {
            return self.key("distDir").unwrap_or_else(|| self.stated("out"));
        }
        if self.says("output", "standalone") {
            return self.server(&["node", ".next/standalone/server.js"], &[".next/standalone"], 3000);
        }
        self.server(&[], &[], 3000)
    }

    fn nuxt(&self) -> Output {
        if has_words(self.script, "generate") || self.says("preset", "static") {
            return self.stated(".output/public");
        }
        self.server(&["node", ".output/server/index.mjs"], &[".output"], 3000)
    }

    fn astro(&self) -> Output {
        if self.says("output", "server") || self.says("output", "hybrid") || !values_of(&self.text, "adapter").is_empty() {
            return if self.manifest.depends_on("@astrojs/node") {
                self.server(&["node", "dist/server/entry.mjs"], &[], 4321)
            } else {
                Output::Unknown
            };
        }
        self.key("outDir").unwrap_or_else(|| fixed("dist"))
    }

    fn sveltekit(&self) -> Output {
        if self.text.contains("@sveltejs/adapter-static") {
            return self.key("pages").unwrap_or_else(|| self.stated("build"));
        }
        if self.text.contains("@sveltejs/adapter-node") {
            let out = values_of(&self.text, "out").into_iter().find_map(path_value).unwrap_or_else(|| "build".to_owned());
            return self.server(&["node", &out], &[], 3000);
        }
        Output::Unknown
    }

    fn remix(&self) -> Output {
        if self.says("ssr", "false") {
            return self.stated("build/client");
        }
        self.server(&[], &[], 3000)
    }

    fn angular(&self) -> Output {
        let text = fs::read_to_string(self.folder.join("angular.json")).unwrap_or_default();
        let value = serde_json::from_str::<Value>(&without_comments(&text)).unwrap_or_default();
        let projects = value.get("projects").and_then(Value::as_object);
        let mut applications = projects
            .into_iter()
            .flatten()
            .filter(|(_, project)| project.get("projectType").and_then(Value::as_str) != Some("library"));
        let Some((name, project)) = applications.next() else { return Output::Unknown };
        let build = ["architect", "targets"].iter().find_map(|key| project.get(*key)?.get("build"));
        let builder = build.and_then(|build| build.get("builder")?.as_str()).unwrap_or_default();
        let path = build.and_then(|build| build.get("options")?.get("outputPath"));
        let browser = if builder.ends_with(":application") { "browser" } else { "" };
        let directory = match path {
            Some(Value::String(base)) => Utf8PathBuf::from(base).join(browser),
            Some(Value::Object(table)) => {
                let base = table.get("base").and_then(Value::as_str).unwrap_or("dist");
                Utf8PathBuf::from(base).join(table.get("browser").and_then(Value::as_str).unwrap_or("browser"))
            }
            _ => Utf8PathBuf::from("dist").join(name).join(browser),
        };
        Output::Static { directory: directory.components().collect(), source: Some("angular.json".into()) }
    }

    fn vite(&self) -> Output {
        let root = values_of(&self.text, "root").into_iter().find_map(path_value).filter(|root| self.folder.join(root).is_dir());
        let stated = values_of(&self.text, "outDir").into_iter().next();
        let from_flag = flag(self.script, &["--outDir"]);
        let relative = from_flag.clone().or_else(|| stated.and_then(path_value));
        // An absolute path by `resolve(__dirname, …)` starts at the configuration, a plain one at vite's root.
        let absolute = stated.is_some_and(|value| value.contains('(')) && from_flag.is_none();
        let base = Utf8PathBuf::from(root.filter(|_| !absolute).unwrap_or_default());
        match relative {
            Some(path) if from_flag.is_some() => {
                Output::Static { directory: tidy(&base.join(path)), source: Some("package.json".into()) }
            }
            Some(path) => self.stated(tidy(&base.join(path))),
            None if base == "" => fixed("dist"),
            None => self.stated(tidy(&base.join("dist"))),
        }
    }

    fn rollup(&self) -> Output {
        let from_flag = flag(self.script, &["--dir", "-d"]).or_else(|| parent(&flag(self.script, &["--file", "-o"])?));
        if let Some(directory) = from_flag {
            return Output::Static {
                directory: self.site(&tidy(Utf8Path::new(&directory))),
                source: Some("package.json".into()),
            };
        }
        let folder = values_of(&self.text, "dir").into_iter().find_map(path_value);
        let folder =
            folder.or_else(|| values_of(&self.text, "file").into_iter().filter_map(path_value).find_map(|file| parent(&file)));
        folder.map_or_else(|| fixed("dist"), |folder| self.stated(self.site(Utf8Path::new(&folder))))
    }

    /// The nearest folder above the bundle that holds a page: `public` for `public/build/bundle.js`.
    fn site(&self, bundle: &Utf8Path) -> Utf8PathBuf {
        let mut above = bundle.ancestors().filter(|folder| *folder != "");
        above.find(|folder| self.folder.join(folder).join("index.html").is_file()).unwrap_or(bundle).to_owned()
    }

    fn parcel(&self) -> Output {
        let targets = self.manifest.document.get("targets").and_then(Value::as_object);
        let stated = targets.into_iter().flatten().find_map(|(_, target)| target.get("distDir")?.as_str());
        if let Some(directory) = stated {
            return Output::Static { directory: tidy(Utf8Path::new(directory)), source: Some("package.json".into()) };
        }
        self.flags(&["--dist-dir", "--out-dir", "-d"]).unwrap_or_else(|| fixed("dist"))
    }

    fn esbuild(&self) -> Output {
        if let Some(output) = self.flags(&["--outdir"]) {
            return output;
        }
        if let Some(directory) = flag(self.script, &["--outfile"]).and_then(|file| parent(&file)) {
            return Output::Static {
                directory: self.site(&tidy(Utf8Path::new(&directory))),
                source: Some("package.json".into()),
            };
        }
        let file = || values_of(&self.text, "outfile").into_iter().find_map(path_value).and_then(|file| parent(&file));
        let folder = values_of(&self.text, "outdir").into_iter().find_map(path_value).or_else(file);
        folder.map_or_else(|| fixed("dist"), |folder| self.stated(self.site(Utf8Path::new(&folder))))
    }
}

/// The tool's default.
fn fixed(directory: &str) -> Output {
    Output::Static { directory: directory.into(), source: None }
}

/// The folder of a file, unless it is the package's own.
fn parent(file: &str) -> Option<String> {
    let parent = Utf8Path::new(file).parent()?;
    (parent != "").then(|| tidy(parent).into_string())
}

/// Without `.`, and with `a/..` taken out.
fn tidy(path: &Utf8Path) -> Utf8PathBuf {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.components() {
        match part.as_str() {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    parts.iter().collect()
}
