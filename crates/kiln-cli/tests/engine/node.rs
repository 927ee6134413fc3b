//! Node repositories of everyday shapes, built and run. Locks are small enough to be written by hand.

use crate::support::{Build, Container, Copy, command, docker};

/// Stages that install: none of them may run after an edit that changes no dependency.
const INSTALL: [&str; 2] = ["deps", "production"];

fn installed(build: &Build, service: &str) -> bool {
    build.stages_that_ran(service).iter().any(|stage| INSTALL.contains(&stage.as_str()))
}

/// The image of the only service, removed when dropped.
struct Image(String);

impl Image {
    fn of(copy: &Copy, service: &str) -> Self {
        Self(copy.image(service, "latest"))
    }

    fn shell(&self, line: &str) -> String {
        docker(&["run", "--rm", "--entrypoint", "/bin/sh", &self.0, "-c", line])
    }

    fn get(&self) -> String {
        Container::run(&["-e", "PORT=8080", &self.0]).get("/")
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = command("docker").args(["rmi", "-f", &self.0]).output();
    }
}

const SERVER: &str = "const left = require('left-pad');\n\
    require('http').createServer((_, r) => r.end(left('hello', 8, '.'))).listen(process.env.PORT);\n";

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_server_with_install_scripts_ships_no_development_dependency_and_no_secret() {
    let copy = Copy::of(
        "server",
        &[
            (".nvmrc", "20\n"),
            (".npmrc", "loglevel=error\n//registry.example/:_authToken=s3cr3t-of-the-test\n"),
            (
                "package.json",
                r#"{"name": "api", "version": "1.0.0", "private": true,
                "scripts": {"start": "node server.js", "postinstall": "rimraf never && node scripts/setup.js"},
                "dependencies": {"left-pad": "1.3.0"}, "devDependencies": {"rimraf": "2.2.8"}}"#,
            ),
            (
                "package-lock.json",
                r#"{"name": "api", "version": "1.0.0", "lockfileVersion": 3, "packages": {
                "": {"name": "api", "version": "1.0.0", "hasInstallScript": true, "dependencies": {"left-pad": "1.3.0"}, "devDependencies": {"rimraf": "2.2.8"}},
                "node_modules/left-pad": {"version": "1.3.0"},
                "node_modules/rimraf": {"version": "2.2.8", "dev": true, "bin": {"rimraf": "bin.js"}}}}"#,
            ),
            ("scripts/setup.js", "require('fs').writeFileSync('node_modules/left-pad/set-up', 'yes');\n"),
            ("server.js", SERVER),
        ],
    );
    // No other run's layers may stand in for this one's installs.
    copy.edit("scripts/setup.js", "'yes'", &format!("'by {}'", copy.project));
    copy.run(&["init"]);
    copy.build(&[]);
    let image = Image::of(&copy, "api");
    assert_eq!(image.get(), "...hello");
    assert_eq!(image.shell("ls node_modules; cat node_modules/left-pad/set-up"), format!("left-pad\nby {}", copy.project));
    let archive = command("docker").args(["save", &image.0]).output().expect("docker starts").stdout;
    let holds = |needle: &str| archive.windows(needle.len()).any(|window| window == needle.as_bytes());
    assert!(holds("process.env.PORT"), "the archive shows files as they are");
    assert!(!holds("s3cr3t-of-the-test"), "the token is in the image");

    for file in ["package.json", "package-lock.json"] {
        copy.edit(file, "\"version\": \"1.0.0\"", "\"version\": \"1.1.0\"");
    }
    copy.edit("package.json", "\"start\":", "\"hello\": \"echo hello\", \"start\":");
    copy.edit("server.js", "hello", "again");
    let build = copy.build(&[]);
    assert!(!installed(&build, "api"), "{}", build.log);
    assert_eq!(image.get(), "...again");

    for file in ["package.json", "package-lock.json"] {
        copy.edit(file, "\"left-pad\": \"1.3.0\"", "\"left-pad\": \"1.2.0\"");
    }
    copy.edit(
        "package-lock.json",
        "\"node_modules/left-pad\": {\"version\": \"1.3.0\"}",
        "\"node_modules/left-pad\": {\"version\": \"1.2.0\"}",
    );
    let build = copy.build(&[]);
    assert!(installed(&build, "api"), "{}", build.log);
    assert_eq!(image.shell("node -p 'require(\"left-pad/package.json\").version'"), "1.2.0");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn an_incremental_compiler_leaves_out_no_file() {
    let copy = Copy::of(
        "tsc",
        &[
            (".nvmrc", "20\n"),
            (
                "package.json",
                r#"{"name": "api", "version": "1.0.0", "private": true, "scripts": {"build": "tsc --incremental", "start": "node dist/main.js"},
                "devDependencies": {"typescript": "5.4.5"}}"#,
            ),
            (
                "package-lock.json",
                r#"{"name": "api", "version": "1.0.0", "lockfileVersion": 3, "packages": {
                "": {"name": "api", "version": "1.0.0", "devDependencies": {"typescript": "5.4.5"}},
                "node_modules/typescript": {"version": "5.4.5", "dev": true, "bin": {"tsc": "bin/tsc"}}}}"#,
            ),
            (
                "tsconfig.json",
                r#"{"compilerOptions": {"module": "commonjs", "target": "es2019", "outDir": "dist", "rootDir": "src", "types": [],
                "tsBuildInfoFile": "node_modules/.cache/tsconfig.tsbuildinfo"}, "include": ["src"]}"#,
            ),
            (
                "src/main.ts",
                "import { text } from './text';\ndeclare const require: any, process: any;\n\
                require('http').createServer((_: any, r: any) => r.end(text)).listen(process.env.PORT);\n",
            ),
            ("src/text.ts", "export const text = 'first';\n"),
        ],
    );
    // No other run's layer may stand in for the first compilation: it is to leave build info in this project's mount.
    copy.edit("src/text.ts", "first", &format!("first of {}", copy.project));
    copy.run(&["init"]);
    copy.build(&[]);
    let image = Image::of(&copy, "api");
    copy.edit("src/text.ts", "first of", "second of");
    let build = copy.build(&[]);
    assert!(!build.stages_that_ran("api").contains(&"deps".to_owned()), "{}", build.log);
    assert_eq!(image.get(), format!("second of {}", copy.project));
    assert_eq!(image.shell("ls dist"), "main.js\ntext.js");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn a_site_is_built_after_the_libraries_of_its_workspace() {
    let copy = Copy::of(
        "shop",
        &[
            (".nvmrc", "20\n"),
            ("package.json", r#"{"name": "shop", "version": "1.0.0", "private": true, "workspaces": ["packages/*"]}"#),
            (
                "package-lock.json",
                r#"{"name": "shop", "version": "1.0.0", "lockfileVersion": 3, "packages": {
                "": {"name": "shop", "version": "1.0.0", "workspaces": ["packages/*"]},
                "node_modules/@shop/site": {"resolved": "packages/site", "link": true},
                "node_modules/@shop/ui": {"resolved": "packages/ui", "link": true},
                "node_modules/left-pad": {"version": "1.3.0"},
                "packages/site": {"name": "@shop/site", "version": "0.9.0", "dependencies": {"@shop/ui": "^2.1.0"}},
                "packages/ui": {"name": "@shop/ui", "version": "2.3.4", "dependencies": {"left-pad": "1.3.0"}}}}"#,
            ),
            (
                "packages/ui/package.json",
                r#"{"name": "@shop/ui", "version": "2.3.4", "main": "dist/ui.js", "scripts": {"build": "node build.js"}, "dependencies": {"left-pad": "1.3.0"}}"#,
            ),
            (
                "packages/ui/build.js",
                "const fs = require('fs'); fs.mkdirSync('dist'); fs.copyFileSync('src/ui.js', 'dist/ui.js');\n",
            ),
            ("packages/ui/src/ui.js", "exports.title = require('left-pad')('title', 9, '*');\n"),
            (
                "packages/site/package.json",
                r#"{"name": "@shop/site", "version": "0.9.0", "scripts": {"build": "node build.js"}, "dependencies": {"@shop/ui": "^2.1.0"}}"#,
            ),
            (
                "packages/site/build.js",
                "const fs = require('fs'); fs.mkdirSync('dist'); fs.writeFileSync('dist/index.html', require('@shop/ui').title);\n",
            ),
        ],
    );
    let settings =
        format!("[project]\nname = \"{}\"\n[services.site]\npath = \"packages/site\"\noutput = \"dist\"\n", copy.project);
    copy.write("kiln.toml", &settings);
    copy.run(&["init"]);
    copy.build(&[]);
    let image = Image::of(&copy, "site");
    assert_eq!(image.get(), "****title");
    copy.edit("packages/ui/package.json", "2.3.4", "2.4.0");
    copy.edit("package-lock.json", "2.3.4", "2.4.0");
    copy.edit("packages/ui/src/ui.js", "'title'", "'name'");
    let build = copy.build(&[]);
    assert!(!installed(&build, "site"), "{}", build.log);
    assert_eq!(image.get(), "*****name");
}

#[test]
#[ignore = "needs a Docker Engine: run `make engine-test`"]
fn pnpm_installs_from_its_store_without_a_network() {
    const LOCK: &str = "lockfileVersion: '9.0'\n\nsettings:\n  autoInstallPeers: true\n  excludeLinksFromLockfile: false\n\n\
        importers:\n\n  .:\n    dependencies:\n      left-pad:\n        specifier: 1.3.0\n        version: 1.3.0\n    \
        devDependencies:\n      rimraf:\n        specifier: 2.2.8\n        version: 2.2.8\n\npackages:\n\n  \
        left-pad@1.3.0:\n    resolution: {integrity: sha512-XI5MPzVNApjAyhQzphX8BkmKsKUxD4LdyK24iZeQGinBN9yTQT3bFlCBy/aVx2HrNcqQGsdot8ghrjyrvMCoEA==}\n\n  \
        rimraf@2.2.8:\n    resolution: {integrity: sha512-R5KMKHnPAQaZMqLOsyuyUmcIjSeDm+73eoqQpaXA7AZ22BL+6C+1mcUscgOsNd8WVlJuvlgAPsegcx7pjlV0Dg==}\n    hasBin: true\n\n\
        snapshots:\n\n  left-pad@1.3.0: {}\n\n  rimraf@2.2.8: {}\n";
    let copy = Copy::of(
        "pnpm",
        &[
            (".nvmrc", "20\n"),
            (
                "package.json",
                r#"{"name": "api", "version": "1.0.0", "private": true, "packageManager": "pnpm@10.18.0", "scripts": {"start": "node server.js"},
                "dependencies": {"left-pad": "1.3.0"}, "devDependencies": {"rimraf": "2.2.8"}}"#,
            ),
            ("pnpm-lock.yaml", LOCK),
            ("server.js", SERVER),
        ],
    );
    // No other run's layer may stand in for the first install: it is to fill this project's store.
    let own = format!("init-author-name={}\nfetch-retries=0\n", copy.project);
    copy.write(".npmrc", &own);
    copy.run(&["init"]);
    copy.build(&[]);
    let image = Image::of(&copy, "api");
    assert_eq!(image.get(), "...hello");
    assert_eq!(image.shell("ls node_modules"), "left-pad");

    copy.edit("package.json", "1.0.0", "1.1.0");
    copy.edit("package.json", "\"start\":", "\"hello\": \"echo hello\", \"start\":");
    let build = copy.build(&[]);
    assert!(!installed(&build, "api"), "{}", build.log);

    // Nobody listens there: what is locked must come from the store.
    copy.write(".npmrc", &format!("{own}registry=http://127.0.0.1:9/\n"));
    let build = copy.build(&[]);
    assert!(installed(&build, "api"), "{}", build.log);
    assert_eq!(image.get(), "...hello");
}
