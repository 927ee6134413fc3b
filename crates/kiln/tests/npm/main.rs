//! npm itself installs what kiln gives it. This needs npm but no registry: nothing is fetched, or from a server of the test.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![expect(clippy::disallowed_methods, reason = "runs npm to see that it takes what kiln writes")]

mod install;
mod registry;

use std::fs;
use std::io::Write as _;
use std::process::Command;

use camino::Utf8Path;
use kiln::project::node::NodeWorkspace;
use kiln::recipe::npm::prepare_npm;

const FILES: [(&str, &str); 7] = [
    (
        "package.json",
        r#"{"name": "shop", "version": "1.4.0", "description": "A shop", "type": "module", "workspaces": ["packages/*"],
        "scripts": {"build": "x", "postinstall": "husky || git config core.hooksPath x && node scripts/mark.js"}, "dependencies": {"@shop/ui": "^2.1.0"}}"#,
    ),
    ("scripts/mark.js", "import { writeFileSync } from 'node:fs';\nwriteFileSync('node_modules/marked', 'yes');\n"),
    (
        "packages/ui/package.json",
        r#"{"name": "@shop/ui", "version": "2.3.4", "license": "MIT", "bin": {"ui": "./cli.js"}, "scripts": {"prepare": "rollup -c"}}"#,
    ),
    ("packages/ui/cli.js", "#!/usr/bin/env node\nconsole.log('ui');\n"),
    (
        "packages/site/package.json",
        r#"{"name": "@shop/site", "version": "0.9.0", "dependencies": {"@shop/ui": "^2.0.0", "tool": "file:../../vendor/tool"}}"#,
    ),
    ("packages/loose/package.json", r#"{"name": "@shop/loose"}"#),
    ("vendor/tool/package.json", r#"{"name": "tool", "version": "3.0.0", "dependencies": {"@shop/ui": "2.x"}}"#),
];

/// Runs npm and gives its output; `None` where there is no npm.
fn npm(folder: &Utf8Path, arguments: &[&str]) -> Option<(bool, String)> {
    let output = Command::new("npm").args(arguments).current_dir(folder).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Some((output.status.success(), text))
}

#[test]
fn npm_ci_installs_from_a_recipe_of_a_workspace_as_from_the_workspace() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap().join("source");
    for (path, text) in FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let Some((locked, text)) = npm(&root, &["install", "--package-lock-only", "--offline", "--ignore-scripts"]) else {
        let _ = std::io::stderr().write_all(b"SKIPPED: there is no npm on this machine\n");
        return;
    };
    assert!(locked, "{text}");
    assert_eq!(NodeWorkspace::load(&root).unwrap().disagreement, None);

    let output = root.parent().unwrap().join("recipe");
    let recipe = prepare_npm(&root).unwrap();
    recipe.write(&output).unwrap();
    let (installed, text) = npm(&output, &["ci", "--offline", "--no-audit", "--no-fund"]).unwrap();
    assert!(installed, "{text}");
    for path in [
        "node_modules/@shop/ui/cli.js",
        "node_modules/.bin/ui",
        "node_modules/@shop/site",
        "node_modules/tool",
        "node_modules/marked",
    ] {
        assert!(output.join(path).exists(), "{path} is missing: {text}");
    }

    // And what npm refuses, kiln refuses: the manifest asks for another major of a member.
    let manifest = root.join("packages/site/package.json");
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap().replace("^2.0.0", "^3.0.0")).unwrap();
    let (installed, text) = npm(&root, &["ci", "--offline", "--ignore-scripts"]).unwrap();
    assert!(!installed, "{text}");
    let message = prepare_npm(&root).unwrap_err().to_string();
    assert_eq!(
        message,
        "`packages/site/package.json` line 1: `@shop/ui` asks for `^3.0.0`, which `package-lock.json` does not hold"
    );
}
