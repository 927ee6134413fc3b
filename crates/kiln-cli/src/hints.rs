//! Ways out, as data: of what an engine lacks, and of what the output of a failed step says.

use kiln::engine::EngineError;

use crate::error::{CommandError, Kind};

/// An engine's failure as a message with its remedy.
pub(crate) fn engine_error(error: &EngineError) -> CommandError {
    let kind = match error {
        EngineError::Interrupted => Kind::Interrupted,
        EngineError::Build(_) => Kind::Build,
        error if error.is_transient() => Kind::Transient,
        _ => Kind::User,
    };
    let remedies: &[&str] = match error {
        EngineError::DockerNotFound { .. } => {
            &["install Docker Engine with buildx, or name the client: `KILN_DOCKER=/path/to/docker kiln build`"]
        }
        EngineError::NotDocker { .. } => &["kiln drives Docker's own client with buildx; `KILN_DOCKER` names another one"],
        EngineError::NotRunning { .. } => &[
            "start it (`systemctl start docker`, or Docker Desktop), or point `DOCKER_HOST` or `docker context use` to one that runs",
        ],
        EngineError::PermissionDenied { .. } => {
            &["join the `docker` group (`sudo usermod -aG docker $USER`, then log in again), or use rootless Docker"]
        }
        EngineError::Unresponsive => &["see whether `docker info` answers; if not, restart the Docker daemon"],
        EngineError::EngineTooOld { .. } => &["upgrade Docker Engine, or use a newer builder with `--builder NAME`"],
        EngineError::BuildxMissing | EngineError::BuildxTooOld { .. } => &[
            "install the `docker-buildx-plugin` package (Debian: `docker-buildx`), or put a newer `docker-buildx` into `~/.docker/cli-plugins`",
        ],
        EngineError::BuilderNotFound { .. } => {
            &["`docker buildx ls` lists the builders; `docker buildx create --name NAME` makes one"]
        }
        EngineError::BuilderUnreachable { .. } => &[
            "`docker buildx ls` shows where it should be, `docker buildx inspect --bootstrap NAME` starts it where that can be done",
        ],
        EngineError::CacheExport => &[
            "turn on the containerd image store: `\"features\": { \"containerd-snapshotter\": true }` in the engine's daemon.json, then restart it (its images of now are hidden until you turn it off again)",
            "or build with a builder of its own: `docker buildx create --driver docker-container --name NAME`, then `kiln build --builder NAME`",
            "or `--cache-to type=inline --push`: the cache is part of the image and has its layers only",
        ],
        EngineError::LocalCache { .. } => &["name another folder: `--cache-to type=local,dest=FOLDER`"],
        EngineError::Registry { .. } => &[
            "try again; if the network needs a proxy, the Docker daemon has its own settings for it",
            "an image that is already in the engine under this name is used without asking the registry",
        ],
        EngineError::DiskFull { .. } => {
            &["`docker system df` shows what takes the space; `docker buildx prune` frees the build cache"]
        }
        EngineError::LayerLost { .. } => &[
            "build again: finished steps are cached. It is a race in the engine's store; `kiln build SERVICE` builds one image at a time",
        ],
        EngineError::Disconnected { .. } => {
            &["see whether the daemon still runs (`docker info`), then build again: finished steps are cached"]
        }
        EngineError::Killed { .. } => &["if the machine ran out of memory, build fewer services at once: `kiln build SERVICE`"],
        EngineError::Nonsense { .. } => {
            &["run `docker buildx build .` by hand to see what it says; `KILN_DOCKER` names another client"]
        }
        EngineError::Tool { .. } => &["name a static Linux kiln with `--tool PATH` or `KILN_TOOL`"],
        EngineError::File { .. } | EngineError::Process(_) | EngineError::Interrupted | EngineError::Build(_) => &[],
    };
    let command_error = CommandError::from_error(kind, error);
    remedies.iter().fold(command_error, |error, remedy| error.hint(*remedy))
}

/// The same of an engine that has answered before: if it is not there now, it went away and may come back.
pub(crate) fn engine_gone(error: EngineError) -> CommandError {
    engine_error(&error.went_away())
}

/// Words in the output of a failed step, and what to do about them.
struct Symptom {
    /// All of one of these must occur, in lower case.
    words: &'static [&'static [&'static str]],
    hint: &'static str,
}

/// Packages were installed, so the registry answers: it is another host that does not.
const ADDON_HOST: &str = "a native addon takes its prebuilt binary, or Node's headers to compile it, from a host other than the registry, and the step cannot reach that one: the output names it; let the engine reach it, or name a mirror in the package manager's configuration";
const NO_NETWORK: &str = "the step has no network: check the engine's DNS and proxy settings, then build again";

const SYMPTOMS: &[Symptom] = &[
    Symptom {
        words: &[&["no space left on device"], &["enospc"]],
        hint: "the disk of the Docker engine is full: `docker system df` shows what takes the space, `docker buildx prune` frees the build cache",
    },
    Symptom {
        words: &[
            &["self-signed certificate in certificate chain"],
            &["self_signed_cert_in_chain"],
            &["unable to get local issuer certificate"],
            &["ssl certificate problem"],
            &["certificate verify failed"],
            &["invalid peer certificate"],
            &["certificate signed by unknown authority"],
        ],
        hint: "the network's own certificate authority is unknown in the image: add its PEM file to `ca-certificates` in kiln.toml, then `kiln init`",
    },
    Symptom {
        words: &[&["could not find directory of openssl"], &["could not find openssl"], &["openssl-sys", "pkg-config"]],
        hint: "a crate needs OpenSSL's headers: `kiln doctor` finds such crates, or add `libssl-dev` and `pkg-config` to the service's build packages in kiln.toml",
    },
    Symptom {
        words: &[
            &["pkg-config exited with status code"],
            &["pkg_config", "could not run"],
            &["the system library", "was not found"],
            &["pkg-config command could not be found"],
        ],
        hint: "a crate needs a system library: add its `-dev` package to the service's build packages in kiln.toml, then `kiln init`",
    },
    Symptom {
        words: &[&["could not find `protoc`"], &["protoc", "not found"]],
        hint: "a crate needs the protobuf compiler: add `protobuf-compiler` to the service's build packages in kiln.toml, then `kiln init`",
    },
    Symptom {
        words: &[&["unable to find libclang"]],
        hint: "bindgen needs libclang: add `libclang-dev` to the service's build packages in kiln.toml, then `kiln init`",
    },
    Symptom {
        words: &[&["linker `cc` not found"], &["failed to find tool", "cc"], &["is `cmake` not installed"]],
        hint: "a crate needs a C toolchain: add `build-essential` (and `cmake`) to the service's build packages in kiln.toml, then `kiln init`",
    },
    Symptom {
        words: &[
            &["sqlx_offline", "no cached data for this query"],
            &["no cached data for this query"],
            &["`database_url` must be set"],
            &["set `database_url` to use query macros online"],
        ],
        hint: "SQLx has no data for a query: `kiln sqlx prepare` writes it (`cargo sqlx prepare --workspace` with a database), then commit `.sqlx`",
    },
    Symptom {
        words: &[
            &["npm error code eusage"],
            &["npm err! code eusage"],
            &["can only install packages when your package.json and package-lock.json"],
        ],
        hint: "package.json and its lockfile disagree: run `npm install` in the package and commit package-lock.json",
    },
    Symptom {
        words: &[
            &["err_pnpm_outdated_lockfile"],
            &["the lockfile would have been modified by this install"],
            &["your lockfile needs to be updated"],
        ],
        hint: "package.json and its lockfile disagree: run the package manager's install and commit the lockfile",
    },
    Symptom {
        words: &[&["npm error code e401"], &["npm err! code e401"], &["e403", "npm"]],
        hint: "the npm registry wants credentials: give the service a secret in kiln.toml, so that `.npmrc` or a token reaches the install step",
    },
    Symptom {
        words: &[
            &["cannot update the lock file", "--locked"],
            &["needs to be updated but --locked was passed"],
            &["the lock file", "--locked"],
        ],
        hint: "Cargo.toml and Cargo.lock disagree: run `cargo check` and commit Cargo.lock",
    },
    Symptom {
        words: &[
            &["prebuild-install", "getaddrinfo"],
            &["prebuild-install", "etimedout"],
            &["prebuild-install", "econnrefused"],
            &["node-pre-gyp", "getaddrinfo"],
            &["node-pre-gyp", "etimedout"],
            &["node-pre-gyp", "econnrefused"],
            &["gyp err!", "getaddrinfo"],
            &["gyp err!", "etimedout"],
            &["gyp err!", "econnrefused"],
        ],
        hint: ADDON_HOST,
    },
    Symptom {
        words: &[
            &["temporary failure resolving"],
            &["could not resolve host"],
            &["eai_again"],
            &["getaddrinfo enotfound"],
            &["failed to lookup address information"],
            &["temporary failure in name resolution"],
            &["spurious network error"],
            &["etimedout"],
        ],
        hint: NO_NETWORK,
    },
    Symptom {
        words: &[
            &["sigkill", "rustc"],
            &["signal: 9"],
            &["exit code: 137"],
            &["cannot allocate memory"],
            &["javascript heap out of memory"],
        ],
        hint: "the build ran out of memory: give the engine more, or build fewer services at once: `kiln build SERVICE`",
    },
    Symptom {
        words: &[&["exec format error"]],
        hint: "a program of another platform was started: check `--platform` and the architecture of the kiln given with `--tool`",
    },
];

/// Hints for a failed instruction, with its text where it is known, and the output of its step; the most telling first; at most two.
pub(crate) fn of_failure(instruction: &str, output: &str) -> Vec<&'static str> {
    let is_missing = output.contains("failed to calculate checksum of ref") && output.contains("not found");
    if !is_missing {
        return of_output(output);
    }
    let words = instruction.to_lowercase();
    let from_stage = words.split_whitespace().any(|word| word.starts_with("--from=") || word.contains(",from="));
    if from_stage {
        vec![
            "the stage or image that it copies from has no such path; where a build script writes to another folder than kiln takes it to, `output = [\"FOLDER\"]` of the service in kiln.toml names it",
        ]
    } else {
        vec!["the file does not exist in the build context, or the ignore file leaves it out"]
    }
}

/// Hints for the output of a failed step, the most telling first; at most two.
fn of_output(text: &str) -> Vec<&'static str> {
    let text = text.to_lowercase();
    let fits = |symptom: &&Symptom| symptom.words.iter().any(|words| words.iter().all(|word| text.contains(word)));
    let mut hints: Vec<&'static str> = SYMPTOMS.iter().filter(fits).map(|symptom| symptom.hint).collect();
    let has_network = hints.contains(&ADDON_HOST);
    hints.retain(|hint| *hint != NO_NETWORK || !has_network);
    hints.truncate(2);
    hints
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_symptoms_have_hints() {
        for (text, word) in [
            ("npm error code EUSAGE\nnpm error `npm ci` can only install packages when", "lockfile"),
            ("error: `SQLX_OFFLINE=true` but there is no cached data for this query", "kiln sqlx prepare"),
            ("  Could not find directory of OpenSSL installation", "libssl-dev"),
            ("write error: No space left on device", "docker system df"),
            ("[28] unable to get local issuer certificate", "ca-certificates"),
            ("process did not complete successfully: exit code: 137", "memory"),
        ] {
            let hints = of_output(text);
            assert!(hints.iter().any(|hint| hint.contains(word)), "{text}: {hints:?}");
        }
        assert!(of_output("error[E0308]: mismatched types").is_empty());
    }

    #[test]
    fn an_addon_whose_host_does_not_answer_is_no_lack_of_network() {
        let output = "npm error prebuild-install warn install getaddrinfo ENOTFOUND github.com\n\
            npm error gyp ERR! stack Error: getaddrinfo ENOTFOUND nodejs.org\n";
        assert_eq!(of_output(output), [ADDON_HOST]);
        assert_eq!(of_output("npm error code ENOTFOUND\nnpm error getaddrinfo ENOTFOUND registry.npmjs.org"), [NO_NETWORK]);
    }

    #[test]
    fn a_missing_file_is_looked_for_where_the_instruction_looks() {
        let message = "failed to calculate checksum of ref x::y: \"/app/dist\": not found";
        let context = of_failure("COPY dist /srv", message);
        let stage = of_failure("COPY --chown=1:1 --from=builder /app/dist/ /srv", message);
        assert!(context[0].contains("build context") && context.len() == 1, "{context:?}");
        assert!(stage[0].contains("stage") && stage[0].contains("output") && stage.len() == 1, "{stage:?}");
        assert!(of_failure("RUN --mount=type=bind,from=builder,source=/x,target=/x true", message)[0].contains("stage"));
        assert!(of_failure("RUN make", "signal: 9")[0].contains("memory"));
    }

    #[test]
    fn words_are_in_lower_case() {
        let words = SYMPTOMS.iter().flat_map(|symptom| symptom.words).copied().flatten();
        for word in words {
            assert_eq!(*word, word.to_lowercase());
        }
    }
}
