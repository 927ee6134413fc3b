//! After a build: what helps, and builds that somebody else started.

use std::collections::BTreeMap;

use super::{FILES, inputs, model};
use crate::engine::PastRun;
use crate::event::{BuildEvent, BuildState, StepStatus};
use crate::predict::{Miss, MissReason, Model, Remedy, Saving, misses};
use crate::record::{Place, StepRecord};

/// A record in which these steps of a model ran, for a second each.
fn ran(model: &Model, numbers: &[usize]) -> Vec<StepRecord> {
    let step = |&number: &usize| {
        let step = &model.steps[number];
        let line = u32::try_from(step.place.line).ok();
        let (stage, index, instruction) = (step.place.stage.clone(), step.place.index, step.text.clone());
        StepRecord {
            step: number,
            name: String::new(),
            place: Some(Place { platform: None, stage, index, total: 9, instruction, line }),
            status: StepStatus::Ran,
            seconds: 1.0,
            begin: None,
            end: None,
            inputs: vec![0],
            bytes: 0,
            error: None,
            log: Vec::new(),
            cargo: None,
        }
    };
    numbers.iter().map(step).collect()
}

/// The misses of a build after an edit of files, in which the steps ran that were foreseen to.
fn after(dockerfile: &str, edit: &[(&str, &str)], ran_steps: &[usize]) -> Vec<Miss> {
    let before = model(inputs(dockerfile, &FILES));
    let mut files = FILES.to_vec();
    files.retain(|(path, _)| !edit.iter().any(|(edited, _)| edited == path));
    files.extend(edit);
    let next = model(inputs(dockerfile, &files));
    let record = ran(&next, ran_steps);
    misses(&next, &[before], &record)
}

#[test]
fn remedies_fit_what_changed() {
    let whole = "FROM a\nWORKDIR /w\nCOPY . .\nRUN npm ci\nRUN make";
    let remedy = |misses: &[Miss]| misses.iter().find(|miss| miss.is_cause).and_then(|miss| miss.remedy.clone());
    let ignore = |pattern: &str| Some(Remedy::Ignore { patterns: vec![pattern.to_owned()] });
    assert_eq!(remedy(&after(whole, &[("docs/a.md", "new")], &[1, 2, 3])), ignore("docs"));
    assert_eq!(remedy(&after(whole, &[("README.md", "new")], &[1, 2, 3])), ignore("README.md"));
    assert!(matches!(remedy(&after(whole, &[("a/1", "new")], &[1, 2, 3])), Some(Remedy::ManifestsFirst { .. })));
    let manifests = "FROM a\nCOPY package.json package-lock.json ./\nRUN npm ci";
    assert!(matches!(remedy(&after(manifests, &[("package.json", "new")], &[0, 1])), Some(Remedy::Firewall { .. })));
    let both = [("package.json", "new"), ("package-lock.json", "new")];
    assert_eq!(remedy(&after(manifests, &both, &[0, 1])), None, "the dependencies are other ones");
    let two = "FROM a AS f\nCOPY a /a\nFROM a AS b\nCOPY . /b\nFROM scratch\nCOPY --from=f /a /\nCOPY --from=b /b /";
    let found = after(two, &[("a/1", "new")], &[0, 1]);
    let narrower = found.iter().find(|miss| miss.place.stage == "b").and_then(|miss| miss.remedy.clone());
    assert!(matches!(narrower, Some(Remedy::NarrowerCopy { folder, .. }) if folder == "a"), "{found:?}");
    assert_eq!(remedy(&after("FROM a\nCOPY a /a\nRUN y", &[("a/1", "new")], &[0, 1])), None);
}

#[test]
fn a_saving_counts_each_step_once_and_other_causes_not() {
    let whole = "FROM a\nCOPY . .\nRUN npm ci";
    let docs = after(whole, &[("docs/a.md", "new")], &[0, 1]);
    let sources = after(whole, &[("a/1", "new")], &[0, 1]);
    let remedy = docs[0].remedy.clone().expect("an ignore line");
    let saving = Saving::of(&remedy, &[docs.clone(), sources, Vec::new(), docs]);
    assert_eq!(saving, Saving { builds: 2, of: 4, seconds: 4.0 });
}

#[test]
fn misses_survive_a_record() {
    let misses = after("FROM a\nCOPY . .\nRUN npm ci", &[("docs/a.md", "new")], &[0, 1]);
    let text = serde_json::to_string(&misses).expect("JSON");
    assert_eq!(serde_json::from_str::<Vec<Miss>>(&text).expect("the same"), misses);
}

#[test]
fn of_builds_that_others_started_text_is_compared_and_files_are_not_known() {
    let past = |dockerfile: &str, argument: &str, image: &str, ran: &[(&str, &str)]| {
        let mut state = BuildState::new();
        for (number, (name, at)) in ran.iter().enumerate() {
            let digest = number.to_string();
            state.apply(&BuildEvent::StepFound {
                digest: digest.clone(),
                name: (*name).to_owned(),
                inputs: vec!["x".to_owned()],
            });
            if *at == "cached" {
                state.apply(&BuildEvent::StepCached { digest });
            } else {
                let at = at.parse().expect("a time");
                state.apply(&BuildEvent::StepStarted { digest: digest.clone(), at });
                state.apply(&BuildEvent::StepFinished { digest, at, error: None });
            }
        }
        PastRun {
            dockerfile: dockerfile.as_bytes().to_vec(),
            arguments: BTreeMap::from([("V".to_owned(), argument.to_owned())]),
            images: BTreeMap::from([("a:latest".to_owned(), image.to_owned())]),
            state,
            ..PastRun::default()
        }
    };
    let text = "FROM a\nCOPY . /x\nARG V\nRUN y";
    let (copy, run, time) = ("[2/3] COPY . /x", "[3/3] RUN y", "2026-11-25T10:00:00Z");
    let first = Model::of_past(&past(text, "1", "i", &[(copy, time), (run, time)]), true, false).expect("a model");
    let reasons = |next: &PastRun| {
        let model = Model::of_past(next, true, false).expect("a model");
        let steps = crate::record::step_records(&next.state, time.parse().expect("a time"), true);
        let misses = misses(&model, std::slice::from_ref(&first), &steps);
        misses.into_iter().flat_map(|miss| miss.reasons).collect::<Vec<_>>()
    };
    let unseen = MissReason::ContextContent { context: String::new() };
    let found = reasons(&past(text, "1", "i", &[(copy, time), (run, time)]));
    assert_eq!(found[0], unseen);
    assert!(matches!(found[1], MissReason::Upstream { .. }) && found.len() == 2, "{found:?}");
    let found = reasons(&past(text, "2", "i", &[(copy, "cached"), (run, time)]));
    assert!(matches!(found.as_slice(), [MissReason::Argument { name, .. }] if name == "V"), "{found:?}");
    let found = reasons(&past(text, "1", "j", &[(copy, time), (run, time)]));
    assert!(found.iter().any(|reason| matches!(reason, MissReason::BaseImage { .. })), "{found:?}");
    let found = reasons(&past(&text.replace("RUN y", "RUN z"), "1", "i", &[(copy, "cached"), ("[3/3] RUN z", time)]));
    assert!(matches!(found.as_slice(), [MissReason::Instruction { .. }]), "{found:?}");
    // Files of an earlier step were open, too, and that step was cached.
    let twice = "FROM a AS s\nCOPY b /b\nRUN y\nFROM a\nCOPY --from=s /b /b\nCOPY . /x";
    let steps = ["[s 2/3] COPY b /b", "[s 3/3] RUN y", "[stage-1 2/3] COPY --from=s /b /b", "[stage-1 3/3] COPY . /x"];
    let at = |last: &'static str| {
        [(steps[0], last), (steps[1], last), (steps[2], last), (steps[3], time)].map(|(name, at)| (name, at))
    };
    let first = Model::of_past(&past(twice, "1", "i", &at(time)), true, false).expect("a model");
    let next = past(twice, "1", "i", &at("cached"));
    let steps = crate::record::step_records(&next.state, time.parse().expect("a time"), true);
    let found = misses(&Model::of_past(&next, true, false).expect("a model"), &[first], &steps);
    let found: Vec<_> = found.into_iter().map(|miss| miss.reasons).collect();
    assert_eq!(found, [[MissReason::ContextContent { context: String::new() }]]);
    // A copy that is made apart was cached, and lies on something new.
    let linked = |text: &str| format!("FROM a\nRUN {text}\nCOPY --link b /b\nCOPY . /x");
    let build = |text: &str, at: &[&'static str]| {
        let names = [format!("[2/4] RUN {text}"), "[3/4] COPY --link b /b".to_owned(), "[4/4] COPY . /x".to_owned()];
        let ran: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(at.iter().copied()).collect();
        past(&linked(text), "1", "i", &ran)
    };
    let first = Model::of_past(&build("y", &[time; 3]), true, true).expect("a model");
    let next = build("z", &[time, "cached", time]);
    let steps = crate::record::step_records(&next.state, time.parse().expect("a time"), true);
    let found = misses(&Model::of_past(&next, true, true).expect("a model"), &[first], &steps);
    assert!(matches!(found[0].reasons.as_slice(), [MissReason::Instruction { .. }]), "{found:?}");
    assert!(matches!(found[1].reasons.as_slice(), [MissReason::Upstream { place }] if place.line == 2), "{found:?}");
    assert_eq!((found[0].dragged_along.as_slice(), found.len()), ([1].as_slice(), 2), "{found:?}");
}
