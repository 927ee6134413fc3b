//! The page of `kiln report` in a real browser. `make browser-test` installs one where it can.

mod driver;
#[path = "../common/records.rs"]
mod records;

use std::fs;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use camino::{Utf8Path, Utf8PathBuf};
use serde_json::Value;
use tempfile::TempDir;

use crate::driver::Browser;
use crate::records::{Recorded, write_bench};

/// A project with records.
struct Project {
    _folder: TempDir,
    root: Utf8PathBuf,
}

impl Project {
    fn new(builds: impl IntoIterator<Item = Recorded>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Utf8PathBuf::try_from(folder.path().canonicalize().expect("a path")).expect("UTF-8");
        fs::write(root.join("kiln.toml"), "[project]\nname = \"shop\"\n").expect("written");
        builds.into_iter().for_each(|build| build.write(&root));
        Self { _folder: folder, root }
    }

    /// The page, written by the real program.
    #[expect(clippy::disallowed_methods, reason = "tests run the program as a user does")]
    fn page(&self) -> Utf8PathBuf {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(["report", "--builds", "1000"]).env_clear().current_dir(&self.root).stdin(Stdio::null());
        let output = command.output().expect("kiln runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.root.join(".kiln/report.html")
    }
}

/// Builds of two services, busy and idle, of several commits.
fn history(number: usize) -> impl Iterator<Item = Recorded> {
    (0..number).map(|index| {
        let service = if index % 3 == 0 { "web" } else { "api" };
        let compiles = (index % 2 == 0).then(|| 1.0 + (index * 37 % 90) as f64);
        let commit = char::from_digit(u32::try_from(index / 10 % 16).expect("a digit"), 16).expect("a digit");
        let edited = if index % 4 == 0 { vec!["src/main.rs"] } else { Vec::new() };
        Recorded { compiles, commit, edited, ..Recorded::new(service, index) }
    })
}

/// A page without complaints of the browser, scripts that ran among them.
#[track_caller]
fn assert_quiet(browser: &Browser) {
    assert_eq!(browser.console(), Vec::<String>::new());
    assert_eq!(browser.script("return document.documentElement.dataset.ready"), "true");
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[test]
#[ignore = "needs chromium: make browser-test"]
fn the_page_renders_with_the_data_and_without_an_error() {
    let project = Project::new(history(12));
    write_bench(&project.root);
    let browser = Browser::start();
    browser.open(&project.page());
    assert_quiet(&browser);
    assert_eq!(browser.script("return document.querySelectorAll('.plot a[data-build]').length"), 12);
    assert_eq!(browser.script("return document.querySelectorAll('.plot a circle.busy').length"), 6);
    // The build that is shown is the last one, and its bars are as long as its steps were.
    let shown = browser.script("return document.querySelector('#chosen .facts').innerText");
    assert!(shown.as_str().unwrap().contains("api prod, 2026-11-01 00:11:00 UTC"), "{shown}");
    browser.script("document.querySelector('a[data-build=\"10\"]').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))");
    let bars = "return [...document.querySelectorAll('#chosen .timeline tbody tr')].map((row) => \
                [row.querySelector('summary')?.textContent, row.querySelector('rect')?.getBoundingClientRect().width, \
                 row.querySelector('svg').getBoundingClientRect().width, row.querySelector('td:last-child').textContent])";
    let rows = browser.script(bars);
    let compile = rows.as_array().unwrap().iter().find(|row| row[0].as_str().unwrap().starts_with("builder 1/1")).expect("a row");
    // Build 10 compiles for 1 + 10·37 mod 90 = 11 s of 11 + 1.5 + 0.7.
    assert_eq!(compile[3], "11.0 s");
    assert!((number(&compile[1]) / number(&compile[2]) - 11.0 / 13.2).abs() < 0.01, "{compile}");
    let stages = browser.script("return [...document.querySelectorAll('#chosen .graph .name')].map((name) => name.textContent)");
    assert_eq!(stages, serde_json::json!(["chef", "planner", "deps", "builder", "runtime"]));
    // naive takes ten times as long as kiln.
    let widths = browser.script("return [...document.querySelectorAll('.bench tbody')].at(-1).querySelectorAll('rect')[1].getBoundingClientRect().width \
                                 / [...document.querySelectorAll('.bench tbody')].at(-1).querySelectorAll('rect')[0].getBoundingClientRect().width");
    assert!((number(&widths) - 10.0).abs() < 0.1, "{widths}");
    // Nothing is wider than the page, also on a phone.
    for width in [1240, 360] {
        let frame = format!(
            "const frame = document.createElement('div'); document.documentElement.style.width = '{width}px'; \
                             return [...document.querySelectorAll('figure')].every((figure) => figure.getBoundingClientRect().right <= {width})"
        );
        assert_eq!(browser.script(&frame), true, "{width}");
    }
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromium: make browser-test"]
fn keyboard_and_screen_reader_get_everything() {
    let project = Project::new(history(12));
    write_bench(&project.root);
    let browser = Browser::start();
    browser.open(&project.page());
    // Each picture's title is a question, and what scrolls can be reached.
    let questions =
        browser.script("return [...document.querySelectorAll('figure')].map((figure) => figure.querySelector('h3').textContent)");
    let questions = questions.as_array().unwrap();
    assert!(questions.len() >= 6 && questions.iter().all(|question| question.as_str().unwrap().ends_with('?')), "{questions:?}");
    for (selector, role) in [
        ("figure > .scroll", "group"),
        ("table.rows", "table"),
        ("svg.plot[role]", "group"),
        (".plot a[aria-current=true]", "link"),
        ("svg.graph", "image"),
        ("#choose", "combobox"),
        (".chooser button", "button"),
        ("main > section", "region"),
    ] {
        let found = browser.accessible(selector);
        assert!(!found.is_empty(), "{selector}");
        for (is, name) in found {
            assert!(is == role || (role == "image" && is == "img"), "{selector}: {is}");
            assert!(!name.trim().is_empty(), "{selector} has no name");
        }
    }
    // Only one mark is a stop for Tab; the arrows go on from it.
    assert_eq!(browser.script("return document.querySelectorAll('.plot a[tabindex=\"0\"]').length"), 1);
    browser.script("document.querySelector('.plot a[tabindex=\"0\"]').focus()");
    browser.press(&["\u{e012}", "\u{e012}", "\u{e014}"]);
    assert_eq!(
        browser.script("return [document.activeElement.dataset.build, document.querySelector('#chosen').dataset.number]"),
        serde_json::json!(["10", "10"])
    );
    let said = browser.script("return document.querySelector('#said').textContent");
    assert!(said.as_str().unwrap().contains("api prod, 2026-11-01 00:10: built in 13.2 s"), "{said}");
    // A step opens with the keyboard alone.
    browser.script("document.querySelector('#chosen .timeline summary').focus()");
    browser.press(&["\u{e007}"]);
    assert_eq!(browser.script("return document.querySelector('#chosen .timeline details').open"), true);
    assert_quiet(&browser);
}

/// All text that is seen and stands out from its ground by less than 4.5 to 1, the least that people with weak eyes need.
const FAINT: &str = "
    const linear = (part) => part <= 10 ? part / 255 / 12.92 : ((part / 255 + .055) / 1.055) ** 2.4;
    const parts = (colour) => colour.match(/[0-9.]+/g).map(Number);
    const light = ([red, green, blue]) => .2126 * linear(red) + .7152 * linear(green) + .0722 * linear(blue);
    const ground = (one) => {
      for (; one; one = one.parentElement) {
        const colour = parts(getComputedStyle(one).backgroundColor);
        if (colour.length < 4 || colour[3] > 0) return colour;
      }
      return [255, 255, 255];
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const faint = [];
    let seen = 0;
    while (walker.nextNode()) {
      const { data, parentElement: one } = walker.currentNode;
      if (!data.trim() || one.closest('script, style, option, .unseen, .defs, .skip') || !one.getClientRects().length) continue;
      seen += 1;
      const style = getComputedStyle(one);
      const ink = parts(one.closest('svg') ? style.fill : style.color);
      const [more, less] = [light(ink), light(ground(one))].sort((a, b) => b - a);
      if ((more + .05) / (less + .05) < 4.5) faint.push(`${data.trim()}: ${style.color} ${style.fill} on ${ground(one)}`);
    }
    return [seen, faint];";

#[test]
#[ignore = "needs chromium: make browser-test"]
fn text_can_be_read_in_the_light_in_the_dark_and_on_paper() {
    let failure = Some((vec!["error[E0308]: mismatched types".to_owned()], "exit code: 101".to_owned()));
    let failed = Recorded { compiles: Some(3.0), failure, ..Recorded::new("api", 13) };
    let project = Project::new(history(12).chain([failed]));
    write_bench(&project.root);
    let browser = Browser::start();
    browser.open(&project.page());
    let ground = "return getComputedStyle(document.documentElement).backgroundColor";
    let mut grounds = Vec::new();
    // A4 between its margins is 688 pixels wide.
    for (medium, scheme, width) in [
        ("screen", "light", 1240),
        ("screen", "dark", 1240),
        ("screen", "dark", 360),
        ("print", "light", 688),
        ("print", "dark", 688),
    ] {
        browser.media(medium, scheme, width);
        let found = browser.script(FAINT);
        assert!(number(&found[0]) > 100.0, "{medium}, {scheme}: {found}");
        assert_eq!(found[1], serde_json::json!([]), "{medium}, {scheme}");
        grounds.push(browser.script(ground));
        if medium == "print" {
            // Nothing can be scrolled there, and what only makes sense on a screen is away.
            let cut = "return [...document.querySelectorAll('.scroll')].filter((one) => one.scrollWidth > one.clientWidth + 1)\
                       .map((one) => `${one.getAttribute('aria-label')} ${one.scrollWidth} ${one.clientWidth}`)";
            assert_eq!(browser.script(cut), serde_json::json!([]), "{scheme}");
            assert_eq!(browser.script("return getComputedStyle(document.querySelector('.chooser')).display"), "none");
        }
    }
    assert!(grounds[0] != grounds[1] && grounds[3] == grounds[4] && grounds[0] == grounds[3], "{grounds:?}");
    // In base64: `%PDF-`.
    assert!(browser.print().starts_with("JVBERi0"));
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromium: make browser-test"]
fn a_history_of_500_builds_opens_and_answers_within_a_second() {
    let project = Project::new(history(500));
    write_bench(&project.root);
    let page = project.page();
    let browser = Browser::start();
    let times = "const [entry] = performance.getEntriesByType('navigation'); return [entry.domInteractive, entry.loadEventEnd]";
    // The best of several: what else the machine does is no property of the page.
    let mut opened = Value::Null;
    for _ in 0..5 {
        browser.open(&page);
        let this = browser.script(times);
        if opened.is_null() || number(&this[1]) < number(&opened[1]) {
            opened = this;
        }
        if number(&opened[1]) < 1000.0 {
            break;
        }
    }
    // To choose another build, until it is laid out.
    let choose = "const begin = performance.now(); \
                  document.querySelector('a[data-build=\"7\"]').dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true })); \
                  document.querySelector('#chosen').getBoundingClientRect(); return performance.now() - begin";
    let chosen = browser.script(choose);
    let size = fs::metadata(&page).unwrap().len();
    let _ = writeln!(
        io::stderr(),
        "500 builds: {size} bytes, interactive and loaded after {opened} ms, another shown after {chosen} ms"
    );
    assert_eq!(browser.script("return document.querySelectorAll('.plot a[data-build]').length"), 500);
    assert!(number(&opened[1]) > 0.0 && number(&opened[1]) < 1000.0, "{opened}");
    assert!(number(&chosen) < 1000.0, "{chosen}");
    assert_quiet(&browser);
}

#[test]
#[ignore = "needs chromium: make browser-test"]
fn hostile_logs_do_no_harm() {
    let attack = "</pre></script><script>document.title='harmed'</script><img src=x onerror=\"document.title='harmed'\">\
                  <svg onload=\"document.title='harmed'\"><style>body{display:none}</style>\u{0}\u{1b}]0;harmed\u{7}\u{202e}";
    let failing = |minute: usize, log: Vec<String>, error: &str| Recorded {
        compiles: Some(3.0),
        failure: Some((log, error.to_owned())),
        ..Recorded::new("api", minute)
    };
    let long = "x".repeat(1000) + attack;
    // 50 MB in many lines, and in one.
    let many: Vec<String> = std::iter::repeat_n(long.clone(), (50 << 20) / long.len()).collect();
    let project = Project::new([
        failing(1, many, attack),
        failing(2, vec![attack.repeat((50 << 20) / attack.len())], &attack.repeat(1000)),
        failing(3, vec![attack.to_owned()], attack),
    ]);
    let page = project.page();
    let size = fs::metadata(&page).unwrap().len();
    assert!(size < 1 << 20, "{size} bytes");
    let browser = Browser::start();
    browser.open(&page);
    for build in 0..3 {
        let click = format!(
            "document.querySelector('.plot a[data-build=\"{build}\"]').dispatchEvent(new MouseEvent('click', {{ bubbles: true, cancelable: true }}))"
        );
        browser.script(&click);
        assert_eq!(browser.script("return document.title"), "shop: builds");
        assert_eq!(browser.script("return document.querySelectorAll('img, svg[onload], body style').length"), 0);
        assert_eq!(browser.script("return document.querySelectorAll('script:not([type])').length"), 1);
        let text = browser.script("return document.querySelector('#chosen pre').textContent");
        assert!(!text.as_str().unwrap().contains(['\u{0}', '\u{1b}', '\u{202e}', '\u{7}']));
    }
    let text = browser.script("return document.querySelector('#chosen pre').textContent");
    assert!(text.as_str().unwrap().contains("<script>document.title='harmed'</script>"), "{text}");
    // Even what gets in by other ways may not run.
    browser.script("const script = document.createElement('script'); script.textContent = \"document.title='harmed'\"; document.body.append(script)");
    assert_eq!(browser.script("return document.title"), "shop: builds");
    let complaints = browser.console();
    assert!(complaints.len() == 1 && complaints[0].contains("Content Security Policy"), "{complaints:?}");
}

/// What the fixtures stand for is what kiln itself writes: a page of them is no page of nothing.
#[test]
fn the_fixtures_are_records() {
    let project = Project::new(history(4));
    write_bench(&project.root);
    let text = fs::read_to_string(project.page()).expect("a page");
    assert!(text.contains("From 4 recorded builds") && text.contains("and 1 bench run"));
    assert!(Utf8Path::new(project.root.as_str()).join(".kiln/.gitignore").exists());
}
