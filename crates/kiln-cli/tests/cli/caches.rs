//! `kiln build --cache-from`, `--cache-to` and `[cache]` of `kiln.toml`

use std::fs;

use crate::support::{GOOD_INFO, Test};

/// Two services and no branch: what is expanded comes from the environment.
fn shop(settings: &str) -> Test {
    Test::new()
        .docker()
        .write("kiln.toml", &format!("[project]\nname = \"shop\"\n{settings}"))
        .service("api", "FROM scratch\n")
        .service("web", "FROM scratch\n")
        .fake("build", "stream noop")
        .env("KILN_BRANCH", "feature/login")
        .env("KILN_PROGRESS", "quiet")
        .args(["build"])
}

/// The cache flags of each call of buildx, in an order that does not depend on which build begins first.
fn flags(test: &Test) -> String {
    let calls = test.calls();
    let words: Vec<Vec<&str>> = calls.lines().map(|line| line.split(' ').collect()).collect();
    let flags = words.iter().map(|words| {
        let pairs = words.windows(2).filter(|pair| pair[0].starts_with("--cache-")).map(|pair| pair.join(" "));
        pairs.collect::<Vec<_>>().join("\n  ")
    });
    let mut flags: Vec<String> = flags.collect();
    flags.sort();
    flags.join("\n")
}

const CACHE: &str = "[cache]\nfrom = [\"r.example/c:{service}-{variant}-{branch}\", \"r.example/c:{service}-{variant}-main\"]\n\
                     to = \"r.example/c:{service}-{variant}-{branch}\"\n";

#[test]
fn settings_say_where_from_and_a_flag_says_that_it_is_written() {
    let test = shop(CACHE);
    assert_eq!(test.run().code, Some(0));
    insta::assert_snapshot!(flags(&test), @r"
    --cache-from type=registry,ref=r.example/c:api-prod-feature-login
      --cache-from type=registry,ref=r.example/c:api-prod-main
    --cache-from type=registry,ref=r.example/c:web-prod-feature-login
      --cache-from type=registry,ref=r.example/c:web-prod-main
    ");
    let test = shop(CACHE).args(["api", "--export-cache", "--cache-from", "none"]);
    assert_eq!(test.run().code, Some(0));
    insta::assert_snapshot!(flags(&test), @"--cache-to type=registry,ref=r.example/c:api-prod-feature-login,oci-mediatypes=true,image-manifest=true,compression=zstd,mode=max,ignore-error=true");
    let test = shop(CACHE).args(["api"]).env("KILN_EXPORT_CACHE", "0");
    assert_eq!((test.run().code, flags(&test).contains("--cache-to")), (Some(0), false));
    let test = shop(CACHE).args(["api"]).env("KILN_EXPORT_CACHE", "1");
    assert_eq!((test.run().code, flags(&test).contains("--cache-to")), (Some(0), true));
}

#[test]
fn flags_replace_settings_and_keep_their_order() {
    let test = shop(CACHE).args(["api", "--cache-from", "b", "--cache-from", "a", "--cache-to", "type=inline", "--export-cache"]);
    assert_eq!(test.run().code, Some(0));
    insta::assert_snapshot!(flags(&test), @r"
    --cache-from type=registry,ref=b
      --cache-from type=registry,ref=a
      --cache-to type=inline
    ");
}

#[test]
fn there_must_be_somewhere_to_write_to() {
    insta::assert_snapshot!(shop("").args(["--export-cache"]).run());
}

#[test]
fn two_builds_never_write_to_one_place() {
    for (variants, cache) in [
        ("prod", "r.example/shop/cache"),
        ("prod", "type=registry,ref=r.example:5000/cache:{branch}"),
        ("prod,dev", "type=gha,scope={service}"),
        ("prod", "type=local,dest=cache,tag=all"),
    ] {
        let test = shop("")
            .write("api/Dockerfile.dev", "FROM scratch\n")
            .write("web/Dockerfile.dev", "FROM scratch\n")
            .env("ACTIONS_RUNTIME_TOKEN", "t")
            .env("ACTIONS_RESULTS_URL", "u")
            .args(["--variant", variants, "--cache-to", cache]);
        insta::assert_snapshot!(test.run());
        assert_eq!(test.calls(), "", "nothing was built");
    }
}

#[test]
fn a_folder_needs_no_placeholders_and_is_relative_to_where_it_was_written() {
    let mut test = shop("[cache]\nto = \"type=local,dest=of-settings\"\n");
    fs::create_dir(test.root().join("elsewhere")).unwrap();
    let run = |test: &mut Test, args: &[&str]| {
        let all = ["build"].iter().chain(args).copied();
        assert_eq!(test.run_with(all).code, Some(0));
    };
    run(&mut test, &["--export-cache"]);
    run(&mut test, &["--cache-to", "type=local,dest=../of-flags"]);
    let made = |path: &str| test.root().join(path).join(".kiln").is_dir();
    assert!(made("project/of-settings") && made("of-flags"));
    let flags = flags(&test);
    for tag in ["api-prod", "web-prod"] {
        let dest = |folder: &str| {
            flags
                .lines()
                .any(|line| line.contains(&format!("dest=<root>/{folder}/.kiln/")) && line.contains(&format!("tag={tag},")))
        };
        assert!(dest("project/of-settings") && dest("of-flags"), "{flags}");
    }
}

#[test]
fn a_folder_is_no_part_of_a_context_that_it_would_change() {
    let test = shop("").args(["--cache-to", "type=local,dest=web/cache"]);
    insta::assert_snapshot!(test.run());
    assert_eq!(test.calls(), "");
    let test = shop("").write("web/.dockerignore", ".kiln\n").args(["--cache-to", "type=local,dest=web/cache"]);
    insta::assert_snapshot!(test.run());
    for folder in ["web/.kiln/cache", "web/../outside", "web-cache"] {
        let to = format!("type=local,dest={folder}");
        let test = shop("").write("web/.dockerignore", ".kiln\n").args(["--cache-to", &to]);
        assert_eq!(test.run().code, Some(0), "{folder}");
    }
}

#[test]
fn an_absent_folder_is_a_note() {
    let test = shop("").args(["api", "--cache-from", "type=local,src=nowhere", "--progress", "plain"]);
    insta::assert_snapshot!(test.run());
    assert_eq!(flags(&test), "", "buildx would end the build because of a tag that is not there");
}

#[test]
fn what_became_of_caches_is_told_once() {
    let vertex = |name: &str, error: &str| {
        format!(
            r#"echo '{{"vertexes":[{{"digest":"{name}","name":"{name}","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z","error":"{error}"}}]}}' >&2; "#
        )
    };
    let script = [
        vertex(
            "importing cache manifest from r.example/c:x",
            "failed to configure registry cache importer: r.example/c:x: not found",
        ),
        vertex(
            "importing cache manifest from r.example/c:y",
            "failed to configure registry cache importer: r.example/c:y: 401 Unauthorized",
        ),
        vertex("exporting cache to registry", "error writing layer blob: push access denied"),
        "stream noop".to_owned(),
    ];
    let test = shop("").fake("build", &script.concat()).args(["--progress", "plain", "--json"]);
    let ran = test.run();
    let about_caches = |line: &&str| line.starts_with("cache ") || line.starts_with("warning: ");
    insta::assert_snapshot!(ran.stderr.lines().filter(about_caches).collect::<Vec<_>>().join("\n"), @r"
    cache `r.example/c:x` not used: there is none yet
    cache `r.example/c:y` not used: r.example/c:y: 401 Unauthorized
    warning: the cache of `api` (prod) was not written (registry): error writing layer blob: push access denied
    warning: the cache of `web` (prod) was not written (registry): error writing layer blob: push access denied
    ");
    assert_eq!(ran.code, Some(0));
    assert_eq!(ran.json()["builds"][0]["caches_not_used"][1]["cache"], "r.example/c:y");
    // A step that fails as well is the one to blame.
    let failing = script[..3].concat() + "stream failed-step; exit 1";
    let ran = shop("").fake("build", &failing).args(["api"]).run();
    assert!(ran.code == Some(3) && ran.stderr.contains("failed with exit code 7"), "{ran}");
}

#[test]
fn mistakes_are_named_before_anything_runs() {
    for args in [
        ["--cache-to", "type=registy,ref=r.example/c"],
        ["--cache-to", "type=local,dest=c,mod=max"],
        ["--cache-to", "ref=r.example/c"],
        ["--cache-to", "type=registry,ref=r:{services}"],
        ["--cache-from", "type=inline"],
    ] {
        let test = shop("").args(args);
        insta::assert_snapshot!(test.run());
        assert_eq!(test.calls(), "");
    }
    insta::assert_snapshot!(shop("[cache]\nfrom = \"type=local\"\n").run());
}

#[test]
fn github_actions_must_be_in_reach() {
    insta::assert_snapshot!(shop("").args(["--cache-to", "type=gha"]).run());
    let absent = shop("").args(["api", "--cache-from", "type=gha", "--progress", "plain"]);
    insta::assert_snapshot!(absent.run());
    let test = shop("").args(["--cache-from", "type=gha", "--cache-to", "type=gha"]);
    let test = test.env("ACTIONS_RUNTIME_TOKEN", "t").env("ACTIONS_RESULTS_URL", "https://results.example");
    assert_eq!(test.run().code, Some(0));
    insta::assert_snapshot!(flags(&test), @r"
    --cache-from type=gha,scope=shop-api-prod
      --cache-to type=gha,scope=shop-api-prod,mode=max,ignore-error=true
    --cache-from type=gha,scope=shop-web-prod
      --cache-to type=gha,scope=shop-web-prod,mode=max,ignore-error=true
    ");
}

#[test]
fn without_a_branch_sources_are_left_out_and_destinations_are_refused() {
    let detached = |args: &[&str]| shop(CACHE).env("KILN_BRANCH", "").args(args.iter().copied());
    let test = detached(&["api", "--progress", "plain"]);
    insta::assert_snapshot!(test.run().stderr);
    assert_eq!(flags(&test), "--cache-from type=registry,ref=r.example/c:api-prod-main");
    insta::assert_snapshot!(detached(&["--export-cache"]).run());
    let test = detached(&["api", "--export-cache"]).env("GITHUB_REF_NAME", "12/merge");
    assert_eq!(test.run().code, Some(0));
    assert!(flags(&test).contains("--cache-to type=registry,ref=r.example/c:api-prod-12-merge,"));
}

#[test]
fn an_engine_that_cannot_export_says_so_and_what_to_do() {
    let refusal = "echo 'ERROR: failed to build: Cache export is not supported for the docker driver.' >&2; \
                   echo 'Switch to a different driver, or turn on the containerd image store, and try again.' >&2; exit 1";
    let test = shop("").fake("build", refusal).fake("info", GOOD_INFO);
    insta::assert_snapshot!(test.args(["--cache-to", "type=local,dest=c"]).run());
}
