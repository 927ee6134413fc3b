//! The URL of a database in a stage that compiles.

use super::dockerfiles;
use super::steps::{compiles, is_on, set_before};
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-database-url-in-image",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "a Dockerfile sets DATABASE_URL where queries are compiled",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, _) in dockerfiles(context) {
        let mut told = Vec::new();
        for compile in compiles(dockerfile) {
            let Some(set) = set_before(dockerfile, compile.stage, compile.index, "DATABASE_URL") else { continue };
            let key = (set.stage, set.index);
            // SQLite's is a path: nothing to connect to, and no secret.
            if told.contains(&key) || set.value.is_some_and(|value| value.trim_matches(['"', '\'']).starts_with("sqlite")) {
                continue;
            }
            told.push(key);
            let offline = set_before(dockerfile, compile.stage, compile.index, "SQLX_OFFLINE");
            let offline = offline.is_some_and(|set| set.value.is_none_or(is_on)) || compile.text.contains("SQLX_OFFLINE=");
            let password = set.value.is_some_and(has_password);
            let message = match (password, offline) {
                (true, _) => "the password in this URL stays in the image's history, for everyone who can pull it",
                (false, false) => {
                    "SQLx connects to this database while compiling; an image build has no network of yours: error communicating with database"
                }
                (false, true) => continue,
            };
            findings
                .line(&dockerfile.file, set.step.lines.first, message)
                .help("remove it: compile with `SQLX_OFFLINE=true` and the data of `kiln sqlx prepare`; set the URL when the container runs");
        }
    }
}

/// `scheme://user:password@host`
fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let Some((user, _)) = rest.split_once('@') else { return false };
    user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
}
