//! `cargo sqlx prepare` in an image build.

use super::dockerfiles;
use crate::advice::{Context, Findings, Group, Rule, Severity, command_text};

pub(super) const RULE: Rule = Rule {
    id: "sqlx-prepare-in-image",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "a Dockerfile runs `cargo sqlx prepare` or migrations, which need a database",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, _) in dockerfiles(context) {
        for (_, step, run) in dockerfile.runs() {
            let text = command_text(run);
            let words: Vec<&str> = text.split_whitespace().collect();
            let prepares = words.windows(3).any(|three| three[0].ends_with("cargo") && three[1..] == ["sqlx", "prepare"]);
            let migrates = words.windows(3).any(|three| three[0].ends_with("sqlx") && three[1..] == ["migrate", "run"]);
            // One that brings its own database, or only a file, knows what it does.
            let own = ["sqlite:", "initdb", "pg_ctl", "postgres ", "mysqld", "mariadbd"].iter().any(|word| text.contains(word));
            if (prepares || migrates) && !own {
                let what = if prepares { "`cargo sqlx prepare`" } else { "`sqlx migrate run`" };
                findings
                    .line(
                        &dockerfile.file,
                        step.lines.first,
                        format!("{what} needs a database, and an image build has none: error communicating with database"),
                    )
                    .help(
                        "run `kiln sqlx prepare` before the build and commit `.sqlx`; run migrations when the container starts",
                    );
            }
        }
    }
}
