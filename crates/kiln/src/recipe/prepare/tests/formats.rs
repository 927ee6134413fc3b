//! The recipe as bytes, canonical TOML, and platforms.

use super::super::canonical;
use super::super::platform::{Machine, Verdict};
use super::super::{RECIPE_SCHEMA, Recipe, RecipeError};
use super::service;

#[test]
fn a_recipe_survives_its_bytes() {
    let recipe = service().recipe();
    let text = recipe.to_json();
    assert!(text.ends_with("}\n"));
    assert_eq!(Recipe::from_json(&text).unwrap(), recipe);
    assert_eq!(Recipe::from_json(&text).unwrap().digest(), recipe.digest());
    assert_eq!(recipe.digest().len(), 64);
}

#[test]
fn a_recipe_of_another_schema_is_named_as_such() {
    let error = Recipe::from_json("{\"schema\": 99, \"other\": true}").unwrap_err();
    assert!(matches!(error, RecipeError::Schema { found: 99 }));
    assert_ne!(RECIPE_SCHEMA, 99);
    assert!(matches!(Recipe::from_json("[]").unwrap_err(), RecipeError::Json(_)));
}

#[test]
fn equal_toml_has_one_spelling() {
    let one = "b = 1 # why\n\n[t.u]\nlist = [ \"x\", 2 ]\n\n[t]\n'a key' = true\ninline = { z = 1.0, y = '''q\"''' }\n";
    let other = "t.u.list = ['x', 2]\nt.\"a key\" = true\nt.inline.z = 1.0\nt.inline.y = \"q\\\"\"\nb = 0x1\n";
    let render = |text| canonical::render(&canonical::parse(text).unwrap());
    assert_eq!(render(one), render(other));
    assert_eq!(render(&render(one)), render(one));
}

#[test]
fn platforms_apply_as_rustc_says() {
    let cases = [
        ("x86_64-unknown-linux-gnu", "cfg(unix)", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-gnu", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl", Verdict::No),
        ("x86_64-unknown-linux-musl", "cfg(all(target_os = \"linux\", target_env = \"musl\"))", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "cfg(any(windows, target_os = \"macos\"))", Verdict::No),
        ("aarch64-unknown-linux-gnu", "cfg(not(target_arch = \"x86_64\"))", Verdict::Yes),
        (
            "armv7-unknown-linux-gnueabihf",
            "cfg(all(target_arch = \"arm\", target_env = \"gnu\", target_pointer_width = \"32\"))",
            Verdict::Yes,
        ),
        ("riscv64gc-unknown-linux-gnu", "cfg(target_arch = \"riscv64\")", Verdict::Yes),
        ("x86_64-pc-windows-msvc", "cfg(target_family = \"windows\")", Verdict::Yes),
        ("aarch64-apple-darwin", "cfg(all(target_vendor = \"apple\", target_os = \"macos\"))", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "cfg(tokio_unstable)", Verdict::Unknown),
        ("x86_64-unknown-linux-gnu", "cfg(all(windows, tokio_unstable))", Verdict::No),
        ("x86_64-unknown-linux-gnu", "cfg(any(unix, tokio_unstable))", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "cfg(target_feature = \"avx2\")", Verdict::Unknown),
        ("targets/x86_64-kiln-linux-gnu.json", "x86_64-kiln-linux-gnu", Verdict::Yes),
        ("x86_64-unknown-linux-gnu", "cfg(any())", Verdict::No),
    ];
    for (triple, platform, expected) in cases {
        let machine = Machine::new(triple, Vec::new());
        assert_eq!(machine.applies(&platform.parse().unwrap()), expected, "{platform} on {triple}");
    }
}

/// What rustc itself prints for the targets that images are built for, and some that manifests name.
#[test]
#[expect(clippy::disallowed_methods, reason = "the compiler is the authority on its targets")]
fn facts_derived_from_triples_are_those_of_the_compiler() {
    const KEYS: [&str; 6] = ["target_arch", "target_os", "target_env", "target_vendor", "target_endian", "target_pointer_width"];
    let list = std::process::Command::new("rustc").args(["--print", "target-list"]).output().unwrap();
    let wanted = [
        "x86_64-unknown-linux-",
        "aarch64-unknown-linux-",
        "armv7-unknown-linux-",
        "riscv64gc-unknown-linux-",
        "s390x-unknown-linux-",
        "powerpc64le-unknown-linux-",
        "i686-unknown-linux-",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
    ];
    let list = String::from_utf8(list.stdout).unwrap();
    for triple in list.lines().filter(|triple| wanted.iter().any(|start| triple.starts_with(start))) {
        let cfgs = std::process::Command::new("rustc").args(["--print", "cfg", "--target", triple]).output().unwrap();
        let machine = Machine::new(triple, Vec::new());
        let verdict = |platform: String| machine.applies(&platform.parse().unwrap());
        for cfg in String::from_utf8(cfgs.stdout).unwrap().lines() {
            let key = cfg.split('=').next().unwrap();
            if KEYS.contains(&key) || matches!(cfg, "unix" | "windows") || key == "target_family" {
                assert_eq!(verdict(format!("cfg({cfg})")), Verdict::Yes, "{cfg} on {triple}");
            }
        }
        assert_eq!(verdict("cfg(all(unix, windows))".to_owned()), Verdict::No, "{triple}");
    }
}
