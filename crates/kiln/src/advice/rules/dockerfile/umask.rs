//! Modes that depend on the umask of the checkout.

use glob::{MatchOptions, Pattern};

use crate::advice::dockerfile::{context_sources, is_broad};
use crate::advice::{Context, Dockerfile, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind, Step};

pub(super) const RULE: Rule = Rule {
    id: "umask-dependent-modes",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "files are copied with modes that another checkout would not have",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    if context.odd_modes().is_empty() {
        return;
    }
    let is_shared = context.settings.cache.from.is_some() || context.settings.cache.to.is_some();
    for dockerfile in context.dockerfiles() {
        let taken = dockerfile.steps().find_map(|(_, step)| {
            let sources = sources(step);
            let odd: Vec<_> =
                odd(context, dockerfile).filter(|(path, _)| sources.iter().any(|source| takes(source, path))).collect();
            (!odd.is_empty()).then_some((step, odd))
        });
        let Some((step, odd)) = taken else { continue };
        let (path, mode) = odd[0];
        let usual = if mode & 0o100 == 0 { "644" } else { "755" };
        let others = match odd.len() {
            1 => String::new(),
            number => format!(", and {} more files have other modes than elsewhere", number - 1),
        };
        let finding = findings.line(
            &dockerfile.file,
            step.lines.first,
            format!(
                "`{path}` has mode {mode:o} here and {usual} in other checkouts{others}: modes are part of the cache key, also with `--chmod`, \
                 so machines with another umask never find each other's result of this step"
            ),
        );
        finding.help("`chmod -R u=rwX,go=rX .` once, and `umask 022` before `git clone` where the checkout is made; git itself keeps only whether a file is executable");
        if is_shared {
            finding.severity(Severity::Warning);
        }
    }
}

/// Files of the context that are sent with a mode that git would not give them, relative to the context.
fn odd<'c>(context: &'c Context<'_>, dockerfile: &'c Dockerfile) -> impl Iterator<Item = (&'c str, u32)> {
    context.odd_modes().iter().filter_map(|(path, mode)| {
        let path = path.strip_prefix(&dockerfile.context).ok()?.as_str();
        dockerfile.is_sent(path).then_some((path, *mode))
    })
}

/// What a step takes of the context, by `COPY`, `ADD` or a bind mount.
fn sources(step: &Step) -> Vec<String> {
    let mut sources: Vec<String> = context_sources(step).into_iter().map(str::to_owned).collect();
    if let Instruction::Run(run) = &step.instruction {
        let mounts = run.mounts.iter().filter_map(|mount| mount.literal().ok());
        let own = mounts.filter(|mount| mount.kind == MountKind::Bind && mount.from.is_none());
        sources.extend(own.map(|mount| mount.source.unwrap_or_default()));
    }
    sources
}

/// Whether a source is a file, or a folder above it, or a pattern for one of both.
fn takes(source: &str, path: &str) -> bool {
    if is_broad(source) {
        return true;
    }
    let source = source.trim_start_matches("./").trim_matches('/');
    let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
    let pattern = Pattern::new(source).ok().filter(|_| source.contains(['*', '?', '[']));
    let fits = |path: &str| path == source || pattern.as_ref().is_some_and(|pattern| pattern.matches_with(path, options));
    path.match_indices('/').any(|(end, _)| fits(&path[..end])) || fits(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_takes_files_folders_and_what_its_pattern_matches() {
        let table = [
            (".", "a/b", true),
            ("./a/", "a/b", true),
            ("a/b", "a/b", true),
            ("a", "ab", false),
            ("*.json", "package.json", true),
            ("*.json", "a/package.json", false),
            ("a*", "ab/c/d", true),
            ("a/b/c", "a/b", false),
        ];
        for (source, path, expected) in table {
            assert_eq!(takes(source, path), expected, "{source} {path}");
        }
    }
}
