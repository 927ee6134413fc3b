use super::*;

fn error(text: &str) -> String {
    match Settings::parse(text) {
        Ok(settings) => panic!("accepted: {settings:?}"),
        Err(error @ SettingsError::UnknownKey { suggestion, .. }) => format!("{error} ({suggestion:?})"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_mistake_names_line_and_what_was_expected() {
    let table = [
        ("[services.api]\nprot = 80", "kiln.toml:2: unknown key `prot` in [services.api] (Some(\"port\"))"),
        (
            "[services.api]\nbuild_image = \"x\"",
            "kiln.toml:2: unknown key `build_image` in [services.api] (Some(\"build-image\"))",
        ),
        ("[service.api]", "kiln.toml:1: unknown key `service` in the file (Some(\"services\"))"),
        ("[defaults]\nport = 80", "kiln.toml:2: unknown key `port` in [defaults] (None)"),
        ("\n[services.api]\nport = \"80\"", "kiln.toml:3: `port` is the string \"80\", expected a port from 1 to 65535"),
        ("[services.api]\nport = 70000", "kiln.toml:2: `port` is the number 70000, expected a port from 1 to 65535"),
        ("[services.api]\nfeatures = \"a\"", "kiln.toml:2: `features` is the string \"a\", expected a list of strings"),
        (
            "[services.api]\nfeatures = [1]",
            "kiln.toml:2: `features` is a list that holds more than strings (integer), expected a list of strings",
        ),
        ("services = 1", "kiln.toml:1: `services` is the number 1, expected a table"),
        (
            "[services.api]\npath = \"../x\"",
            "kiln.toml:2: `path` is the string \"../x\", expected a path inside the repository, relative to its root",
        ),
        ("[services.api]\nbinary = \"a\"\nbinaries = [\"b\"]", "kiln.toml:3: `binary` and `binaries` exclude each other"),
        ("[services.api]\n[[services.api.secrets]]\nid = \"t\"", "kiln.toml:2: a secret of [services.api] lacks `env` or `file`"),
        (
            "[services.api]\nenvironment = { \"A B\" = \"1\" }",
            "kiln.toml:2: `environment` is a table with `A B`, expected names made of letters, digits and `_`",
        ),
        (
            "[cache]\nfrom = 1",
            "kiln.toml:2: `from` is the number 1, expected a cache as `--cache-from` takes it, or a list of them",
        ),
        ("[cache]\nform = \"x\"", "kiln.toml:2: unknown key `form` in [cache] (Some(\"from\"))"),
        (
            "[bench]\nfail-under = 101",
            "kiln.toml:2: `fail-under` is the number 101, expected a number of percent, such as 80, at most 100",
        ),
        (
            "[bench]\nmax-seconds = \"30\"",
            "kiln.toml:2: `max-seconds` is the string \"30\", expected a number of seconds, such as 30",
        ),
        ("[bench]\nmax-second = 30", "kiln.toml:2: unknown key `max-second` in [bench] (Some(\"max-seconds\"))"),
        ("[services.api]\napt = [\"a; rm\"]", "kiln.toml:2: `apt` is a list, expected a list of package names"),
    ];
    for (text, expected) in table {
        assert_eq!(error(text), expected, "for {text}");
    }
}

#[test]
fn broken_toml_names_the_line() {
    assert!(error("[services.api]\nport = \n").starts_with("kiln.toml:2: "), "{}", error("[services.api]\nport = \n"));
    assert!(error("[services.Api]\n").contains("lower-case"), "{}", error("[services.Api]\n"));
}

#[test]
fn every_value_knows_its_line() {
    let settings = Settings::parse(
        "[project]\nname = \"kiro\"\n\n[services.api]\npath = \"./backend/\"\nport = 8080\nenvironment.RUST_LOG = \"info\"\n\
         serve = [\"node\", \"x.js\"]\nsecrets = [{ id = \"t\", env = \"T\", as-env = \"T\" }]\n",
    )
    .unwrap();
    let api = &settings.services["api"];
    assert_eq!(settings.project.name, Some(At { value: "kiro".to_owned(), line: 2 }));
    assert_eq!(api.line, 4);
    assert_eq!(api.path, Some(At { value: "backend".into(), line: 5 }));
    assert_eq!(api.port, Some(At { value: 8080, line: 6 }));
    assert_eq!(api.environment["RUST_LOG"], At { value: "info".to_owned(), line: 7 });
    assert_eq!(api.serve.as_ref().map(|at| at.line), Some(8));
    assert_eq!((api.secrets[0].line, api.secrets[0].value.id.as_str()), (9, "t"));
}

#[test]
fn a_service_replaces_values_of_the_defaults_and_adds_to_their_lists() {
    let settings = Settings::parse(
        "[defaults]\ntoolchain = \"1.90\"\napt = [\"clang\"]\nca-certificates = [\"certs/a.pem\"]\nenvironment = { A = 1, B = true }\n\
         [services.api]\ntoolchain = \"1.95\"\napt = [\"cmake\"]\nenvironment = { A = \"2\" }\n",
    )
    .unwrap();
    let api = settings.service("api");
    assert_eq!(api.toolchain, Some(At { value: "1.95".to_owned(), line: 7 }));
    assert_eq!(api.apt, Some(At { value: vec!["clang".to_owned(), "cmake".to_owned()], line: 8 }));
    assert_eq!(api.ca_certificates.map(|at| at.line), Some(4));
    let environment: Vec<(&str, &str)> = api.environment.iter().map(|(key, at)| (key.as_str(), at.value.as_str())).collect();
    assert_eq!(environment, [("A", "2"), ("B", "true")]);
    assert_eq!(settings.service("other").toolchain.map(|at| at.line), Some(2));
}

#[test]
fn every_key_has_its_line_in_the_docs() {
    let docs = include_str!("../../../../docs/settings.md");
    for key in read::SERVICE {
        assert!(docs.contains(&format!("`{key}`")), "docs/settings.md does not explain `{key}`");
    }
    for key in read::PROJECT.iter().chain(read::CACHE).chain(read::DOCTOR).chain(read::BENCH) {
        assert!(docs.contains(&format!("\n{key} = ")), "docs/settings.md does not show `{key}`");
    }
}

#[test]
fn an_engine_is_one_of_two() {
    let settings = Settings::parse("[project]\nengine = \"chef\"\n").unwrap();
    assert_eq!(settings.project.engine, Some(At { value: ImageEngine::Chef, line: 2 }));
    assert_eq!(
        error("[project]\nengine = \"docker\"\n"),
        "kiln.toml:2: `engine` is the string \"docker\", expected \"kiln\" or \"chef\""
    );
}

#[test]
fn a_cache_is_one_or_several() {
    let settings = Settings::parse("[cache]\nfrom = [\"a:{branch}\", \"a:main\"]\nto = \"a:{branch}\"\n").unwrap();
    assert_eq!(settings.cache.from, Some(At { value: vec!["a:{branch}".to_owned(), "a:main".to_owned()], line: 2 }));
    assert_eq!(settings.cache.to, Some(At { value: vec!["a:{branch}".to_owned()], line: 3 }));
}

#[test]
fn demands_on_builds_are_numbers() {
    let settings = Settings::parse("[bench]\nfail-under = 80\nmax-seconds = 29.5\n").unwrap();
    assert_eq!(settings.bench.fail_under, Some(At { value: 80.0, line: 2 }));
    assert_eq!(settings.bench.max_seconds, Some(At { value: 29.5, line: 3 }));
    assert_eq!(Settings::default().bench, BenchSettings::default());
}
