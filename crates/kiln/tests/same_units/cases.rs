//! The cases, named as people name what decides the units of a build.

use std::fs;

use super::bench::{Case, HOST, manifest};
use super::shared::{command, repository, run, write};

/// All cases, in groups that share a shape.
pub(crate) const ALL: &[fn() -> Vec<Case>] = &[
    package_selection,
    resolvers,
    features,
    per_binary,
    profiles,
    optimization,
    target,
    rustflags,
    configuration,
    patches,
    replacements,
    git,
    super::registry::cases,
    vendored,
    paths,
    renamed,
    build_and_dev,
    proc_macros,
    build_scripts,
    artifact_names,
    no_std,
    custom_targets,
    cargo_features,
    target_specific,
    inheritance,
    nested,
    locks,
];

const ITOA: &str = "[dependencies]\nitoa = \"1\"\n";

/// A program that prints 7 by way of `itoa`.
const SEVEN: &str = "fn main() { println!(\"{}\", itoa::Buffer::new().format(7)); }\n";

fn root(rest: &str) -> String {
    format!("[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\n{rest}")
}

/// A workspace with one member that prints 7.
fn seven(name: &str, rest: &str) -> Case {
    Case::new(name).file("Cargo.toml", &root(rest)).app(ITOA, SEVEN).compiles(&["app (bin)"]).prints("app", "7")
}

fn package_selection() -> Vec<Case> {
    let case = |name: &str| {
        Case::new(name)
            .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"lib\", \"other\"]\n")
            .app("[dependencies]\nitoa = \"1\"\nlib = { path = \"../lib\" }\n", "fn main() { println!(\"{}\", lib::text(7)); }\n")
            .lib(
                "lib",
                "[dependencies]\nitoa = { version = \"1\" }\n",
                "pub fn text(n: u8) -> String { itoa::Buffer::new().format(n).into() }\n",
            )
            .member("other", "[dependencies]\nmemchr = \"2\"\nlog = { version = \"0.4\", features = [\"std\"] }\n")
            .file("other/src/main.rs", "fn main() {}\n")
            .compiles(&["app (bin)", "lib (lib)"])
            .prints("app", "7")
    };
    vec![case("package selection").strangers(), case("package selection, empty CARGO_HOME").online()]
}

fn resolvers() -> Vec<Case> {
    let case = |resolver: &str| {
        Case::new(&format!("resolver {resolver}"))
            .file("Cargo.toml", &format!("[workspace]\nresolver = \"{resolver}\"\nmembers = [\"app\", \"shared\"]\n"))
            .app(
                "[dependencies]\nshared = { path = \"../shared\" }\nlog = \"0.4\"\nmemchr = { version = \"2\", default-features = false }\n\
                 [build-dependencies]\nshared = { path = \"../shared\", features = [\"loud\"] }\n\
                 [target.'cfg(windows)'.dependencies]\nmemchr = { version = \"2\", features = [\"alloc\"] }\n\
                 [dev-dependencies]\nlog = { version = \"0.4\", features = [\"kv\"] }\nfnv = \"1\"\n",
                "fn main() { println!(\"{} {:?} {}\", shared::LOUD, memchr::memchr(b'b', b\"ab\"), env!(\"FROM_BUILD\")); }\n",
            )
            .file("app/build.rs", "fn main() { println!(\"cargo:rustc-env=FROM_BUILD={}\", shared::LOUD); }\n")
            .lib(
                "shared",
                "[features]\nloud = [\"log/std\"]\n[dependencies]\nlog = \"0.4\"\n",
                "pub const LOUD: bool = cfg!(feature = \"loud\");\npub use log::Level;\n",
            )
    };
    let apart = &["app (bin)", "app (build script)", "shared (lib)"];
    vec![
        // Under resolver 1 the library is one for the host and the target.
        case("1").compiles(apart).prints("app", "true Some(1) true"),
        case("2").strangers().compiles(apart).prints("app", "false Some(1) true"),
        case("3").strangers().compiles(apart).prints("app", "false Some(1) true"),
    ]
}

fn features() -> Vec<Case> {
    let case = |name: &str| {
        Case::new(name)
            .file("Cargo.toml", &root(""))
            .app(
                "[features]\ndefault = [\"fast\"]\nfast = [\"dep:itoa\"]\nextra = [\"memchr?/std\", \"log/std\"]\nall = [\"extra\", \"memchr\"]\n\
                 [dependencies]\nitoa = { version = \"1\", optional = true }\nlog = \"0.4\"\n\
                 memchr = { version = \"2\", optional = true, default-features = false }\n",
                "fn main() { print!(\"log {}\", log::Level::Warn);\n\
                 #[cfg(feature = \"fast\")] print!(\" itoa {}\", itoa::Buffer::new().format(7));\n\
                 #[cfg(feature = \"memchr\")] print!(\" memchr {:?}\", memchr::memchr(b'b', b\"ab\")); }\n",
            )
            .compiles(&["app (bin)"])
    };
    vec![
        case("features by default").strangers().prints("app", "log WARN itoa 7"),
        case("--features").select(|it| it.features = vec!["all".into()]).prints("app", "log WARN itoa 7 memchr Some(1)"),
        case("--no-default-features").select(|it| it.no_default_features = true).strangers().prints("app", "log WARN"),
        case("--no-default-features --features")
            .select(|it| (it.no_default_features, it.features) = (true, vec!["extra".into(), "memchr".into()]))
            .strangers()
            .prints("app", "log WARN memchr Some(1)"),
    ]
}

fn per_binary() -> Vec<Case> {
    let case = |binary: &str| {
        let binary = binary.to_owned();
        Case::new(&format!("per-binary features: {binary}"))
            .file("Cargo.toml", &root(""))
            .member(
                "app",
                "[features]\nserver = [\"dep:log\"]\n[[bin]]\nname = \"app\"\npath = \"src/main.rs\"\n\
                 [[bin]]\nname = \"server\"\npath = \"src/server.rs\"\nrequired-features = [\"server\"]\n\
                 [dependencies]\nitoa = \"1\"\nlog = { version = \"0.4\", optional = true }\n",
            )
            .file("app/src/main.rs", SEVEN)
            .file("app/src/server.rs", "fn main() { println!(\"server {}\", log::Level::Info); }\n")
            .select(|it| {
                it.features = if binary == "server" { vec!["server".into()] } else { Vec::new() };
                it.binaries = vec![binary];
            })
    };
    vec![
        case("app").strangers().compiles(&["app (bin)"]).prints("app", "7"),
        case("server").compiles(&["app (bin server)"]).prints("server", "server INFO"),
    ]
}

fn profiles() -> Vec<Case> {
    let overrides = "[profile.release]\nopt-level = 1\n[profile.release.package.itoa]\nopt-level = 3\n\
                     [profile.release.package.\"*\"]\ncodegen-units = 2\n[profile.release.build-override]\nopt-level = 1\n\
                     [profile.release.package.app]\nopt-level = 0\n";
    let custom = "[profile.small]\ninherits = \"release\"\nopt-level = \"s\"\nstrip = true\ndebug-assertions = true\n";
    let macros = |name: &str, text: &str| {
        Case::new(name)
            .file("Cargo.toml", &root(text))
            .app("[dependencies]\nitoa = \"1\"\npaste = \"1\"\n", "fn main() { paste::paste! { let [<se ven>] = 7; } println!(\"{} {}\", itoa::Buffer::new().format(seven), cfg!(debug_assertions)); }\n")
            .compiles(&["app (bin)"])
    };
    vec![
        macros("profile release and its overrides", overrides).profile("release").prints("app", "7 false"),
        macros("profile of its own", custom).profile("small").prints("app", "7 true"),
        macros("profile dev and its overrides", "[profile.dev.package.\"*\"]\nopt-level = 1\n").prints("app", "7 true"),
        // By the environment of all stages.
        macros("profile by CARGO_PROFILE_*", "").env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false").prints("app", "7 false"),
    ]
}

fn optimization() -> Vec<Case> {
    let case = |name: &str, text: &str| {
        Case::new(name)
            .file("Cargo.toml", &format!("[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"mixed\"]\n[profile.release]\nopt-level = 0\n{text}"))
            .app(
                "[dependencies]\nfnv = \"1\"\nmixed = { path = \"../mixed\" }\npaste = \"1\"\n",
                "use std::hash::Hasher as _;\nfn main() { paste::paste! { let [<a b>] = mixed::seven(); } let mut hasher = fnv::FnvHasher::default(); hasher.write_u8(0); println!(\"{ab} {}\", hasher.finish() != 0); }\n",
            )
            .lib("mixed", "[lib]\ncrate-type = [\"cdylib\", \"rlib\"]\n[dependencies]\nitoa = \"1\"\n", "pub fn seven() -> String { itoa::Buffer::new().format(7).into() }\n")
            .profile("release")
            .compiles(&["app (bin)", "mixed (lib)"])
            .prints("app", "7 true")
    };
    vec![
        case("LTO thin", "lto = \"thin\"\n"),
        case("LTO fat", "lto = true\n"),
        case("LTO off", "lto = \"off\"\n"),
        seven("panic = \"abort\"", "[profile.release]\npanic = \"abort\"\n").profile("release"),
    ]
}

fn target() -> Vec<Case> {
    let case = |name: &str, target: &str| {
        Case::new(name)
            .file("Cargo.toml", &root(""))
            .app(
                "[dependencies]\nitoa = \"1\"\npaste = \"1\"\n[build-dependencies]\nitoa = \"1\"\n",
                "fn main() { paste::paste! { let [<e nv>] = env!(\"SEVEN\"); } println!(\"{} {env} {}\", itoa::Buffer::new().format(7), cfg!(target_env = \"musl\")); }\n",
            )
            .file("app/build.rs", "fn main() { println!(\"cargo:rustc-env=SEVEN={}\", itoa::Buffer::new().format(7)); }\n")
            .select(|it| it.target = Some(target.to_owned()))
            .compiles(&["app (bin)", "app (build script)"])
    };
    let mut cases = vec![case("target of the host by its name", HOST).prints("app", "7 7 false")];
    let musl = "x86_64-unknown-linux-musl";
    if has_std(musl) {
        cases.push(case("cross target (musl)", musl).prints("app", "7 7 true"));
    } else {
        println!("cross target (musl): skipped, its rust-std is not installed (rustup target add {musl})");
    }
    cases
}

/// Whether the toolchain in use can build for a target.
fn has_std(target: &str) -> bool {
    let libraries = run(command("rustc").args(["--print", "target-libdir", "--target", target]));
    fs::read_dir(libraries.trim()).is_ok_and(|mut folder| folder.next().is_some())
}

fn rustflags() -> Vec<Case> {
    let case = |name: &str| {
        Case::new(name)
            .file("Cargo.toml", &root(""))
            .app(
                "[dependencies]\nitoa = \"1\"\npaste = \"1\"\n[target.'cfg(chosen)'.dependencies]\nfnv = \"1\"\n",
                "fn main() { paste::paste! { let [<se ven>] = 7; } println!(\"{} {} {}\", itoa::Buffer::new().format(seven), cfg!(chosen), std::any::type_name::<Chosen>()); }\n\
                 #[cfg(chosen)]\ntype Chosen = fnv::FnvHasher;\n#[cfg(not(chosen))]\ntype Chosen = u8;\n",
            )
            .compiles(&["app (bin)"])
    };
    vec![
        case("RUSTFLAGS").env("RUSTFLAGS", "-C debuginfo=1 --cfg chosen").prints("app", "7 true fnv::FnvHasher"),
        case("RUSTFLAGS with --target")
            .env("RUSTFLAGS", "-C target-cpu=x86-64-v2")
            .select(|it| it.target = Some(HOST.to_owned()))
            .prints("app", "7 false u8"),
        case("CARGO_ENCODED_RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", "-Cdebuginfo=1").prints("app", "7 false u8"),
        case(".cargo/config.toml: build.rustflags")
            .file(".cargo/config.toml", "[build]\nrustflags = [\"--cfg\", \"chosen\"]\n")
            .prints("app", "7 true fnv::FnvHasher"),
        case(".cargo/config.toml: target.*.rustflags")
            .file(".cargo/config.toml", &format!("[target.{HOST}]\nrustflags = [\"-Cdebuginfo=1\"]\n[target.'cfg(unix)']\nrustflags = [\"--cfg\", \"chosen\"]\n"))
            .prints("app", "7 true fnv::FnvHasher"),
    ]
}

fn configuration() -> Vec<Case> {
    let linked = seven(".cargo/config.toml: everything else", "").file(
        ".cargo/config.toml",
        "[build]\ntarget-dir = \"elsewhere\"\njobs = 1\nincremental = false\n[alias]\nb = \"build\"\n[term]\nquiet = false\n\
         [env]\nCHOSEN = \"yes\"\nPLACE = { value = \"x\", relative = true }\n[net]\nretry = 1\n[profile.dev]\nopt-level = 1\n[profile.dev.package.itoa]\nopt-level = 2\n",
    );
    let target = Case::new(".cargo/config.toml: build.target")
        .file("Cargo.toml", &root(""))
        .app(ITOA, SEVEN)
        .file(".cargo/config.toml", &format!("[build]\ntarget = \"{HOST}\"\n"));
    let member = seven(".cargo/config: old name, and one in a member", "")
        .file(".cargo/config", "[build]\nrustflags = [\"-Cdebuginfo=1\"]\n")
        .file("app/.cargo/config.toml", "[build]\nrustflags = [\"-Cdebuginfo=2\"]\n");
    vec![linked, target.compiles(&["app (bin)"]).prints("app", "7"), member]
}

/// A git repository beside the workspace with a crate `itoa` (1.0.5) and a crate `extra` that uses it, on `main`; gives its URL.
fn git_crates(case: &Case) -> String {
    let at = |path: &str| case.at("git-crates").join(path);
    let put = |path: &str, text: &str| write(&at(path), text);
    put("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"itoa\", \"extra\"]\n");
    put(
        "itoa/Cargo.toml",
        "[package]\nname = \"itoa\"\nversion = \"1.0.5\"\nedition = \"2021\"\n[features]\nx = []\n[dependencies]\ncfg-if = \"1\"\n",
    );
    put("itoa/src/lib.rs", "pub const FROM: &str = \"git\";\n");
    put(
        "extra/Cargo.toml",
        "[package]\nname = \"extra\"\nversion = \"0.3.0\"\nedition = \"2021\"\n[dependencies]\nfnv = \"1\"\n",
    );
    put("extra/build.rs", "fn main() { println!(\"cargo:rustc-env=WHO=extra\"); }\n");
    put("extra/src/lib.rs", "pub const WHO: &str = env!(\"WHO\");\n");
    repository(&at(""));
    run(command("git").args(["tag", "v1"]).current_dir(at("")));
    run(command("git").args(["branch", "a/b"]).current_dir(at("")));
    format!("file://{}", at("").display().to_string().trim_end_matches('/'))
}

fn patches() -> Vec<Case> {
    let case = Case::new("[patch] to git");
    let url = git_crates(&case);
    let to_git = case
        .file("Cargo.toml", &root(&format!("[patch.crates-io]\nitoa = {{ git = \"{url}\" }}\n")))
        .app(
            "[dependencies]\nitoa = { version = \"1\", features = [\"x\"] }\nryu = \"1\"\n",
            "fn main() { println!(\"{} {}\", itoa::FROM, ryu::Buffer::new().format(1.5)); }\n",
        )
        .compiles(&["app (bin)"])
        .prints("app", "git 1.5");
    let to_path = Case::new("[patch] to a path")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\nexclude = [\"patched\"]\n[patch.crates-io]\nitoa = { path = \"patched/itoa\" }\n")
        .app("[dependencies]\nitoa = \"1\"\nryu = \"1\"\n", "fn main() { println!(\"{} {}\", itoa::FROM, ryu::Buffer::new().format(1.5)); }\n")
        .file("patched/itoa/Cargo.toml", &manifest("itoa", "[dependencies]\nfnv = \"1\"\n").replace("0.1.0", "1.0.99"))
        .file("patched/itoa/src/lib.rs", "pub const FROM: &str = \"path\";\n")
        .compiles(&["app (bin)", "itoa (lib)"])
        .prints("app", "path 1.5");
    let case = Case::new("[patch] in .cargo/config.toml");
    let url = git_crates(&case);
    let by_configuration = case
        .file("Cargo.toml", &root(""))
        .file(".cargo/config.toml", &format!("[patch.crates-io]\nitoa = {{ git = \"{url}\", tag = \"v1\" }}\n"))
        .app(ITOA, "fn main() { println!(\"{}\", itoa::FROM); }\n")
        .compiles(&["app (bin)"])
        .prints("app", "git");
    vec![to_git, to_path, by_configuration]
}

fn replacements() -> Vec<Case> {
    let case = Case::new("[replace] by git");
    let url = git_crates(&case);
    let by_git = case
        .file("Cargo.toml", &root(&format!("[replace]\n\"itoa:1.0.5\" = {{ git = \"{url}\" }}\n")))
        .app(
            "[dependencies]\nitoa = \"=1.0.5\"\nryu = \"1\"\n",
            "fn main() { println!(\"{} {}\", itoa::FROM, ryu::Buffer::new().format(1.5)); }\n",
        )
        .compiles(&["app (bin)"])
        .prints("app", "git 1.5");
    let by_path = Case::new("[replace] by a path")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\"]\nexclude = [\"own\"]\n[replace]\n\"itoa:1.0.5\" = { path = \"own\" }\n")
        .app("[dependencies]\nitoa = \"=1.0.5\"\nryu = \"1\"\n", "fn main() { println!(\"{} {}\", itoa::FROM, ryu::Buffer::new().format(1.5)); }\n")
        .file("own/Cargo.toml", &manifest("itoa", "").replace("0.1.0", "1.0.5"))
        .file("own/src/lib.rs", "pub const FROM: &str = \"path\";\n")
        // cargo asks the registry for the package that is replaced.
        .strangers()
        .compiles(&["app (bin)", "itoa (lib)"])
        .prints("app", "path 1.5");
    vec![by_git, by_path]
}

fn git() -> Vec<Case> {
    let case = |name: &str, reference: &str| {
        let case = Case::new(&format!("git dependency: {name}"));
        let url = git_crates(&case);
        case.file("Cargo.toml", &root(""))
            .app(
                &format!("[dependencies]\nextra = {{ git = \"{url}\"{reference} }}\nitoa = {{ git = \"{url}\"{reference}, features = [\"x\"] }}\nryu = \"1\"\n"),
                "fn main() { println!(\"{} {} {}\", extra::WHO, itoa::FROM, ryu::Buffer::new().format(1.5)); }\n",
            )
            .compiles(&["app (bin)"])
            .prints("app", "extra git 1.5")
    };
    vec![case("default branch", ""), case("branch", ", branch = \"a/b\""), case("tag", ", tag = \"v1\"")]
}

fn vendored() -> Vec<Case> {
    let case = |name: &str, nested: &'static str| {
        let mut case = Case::new(name).nested(nested);
        let url = git_crates(&case);
        case = case
            .file("Cargo.toml", &root(""))
            .app(
                &format!("[dependencies]\nitoa = \"1\"\npaste = \"1\"\nextra = {{ git = \"{url}\" }}\n"),
                "fn main() { paste::paste! { let [<se ven>] = 7; } println!(\"{} {}\", extra::WHO, itoa::Buffer::new().format(seven)); }\n",
            )
            .locked();
        let configuration = case.cargo(&["vendor", "--quiet", "--locked"]);
        assert!(case.workspace().join("vendor/itoa/Cargo.toml").exists());
        case.file(".cargo/config.toml", &configuration).vendored().compiles(&["app (bin)"]).prints("app", "extra 7")
    };
    vec![case("vendored sources", ""), case("vendored sources in a nested workspace", "backend/rust")]
}

fn paths() -> Vec<Case> {
    let main = "fn main() { println!(\"{} {}\", near::text(), far::text()); }\n";
    let case = Case::new("path dependencies inside and outside the workspace")
        .nested("rust")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"near\"]\n")
        .app("[dependencies]\nnear = { path = \"../near\" }\nfar = { path = \"../../far\", default-features = false, features = [\"more\"] }\n", main)
        .lib("near", ITOA, "pub fn text() -> String { itoa::Buffer::new().format(7).into() }\n")
        .file("../far/Cargo.toml", &manifest("far", "[features]\ndefault = [\"dep:log\"]\nmore = [\"dep:ryu\"]\n[dependencies]\nryu = { version = \"1\", optional = true }\nlog = { version = \"0.4\", optional = true }\n"))
        .file("../far/src/lib.rs", "pub fn text() -> String { ryu::Buffer::new().format(1.5).into() }\n");
    vec![case.compiles(&["app (bin)", "far (lib)", "near (lib)"]).prints("app", "7 1.5")]
}

fn renamed() -> Vec<Case> {
    let case = Case::new("renamed dependencies")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"lib\"]\n")
        .app(
            "[dependencies]\nold = { package = \"itoa\", version = \"0.4\", default-features = false }\nitoa = \"1\"\nfloats = { package = \"ryu\", version = \"1\" }\n\
             own = { package = \"very-lib\", path = \"../lib\" }\n",
            "fn main() { println!(\"{} {} {} {}\", old::Buffer::new().format(4), itoa::Buffer::new().format(7), floats::Buffer::new().format(1.5), own::NAME); }\n",
        )
        .file("lib/Cargo.toml", &manifest("very-lib", "[lib]\nname = \"other_name\"\n"))
        .file("lib/src/lib.rs", "pub const NAME: &str = \"lib\";\n");
    vec![case.compiles(&["app (bin)", "very-lib (lib)"]).prints("app", "4 7 1.5 lib")]
}

fn build_and_dev() -> Vec<Case> {
    let case = |name: &str, build: bool| {
        let case = Case::new(name)
            .file("Cargo.toml", &root(""))
            .app(
                "[dependencies]\nlog = \"0.4\"\nitoa = \"1\"\n[build-dependencies]\nitoa = \"1\"\nlog = { version = \"0.4\", features = [\"std\"] }\nryu = \"1\"\n\
                 [dev-dependencies]\nfnv = \"1\"\nlog = { version = \"0.4\", features = [\"kv\"] }\n",
                "fn main() { println!(\"{} {} {:?}\", itoa::Buffer::new().format(7), log::Level::Info, option_env!(\"BUILT\")); }\n",
            );
        if build {
            case.file("app/build.rs", "fn main() { println!(\"cargo:rustc-env=BUILT={}\", ryu::Buffer::new().format(1.5)); }\n")
        } else {
            case
        }
    };
    vec![
        case("build and dev dependencies", true)
            .strangers()
            .compiles(&["app (bin)", "app (build script)"])
            .prints("app", "7 INFO Some(\"1.5\")"),
        case("build dependencies without a build script", false)
            .strangers()
            .compiles(&["app (bin)"])
            .prints("app", "7 INFO None"),
    ]
}

fn proc_macros() -> Vec<Case> {
    let case = Case::new("proc-macro members")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"macros\", \"shared\"]\n")
        .app(
            "[dependencies]\nmacros = { path = \"../macros\" }\nshared = { path = \"../shared\" }\n",
            "fn main() { println!(\"{} {}\", macros::seven!(), shared::text(7)); }\n",
        )
        .lib(
            "macros",
            "[lib]\nproc-macro = true\n[dependencies]\nryu = \"1\"\nshared = { path = \"../shared\", features = [\"host\"] }\n",
            "#[proc_macro]\npub fn seven(_: proc_macro::TokenStream) -> proc_macro::TokenStream { let _ = ryu::Buffer::new(); shared::text(7).parse().unwrap() }\n",
        )
        .lib(
            "shared",
            "[features]\nhost = [\"dep:fnv\"]\n[dependencies]\nitoa = \"1\"\nfnv = { version = \"1\", optional = true }\n",
            "pub fn text(n: u8) -> String { itoa::Buffer::new().format(n).into() }\n",
        );
    vec![case.compiles(&["app (bin)", "macros (proc-macro)", "shared (lib)"]).prints("app", "7 7")]
}

fn build_scripts() -> Vec<Case> {
    let case = |name: &str, links: &str, configuration: Option<&str>, prints: &'static str, members: &[&'static str]| {
        let case = Case::new(name)
            .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"native\"]\n")
            .app(
                "[dependencies]\nnative = { path = \"../native\" }\nitoa = \"1\"\n",
                "fn main() { println!(\"{} {} {}\", itoa::Buffer::new().format(7), native::GENERATED, env!(\"WHERE\")); }\n",
            )
            .file("app/build.rs", "fn main() { println!(\"cargo:rustc-env=WHERE={}\", std::env::var(\"DEP_KILNTEST_PLACE\").unwrap_or_default()); }\n")
            .lib("native", &format!("{links}[build-dependencies]\nryu = \"1\"\n"), "pub const GENERATED: &str = env!(\"GENERATED\");\n")
            .file(
                "native/build.rs",
                "fn main() { println!(\"cargo:place=here\"); println!(\"cargo:rustc-env=GENERATED={}\", ryu::Buffer::new().format(1.5)); }\n",
            );
        let case = match configuration {
            Some(text) => case.file(".cargo/config.toml", text),
            None => case,
        };
        case.compiles(members).prints("app", prints)
    };
    let all = &["app (bin)", "app (build script)", "native (build script)", "native (lib)"];
    let overridden = format!("[target.{HOST}.kilntest]\nplace = \"there\"\nrustc-env = {{ GENERATED = \"configured\" }}\n");
    vec![
        case("members with build.rs", "", None, "7 1.5", all),
        case("links", "links = \"kilntest\"\n", None, "7 1.5 here", all),
        case(
            "links, overridden by configuration",
            "links = \"kilntest\"\n",
            Some(&overridden),
            "7 configured there",
            &["app (bin)", "app (build script)", "native (lib)"],
        ),
    ]
}

fn artifact_names() -> Vec<Case> {
    let case = Case::new("artifact naming")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"some-lib\"]\n")
        .member(
            "app",
            "[lib]\nname = \"app_core\"\npath = \"src/core.rs\"\n[[bin]]\nname = \"the-server_2\"\npath = \"src/main.rs\"\n\
             [dependencies]\nitoa = \"1\"\nsome-lib = { path = \"../some-lib\" }\n",
        )
        .file("app/src/core.rs", "pub fn text() -> String { itoa::Buffer::new().format(shared_name::SEVEN).into() }\n")
        .file("app/src/main.rs", "fn main() { println!(\"{}\", app_core::text()); }\n")
        .lib(
            "some-lib",
            "[lib]\nname = \"shared_name\"\ncrate-type = [\"rlib\", \"staticlib\"]\n[dependencies]\ncfg-if = \"1\"\n",
            "pub const SEVEN: u8 = 7;\n",
        );
    vec![case.compiles(&["app (bin the-server_2)", "app (lib)", "some-lib (lib)"]).prints("the-server_2", "7")]
}

fn no_std() -> Vec<Case> {
    let case = Case::new("no_std members")
        .file("Cargo.toml", "[workspace]\nresolver = \"2\"\nmembers = [\"app\", \"tiny\"]\n")
        .app("[dependencies]\ntiny = { path = \"../tiny\", default-features = false }\n", "fn main() { println!(\"{:?}\", tiny::find()); }\n")
        .lib(
            "tiny",
            "[features]\ndefault = [\"std\"]\nstd = [\"memchr/std\"]\n[dependencies]\nmemchr = { version = \"2\", default-features = false }\n",
            "#![no_std]\npub fn find() -> Option<usize> { memchr::memchr(b'b', b\"ab\") }\n",
        );
    vec![case.compiles(&["app (bin)", "tiny (lib)"]).prints("app", "Some(1)")]
}

fn custom_targets() -> Vec<Case> {
    let targets = |name: &str, rest: &str| {
        Case::new(name)
            .strangers()
            .file("Cargo.toml", &root(""))
            .member("app", &format!("{rest}[dependencies]\nitoa = \"1\"\n[dev-dependencies]\nryu = \"1\"\n"))
            .file("app/programs/entry.rs", SEVEN)
            .file("app/src/bin/ignored.rs", "compile_error!(\"not part of the package\");\n")
            .file("app/programs/show.rs", "fn main() { println!(\"{}\", ryu::Buffer::new().format(1.5)); }\n")
    };
    let declared =
        "[[bin]]\nname = \"entry\"\npath = \"programs/entry.rs\"\n[[example]]\nname = \"show\"\npath = \"programs/show.rs\"\n";
    vec![
        targets("custom [[bin]] and [[example]] paths", declared)
            .select(|it| it.binaries = vec!["entry".into()])
            .compiles(&["app (bin entry)"])
            .prints("entry", "7"),
        targets("autobins = false", &format!("autobins = false\nautoexamples = false\n{declared}"))
            .compiles(&["app (bin entry)"])
            .prints("entry", "7"),
    ]
}

fn cargo_features() -> Vec<Case> {
    let case = Case::new("cargo-features")
        .file("Cargo.toml", &format!("cargo-features = [\"profile-rustflags\"]\n{}", root("[profile.dev]\nrustflags = [\"-Cdebuginfo=1\"]\n[profile.dev.package.itoa]\nrustflags = [\"--cfg\", \"chosen\"]\n")))
        .app(ITOA, SEVEN)
        .env("RUSTC_BOOTSTRAP", "1");
    vec![case.compiles(&["app (bin)"]).prints("app", "7")]
}

fn target_specific() -> Vec<Case> {
    let case = Case::new("target-specific dependencies")
        .file("Cargo.toml", &root(""))
        .app(
            "[target.'cfg(unix)'.dependencies]\nitoa = \"1\"\n[target.'cfg(windows)'.dependencies]\nfnv = \"1\"\nlog = \"0.4\"\n\
             [target.'cfg(target_feature = \"avx512f\")'.dependencies]\nscopeguard = \"1\"\n[target.'cfg(not(target_feature = \"avx512f\"))'.dependencies]\nryu = \"1\"\n\
             [target.x86_64-unknown-linux-gnu.dependencies]\ncfg-if = \"1\"\n",
            "cfg_if::cfg_if! { if #[cfg(unix)] { fn main() { println!(\"{} {}\", itoa::Buffer::new().format(7), ryu::Buffer::new().format(1.5)); } } }\n",
        );
    vec![case.strangers().compiles(&["app (bin)"]).prints("app", "7 1.5")]
}

fn inheritance() -> Vec<Case> {
    let case = Case::new("workspace inheritance")
        .file(
            "Cargo.toml",
            "[workspace]\nresolver = \"2\"\nmembers = [\"*\"]\nexclude = [\".cargo\"]\n[workspace.package]\nversion = \"3.2.1\"\nedition = \"2021\"\nrust-version = \"1.80\"\n\
             [workspace.dependencies]\nlog = { version = \"0.4\", default-features = false }\nitoa = \"1\"\nlib = { path = \"lib\", default-features = false }\n\
             [workspace.lints.rust]\nunused = \"allow\"\n",
        )
        .file(
            "app/Cargo.toml",
            "[package]\nname = \"app\"\nversion.workspace = true\nedition = { workspace = true }\nrust-version.workspace = true\n[dependencies]\nitoa.workspace = true\n\
             lib = { workspace = true, features = [\"more\"] }\nlog = { workspace = true, features = [\"std\"] }\n[lints]\nworkspace = true\n",
        )
        .file("app/src/main.rs", "fn main() { println!(\"{} {} {}\", env!(\"CARGO_PKG_VERSION\"), itoa::Buffer::new().format(7), lib::LEVEL); }\n")
        .lib("lib", "[features]\nmore = [\"log/kv\"]\n[dependencies]\nlog.workspace = true\n", "pub const LEVEL: log::Level = log::Level::Info;\n");
    vec![case.compiles(&["app (bin)", "lib (lib)"]).prints("app", "3.2.1 7 INFO")]
}

fn nested() -> Vec<Case> {
    let case = |name: &str, folder: &'static str| {
        Case::new(name)
            .nested(folder)
            .file("Cargo.toml", &root(""))
            .app(ITOA, SEVEN)
            // One configuration for all folders of the repository.
            .compiles(&["app (bin)"])
            .prints("app", "7")
    };
    let above = case("configuration above a nested workspace", "services/backend");
    write(&above.at("src/.cargo/config.toml"), "[build]\nrustflags = [\"-Cdebuginfo=1\"]\n");
    vec![case("workspace nested below the context root", "services/backend"), above]
}

fn locks() -> Vec<Case> {
    let case = |version: u32| {
        let case = Case::new(&format!("lock of version {version}"));
        let url = git_crates(&case);
        let case = case
            .file("Cargo.toml", &root(""))
            .app(
                &format!("[dependencies]\nitoa = \"1\"\nextra = {{ git = \"{url}\", branch = \"a/b\" }}\n"),
                "fn main() { println!(\"{} {}\", itoa::Buffer::new().format(7), extra::WHO); }\n",
            )
            .locked();
        let path = case.workspace().join("Cargo.lock");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains("version = 4") && text.contains("a%2Fb"), "{text}");
        if version == 3 {
            fs::write(&path, text.replace("version = 4\n", "version = 3\n").replace("%2F", "/")).unwrap();
        }
        case.compiles(&["app (bin)"]).prints("app", "7 extra")
    };
    vec![case(3), case(4)]
}
