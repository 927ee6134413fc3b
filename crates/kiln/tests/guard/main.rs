//! The guard against stale binaries, with cargo itself: whatever happens to a source tree, the programs that `compile` delivers say
//! what the tree says.
//!
//! The fixture needs no registry. A model knows what the programs must print; now and then a clean build is asked, too. The
//! randomized tests print their seed; `KILN_GUARD_STEPS` and `KILN_GUARD_SEED` make them longer or repeat one.

#![expect(clippy::unwrap_used, reason = "a test may panic, in its helpers too")]

mod fixture;
mod history;
#[path = "../common/kill.rs"]
mod kill;
mod knobs;
mod sources;
mod world;

use fixture::{Order, Shape, Tree};
use history::{Tally, history};
use kiln::process::Cancel;
use kiln::recipe::CargoReport;
use knobs::KNOBS;
use world::{Job, Random, World, setting, text_setting};

/// Steps of each randomized test in CI.
const STEPS: u64 = 15;

fn steps() -> u64 {
    setting("KILN_GUARD_STEPS").unwrap_or(STEPS)
}

fn seed() -> u64 {
    setting("KILN_GUARD_SEED").unwrap_or_else(world::new_seed)
}

#[test]
fn random_histories_never_give_a_stale_binary() {
    history(World::new(), Shape::Virtual, seed(), steps());
}

#[test]
fn nor_do_they_with_one_folder_per_unit_and_a_workspace_below_the_top() {
    history(World::with_one_folder_per_unit(), Shape::Nested, seed(), steps());
}

#[test]
fn nor_do_they_where_the_program_is_the_root_of_the_workspace() {
    history(World::new(), Shape::Root, seed(), steps());
}

/// Many short histories, each with a new mount: both layouts, all shapes.
#[test]
#[ignore = "takes long: KILN_GUARD_STEPS says how many steps in total"]
fn many_histories() {
    const LENGTH: u64 = 50;
    let first = seed();
    let mut tally = Tally::default();
    for sequence in 0..steps().div_ceil(LENGTH) {
        let world = if sequence % 2 == 0 { World::new() } else { World::with_one_folder_per_unit() };
        let shape = [Shape::Virtual, Shape::Nested, Shape::Root][(sequence % 3) as usize];
        tally += history(world, shape, first + sequence, LENGTH);
        world::say(&format!("so far: {tally}"));
    }
}

/// The other half of [`World::killed_build`].
#[test]
#[ignore = "the child of other tests"]
fn child() {
    let job: Job = serde_json::from_str(&text_setting("GUARD_JOB").unwrap()).unwrap();
    job.run(&Cancel::new(), &mut Vec::new()).unwrap();
}

/// A world with one checkout, which has been built.
struct Bench {
    world: World,
    random: Random,
    tree: Tree,
    order: Order,
}

impl Bench {
    fn new(shape: Shape) -> Self {
        let mut bench = Self { world: World::new(), random: Random::new(7), tree: Tree::first(shape), order: Order::PLAIN };
        bench.build();
        bench
    }

    /// Writes the tree, builds it and compares.
    fn build(&mut self) -> CargoReport {
        self.try_build().unwrap()
    }

    fn try_build(&mut self) -> Result<CargoReport, String> {
        self.world.write(0, &self.tree, &mut self.random);
        let (printed, report) = self.world.build(0, &self.tree, self.order)?;
        let expected = self.tree.expected(self.order);
        if printed == expected { Ok(report) } else { Err(history::difference(&printed, &expected)) }
    }
}

#[test]
fn each_edit_alone_is_seen_and_so_is_its_revert() {
    each_edit(Shape::Virtual);
}

#[test]
#[ignore = "the same again for minutes"]
fn each_edit_alone_is_seen_in_the_other_shapes() {
    each_edit(Shape::Nested);
    each_edit(Shape::Root);
}

/// All that are stale are named together. `KILN_GUARD_KNOB` picks one.
fn each_edit(shape: Shape) {
    let only = text_setting("KILN_GUARD_KNOB");
    let mut bench = Bench::new(shape);
    let mut stale = Vec::new();
    for (name, limit) in KNOBS.iter().filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name)) {
        for value in [limit - 1, bench.tree.get(name)] {
            bench.tree.set(name, value);
            if let Err(problem) = bench.try_build() {
                stale.push(format!("{shape:?}: {name} = {value}: {problem}"));
            }
        }
    }
    assert!(stale.is_empty(), "{}", stale.join("\n"));
}

#[test]
fn the_model_says_what_clean_builds_say() {
    let mut world = World::new();
    let mut random = Random::new(seed());
    for shape in [Shape::Virtual, Shape::Nested, Shape::Root] {
        let mut tree = Tree::first(shape);
        for _ in 0..2 {
            (0..30).for_each(|_| drop(tree.edit(&mut random)));
            let order = Order { other: true, ..Order::PLAIN };
            assert_eq!(world.clean_build(&tree, order), tree.expected(order), "{tree:?}");
        }
    }
}

#[test]
fn nothing_is_compiled_for_a_fresh_clone_or_a_touch() {
    let mut bench = Bench::new(Shape::Virtual);
    for checkout in [0, 1, 0] {
        bench.world.write(checkout, &bench.tree, &mut bench.random);
        let (printed, report) = bench.world.build(checkout, &bench.tree, bench.order).unwrap();
        assert_eq!(printed, bench.tree.expected(bench.order));
        assert_eq!(report.local_compiled, Vec::<String>::new());
    }
}

#[test]
fn an_edit_compiles_its_crate_and_dependents_only() {
    let mut bench = Bench::new(Shape::Virtual);
    let table: &[(&str, &[&str])] = &[
        ("main", &["app (bin)"]),
        ("value", &["app (bin)", "first (lib)"]),
        // The script of `second` declares nothing: it may read any file that is no source.
        ("included", &["app (bin)", "first (lib)", "second (lib)"]),
        ("input", &["app (bin)", "first (lib)", "second (lib)"]),
        ("manifest", &["app (bin)", "second (lib)"]),
        ("conf", &["app (bin)", "second (lib)"]),
        ("outside", &["app (bin)", "outside (lib)"]),
        ("native", &["app (bin)", "kinds (lib)", "native (lib)", "second (lib)"]),
        ("code", &["app (bin)", "kinds (lib)"]),
        // It is in the lock, too, which the script of `kinds` reads and the others cannot.
        ("version", &["app (bin)", "kinds (lib)"]),
    ];
    for (knob, expected) in table {
        bench.tree.bump(knob);
        let compiled = bench.build().local_compiled;
        let compiled: Vec<&str> = compiled.iter().map(String::as_str).filter(|name| !name.ends_with("(build script)")).collect();
        assert_eq!(compiled, *expected, "{knob}");
    }
}

#[test]
fn inputs_that_nothing_declares_are_named() {
    let mut bench = Bench::new(Shape::Virtual);
    for (knob, value, package, input) in [
        ("template", 1, "first", "first/templates/t.txt"),
        ("migrations", 3, "second", "migrations/0.sql"),
        ("silent", 1, "app", "$GUARD_SILENT"),
    ] {
        bench.tree.set(knob, value);
        let report = bench.build();
        assert_eq!(report.undeclared.get(package).map(String::as_str), Some(input));
    }
}

#[test]
fn a_build_that_writes_into_its_source_is_repeated() {
    for writer in ["writer", "crosser"] {
        let mut bench = Bench::new(Shape::Virtual);
        for knob in [writer, writer, "value", "extra", writer] {
            bench.tree.bump(knob);
            bench.build();
        }
        assert_eq!(bench.world.clean_build(&bench.tree, bench.order), bench.tree.expected(bench.order));
    }
}

#[test]
fn a_run_that_was_killed_after_the_clock_went_back_leaves_nothing_behind() {
    let mut bench = Bench::new(Shape::Virtual);
    // All files of the mirror get one time,
    bench.world.clock_ahead();
    bench.build();
    // and again, with an edit that the ledger never hears of.
    bench.world.clock_ahead();
    bench.tree.set("value", 1);
    bench.world.write(0, &bench.tree, &mut bench.random);
    bench.world.killed_before_the_ledger(0, &bench.tree);
    bench.tree.set("value", 0);
    bench.build();
}

#[test]
fn a_script_whose_run_was_killed_does_not_see_what_it_left() {
    let mut bench = Bench::new(Shape::Virtual);
    bench.world.forget_that_scripts_ran();
    bench.tree.set("code", 1);
    bench.build();
}

#[test]
fn a_lost_or_broken_ledger_means_that_nothing_is_trusted() {
    let mut bench = Bench::new(Shape::Virtual);
    for text in [None, Some("{"), Some("{\"schema\": 99}")] {
        bench.build();
        bench.tree.bump("value");
        bench.tree.bump("template");
        bench.world.replace_ledger(text);
        bench.build();
    }
}
