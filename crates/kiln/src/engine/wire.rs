//! The wire: what `docker buildx build --progress=rawjson` prints, and its translation into [`BuildEvent`]s.
//!
//! One JSON object per line (BuildKit's `SolveStatus`). Vertices are sent again and again as they change; the [`Translator`]
//! remembers what was said, so that each event comes once. Unknown fields are ignored, and a line that is no such object is text.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Deserialize;

use crate::event::BuildEvent;

/// One line of the stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SolveStatus {
    vertexes: Vec<Vertex>,
    statuses: Vec<VertexStatus>,
    logs: Vec<VertexLog>,
    warnings: Vec<VertexWarning>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Vertex {
    digest: String,
    inputs: Option<Vec<String>>,
    name: String,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    cached: bool,
    error: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VertexStatus {
    id: String,
    vertex: String,
    current: i64,
    total: i64,
    completed: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VertexLog {
    vertex: String,
    stream: u8,
    data: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct VertexWarning {
    short: String,
    detail: Vec<String>,
    url: String,
    range: Vec<Range>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Range {
    start: Position,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Position {
    line: u32,
}

/// What was already said about a step.
#[derive(Debug, Default)]
struct Said {
    name: String,
    started: Option<Timestamp>,
    completed: Option<Timestamp>,
    cached: bool,
}

/// Turns lines into events. One for each build.
#[derive(Debug, Default)]
pub struct Translator {
    said: HashMap<String, Said>,
    partial: HashMap<(String, u8), Vec<u8>>,
    events: usize,
}

impl Translator {
    /// A translator for a new build.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many lines were progress and not text.
    #[must_use]
    pub const fn progress_lines(&self) -> usize {
        self.events
    }

    /// Translates one line.
    pub fn line(&mut self, line: &str, emit: &mut dyn FnMut(BuildEvent)) {
        let status = line.starts_with('{').then(|| serde_json::from_str::<SolveStatus>(line).ok()).flatten();
        let Some(status) = status else {
            emit(BuildEvent::Text { line: line.to_owned() });
            return;
        };
        self.events += 1;
        for vertex in status.vertexes {
            self.vertex(vertex, emit);
        }
        for status in status.statuses {
            let number = |value: i64| u64::try_from(value).unwrap_or(0);
            emit(BuildEvent::StepProgress {
                digest: status.vertex,
                id: status.id,
                current: number(status.current),
                total: Some(number(status.total)).filter(|total| *total > 0),
                done: status.completed.is_some(),
            });
        }
        for log in status.logs {
            self.log(log, emit);
        }
        for warning in status.warnings {
            let decode = |text: &str| decode_base64(text).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            let detail = warning.detail.iter().filter_map(|detail| decode(detail));
            let message = decode(&warning.short).into_iter().chain(detail).collect::<Vec<_>>().join(" – ");
            emit(BuildEvent::Warning {
                message,
                line: warning.range.first().map(|range| range.start.line).filter(|line| *line > 0),
                url: Some(warning.url).filter(|url| !url.is_empty()),
            });
        }
    }

    fn vertex(&mut self, vertex: Vertex, emit: &mut dyn FnMut(BuildEvent)) {
        let digest = vertex.digest;
        let said = self.said.entry(digest.clone()).or_default();
        if said.name != vertex.name {
            said.name.clone_from(&vertex.name);
            emit(BuildEvent::StepFound { digest: digest.clone(), name: vertex.name, inputs: vertex.inputs.unwrap_or_default() });
        }
        if vertex.cached && !said.cached {
            said.cached = true;
            emit(BuildEvent::StepCached { digest: digest.clone() });
        }
        if let Some(at) = vertex.started.filter(|_| vertex.started != said.started) {
            said.started = vertex.started;
            said.completed = None;
            emit(BuildEvent::StepStarted { digest: digest.clone(), at });
        }
        if let Some(at) = vertex.completed.filter(|_| vertex.completed != said.completed) {
            said.completed = vertex.completed;
            let error = Some(vertex.error).filter(|error| !error.is_empty());
            emit(BuildEvent::StepFinished { digest, at, error });
        } else if let (false, Some(at)) = (vertex.error.is_empty(), vertex.started.or(vertex.completed))
            && said.completed.is_none()
        {
            said.completed = Some(at);
            emit(BuildEvent::StepFinished { digest, at, error: Some(vertex.error) });
        }
    }

    /// Logs come in pieces that may end within a character.
    fn log(&mut self, log: VertexLog, emit: &mut dyn FnMut(BuildEvent)) {
        let Some(data) = decode_base64(&log.data) else { return };
        let key = (log.vertex, log.stream);
        let mut bytes = self.partial.remove(&key).unwrap_or_default();
        bytes.extend(data);
        let whole = match std::str::from_utf8(&bytes) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => bytes.len(),
        };
        let rest = bytes.split_off(whole);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (digest, stream) = key.clone();
        if !rest.is_empty() {
            self.partial.insert(key, rest);
        }
        if !text.is_empty() {
            emit(BuildEvent::StepLog { digest, stream, text });
        }
    }
}

/// Replays a recorded stream.
pub fn replay(stream: &str, emit: &mut dyn FnMut(BuildEvent)) {
    let mut translator = Translator::new();
    for line in stream.lines() {
        translator.line(line, emit);
    }
}

/// Standard base64 with padding, as Go writes it.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count) = (0u32, 0);
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// Lines of the Dockerfile by step, from the provenance in a metadata file; by the step's digest in this build.
pub(super) fn step_lines(metadata: &serde_json::Value) -> BTreeMap<String, u32> {
    let mut lines = BTreeMap::new();
    let Some(metadata) = metadata.as_object() else { return lines };
    // One for each platform, where several are built: `buildx.build.provenance/linux/amd64`.
    for (_, provenance) in metadata.iter().filter(|(key, _)| key.starts_with("buildx.build.provenance")) {
        let first = |pointers: [&str; 2]| pointers.into_iter().find_map(|pointer| provenance.pointer(pointer)?.as_object());
        // SLSA 0.2, then 1.0.
        let mapping = first(["/buildConfig/digestMapping", "/buildDefinition/internalParameters/buildConfig/digestMapping"]);
        let locations = first([
            "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/source/locations",
            "/runDetails/metadata/buildkit_metadata/source/locations",
        ]);
        let (Some(mapping), Some(locations)) = (mapping, locations) else { continue };
        for (digest, step) in mapping {
            let Some(location) = step.as_str().and_then(|step| locations.get(step)) else { continue };
            let line = location.pointer("/locations/0/ranges/0/start/line").and_then(serde_json::Value::as_u64);
            if let Some(line) = line.and_then(|line| u32::try_from(line).ok()) {
                lines.insert(digest.clone(), line);
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(lines: &[&str]) -> Vec<BuildEvent> {
        let mut events = Vec::new();
        replay(&lines.join("\n"), &mut |event| events.push(event));
        events
    }

    #[test]
    fn base64_is_decoded() {
        for (text, bytes) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFyIQo=", "foobar!\n")] {
            assert_eq!(decode_base64(text).unwrap(), bytes.as_bytes(), "{text}");
        }
        assert_eq!(decode_base64("a b"), None);
    }

    #[test]
    fn a_vertex_sent_again_says_only_what_is_new() {
        let found = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN x","future":{"field":1}}]}"#;
        let started = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN x","started":"2026-01-01T00:00:01Z"}],"unknown":[]}"#;
        let done = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN x","started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z"}]}"#;
        let again = r#"{"vertexes":[{"digest":"a","name":"[1/1] RUN x","started":"2026-01-01T00:00:05Z","completed":"2026-01-01T00:00:06Z","cached":true}]}"#;
        assert_eq!(events(&[found, found, started, started, done, done]).len(), 3);
        let kinds: Vec<_> = events(&[found, started, done, again])
            .iter()
            .map(|event| serde_json::to_value(event).unwrap()["event"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(kinds, ["step-found", "step-started", "step-finished", "step-cached", "step-started", "step-finished"]);
    }

    #[test]
    fn what_is_no_progress_is_text() {
        let lines = ["ERROR: no builder \"x\" found", "{not json", "[1]", "{\"vertexes\": 7}"];
        let texts = events(&lines);
        assert!(texts.iter().zip(lines).all(|(event, line)| *event == BuildEvent::Text { line: line.to_owned() }), "{texts:?}");
    }

    #[test]
    fn characters_cut_in_two_are_put_together() {
        let line = |data: &str| format!(r#"{{"logs":[{{"vertex":"a","stream":1,"data":"{data}"}}]}}"#);
        // "é" is C3 A9.
        let text: String = events(&[&line("ww=="), &line("qcM="), &line("qQo=")])
            .into_iter()
            .filter_map(|event| if let BuildEvent::StepLog { text, .. } = event { Some(text) } else { None })
            .collect();
        assert_eq!(text, "éé\n");
    }
}
