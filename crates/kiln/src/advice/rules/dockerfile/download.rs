//! `ADD` of what stands on the network.

use crate::advice::dockerfile::is_address;
use crate::advice::{Context, Findings, Fix, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const UNCHECKED: Rule = Rule {
    id: "unchecked-download",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "ADD of an address without a checksum",
    fixable: false,
    check: unchecked,
};

pub(super) const LOCAL: Rule = Rule {
    id: "add-for-copy",
    group: Group::Dockerfile,
    severity: Severity::Note,
    summary: "ADD where COPY is meant",
    fixable: true,
    check: local,
};

fn unchecked(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let Instruction::Add(add) = &step.instruction else { continue };
            let address = add
                .sources
                .iter()
                .find(|address| address.starts_with("http") && is_address(address) && !address.contains(".git"));
            let (Some(address), None) = (address, &add.checksum) else { continue };
            findings
                .at(&dockerfile.file, dockerfile.locate(step.lines, address), "every build asks the server, also a fully cached one, and a new `Last-Modified` runs this step and all after it again; nobody notices other bytes")
                .help("add `--checksum=sha256:…`");
        }
    }
}

fn local(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            let Instruction::Add(add) = &step.instruction else { continue };
            let is_plain = |path: &String| {
                let is_archive =
                    [".tar", ".tgz", ".txz", ".tbz", ".tbz2", ".gz", ".xz", ".bz2", ".zst"].iter().any(|end| path.ends_with(end));
                !is_archive && !is_address(path) && !path.contains(['*', '?', '[', '$']) && !path.contains("://")
            };
            let options = add.checksum.is_some() || add.keep_git_dir.is_some() || add.unpack.is_some();
            if add.sources.is_empty() || !add.sources.iter().all(is_plain) || options {
                continue;
            }
            let place = dockerfile.locate(step.lines, &step.keyword);
            let keyword = if step.keyword.starts_with('a') { "copy" } else { "COPY" };
            findings
                .at(&dockerfile.file, place.clone(), "`ADD` unpacks a file that turns out to be an archive, and fetches what looks like an address; `COPY` does neither")
                .help("write `COPY`")
                .fix(Fix::new("write COPY").replace(&dockerfile.file, place, keyword));
        }
    }
}
