//! The guard against stale binaries, with cargo itself: whatever happens to a source tree, the program that `compile` delivers says
//! what the tree says.
//!
//! The fixture needs no registry. A model knows what the program must print; now and then a clean build is asked, too. The
//! randomized test prints its seed; `GUARD_STEPS` and `GUARD_SEED` make it longer or repeat it.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod fixture;
mod world;

use std::time::Duration;

use fixture::Tree;
use world::{Random, World, setting};

/// Steps of the randomized test in CI.
const STEPS: u64 = 40;

#[test]
fn random_histories_never_give_a_stale_binary() {
    history(World::new(), setting("GUARD_STEPS").unwrap_or(STEPS));
}

#[test]
fn nor_do_they_with_one_folder_per_unit() {
    history(World::with_one_folder_per_unit(), setting("GUARD_STEPS").unwrap_or(STEPS) / 4);
}

fn history(mut world: World, steps: u64) {
    let seed = setting("GUARD_SEED").unwrap_or_else(world::new_seed);
    let mut random = Random::new(seed);
    let mut trees = [Tree::first(), Tree::first()];
    let mut history = vec![Tree::first()];
    let mut log = Vec::new();
    for step in 0..steps {
        // Two checkouts take turns on one mount.
        let checkout = random.below(2);
        let mut what = vec![format!("checkout {checkout}")];
        for _ in 0..random.below(4) {
            what.push(trees[checkout].edit(&mut random));
        }
        if random.below(6) == 0 {
            let back = random.below(history.len());
            trees[checkout] = history[back].clone();
            what.push(format!("back to tree {back}"));
        }
        what.push(world.write(checkout, &trees[checkout], &mut random));
        match random.below(9) {
            0 => what.push(world.broken_build(checkout, &trees[checkout], &mut random)),
            1 => what.push(world.killed_build(checkout, &trees[checkout], Duration::from_millis(random.below(900) as u64))),
            2 => what.push(world.killed_before_the_ledger(checkout, &trees[checkout])),
            3 if random.below(2) == 0 => what.push(world.clock_step(&mut random)),
            _ => {}
        }
        log.push(format!("step {step}: {}", what.join(", ")));
        let (printed, report) = world.build(checkout, &trees[checkout]);
        let expected = trees[checkout].expected();
        let recent = || log[log.len().saturating_sub(12)..].join("\n");
        assert_eq!(printed, expected, "stale at seed {seed}:\n{}\n{report:?}", recent());
        if step % 25 == 24 || step + 1 == steps {
            assert_eq!(
                world.clean_build(checkout, &trees[checkout]),
                expected,
                "the model is wrong at seed {seed}:\n{}",
                recent()
            );
        }
        history.push(trees[checkout].clone());
    }
    world.say(&format!("{steps} steps with seed {seed}: none stale"));
}

#[test]
fn nothing_is_compiled_for_a_fresh_clone_or_a_touch() {
    let mut random = Random::new(7);
    let mut world = World::new();
    let tree = Tree::first();
    world.write(0, &tree, &mut random);
    let (_, report) = world.build(0, &tree);
    assert!(!report.local_compiled.is_empty());
    for checkout in [0, 1, 0] {
        world.write(checkout, &tree, &mut random);
        let (printed, report) = world.build(checkout, &tree);
        assert_eq!(printed, tree.expected());
        assert_eq!(report.local_compiled, Vec::<String>::new());
    }
}

#[test]
fn an_edit_compiles_its_crate_and_dependents_only() {
    let mut random = Random::new(8);
    let mut world = World::new();
    let mut tree = Tree::first();
    world.write(0, &tree, &mut random);
    world.build(0, &tree);
    let mut built = |tree: &Tree| {
        world.write(0, tree, &mut random);
        let (printed, report) = world.build(0, tree);
        assert_eq!(printed, tree.expected());
        report.local_compiled
    };
    tree.main += 1;
    assert_eq!(built(&tree), ["app (bin)"]);
    tree.value += 1;
    assert_eq!(built(&tree), ["app (bin)", "first (lib)"]);
    tree.included += 1;
    assert_eq!(built(&tree), ["app (bin)", "first (lib)"]);
    tree.input += 1;
    assert_eq!(built(&tree), ["app (bin)", "first (lib)"]);
    tree.manifest += 1;
    assert_eq!(built(&tree), ["app (bin)", "second (lib)"]);
}

#[test]
fn inputs_that_nothing_declares_are_named() {
    let mut random = Random::new(9);
    let mut world = World::new();
    let mut tree = Tree::first();
    world.write(0, &tree, &mut random);
    world.build(0, &tree);
    tree.template += 1;
    world.write(0, &tree, &mut random);
    let (printed, report) = world.build(0, &tree);
    assert_eq!(printed, tree.expected());
    assert_eq!(report.undeclared.get("first").map(String::as_str), Some("first/templates/t.txt"));
    tree.migrations.insert(9, 1);
    world.write(0, &tree, &mut random);
    let (printed, report) = world.build(0, &tree);
    assert_eq!(printed, tree.expected());
    assert_eq!(report.undeclared.get("second").map(String::as_str), Some("migrations/9.sql"));
    tree.silent += 1;
    world.write(0, &tree, &mut random);
    let (printed, report) = world.build(0, &tree);
    assert_eq!(printed, tree.expected());
    assert_eq!(report.undeclared.get("app").map(String::as_str), Some("$GUARD_SILENT"));
}

#[test]
fn a_build_that_writes_into_its_source_is_repeated() {
    let mut random = Random::new(10);
    let mut world = World::new();
    let mut tree = Tree::first();
    tree.writer = Some(1);
    for step in 0..6 {
        match step {
            1 | 4 => tree.writer = Some(step + 1),
            2 => tree.value += 1,
            3 => tree.extra += 1,
            _ => {}
        }
        world.write(0, &tree, &mut random);
        let (printed, report) = world.build(0, &tree);
        assert_eq!(printed, tree.expected(), "{report:?}");
    }
    assert_eq!(world.clean_build(0, &tree), tree.expected());
}

#[test]
fn a_lost_or_broken_ledger_means_that_nothing_is_trusted() {
    let mut random = Random::new(11);
    let mut world = World::new();
    let mut tree = Tree::first();
    for text in [None, Some("{"), Some("{\"schema\": 99}")] {
        world.write(0, &tree, &mut random);
        world.build(0, &tree);
        tree.value += 1;
        tree.template += 1;
        world.write(0, &tree, &mut random);
        world.replace_ledger(text);
        let (printed, _) = world.build(0, &tree);
        assert_eq!(printed, tree.expected());
    }
}
