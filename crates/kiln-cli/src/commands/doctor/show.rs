//! Findings as text: what rustc's readers know.

use anstyle::{AnsiColor, Style};
use camino::Utf8Path;
use kiln::advice::{Finding, Severity};
use kiln::text::{Text, count};

use crate::commands::Context;

const HELP: Style = AnsiColor::Cyan.on_default().bold();
const DIM: Style = Style::new().dimmed();

/// Longest part of a line that is shown, in characters.
const WIDTH: usize = 110;

/// How many further files of a finding are named.
const OTHERS: usize = 2;

pub(super) fn findings(context: &Context, findings: &[Finding]) {
    let mut text = Text::default();
    for finding in findings {
        text += &one(&context.project, finding);
        text += "\n";
    }
    context.ui.data(&text.finish());
    let number = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    if findings.is_empty() {
        context.ui.note("nothing found");
    } else {
        let counts = Severity::ALL.into_iter().rev().filter(|severity| number(*severity) > 0);
        let counts: Vec<String> = counts.map(|severity| count(number(severity), severity.name())).collect();
        context.ui.note(&counts.join(", "));
    }
}

fn one(root: &Utf8Path, finding: &Finding) -> String {
    let style = match finding.severity {
        Severity::Error => AnsiColor::Red.on_default().bold(),
        Severity::Warning => AnsiColor::Yellow.on_default().bold(),
        Severity::Note => AnsiColor::Blue.on_default().bold(),
    };
    let Finding { rule, severity, path, line, column, .. } = finding;
    let mut text = Text::new(format!("{style}{}{style:#}[{rule}]: {}\n", severity.name(), finding.message));
    if finding.text.is_empty() {
        text += format_args!(" {DIM}-->{DIM:#} {path}\n");
    } else {
        text += format_args!(" {DIM}-->{DIM:#} {path}:{line}:{column}\n");
        text += &excerpt(root, finding, style);
    }
    for other in finding.others.iter().take(OTHERS) {
        text += format_args!("     {other}\n");
    }
    if finding.others.len() > OTHERS {
        text += format_args!("     and {} more of this folder\n", finding.others.len() - OTHERS);
    }
    let mut help = finding.help.lines();
    if let Some(first) = help.next() {
        text += format_args!("  {HELP}help{HELP:#}: {first}\n");
    }
    for line in help {
        text += format_args!("        {line}\n");
    }
    if let Some(fix) = &finding.fix {
        text += format_args!("   {HELP}fix{HELP:#}: {}\n", fix.title);
    }
    text.finish()
}

/// The line with the text underlined.
fn excerpt(root: &Utf8Path, finding: &Finding, style: Style) -> String {
    let source = std::fs::read_to_string(root.join(&finding.path)).unwrap_or_default();
    let Some(line) = source.lines().nth(finding.line - 1) else { return String::new() };
    let before: String = line.chars().take(finding.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    let length = finding.text.chars().count();
    let number = finding.line.to_string();
    let gap = " ".repeat(number.len());
    let mut text = Text::default();
    // A minified file has one line of thousands of characters.
    if line.chars().count() > WIDTH {
        let shown: String = finding.text.chars().take(WIDTH).collect();
        text += format_args!("{DIM}{number} |{DIM:#} … {shown}\n");
        return text.finish();
    }
    text += format_args!("{DIM}{number} |{DIM:#} {line}\n{DIM}{gap} |{DIM:#} {before}{style}{}{style:#}\n", "^".repeat(length));
    text.finish()
}
