//! Manifests, lockfiles and folders that cannot be read.

use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "broken-manifest",
    group: Group::General,
    severity: Severity::Error,
    summary: "a manifest, lockfile or cargo configuration cannot be read",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for error in context.broken {
        let (absolute, line) = error.place();
        let Some(path) = context.relative(absolute) else { continue };
        let message = format!("no build gets past this: {}", sentence(context, error, line));
        let help = "mend it: until then no rule looks at what it describes";
        match context.file(&path) {
            Some(file) => findings.line(&file, line, message).help(help),
            None => findings.on(&path, message).help(help),
        };
    }
}

/// The error and what caused it, without the place, which the finding has.
fn sentence(context: &Context<'_>, error: &dyn std::error::Error, line: usize) -> String {
    let root = format!("{}/", context.project.root);
    let mut text = error.to_string().replace(&root, "");
    // `Cargo.toml:3:8: what is wrong`
    if let Some((place, rest)) = text.split_once(": ")
        && place.contains(&format!(":{line}"))
        && !place.contains(' ')
    {
        text = rest.to_owned();
    }
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Some errors say what caused them themselves.
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text.lines().next().unwrap_or_default().to_owned()
}
