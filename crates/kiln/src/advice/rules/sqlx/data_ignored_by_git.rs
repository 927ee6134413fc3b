//! Query data that is in no clone.

use ignore::Match;
use ignore::gitignore::GitignoreBuilder;

use super::with_queries;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::sqlx::State;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-ignored-by-git",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "git ignores query data, so that no clone has it",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for check in with_queries(context) {
        let Some(workspace) = context.relative(&check.workspace) else { continue };
        let expected = check.queries.iter().find_map(|query| match &query.state {
            State::Found { data } => context.relative(data),
            State::Missing { looked_at } => context.relative(looked_at.last()?),
            _ => None,
        });
        let Some(expected) = expected else { continue };
        for folder in expected.ancestors().skip(1) {
            let Some(file) = context.file(&folder.join(".gitignore")) else { continue };
            for (index, line) in file.text.lines().enumerate() {
                let mut builder = GitignoreBuilder::new(context.project.root.join(folder));
                if builder.add_line(None, line).is_err() {
                    continue;
                }
                let Ok(rules) = builder.build() else { continue };
                let absolute = context.project.root.join(&expected);
                if !matches!(rules.matched_path_or_any_parents(absolute, false), Match::Ignore(_)) || back(&file.text, index) {
                    continue;
                }
                let span = file.line_span(index + 1);
                let end = file.text[span.end..].find('\n').map_or(file.text.len(), |at| span.end + at + 1);
                let own = line.trim().trim_end_matches('/').trim_end_matches("/*").ends_with(".sqlx");
                findings
                    .line(
                        &file,
                        index + 1,
                        format!(
                            "git ignores the query data{}: a clone, also that of CI, has none, and an offline build stops with \"there is \
                             no cached data for this query\"",
                            if workspace.as_str().is_empty() { String::new() } else { format!(" of `{workspace}`") }
                        ),
                    )
                    .help("remove the pattern, then `git add .sqlx`")
                    .fix(own.then(|| Fix::new("remove the pattern").replace(&file, span.start..end, "")));
                return;
            }
        }
    }
}

/// Whether a later line speaks of the folder again: then it is someone's careful work, and not for kiln to judge.
fn back(text: &str, line: usize) -> bool {
    text.lines().skip(line + 1).any(|line| line.trim_start().starts_with('!') && line.contains(".sqlx"))
}
