//! What `cook` compiled is what `compile` uses, counted for every way in which a workspace can decide its units.
//!
//! Each case really prepares, cooks and compiles a small workspace. `compile` finds an empty `CARGO_HOME` and a cargo that fails
//! when it may use the network. It must compile the members and no external crate, and deliver programs that print what the real
//! sources say. The crates are fetched from a registry once and kept below the target folder.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table for people, and what cargo said where a case failed")]

mod bench;
mod cases;
mod locks;
mod registry;
mod sentinels;
#[path = "../support/mod.rs"]
mod shared;
mod stubs;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn after_cook_only_members_compile() {
    let all = cases::ALL;
    // For one that works on a case.
    let only = variable("KILN_TEST_CASE");
    let (next, table) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from).min(4) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cases) = all.get(index) else { break };
                    let Ok(cases) = catch_unwind(cases) else {
                        failed.lock().unwrap().push(format!("group {index}"));
                        continue;
                    };
                    for case in cases.into_iter().filter(|case| only.is_empty() || case.name.contains(&only)) {
                        let name = case.name.clone();
                        match catch_unwind(AssertUnwindSafe(|| case.check())) {
                            Ok(counts) => table.lock().unwrap().push((name, counts)),
                            Err(_) => failed.lock().unwrap().push(name),
                        }
                    }
                }
            });
        }
    });
    let mut table = table.into_inner().unwrap();
    table.sort_by(|a, b| a.0.cmp(&b.0));
    let mut text =
        "| case | external crates cooked | compiled after cook | members compiled | seconds |\n|---|---|---|---|---|\n"
            .to_owned();
    for (name, counts) in &table {
        let (external, members) = (counts.external.len(), counts.members.join(", "));
        let _ = writeln!(text, "| {name} | {} | {external} | {members} | {:.1} |", counts.cooked, counts.seconds);
    }
    println!("{text}");
    assert_eq!(failed.into_inner().unwrap(), Vec::<String>::new(), "cases that failed");
}

#[expect(clippy::disallowed_methods, reason = "a test may be told what to do")]
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// Changes cargo's fingerprint of a unit in a layer: it has its name, and cargo finds it stale.
fn change_unit(deps: &std::path::Path, beginning: &str) {
    let path = deps.join("units.json");
    let mut layer: kiln::recipe::Layer = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let unit = layer.units.iter_mut().find(|unit| unit.name.starts_with(beginning)).unwrap();
    for file in &mut unit.files {
        let place = deps.join("target").join(&file.path);
        if file.path.ends_with(".json") {
            let text = std::fs::read_to_string(&place).unwrap();
            let changed = text.replacen("\"declared_features\":\"[", "\"declared_features\":\"[\\\"new\\\"", 1);
            assert_ne!(text, changed);
            std::fs::write(&place, &changed).unwrap();
            let size = changed.len() as u64;
            file.kind = kiln::recipe::FileKind::File {
                size,
                digest: blake3::hash(changed.as_bytes()).to_hex().to_string(),
                executable: false,
                within: None,
            };
        } else if file.path.contains("/.fingerprint/") && !file.path.contains("dep-") && !file.path.ends_with("timestamp") {
            // The hash of the fingerprint: cargo only looks at the JSON when it differs.
            if let kiln::recipe::FileKind::File { size, .. } = &file.kind {
                std::fs::write(&place, "0".repeat(*size as usize)).unwrap();
            }
        }
    }
    std::fs::write(&path, serde_json::to_vec(&layer).unwrap()).unwrap();
}
