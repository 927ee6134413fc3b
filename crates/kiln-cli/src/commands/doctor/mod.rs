//! `kiln doctor`

mod engine;
mod list;
mod mend;
mod show;
mod verify;

use std::process::ExitCode;

use camino::{Utf8Path, Utf8PathBuf};
use kiln::advice::{self, Changes, Context as Facts, Finding, Selection, Severity};
use kiln::text::{count, did_you_mean};
use serde::Serialize;

use super::Context;
use super::project::look_past_errors_at;
use crate::error::{CommandError, Kind};
use engine::Question;

/// Finds what breaks or slows container builds, and mends what is safe to mend
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads files; it needs no engine, no network and no database. An engine that answers within a second is asked what it will delete by itself;
what it says is shown, and counts for the exit code only where that rule is named.
A finding is silenced by a comment on its line or on the line before, `kiln: ignore[RULE]`, or by `ignore` under `[doctor]` in kiln.toml.
Exit code 4 if something of the chosen severity is found.

Examples:
  kiln doctor                        all findings
  kiln doctor --fix                  show and apply the fixes, then tell what is left
  kiln doctor --severity error       fail for errors only
  kiln doctor --sarif kiln.sarif     for code scanning
  kiln doctor cargo-lock-missing     one rule
  kiln doctor --list                 all rules")]
pub(crate) struct Args {
    /// Rules to ask; all if none is named
    #[arg(value_name = "RULE", value_parser = rule)]
    rules: Vec<String>,
    /// Apply the fixes, after showing them
    #[arg(long)]
    fix: bool,
    /// Exit with 4 if something of this severity or worse is found
    #[arg(long, value_name = "SEVERITY", default_value = "warning")]
    severity: SeverityArg,
    /// Also write the findings to a SARIF 2.1.0 file
    #[arg(long, value_name = "FILE")]
    sarif: Option<Utf8PathBuf>,
    /// List the rules
    #[arg(long, conflicts_with_all = ["fix", "sarif"])]
    list: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SeverityArg {
    /// Anything
    Note,
    /// Slow, large, or working by luck
    Warning,
    /// What fails or leaks
    Error,
}

impl From<SeverityArg> for Severity {
    fn from(argument: SeverityArg) -> Self {
        match argument {
            SeverityArg::Note => Self::Note,
            SeverityArg::Warning => Self::Warning,
            SeverityArg::Error => Self::Error,
        }
    }
}

/// A rule's id, from the command line.
fn rule(text: &str) -> Result<String, String> {
    if advice::rules::find(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(match did_you_mean(text, advice::rules::all().map(|rule| rule.id)) {
        Some(known) => format!("no such rule; did you mean `{known}`?"),
        None => "no such rule; `kiln doctor --list` names them".to_owned(),
    })
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    findings: &'a [Finding],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mended: Vec<Mended>,
}

/// A file that `--fix` changed.
#[derive(Debug, Serialize)]
struct Mended {
    path: Utf8PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    renamed_to: Option<Utf8PathBuf>,
}

pub(crate) fn run(context: &Context, args: &Args) -> Result<ExitCode, CommandError> {
    if args.list {
        list::show(context);
        return Ok(ExitCode::SUCCESS);
    }
    let selection = Selection { rules: args.rules.iter().cloned().collect() };
    let question = Question::ask(context, &selection);
    let (mended, findings) = if args.fix {
        mend::mend(context, &selection, question)?
    } else {
        (Vec::new(), findings(context, &selection, question)?)
    };
    if let Some(path) = &args.sarif {
        let of_repository: Vec<Finding> = findings.iter().filter(|finding| selection.is_about(finding)).cloned().collect();
        write_sarif(path, &of_repository)?;
    }
    if context.ui.json {
        context.ui.document(&Document { findings: &findings, mended });
    } else {
        show::findings(context, &findings);
    }
    let threshold = Severity::from(args.severity);
    let counts = |finding: &&Finding| finding.severity >= threshold && selection.is_about(finding);
    let failing = findings.iter().filter(counts).count();
    if failing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let fixable = findings.iter().filter(|finding| finding.fix.is_some()).count();
    let error =
        CommandError::new(Kind::Check, format!("{} of severity {} or worse", count(failing, "finding"), threshold.name()));
    Err(if fixable > 0 && !args.fix { error.hint(format!("`kiln doctor --fix` mends {fixable} of them")) } else { error })
}

fn findings(context: &Context, selection: &Selection, question: Option<Question>) -> Result<Vec<Finding>, CommandError> {
    let (settings, project, broken) = look_past_errors_at(&context.project)?;
    let policy = question.and_then(|question| question.answer(context));
    Ok(advice::examine(&Facts::new(&project, &settings).with_broken(&broken).collected_by(policy), selection))
}

/// Written whole or not at all.
fn write_sarif(path: &Utf8Path, findings: &[Finding]) -> Result<(), CommandError> {
    let text = format!("{:#}\n", advice::sarif(findings));
    let temporary = Utf8PathBuf::from(format!("{path}.kiln-{}", std::process::id()));
    let written = std::fs::write(&temporary, text).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        let mut command_error = CommandError::new(Kind::User, format!("cannot write `{path}`"));
        command_error.causes.push(error.to_string());
        command_error
    })
}

/// What fixes of these findings would change.
fn changes(facts: &Facts<'_>, findings: &[Finding]) -> Changes {
    Changes::of(facts, findings)
}
