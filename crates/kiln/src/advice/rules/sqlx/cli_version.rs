//! sqlx-cli of another version than the project.

use super::dockerfiles;
use crate::advice::{Context, Findings, Group, Rule, Severity, command_text};
use crate::sqlx::Version;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-cli-version",
    group: Group::Sqlx,
    severity: Severity::Warning,
    summary: "a Dockerfile or script installs sqlx-cli of another version than the project's sqlx",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for (dockerfile, check) in dockerfiles(context) {
        let Some(sqlx) = &check.sqlx else { continue };
        for (_, step, run) in dockerfile.runs() {
            let text = command_text(run);
            let words: Vec<&str> = text.split_whitespace().collect();
            let installs = words.windows(2).any(|pair| pair[0].ends_with("cargo") && matches!(pair[1], "install" | "binstall"));
            let Some(name) = words.iter().find(|word| **word == "sqlx-cli" || word.starts_with("sqlx-cli@")).filter(|_| installs)
            else {
                continue;
            };
            let flag = words.iter().position(|word| matches!(*word, "--version" | "--vers"));
            let wanted = name
                .strip_prefix("sqlx-cli@")
                .or_else(|| words.iter().find_map(|word| word.strip_prefix("--version=")))
                .or_else(|| flag.and_then(|flag| words.get(flag + 1).copied()));
            let file = &dockerfile.file;
            let line = (step.lines.first..=step.lines.last)
                .find(|line| file.line(*line).contains("sqlx-cli"))
                .unwrap_or(step.lines.first);
            match wanted {
                None => {
                    findings
                        .line(
                            file,
                            line,
                            format!(
                                "the newest sqlx-cli is installed on the day of the build, whose data SQLx {sqlx} may not read"
                            ),
                        )
                        .help(format!("pin it: `cargo install sqlx-cli --version {sqlx} --locked`"));
                }
                Some(version) if lowest(version).is_some_and(|version| version.series() != sqlx.series()) => {
                    findings
                        .line(file, line, format!("sqlx-cli {version} beside sqlx {sqlx}: they keep query data differently"))
                        .help(format!("`cargo install sqlx-cli --version {sqlx} --locked`"));
                }
                Some(_) => {}
            }
        }
    }
}

/// The version that a requirement begins with: `0.8`, `^0.8.2`, `=0.7.4`. None if a variable says it.
fn lowest(text: &str) -> Option<Version> {
    let text = text.trim_matches(['"', '\'']).trim_start_matches(['^', '=', '~']);
    let missing = 2usize.checked_sub(text.matches('.').count())?;
    Version::parse(&format!("{text}{}", ".0".repeat(missing)))
}
