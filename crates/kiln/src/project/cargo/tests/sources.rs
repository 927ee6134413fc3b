use super::*;
use crate::project::cargo::{CargoWorkspace, SourceFacts, SqlxUse, included_paths};

fn sqlx_use(workspace: &CargoWorkspace, package: &str) -> Option<SqlxUse> {
    SourceFacts::default().sqlx(workspace, package)
}

#[test]
fn what_compiling_reads_besides_modules_is_listed() {
    let fixture = Fixture::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\", \"other\"]\n")
        .file("README.md", "")
        .binary("app", "app", "[dependencies]\nlib = { path = \"../lib\" }\naskama = \"0.12\"\n")
        .file(
            "app/src/main.rs",
            "#![doc = include_str!(\"../../README.md\")]\n\
             // include_str!(\"../commented.txt\")\n\
             const A: &[u8] = include_bytes!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/assets/\", \"logo.png\"));\n\
             include!(concat!(env!(\"OUT_DIR\"), \"/made.rs\"));\n\
             static DIR: Dir = include_dir!(\"$CARGO_MANIFEST_DIR/pages\");\n\
             #[derive(RustEmbed)]\n#[folder = \"../frontend/dist\"]\nstruct Assets;\n\
             let q = sqlx::query_file_as!(User, \"queries/user.sql\", id);\n\
             #[path = \"../../shared/code.rs\"]\nmod code;\n\
             let missing = include_str!(\"gone.txt\");\n",
        )
        .file("app/assets/logo.png", "")
        .file("app/commented.txt", "")
        .file("app/pages/index.html", "")
        .file("app/queries/user.sql", "")
        .file("app/templates/page.html", "")
        .file("app/tests/it.rs", "const T: &str = include_str!(\"data.txt\");")
        .file("app/tests/data.txt", "")
        .file("frontend/dist/index.html", "")
        .file("shared/code.rs", "")
        .library("lib", "lib", "")
        .file(
            "lib/build.rs",
            "fn main() { println!(\"cargo:rerun-if-changed=native/x.c\"); compile_protos(&[\"proto/a.proto\"], &[\"proto\"]) }",
        )
        .file("lib/native/x.c", "")
        .file("lib/proto/a.proto", "")
        .library("other", "other", "")
        .file("other/src/lib.rs", "const O: &str = include_str!(\"../o.txt\");")
        .file("other/o.txt", "");
    let found: Vec<String> = included_paths(&load(&fixture), "app").into_iter().map(String::from).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    README.md
    app/assets/logo.png
    app/pages
    app/queries/user.sql
    app/templates
    frontend/dist
    lib/native/x.c
    lib/proto
    lib/proto/a.proto
    shared/code.rs
    "#);
}

fn sqlx_lock(version: &str) -> String {
    format!(
        "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"sqlx\",\n]\n\n[[package]]\nname = \
         \"sqlx\"\nversion = \"{version}\"\nsource = \"registry+x\"\n"
    )
}

#[test]
fn sqlx_use_is_version_data_migrations_and_macros() {
    let fixture = Fixture::new()
        .file("Cargo.toml", "[workspace]\nmembers = [\"app\"]\n")
        .binary("app", "app", "[dependencies]\nsqlx = \"0.8\"\n")
        .file("app/src/main.rs", "async fn f() { sqlx::migrate!(\"../database\").run(&pool); query_as!(User, \"select 1\"); }\n")
        .file("Cargo.lock", &sqlx_lock("0.8.6"))
        .file(".sqlx/query-0123.json", "{}")
        .file("app/.sqlx/.gitkeep", "")
        .file("database/1_init.sql", "")
        .file("app/migrations/2_more.up.sql", "");
    insta::assert_json_snapshot!(sqlx_use(&load(&fixture), "app"), @r#"
    {
      "version": "0.8.6",
      "data": [
        ".sqlx"
      ],
      "legacy_data": [],
      "migrations": [
        "app/migrations",
        "database"
      ],
      "checked_queries": true,
      "embedded_migrations": true
    }
    "#);
}

#[test]
fn sqlx_without_macros_or_without_being_reached_is_told_apart() {
    let fixture = |source: &str, manifest: &str| {
        Fixture::new()
            .binary(".", "app", manifest)
            .file("src/main.rs", source)
            .file("sqlx-data.json", "{}")
            .file("Cargo.lock", &sqlx_lock("0.6.3"))
    };
    let manifest = "[dependencies]\nsqlx = \"0.6\"\n";
    let plain = fixture("// sqlx::query!(\"x\")\nfn f() { sqlx::query(\"select 1\"); my_query!(); }", manifest);
    let found = sqlx_use(&load(&plain), "app").unwrap();
    assert_eq!(
        (found.checked_queries, found.embedded_migrations, found.legacy_data),
        (false, false, vec!["sqlx-data.json".into()])
    );
    let scalar = fixture("use sqlx::query_scalar_unchecked;\nfn f() { query_scalar_unchecked! { \"select 1\" } }", manifest);
    assert!(sqlx_use(&load(&scalar), "app").unwrap().checked_queries);
    assert_eq!(sqlx_use(&load(&fixture("", &manifest.replace("dependencies", "dev-dependencies"))), "app"), None);
}
