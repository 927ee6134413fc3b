//! `docs/cli.md` is made from the help texts, so it cannot go stale.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::support::Test;

const COMMANDS: &[&[&str]] = &[
    &[],
    &["plan"],
    &["init"],
    &["build"],
    &["warm"],
    &["status"],
    &["clean"],
    &["refresh"],
    &["bench"],
    &["doctor"],
    &["predict"],
    &["why"],
    &["replay"],
    &["sqlx", "check"],
    &["sqlx", "prepare"],
    &["report"],
    &["recipe", "prepare"],
    &["recipe", "cook"],
    &["recipe", "compile"],
    &["recipe", "npm"],
    &["recipe", "install"],
    &["completions"],
];

const HEAD: &str = "\
# Command line

Made from the help texts by a test: `INSTA_UPDATE=always cargo test -p kiln-cli --test cli` writes it anew.

Data goes to stdout, talk to stderr. With `--json`, stdout is one document with a top-level `\"schema\"` number.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | the user's world is wrong: configuration, project, engine missing |
| 2 | usage |
| 3 | a build failed |
| 4 | a check failed |
| 70 | a defect of kiln |
| 75 | worth trying again: network, lock |
| 130 | interrupted |
";

#[test]
fn docs_cli_md_is_what_the_help_says() {
    let mut text = HEAD.to_owned();
    for command in COMMANDS.iter().copied() {
        let mut args = command.to_vec();
        args.push("--help");
        let ran = Test::new().args(args).run();
        assert_eq!(ran.code, Some(0), "{ran}");
        let title = ["kiln"].iter().chain(command).copied().collect::<Vec<_>>().join(" ");
        let _ = write!(text, "\n## {title}\n\n```text\n{}\n```\n", ran.stdout.trim_end());
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    #[expect(clippy::disallowed_methods, reason = "the same switch as for snapshots")]
    let update = std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always");
    if update {
        fs::write(&path, &text).expect("written");
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(known == text, "docs/cli.md is out of date: run this test with INSTA_UPDATE=always");
}
