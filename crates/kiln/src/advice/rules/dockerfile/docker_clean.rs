//! Debian images that empty the cache mount of apt.

use crate::advice::dockerfile::run_commands;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, MountKind};

pub(super) const RULE: Rule = Rule {
    id: "docker-clean",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "packages of apt are deleted from the cache mount after each installation",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for stage in 0..dockerfile.stages().len() {
            let steps = dockerfile.lineage(stage);
            let own = dockerfile.stages()[stage].steps.len();
            let keeps = steps
                .iter()
                .any(|step| step.original.contains("docker-clean") || step.original.contains("Keep-Downloaded-Packages"));
            let in_heredoc = steps.iter().flat_map(|step| &step.heredocs).any(|heredoc| heredoc.content.contains("docker-clean"));
            if keeps || in_heredoc {
                continue;
            }
            for step in &steps[steps.len() - own..] {
                let Instruction::Run(run) = &step.instruction else { continue };
                let mount = run.mounts.iter().find(|spec| {
                    let mounted = spec.literal().ok().filter(|mount| mount.kind == MountKind::Cache);
                    mounted.and_then(|mount| mount.target).is_some_and(|target| target.trim_end_matches('/') == "/var/cache/apt")
                });
                let installs = run_commands(step)
                    .iter()
                    .any(|command| matches!(command.program(), "apt-get" | "apt") && command.operands().contains(&"install"));
                let (Some(mount), true) = (mount, installs) else { continue };
                findings
                    .at(&dockerfile.file, dockerfile.locate(step.lines, &mount.text), "nothing stays in this mount: Debian's images delete packages after each installation (`/etc/apt/apt.conf.d/docker-clean`)")
                    .help("run `rm -f /etc/apt/apt.conf.d/docker-clean` before `apt-get install`, in the same `RUN`");
            }
        }
    }
}
