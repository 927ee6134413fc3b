//! `kiln sqlx`

use insta::assert_snapshot;

use crate::support::Test;

const MANIFEST: &str = "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n";
const LOCK: &str = "version = 4\n\n[[package]]\nname = \"shop\"\nversion = \"0.1.0\"\ndependencies = [\n \"sqlx\",\n]\n\n[[package]]\nname = \"sqlx\"\nversion = \"0.8.6\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

fn shop(source: &str) -> Test {
    Test::new().write("Cargo.toml", MANIFEST).write("Cargo.lock", LOCK).write("src/main.rs", source)
}

fn with_data(test: Test, query: &str) -> Test {
    let hash = kiln::sqlx::hash(query);
    let data = serde_json::json!({
        "db_name": "SQLite", "query": query, "hash": hash, "describe": { "columns": [], "parameters": { "Right": 0 }, "nullable": [] },
    });
    test.write(&format!(".sqlx/query-{hash}.json"), &data.to_string())
}

const SOURCE: &str = r#"fn main() {
    sqlx::query!("SELECT 1");
    sqlx::query!("SELECT id, title FROM orders WHERE state = 'open' AND created > now() ORDER BY created", 7);
    sqlx::query!(concat!("SELECT ", "2"));
}

#[cfg(test)]
mod tests {
    fn f() {
        sqlx::query_scalar!("SELECT 3");
    }
}
"#;

#[test]
fn check_tells_what_an_offline_build_would_miss() {
    let mut test = with_data(with_data(shop(SOURCE), "SELECT 1"), "SELECT 0").args(["sqlx", "check"]);
    assert_snapshot!("check", test.run());
    let ran = test.run_with(["sqlx", "check", "--json", "--tests"]);
    assert_eq!(ran.code, Some(4), "{ran}");
    let document = ran.json();
    assert_eq!((&document["schema"], &document["queries"]), (&1.into(), &3.into()));
    assert_eq!(document["missing"].as_array().map(Vec::len), Some(2));
    assert_eq!(document["missing"][0]["path"], "src/main.rs");
    assert_eq!(document["missing"][0]["line"], 3);
    assert_eq!(document["dead"].as_array().map(Vec::len), Some(1));
}

#[test]
fn check_is_content_when_all_is_there_and_strict_wants_no_dead_data() {
    let mut test = with_data(with_data(shop("fn main() { sqlx::query!(\"SELECT 1\"); }\n"), "SELECT 1"), "SELECT 0");
    test = test.args(["sqlx", "check"]);
    assert_snapshot!("check_good", test.run());
    assert_snapshot!("check_strict", test.run_with(["sqlx", "check", "--strict"]));
    assert_snapshot!("check_other_package", test.run_with(["sqlx", "check", "--package", "shp"]));
    let plain = Test::new().write("Cargo.toml", "[package]\nname = \"plain\"\nversion = \"0.1.0\"\n").write("src/main.rs", "");
    assert_snapshot!("check_no_sqlx", plain.args(["sqlx", "check"]).run());
}
