//! Verdicts by an index are those of a comparison of each step with each one before.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::super::compare::{Likeness, base_likeness, reads_likeness};
use super::super::compare::{Matches, verdicts};
use super::super::done::Done;
use super::{FILES, ImageFacts, inputs, letters, model};
use crate::predict::{Model, ModelStep, Verdict, predict};
use crate::random::{Random, cases};

/// Compares each step with all that were done.
fn one_by_one(next: &Model, done: &[&ModelStep]) -> Vec<Verdict> {
    let mut matches: Vec<Matches<'_>> = Vec::new();
    let mut verdicts = Vec::new();
    for step in &next.steps {
        let (mut best, mut same, mut like) = (Likeness::Different, BTreeSet::new(), BTreeSet::new());
        for other in done.iter().filter(|other| other.operation_key == step.operation_key) {
            let (reads, base) = (reads_likeness(step, other, &matches), base_likeness(step, other, &matches));
            best = best.max(if step.linked { reads } else { reads.min(base) });
            if reads.min(base) == Likeness::Same {
                same.insert(other.output.as_str());
            }
            if reads.min(base) >= Likeness::Open {
                like.insert(other.output.as_str());
            }
        }
        matches.push(Matches { same, like: std::rc::Rc::new(like.into_iter().collect()) });
        verdicts.push(match best {
            Likeness::Same => Verdict::Cached,
            Likeness::Open => Verdict::Unknown,
            Likeness::Different => Verdict::Runs,
        });
    }
    verdicts
}

/// A Dockerfile of few words, so that many steps are alike.
fn dockerfile(random: &mut Random) -> String {
    let mut text = String::new();
    for stage in 0..1 + random.below(5) {
        let mut bases = vec!["scratch".to_owned(), "a".to_owned(), "tools".to_owned()];
        bases.extend((0..stage).map(|stage| format!("s{stage}")));
        let _ = writeln!(text, "FROM {} AS s{stage}", random.of(&bases));
        for _ in 0..random.below(5) {
            let from = random.of(&bases).clone();
            let link = if random.once_in(4) { "--link " } else { "" };
            let file = *random.of(&["/b.txt", "/o", "/a/1", "/"]);
            let step = match random.below(8) {
                0 | 1 if from != "scratch" => format!("COPY {link}--from={from} {file} /o"),
                2 if from != "scratch" => format!("RUN --mount=from={from},target=/m x"),
                3 => format!("COPY {link}{} /o", random.of(&["b.txt", "c.json", "a", "nothing"])),
                4 => "WORKDIR /w".to_owned(),
                5 => "RUN --mount=target=/m,source=a x".to_owned(),
                6 => format!("RUN {}", random.of(&["x", "y"])),
                _ => format!("COPY {link}b.txt /o"),
            };
            let _ = writeln!(text, "{step}");
        }
    }
    text
}

#[test]
fn an_index_gives_the_verdicts_of_all_pairs() {
    let mut seen = [0; 3];
    for (seed, mut random) in cases(600) {
        let build = |text: &str, random: &mut Random| {
            let mut files = FILES.to_vec();
            files[2].1 = *random.of(&["b", "c", "other"]);
            let mut inputs = inputs(text, &files);
            inputs.options.contexts.insert("tools".to_owned());
            inputs.trees.insert("tools".to_owned(), super::tree(&[("o", *random.of(&["1", "2"]))]));
            inputs.merges = true;
            inputs.images.insert("a".to_owned(), ImageFacts { id: (*random.of(&["", "1"])).to_owned(), config: None });
            let mut model = model(inputs);
            model.steps.iter_mut().for_each(|step| step.done = !random.once_in(8));
            model
        };
        let texts: Vec<String> = (0..1 + random.below(4)).map(|_| dockerfile(&mut random)).collect();
        let earlier: Vec<Model> = texts.iter().map(|text| build(text, &mut random)).collect();
        // Mostly a build that is like one before it.
        let new = dockerfile(&mut random);
        let text = if random.once_in(4) { &new } else { random.of(&texts) };
        let next = build(text, &mut random);
        let steps: Vec<&ModelStep> = earlier.iter().flat_map(|model| &model.steps).filter(|step| step.done).collect();
        let mut done = Done::default();
        steps.iter().for_each(|step| done.add(*step));
        let found = verdicts(&next, &done);
        assert_eq!(found, one_by_one(&next, &steps), "seed {seed}");
        found.iter().for_each(|verdict| seen[*verdict as usize] += 1);
    }
    assert!(seen.iter().all(|number| *number > 50), "{seen:?}");
}

#[test]
fn ten_thousand_copies_from_one_another_are_told_soon() {
    let mut star = "FROM a AS s0\nRUN x\n".to_owned();
    for stage in 1..9_800 {
        let _ = write!(star, "FROM scratch AS s{stage}\nCOPY --from=s{} /o /o\n", stage - 1);
    }
    let mut chain = "FROM a AS s0\nRUN x\nFROM scratch\n".to_owned();
    for _ in 1..9_800 {
        chain += "COPY --from=s0 /o /o\n";
    }
    for text in [star, chain] {
        let begun = Instant::now();
        let before = [model(inputs(&text, &FILES))];
        let same = letters(&predict(&before[0], &before));
        assert!(same.len() == 9_800 && same.chars().all(|letter| letter == '.'));
        let other = letters(&predict(&model(inputs(&text.replace("RUN x", "RUN y"), &FILES)), &before));
        assert!(other.starts_with("R?") && other[1..].chars().all(|letter| letter == '?'));
        // Two orders of magnitude less than a comparison of all pairs takes.
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}
