//! Records and results as kiln writes them, for tests of what is made from them.

use std::fs;

use camino::Utf8Path;
use serde_json::{Value, json};

/// A build to be recorded.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    pub(crate) service: String,
    /// Minutes after midnight.
    pub(crate) minute: usize,
    pub(crate) commit: char,
    pub(crate) edited: Vec<&'static str>,
    /// Seconds of the step that compiles; nothing ran without.
    pub(crate) compiles: Option<f64>,
    /// The output of the step that compiles and the error, if it fails.
    pub(crate) failure: Option<(Vec<String>, String)>,
}

impl Recorded {
    pub(crate) fn new(service: &str, minute: usize) -> Self {
        let service = service.to_owned();
        Self { service, minute, commit: 'a', edited: Vec::new(), compiles: None, failure: None }
    }

    /// Writes it into the records of a project.
    pub(crate) fn write(&self, project: &Utf8Path) {
        let folder = project.join(".kiln/builds");
        fs::create_dir_all(&folder).expect("a folder");
        let (day, hour, minute) = (1 + self.minute / 1440, self.minute / 60 % 24, self.minute % 60);
        let name = format!("202611{day:02}T{hour:02}{minute:02}00.000Z-{}-prod.jsonl", self.service);
        let lines: Vec<String> =
            self.lines(&format!("2026-11-{day:02}T{hour:02}:{minute:02}:00Z")).iter().map(Value::to_string).collect();
        fs::write(folder.join(name), lines.join("\n") + "\n").expect("written");
    }

    fn lines(&self, started: &str) -> Vec<Value> {
        let service = &self.service;
        let commit: String = std::iter::repeat_n(self.commit, 40).collect();
        let mut lines = vec![json!({
            "line": "header", "schema": 1, "kiln": "0.1.0", "plan": "00", "service": service, "variant": "prod",
            "image": format!("shop/{service}:latest"), "dockerfile": format!("{service}/Dockerfile"),
            "git": { "commit": commit, "branch": "main" }, "started": started,
        })];
        let compile = self.compiles.unwrap_or(0.0);
        let status = match (&self.failure, self.compiles) {
            (Some(_), _) => "failed",
            (None, Some(_)) => "ran",
            (None, None) => "cached",
        };
        // What comes before a step that fails ran, what comes after was not reached.
        let before = if status == "failed" { "ran" } else { status };
        let after = if status == "failed" { "skipped" } else { status };
        let mut number = 0;
        let mut step =
            |name: &str, place: Option<(&str, u32, u32)>, status: &str, times: Option<(f64, f64)>, inputs: &[usize]| {
                let full =
                    place.map_or_else(|| name.to_owned(), |(stage, index, total)| format!("[{stage} {index}/{total}] {name}"));
                let mut line =
                    json!({ "line": "step", "step": number, "name": full, "status": status, "seconds": 0.0, "inputs": inputs });
                if let Some((stage, index, total)) = place {
                    line["place"] =
                        json!({ "stage": stage, "index": index, "total": total, "instruction": name, "line": number + 1 });
                }
                if let Some((begin, end)) = times {
                    line["seconds"] = json!(end - begin);
                    line["begin"] = json!(begin);
                    line["end"] = json!(end);
                }
                number += 1;
                line
            };
        let busy = |times| self.compiles.map(|_| times);
        let from = "FROM docker.io/library/rust:1.95.0-slim-bookworm";
        let cook = "RUN --mount=type=cache,id=shop-units,target=/units kiln recipe cook /recipe.json";
        lines.extend([
            step("[internal] load metadata for docker.io/library/rust:1.95.0-slim-bookworm", None, "ran", Some((0.0, 0.3)), &[]),
            step("[internal] load build context", None, "ran", Some((0.3, 0.5)), &[]),
            step(from, Some(("chef", 1, 2)), "cached", None, &[]),
            step("WORKDIR /app", Some(("chef", 2, 2)), "cached", None, &[2]),
            step("RUN kiln recipe prepare --output /recipe.json", Some(("planner", 1, 1)), before, busy((0.5, 1.5)), &[3, 1]),
            step(cook, Some(("deps", 1, 1)), "cached", None, &[3, 4]),
        ]);
        let mut compiling =
            step("RUN kiln recipe compile", Some(("builder", 1, 1)), status, busy((1.5, 1.5 + compile)), &[3, 5, 1]);
        if let Some((log, error)) = &self.failure {
            compiling["log"] = json!(log);
            compiling["error"] = json!(error);
        } else if self.compiles.is_some() {
            let crates = ["shop-server (bin)"];
            compiling["cargo"] =
                json!({ "phase": "compile", "local_compiled": crates, "external_compiled": [], "fresh": 140, "seconds": {} });
        }
        lines.push(compiling);
        lines.push(step("FROM docker.io/library/debian:bookworm-slim", Some(("runtime", 1, 2)), "cached", None, &[]));
        let done = 1.5 + compile;
        lines.push(step(
            "COPY --from=builder /out /usr/local/bin",
            Some(("runtime", 2, 2)),
            after,
            busy((done, done + 0.2)),
            &[7, 6],
        ));
        let succeeded = self.failure.is_none();
        let total = if self.compiles.is_some() { done + 0.7 } else { 0.6 };
        if succeeded {
            lines.push(step("exporting to image", None, "ran", Some((total - 0.4, total)), &[]));
        }
        let mut end = json!({
            "line": "end", "ending": if succeeded { "succeeded" } else { "failed" }, "seconds": total, "context_bytes": 2048,
            "edited": { "files": self.edited.len(), "paths": self.edited },
        });
        match &self.failure {
            Some((_, error)) => end["error"] = json!(error),
            None => {
                end["id"] = json!("sha256:0123abcd");
                end["size"] = json!(89_129_635);
            }
        }
        lines.push(end);
        lines.extend(self.compiles.filter(|_| succeeded).map(|compile| self.misses(compile)));
        lines
    }

    /// Why the steps ran, as `kiln build` adds it: files were changed, and what stands on the result followed.
    fn misses(&self, compile: f64) -> Value {
        let paths = if self.edited.is_empty() { vec!["src/main.rs"] } else { self.edited.clone() };
        let changed = json!({ "kind": "files-changed", "paths": paths });
        let followed = json!({ "kind": "upstream-output", "stage": "builder", "index": 1, "line": 7 });
        let miss = |stage: &str, index: u32, line: u32, instruction: &str, seconds: f64, reason: &Value| {
            json!({
                "stage": stage, "index": index, "line": line, "instruction": instruction, "seconds": seconds, "reasons": [reason],
                "is_cause": stage != "runtime", "dragged_along": [], "cost_seconds": seconds, "remedy": null,
            })
        };
        let misses = [
            miss("planner", 1, 5, "RUN kiln recipe prepare --output /recipe.json", 1.0, &changed),
            miss("builder", 1, 7, "RUN kiln recipe compile", compile, &changed),
            miss("runtime", 2, 9, "COPY --from=builder /out /usr/local/bin", 0.2, &followed),
        ];
        json!({ "line": "misses", "misses": misses })
    }
}

/// A bench run with two scenarios and two strategies.
pub(crate) fn write_bench(project: &Utf8Path) {
    let folder = project.join(".kiln/bench");
    fs::create_dir_all(&folder).expect("a folder");
    let mut lines = vec![
        json!({
            "line": "header", "schema": 1, "name": "shop-bench-1", "kiln": "0.1.0", "started": "2026-11-20T08:00:00Z", "source": "00",
            "machine": { "cores": 2, "memory": 8_000_000_000_u64, "engine": "28.5.2", "buildx": "0.29.1", "storage": "overlay2" },
            "options": { "scenarios": ["cold", "source-bin"], "strategies": ["kiln", "naive"], "runs": 3, "slow_runs": 1 },
        }),
        json!({ "line": "what", "scenario": "source-bin", "what": "api/src/main.rs: one line in `fn main`" }),
    ];
    for (scenario, strategy, seconds) in [
        ("cold", "kiln", &[120.0][..]),
        ("cold", "naive", &[100.0]),
        ("source-bin", "kiln", &[9.0, 10.0, 11.0]),
        ("source-bin", "naive", &[100.0]),
    ] {
        lines.extend(seconds.iter().map(|seconds| {
            let measured = json!({ "seconds": seconds, "steps_ran": 2, "local_crates": 1, "external_crates": 0 });
            json!({ "line": "sample", "scenario": scenario, "service": "api", "strategy": strategy, "measured": measured })
        }));
    }
    lines.push(
        json!({ "line": "end", "finished": "2026-11-20T08:10:00Z", "clean_up": { "objects": 3, "records": 0, "left": [] } }),
    );
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(folder.join("20261120T080000Z-1.jsonl"), lines.join("\n") + "\n").expect("written");
}
