//! Every way to fail names the file, the line and the way out.

use super::{Repository, SERVICE_LOCK, service};

fn message(repository: Repository) -> String {
    repository.try_recipe().map(|recipe| recipe.to_json()).unwrap_err().to_string()
}

#[test]
fn errors_say_what_to_do() {
    let s = service;
    let several = || s().file("app/src/bin/second.rs", "fn main() {}");
    let mut unlocked = s();
    unlocked.files.remove("Cargo.lock");
    let cases = [
        ("no such package", s().select(|it| it.package = Some("ap".into()))),
        ("no such binary", s().select(|it| it.binaries = vec!["appp".into()])),
        ("no such binary in the package", s().select(|it| (it.package, it.binaries) = (Some("lib".into()), vec!["app".into()]))),
        ("no binary", s().select(|it| it.package = Some("lib".into()))),
        ("several binaries", several()),
        (
            "binaries apart",
            several().file("lib/src/main.rs", "fn main() {}").select(|it| it.binaries = vec!["second".into(), "lib".into()]),
        ),
        (
            "binary in two members",
            several().file("other/src/bin/second.rs", "fn main() {}").select(|it| it.binaries = vec!["second".into()]),
        ),
        (
            "required features",
            s().append(
                "app/Cargo.toml",
                "\n[[bin]]\nname = \"app\"\nrequired-features = [\"tls\", \"http\", \"lib/extra\", \"mio/x\"]\n",
            ),
        ),
        ("no such feature", s().features("tsl")),
        ("dep: on the command line", s().features("dep:rustls")),
        ("no such feature in a member", s().edit("app/Cargo.toml", "lib/net", "lib/nett")),
        ("no lock", unlocked),
        (
            "member not in the lock",
            s().lock(&SERVICE_LOCK.replace("lib 0.1.0:", "library 0.1.0:").replace(", lib,", ", library,")),
        ),
        ("dependency not in the lock", s().append("lib/Cargo.toml", "anyhow = \"1.0.80\"\n")),
        ("requirement not in the lock", s().edit("app/Cargo.toml", "bytes = \"1\"", "bytes = \"2\"")),
        (
            "source not in the lock",
            s().edit("app/Cargo.toml", "bytes = \"1\"", "bytes = { git = \"https://git.example.org/b\" }"),
        ),
        ("member's version not in the lock", s().edit("lib/Cargo.toml", "version = \"0.1.0\"", "version = \"0.2.0\"")),
        ("development dependency not in the lock", s().edit("app/Cargo.toml", "tempfile = \"3\"", "tempfile = \"4\"")),
        ("dependency of a member that is not built", s().append("other/Cargo.toml", "anyhow = \"1\"\n")),
        ("dependency that only the lock has", s().edit("other/Cargo.toml", "rand = \"0.9\"\n", "")),
        ("lock that contradicts itself", s().lock(&SERVICE_LOCK.replace("libc 0.2.170:", ""))),
        ("bad requirement", s().edit("app/Cargo.toml", "bytes = \"1\"", "bytes = \"one\"")),
        ("bad platform", s().edit("app/Cargo.toml", "cfg(windows)", "cfg(windows")),
        ("no such profile", s().select(|it| it.profile = "relase".into())),
        (
            "profile loop",
            s().append("Cargo.toml", "\n[profile.a]\ninherits = \"b\"\n[profile.b]\ninherits = \"a\"\n")
                .select(|it| it.profile = "a".into()),
        ),
        ("several targets", s().edit(".cargo/config.toml", "[build]", "[build]\ntarget = [\"a\", \"b\"]")),
    ];
    let lines = cases.into_iter().map(|(name, repository)| {
        let folder = regex_free(&message(repository));
        format!("{name}:\n  {folder}\n")
    });
    insta::assert_snapshot!(lines.collect::<String>());
}

/// The message without the temporary folder.
fn regex_free(message: &str) -> String {
    match (message.find("/tmp"), message.find("/Cargo.lock")) {
        (Some(start), Some(end)) if start < end => format!("{}ROOT{}", &message[..start], &message[end..]),
        _ => message.to_owned(),
    }
}

#[test]
fn a_binary_with_its_required_features_is_prepared() {
    let repository = service()
        .append("app/Cargo.toml", "\n[[bin]]\nname = \"app\"\nrequired-features = [\"tls\", \"http\", \"lib/net\"]\n")
        .features("tls");
    assert!(repository.try_recipe().is_ok());
}
