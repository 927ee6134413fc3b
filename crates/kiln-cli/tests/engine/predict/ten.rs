//! Ten edits at once: each step names those that matter to it, and no others.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use kiln::predict::{MissReason, predict};

use super::bench;
use super::score::Score;
use crate::support::this_run;

#[test]
#[ignore = "needs a Docker Engine"]
fn of_ten_edits_at_once_each_step_names_those_that_matter() {
    let (_guard, bench) = bench();
    let id = format!("{}ten", this_run());
    let folders = bench.folders(&id);
    folders.fill();
    for (path, text) in [("lib/a", "a"), ("lib/b", "b"), ("lib/c", "c"), ("lib/old", "old"), ("doc/d", "d"), ("tool.sh", "t")] {
        let file = folders.context.join(path);
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(file, text).expect("a file");
    }
    let dockerfile = |flavour: &str| {
        format!(
            "FROM {} AS base\nWORKDIR /{id}\nARG V=1\nARG UNUSED=1\nENV KIND={flavour}\n\
             FROM base AS one\nCOPY lib /lib\nFROM base AS two\nCOPY *.txt /texts/\nFROM base AS three\nCOPY src/sub/deep.txt /deep\n\
             FROM base AS four\nCOPY tool.sh /tool\nFROM base AS five\nRUN echo $V\nFROM scratch\n\
             COPY --from=one /lib /1\nCOPY --from=two /texts /2\nCOPY --from=three /deep /3\nCOPY --from=four /tool /4\nCOPY --from=five /etc/passwd /5\n",
            bench.around.image
        )
    };
    let before = bench.of(&folders, dockerfile("plain"));
    let mut known = bench.model(&before).expect("a model");
    known.settle(&bench.build(&before).expect("a build"), true);

    // Ten edits, in ten ways: six matter to `one` and `two`, one to `four`, one to `five`, two to nobody.
    let file = |path: &str| folders.context.join(path);
    fs::write(file("lib/a"), "changed").expect("changed");
    fs::write(file("lib/new"), "new").expect("added");
    fs::remove_file(file("lib/old")).expect("removed");
    fs::rename(file("lib/b"), file("lib/b2")).expect("renamed");
    fs::set_permissions(file("lib/c"), fs::Permissions::from_mode(0o755)).expect("another mode");
    fs::write(file("three.txt"), "3").expect("added");
    fs::set_permissions(file("tool.sh"), fs::Permissions::from_mode(0o755)).expect("another mode");
    fs::write(file("doc/d"), "nobody reads it").expect("changed");
    let time = std::time::SystemTime::now() - std::time::Duration::from_secs(5000);
    let touched = fs::File::options().append(true).open(file("src/sub/deep.txt")).and_then(|file| file.set_modified(time));
    touched.expect("another time only");
    let after = bench.of(&folders, dockerfile("fancy"));

    let model = bench.model(&after).expect("a model");
    let prediction = predict(&model, std::slice::from_ref(&known));
    let seen = bench.build(&after).expect("a build");
    let mut score = Score::default();
    score.compare(&after, &model, &prediction, &seen, &[]);
    assert!(score.disagreements.is_empty(), "{:#?}", score.disagreements);

    let named = |stage: &str| -> Vec<MissReason> {
        let steps = prediction.steps.iter().filter(|step| step.place.stage == stage);
        steps.flat_map(|step| step.reasons.clone()).collect()
    };
    let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
    assert_eq!(named("base"), []);
    assert_eq!(
        named("one"),
        [
            MissReason::FilesChanged { paths: paths(&["lib/a"]) },
            MissReason::FilesAdded { paths: paths(&["lib/b2", "lib/new"]) },
            MissReason::FilesRemoved { paths: paths(&["lib/b", "lib/old"]) },
            MissReason::ModesChanged { paths: paths(&["lib/c"]) },
        ]
    );
    assert_eq!(named("two"), [MissReason::FilesAdded { paths: paths(&["three.txt"]) }]);
    assert_eq!(named("three"), []);
    assert_eq!(named("four"), [MissReason::ModesChanged { paths: paths(&["tool.sh"]) }]);
    let kind =
        MissReason::Environment { name: "KIND".to_owned(), before: Some("plain".to_owned()), after: Some("fancy".to_owned()) };
    assert_eq!(named("five"), [kind]);
}
