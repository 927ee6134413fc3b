//! A toolchain file that names another toolchain than the image has.

use crate::advice::dockerfile::{context_sources, is_broad, mounted_sources};
use crate::advice::{Context, Dockerfile, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::{Instruction, Step};

pub(super) const RULE: Rule = Rule {
    id: "toolchain-split",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "rust-toolchain names another version than the base image",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Some((name, channel)) = channel(context, &dockerfile.context) else { continue };
        for (index, stage) in dockerfile.stages().iter().enumerate() {
            let Some(tag) = stage.from.image.strip_prefix("rust:").or(stage.from.image.strip_prefix("docker.io/library/rust:"))
            else {
                continue;
            };
            let version = tag.split('-').next().unwrap_or(tag);
            let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
            // The variable has the last word.
            let is_said = stage.steps.iter().any(|step| match &step.instruction {
                Instruction::Env(pairs) => pairs.iter().any(|pair| pair.name == "RUSTUP_TOOLCHAIN"),
                _ => false,
            });
            if is_said || !is_version(version) || !dockerfile.is_sent(name) || !is_taken(dockerfile, index, name) {
                continue;
            }
            let same = channel == version
                || is_version(&channel)
                    && (channel.starts_with(&format!("{version}.")) || version.starts_with(&format!("{channel}.")));
            if same {
                continue;
            }
            findings
                .at(&dockerfile.file, dockerfile.locate(stage.lines, &stage.from.image), format!("{name} asks for `{channel}`: the first cargo command behind the copied sources says `info: syncing channel updates for '{channel}-…'` and downloads a second toolchain, after every edit"))
                .help(format!("use `rust:{channel}` where there is such a tag, or copy {name} before the dependencies and run `rustup show` there"));
        }
    }
}

/// Whether a stage, or one that is based on it, takes a file of the context's top.
fn is_taken(dockerfile: &Dockerfile, stage: usize, name: &str) -> bool {
    let takes = |step: &Step| {
        let copied = context_sources(step).into_iter().any(|source| {
            let source = source.trim_start_matches("./");
            is_broad(source) || source == name || source.starts_with("rust-toolchain") || source.starts_with('*')
        });
        copied || mounted_sources(step).iter().any(|source| is_broad(source) || source.trim_start_matches("./") == name)
    };
    let on_it = (0..dockerfile.stages().len()).filter(|other| dockerfile.ancestry(*other).contains(&stage));
    on_it.flat_map(|other| &dockerfile.stages()[other].steps).any(takes)
}

/// The toolchain that a context asks for, and the file it stands in.
fn channel(context: &Context<'_>, folder: &camino::Utf8Path) -> Option<(&'static str, String)> {
    for name in ["rust-toolchain.toml", "rust-toolchain"] {
        let Some(file) = context.file(&folder.join(name)) else { continue };
        if !file.text.contains('[') {
            return Some((name, file.text.trim().to_owned()));
        }
        let document = toml_edit::Document::parse(file.text.clone()).ok()?;
        return Some((name, document.get("toolchain")?.get("channel")?.as_str()?.to_owned()));
    }
    None
}
