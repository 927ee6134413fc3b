//! Results that the builder no longer has.

use std::collections::BTreeSet;

use super::{FILES, inputs, letters, model};
use crate::predict::{MissReason, Model, lost, predict_without};

const DOCKERFILE: &str = "FROM a AS deps\nCOPY b.txt /x\nRUN npm ci\nFROM a\nCOPY --from=deps /o /o\nRUN  make   all";

/// A build of all steps, with BuildKit's names.
fn built(files: &[(&str, &str)]) -> Model {
    let mut model = model(inputs(DOCKERFILE, files));
    let names = ["COPY b.txt /x", "RUN npm ci", "COPY --from=deps /o /o", "RUN make all"];
    model.steps.iter_mut().zip(names).for_each(|(step, name)| step.name = Some(name.to_owned()));
    model
}

const ALL: [&str; 5] = [
    "[deps 2/3] COPY b.txt /x",
    "mount / from exec /bin/sh -c npm ci",
    "[stage-1 2/3] COPY --from=deps /o /o",
    "mount / from exec /bin/sh -c make   all",
    "local source for context",
];

fn without(gone: &[usize]) -> impl Iterator<Item = &'static str> {
    ALL.into_iter().enumerate().filter(move |(number, _)| !gone.contains(number)).map(|(_, text)| text)
}

#[test]
fn what_no_record_of_the_builder_describes_is_lost() {
    let build = built(&FILES);
    let lost = |gone: &[usize]| Vec::from_iter(lost(&build, std::slice::from_ref(&build), without(gone)));
    assert_eq!(lost(&[]), [0_usize; 0]);
    assert_eq!(lost(&[1]), [1]);
    assert_eq!(lost(&[0, 2]), [0, 2]);
    assert_eq!(lost(&[0, 1, 2, 3, 4]), [0, 1, 2, 3]);
    // Another text with the same destination may be the one that made it.
    let renamed = ["[deps 3/4] COPY other/b.txt /x/"].into_iter().chain(without(&[0]));
    assert_eq!(Vec::from_iter(super::super::lost(&build, std::slice::from_ref(&build), renamed)), [0_usize; 0]);
}

#[test]
fn a_result_is_missed_by_what_needs_it_only() {
    let earlier = built(&FILES);
    let predicted = |next: &Model, lost: &[usize]| {
        let lost: BTreeSet<usize> = lost.iter().copied().collect();
        predict_without(next, std::slice::from_ref(&earlier), &lost)
    };
    let same = built(&FILES);
    assert_eq!(letters(&predicted(&same, &[0, 1])), "....", "nothing asks for them");
    assert_eq!(letters(&predicted(&same, &[3])), "...R");
    // What runs needs what it stands on, and that needs what it takes from.
    let prediction = predicted(&same, &[1, 2, 3]);
    assert_eq!(letters(&prediction), ".RRR");
    assert_eq!(prediction.steps[1].reasons, [MissReason::CacheRemoved]);
    assert_eq!(letters(&predicted(&same, &[0, 1, 2, 3])), "RRRR");
}
