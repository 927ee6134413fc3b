//! One question about many images: has the cache every step of all of them?
//!
//! `docker buildx bake` starts one client where builds would start one each, and BuildKit itself answers: nothing is concluded from what
//! kiln remembers. Everything stops at the first step that would have to work, so a question never becomes a build.

use std::collections::BTreeMap;
use std::fs;

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::{Map, Value, json};

use super::buildx::Temporary;
use super::wire::Translator;
use super::{BuildRequest, BuildSecret, Buildx, Outcome, Output, sent};
use crate::event::{BuildEvent, BuildState, Step, StepKind, StepStatus};
use crate::image_name;
use crate::process::{Finished, Stream};

/// Asks; see [`Engine::cached`](super::Engine::cached).
pub(super) fn ask(engine: &Buildx, requests: &[&BuildRequest]) -> Option<Vec<Outcome>> {
    let contexts = engine.directory("contexts").ok()?;
    // Stages of one image have one context: its files are looked at once.
    let mut known: BTreeMap<(&str, &Utf8Path, &Utf8Path), Utf8PathBuf> = BTreeMap::new();
    let mut links = Vec::new();
    for request in requests {
        let key = (request.name.as_str(), request.context.as_path(), request.dockerfile.as_path());
        let link = match known.get(&key) {
            Some(link) => link.clone(),
            None => sent::link(&contexts, request).ok()?,
        };
        known.insert(key, link.clone());
        links.push(link);
    }
    let folder = engine.directory("run").ok()?;
    let (bake, metadata) = (Temporary::new(&folder, "bake"), Temporary::new(&folder, "baked"));
    fs::write(&bake.0, file(requests, &links)?.to_string()).ok()?;
    let run = engine.client().args(["buildx", "bake", "--progress=rawjson", "--provenance=false", "--file"]).arg(&bake.0);
    let run = engine.with_builder(run.arg("--metadata-file").arg(&metadata.0));
    // The file is kiln's own and names folders of the project: bake need not ask whether it may read them.
    let run = run.env("BUILDX_BAKE_ENTITLEMENTS_FS", "0").env("BUILDX_GIT_INFO", "false");
    let run = run.env("BUILDX_METADATA_PROVENANCE", "disabled");
    let enough = engine.cancel_flag().child();
    let (mut translator, mut watch) = (Translator::new(), Watch::default());
    let finished = run.lines(&enough, &mut |stream, line| {
        if stream == Stream::Stderr {
            translator.line(line, &mut |event| {
                if !watch.goes_on(event) {
                    enough.set();
                }
            });
        }
    });
    finished.ok().filter(Finished::success)?;
    let metadata = fs::read(&metadata.0).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())?;
    watch.outcomes(requests.len(), &metadata)
}

/// The bake file for these requests, whose contexts are sent by way of `links`: one target each, see [`target`]. `None` if one of them
/// cannot be asked about in this way.
fn file(requests: &[&BuildRequest], links: &[Utf8PathBuf]) -> Option<Value> {
    let mut targets = Map::new();
    for (number, (request, link)) in requests.iter().zip(links).enumerate() {
        // A value from the environment is the client's business, and a push or a fresh build is never a question.
        let whole = request.build_args.values().all(Option::is_some) && !request.no_cache && request.output != Output::Push;
        if !whole {
            return None;
        }
        targets.insert(target(number), definition(request, link));
    }
    let names: Vec<&String> = targets.keys().collect();
    Some(json!({ "group": { "default": { "targets": names } }, "target": targets }))
}

/// Name of the target of a request, by its place.
fn target(number: usize) -> String {
    format!("t{number}")
}

fn definition(request: &BuildRequest, link: &Utf8Path) -> Value {
    let texts = |map: &BTreeMap<String, String>| -> Map<String, Value> {
        map.iter().map(|(name, value)| (literal(name), json!(literal(value)))).collect()
    };
    let arguments = request.build_args.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))).collect();
    // `buildx build` shortens the names so, and `buildx bake` does not.
    let contexts =
        request.named_contexts.iter().map(|(name, folder)| (image_name::of_context(name), folder.to_string())).collect();
    let list = |texts: &[String]| -> Vec<String> { texts.iter().map(|text| literal(text)).collect() };
    let output = if request.output == Output::Load { "type=docker" } else { "type=cacheonly" };
    let mut definition = json!({
        "context": literal(link.as_str()),
        "dockerfile": literal(request.dockerfile.as_str()),
        "contexts": texts(&contexts),
        "args": texts(&arguments),
        "labels": texts(&request.labels),
        "tags": list(&request.tags),
        "platforms": list(&request.platforms),
        "secret": request.secrets.iter().map(|secret| literal(&BuildSecret::flag(secret))).collect::<Vec<_>>(),
        "output": [output],
    });
    if let Some(stage) = &request.target {
        definition["target"] = json!(literal(stage));
    }
    definition
}

/// Bake takes texts as templates.
fn literal(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// What became of the question.
#[derive(Debug, Default)]
struct Watch {
    state: BuildState,
}

impl Watch {
    /// Takes in an event. `false` if it says that a step works.
    fn goes_on(&mut self, event: BuildEvent) -> bool {
        let event = match event {
            BuildEvent::StepFound { digest, name, inputs } => {
                BuildEvent::StepFound { digest, name: without_target(&name), inputs }
            }
            event => event,
        };
        self.state.apply(&event);
        let BuildEvent::StepStarted { digest, .. } = &event else { return true };
        let works = |step: &Step| {
            matches!(step.name.kind, StepKind::Stage { .. }) && !step.name.is_from() && step.status() == StepStatus::Running
        };
        !self.state.step(digest).is_some_and(works)
    }

    /// The outcome of each of so many requests, if every step of theirs was cached. `metadata` is what the client wrote at the end: a
    /// request that it says nothing of was not answered.
    fn outcomes(&self, requests: usize, metadata: &Value) -> Option<Vec<Outcome>> {
        let mut steps = self.state.steps().iter().filter(|step| matches!(step.name.kind, StepKind::Stage { .. })).peekable();
        steps.peek()?;
        if steps.any(|step| step.final_status(true) != StepStatus::Cached) {
            return None;
        }
        let outcome = |number: usize| {
            let answer = metadata.get(target(number))?;
            let id = answer.get("containerimage.digest").and_then(Value::as_str).map(str::to_owned);
            Some(Outcome { id, size: None })
        };
        (0..requests).map(outcome).collect()
    }
}

/// A step's name as a build has it. Bake puts that of the target in front: `[t3 deps 2/4] RUN make`, `[t3] exporting to image`.
fn without_target(name: &str) -> String {
    let rest = name.strip_prefix("[t").map(|rest| rest.trim_start_matches(|character: char| character.is_ascii_digit()));
    match rest {
        Some(rest) if rest.starts_with(' ') => format!("[{}", &rest[1..]),
        Some(rest) if rest.starts_with("] ") => rest[2..].to_owned(),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> BuildRequest {
        BuildRequest {
            name: "api-prod".to_owned(),
            context: "/shop/api".into(),
            dockerfile: "/shop/api/Dockerfile".into(),
            named_contexts: BTreeMap::from([("kiln.tool/kiln:1".to_owned(), "/tools/kiln".into())]),
            target: Some("deps".to_owned()),
            tags: vec!["shop-cache:api-prod-deps".to_owned()],
            build_args: BTreeMap::from([("FLAGS".to_owned(), Some("-C x=${Y} %{z}".to_owned()))]),
            ..BuildRequest::default()
        }
    }

    #[test]
    fn each_request_is_a_target_and_nothing_is_a_template() {
        let (one, two) = (request(), BuildRequest { target: None, output: Output::Discard, ..request() });
        let file = file(&[&one, &two], &["/links/a".into(), "/links/b".into()]).unwrap();
        insta::assert_snapshot!(format!("{file:#}"));
    }

    #[test]
    fn what_bake_cannot_say_is_not_asked() {
        let asked = |request: BuildRequest| file(&[&request], &["/links/a".into()]).is_some();
        assert!(asked(request()));
        let arguments = BTreeMap::from([("FROM_ENVIRONMENT".to_owned(), None)]);
        assert!(!asked(BuildRequest { build_args: arguments, ..request() }));
        assert!(!asked(BuildRequest { no_cache: true, ..request() }));
        assert!(!asked(BuildRequest { output: Output::Push, ..request() }));
    }

    #[test]
    fn names_are_those_of_a_build() {
        for (name, expected) in [
            ("[t3 deps 2/4] RUN make", "[deps 2/4] RUN make"),
            ("[t12 2/4] RUN make", "[2/4] RUN make"),
            ("[t0 linux/arm64 deps 2/4] RUN make", "[linux/arm64 deps 2/4] RUN make"),
            ("[t0 internal] load build context", "[internal] load build context"),
            ("[t0] exporting to image", "exporting to image"),
            ("[tools 1/2] RUN make", "[tools 1/2] RUN make"),
            ("exporting to image", "exporting to image"),
        ] {
            assert_eq!(without_target(name), expected);
        }
    }

    fn vertex(digest: &str, name: &str, cached: bool) -> String {
        let times = r#""started":"2026-01-01T00:00:01Z","completed":"2026-01-01T00:00:02Z""#;
        format!(r#"{{"vertexes":[{{"digest":"{digest}","name":"{name}",{times},"cached":{cached}}}]}}"#)
    }

    /// Whether everything was cached, and whether the question was broken off.
    fn asked(lines: &[String], metadata: &Value) -> (bool, bool) {
        let (mut watch, mut translator, mut broken_off) = (Watch::default(), Translator::new(), false);
        for line in lines {
            translator.line(line, &mut |event| broken_off |= !watch.goes_on(event));
        }
        (watch.outcomes(2, metadata).is_some(), broken_off)
    }

    #[test]
    fn it_is_a_yes_only_if_every_step_of_every_target_was_cached() {
        let metadata = json!({ "t0": { "containerimage.digest": "sha256:aa" }, "t1": { "buildx.build.ref": "x" } });
        let from = vertex("f", "[t0 chef 1/2] FROM docker.io/library/rust:1", false);
        let (hit, miss) = (vertex("a", "[t0 chef 2/2] RUN x", true), vertex("b", "[t1 deps 2/2] RUN y", false));
        let internal = vertex("i", "[t0 internal] load build context", false);
        assert_eq!(asked(&[internal.clone(), from.clone(), hit.clone()], &metadata), (true, false));
        assert_eq!(asked(&[internal.clone(), from, hit.clone(), miss], &metadata), (false, true));
        assert_eq!(asked(&[hit], &json!({ "t0": {} })), (false, false), "nothing is said of the second");
        assert_eq!(asked(&[internal], &metadata), (false, false), "no step was seen");
        assert_eq!(asked(&[], &Value::Null), (false, false));
    }
}
