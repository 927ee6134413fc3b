//! From values to the text of a Dockerfile.

use std::fmt;

use super::escape::{copy_destination, copy_source, exec, mount_field, value};
use super::{Command, Copy, Dockerfile, Instruction, Mount, Run, Sharing, Stage, Word};

/// What joins the lines of one instruction. Part of a step's cache key, so it never changes with the content around it.
const CONTINUED: &str = " \\\n    ";

impl fmt::Display for Dockerfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        comments(f, &self.comments)?;
        if !self.args.is_empty() {
            writeln!(f)?;
        }
        for (name, default) in &self.args {
            writeln!(f, "ARG {name}={}", value(default))?;
        }
        for stage in &self.stages {
            write!(f, "\n{stage}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        comments(f, &self.comments)?;
        writeln!(f, "FROM {} AS {}", self.from, self.name)?;
        self.instructions.iter().try_for_each(|instruction| writeln!(f, "{instruction}"))
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Comment(text) => write!(f, "# {text}"),
            Self::Run(run) => run.fmt(f),
            Self::Copy(copy) => copy.fmt(f),
            Self::File { destination, text } => {
                let end = delimiter(text);
                write!(f, "COPY <<\"{end}\" {destination}\n{}\n{end}", text.trim_end_matches('\n'))
            }
            Self::Env(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(name, word)| format!("{name}={word}")).collect();
                write!(f, "ENV {}", pairs.join(CONTINUED))
            }
            Self::Arg(name, default) if default.is_empty() => write!(f, "ARG {name}"),
            Self::Arg(name, default) => write!(f, "ARG {name}={}", value(default)),
            Self::Workdir(path) => write!(f, "WORKDIR {}", value(path)),
            Self::User(user) => write!(f, "USER {user}"),
            Self::Expose(port) => write!(f, "EXPOSE {port}"),
            Self::StopSignal(signal) => write!(f, "STOPSIGNAL {signal}"),
            Self::Healthcheck { command, start_period } => {
                write!(
                    f,
                    "HEALTHCHECK --interval=10s --timeout=3s --start-period={start_period}s{CONTINUED}CMD {}",
                    exec(command)
                )
            }
            Self::Entrypoint(command) => write!(f, "ENTRYPOINT {}", exec(command)),
            Self::Cmd(command) => write!(f, "CMD {}", exec(command)),
            Self::Label(name, text) => write!(f, "LABEL {name}={}", value(text)),
        }
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(text) if text.is_empty() => f.write_str("\"\""),
            Self::Literal(text) => f.write_str(&value(text)),
            Self::Variable(name) => write!(f, "${{{name}}}"),
        }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RUN ")?;
        for mount in &self.mounts {
            write!(f, "{mount}{CONTINUED}")?;
        }
        match &self.command {
            Command::Shell(lines) => f.write_str(&lines.join(CONTINUED)),
            Command::Exec(words) => f.write_str(&exec(words)),
            Command::Heredoc(script) => {
                let end = delimiter(script);
                write!(f, "<<\"{end}\"\n{}\n{end}", script.trim_end_matches('\n'))
            }
        }
    }
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = Vec::new();
        match self {
            Self::Bind { from, source, target, writable } => {
                fields.push("type=bind".to_owned());
                fields.extend(from.as_ref().map(|from| mount_field("from", from)));
                fields.push(mount_field("source", source));
                fields.push(mount_field("target", target));
                fields.extend(writable.then(|| "rw".to_owned()));
            }
            Self::Cache { id, target, sharing } => {
                fields.extend(["type=cache".to_owned(), mount_field("id", id), mount_field("target", target)]);
                fields.extend((*sharing == Sharing::Locked).then(|| "sharing=locked".to_owned()));
            }
            Self::Secret { id, target, required } => {
                fields.extend(["type=secret".to_owned(), mount_field("id", id)]);
                fields.extend(target.as_ref().map(|target| mount_field("target", target)));
                fields.extend(required.then(|| "required=true".to_owned()));
            }
            Self::Tmpfs { target } => fields.extend(["type=tmpfs".to_owned(), mount_field("target", target)]),
        }
        write!(f, "--mount={}", fields.join(","))
    }
}

impl fmt::Display for Copy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("COPY ")?;
        if let Some(from) = &self.from {
            write!(f, "--from={from} ")?;
        }
        if self.link {
            f.write_str("--link ")?;
        }
        if let Some(owner) = &self.chown {
            write!(f, "--chown={owner} ")?;
        }
        if let Some(mode) = &self.chmod {
            write!(f, "--chmod={mode} ")?;
        }
        let mut words: Vec<String> = self.sources.iter().map(|source| copy_source(source.as_str())).collect();
        words.push(copy_destination(&self.destination));
        if words.iter().any(|word| word.contains(|c: char| c.is_whitespace() || c == '"' || c == '\'')) {
            f.write_str(&exec(&words))
        } else {
            f.write_str(&words.join(" "))
        }
    }
}

fn comments(f: &mut fmt::Formatter<'_>, lines: &[String]) -> fmt::Result {
    lines.iter().try_for_each(|line| if line.is_empty() { writeln!(f, "#") } else { writeln!(f, "# {line}") })
}

/// A heredoc delimiter that is no line of the text.
fn delimiter(text: &str) -> String {
    let mut end = "EOF".to_owned();
    while text.lines().any(|line| line.trim() == end) {
        end.push('F');
    }
    end
}
