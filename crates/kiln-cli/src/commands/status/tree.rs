//! What is cached, as a tree: each image of a service, its stages, their steps; then the mounts. Pure, so that it can be tested.

use std::collections::BTreeSet;

use anstyle::Style;
use jiff::Timestamp;
use kiln::lifecycle::known::step_key;
use kiln::lifecycle::status::{Entry, EntryKind, Inventory, Shared, Sum};
use kiln::text::{Text, bytes, count};

use crate::commands::cached::ago;

const FAINT: Style = Style::new().dimmed();
const NAME: Style = Style::new().bold();
/// How much of an instruction fits into a line.
const WIDTH: usize = 60;

/// Something with parts.
#[derive(Debug)]
struct Node {
    text: String,
    parts: Vec<Self>,
}

/// The tree with a heading, and in the end what is not the project's.
pub(super) fn text(project: &str, inventory: &Inventory, tags: &[String], now: Timestamp) -> String {
    let mut text = Text::default();
    let all = inventory.sum(|_| true);
    let stale = inventory.sum(|entry| !entry.current);
    text += format_args!("{NAME}{project}{NAME:#}: {} in {}", bytes(all.bytes), count(all.records, "record"));
    if stale.records > 0 {
        text += format_args!("; {} of it stale", bytes(stale.bytes));
    }
    text += format_args!("\n");
    for node in nodes(inventory, now) {
        text += format_args!("\n{}\n", node.text);
        draw(&mut text, "", &node.parts);
    }
    if !tags.is_empty() {
        text += format_args!("\nstages kept as images\n");
        for tag in tags {
            text += format_args!("  {tag}\n");
        }
    }
    text += format_args!(
        "\nunknown: {} that fit steps of this project, but no recorded build\nof other projects, base images and the rest: {}\n",
        in_records(inventory.unknown),
        in_records(inventory.elsewhere),
    );
    text.finish()
}

fn in_records(sum: Sum) -> String {
    format!("{} in {}", bytes(sum.bytes), count(sum.records, "record"))
}

fn draw(text: &mut Text, before: &str, nodes: &[Node]) {
    for (number, node) in nodes.iter().enumerate() {
        let (branch, below) = if number + 1 == nodes.len() { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        *text += format_args!("{FAINT}{before}{branch}{FAINT:#}{}\n", node.text);
        draw(text, &format!("{before}{below}"), &node.parts);
    }
}

/// Images with their stages, mounts, and the program that all projects share.
fn nodes(inventory: &Inventory, now: Timestamp) -> Vec<Node> {
    let of = |kinds: &'static [EntryKind]| inventory.entries.iter().filter(|entry| kinds.contains(&entry.kind));
    let mut nodes = Vec::new();
    let owners: BTreeSet<&BTreeSet<String>> = of(&[EntryKind::Layer, EntryKind::Context]).map(|entry| &entry.owners).collect();
    for owners in owners {
        let own = || of(&[EntryKind::Layer, EntryKind::Context]).filter(|entry| entry.owners == *owners);
        let mut parts = Vec::new();
        let stages: BTreeSet<&BTreeSet<String>> =
            own().filter(|entry| entry.kind == EntryKind::Layer).map(|entry| &entry.stages).collect();
        for stages in stages {
            let of_stage = own().filter(|entry| entry.kind == EntryKind::Layer && entry.stages == *stages);
            parts.extend(group(&joined(stages), of_stage.collect(), now));
        }
        parts.extend(group("contexts", own().filter(|entry| entry.kind == EntryKind::Context).collect(), now));
        let sum: u64 = own().map(|entry| entry.bytes).sum();
        nodes.push(Node { text: format!("{NAME}{}{NAME:#}  {}", joined(owners), bytes(sum)), parts });
    }
    nodes.extend(group("mounts", of(&[EntryKind::Mount]).collect(), now));
    nodes.extend(group("shared by all projects", of(&[EntryKind::Tool]).collect(), now));
    nodes
}

/// A name with the sum of what is below it; nothing for nothing.
fn group(name: &str, entries: Vec<&Entry>, now: Timestamp) -> Option<Node> {
    let sum: u64 = entries.iter().map(|entry| entry.bytes).sum();
    let parts: Vec<Node> = entries.iter().map(|entry| Node { text: line(entry, now), parts: Vec::new() }).collect();
    (!parts.is_empty()).then(|| Node { text: format!("{name}  {}", bytes(sum)), parts })
}

fn line(entry: &Entry, now: Timestamp) -> String {
    let what: String = step_key(&entry.what).chars().take(WIDTH).collect();
    let size = bytes(entry.bytes);
    let used = format!("used {}", ago(entry.last_used, now));
    let hits = count(entry.hits, "hit");
    let mut marks = Vec::new();
    if !entry.current {
        marks.push("stale");
    }
    match entry.shared {
        Shared::No => {}
        Shared::Image => marks.push("also in an image"),
        Shared::Others if entry.kind == EntryKind::Tool => {}
        Shared::Others => marks.push("shared"),
    }
    if entry.in_use {
        marks.push("in use");
    }
    let marks = if marks.is_empty() { String::new() } else { format!("  [{}]", marks.join(", ")) };
    // Whose mount it is: it stands under no image.
    let owners = match entry.kind {
        EntryKind::Mount if !entry.owners.is_empty() => format!("  {FAINT}of {}{FAINT:#}", joined(&entry.owners)),
        _ => String::new(),
    };
    let old = entry.units.as_ref().filter(|units| units.unused > 0).map_or_else(String::new, |units| {
        format!("; {} of it in {} of old builds, which age out", bytes(units.unused_bytes), count(units.unused, "unit"))
    });
    format!("{size:>9}  {used:<15}  {hits:<7}  {what}{owners}{old}{marks}")
}

fn joined(names: &BTreeSet<String>) -> String {
    if names.is_empty() {
        "of no recorded build".to_owned()
    } else {
        names.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use kiln::recipe::MountUse;

    use super::*;

    fn entry(kind: EntryKind, owner: &str, stage: &str, what: &str, megabytes: u64) -> Entry {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(10);
        let set = |name: &str| if name.is_empty() { BTreeSet::new() } else { BTreeSet::from([name.to_owned()]) };
        Entry {
            id: format!("{owner}{stage}{what}"),
            kind,
            owners: set(owner),
            stages: set(stage),
            what: what.to_owned(),
            bytes: megabytes * 1_000_000,
            created: Some(now),
            last_used: Some(now),
            hits: 2,
            shared: Shared::No,
            in_use: false,
            current: true,
            units: None,
        }
    }

    #[test]
    fn services_have_stages_and_stages_have_steps() {
        let cook = "RUN --mount=type=cache,id=shop-units,target=/units kiln recipe cook";
        let entries = vec![
            entry(EntryKind::Context, "api-prod", "", "context", 1),
            entry(EntryKind::Layer, "api-prod", "deps", cook, 300),
            Entry { current: false, ..entry(EntryKind::Layer, "api-prod", "deps", cook, 250) },
            Entry { shared: Shared::Image, ..entry(EntryKind::Layer, "api-prod", "runtime", "COPY --from=builder /out /", 12) },
            Entry {
                units: Some(MountUse { units: 150, unused: 14, unused_bytes: 120_000_000, ..MountUse::default() }),
                ..entry(EntryKind::Mount, "api-prod", "deps", "shop-units", 700)
            },
            Entry { shared: Shared::Others, ..entry(EntryKind::Tool, "", "", "kiln, the program that runs in image builds", 9) },
            entry(EntryKind::Layer, "web-prod", "deps", "RUN npm ci", 80),
        ];
        let unknown = Sum { records: 1, bytes: 5_000_000 };
        let inventory = Inventory { entries, unknown, elsewhere: Sum { records: 20, bytes: 2_000_000_000 } };
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(15);
        let tags = ["shop-cache:api-prod-deps".to_owned()];
        let text = text("shop", &inventory, &tags, now);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
