//! Every rule of `kiln doctor`: fixtures that fire, fixtures that are quiet, a section of the docs, and fixes that mend.

mod matrix;
mod support;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use camino::Utf8Path;
use kiln::advice::{Finding, Severity, rules};

use support::{World, cases, docs_of, fixtures, root};

#[test]
fn every_rule_has_an_id_of_its_own_a_docs_section_and_fixtures() {
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for rule in rules::all() {
        let id = rule.id;
        if !known.insert(id) {
            problems.push(format!("{id}: two rules of that id"));
        }
        if !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-') {
            problems.push(format!("{id}: not small letters and hyphens"));
        }
        if rule.summary.ends_with('.') || rule.summary.is_empty() {
            problems.push(format!("{id}: the summary is one line without a full stop"));
        }
        if docs_of(rule).is_none_or(|text| text.len() < 100) {
            problems.push(format!("{id}: no section `## {id}` in docs/rules/{}.md", rule.group.page()));
        }
        for kind in ["fires", "quiet"] {
            if cases(id, kind).is_empty() {
                problems.push(format!("{id}: no fixture tests/rules/fixtures/{id}/{kind}"));
            }
        }
    }
    for folder in fixtures() {
        if !known.contains(folder.as_str()) {
            problems.push(format!("{folder}: fixtures of a rule that is not there"));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn docs_have_no_section_of_a_rule_that_is_not_there() {
    for entry in fs::read_dir(root().join("docs/rules")).expect("readable docs") {
        let text = fs::read_to_string(entry.expect("readable docs").path()).expect("readable docs");
        for heading in text.lines().filter_map(|line| line.strip_prefix("## ")) {
            assert!(rules::find(heading).is_some(), "docs/rules has `## {heading}`");
        }
    }
}

/// What the rule finds in each fixture, and what `--fix` makes of it: one snapshot for each rule, to be read like a review.
#[test]
fn every_rule_fires_where_it_should_and_is_quiet_elsewhere() {
    let mut problems = Vec::new();
    for rule in rules::all() {
        let mut shown = String::new();
        for case in cases(rule.id, "fires") {
            let world = World::copy(&case);
            let found: Vec<Finding> = world.examine(Some(rule.id));
            if found.is_empty() {
                problems.push(format!("{case}: nothing found"));
            }
            for finding in &found {
                if finding.message.is_empty() || finding.help.is_empty() {
                    problems.push(format!("{case}: a finding without message or help"));
                }
                if finding.fix.is_some() && !rule.fixable {
                    problems.push(format!("{case}: a fix of a rule that is not `fixable`"));
                }
            }
            let _ = write!(shown, "{}", show(&case, &found));
            let _ = write!(shown, "{}", world.diff(rule.id));
        }
        for case in cases(rule.id, "quiet") {
            for finding in World::copy(&case).examine(Some(rule.id)) {
                problems.push(format!("{case}: {}:{} {}", finding.path, finding.line, finding.message));
            }
        }
        if !shown.is_empty() {
            insta::assert_snapshot!(rule.id, shown);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn fixes_mend_keep_comments_and_do_nothing_the_second_time() {
    let mut problems = Vec::new();
    let mut mended = BTreeSet::new();
    let mut commented = 0;
    for rule in rules::all().filter(|rule| rule.fixable) {
        for case in cases(rule.id, "fires") {
            let world = World::copy(&case);
            let others = counts(&world.examine(None), rule.id);
            if !world.examine(Some(rule.id)).iter().any(|finding| finding.fix.is_some()) {
                continue;
            }
            let comments = world.comments();
            let before = world.files();
            if world.diff(rule.id).is_empty() {
                problems.push(format!("{case}: a fix without a difference to show"));
            }
            world.mend(rule.id);
            if world.files() == before {
                problems.push(format!("{case}: the fix changes no file"));
            }
            commented += comments.len();
            mended.insert(rule.id);
            let left = world.examine(Some(rule.id));
            for finding in left.iter().filter(|finding| finding.fix.is_some()) {
                problems.push(format!("{case}: still to be fixed after the fix: {}", finding.message));
            }
            let after = world.comments();
            for comment in comments.iter().filter(|comment| !after.contains(comment)) {
                problems.push(format!("{case}: lost `{comment}`"));
            }
            if !world.diff(rule.id).is_empty() {
                problems.push(format!("{case}: a second fix changes something"));
            }
            let now = counts(&world.examine(None), rule.id);
            for (severity, number) in now.into_iter().enumerate().filter(|(severity, number)| *number > others[*severity]) {
                problems.push(format!("{case}: {number} findings of severity {severity} of other rules after the fix"));
            }
        }
        if !mended.contains(rule.id) {
            problems.push(format!("{}: `fixable`, but no fixture has a fix", rule.id));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(commented > 20, "{commented} comments are too few to show that they are kept");
}

#[test]
fn fixes_of_all_rules_together_come_to_an_end() {
    let mut problems = Vec::new();
    for case in rules::all().filter(|rule| rule.fixable).flat_map(|rule| cases(rule.id, "fires")) {
        let world = World::copy(&case);
        world.mend_all();
        for finding in world.examine(None).iter().filter(|finding| finding.fix.is_some()) {
            problems.push(format!("{case}: still to be fixed: {} {}", finding.rule, finding.message));
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// Files of Windows: each line ends with CR and LF.
#[test]
fn windows_line_endings_change_no_finding_and_no_fix() {
    changes_nothing(&|_| true, &|text| text.replace('\n', "\r\n"), &|text| text.replace("\r\n", "\n"));
}

/// Editors put a byte order mark at the start of files that BuildKit, npm and Node read without a word.
#[test]
fn a_byte_order_mark_changes_no_finding_and_no_fix() {
    let marked = |path: &Utf8Path| {
        let name = path.file_name().unwrap_or_default();
        name.starts_with("Dockerfile")
            || name.ends_with(".dockerignore")
            || matches!(path.extension(), Some("js" | "mjs" | "cjs"))
    };
    changes_nothing(&marked, &|text| format!("\u{feff}{text}"), &|text| text.replacen('\u{feff}', "", 1));
}

/// Whether each rule finds the same in every fixture, and mends it in the same way, after some files were written in another way.
#[track_caller]
fn changes_nothing(chosen: &dyn Fn(&Utf8Path) -> bool, change: &dyn Fn(&str) -> String, undo: &dyn Fn(&str) -> String) {
    let mut problems = Vec::new();
    let mut mended = 0;
    for rule in rules::all() {
        for case in ["fires", "quiet"].iter().flat_map(|kind| cases(rule.id, kind)) {
            let plain = World::copy(&case);
            let world = World::copy(&case);
            world.rewrite(chosen, change);
            compare(rule.id, &case, &plain, &world, &mut problems);
            if !rule.fixable || plain.examine(Some(rule.id)).iter().all(|finding| finding.fix.is_none()) {
                continue;
            }
            plain.mend(rule.id);
            world.mend(rule.id);
            mended += 1;
            for (path, text) in world.files() {
                // Files that the fix has made are as kiln writes them.
                let is_new = !text.is_empty() && undo(&text) == text;
                if !is_new && change(&undo(&text)) != text {
                    problems.push(format!("{case}: the fix leaves {path} half changed: {text:?}"));
                }
            }
            let undone = world.files().into_iter().map(|(path, text)| (path, undo(&text)));
            if !undone.eq(plain.files()) {
                problems.push(format!("{case}: the fix makes something else of it"));
            }
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(mended > 20, "only {mended} fixtures were mended");
}

/// Whether a rule finds the same on the same lines of two repositories.
fn compare(rule: &str, case: &Utf8Path, plain: &World, other: &World, problems: &mut Vec<String>) {
    let found = |world: &World| -> Vec<_> {
        let findings = world.examine(Some(rule));
        findings.into_iter().map(|finding| (finding.path, finding.line, finding.message, finding.fix.is_some())).collect()
    };
    let (expected, found) = (found(plain), found(other));
    if expected != found {
        problems.push(format!("{case}:\n  {expected:?}\n  {found:?}"));
    }
}

/// How many findings there are of each severity, without those of one rule.
fn counts(findings: &[Finding], without: &str) -> [usize; 3] {
    Severity::ALL
        .map(|severity| findings.iter().filter(|finding| finding.severity == severity && finding.rule != without).count())
}

fn show(case: &Utf8Path, findings: &[Finding]) -> String {
    let mut text = format!("=== {}\n", case.file_name().unwrap_or_default());
    for finding in findings {
        let Finding { severity, path, line, column, text: pointed, message, help, .. } = finding;
        let others: String = finding.others.iter().map(|other| format!("  and {other}\n")).collect();
        let _ = writeln!(text, "{} {path}:{line}:{column} `{pointed}`\n{others}  {message}\n  help: {help}", severity.name());
    }
    text
}
