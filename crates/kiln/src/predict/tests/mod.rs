//! Pairs of builds: what is predicted for the second after the first. The same is asked of a real engine in kiln-cli's engine tests.

mod after;
mod hostile;
mod lost;
mod pairs;
mod places;

use std::collections::BTreeMap;

use super::outputs::NoOutputs;
use super::{ImageFacts, Inputs, MissReason, Model, Prediction, Verdict, predict};
use crate::context::{ContentId, Entry, Tree};
use crate::dockerfile::evaluate::ImageConfig;

const FILES: [(&str, &str); 6] =
    [("a/1", "one"), ("a/2", "two"), ("b.txt", "b"), ("c.json", "c"), ("d.json", "d"), ("Dockerfile", "x")];

fn tree(files: &[(&str, &str)]) -> Tree {
    let file = |text: &str| Entry::File { mode: 0o644, content: ContentId::of(text.as_bytes()) };
    Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), file(text))).collect())
}

fn inputs(dockerfile: &str, files: &[(&str, &str)]) -> Inputs {
    Inputs {
        dockerfile: dockerfile.as_bytes().to_vec(),
        trees: BTreeMap::from([(String::new(), tree(files))]),
        ..Inputs::default()
    }
}

fn model(inputs: Inputs) -> Model {
    let mut model = Model::new(inputs, &NoOutputs).expect("a Dockerfile");
    model.steps.iter_mut().for_each(|step| step.done = true);
    model
}

/// One letter for each step: `.` cached, `R` runs, `?` unknown.
fn letters(prediction: &Prediction) -> String {
    let letter = |verdict| match verdict {
        Verdict::Cached => '.',
        Verdict::Runs => 'R',
        Verdict::Unknown => '?',
    };
    prediction.steps.iter().map(|step| letter(step.verdict)).collect()
}

fn after(before: &str, then: &str, edit: &[(&str, &str)]) -> Prediction {
    let mut files = FILES.to_vec();
    files.retain(|(path, _)| !edit.iter().any(|(edited, _)| edited == path));
    files.extend(edit.iter().filter(|(_, text)| !text.is_empty()).copied());
    predict(&model(inputs(then, &files)), &[model(inputs(before, &FILES))])
}

#[test]
fn edits_of_the_dockerfile() {
    let cases: &[(&str, &str, &str)] = &[
        // Text that does not count.
        ("FROM a\nRUN x", "# hi\nfrom a AS s\nrun   x", "."),
        ("FROM a\nRUN x\nCMD y", "FROM a\nLABEL l=1\nRUN x\nEXPOSE 80\nCMD z", "."),
        ("FROM a\nRUN x", "FROM a AS unused\nRUN y\nFROM a\nRUN x", "."),
        ("FROM a\nRUN x", "FROM a\nRUN [\"/bin/sh\", \"-c\", \"x\"]", "."),
        ("FROM a\nRUN <<E\nx\nE", "FROM a\nRUN <<F\nx\nF", "."),
        ("FROM debian\nRUN x", "FROM docker.io/library/debian:latest\nRUN x", "."),
        // Text that does.
        ("FROM a\nRUN x  y", "FROM a\nRUN x y", "R"),
        ("FROM a\nRUN x\nRUN y", "FROM a\nRUN z\nRUN y", "RR"),
        ("FROM a\nRUN x\nRUN y", "FROM a\nRUN y", "R"),
        ("FROM a\nRUN x", "FROM b\nRUN x", "R"),
        ("FROM a\nRUN x", "FROM a\nUSER 1\nRUN x", "R"),
        ("FROM a\nRUN x", "FROM a\nSHELL [\"/bin/bash\", \"-c\"]\nRUN x", "R"),
        ("FROM a\nRUN x", "FROM a\nWORKDIR /\nRUN x", "."),
        ("FROM a\nCOPY b.txt /x", "FROM a\nUSER 1\nENV A=1\nCOPY b.txt /x", "."),
        // Variables.
        ("FROM a\nRUN x", "FROM a\nARG V=1\nRUN x", "R"),
        ("FROM a\nRUN x", "FROM a\nARG V\nRUN x", "."),
        ("FROM a\nRUN x", "FROM a\nRUN x\nARG V=1", "."),
        ("FROM a\nENV V=1\nRUN x", "FROM a\nARG V=1\nRUN x", "."),
        ("FROM a\nENV A=1 B=2\nRUN x", "FROM a\nENV B=2 A=1\nRUN x", "R"),
        ("ARG V=1\nFROM a\nRUN x", "ARG V=2\nFROM a\nRUN x", "."),
        ("ARG V=1\nFROM a\nARG V\nRUN x", "ARG V=2\nFROM a\nARG V\nRUN x", "R"),
        ("FROM a\nENV D=/x\nCOPY b.txt $D/", "FROM a\nENV D=/y\nCOPY b.txt $D/", "R"),
        // Copies.
        ("FROM a\nCOPY a/1 /x", "FROM a\nCOPY a/2 /x", "R"),
        ("FROM a\nCOPY b.txt /x", "FROM a\nADD b.txt /x", "R"),
        ("FROM a\nCOPY b.txt .", "FROM a\nCOPY b.txt ./", "."),
        ("FROM a\nCOPY b.txt /x", "FROM a\nCOPY b.txt /x/", "R"),
        ("FROM a\nCOPY b.txt c.json /x/", "FROM a\nCOPY c.json b.txt /x/", "R"),
        ("FROM a\nCOPY <<E /x\nt\nE", "FROM a\nCOPY <<F /x\nt\nF", "R"),
        ("FROM a\nCOPY --chmod=644 b.txt /x", "FROM a\nCOPY b.txt /x", "R"),
        // Mounts.
        ("FROM a\nRUN --mount=type=cache,target=/c x", "FROM a\nRUN --mount=type=cache,target=/c,sharing=locked x", "R"),
        ("FROM a\nRUN --mount=type=cache,id=q,target=/c x", "FROM a\nRUN --mount=type=cache,id=r,target=/c x", "."),
        ("FROM a\nRUN --mount=type=cache,id=/c,target=/c x", "FROM a\nRUN --mount=type=cache,target=/c x", "."),
        ("FROM a\nRUN --mount=type=cache,target=/c x", "FROM a\nRUN --mount=type=cache,target=/c,mode=0777 x", "R"),
        (
            "FROM a\nRUN --mount=type=cache,id=q,target=/c --mount=type=tmpfs,target=/t x",
            "FROM a\nRUN --mount=type=tmpfs,target=/t --mount=type=cache,id=q,target=/c x",
            ".",
        ),
        ("FROM a\nRUN --mount=type=secret,id=s x", "FROM a\nRUN --mount=type=secret,id=t x", "R"),
        ("FROM a\nRUN --mount=target=/m,source=a x", "FROM a\nRUN --mount=target=/m,source=b.txt x", "R"),
        ("FROM a\nRUN --network=default x", "FROM a\nRUN x", "."),
        ("FROM a\nRUN --network=none x", "FROM a\nRUN x", "R"),
        // Stages.
        ("FROM a AS s\nRUN x\nFROM a\nCOPY --from=s /o /o", "FROM a AS s\nRUN y\nFROM a\nCOPY --from=s /o /o", "R?"),
        ("FROM a AS s\nRUN x\nFROM a\nCOPY --from=s /o /o", "FROM a AS t\nRUN x\nFROM a\nCOPY --from=0 /o /o", ".."),
        ("FROM a AS s\nRUN x\nFROM a\nCOPY --from=s /o /o", "FROM a AS s\nRUN x\nFROM a\nCOPY --from=s /p /o", ".R"),
        ("FROM a AS s\nRUN x\nFROM s\nRUN z", "FROM a AS s\nRUN y\nFROM s\nRUN z", "RR"),
    ];
    for (before, then, expected) in cases {
        let prediction = after(before, then, &[]);
        assert_eq!(letters(&prediction), *expected, "{before:?} then {then:?}: {prediction:#?}");
    }
}

#[test]
fn edits_of_files() {
    type Edits<'a> = &'a [(&'a str, &'a str)];
    let cases: &[(&str, Edits<'_>, &str)] = &[
        ("FROM a\nCOPY a /x\nRUN y", &[("b.txt", "new")], ".."),
        ("FROM a\nCOPY a /x\nRUN y", &[("a/1", "new")], "RR"),
        ("FROM a\nCOPY . /x", &[("Dockerfile", "other")], "R"),
        ("FROM a\nCOPY *.json /x/", &[("b.txt", "new")], "."),
        ("FROM a\nCOPY *.json /x/", &[("e.json", "new")], "R"),
        ("FROM a\nCOPY *.json /x/", &[("d.json", "")], "R"),
        ("FROM a\nRUN --mount=target=/m,source=a y", &[("a/3", "new")], "R"),
        ("FROM a\nRUN --mount=target=/m,source=a y", &[("b.txt", "new")], "."),
        ("FROM a AS s\nCOPY a/1 /x\nRUN y\nFROM a\nCOPY --from=s /o /o\nRUN z", &[("a/1", "new")], "RR??"),
        ("FROM a AS s\nCOPY a/1 /x\nFROM a\nCOPY b.txt /b\nCOPY --from=s /o /o", &[("b.txt", "new")], ".RR"),
        ("FROM a\nCOPY --exclude=2 a /x", &[("a/2", "new")], "."),
        // What is copied elsewhere has no part in what is read.
        ("FROM a AS s\nRUN y\nCOPY b.txt /p/\nWORKDIR /q\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], ".RR."),
        ("FROM a AS s\nRUN y\nCOPY b.txt /p/\nFROM a\nRUN --mount=from=s,source=/o/f,target=/m z", &[("b.txt", "new")], ".R."),
        ("FROM a AS s\nCOPY b.txt /p/\nCOPY c.json /o/\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], "RR."),
        ("FROM a AS s\nRUN y\nCOPY b.txt /o/\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], ".R?"),
        ("FROM a AS s\nRUN y\nCOPY b.txt /o/p\nFROM a\nCOPY --from=s /o/* /o", &[("b.txt", "new")], ".R?"),
        ("FROM a AS s\nRUN y\nCOPY b.txt /\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], ".R?"),
        ("FROM a AS s\nRUN y\nCOPY b.txt /bin/\nFROM a\nCOPY --from=s /usr/bin/tool /o", &[("b.txt", "new")], ".R?"),
        ("FROM a AS s\nRUN ln -s /o /p\nCOPY b.txt /p/\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], ".R?"),
        (
            "FROM a AS s\nRUN y\nCOPY b.txt /p/\nCOPY --chown=1:1 c.json /o/\nFROM a\nCOPY --from=s /o /o",
            &[("b.txt", "new")],
            ".RR.",
        ),
        (
            "FROM a AS s\nRUN y\nCOPY b.txt /etc/\nCOPY --chown=u c.json /o/\nFROM a\nCOPY --from=s /o /o",
            &[("b.txt", "new")],
            ".RR?",
        ),
        ("FROM a AS s\nRUN y\nCOPY b.txt /p/\nRUN z\nFROM a\nCOPY --from=s /o /o", &[("b.txt", "new")], ".RR?"),
    ];
    for (dockerfile, edit, expected) in cases {
        let prediction = after(dockerfile, dockerfile, edit);
        assert_eq!(letters(&prediction), *expected, "{dockerfile:?}, {edit:?}: {prediction:#?}");
    }
}

#[test]
fn reasons_name_what_matters_and_nothing_else() {
    let dockerfile = "FROM a\nARG V=1\nCOPY a /x\nRUN y";
    let edits = [("a/1", "new"), ("a/3", "new"), ("a/2", ""), ("b.txt", "new"), ("e.json", "new")];
    let prediction = after(dockerfile, &dockerfile.replace("V=1", "V=2"), &edits);
    let list = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(
        prediction.steps[0].reasons,
        [
            MissReason::FilesChanged { paths: list(&["a/1"]) },
            MissReason::FilesAdded { paths: list(&["a/3"]) },
            MissReason::FilesRemoved { paths: list(&["a/2"]) },
        ]
    );
    let argument = MissReason::Argument { name: "V".to_owned(), before: Some("1".to_owned()), after: Some("2".to_owned()) };
    assert_eq!(prediction.steps[1].reasons, [argument, MissReason::Upstream { place: prediction.steps[0].place.clone() }]);
    assert_eq!(prediction.steps[1].because_of, [0]);
}

#[test]
fn what_stands_on_a_linked_copy_runs_because_of_what_lies_below() {
    let merging =
        |files: &[(&str, &str)]| Inputs { merges: true, ..inputs("FROM a\nCOPY a/1 /x\nCOPY --link b.txt /l\nRUN y", files) };
    let edited: Vec<_> = FILES.iter().map(|&(path, text)| (path, if path == "a/1" { "new" } else { text })).collect();
    let prediction = predict(&model(merging(&edited)), &[model(merging(&FILES))]);
    assert_eq!(letters(&prediction), "R.R");
    assert_eq!(prediction.steps[2].reasons, [MissReason::Upstream { place: prediction.steps[0].place.clone() }]);
    assert_eq!(prediction.steps[2].because_of, [0]);
}

#[test]
fn a_step_that_is_cached_under_another_key_is_no_reason() {
    // `/o` is the same, though the stage that it comes from is not.
    let dockerfile = "FROM a AS s\nRUN y\nCOPY a/1 /p/\nFROM a\nCOPY --from=s /o /o\nCOPY a /x";
    let prediction = after(dockerfile, dockerfile, &[("a/1", "new")]);
    assert_eq!(letters(&prediction), ".R.R");
    assert_eq!(prediction.steps[3].reasons, [MissReason::FilesChanged { paths: vec!["a/1".to_owned()] }]);
}

/// What ten edits at once are said to do to a step is what each of them alone is said to do to it, and nothing else.
#[test]
fn edits_at_once_have_the_reasons_that_they_have_alone() {
    let dockerfile = "FROM a\nCOPY a /x\nFROM a\nCOPY *.json b.txt /y/\nFROM a\nRUN --mount=target=/m,source=a/2 y\nFROM a\nCOPY . /z\n\
        FROM scratch\nCOPY --from=0 /x /\nCOPY --from=1 /y /\nCOPY --from=2 /z /\nCOPY --from=3 /z /";
    let edits = [
        ("a/1", "new"),
        ("a/2", "new"),
        ("a/3", "new"),
        ("a/b/c", "new"),
        ("b.txt", ""),
        ("c.json", "new"),
        ("e.json", "new"),
        ("f.txt", "new"),
        ("d.json", ""),
        ("Dockerfile", "new"),
    ];
    let named = |prediction: &Prediction, step: usize| {
        let mut named: Vec<(&str, String)> = Vec::new();
        for reason in &prediction.steps[step].reasons {
            let (kind, paths) = match reason {
                MissReason::FilesAdded { paths } => ("new", paths),
                MissReason::FilesChanged { paths } => ("changed", paths),
                MissReason::FilesRemoved { paths } => ("removed", paths),
                _ => continue,
            };
            named.extend(paths.iter().map(|path| (kind, path.clone())));
        }
        named.sort();
        named
    };
    let together = after(dockerfile, dockerfile, &edits);
    let alone: Vec<Prediction> = edits.iter().map(|edit| after(dockerfile, dockerfile, &[*edit])).collect();
    for step in 0..together.steps.len() {
        let mut expected: Vec<_> = alone.iter().flat_map(|prediction| named(prediction, step)).collect();
        expected.sort();
        expected.dedup();
        assert_eq!(named(&together, step), expected, "step {step}");
    }
    let counts: Vec<usize> = (0..4).map(|step| named(&together, step).len()).collect();
    // A new folder is named, too.
    assert_eq!(counts, [5, 4, 1, 11]);
}

#[test]
fn any_earlier_build_counts_but_not_what_it_did_not_do() {
    let dockerfile = "FROM a\nCOPY a /x\nRUN y";
    let old = model(inputs(dockerfile, &FILES));
    let other = model(inputs(dockerfile, &[("a/1", "other")]));
    let next = model(inputs(dockerfile, &FILES));
    assert_eq!(letters(&predict(&next, &[])), "RR");
    assert_eq!(predict(&next, &[]).steps[0].reasons, [MissReason::FirstBuild]);
    assert_eq!(letters(&predict(&next, std::slice::from_ref(&other))), "RR");
    assert_eq!(letters(&predict(&next, &[other, old.clone()])), "..");
    let mut failed = old;
    failed.steps[1].done = false;
    let prediction = predict(&next, &[failed]);
    assert_eq!(letters(&prediction), ".R");
    assert_eq!(prediction.steps[1].reasons, [MissReason::NotBuilt]);
}

#[test]
fn triggers_and_layers_of_the_base_image_count() {
    let with = |id: &str, triggers: &[&str], files: &[(&str, &str)]| {
        let config = ImageConfig { onbuild: triggers.iter().map(|text| (*text).to_owned()).collect(), ..ImageConfig::default() };
        let facts = ImageFacts { id: id.to_owned(), config: Some(config) };
        Inputs { images: BTreeMap::from([("a".to_owned(), facts)]), ..inputs("FROM a\nRUN x", files) }
    };
    let before = model(with("1", &["COPY b.txt /"], &FILES));
    let predicted = |inputs| letters(&predict(&model(inputs), std::slice::from_ref(&before)));
    assert_eq!(predicted(with("1", &["COPY b.txt /"], &FILES)), "..");
    assert_eq!(predicted(with("1", &["COPY b.txt /"], &[("b.txt", "new")])), "RR");
    assert_eq!(predicted(with("1", &[], &FILES)), "R");
    assert_eq!(predicted(with("2", &["COPY b.txt /"], &FILES)), "RR");
}

#[test]
fn what_stands_on_a_folder_of_the_client_runs_each_time() {
    let with = || Inputs {
        options: crate::dockerfile::evaluate::Options {
            contexts: std::iter::once("folder".to_owned()).collect(),
            ..Default::default()
        },
        ..inputs("FROM folder AS s\nCOPY b.txt /x\nRUN y\nFROM a\nCOPY --from=s /x /x", &FILES)
    };
    let prediction = predict(&model(with()), &[model(with())]);
    assert_eq!(letters(&prediction), "RR?");
    assert_eq!(prediction.steps[0].reasons, [MissReason::ContextBase { context: "folder".to_owned() }]);
}

#[test]
fn files_that_no_program_made_are_known_though_their_step_runs() {
    let with = |dockerfile: &str, edit: &[(&str, &str)]| {
        let mut files = FILES.to_vec();
        files.retain(|(path, _)| !edit.iter().any(|(edited, _)| edited == path));
        files.extend(edit);
        let options = crate::dockerfile::evaluate::Options {
            contexts: std::iter::once("folder".to_owned()).collect(),
            ..Default::default()
        };
        let mut inputs = Inputs { options, ..inputs(dockerfile, &files) };
        let folder = edit.iter().find(|(path, _)| *path == "folder").map_or("f", |(_, text)| text);
        inputs.trees.insert("folder".to_owned(), tree(&[("f", folder)]));
        model(inputs)
    };
    let copied = "FROM folder AS s\nWORKDIR /w\nCOPY b.txt /x\nFROM a\nCOPY --from=s /x /x\nRUN y";
    let twice = "FROM folder AS s\nCOPY b.txt /x\nFROM folder AS t\nCOPY --from=s /x /y\nFROM a\nCOPY --from=t / /t";
    let run = "FROM folder AS s\nCOPY b.txt /x\nRUN y\nFROM a\nCOPY --from=s /x /x";
    let remote = "FROM folder AS s\nADD https://example.org/f /x\nFROM a\nCOPY --from=s /x /x";
    for (dockerfile, edit, expected) in [
        (copied, ("none", ""), "RR.."),
        (copied, ("b.txt", "edited"), "RR??"),
        (copied, ("folder", "edited"), "RR??"),
        (copied, ("c.json", "edited"), "RR.."),
        (twice, ("none", ""), "RR."),
        (twice, ("b.txt", "edited"), "RR?"),
        (run, ("none", ""), "RR?"),
        (remote, ("none", ""), "R."),
    ] {
        let prediction = predict(&with(dockerfile, &[edit]), &[with(dockerfile, &[])]);
        assert_eq!(letters(&prediction), expected, "{dockerfile:?} after {edit:?}");
    }
    // Where other steps write makes a difference if it is what is read.
    let other = |folder: &str| copied.replace("/w\n", folder);
    assert_eq!(letters(&predict(&with(&other("/v\n"), &[]), &[with(copied, &[])])), "RR..");
    assert_eq!(letters(&predict(&with(&other("/x/v\n"), &[]), &[with(copied, &[])])), "RR??");
    // What is known to be as before is no reason for what runs.
    let prediction = predict(&with(&copied.replace("/x /x", "/x /z"), &[]), &[with(copied, &[])]);
    assert_eq!(letters(&prediction), "RRRR");
    assert!(matches!(prediction.steps[2].reasons[..], [MissReason::Instruction { .. }]), "{:?}", prediction.steps[2].reasons);
}

#[test]
fn linked_copies_stand_on_nothing_where_layers_can_be_merged() {
    let build = |image: &str, merges| {
        let dockerfile = format!("FROM {image}\nCOPY --link b.txt /x\nRUN y");
        model(Inputs { merges, ..inputs(&dockerfile, &FILES) })
    };
    assert_eq!(letters(&predict(&build("b", true), &[build("a", true)])), ".R");
    assert_eq!(letters(&predict(&build("b", false), &[build("a", false)])), "RR");
    assert_eq!(letters(&predict(&build("a", true), &[build("a", true)])), "..");
}

#[test]
fn a_build_that_did_not_get_its_base_image_is_nothing_to_compare_with() {
    let with = |images: bool, files: &[(&str, &str)]| {
        let env = vec![("NODE_VERSION".to_owned(), "20".to_owned())];
        let facts = ImageFacts { id: "1".to_owned(), config: Some(ImageConfig { env, ..ImageConfig::default() }) };
        let images = images.then(|| ("a".to_owned(), facts)).into_iter().collect();
        Inputs { images, ..inputs("FROM a\nCOPY b.txt /\nRUN x", files) }
    };
    let built = model(with(true, &FILES));
    let failed = Model::new(with(false, &FILES), &NoOutputs).expect("a Dockerfile");
    let next = model(with(true, &[("b.txt", "new")]));
    let reasons = |earlier: &[Model]| predict(&next, earlier).steps.into_iter().flat_map(|step| step.reasons).collect::<Vec<_>>();
    let found = reasons(&[failed.clone(), built.clone()]);
    assert_eq!(found, reasons(&[built]));
    assert!(!found.iter().any(|reason| matches!(reason, MissReason::Environment { .. })), "{found:?}");
    assert_eq!(reasons(&[failed]), [MissReason::FirstBuild, MissReason::FirstBuild]);
}

#[test]
fn what_an_earlier_build_has_of_the_steps_below_is_not_what_the_latest_stood_on() {
    let build = |text: &str, dockerfile: &str, dated: bool| {
        let mut inputs = inputs(dockerfile, &[("a/1", text)]);
        if dated {
            inputs.options.build_args.insert("SOURCE_DATE_EPOCH".to_owned(), "1".to_owned());
        }
        model(inputs)
    };
    let (before, then) = ("FROM a\nWORKDIR /w\nCOPY a /x\nRUN y", "FROM a\nWORKDIR /w\nCOPY a /x\nRUN y\nRUN z\n");
    let changed = MissReason::FilesChanged { paths: vec!["a/1".to_owned()] };
    let dated = MissReason::Argument { name: "SOURCE_DATE_EPOCH".to_owned(), before: Some("1".to_owned()), after: None };
    for (latest, reason) in [(build("two", then, false), changed), (build("one", then, true), dated)] {
        let prediction = predict(&build("one", then, false), &[latest, build("one", before, false)]);
        assert_eq!(letters(&prediction), "...R");
        assert_eq!(prediction.steps[3].reasons, [reason]);
    }
}

#[test]
fn what_came_or_went_below_cached_steps_is_named() {
    // Each build before has left the steps below; the latest stood on others.
    let changed: Vec<(&str, &str)> = FILES.map(|(path, text)| (path, if path == "b.txt" { "new" } else { text })).to_vec();
    let [short, long] =
        ["RUN two\nRUN three", "RUN between\nRUN two\nRUN three"].map(|steps| format!("FROM a\nRUN one\n{steps}\nCOPY b.txt /b"));
    let between = || Some("RUN between".to_owned());
    for (first, second, letters_of, reason) in [
        (&short, &long, "...R", MissReason::Instruction { before: between(), after: None }),
        (&long, &short, "....R", MissReason::Instruction { before: None, after: between() }),
    ] {
        let builds = [model(inputs(second, &changed)), model(inputs(first, &FILES))];
        let prediction = predict(&model(inputs(first, &changed)), &builds);
        assert_eq!(letters(&prediction), letters_of);
        assert_eq!(prediction.steps.last().expect("a step").reasons, [reason], "{first}");
    }
}

#[test]
fn a_file_that_is_left_out_counts_where_a_link_leads_to_it() {
    let build = |text: &str| {
        let mut inputs = inputs("FROM a\nCOPY --exclude=a/1 . /x", &[]);
        let link = Entry::Link { target: "a".to_owned() };
        let file = |text: &str| Entry::File { mode: 0o644, content: ContentId::of(text.as_bytes()) };
        let tree = Tree::new(vec![("a/1".to_owned(), file(text)), ("link".to_owned(), link)]);
        inputs.trees.insert(String::new(), tree);
        model(inputs)
    };
    let prediction = predict(&build("two"), &[build("one")]);
    assert_eq!(letters(&prediction), "R");
    assert_eq!(prediction.steps[0].reasons, [MissReason::FilesChanged { paths: vec!["a/1".to_owned()] }]);
}
