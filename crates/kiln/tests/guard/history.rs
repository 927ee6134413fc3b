//! Random histories of a source tree, and what they cost.

use std::fmt;
use std::ops::AddAssign;
use std::time::Duration;

use crate::fixture::{Order, Shape, Tree};
use crate::world::{Random, World, say};

/// What was done.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sequences: usize,
    steps: u64,
    builds: usize,
    clean: usize,
    /// Builds of the tree that was built last: of another clone, with other times.
    idle: usize,
    /// Crates compiled in those.
    needless: usize,
    interrupted: usize,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.sequences += other.sequences;
        self.steps += other.steps;
        self.builds += other.builds;
        self.clean += other.clean;
        self.idle += other.idle;
        self.needless += other.needless;
        self.interrupted += other.interrupted;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sequences, steps, builds, clean, idle, needless, interrupted } = self;
        write!(
            formatter,
            "{sequences} sequences, {steps} steps, {builds} builds compared with the model, {clean} with clean builds, \
             {interrupted} interrupted or broken before; 0 stale; {idle} builds of an unchanged tree compiled {needless} crates"
        )
    }
}

/// The first lines that differ.
pub(crate) fn difference(printed: &str, expected: &str) -> String {
    let pairs = printed.lines().zip(expected.lines()).filter(|(printed, expected)| printed != expected);
    let pairs: Vec<String> = pairs.map(|(printed, expected)| format!("`{printed}` should be `{expected}`")).collect();
    if pairs.is_empty() { format!("{printed}\nshould be\n{expected}") } else { pairs.join(", ") }
}

/// Edits, reverts, branch switches, clones, odd times, clock steps and interruptions; after each step the programs must say what
/// the tree says.
pub(crate) fn history(mut world: World, shape: Shape, seed: u64, steps: u64) -> Tally {
    let mut random = Random::new(seed);
    let mut trees = [Tree::first(shape), Tree::first(shape)];
    let mut history = vec![Tree::first(shape)];
    let mut log: Vec<String> = Vec::new();
    let mut tally = Tally { sequences: 1, steps, ..Tally::default() };
    let mut order = Order::PLAIN;
    for step in 0..steps {
        // Two checkouts take turns on one mount.
        let checkout = random.below(2);
        let mut what = vec![format!("checkout {checkout}")];
        for _ in 0..random.below(5) {
            what.push(trees[checkout].edit(&mut random));
        }
        if random.below(6) == 0 {
            let back = random.below(history.len());
            trees[checkout] = history[back].clone();
            what.push(format!("back to tree {back}"));
        }
        if random.below(3) == 0 {
            order = Order::random(&mut random);
            what.push(format!("{order:?}"));
        }
        what.push(world.write(checkout, &trees[checkout], &mut random));
        let tree = &trees[checkout];
        let moment = Duration::from_millis(random.below(1200) as u64);
        let trouble = match random.below(8) {
            0 => Some(world.broken_build(checkout, tree, &mut random)),
            1 => Some(world.stopped_build(checkout, tree, order, moment)),
            2 => Some(world.killed_build(checkout, tree, order, moment)),
            3 => Some(world.killed_before_the_ledger(checkout, tree)),
            _ => None,
        };
        tally.interrupted += usize::from(trouble.is_some());
        if trouble.is_some() && random.below(2) == 0 {
            // The next build is not of the tree that was interrupted.
            let back = random.below(history.len());
            trees[checkout] = history[if random.below(2) == 0 { history.len() - 1 } else { back }].clone();
            for _ in 0..random.below(3) {
                what.push(trees[checkout].edit(&mut random));
            }
            what.push(world.write(checkout, &trees[checkout], &mut random));
        }
        let tree = &trees[checkout];
        what.extend(trouble);
        if random.below(10) == 0 {
            what.push(world.clock_step(&mut random));
        }
        log.push(format!("step {step}: {}", what.join(", ")));
        let recent = || log[log.len().saturating_sub(12)..].join("\n");
        let (printed, report) = world.build(checkout, tree, order).unwrap_or_else(|error| {
            panic!("{shape:?}, seed {seed}:\n{}\n{error}", recent());
        });
        tally.builds += 1;
        let expected = tree.expected(order);
        assert!(
            printed == expected,
            "stale: {shape:?}, seed {seed}: {}\n{}\n{report:?}",
            difference(&printed, &expected),
            recent()
        );
        if step % 25 == 24 || step + 1 == steps {
            let clean = world.clean_build(tree, order);
            assert!(
                clean == expected,
                "the model is wrong: {shape:?}, seed {seed}: {}\n{}",
                difference(&expected, &clean),
                recent()
            );
        }
        if random.below(4) == 0 && !tree.writes() {
            // The other checkout, cloned anew: nothing is to be done for it.
            trees[1 - checkout] = tree.clone();
            world.write(1 - checkout, &trees[1 - checkout], &mut random);
            let (printed, report) = world.build(1 - checkout, &trees[1 - checkout], order).unwrap();
            assert!(printed == expected, "stale after a clone at seed {seed}:\n{}", recent());
            assert!(report.local_compiled.is_empty(), "{shape:?}, seed {seed}: compiled for nothing: {report:?}\n{}", recent());
            tally.builds += 1;
            tally.idle += 1;
            tally.needless += report.local_compiled.len();
        }
        history.push(trees[checkout].clone());
    }
    tally.clean = world.clean_builds;
    say(&format!("{shape:?}, seed {seed}: {tally}"));
    tally
}
