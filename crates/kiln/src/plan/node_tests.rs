use std::fs;

use super::*;

const LOCK: &str = r#"{"lockfileVersion": 3, "packages": {"": {}}}"#;

fn planned(files: &[(&str, &str)], choices: &BTreeMap<Utf8PathBuf, NodeChoice>) -> NodePlan {
    let folder = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(folder.path()).unwrap();
    for (path, text) in files {
        let path = root.join("web").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let workspace = NodeWorkspace::load(&root.join("web")).unwrap();
    plan_node(root, &workspace, choices)
}

/// One line for each service and question.
fn lines(plan: &NodePlan) -> Vec<String> {
    let decisions = plan.decisions.iter().map(|decision| {
        let service = &decision.service;
        let serve = match &service.serve {
            Serve::Static { directory } => format!("static {directory}"),
            Serve::Server { command, output } => format!("server `{}` {output:?}", command.join(" ")),
        };
        let script = service.build_script.as_deref().unwrap_or("-");
        let bundler = service.bundler.as_deref().unwrap_or("-");
        format!(
            "{} [{}] {script} {bundler} {serve} :{} node {} {:?}",
            decision.name, decision.path, decision.port, service.node_version, decision.sources
        )
    });
    let questions = plan.questions.iter().map(|question| format!("? {} {:?} {:?}", question.path, question.line, question.kind));
    decisions.chain(questions).collect()
}

/// A package with dependencies, scripts and files, without versions so that the lock has nothing to refuse.
fn package(files: &[(&str, &str)]) -> String {
    let mut all = vec![("package-lock.json", LOCK)];
    all.extend(files);
    // Dependencies are checked against the lock elsewhere: here each is locked.
    let plan = planned_locked(&all);
    lines(&plan).join("\n    ")
}

fn planned_locked(files: &[(&str, &str)]) -> NodePlan {
    let manifest = files.iter().find(|(path, _)| *path == "package.json").map_or("{}", |(_, text)| text);
    let value: serde_json::Value = serde_json::from_str(manifest).unwrap();
    let mut packages = serde_json::json!({"": {}});
    for section in ["dependencies", "devDependencies"] {
        for (name, _) in value.get(section).and_then(serde_json::Value::as_object).into_iter().flatten() {
            packages[format!("node_modules/{name}")] = serde_json::json!({"version": "1.0.0"});
        }
    }
    let lock = serde_json::json!({"lockfileVersion": 3, "packages": packages}).to_string();
    let files = files.iter().map(|(path, text)| (*path, if *path == "package-lock.json" { lock.as_str() } else { *text }));
    planned(&files.collect::<Vec<_>>(), &BTreeMap::new())
}

#[test]
fn each_kind_of_package_is_recognised() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)]);
    let table: &[Case<'_>] = &[
        (
            "rollup file",
            &[
                (
                    "package.json",
                    r#"{"private": true, "scripts": {"build": "rollup -c", "start": "npm run build && npm run serve", "serve": "node scripts/serve.js"}, "devDependencies": {"rollup": "*"}}"#,
                ),
                ("rollup.config.mjs", "export default { output: { file: 'dist/app.js' } }"),
            ],
        ),
        (
            "rollup below a page",
            &[
                (
                    "package.json",
                    r#"{"scripts": {"build": "rollup -c", "start": "sirv public"}, "devDependencies": {"rollup": "*"}}"#,
                ),
                ("rollup.config.js", "export default { output: { file: 'public/build/bundle.js' } }"),
                ("public/index.html", ""),
            ],
        ),
        (
            "vite",
            &[
                (
                    "package.json",
                    r#"{"scripts": {"dev": "vite", "build": "tsc -b && vite build"}, "devDependencies": {"vite": "*"}, "engines": {"node": ">=20 <23"}}"#,
                ),
                ("index.html", ""),
            ],
        ),
        (
            "vite outDir and root",
            &[
                ("package.json", r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "*"}}"#),
                ("vite.config.ts", "export default defineConfig({ root: 'client', build: { outDir: '../public/' } })"),
                ("client/index.html", ""),
                (".nvmrc", "v20.11.1\n"),
            ],
        ),
        (
            "vite library",
            &[
                ("package.json", r#"{"scripts": {"build": "vite build"}, "devDependencies": {"vite": "*"}}"#),
                ("vite.config.ts", "export default { build: { lib: { entry: 'src/a.ts' } } }"),
            ],
        ),
        (
            "webpack",
            &[
                ("package.json", r#"{"scripts": {"build": "webpack --mode production"}, "devDependencies": {"webpack": "*"}}"#),
                (
                    "webpack.config.js",
                    "module.exports = { output: { filename: 'a.js', path: path.resolve(__dirname, 'build', 'web') } }",
                ),
            ],
        ),
        (
            "parcel",
            &[(
                "package.json",
                r#"{"scripts": {"build": "parcel build src/index.html --dist-dir out"}, "devDependencies": {"parcel": "*"}}"#,
            )],
        ),
        (
            "create-react-app",
            &[(
                "package.json",
                r#"{"scripts": {"build": "react-scripts build", "start": "react-scripts start"}, "dependencies": {"react-scripts": "*"}}"#,
            )],
        ),
        (
            "angular",
            &[
                ("package.json", r#"{"scripts": {"build": "ng build"}, "devDependencies": {"@angular/cli": "*"}}"#),
                (
                    "angular.json",
                    r#"{"projects": {"shop": {"architect": {"build": {"builder": "@angular-devkit/build-angular:application", "options": {"outputPath": "dist/shop"}}}}}}"#,
                ),
            ],
        ),
        (
            "next server",
            &[(
                "package.json",
                r#"{"scripts": {"build": "next build", "start": "next start -p 4000"}, "dependencies": {"next": "*"}}"#,
            )],
        ),
        (
            "next standalone",
            &[
                ("package.json", r#"{"scripts": {"build": "next build"}, "dependencies": {"next": "*"}}"#),
                ("next.config.js", "module.exports = { output: 'standalone' }"),
            ],
        ),
        (
            "next export",
            &[
                ("package.json", r#"{"scripts": {"build": "next build"}, "dependencies": {"next": "*"}}"#),
                ("next.config.mjs", "export default { output: \"export\" }"),
            ],
        ),
        (
            "nuxt",
            &[(
                "package.json",
                r#"{"scripts": {"build": "nuxt build", "postinstall": "nuxt prepare"}, "dependencies": {"nuxt": "*"}}"#,
            )],
        ),
        (
            "astro static",
            &[
                ("package.json", r#"{"scripts": {"build": "astro build"}, "dependencies": {"astro": "*"}}"#),
                ("astro.config.mjs", "export default {}"),
            ],
        ),
        (
            "sveltekit static",
            &[
                (
                    "package.json",
                    r#"{"scripts": {"build": "vite build", "prepare": "svelte-kit sync"}, "devDependencies": {"@sveltejs/kit": "*", "vite": "*"}}"#,
                ),
                ("svelte.config.js", "import adapter from '@sveltejs/adapter-static'"),
            ],
        ),
        (
            "sveltekit unknown",
            &[
                (
                    "package.json",
                    r#"{"scripts": {"build": "vite build"}, "devDependencies": {"@sveltejs/kit": "*", "vite": "*"}}"#,
                ),
                ("svelte.config.js", "import adapter from '@sveltejs/adapter-auto'"),
            ],
        ),
        (
            "remix",
            &[(
                "package.json",
                r#"{"scripts": {"build": "remix vite:build", "start": "remix-serve ./build/server/index.js"}, "dependencies": {"@remix-run/serve": "*"}, "devDependencies": {"@remix-run/dev": "*", "vite": "*"}}"#,
            )],
        ),
        (
            "server in a folder named build",
            &[(
                "package.json",
                r#"{"scripts": {"build": "tsc", "start": "node build"}, "dependencies": {"express": "*"}, "devDependencies": {"typescript": "*"}}"#,
            )],
        ),
        (
            "server that is built when it starts",
            &[(
                "package.json",
                r#"{"scripts": {"build": "tsc", "start": "npm run build && node dist"}, "dependencies": {"express": "*"}, "devDependencies": {"typescript": "*"}}"#,
            )],
        ),
        (
            "express",
            &[
                (
                    "package.json",
                    r#"{"scripts": {"start": "NODE_ENV=production node src/server.js"}, "dependencies": {"express": "*"}}"#,
                ),
                ("src/server.js", "app.listen(process.env.PORT || 4100)"),
            ],
        ),
        (
            "nest",
            &[(
                "package.json",
                r#"{"scripts": {"build": "nest build", "start": "nest start", "start:prod": "node dist/main"}, "dependencies": {"@nestjs/core": "*"}, "devDependencies": {"@nestjs/cli": "*", "typescript": "*"}}"#,
            )],
        ),
        ("fastify by main", &[("package.json", r#"{"main": "lib/app.js", "dependencies": {"fastify": "*"}}"#)]),
        (
            "express behind vite",
            &[(
                "package.json",
                r#"{"scripts": {"build": "vite build", "start": "node server.js"}, "dependencies": {"express": "*"}, "devDependencies": {"vite": "*"}}"#,
            )],
        ),
        (
            "tooling",
            &[(
                "package.json",
                r#"{"scripts": {"prepare": "husky", "lint": "prettier ."}, "devDependencies": {"husky": "*", "prettier": "*"}}"#,
            )],
        ),
        (
            "library",
            &[(
                "package.json",
                r#"{"exports": "./dist/a.js", "scripts": {"build": "rollup -c"}, "devDependencies": {"rollup": "*"}}"#,
            )],
        ),
        ("unknown build", &[("package.json", r#"{"private": true, "scripts": {"build": "make web"}}"#)]),
    ];
    let report = table.iter().map(|(name, files)| format!("{name}\n    {}", package(files)));
    insta::assert_snapshot!(report.collect::<Vec<_>>().join("\n"));
}

#[test]
fn members_are_services_and_shared_libraries_are_not() {
    let files = [
        (
            "package.json",
            r#"{"private": true, "workspaces": ["apps/*", "packages/*"], "scripts": {"build": "npm run build --workspaces"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion": 3, "packages": {"": {}, "apps/site": {}, "apps/api": {}, "packages/ui": {},
            "node_modules/@x/ui": {"resolved": "packages/ui", "link": true}, "node_modules/vite": {"version": "5.0.0"}, "node_modules/express": {"version": "4.0.0"}}}"#,
        ),
        (
            "apps/site/package.json",
            r#"{"name": "@x/site", "scripts": {"build": "vite build"}, "dependencies": {"@x/ui": "*"}, "devDependencies": {"vite": "^5"}}"#,
        ),
        ("apps/site/index.html", ""),
        (
            "apps/api/package.json",
            r#"{"name": "@x/api", "scripts": {"start": "node index.js"}, "dependencies": {"express": "^4"}}"#,
        ),
        (
            "packages/ui/package.json",
            r#"{"name": "@x/ui", "scripts": {"build": "vite build"}, "devDependencies": {"vite": "^5"}}"#,
        ),
    ];
    insta::assert_snapshot!(lines(&planned(&files, &BTreeMap::new())).join("\n"));
}

#[test]
fn what_stands_in_the_way_is_asked_with_file_and_line() {
    let manifest =
        ("package.json", "{\n \"scripts\": {\"build\": \"vite build\"},\n \"devDependencies\": {\n  \"vite\": \"^5\"\n }\n}");
    let table: [&[(&str, &str)]; 5] = [
        &[manifest],
        &[manifest, ("package-lock.json", LOCK)],
        &[manifest, ("package-lock.json", r#"{"lockfileVersion": 3, "packages": {"node_modules/vite": {"version": "4.2.0"}}}"#)],
        &[manifest, ("package-lock.json", LOCK), ("yarn.lock", "")],
        &[
            manifest,
            (
                "pnpm-lock.yaml",
                "lockfileVersion: '9.0'\nimporters:\n  .:\n    devDependencies:\n      vite:\n        specifier: ^4\n        version: 4.0.0\n",
            ),
        ],
    ];
    let report = table.iter().flat_map(|files| lines(&planned(files, &BTreeMap::new())));
    insta::assert_snapshot!(report.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_choice_wins_over_what_is_detected() {
    let files = [
        ("package.json", r#"{"private": true, "scripts": {"build": "make web"}}"#),
        ("package-lock.json", LOCK),
        ("yarn.lock", ""),
    ];
    let choice = NodeChoice {
        manager: Some(PackageManager::Npm),
        node_version: Some("22".to_owned()),
        output: Some("out".into()),
        ..NodeChoice::default()
    };
    let plan = planned(&files, &BTreeMap::from([("web".into(), choice)]));
    insta::assert_snapshot!(lines(&plan).join("\n"));
}

#[test]
fn the_whole_decision_of_a_native_server() {
    let files = [
        (
            "package.json",
            r#"{"name": "api", "packageManager": "npm@11.2.0", "scripts": {"start": "node index.js", "prepare": "node scripts/gen.js"}, "dependencies": {"express": "^4", "canvas": "^2"}}"#,
        ),
        (
            "package-lock.json",
            r#"{"lockfileVersion": 3, "packages": {"": {}, "node_modules/express": {"version": "4.0.0"}, "node_modules/canvas": {"version": "2.0.0"}}}"#,
        ),
    ];
    insta::assert_json_snapshot!(planned(&files, &BTreeMap::new()).decisions);
}
