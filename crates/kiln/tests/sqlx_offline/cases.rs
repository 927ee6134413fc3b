//! The cases, one package each.

/// A package, and whether it compiles offline.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) compiles: bool,
    /// Sources.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Good data: folder (`workspace`, or relative to the package), query, number of arguments.
    pub(crate) data: &'static [(&'static str, &'static str, usize)],
    /// Other files under the name of a query's data; `{good}` is what good data would be.
    pub(crate) other_data: &'static [(&'static str, &'static str, &'static str)],
}

const fn case(
    name: &'static str,
    compiles: bool,
    files: &'static [(&'static str, &'static str)],
    data: &'static [(&'static str, &'static str, usize)],
) -> Case {
    Case { name, compiles, files, data, other_data: &[] }
}

const LIB: &str = "src/lib.rs";
const ROW: &str = "pub struct Row { pub n: i64 }\npub mod m { pub struct Pair<A, B> { pub n: i64, pub p: std::marker::PhantomData<(A, B)> } }\n";

/// Every one is judged.
pub(crate) const CASES: &[Case] = &[
    case("good", true, &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 101\"); }")], &[(".sqlx", "SELECT 101", 0)]),
    case(
        "good-in-workspace",
        true,
        &[(LIB, "pub fn f() { let _ = ::sqlx::query!(\"SELECT 102\"); }")],
        &[("workspace", "SELECT 102", 0)],
    ),
    case("missing", false, &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 103\"); }")], &[]),
    case("dead", true, &[(LIB, "pub fn f() {}")], &[(".sqlx", "SELECT 104", 0)]),
    case("edited", false, &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 105 AS n\"); }")], &[(".sqlx", "SELECT 105", 0)]),
    case("white-space", false, &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT  106\"); }")], &[(".sqlx", "SELECT 106", 0)]),
    case(
        "comment-in-query",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 107 -- why\\n/* not */\"); }")],
        &[(".sqlx", "SELECT 107 -- why\n/* not */", 0)],
    ),
    case(
        "comment-changed",
        false,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 108 -- new\"); }")],
        &[(".sqlx", "SELECT 108 -- old", 0)],
    ),
    case(
        "split",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 109\"); let _ = sqlx::query!(\"SELECT 110\"); }")],
        &[(".sqlx", "SELECT 109", 0), ("workspace", "SELECT 110", 0)],
    ),
    case(
        "raw",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(r#\"SELECT 111 AS \"n\\\"\"#); }")],
        &[(".sqlx", "SELECT 111 AS \"n\\\"", 0)],
    ),
    case(
        "joined",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT \" + r\"112\" /* + */ + \"\"); }")],
        &[(".sqlx", "SELECT 112", 0)],
    ),
    case(
        "continued",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT \\\n    113\\x20\\u{41}\\tB\"); }")],
        &[(".sqlx", "SELECT 113 A\tB", 0)],
    ),
    case(
        "many-lines",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(\n  \"SELECT\n     114\"\n); }")],
        &[(".sqlx", "SELECT\n     114", 0)],
    ),
    case(
        "carriage-returns",
        true,
        &[(
            LIB,
            "pub fn f() {\r\n let _ = sqlx::query!(\r\n  \"SELECT\r\n 115\"\r\n); let _ = sqlx::query!(r\"SELECT\r\n 116\"); }\r\n",
        )],
        &[(".sqlx", "SELECT\n 115", 0), (".sqlx", "SELECT\n 116", 0)],
    ),
    case(
        "file",
        true,
        &[(LIB, "pub fn f() { let _ = sqlx::query_file!(\"sql/a.sql\"); }"), ("sql/a.sql", "SELECT 117;\n")],
        &[(".sqlx", "SELECT 117;\n", 0)],
    ),
    case(
        "file-edited",
        false,
        &[(LIB, "pub fn f() { let _ = sqlx::query_file!(\"sql/a.sql\"); }"), ("sql/a.sql", "SELECT 118 ;\n")],
        &[(".sqlx", "SELECT 118;\n", 0)],
    ),
    case(
        "file-with-carriage-returns",
        false,
        &[(LIB, "pub fn f() { let _ = sqlx::query_file!(\"sql/a.sql\"); }"), ("sql/a.sql", "SELECT 119;\r\n")],
        &[(".sqlx", "SELECT 119;\n", 0)],
    ),
    case("file-missing", false, &[(LIB, "pub fn f() { let _ = sqlx::query_file!(\"sql/none.sql\"); }")], &[]),
    case(
        "file-beside-the-manifest",
        false,
        &[(LIB, "pub fn f() { let _ = sqlx::query_file!(\"a.sql\"); }"), ("a.sql", "SELECT 120")],
        &[(".sqlx", "SELECT 120", 0)],
    ),
    case(
        "as-with-generics",
        true,
        &[
            (
                LIB,
                "mod row; pub use row::*; pub fn f() { let _ = sqlx::query_as!(Row, \"SELECT 121 AS n\"); let _ = sqlx::query_as_unchecked!(crate::Row, \"SELECT 122 AS n\"); let _ = sqlx::query_file_as!(Row, \"sql/a.sql\"); }",
            ),
            ("src/row.rs", ROW),
            ("sql/a.sql", "SELECT 123 AS n"),
        ],
        &[(".sqlx", "SELECT 121 AS n", 0), (".sqlx", "SELECT 122 AS n", 0), (".sqlx", "SELECT 123 AS n", 0)],
    ),
    case(
        "scalar-and-unchecked",
        true,
        &[(
            LIB,
            "pub fn f() { let _ = sqlx::query_scalar!(\"SELECT 124\"); let _ = sqlx::query_scalar_unchecked!(\"SELECT 125\"); let _ = sqlx::query_unchecked!(\"SELECT 126\"); }",
        )],
        &[(".sqlx", "SELECT 124", 0), (".sqlx", "SELECT 125", 0), (".sqlx", "SELECT 126", 0)],
    ),
    case("unchecked-missing", false, &[(LIB, "pub fn f() { let _ = sqlx::query_unchecked!(\"SELECT 127\"); }")], &[]),
    case(
        "not-compiled",
        true,
        &[
            (
                LIB,
                "#[cfg(feature = \"off\")] pub fn a() { let _ = sqlx::query!(\"SELECT 1281\"); }\n#[cfg(windows)] pub fn b<A, B>() { let _ = sqlx::query!(\"SELECT 1282\"); }\n#[cfg(test)] mod tests { fn f() { let _ = sqlx::query!(\"SELECT 1283\"); } }\n#[test] fn g() { let _ = sqlx::query!(\"SELECT 1284\"); }\n#[cfg(any())] mod nowhere;\n/// ```\n/// sqlx::query!(\"SELECT 1285\");\n/// ```\npub fn h() { /* sqlx::query!(\"SELECT 1286\") */ let _ = \"sqlx::query!(\\\"SELECT 1287\\\")\"; }\n",
            ),
            ("src/nobody.rs", "fn f() { sqlx::query!(\"SELECT 1288\"); }"),
        ],
        &[],
    ),
    case(
        "compiled-under-a-feature",
        false,
        &[(LIB, "#[cfg(all(feature = \"on\", not(windows)))] pub fn a() { let _ = sqlx::query!(\"SELECT 129\"); }")],
        &[],
    ),
    case(
        "statement-not-compiled",
        false,
        &[(
            LIB,
            "pub fn f(x: bool) { #[cfg(test)] let _ = if x { 1 } else { let _ = sqlx::query!(\"SELECT 1301\"); 2 }; match x { #[cfg(windows)] true => { let _ = sqlx::query!(\"SELECT 1302\"); } _ => { let _ = sqlx::query!(\"SELECT 1303\"); } } }",
        )],
        &[],
    ),
    case("renamed", false, &[(LIB, "use sqlx::query as sql; pub fn f() { let _ = sql!(\"SELECT 131\"); }")], &[]),
    case(
        "another-macro",
        true,
        &[(LIB, "macro_rules! query { ($x:expr) => { $x } } pub fn f() { let _ = query!(\"SELECT 132\"); }")],
        &[],
    ),
    case("inside-of-a-macro", false, &[(LIB, "pub fn f() { let _ = vec![Some(sqlx::query!(\"SELECT 133\"))]; }")], &[]),
    case(
        "macro-with-a-fixed-query",
        false,
        &[(LIB, "macro_rules! one { () => { sqlx::query!(\"SELECT 134\") } } pub fn f() { let _ = one!(); }")],
        &[],
    ),
    case(
        "macro-that-nobody-uses",
        true,
        &[(LIB, "#[allow(unused_macros)] macro_rules! one { () => { sqlx::query!(\"SELECT 135\") } } pub fn f() {}")],
        &[],
    ),
    case(
        "unknown-macro-argument",
        true,
        &[(LIB, "macro_rules! one { ($sql:literal) => { sqlx::query!($sql) } } pub fn f() { let _ = one!(\"SELECT 136\"); }")],
        &[(".sqlx", "SELECT 136", 0)],
    ),
    case(
        "concat",
        false,
        &[(LIB, "pub fn f() { let _ = sqlx::query!(concat!(\"SELECT \", \"137\")); }")],
        &[(".sqlx", "SELECT 137", 0)],
    ),
    case(
        "constant",
        false,
        &[(LIB, "const SQL: &str = \"SELECT 138\"; pub fn f() { let _ = sqlx::query!(SQL); }")],
        &[(".sqlx", "SELECT 138", 0)],
    ),
    case(
        "arguments",
        true,
        &[(LIB, "pub fn f(a: i64) { let _ = sqlx::query!(\"SELECT ? + ?, 139\", a, *&a,); }")],
        &[(".sqlx", "SELECT ? + ?, 139", 2)],
    ),
    case(
        "too-few-arguments",
        false,
        &[(LIB, "pub fn f(a: i64) { let _ = sqlx::query!(\"SELECT ? + ?, 140\", a); }")],
        &[(".sqlx", "SELECT ? + ?, 140", 2)],
    ),
    case(
        "too-many-arguments",
        false,
        &[(LIB, "pub fn f(a: i64) { let _ = sqlx::query!(\"SELECT 141\", a); }")],
        &[(".sqlx", "SELECT 141", 0)],
    ),
    case(
        "modules",
        false,
        &[
            (LIB, "#[path = \"other/place.rs\"] pub mod a; pub mod b { pub mod c; }"),
            ("src/other/place.rs", "pub fn f() { let _ = sqlx::query!(\"SELECT 142\"); }"),
            ("src/b/c.rs", "pub fn f() { let _ = sqlx::query!(\"SELECT 143\"); }"),
        ],
        &[(".sqlx", "SELECT 142", 0)],
    ),
    case(
        "offline-directory",
        true,
        &[
            (LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 144\"); }"),
            (".env", "SQLX_OFFLINE_DIR=cases/offline-directory/elsewhere\n"),
        ],
        &[("elsewhere", "SELECT 144", 0)],
    ),
    Case {
        name: "own-data-comes-first",
        compiles: false,
        files: &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 145\"); }")],
        data: &[("workspace", "SELECT 145", 0)],
        other_data: &[(".sqlx", "SELECT 145", "{ broken")],
    },
    Case {
        name: "stale",
        compiles: false,
        files: &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 146\"); }")],
        data: &[],
        other_data: &[(
            ".sqlx",
            "SELECT 146",
            "{\"db_name\":\"SQLite\",\"query\":\"SELECT 0\",\"describe\":{\"columns\":[],\"parameters\":{\"Right\":0},\"nullable\":[]},\"hash\":\"x\"}",
        )],
    },
    Case {
        name: "other-database",
        compiles: false,
        files: &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 147\"); }")],
        data: &[],
        other_data: &[(
            ".sqlx",
            "SELECT 147",
            "{\"db_name\":\"PostgreSQL\",\"query\":\"SELECT 147\",\"describe\":{\"columns\":[],\"parameters\":{\"Left\":[]},\"nullable\":[]},\"hash\":\"x\"}",
        )],
    },
    Case {
        name: "not-whole",
        compiles: false,
        files: &[(LIB, "pub fn f() { let _ = sqlx::query!(\"SELECT 148\"); }")],
        data: &[],
        other_data: &[(".sqlx", "SELECT 148", "{\"query\":\"SELECT 148\",\"describe\":{},\"hash\":\"x\"}")],
    },
];
