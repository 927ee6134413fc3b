//! Installing system packages: cached downloads, nothing left in the layer.

use super::network::Network;
use super::{Command, Instruction, Mount, Run, Sharing};
use crate::plan::{Distribution, Plan, distribution, mounts};

/// A step that installs packages, or `None` if there are none or the image cannot install any. `stage` names the cache mounts;
/// `after` are shell lines that belong to the same step.
pub(super) fn install(
    plan: &Plan,
    network: &Network,
    image: &str,
    stage: &str,
    packages: &[String],
    after: &[String],
) -> Option<Instruction> {
    let cache = |what: &str, target: &str| Mount::Cache {
        id: mounts::system_packages(plan, stage, what),
        target: target.to_owned(),
        sharing: Sharing::Locked,
    };
    let distribution = distribution(image);
    if distribution == Distribution::Bare || (packages.is_empty() && after.is_empty()) {
        return None;
    }
    if packages.is_empty() {
        return Some(Instruction::Run(Run { mounts: Vec::new(), command: Command::Shell(joined(after.to_vec())) }));
    }
    let mut mounts = match distribution {
        Distribution::Alpine => vec![cache("cache", "/etc/apk/cache")],
        _ => vec![cache("cache", "/var/cache/apt"), cache("lists", "/var/lib/apt")],
    };
    mounts.extend(network.certificate_mounts());
    let mut lines = network.certificate_lines();
    match distribution {
        Distribution::Alpine => lines.push(format!("apk add --update-cache {}", packages.join(" "))),
        _ => {
            let option = if network.has_certificates() { " -o Acquire::https::CAInfo=$SSL_CERT_FILE" } else { "" };
            lines.push("rm -f /etc/apt/apt.conf.d/docker-clean".to_owned());
            lines.push(format!("apt-get{option} update"));
            lines.push(format!("apt-get{option} install -y --no-install-recommends {}", packages.join(" ")));
        }
    }
    lines.extend_from_slice(after);
    Some(Instruction::Run(Run { mounts, command: Command::Shell(joined(lines)) }))
}

/// Lines that each must succeed.
pub(super) fn joined(lines: Vec<String>) -> Vec<String> {
    let last = lines.len().saturating_sub(1);
    lines.into_iter().enumerate().map(|(index, line)| if index < last { format!("{line} &&") } else { line }).collect()
}
