use std::fs;

use camino::Utf8Path;

use super::*;

/// A workspace with everything that a recipe treats apart.
const FILES: [(&str, &str); 17] = [
    (
        "package.json",
        r#"{"name": "shop", "version": "1.4.0", "description": "A shop", "private": true, "type": "module", "workspaces": ["packages/*"],
        "scripts": {"build": "npm run build --workspaces", "postinstall": "patch-package && node scripts/fix.js", "prepare": "husky"},
        "dependencies": {"left-pad": "^1.3.0", "@shop/ui": "^2.1.0"}, "devDependencies": {"husky": "^9", "patch-package": "^8"},
        "overrides": {"minimist": "^1.2.8"}, "eslintConfig": {}, "engines": {"node": ">=20"}}"#,
    ),
    (
        "packages/ui/package.json",
        r#"{"name": "@shop/ui", "version": "2.3.4", "license": "MIT", "main": "dist/ui.js", "bin": {"ui": "./cli.js"}, "files": ["dist"], "scripts": {"build": "rollup -c", "prepare": "svelte-kit sync"}, "dependencies": {"kleur": "^4"}}"#,
    ),
    ("packages/ui/cli.js", "console.log('ui')"),
    (
        "packages/site/package.json",
        r#"{"name": "@shop/site", "version": "0.9.0", "scripts": {"build": "vite build"}, "dependencies": {"@shop/ui": "^2.0.0", "tool": "file:../../vendor/tool"}}"#,
    ),
    ("vendor/tool/package.json", r#"{"name": "tool", "version": "3.0.0", "author": "someone"}"#),
    ("vendor/tool/index.js", ""),
    ("patches/left-pad+1.3.0.patch", "--- a"),
    ("scripts/fix.js", "import './more.js'"),
    ("scripts/more.js", ""),
    ("scripts/unrelated.js", ""),
    ("src/index.js", ""),
    (".npmrc", "# registry\n//registry.example/:_authToken=secret\nlegacy-peer-deps=true\n"),
    (".nvmrc", "20"),
    ("README.md", "# shop"),
    ("dist/a.js", ""),
    ("node_modules/left-pad/package.json", "{}"),
    (
        "package-lock.json",
        r#"{"name": "shop", "version": "1.4.0", "lockfileVersion": 3, "requires": true, "packages": {
        "": {"name": "shop", "version": "1.4.0", "hasInstallScript": true, "license": "UNLICENSED", "workspaces": ["packages/*"],
          "dependencies": {"left-pad": "^1.3.0", "@shop/ui": "^2.1.0"}, "devDependencies": {"husky": "^9", "patch-package": "^8"}},
        "node_modules/@shop/site": {"resolved": "packages/site", "link": true},
        "node_modules/@shop/ui": {"resolved": "packages/ui", "link": true},
        "node_modules/tool": {"resolved": "vendor/tool", "link": true},
        "node_modules/husky": {"version": "9.1.0"}, "node_modules/patch-package": {"version": "8.0.0"},
        "node_modules/left-pad": {"version": "1.3.0", "license": "WTFPL"}, "node_modules/kleur": {"version": "4.1.5"},
        "packages/site": {"name": "@shop/site", "version": "0.9.0", "dependencies": {"@shop/ui": "^2.0.0", "tool": "file:../../vendor/tool"}},
        "packages/ui": {"name": "@shop/ui", "version": "2.3.4", "license": "MIT", "bin": {"ui": "cli.js"}, "dependencies": {"kleur": "^4"}},
        "vendor/tool": {"version": "3.0.0"}}}"#,
    ),
];

/// File, what stands there (nothing: a new file), what takes its place.
type Edit = (&'static str, &'static str, &'static str);

/// The recipe after replacing text in a file (or making the file).
fn recipe_after(edits: &[Edit]) -> NpmRecipe {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for (path, text) in FILES {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    for (path, from, to) in edits {
        fs::create_dir_all(root.join(path).parent().unwrap()).unwrap();
        let text = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(text.contains(from), "{path} has no {from}");
        fs::write(root.join(path), if from.is_empty() { (*to).to_owned() } else { text.replace(from, to) }).unwrap();
    }
    prepare_npm(root).unwrap()
}

#[test]
fn a_recipe_holds_what_an_install_reads_and_nothing_else() {
    let recipe = recipe_after(&[]);
    let files = recipe.files.iter().map(|(path, file)| {
        let mode = if file.executable { "x" } else { "-" };
        format!("== {path} {mode}\n{}", String::from_utf8_lossy(&file.bytes).trim_end())
    });
    let text = files.chain([format!("{:#?}", recipe.remarks)]).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(text);
}

#[test]
fn what_an_install_does_not_read_leaves_the_recipe_byte_identical() {
    let before = recipe_after(&[]).files;
    let table: [(&str, &[Edit]); 12] = [
        ("version bump", &[("package.json", "1.4.0", "1.5.0"), ("package-lock.json", "1.4.0", "1.5.0")]),
        ("version bump, lock forgotten", &[("package.json", "1.4.0", "1.5.0")]),
        ("member's version bump", &[("packages/ui/package.json", "2.3.4", "2.9.0"), ("package-lock.json", "2.3.4", "2.9.0")]),
        (
            "linked folder's version bump",
            &[("vendor/tool/package.json", "3.0.0", "3.1.0"), ("package-lock.json", "3.0.0", "3.1.0")],
        ),
        ("name", &[("package.json", "\"shop\"", "\"store\""), ("package-lock.json", "\"shop\"", "\"store\"")]),
        ("description", &[("package.json", "A shop", "The shop")]),
        ("new script", &[("package.json", "\"build\":", "\"lint\": \"eslint .\", \"build\":")]),
        ("husky's script", &[("package.json", "\"husky\"}", "\"husky || true\"}")]),
        ("member's bin edited", &[("packages/ui/cli.js", "'ui'", "'UI'")]),
        ("source edit", &[("src/index.js", "", "let a"), ("scripts/unrelated.js", "", "1"), ("README.md", "shop", "Shop")]),
        (
            "order and layout",
            &[(
                "package.json",
                "\"left-pad\": \"^1.3.0\", \"@shop/ui\": \"^2.1.0\"",
                "\n\"@shop/ui\": \"^2.1.0\", \"left-pad\": \"^1.3.0\"",
            )],
        ),
        ("comment in .npmrc", &[(".npmrc", "# registry", "# the registry")]),
    ];
    for (edit, edits) in table {
        assert_eq!(recipe_after(edits).files, before, "{edit}");
    }
}

#[test]
fn what_an_install_reads_changes_the_recipe() {
    let before = recipe_after(&[]).files;
    let table: [(&str, &[Edit]); 11] = [
        ("dependency", &[("package.json", "^1.3.0", "^1.2.0")]),
        ("member's dependency", &[("packages/ui/package.json", "\"kleur\": \"^4\"", "\"kleur\": \"^4.1\"")]),
        ("override", &[("package.json", "^1.2.8", "^1.2.7")]),
        ("patch", &[("patches/left-pad+1.3.0.patch", "--- a", "--- b")]),
        ("new patch", &[("patches/kleur+4.1.5.patch", "", "--- a")]),
        ("install script's file", &[("scripts/more.js", "", "1")]),
        ("install script", &[("package.json", "patch-package &&", "patch-package --error-on-fail &&")]),
        (".npmrc", &[(".npmrc", "legacy-peer-deps=true", "legacy-peer-deps=false")]),
        ("locked version", &[("package-lock.json", "4.1.5", "4.1.4")]),
        (
            "new member",
            &[
                ("packages/new/package.json", "", "{\"name\": \"new\"}"),
                ("package-lock.json", "\"packages/site\":", "\"packages/new\": {}, \"packages/site\":"),
            ],
        ),
        ("engines", &[("package.json", ">=20", ">=22")]),
    ];
    for (edit, edits) in table {
        assert_ne!(recipe_after(edits).files, before, "{edit}");
    }
}

#[test]
fn a_lock_that_lacks_a_dependency_is_an_error_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    fs::write(root.join("package.json"), "{\n\"dependencies\": {\n\"a\": \"^1\"\n}\n}").unwrap();
    assert!(matches!(prepare_npm(root), Err(NpmRecipeError::MissingLock { .. })));
    fs::write(root.join("package-lock.json"), r#"{"lockfileVersion": 3, "packages": {"": {}}}"#).unwrap();
    let error = prepare_npm(root).unwrap_err();
    assert_eq!(error.to_string(), "`package.json` line 3: `a` asks for `^1`, which `package-lock.json` does not hold");
}

#[test]
fn a_recipe_is_written_into_an_empty_folder_only() {
    let folder = tempfile::tempdir().unwrap();
    let output = Utf8Path::from_path(folder.path()).unwrap().join("recipe");
    let recipe = recipe_after(&[]);
    recipe.write(&output).unwrap();
    assert!(output.join("packages/ui/package.json").is_file());
    assert!(matches!(recipe.write(&output), Err(NpmRecipeError::OutputNotEmpty { .. })));
}
