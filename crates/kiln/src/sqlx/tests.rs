use std::collections::BTreeMap;

use super::*;
use crate::project::cargo::CargoWorkspace;
use crate::project::fixture::Fixture;
use crate::project::look;

const SQLX: &str = "[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n";

/// A package `app` with one source file, and a lock with a version of SQLx.
fn app(source: &str) -> Fixture {
    package(SQLX, "0.8.6").file("src/lib.rs", source)
}

fn package(rest: &str, sqlx: &str) -> Fixture {
    let lock = format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"sqlx\",\n]\n\n[[package]]\nname = \
         \"sqlx\"\nversion = \"{sqlx}\"\nsource = \"registry+x\"\n"
    );
    Fixture::new().library(".", "app", rest).file("Cargo.lock", &lock)
}

fn workspace(fixture: &Fixture) -> CargoWorkspace {
    look(fixture.path()).unwrap().cargo.remove(0)
}

fn checked(fixture: &Fixture) -> Check {
    check(&workspace(fixture), &CheckOptions::default()).unwrap()
}

fn data(query: &str, parameters: usize) -> (String, String) {
    let text = serde_json::json!({
        "db_name": "SQLite", "query": query, "describe": { "columns": [], "parameters": { "Right": parameters }, "nullable": [] },
        "hash": hash(query),
    });
    (format!(".sqlx/{}", file_name(&hash(query))), text.to_string())
}

fn with_data(fixture: Fixture, folder: &str, query: &str) -> Fixture {
    let (path, text) = data(query, 0);
    fixture.file(&format!("{folder}{path}"), &text)
}

/// `line scope text`, or why there is no text.
fn found(check: &Check) -> Vec<String> {
    let scope = |scope| match scope {
        Scope::Build => "build",
        Scope::Test => "test",
        Scope::Off => "off",
    };
    let queries = check.queries.iter().map(|query| (query.line, format!("{} {} {}", query.line, scope(query.scope), query.sql)));
    let others =
        check.unresolved.iter().map(|call| (call.line, format!("{} {} ? {:?}", call.line, scope(call.scope), call.reason)));
    let mut all: Vec<(usize, String)> = queries.chain(others).collect();
    all.sort();
    all.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn every_form_of_the_macros_is_found_with_its_text() {
    let source = r##"use sqlx::{query, query_as as select};
fn f() {
    sqlx::query!("a");
    ::sqlx::query!{ "b", x, y };
    query![r#"c "quoted""#];
    select!(Row<Vec<(A, B)>, fn(C) -> D>, "d" + "e", 1);
    sqlx::query_scalar!("f \
        g");
    sqlx::query_unchecked!("h"); sqlx::query_as_unchecked!(Row, "i"); sqlx::query_scalar_unchecked!("j");
    tokio::join!(async { vec![sqlx::query!("k")] }, x);
    // sqlx::query!("no") /* sqlx::query!("no") */
    /* /* sqlx::query!("no") */ sqlx::query!("no") */
    let _ = "sqlx::query!(\"no\")"; let _ = 'q'; let _: &'static str = r#"query!("no")"#;
    sqlx::query("no"); query_builder!("no"); if query != "no" {}
    sqlx::query!(concat!("l", "m")); sqlx::query!(SQL); sqlx::query!(); sqlx::query!(("n"));
}
/// ```
/// sqlx::query!("no");
/// ```
fn g() {}
"##;
    insta::assert_snapshot!(found(&checked(&app(source))).join("\n"), @r#"
    3 build a
    4 build b
    5 build c "quoted"
    6 build de
    7 build f g
    9 build h
    9 build i
    9 build j
    10 build k
    15 build ? Empty
    15 build ? Macro { name: "concat" }
    15 build ? NoLiteral
    15 build ? NoLiteral
    "#);
}

#[test]
fn code_that_is_not_compiled_is_told_apart() {
    let source = r#"#[cfg(feature = "on")] fn a() { query!("a"); }
#[cfg(feature = "off")] fn b<A, B>() where A: X { query!("b"); }
fn c() { query!("c"); }
#[cfg(test)] mod tests { use super::*; fn d() { query!("d"); } #[cfg(feature = "off")] fn e() { query!("e"); } }
#[cfg(not(test))] fn f() { query!("f"); }
#[tokio::test(flavor = "x")] async fn g() { query!("g"); }
#[test] fn h() { query!("h"); }
fn i() { match x { #[cfg(windows)] Some { a } if let b = c => query!("i"), #[cfg(unix)] None => query!("j"), _ => query!("k") } }
fn j() { #[cfg(test)] let x = if a { query!("l") } else { query!("m") }; query!("n"); }
fn k() { #![cfg(test)] query!("o"); }
mod inner { #![cfg(any())] fn f() { query!("p"); } }
#[cfg(tokio_unstable)] fn l() { query!("q"); }
#[cfg_attr(test, derive(X))] #[doc(hidden)] fn m() { query!("r"); }
"#;
    let fixture =
        package(&format!("[features]\ndefault = [\"on\"]\non = []\noff = []\n{SQLX}"), "0.8.6").file("src/lib.rs", source);
    insta::assert_snapshot!(found(&checked(&fixture)).join("\n"), @"
    1 build a
    2 off b
    3 build c
    4 off e
    4 test d
    5 build f
    6 test g
    7 test h
    8 build j
    8 build k
    8 off i
    9 build n
    9 test l
    9 test m
    10 test o
    11 off p
    12 build q
    13 build r
    ");
    let mut options = CheckOptions::default();
    options.features.features.insert("app/off".to_owned());
    options.features.no_default_features.insert("app".to_owned());
    let other = check(&workspace(&fixture), &options).unwrap();
    assert_eq!(found(&other)[..3], ["1 off a", "2 build b", "3 build c"]);
}

#[test]
fn modules_are_followed_as_the_compiler_does() {
    let fixture =
        app("mod a; mod b; #[path = \"else/where.rs\"] mod c; mod d { mod e; } #[cfg(test)] mod f; include!(\"g.inc\");\n")
            .file("src/a.rs", "mod deep; fn f() { query!(\"a\"); }")
            .file("src/a/deep.rs", "fn f() { query!(\"a::deep\"); }")
            .file("src/b/mod.rs", "mod deep; fn f() { query!(\"b\"); }")
            .file("src/b/deep.rs", "fn f() { query!(\"b::deep\"); }")
            .file("src/else/where.rs", "mod near; fn f() { query!(\"c\"); }")
            .file("src/else/near.rs", "fn f() { query!(\"c::near\"); }")
            .file("src/d/e.rs", "fn f() { query!(\"d::e\"); }")
            .file("src/f.rs", "fn f() { query!(\"f\"); }")
            .file("src/g.inc", "fn g() { query!(\"g\"); }")
            .file("src/nobody.rs", "fn f() { query!(\"no\"); }")
            .file("src/bin/tool.rs", "#[path = \"../a.rs\"] mod a; fn main() { query!(\"tool\"); }")
            .file("tests/it.rs", "fn f() { query!(\"it\"); }")
            .file("build.rs", "fn main() { query!(\"build script\"); }");
    let check = checked(&fixture);
    let mut all = found(&check);
    all.sort();
    insta::assert_snapshot!(all.join("\n"), @"
    1 build a
    1 build a::deep
    1 build b
    1 build b::deep
    1 build build script
    1 build c
    1 build c::near
    1 build d::e
    1 build g
    1 build tool
    1 test f
    1 test it
    ");
}

#[test]
fn macros_of_the_workspace_are_seen_through_as_far_as_it_goes() {
    let source = r#"macro_rules! used { ($sql:literal) => { sqlx::query!($sql) }; () => { sqlx::query!("fixed") } }
macro_rules! unused { () => { sqlx::query!("never") } }
fn f() { used!("given"); used!(); }
"#;
    let fixture = with_data(with_data(with_data(app(source), "", "given"), "", "fixed"), "", "stale");
    let check = checked(&fixture);
    assert_eq!(found(&check), ["1 build ? MacroArgument", "1 build fixed", "2 off never"]);
    let dead: Vec<_> = check.dead.iter().map(|dead| (dead.hash.clone(), dead.certain)).collect();
    assert_eq!(dead, [(hash("stale"), false)], "what a macro is given is not dead, and what is left is not certain");

    let own = app("macro_rules! query { ($x:expr) => { $x } }\nfn f() { query!(\"mine\"); sqlx::query!(\"theirs\"); }\n");
    assert_eq!(found(&checked(&own)), ["2 build theirs"]);
    let other = package(&format!("{SQLX}other-db = \"1\"\n"), "0.8.6")
        .file("src/lib.rs", "fn f() { other_db::query!(\"no\"); crate::query!(\"yes\"); }");
    assert_eq!(found(&check_unlocked(&other)), ["1 build yes"]);
}

fn check_unlocked(fixture: &Fixture) -> Check {
    std::fs::remove_file(fixture.path().join("Cargo.lock")).unwrap();
    checked(fixture)
}

#[test]
fn data_is_judged_as_sqlx_does() {
    let (path, text) = data("stale", 0);
    let (_, other) = data("another", 0);
    let fixture = with_data(app("fn f() { query!(\"good\"); query!(\"missing\"); query!(\"stale\"); query!(\"broken\"); \
        query!(\"pg\"); query!(\"two\", a, b); query!(\"generic\", f::<A, B>()); query_file!(\"q/x.sql\"); query_file!(\"q/none.sql\"); \
        query_file!(\"x.sql\"); }"), "", "good")
        .file(&path, &text.replace("stale", "edited"))
        .file(&format!(".sqlx/{}", file_name(&hash("broken"))), "{")
        .file(&format!(".sqlx/{}", file_name(&hash("pg"))), &data("pg", 0).1.replace("SQLite", "PostgreSQL"))
        .file(&data("two", 0).0, &data("two", 1).1)
        .file(&data("generic", 0).0, &data("generic", 1).1)
        .file("q/x.sql", "SELECT 1;\r\n")
        .file(&data("SELECT 1;\r\n", 0).0, &data("SELECT 1;\r\n", 0).1)
        .file(".sqlx/README.md", "not data")
        .file(&data("another", 0).0, &other);
    let check = checked(&fixture);
    let short = |state: &State| serde_json::to_value(state).unwrap()["state"].as_str().unwrap().to_owned();
    let states: Vec<_> = check.queries.iter().map(|query| format!("{} {}", query.sql.trim_end(), short(&query.state))).collect();
    insta::assert_snapshot!(states.join("\n"), @"
    good found
    missing missing
    stale broken
    broken broken
    pg no-driver
    two arguments
    generic found
    SELECT 1; found
     no-file
     no-file
    ");
    assert_eq!(check.failing(false).count(), 7);
    assert_eq!(check.dead.iter().map(|dead| &dead.hash).collect::<Vec<_>>(), [&hash("another")]);
}

#[test]
fn places_are_those_of_the_version_in_its_order() {
    let members = |sqlx: &str| {
        let lock = format!("version = 4\n\n[[package]]\nname = \"sqlx\"\nversion = \"{sqlx}\"\nsource = \"registry+x\"\n");
        Fixture::new()
            .file("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\n")
            .library("a", "a", SQLX)
            .library("b", "b", SQLX)
            .file("a/src/lib.rs", "fn f() { query!(\"one\"); query!(\"two\"); }")
            .file("b/src/lib.rs", "fn f() { query!(\"two\"); }")
            .file("Cargo.lock", &lock)
    };
    // Split: `a` has one here and one there. Duplicated: its own comes first.
    let fixture = with_data(with_data(with_data(members("0.8.6"), "a/", "one"), "", "two"), "", "one");
    let check = checked(&fixture);
    assert_eq!(check.failing(false).count(), 0);
    assert_eq!(check.split.iter().map(|split| split.package.as_str()).collect::<Vec<_>>(), ["a"]);
    let [duplicated] = check.duplicated.as_slice() else { panic!("{:?}", check.duplicated) };
    assert!(duplicated.used.ends_with("a/.sqlx/query-".to_owned() + &hash("one") + ".json") && duplicated.equal);
    assert_eq!(check.dead, []);

    // `SQLX_OFFLINE_DIR` of the environment and of `.env`: by version.
    let environment = BTreeMap::from([("SQLX_OFFLINE_DIR".to_owned(), "env/.sqlx".to_owned())]);
    for (sqlx, from_environment, from_dotenv, from_above) in
        [("0.7.4", true, true, true), ("0.8.5", true, true, true), ("0.8.6", false, true, true), ("0.9.0", true, true, true)]
    {
        let all = |fixture| with_data(with_data(fixture, "env/", "one"), "env/", "two");
        let failing = |fixture: &Fixture, environment: &BTreeMap<String, String>| {
            let options = CheckOptions { environment: environment.clone(), ..CheckOptions::default() };
            check_with(fixture, &options).failing(false).count()
        };
        let none = BTreeMap::new();
        assert_eq!(failing(&all(members(sqlx)), &environment) == 0, from_environment, "{sqlx} environment");
        let own =
            all(members(sqlx)).file("a/.env", "SQLX_OFFLINE_DIR=env/.sqlx\n").file("b/.env", "SQLX_OFFLINE_DIR='env/.sqlx'");
        assert_eq!(failing(&own, &none) == 0, from_dotenv, "{sqlx} .env");
        let above = all(members(sqlx)).file(".env", "export SQLX_OFFLINE_DIR=env/.sqlx\n");
        assert_eq!(failing(&above, &none) == 0, from_above, "{sqlx} .env above");
    }
}

fn check_with(fixture: &Fixture, options: &CheckOptions) -> Check {
    check(&workspace(fixture), options).unwrap()
}

#[test]
fn the_single_file_of_0_6_is_read_and_the_other_kind_of_data_is_told() {
    let source = "fn f() { query!(\"one\"); query!(\"two\"); }";
    let entry = |query: &str| serde_json::json!({ "query": query, "describe": { "parameters": { "Right": 0 } } });
    let file = serde_json::json!({ "db": "SQLite", hash("one"): entry("one"), hash("old"): entry("old") }).to_string();
    let fixture = with_data(package(SQLX, "0.6.3").file("src/lib.rs", source).file("sqlx-data.json", &file), "", "two");
    let check = checked(&fixture);
    assert_eq!(check.layout, Layout::SingleFile);
    assert_eq!(check.failing(false).map(|query| query.sql.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(check.dead.iter().map(|dead| &dead.hash).collect::<Vec<_>>(), [&hash("old")]);
    assert!(check.other_layout[0].ends_with(".sqlx"));

    let newer = package(SQLX, "0.8.6").file("src/lib.rs", source).file("sqlx-data.json", &file);
    let check = checked(&newer);
    assert_eq!((check.failing(false).count(), check.other_layout.len()), (2, 1));
}

#[test]
fn what_is_no_rust_and_who_is_not_there_is_told() {
    let fixture = app("mod broken; fn f() { query!(\"a\"); }").file("src/broken.rs", "fn f() {\n\"never ends");
    let check = checked(&fixture);
    assert_eq!(check.unread.iter().map(|unread| unread.line).collect::<Vec<_>>(), [2]);
    assert_eq!(check.queries.len(), 1);
    let options = CheckOptions { packages: ["ap".to_owned()].into(), ..CheckOptions::default() };
    let error = super::check(&workspace(&fixture), &options).unwrap_err();
    assert!(matches!(error, CheckError::NoPackage { known, .. } if known == ["app"]));
    let plain = Fixture::new().library(".", "plain", "");
    assert!(matches!(super::check(&workspace(&plain), &CheckOptions::default()), Err(CheckError::NoSqlx { .. })));
}

#[test]
fn a_workspace_with_two_hundred_queries_is_read_in_milliseconds() {
    let mut fixture = Fixture::new().file("Cargo.toml", "[workspace]\nmembers = [\"crates/*\"]\n");
    for member in 0..20 {
        let name = format!("crates/m{member}");
        fixture = fixture.library(&name, &format!("m{member}"), SQLX);
        let modules: String = (0..10).map(|file| format!("mod f{file};\n")).collect();
        fixture = fixture.file(&format!("{name}/src/lib.rs"), &modules);
        for file in 0..10 {
            let sql = format!("SELECT id, title FROM tasks WHERE member = {member} AND file = {file} AND id = ?");
            let filler = "/// Says something.\npub fn other(x: &str) -> String { format!(\"{x}: {}\", x.len()) }\n".repeat(40);
            let source = format!("{filler}pub async fn f() {{ sqlx::query!({sql:?}, 1).fetch_one(&pool).await; }}\n");
            fixture = with_data(fixture, "", &sql).file(&format!("{name}/src/f{file}.rs"), &source);
        }
    }
    let workspace = workspace(&fixture);
    let started = std::time::Instant::now();
    let check = check(&workspace, &CheckOptions::default()).unwrap();
    assert_eq!((check.queries.len(), check.dead.len()), (200, 0));
    // Without optimisation and beside other tests: a bound that only a wrong algorithm would miss.
    assert!(started.elapsed().as_secs() < 3, "{:?}", started.elapsed());
}
