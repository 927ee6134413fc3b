//! What went wrong, told from what the client printed.
//!
//! BuildKit and the Docker client have no error codes: their words are all there is. The words are data here.

use std::fmt;

use crate::event::{BuildState, Step, StepKind};

use super::{EngineError, unpack};

/// A build that failed because of the Dockerfile or one of its steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildFailure {
    /// The engine's message, without the names of the layers it went through.
    pub message: String,
    /// Digest of the step that failed, if one did.
    pub step: Option<String>,
    /// Exit code of the step's command.
    pub exit_code: Option<i32>,
    /// Line of the Dockerfile, from 1.
    pub line: Option<u32>,
    /// The image that could not be had, if that is what failed.
    pub image: Option<String>,
}

impl fmt::Display for BuildFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

const FULL: &[&str] = &["no space left on device", "disk quota exceeded"];
const DENIED: &[&str] = &["permission denied while trying to connect", "connect: permission denied"];
const UNREACHABLE: &[&str] = &[
    "cannot connect to the docker daemon",
    "failed to connect to the docker api",
    "error during connect",
    "is the docker daemon running",
    "failed to list workers",
];
const NO_BUILDX: &[&str] =
    &["is not a docker command", "unknown command: docker buildx", "unknown shorthand flag", "unknown flag: --progress"];
const OLD_BUILDX: &[&str] =
    &["invalid progress mode", "unknown progress mode", "unknown flag: --metadata-file", "unknown flag: --build-context"];
const NO_EXPORT: &[&str] = &["cache export is not supported for the", "cache export feature is currently not supported"];
const BROKEN: &[&str] = &[
    "code = unavailable",
    "unavailable: ",
    "error reading from server",
    "transport is closing",
    "connection reset by peer",
    "connection refused",
    "broken pipe",
    "closing transport due to",
    "use of closed network connection",
    "no active session",
    // An engine that is told to stop cancels what it does; kiln's own cancelling does not come here.
    "code = canceled",
    "context canceled",
    "graceful_stop",
];
/// A step of the client's own, which fails where a builder has not answered for a while.
const WAITING: &str = "waiting for connection";
/// Nothing listens at a builder's address.
const UNANSWERED: &[&str] = &["error while dialing"];
/// Words of a step under which a stopping engine took its file system away; all of them.
const UNMOUNTED: &[&str] = &["failed to walk", "buildkit-mount", "no such file or directory"];
const NETWORK: &[&str] = &[
    "no such host",
    "i/o timeout",
    "tls handshake timeout",
    "network is unreachable",
    "temporary failure in name resolution",
    "dial tcp",
    "context deadline exceeded",
    "too many requests",
    "server misbehaving",
];

/// Whether the text has one of the words.
fn has(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether an engine says that its disk is full.
pub(super) fn is_full(text: &str) -> bool {
    has(text, FULL)
}

/// Whether a client says that the engine broke off.
pub(super) fn is_broken(text: &str) -> bool {
    has(text, BROKEN)
}

/// What the words of a client that does not reach an engine, or does not know buildx, mean.
pub(super) fn client_error(text: &str) -> Option<EngineError> {
    let detail = error_line(text);
    if has(text, DENIED) {
        return Some(EngineError::PermissionDenied { detail });
    }
    if let Some(name) = text.split("no builder \"").nth(1).and_then(|rest| rest.split('"').next()) {
        return Some(EngineError::BuilderNotFound { name: name.to_owned() });
    }
    if has(text, UNREACHABLE) {
        return Some(EngineError::NotRunning { detail });
    }
    if has(text, NO_BUILDX) {
        return Some(EngineError::BuildxMissing);
    }
    if has(text, OLD_BUILDX) {
        let needed = format!("{}.{}", super::MINIMUM_BUILDX.0, super::MINIMUM_BUILDX.1);
        return Some(EngineError::BuildxTooOld { found: "without JSON progress".to_owned(), needed });
    }
    None
}

/// Why a question to an engine or a builder, which is no build, was not answered: what the client printed.
pub(super) fn question_error(program: &str, text: &str) -> EngineError {
    if let Some(error) = client_error(text) {
        return error;
    }
    let detail = error_line(text);
    if has(&detail, UNANSWERED) {
        return EngineError::BuilderUnreachable { detail };
    }
    if is_broken(&detail) {
        return EngineError::Disconnected { detail };
    }
    EngineError::NotDocker { program: program.to_owned(), detail }
}

/// Why a build failed whose client exited with an error.
pub(super) fn build_error(state: &BuildState) -> EngineError {
    let text: Vec<String> = state.text.lines().collect();
    let text = text.join("\n");
    let message = error_line(&text);
    let failed = state.failed();
    let command_failed =
        failed.is_some_and(|step| step.error.as_deref().is_some_and(|error| error.contains("did not complete successfully")));
    let mut missing = None;
    // What a step's own command says about disks and networks is the step's failure.
    if !command_failed {
        let words =
            failed.and_then(|step| step.error.as_deref()).map_or_else(|| message.clone(), |error| format!("{error}\n{message}"));
        if has(&words, FULL) {
            return EngineError::DiskFull { detail: message };
        }
        if unpack::is_lost(&words) {
            return EngineError::LayerLost { detail: message };
        }
        if UNMOUNTED.iter().all(|word| has(&words, &[word])) {
            return EngineError::Disconnected { detail: message };
        }
        if failed.is_some_and(|step| step.name.kind == StepKind::Internal && step.name.text == WAITING) {
            return EngineError::BuilderUnreachable { detail: message };
        }
        missing = image_of(&words, failed);
        if let Some(image) = missing.as_ref().filter(|_| has(&words, NETWORK)) {
            return EngineError::Registry { image: image.clone(), detail: message };
        }
        if failed.is_none() {
            if has(&text, NO_EXPORT) {
                return EngineError::CacheExport;
            }
            if let Some(error) = client_error(&text) {
                return error;
            }
            if has(&words, BROKEN) {
                return EngineError::Disconnected { detail: message };
            }
        }
    }
    let exit_code = failed.and_then(|step| step.error.as_deref()).and_then(exit_code);
    let line = failed.and_then(|step| step.line).or_else(|| located_line(&text));
    EngineError::Build(Box::new(BuildFailure {
        message,
        step: failed.map(|step| step.digest.clone()),
        exit_code,
        line,
        image: missing,
    }))
}

/// The last line that begins with `ERROR:`, without the prefixes that say nothing; else the last line.
pub(super) fn error_line(text: &str) -> String {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next().unwrap_or("no message");
    let line = lines.find_map(|line| line.strip_prefix("ERROR: ").or_else(|| line.strip_prefix("error: "))).unwrap_or(last);
    let mut message = line;
    for prefix in ["Error response from daemon: ", "failed to build: ", "failed to solve: ", "failed to receive status: "] {
        message = message.strip_prefix(prefix).unwrap_or(message);
    }
    message.to_owned()
}

/// `exit code: 7` at the end of a step's error.
fn exit_code(error: &str) -> Option<i32> {
    let digits = error.rsplit("exit code: ").next()?;
    digits.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

/// `Dockerfile:12`, alone on a line before the engine's own excerpt; or `parse error on line 12`.
fn located_line(text: &str) -> Option<u32> {
    let lines: Vec<&str> = text.lines().collect();
    let numbered = |pair: &[&str]| pair[0].rsplit_once(':')?.1.trim().parse().ok().filter(|_| pair[1].starts_with("-----"));
    let heading = lines.windows(2).rev().find_map(numbered);
    heading.or_else(|| text.split("on line ").nth(1)?.split(':').next()?.trim().parse().ok())
}

/// The image that an error is about, if it is about getting one.
fn image_of(words: &str, failed: Option<&Step>) -> Option<String> {
    if let Some(rest) = words.split("failed to resolve source metadata for ").nth(1) {
        return rest.split(": ").next().map(str::to_owned);
    }
    let name = &failed?.name;
    let image = name.text.strip_prefix("load metadata for ").or_else(|| name.text.strip_prefix("FROM "))?;
    Some(image.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::BuildEvent;

    fn error(text: &str) -> EngineError {
        let mut state = BuildState::new();
        for line in text.lines() {
            state.apply(&BuildEvent::Text { line: line.to_owned() });
        }
        build_error(&state)
    }

    #[test]
    fn words_become_errors() {
        let cases = [
            ("ERROR: no builder \"nosuch\" found", "there is no builder `nosuch`"),
            (
                "ERROR: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
                "cannot reach the Docker daemon: Cannot connect to the Docker daemon at unix:///x.sock. Is the docker daemon running?",
            ),
            (
                "ERROR: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
                "no permission to use the Docker daemon: permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            ),
            ("docker: 'buildx' is not a docker command.\nSee 'docker --help'", "the Docker client has no buildx plugin"),
            ("ERROR: invalid progress mode: rawjson", "buildx without JSON progress is too old: kiln needs 0.17 or later"),
            (
                "ERROR: failed to build: Cache export is not supported for the docker driver.\nSwitch to a different driver, or turn on the containerd image store, and try again.",
                "the engine cannot export a cache",
            ),
            (
                "ERROR: failed to build: failed to receive status: rpc error: code = Unavailable desc = error reading from server: EOF",
                "lost the connection to the Docker daemon: rpc error: code = Unavailable desc = error reading from server: EOF",
            ),
            (
                "ERROR: failed to build: failed to solve: Canceled: context canceled",
                "lost the connection to the Docker daemon: Canceled: context canceled",
            ),
            (
                "ERROR: failed to build: failed to solve: failed to copy files: write /x: no space left on device",
                "the disk of the Docker engine is full: failed to copy files: write /x: no space left on device",
            ),
            (
                "ERROR: failed to build: failed to solve: failed to prepare extraction snapshot \"extract-7 sha256:aa\": parent snapshot sha256:bb does not exist: not found",
                "the engine lost a layer of the image while it unpacked it: failed to prepare extraction snapshot \"extract-7 sha256:aa\": parent snapshot sha256:bb does not exist: not found",
            ),
            (
                "ERROR: failed to build: failed to solve: debian:nope: failed to resolve source metadata for docker.io/library/debian:nope: failed to do request: Head \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host",
                "cannot get `docker.io/library/debian:nope` from its registry: debian:nope: failed to resolve source metadata for docker.io/library/debian:nope: failed to do request: Head \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(error(text).to_string(), expected);
        }
    }

    #[test]
    fn a_step_that_loses_its_file_system_has_lost_the_engine() {
        let failed = |error: &str| {
            let mut state = BuildState::new();
            let (digest, at) = ("sha256:a".to_owned(), jiff::Timestamp::UNIX_EPOCH);
            let name = "[runtime 3/4] COPY --from=production /app /app".to_owned();
            state.apply(&BuildEvent::StepFound { digest: digest.clone(), name, inputs: Vec::new() });
            state.apply(&BuildEvent::StepStarted { digest: digest.clone(), at });
            state.apply(&BuildEvent::StepFinished { digest, at, error: Some(error.to_owned()) });
            state.apply(&BuildEvent::Text { line: format!("ERROR: failed to build: failed to solve: {error}") });
            build_error(&state).is_transient()
        };
        let checksum = "failed to compute cache key: failed to calculate checksum of ref a::b: ";
        let gone = "failed to walk /var/lib/docker/tmp/buildkit-mount356/app: lstat /var/lib/docker/tmp/buildkit-mount356/app: no such file or directory";
        assert!(failed(&format!("{checksum}{gone}")));
        assert!(!failed(&format!("{checksum}\"/nothing\": not found")), "a file that the Dockerfile should not name");
    }

    #[test]
    fn a_builder_that_is_not_there_is_told_of() {
        let mut state = BuildState::new();
        let (digest, at) = ("waiting".to_owned(), jiff::Timestamp::UNIX_EPOCH);
        let name = "[internal] waiting for connection".to_owned();
        state.apply(&BuildEvent::StepFound { digest: digest.clone(), name, inputs: Vec::new() });
        state.apply(&BuildEvent::StepStarted { digest: digest.clone(), at });
        state.apply(&BuildEvent::StepFinished { digest, at, error: Some("context deadline exceeded".to_owned()) });
        state.apply(&BuildEvent::Text { line: "ERROR: context deadline exceeded".to_owned() });
        let error = build_error(&state);
        assert_eq!(error.to_string(), "the builder does not answer: context deadline exceeded");
        assert!(error.is_transient());
    }

    #[test]
    fn questions_that_are_not_answered_say_why() {
        let dialing = "failed to call diskusage: Unavailable: connection error: desc = \"transport: Error while dialing: dial unix /b.sock: connect: no such file or directory\"";
        let cases = [
            (format!("ERROR: {dialing}"), format!("the builder does not answer: {dialing}")),
            (
                "ERROR: failed to call diskusage: code = Unavailable desc = error reading from server: EOF".to_owned(),
                "lost the connection to the Docker daemon: failed to call diskusage: code = Unavailable desc = error reading from server: EOF".to_owned(),
            ),
            ("ERROR: no builder \"b\" found".to_owned(), "there is no builder `b`".to_owned()),
        ];
        for (text, expected) in cases {
            assert_eq!(question_error("docker", &text).to_string(), expected);
        }
    }

    #[test]
    fn a_mistake_in_the_dockerfile_has_its_line() {
        let text = "--------------------\n   1 |     FROM debian:bookworm-slim\n   2 | >>> RUNN true\n   3 |     \n--------------------\nERROR: failed to build: failed to solve: dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)";
        let EngineError::Build(failure) = error(text) else { panic!("not a build failure") };
        assert_eq!(failure.line, Some(2));
        assert_eq!(failure.message, "dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)");
        assert_eq!(located_line("Dockerfile.dev:14\n--------------------\n  14 | >>> RUN x\n--------------------"), Some(14));
    }

    #[test]
    fn an_image_that_is_gone_is_named() {
        let text = "ERROR: failed to build: failed to solve: r.example/deps@sha256:00: failed to resolve source metadata for r.example/deps@sha256:00: r.example/deps@sha256:00: not found";
        assert_eq!(error(text).image(), Some("r.example/deps@sha256:00"));
        assert_eq!(error("ERROR: failed to build: failed to solve: something else").image(), None);
    }

    #[test]
    fn exit_codes_are_found() {
        assert_eq!(exit_code("process \"/bin/sh -c exit 7\" did not complete successfully: exit code: 7"), Some(7));
        assert_eq!(exit_code("exit code: 137: context canceled"), Some(137));
        assert_eq!(exit_code("something else"), None);
    }
}
