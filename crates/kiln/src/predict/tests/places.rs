//! Where steps are said to stand is where builds show them.

use super::super::{Model, Origin, Told};
use super::{FILES, inputs, letters, model};
use crate::dockerfile::evaluate::Options;
use crate::predict::{Inputs, predict};

/// `stage index line` of each step.
fn places(dockerfile: &str) -> Vec<String> {
    let contexts = std::iter::once("folder".to_owned()).collect();
    let inputs = Inputs { options: Options { contexts, ..Options::default() }, ..inputs(dockerfile, &FILES) };
    let steps = model(inputs).steps.into_iter();
    steps.map(|step| format!("{} {} {}", step.place.stage, step.place.index, step.place.line)).collect()
}

#[test]
fn stages_are_named_and_steps_counted_as_builds_show_them() {
    let cases: &[(&str, &[&str])] = &[
        // A stage that stands alone has no name in builds, whatever the Dockerfile calls it…
        ("FROM a\nRUN x", &["stage-0 2 2"]),
        ("FROM a AS s\nRUN x\nCOPY a /a", &["stage-0 2 2", "stage-0 3 3"]),
        // …unless it takes something from elsewhere, for which any mount counts.
        ("FROM a AS s\nRUN --mount=type=cache,target=/c x", &["s 2 2"]),
        ("FROM a AS s\nRUN --mount=type=tmpfs,target=/c x", &["s 2 2"]),
        ("FROM a\nRUN --mount=type=cache,target=/c x", &["stage-0 2 2"]),
        ("FROM a AS s\nCOPY --from=b /x /x", &["s 2 2"]),
        ("FROM a AS s\nRUN x\nFROM a\nCOPY --from=s /x /x", &["s 2 2", "stage-1 2 4"]),
        ("FROM a AS s\nRUN x\nFROM s AS t\nRUN y", &["s 2 2", "t 1 4"]),
        // An image has a number, an empty stage has none.
        ("FROM scratch\nCOPY a /a", &["stage-0 1 2"]),
        ("FROM folder\nCOPY a /a", &["stage-0 2 2"]),
        // The root is there already, but counts.
        ("FROM a\nWORKDIR /\nRUN x\nWORKDIR /w", &["stage-0 3 3", "stage-0 4 4"]),
        // Triggers stand on the line of `FROM`, and are counted apart.
        ("FROM a AS b\nONBUILD RUN t\nONBUILD COPY a /a\nFROM b\nRUN x", &["stage-1 1 4", "stage-1 2 4", "stage-1 1 5"]),
    ];
    for (dockerfile, expected) in cases {
        assert_eq!(places(dockerfile), *expected, "{dockerfile:?}");
    }
}

#[test]
fn steps_are_known_again_by_their_lines() {
    let model = model(inputs("FROM a AS b\nONBUILD COPY a /a\nFROM b\nCOPY b.txt /b\nRUN x", &FILES));
    let own = |told: &Told<'_>| -> Vec<usize> {
        (0..model.steps.len()).filter(|&step| model.steps[step].place.is(&model.steps[step].text, told)).collect()
    };
    let told = |stage, index, line, text| Told { stage, index, line, text };
    assert_eq!(own(&told("stage-1", 1, Some(3), "ONBUILD COPY a /a")), [0]);
    assert_eq!(own(&told("stage-1", 1, Some(4), "COPY b.txt /b")), [1]);
    assert_eq!(own(&told("another", 9, Some(5), "RUN x")), [2], "the line counts");
    assert_eq!(own(&told("stage-1", 2, None, "RUN x")), [2]);
    assert_eq!(own(&told("stage-1", 1, Some(3), "FROM docker.io/library/a")), [0_usize; 0]);
}

#[test]
fn triggers_that_take_from_a_stage_need_it() {
    let before = "FROM a AS tools\nCOPY b.txt /b\nFROM a AS b\nONBUILD COPY --from=tools /b /t\nFROM b\nRUN x";
    let build = |files: &[(&str, &str)]| model(inputs(before, files));
    let (first, next): (Model, Model) = (build(&FILES), build(&[("b.txt", "new")]));
    assert_eq!(first.steps.len(), 3);
    assert_eq!(letters(&predict(&next, &[first])), "R??");
}

#[test]
fn a_context_takes_the_place_of_an_image_by_any_of_its_names() {
    for (given, named, expected) in [
        ("kiln", "kiln:latest", true),
        ("kiln:latest", "kiln", true),
        ("docker.io/library/kiln:1", "kiln:1", true),
        ("acme/kiln", "docker.io/acme/kiln:latest", true),
        ("kiln:1", "kiln", false),
        ("kiln", "acme/kiln", false),
    ] {
        for dockerfile in [format!("FROM scratch\nCOPY --from={named} /f /f"), format!("FROM {named}\nCOPY a /a")] {
            let contexts = std::iter::once(given.to_owned()).collect();
            let inputs = Inputs { options: Options { contexts, ..Options::default() }, ..inputs(&dockerfile, &FILES) };
            let step = model(inputs).steps.remove(0);
            let origins = [step.base, step.reads[0].origin.clone()];
            assert_eq!(origins.contains(&Origin::Context(given.to_owned())), expected, "{given}, {dockerfile:?}");
        }
    }
}
