use super::*;
use crate::project::cargo::{AskedFeatures, CargoWorkspace, Distribution, NativeNeed, certain_native_needs, native_needs};

/// A package with these dependencies, and a lock of `name: dependencies` lines in which every package is external but `app`.
fn needs(manifest: &str, lock: &[(&str, &str)], distribution: Distribution) -> String {
    show(&native_needs(&workspace(manifest, lock), "app", distribution))
}

/// The same of what is certain, with `cargo build` and these flags.
fn certain(manifest: &str, lock: &[(&str, &str)], default: bool, names: &[&str]) -> String {
    let asked = AskedFeatures { default, all: false, names: names.iter().map(|name| (*name).to_owned()).collect() };
    show(&certain_native_needs(&workspace(manifest, lock), "app", &asked, Distribution::Debian))
}

fn show(needs: &[NativeNeed]) -> String {
    let lines = needs.iter().map(|need| format!("{}: {} | {}", need.krate, need.build.join(" "), need.runtime.join(" ")));
    lines.collect::<Vec<_>>().join("\n")
}

fn workspace(manifest: &str, lock: &[(&str, &str)]) -> CargoWorkspace {
    let packages = lock.iter().map(|(package, dependencies)| {
        let (name, version) = package.split_once(' ').unwrap_or((package, "1.0.0"));
        let (version, source) = if name == "app" { ("0.1.0", "") } else { (version, "source = \"registry+x\"\n") };
        let list: String = dependencies.split_whitespace().map(|name| format!(" \"{name}\",\n")).collect();
        format!("\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n{source}dependencies = [\n{list}]\n")
    });
    let text = format!("version = 4\n{}", packages.collect::<String>());
    let fixture = Fixture::new().binary(".", "app", manifest).file("Cargo.lock", &text);
    load(&fixture)
}

const TLS: [(&str, &str); 4] =
    [("app", "native-tls"), ("native-tls", "openssl"), ("openssl", "openssl-sys"), ("openssl-sys 0.9.100", "cc")];

#[test]
fn crates_want_packages_by_distribution() {
    let manifest = "[dependencies]\nnative-tls = \"0.2\"\n";
    insta::assert_snapshot!(needs(manifest, &TLS, Distribution::Debian), @"openssl-sys: libssl-dev pkg-config | libssl3");
    insta::assert_snapshot!(needs(manifest, &TLS, Distribution::Alpine), @"openssl-sys: openssl-dev pkgconf | libcrypto3 libssl3");
}

#[test]
fn a_vendored_library_is_told_by_the_lock_or_by_a_feature() {
    let manifest = "[dependencies]\nnative-tls = { version = \"0.2\", features = [\"vendored\"] }\n";
    insta::assert_snapshot!(needs(manifest, &TLS, Distribution::Debian), @"openssl-sys: make perl |");
    let mut lock = TLS;
    lock[3].1 = "cc openssl-src";
    insta::assert_snapshot!(needs("[dependencies]\nnative-tls = \"0.2\"\n", &lock, Distribution::Debian), @"openssl-sys: make perl |");
    let by_default = "[features]\ndefault = [\"own\"]\nown = [\"tls/vendored\"]\n[dependencies]\ntls = { package = \"native-tls\", version = \"0.2\" }\n";
    insta::assert_snapshot!(needs(by_default, &lock, Distribution::Debian), @"openssl-sys: make perl |");
    let perhaps = by_default.replace("[\"own\"]", "[]");
    insta::assert_snapshot!(needs(&perhaps, &lock, Distribution::Debian), @"openssl-sys: libssl-dev make perl pkg-config | libssl3");
}

#[test]
fn sqlite_is_bundled_where_the_lock_has_its_compiler() {
    let lock = |dependencies| {
        [("app", "sqlx"), ("sqlx", "sqlx-sqlite"), ("sqlx-sqlite", "libsqlite3-sys"), ("libsqlite3-sys", dependencies)]
    };
    let manifest = "[dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite-unbundled\"] }\n";
    insta::assert_snapshot!(needs(manifest, &lock("pkg-config vcpkg"), Distribution::Debian), @"libsqlite3-sys: libsqlite3-dev pkg-config | libsqlite3-0");
    assert_eq!(needs(manifest, &lock("cc pkg-config vcpkg"), Distribution::Debian), "");
    // Weak features lock the database drivers that nobody asked for.
    let postgres = manifest.replace("sqlite-unbundled", "postgres");
    assert_eq!(needs(&postgres, &lock("pkg-config vcpkg"), Distribution::Debian), "");
}

#[test]
fn edges_that_linux_does_not_use_are_not_followed() {
    let manifest = "[dependencies]\nrustls = \"0.23\"\ncpal = \"0.15\"\n[target.'cfg(windows)'.dependencies]\npq-sys = \"0.4\"\n";
    let lock = [
        ("app", "cpal pq-sys rustls"),
        ("rustls", "aws-lc-rs"),
        ("aws-lc-rs", "aws-lc-sys"),
        ("aws-lc-sys 0.30.0", "bindgen cmake"),
        ("cpal", "alsa coreaudio-sys"),
        ("alsa", "alsa-sys"),
        ("alsa-sys", "pkg-config"),
        ("coreaudio-sys", "bindgen"),
        ("bindgen", "clang-sys"),
        ("clang-sys", ""),
        ("cmake", ""),
        ("pq-sys", ""),
    ];
    insta::assert_snapshot!(needs(manifest, &lock, Distribution::Debian), @"alsa-sys: libasound2-dev pkg-config | libasound2");
}

#[test]
fn a_crate_that_stands_beside_another_can_change_the_answer() {
    let manifest = "[build-dependencies]\ntonic-build = \"0.12\"\nprotox = \"0.7\"\n";
    let lock = [("app", "protox tonic-build"), ("tonic-build", "prost-build"), ("prost-build", ""), ("protox", "")];
    assert_eq!(needs(manifest, &lock, Distribution::Debian), "");
    let manifest = manifest.replace("protox = \"0.7\"\n", "");
    insta::assert_snapshot!(needs(&manifest, &lock, Distribution::Debian), @"prost-build: libprotobuf-dev pkg-config protobuf-compiler |");
    let development = manifest.replace("build-dependencies", "dev-dependencies");
    assert_eq!(needs(&development, &lock, Distribution::Debian), "");
}

const OPENSSL: &str = "openssl-sys: libssl-dev pkg-config | libssl3";

#[test]
fn only_what_is_on_is_certain() {
    let optional = "[features]\ndefault = [\"rustls\"]\nrustls = []\nnative = [\"dep:native-tls\"]\n[dependencies]\nnative-tls = { version = \"0.2\", optional = true }\n";
    for (default, names, expected) in [
        (true, &[][..], ""),
        (false, &["rustls"], ""),
        (true, &["native"], OPENSSL),
        (false, &["app/native"], OPENSSL),
        (false, &["native-tls"], OPENSSL),
    ] {
        assert_eq!(certain(optional, &TLS, default, names), expected, "{default} {names:?}");
    }
    let by_default = optional.replace("[\"rustls\"]", "[\"native\"]");
    assert_eq!(certain(&by_default, &TLS, true, &[]), OPENSSL);
    assert_eq!(certain(&by_default, &TLS, false, &[]), "");
    assert_eq!(certain("[dependencies]\nnative-tls = \"0.2\"\n", &TLS, true, &[]), OPENSSL);
    assert_eq!(certain("[dev-dependencies]\nnative-tls = \"0.2\"\n", &TLS, true, &[]), "");
}

/// The lock joins all features, so that it cannot be told what `http` is compiled with.
#[test]
fn what_another_feature_or_a_test_asks_of_a_crate_leaves_it_open() {
    let lock = [("app", "http"), ("http", "http-tls"), ("http-tls", "openssl-sys"), ("openssl-sys 0.9.100", "cc")];
    let passed_on = "[features]\ndefault = []\nopenssl = [\"http/openssl\"]\n[dependencies]\nhttp = \"1\"\n";
    assert_eq!(certain(passed_on, &lock, true, &[]), "");
    assert_eq!(certain(passed_on, &lock, true, &["openssl"]), OPENSSL);
    assert_eq!(certain("[dependencies]\nhttp = \"1\"\n", &lock, true, &[]), OPENSSL);
    let tested = "[dependencies]\nhttp = { version = \"1\", default-features = false }\n[dev-dependencies]\nhttp = \"1\"\n";
    assert_eq!(certain(tested, &lock, true, &[]), "");
    // What may be vendored wants one thing or the other.
    let perhaps = "[features]\nown = [\"native-tls/vendored\"]\n[dependencies]\nnative-tls = \"0.2\"\n";
    assert_eq!(certain(perhaps, &TLS, true, &[]), "");
}
