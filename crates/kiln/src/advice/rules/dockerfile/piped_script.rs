//! Scripts from the network, run as they come.

use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    id: "piped-script",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a script from the network is piped into a shell",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let commands = run_commands(step);
            for pair in commands.windows(2) {
                let [fetch, run] = pair else { continue };
                let fetches = matches!(fetch.program(), "curl" | "wget") && fetch.piped;
                let runs = matches!(run.program(), "sh" | "bash" | "dash" | "zsh" | "python" | "python3" | "node" | "perl");
                let address = fetch.words.iter().find(|word| word.contains("://"));
                let (true, true, Some(address)) = (fetches, runs, address) else { continue };
                // An address with a version, or a script that is told one, gives the same every day.
                let has_version = |word: &String| {
                    word.split(['/', '-', '=', '@', 'v'])
                        .any(|part| part.contains('.') && part.chars().all(|c| c.is_ascii_digit() || c == '.'))
                };
                if fetch.words.iter().chain(&run.words).any(has_version) || address.contains('$') {
                    continue;
                }
                findings
                    .at(&dockerfile.file, dockerfile.locate(step.lines, address), "what this installs depends on the day the step first ran; and a download that breaks off is no error, since the shell is the last of the pipe")
                    .help("download a named version, check its checksum (`ADD --checksum=sha256:…`), then run it");
            }
        }
    }
}
