//! Dockerfiles and contexts that nobody wrote in good faith: an error or an honest answer, soon.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::super::outputs::NoOutputs;
use super::{FILES, inputs, letters, model};
use crate::context::{Entry, Tree};
use crate::dockerfile::evaluate::Options;
use crate::predict::{Inputs, MissReason, Model, PredictError, predict};

/// Much longer than any of these takes, much shorter than what is quadratic in such sizes.
const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_thousand_stages_are_followed() {
    let mut chain = "FROM a AS s0\nRUN x\n".to_owned();
    for stage in 1..1000 {
        let _ = write!(chain, "FROM s{} AS s{stage}\nCOPY --from=s0 /o /o{stage}\n", stage - 1);
    }
    let begun = Instant::now();
    let before = model(inputs(&chain, &FILES));
    let prediction = predict(&model(inputs(&chain.replace("RUN x", "RUN y"), &FILES)), &[before]);
    assert!(letters(&prediction).chars().all(|letter| letter == 'R'));
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}

#[test]
fn what_builds_refuse_is_refused() {
    let options = Options { target: Some("nothing".to_owned()), ..Options::default() };
    for (text, options) in [
        ("FROM a AS s\nCOPY --from=t / /\nFROM a AS t\nCOPY --from=s / /".to_owned(), Options::default()),
        ("FROM a".to_owned(), options),
        (format!("FROM a\nRUN {}", "x".repeat(100_000_000)), Options::default()),
        (String::new(), Options::default()),
    ] {
        let begun = Instant::now();
        let refused = Model::new(Inputs { options, ..inputs(&text, &FILES) }, &NoOutputs).is_err();
        assert!(refused, "{}", &text[..text.len().min(80)]);
        assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    }
}

#[test]
fn sizes_beyond_reason_are_refused_before_they_cost_time() {
    let steps = "FROM a\n".to_owned() + &"COPY a b\n".repeat(300_000);
    let mut variables = "FROM a\n".to_owned();
    for number in 0..150_000 {
        let _ = writeln!(variables, "ENV v{number}=1\nRUN x");
    }
    let mut stages = "FROM a AS s0\n".to_owned();
    for number in 0..20_000 {
        let _ = writeln!(stages, "ENV a{number}=1 b{number}=1");
    }
    for number in 1..50_000 {
        let _ = writeln!(stages, "FROM s{} AS s{number}", number - 1);
    }
    for (text, expected) in [(steps, "steps"), (variables, "variables"), (stages, "variables")] {
        let begun = Instant::now();
        let refused = Model::new(inputs(&text, &FILES), &NoOutputs);
        assert!(matches!(refused, Err(PredictError::TooLarge { what }) if what == expected), "{expected}");
        assert!(begun.elapsed() < SOON, "{expected}: {:?}", begun.elapsed());
    }
}

#[test]
fn links_in_circles_lead_nowhere() {
    let link = |target: &str| Entry::Link { target: target.to_owned() };
    let tree =
        |entries: &[(&str, Entry)]| Tree::new(entries.iter().map(|(path, entry)| ((*path).to_owned(), entry.clone())).collect());
    let circle = [("a", link("b")), ("b", link("a")), ("self", link("self/self")), ("up", link("../../up"))];
    let build = |entries: &[(&str, Entry)]| {
        let text = "FROM x\nCOPY a /a\nCOPY self/x /s\nCOPY up* /u\nRUN --mount=target=/m,source=b y\nCOPY . /all";
        model(Inputs { trees: BTreeMap::from([(String::new(), tree(entries))]), ..inputs(text, &FILES) })
    };
    // BuildKit says "too many links" to each of the first four.
    let prediction = predict(&build(&circle), &[build(&circle)]);
    assert_eq!(letters(&prediction), "?????");
    assert_eq!(prediction.steps[0].reasons, [MissReason::NothingThere { paths: vec!["a".to_owned()] }]);
    assert_eq!(prediction.steps[2].reasons[0], MissReason::NothingThere { paths: vec!["up".to_owned()] });
    assert_eq!(letters(&predict(&build(&circle[..3]), &[build(&circle)])), "??RRR");
    // A folder is copied with the links in it, wherever they lead.
    let text = "FROM x\nCOPY d /d\nCOPY d* /e\nCOPY --exclude=f d /f\nCOPY . /all";
    let build = |entries: &[(&str, Entry)]| {
        model(Inputs { trees: BTreeMap::from([(String::new(), tree(entries))]), ..inputs(text, &FILES) })
    };
    let inside = [("d/self", link("self")), ("d/lost", link("nowhere"))];
    assert_eq!(letters(&predict(&build(&inside), &[build(&inside)])), "....");
    assert_eq!(letters(&predict(&build(&inside[..1]), &[build(&inside)])), "RRRR");
}

#[test]
fn a_copy_of_what_is_not_there_is_not_cached() {
    let link = |target: &str| Entry::Link { target: target.to_owned() };
    for source in ["nothing", "lost", "los*"] {
        let text = format!("FROM x\nCOPY {source} /y/");
        let tree = Tree::new(vec![("lost".to_owned(), link("nowhere"))]);
        let build = || model(Inputs { trees: BTreeMap::from([(String::new(), tree.clone())]), ..inputs(&text, &FILES) });
        assert_eq!(letters(&predict(&build(), &[build()])), "?", "{source}");
    }
    // A wildcard that finds nothing is no error to BuildKit.
    let build = || model(inputs("FROM x\nCOPY nothing* /y/", &FILES));
    assert_eq!(letters(&predict(&build(), &[build()])), ".");
}
