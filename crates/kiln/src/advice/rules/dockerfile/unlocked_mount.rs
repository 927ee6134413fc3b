//! Cache mounts that two steps must not use at once.

use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind};

pub(super) const RULE: Rule = Rule {
    id: "unlocked-cache-mount",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a cache mount of a tool that cannot share it has no sharing=locked",
    fixable: true,
    check,
};

/// Folders, the tool they belong to, and what it says when another one is at work.
const TOOLS: [(&str, &str, &str); 7] = [
    ("/var/cache/apt", "apt", "E: Could not get lock /var/cache/apt/archives/lock"),
    ("/var/lib/apt", "apt", "E: Could not get lock /var/lib/apt/lists/lock"),
    ("/var/lib/apt/lists", "apt", "E: Could not get lock /var/lib/apt/lists/lock"),
    ("/var/cache/apk", "apk", "ERROR: Unable to lock database"),
    ("/etc/apk/cache", "apk", "ERROR: Unable to lock database"),
    ("/var/cache/dnf", "dnf", "Waiting for process … to finish"),
    ("/root/.m2", "Maven", "Could not transfer artifact … checksum"),
];

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let Instruction::Run(run) = &step.instruction else { continue };
            for spec in &run.mounts {
                let Ok(mount) = spec.literal() else { continue };
                let target = mount.target.as_deref().unwrap_or_default().trim_end_matches('/');
                let tool = TOOLS.iter().find(|(folder, ..)| *folder == target);
                let (Some((_, tool, message)), MountKind::Cache, None) = (tool, mount.kind, mount.sharing) else { continue };
                let place = dockerfile.locate(step.lines, &spec.text);
                let is_whole = dockerfile.file.text.get(place.clone()) == Some(spec.text.as_str());
                let fix = is_whole.then(|| Fix::new("add sharing=locked").insert(&dockerfile.file, place.end, ",sharing=locked"));
                findings
                    .at(
                        &dockerfile.file,
                        place,
                        format!("{tool} fails now and then when two builds or stages run at once: `{message}`"),
                    )
                    .help("add `sharing=locked`, so that the second waits; the next build starts with an empty folder, once")
                    .fix(fix);
            }
        }
    }
}
