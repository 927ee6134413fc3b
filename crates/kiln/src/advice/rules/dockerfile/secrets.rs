//! Secrets in arguments, variables and layers.

use crate::advice::dockerfile::context_sources;
use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::dockerfile::parse::Instruction;

pub(super) const VARIABLE: Rule = Rule {
    id: "secret-in-variable",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a secret is an ARG or ENV",
    fixable: false,
    check: variables,
};

pub(super) const FILE: Rule = Rule {
    id: "secret-in-layer",
    group: Group::Dockerfile,
    severity: Severity::Error,
    summary: "a file with secrets is copied into a layer",
    fixable: false,
    check: files,
};

pub(super) const DOTENV: Rule = Rule {
    id: "dotenv-in-context",
    group: Group::Dockerfile,
    severity: Severity::Warning,
    summary: "a .env file is part of what is copied",
    fixable: false,
    check: dotenv,
};

fn variables(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let global = dockerfile.parsed.as_ref().map_or(&[][..], |file| file.global_arguments.as_slice());
        for step in global.iter().chain(dockerfile.steps().map(|(_, step)| step)) {
            let (keyword, names): (_, Vec<(&str, Option<&str>)>) = match &step.instruction {
                Instruction::Arg(arguments) => {
                    ("ARG", arguments.iter().map(|argument| (argument.name.as_str(), argument.default.as_deref())).collect())
                }
                Instruction::Env(pairs) => {
                    ("ENV", pairs.iter().map(|pair| (pair.name.as_str(), Some(pair.value.as_str()))).collect())
                }
                _ => continue,
            };
            for (name, value) in names.into_iter().filter(|(name, value)| is_secret(name) && !value.is_some_and(is_place)) {
                let written = value.is_some_and(|value| !value.trim_matches(['"', '\'']).is_empty() && !value.contains('$'));
                let who = if keyword == "ARG" {
                    "`docker history`, the provenance and every later step"
                } else {
                    "`docker inspect` and every container"
                };
                let finding =
                    findings.at(&dockerfile.file, dockerfile.locate(step.lines, name), format!("{who} can read `{name}`"));
                finding.help("use `RUN --mount=type=secret,id=…,env=…` for the step that needs it, and set it when the container starts otherwise");
                if written {
                    finding.severity(Severity::Error);
                }
            }
        }
    }
}

/// Whether a name says that its value is secret. `PUBLIC_KEY` is not; paths and names of secrets are not either.
fn is_secret(name: &str) -> bool {
    let words: Vec<String> = name.split('_').map(str::to_ascii_lowercase).collect();
    let has = |word: &str| words.iter().any(|other| other == word);
    let secret =
        ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "secrets", "token"];
    let about =
        ["public", "file", "path", "dir", "id", "name", "url", "version", "algorithm", "ttl", "length", "fingerprint", "gpg"];
    secret.iter().any(|word| has(word)) && !about.iter().any(|word| has(word))
}

/// Whether a value says where a secret is, and not what it is: `file:…`, or a path below a folder of containers. Any slash will not do:
/// base64 has them too.
fn is_place(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    let path = value.strip_prefix("file:").unwrap_or(value);
    let is_path = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let folders = ["app", "config", "data", "etc", "home", "mnt", "opt", "root", "run", "secrets", "srv", "tmp", "usr", "var"];
    let below = path.strip_prefix('/').and_then(|rest| rest.split_once('/'));
    is_path && below.is_some_and(|(folder, rest)| folders.contains(&folder) && !rest.is_empty())
}

/// Names of files that hold nothing but secrets.
fn is_secret_file(path: &str) -> bool {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "id_rsa"
            | "id_ed25519"
            | "id_ecdsa"
            | ".netrc"
            | ".pgpass"
            | ".git-credentials"
            | "credentials.json"
            | "service-account.json"
            | ".ssh"
            | ".aws"
            | ".docker"
            | ".gnupg"
    ) || (name.starts_with(".env") && !["example", "sample", "template", "dist"].iter().any(|end| name.ends_with(end)))
        || ((name.ends_with(".pem") || name.ends_with(".key") || name.ends_with(".p12"))
            && !name.contains("pub")
            && !name.contains("cert")
            && !name.contains("ca"))
}

fn files(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        for (_, step) in dockerfile.steps() {
            for path in context_sources(step).into_iter().filter(|path| is_secret_file(path)) {
                findings
                    .at(
                        &dockerfile.file,
                        dockerfile.locate(step.lines, path),
                        format!("everybody who has the image has `{path}`: deleting it in a later step leaves it in this layer"),
                    )
                    .help("mount it where it is needed: `RUN --mount=type=secret,id=…,target=…`");
            }
        }
    }
}

fn dotenv(context: &Context<'_>, findings: &mut Findings<'_>) {
    for dockerfile in context.dockerfiles() {
        let Some(step) = dockerfile.broad_step() else { continue };
        // git ignores it as a rule, so that the list of the repository's files does not have it.
        let names = [".env", ".env.local", ".env.production"];
        let found = names.into_iter().find(|name| context.exists(&dockerfile.context.join(name)) && dockerfile.is_sent(name));
        let Some(name) = found else { continue };
        findings
            .line(
                &dockerfile.file,
                step.lines.first,
                format!("`{name}` becomes part of the image with all it holds, and an edit of it runs this step again"),
            )
            .help(format!("add `.env*` to {}, and give the values to the container when it starts", dockerfile.ignore_path));
    }
}
