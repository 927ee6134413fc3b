//! Query data that is not in the build context.

use super::{folder_of, with_queries};
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::context::IgnoreFile;
use crate::sqlx::State;

pub(super) const RULE: Rule = Rule {
    id: "sqlx-data-ignored-by-docker",
    group: Group::Sqlx,
    severity: Severity::Error,
    summary: "an ignore file keeps query data out of the build context",
    fixable: true,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let ignore_files = context.project.docker_files.iter().filter(|path| path.as_str().ends_with(".dockerignore"));
    for file in ignore_files.filter_map(|path| context.file(path)) {
        let Ok(rules) = IgnoreFile::parse(&file.text) else { continue };
        let folder = file.path.parent().unwrap_or(camino::Utf8Path::new(""));
        let data = with_queries(context).flat_map(|check| &check.queries).filter_map(|query| match &query.state {
            State::Found { data } => context.relative(data),
            _ => None,
        });
        let excluded = data.filter_map(|path| path.strip_prefix(folder).ok().map(camino::Utf8Path::to_owned));
        let Some(path) = excluded.into_iter().find(|path| rules.excludes(path.as_str())) else { continue };
        let Some(line) = rules.deciding_line(path.as_str()) else { continue };
        let pattern = file.line(line).trim();
        let own = pattern.trim_start_matches('/').trim_end_matches('/').trim_end_matches("/*").trim_end_matches("/**");
        let fix = own.ends_with(".sqlx").then(|| {
            let span = file.line_span(line);
            let end = file.text[span.end..].find('\n').map_or(file.text.len(), |at| span.end + at + 1);
            Fix::new("remove the pattern").replace(&file, span.start..end, "")
        });
        findings
            .line(
                &file,
                line,
                format!("`{pattern}` keeps query data out of the build context (`{}`): error: `SQLX_OFFLINE=true` but there is no cached data for this query", folder_of(&path)),
            )
            .help("remove the pattern, or bring the data back with a later line `!**/.sqlx`")
            .fix(fix);
    }
}
