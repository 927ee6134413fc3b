//! One line more in a text, a module or a component, and where a frontend begins.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

use super::rust_source::{at_end, remark};
use crate::project::cargo::paths::normalize;
use crate::project::node::{NodePackage, javascript};

/// Before the mark in a text.
const TEXT: &str = "kiln bench ";
/// Before the mark in a module. An effect, so that no bundler drops it; and a call, which type checkers accept.
const STATEMENT: &str = "Object.assign(globalThis, { kilnBench: \"";

/// Modules from which the usual tools start, the most telling first. Each may have one of [`EXTENSIONS`].
const ENTRIES: [&str; 14] = [
    "src/main",
    "src/index",
    "src/app/layout",
    "app/layout",
    "src/pages/_app",
    "pages/_app",
    "src/app/page",
    "app/page",
    "src/pages/index",
    "pages/index",
    "app/root",
    "src/app",
    "index",
    "server",
];

const EXTENSIONS: [&str; 8] = ["ts", "tsx", "js", "jsx", "mjs", "mts", "cjs", "cts"];

/// Components from which a framework starts, where there is no module.
const COMPONENTS: [&str; 5] =
    ["src/routes/+layout.svelte", "src/routes/+page.svelte", "src/App.vue", "app.vue", "src/App.svelte"];

/// The text with the line of a round as its last.
pub(super) fn in_text(path: &Utf8Path, text: &str, mark: &str) -> String {
    remark(text, TEXT, mark).unwrap_or_else(|| match path.extension() {
        Some("md" | "markdown" | "mdx" | "html" | "htm") => at_end(text, &format!("<!-- {TEXT}{mark} -->")),
        _ => at_end(text, &format!("{TEXT}{mark}")),
    })
}

/// The module or component with the statement of a round.
pub(super) fn in_script(path: &Utf8Path, text: &str, mark: &str) -> String {
    if let Some(replaced) = remark(text, STATEMENT, mark) {
        return replaced;
    }
    let statement = format!("{STATEMENT}{mark}\" }});");
    if !matches!(path.extension(), Some("vue" | "svelte")) {
        return at_end(text, &statement);
    }
    // A component's own script: behind its opening tag, for imports may follow statements.
    let opening = text.match_indices("<script").find_map(|(at, _)| {
        let end = at + text[at..].find('>')?;
        let tag = &text[at..end];
        (!tag.contains("src=") && !tag.ends_with('/')).then_some(end + 1)
    });
    match opening {
        Some(at) => format!("{}\n{statement}{}", &text[..at], &text[at..]),
        None => at_end(text, &format!("<script>\n{statement}\n</script>")),
    }
}

/// The module from which a package's build starts, relative to the package's folder: what its page, its bundler's configuration
/// or its scripts name, else the usual ones.
pub(super) fn entry(folder: &Utf8Path, package: &NodePackage) -> Option<Utf8PathBuf> {
    let named = from_page(folder).into_iter().chain(from_config(folder, package)).chain(from_scripts(package));
    let usual = ENTRIES.iter().flat_map(|stem| EXTENSIONS.iter().map(move |extension| format!("{stem}.{extension}")));
    let usual = usual.chain(COMPONENTS.iter().map(|path| (*path).to_owned())).chain(package.manifest.main.clone());
    named.chain(usual).map(|path| normalize(Utf8Path::new(&path))).find(|path| is_source(path) && folder.join(path).is_file())
}

/// Whether a statement can be put into the file, and the file is no product of a build.
fn is_source(path: &Utf8Path) -> bool {
    let kind = path.extension().is_some_and(|extension| EXTENSIONS.contains(&extension) || matches!(extension, "vue" | "svelte"));
    let made = path.components().any(|part| matches!(part.as_str(), "dist" | "build" | "out" | "node_modules" | ".."));
    kind && !made && !path.is_absolute()
}

/// `<script type="module" src="/src/main.ts">` of the page that vite and parcel start from.
fn from_page(folder: &Utf8Path) -> Vec<String> {
    let pages = ["index.html", "src/index.html"];
    let mut found = Vec::new();
    for page in pages {
        let Ok(text) = fs::read_to_string(folder.join(page)) else { continue };
        for tag in text.split("<script").skip(1) {
            let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
            let Some(source) =
                javascript::values_of(tag, "src").first().and_then(|value| javascript::literals(value).first().copied())
            else {
                continue;
            };
            found.push(match source.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None => Utf8Path::new(page).with_file_name(source).into_string(),
            });
        }
    }
    found
}

/// `input` of rollup, `entry` of webpack.
fn from_config(folder: &Utf8Path, package: &NodePackage) -> Vec<String> {
    let Some(config) = package.bundle.as_ref().and_then(|bundle| bundle.config.as_ref()) else { return Vec::new() };
    let Ok(text) = fs::read_to_string(folder.join(config)) else { return Vec::new() };
    let text = javascript::without_comments(&text);
    let values = ["input", "entry", "entryPoints"].into_iter().flat_map(|key| javascript::values_of(&text, key));
    values.flat_map(javascript::literals).map(str::to_owned).collect()
}

/// Files among the words of the scripts that build and start.
fn from_scripts(package: &NodePackage) -> Vec<String> {
    let build = package.bundle.as_ref().and_then(|bundle| bundle.script.as_deref());
    let start = package.server.as_ref().and_then(|server| server.script.as_deref());
    let command = package.server.iter().flat_map(|server| server.command.iter().cloned());
    let scripts = build.into_iter().chain(start).filter_map(|name| package.manifest.scripts.get(name));
    let words = scripts.flat_map(|script| script.split_whitespace().map(str::to_owned)).chain(command);
    // `rollup -c rollup.config.mjs` names a file that is no part of the bundle.
    words.filter(|word| !word.contains(".config.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::fixture::Fixture;
    use crate::project::node::NodeWorkspace;

    #[test]
    fn a_line_is_added_once_and_renumbered() {
        let cases = [
            ("a.js", "run()", "run()\nObject.assign(globalThis, { kilnBench: \"a:1\" });\n"),
            (
                "a.svelte",
                "<script lang=\"ts\">\n  import a;\n</script>",
                "<script lang=\"ts\">\nObject.assign(globalThis, { kilnBench: \"a:1\" });\n  import a;\n</script>",
            ),
            ("a.vue", "<template/>\n", "<template/>\n<script>\nObject.assign(globalThis, { kilnBench: \"a:1\" });\n</script>\n"),
        ];
        for (path, text, expected) in cases {
            let changed = in_script(path.into(), text, "a:1");
            assert_eq!(changed, expected);
            assert_eq!(in_script(path.into(), &changed, "a:12"), expected.replace("a:1", "a:12"));
        }
        for (path, expected) in [("README.md", "x\n<!-- kiln bench a:1 -->\n"), ("README", "x\nkiln bench a:1\n")] {
            let changed = in_text(path.into(), "x", "a:1");
            assert_eq!(changed, expected);
            assert_eq!(in_text(path.into(), &changed, "b:2"), expected.replace("a:1", "b:2"));
        }
    }

    #[test]
    fn the_entry_is_what_the_tools_start_from() {
        let manifest = |scripts: &str, dependency: &str| {
            format!(r#"{{"name":"web","private":true,"scripts":{{{scripts}}},"devDependencies":{{"{dependency}":"1.0.0"}}}}"#)
        };
        let cases = [
            (
                manifest(r#""build":"vite build""#, "vite"),
                "index.html",
                "<script type=\"module\" src=\"/src/start.tsx\"></script>",
                "src/start.tsx",
            ),
            (
                manifest(r#""build":"rollup -c""#, "rollup"),
                "rollup.config.js",
                "export default { input: ['lib/a.js'] }",
                "lib/a.js",
            ),
            (manifest(r#""build":"esbuild web/app.ts --bundle --outdir=dist""#, "esbuild"), "x", "", "web/app.ts"),
            (manifest(r#""build":"next build""#, "next"), "src/app/page.tsx", "", "src/app/layout.tsx"),
        ];
        for (manifest, file, text, expected) in cases {
            let fixture = Fixture::new().file("package.json", &manifest).file(expected, "").file(file, text);
            let workspace = NodeWorkspace::load(fixture.path()).unwrap();
            let package = workspace.root().unwrap();
            assert_eq!(entry(fixture.path(), package).as_deref(), Some(Utf8Path::new(expected)));
        }
    }
}
