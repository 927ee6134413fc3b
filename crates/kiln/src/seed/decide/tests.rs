use std::collections::BTreeMap;

use super::*;

/// Answers from tables, and notes what was asked.
#[derive(Default)]
struct Told {
    warm: Option<bool>,
    images: BTreeMap<&'static str, Result<ImageInfo, &'static str>>,
    asked: Vec<String>,
}

impl World for Told {
    fn is_warm(&mut self) -> Option<bool> {
        self.asked.push("warm".to_owned());
        self.warm
    }

    fn published(&mut self, reference: &str) -> Result<Option<ImageInfo>, String> {
        self.asked.push(reference.to_owned());
        self.images.get(reference).cloned().transpose().map_err(str::to_owned)
    }
}

const BRANCH: &str = "r.example/deps:api-prod-fix-1";
const MAIN: &str = "r.example/deps:api-prod-main";

fn needs() -> Needs {
    Needs {
        schema: 2,
        build_image: "rust:1.95".to_owned(),
        toolchain: String::new(),
        target: String::new(),
        profile: "release".to_owned(),
    }
}

fn digest(digit: &str) -> String {
    format!("sha256:{}", digit.repeat(64))
}

fn pin(digit: &str) -> Pin {
    Pin::image("r.example/deps", &digest(digit)).unwrap()
}

/// A layer of the cook `identity`, seeded with `pin("e")`.
fn layer(identity: &str, digit: &str) -> ImageInfo {
    let labels = needs().labels(&Identity::from_label(identity), &pin("e"));
    ImageInfo { digest: digest(digit), labels, platforms: vec!["linux/amd64".to_owned()] }
}

fn foreign(label: &str, value: &str) -> ImageInfo {
    let mut image = layer("other", "a");
    image.labels.insert(format!("org.kiln.seed.{label}"), value.to_owned());
    image
}

struct Row {
    what: &'static str,
    remembered: Option<Pin>,
    imports: bool,
    world: Told,
    pin: Pin,
    reason: Reason,
    notes: Vec<Note>,
    asked: &'static [&'static str],
}

fn world<const N: usize>(warm: Option<bool>, images: [(&'static str, Result<ImageInfo, &'static str>); N]) -> Told {
    Told { warm, images: images.into(), asked: Vec::new() }
}

fn nearest(reference: &str) -> Reason {
    Reason::Nearest { reference: reference.to_owned() }
}

fn absent(reference: &str) -> Note {
    Note::Absent { reference: reference.to_owned() }
}

fn note(misfit: Misfit) -> Note {
    Note::Foreign { reference: BRANCH.to_owned(), misfit }
}

#[test]
fn each_case_has_its_seed() {
    let row =
        |what, world, pin, reason, notes, asked| Row { what, remembered: None, imports: false, world, pin, reason, notes, asked };
    let cold = |images| world(Some(false), images);
    let mut rows = vec![
        Row {
            remembered: Some(pin("9")),
            ..row(
                "an unchanged cook keeps its pin and asks nobody",
                world(Some(false), []),
                pin("9"),
                Reason::Unchanged,
                vec![],
                &[],
            )
        },
        row("a warm builder asks no registry", world(Some(true), []), Pin::scratch(), Reason::Warm, vec![], &["warm"]),
        row("the branch's own", cold([(BRANCH, Ok(layer("x", "1")))]), pin("1"), nearest(BRANCH), vec![], &["warm", BRANCH]),
        row(
            "main's, where the branch has none",
            world(Some(false), [(MAIN, Ok(layer("x", "2")))]),
            pin("2"),
            nearest(MAIN),
            vec![absent(BRANCH)],
            &["warm", BRANCH, MAIN],
        ),
        row(
            "an unknown builder is seeded",
            world(None, [(BRANCH, Ok(layer("x", "1")))]),
            pin("1"),
            nearest(BRANCH),
            vec![],
            &["warm", BRANCH],
        ),
        row(
            "nothing is published",
            world(Some(false), []),
            Pin::scratch(),
            Reason::NoSeed,
            vec![absent(BRANCH), absent(MAIN)],
            &["warm", BRANCH, MAIN],
        ),
        row(
            "a registry that is down is asked once",
            world(Some(false), [(BRANCH, Err("no such host"))]),
            Pin::scratch(),
            Reason::NoSeed,
            vec![Note::Unreachable { reference: BRANCH.to_owned(), detail: "no such host".to_owned() }],
            &["warm", BRANCH],
        ),
        row(
            "the same cook without an import is all that is needed",
            cold([(BRANCH, Ok(layer("ours", "1")))]),
            pin("1"),
            nearest(BRANCH),
            vec![],
            &["warm", BRANCH],
        ),
        Row {
            imports: true,
            ..row(
                "the same cook with an import",
                cold([(BRANCH, Ok(layer("ours", "1")))]),
                pin("e"),
                Reason::SameCook { reference: BRANCH.to_owned() },
                vec![],
                &["warm", BRANCH],
            )
        },
        Row {
            imports: true,
            ..row(
                "the same cook with an import on a warm builder",
                world(Some(true), [(BRANCH, Ok(layer("x", "1"))), (MAIN, Ok(layer("ours", "2")))]),
                pin("e"),
                Reason::SameCook { reference: MAIN.to_owned() },
                vec![],
                &["warm", BRANCH, MAIN],
            )
        },
        Row {
            imports: true,
            ..row(
                "another cook with an import on a warm builder",
                world(Some(true), [(BRANCH, Ok(layer("x", "1")))]),
                Pin::scratch(),
                Reason::Warm,
                vec![absent(MAIN)],
                &["warm", BRANCH, MAIN],
            )
        },
    ];
    let found = || "other".to_owned();
    for (image, misfit) in [
        (ImageInfo { digest: digest("a"), ..ImageInfo::default() }, Misfit::NotASeed),
        (foreign("schema", "1"), Misfit::Schema),
        (foreign("build-image", "other"), Misfit::BuildImage { found: found() }),
        (foreign("toolchain", "other"), Misfit::Toolchain { found: found() }),
        (foreign("target", "other"), Misfit::Target { found: found() }),
        (foreign("profile", "other"), Misfit::Profile { found: found() }),
        (
            ImageInfo { platforms: vec!["linux/arm64".to_owned()], ..layer("x", "1") },
            Misfit::Platform { found: vec!["linux/arm64".to_owned()] },
        ),
    ] {
        rows.push(row(
            "one that does not fit is named, and the next is taken",
            world(Some(false), [(BRANCH, Ok(image)), (MAIN, Ok(layer("x", "2")))]),
            pin("2"),
            nearest(MAIN),
            vec![note(misfit)],
            &["warm", BRANCH, MAIN],
        ));
    }
    let identity = Identity::from_label("ours");
    let candidates = ["r.example/deps:{service}-{variant}-{branch}".to_owned(), MAIN.to_owned()];
    for mut row in rows {
        let ask = Ask {
            identity: &identity,
            remembered: row.remembered.as_ref(),
            candidates: &candidates,
            placeholders: Placeholders { service: "api", variant: "prod", branch: Some("fix/1") },
            needs: &needs(),
            platforms: &["linux/amd64".to_owned()],
            imports: row.imports,
        };
        let decision = decide(&ask, &mut row.world);
        assert_eq!(decision, Decision { pin: row.pin, reason: row.reason, notes: row.notes }, "{}", row.what);
        assert_eq!(row.world.asked, row.asked, "{}", row.what);
    }
}

#[test]
fn a_candidate_without_a_branch_is_passed_over() {
    let identity = Identity::from_label("ours");
    let candidates = ["r.example/deps:{branch}".to_owned(), MAIN.to_owned()];
    let ask = Ask {
        identity: &identity,
        remembered: None,
        candidates: &candidates,
        placeholders: Placeholders { service: "api", variant: "prod", branch: None },
        needs: &needs(),
        platforms: &[],
        imports: false,
    };
    let decision = decide(&ask, &mut world(Some(false), [(MAIN, Ok(layer("x", "2")))]));
    assert_eq!((decision.pin, decision.reason), (pin("2"), nearest(MAIN)));
    assert!(matches!(decision.notes.as_slice(), [Note::Unnamed(PlaceholderError::NoBranch { .. })]));
}

#[test]
fn without_candidates_nobody_is_asked() {
    let identity = Identity::from_label("ours");
    let ask = Ask {
        identity: &identity,
        remembered: None,
        candidates: &[],
        placeholders: Placeholders { service: "api", variant: "prod", branch: None },
        needs: &needs(),
        platforms: &[],
        imports: true,
    };
    let mut told = world(Some(false), [(MAIN, Ok(layer("x", "2")))]);
    assert_eq!(decide(&ask, &mut told).reason, Reason::NoSeed);
    assert_eq!(told.asked, [""; 0]);
}

#[test]
fn hosts_of_references() {
    for (reference, host) in [
        ("r.example/deps:x", "r.example"),
        ("localhost:5000/deps", "localhost:5000"),
        ("localhost/deps", "localhost"),
        ("shop/deps", "docker.io"),
        ("deps:x", "docker.io"),
    ] {
        assert_eq!(host_of(reference), host);
    }
}
