//! Names of steps: `[linux/amd64 builder 2/5] RUN make` taken apart.

use std::fmt;

/// How the name of a [`StepKind::CacheImport`] begins.
pub const IMPORTING: &str = "importing cache manifest from ";
/// How the name of a [`StepKind::CacheExport`] begins.
pub const EXPORTING: &str = "exporting cache to ";

/// What a step is, by its name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StepName {
    /// What kind of step.
    pub kind: StepKind,
    /// What it does, without the bracket: `RUN make`, `load build context`, `exporting to image`.
    pub text: String,
}

/// Kinds of steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StepKind {
    /// An instruction of the Dockerfile: `[builder 2/5] RUN make`.
    Stage {
        /// Platform, in builds for several.
        platform: Option<String>,
        /// Name of the stage; `stage-N` is BuildKit's own for one without; absent where the Dockerfile has one stage only.
        stage: Option<String>,
        /// Which of the stage's steps, from 1.
        index: u32,
        /// How many the stage has.
        total: u32,
    },
    /// `[internal] load build context` and the like.
    Internal,
    /// `[context NAME] load from client`.
    Context {
        /// Name of the context.
        name: String,
    },
    /// `importing cache manifest from NAME`: a cache outside of the engine. One that fails stops no build.
    CacheImport {
        /// Name of the cache, as BuildKit has it.
        from: String,
    },
    /// `exporting cache to …`
    CacheExport,
    /// Everything else: exports of images, authentication.
    #[default]
    Other,
}

impl StepName {
    /// Takes a name apart. Whatever has no known form is [`StepKind::Other`].
    #[must_use]
    pub fn parse(name: &str) -> Self {
        let whole = |kind| Self { kind, text: name.to_owned() };
        if let Some(from) = name.strip_prefix(IMPORTING) {
            return whole(StepKind::CacheImport { from: from.to_owned() });
        }
        if name.starts_with(EXPORTING) {
            return whole(StepKind::CacheExport);
        }
        let other = || whole(StepKind::Other);
        let Some((bracket, text)) = name.strip_prefix('[').and_then(|rest| rest.split_once("] ")) else { return other() };
        // What `COPY --link` copied is laid over what was there before, in a step of its own under the number of the copy.
        if text.starts_with("LINK ") {
            return other();
        }
        let kind = if bracket == "internal" {
            StepKind::Internal
        } else if let Some(name) = bracket.strip_prefix("context ") {
            StepKind::Context { name: name.to_owned() }
        } else if let Some(stage) = parse_stage(bracket) {
            stage
        } else {
            return other();
        };
        Self { kind, text: text.trim().to_owned() }
    }

    /// The instruction's keyword in capitals, for steps of the Dockerfile.
    #[must_use]
    pub fn keyword(&self) -> Option<String> {
        let is_stage = matches!(self.kind, StepKind::Stage { .. });
        self.text.split_whitespace().next().filter(|_| is_stage).map(str::to_ascii_uppercase)
    }

    /// Whether it is a base image.
    #[must_use]
    pub fn is_from(&self) -> bool {
        self.keyword().is_some_and(|keyword| keyword == "FROM")
    }

    /// Name of the stage, for steps of the Dockerfile; `stage-0` where BuildKit leaves it out.
    #[must_use]
    pub fn stage(&self) -> Option<&str> {
        match &self.kind {
            StepKind::Stage { stage, .. } => Some(stage.as_deref().unwrap_or("stage-0")),
            _ => None,
        }
    }

    /// Index and total within the stage.
    #[must_use]
    pub const fn position(&self) -> Option<(u32, u32)> {
        match self.kind {
            StepKind::Stage { index, total, .. } => Some((index, total)),
            _ => None,
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            StepKind::Stage { platform, stage, index, total } => {
                f.write_str("[")?;
                for part in [platform, stage].into_iter().flatten() {
                    write!(f, "{part} ")?;
                }
                write!(f, "{index}/{total}] {}", self.text)
            }
            StepKind::Internal => write!(f, "[internal] {}", self.text),
            StepKind::Context { name } => write!(f, "[context {name}] {}", self.text),
            StepKind::CacheImport { .. } | StepKind::CacheExport | StepKind::Other => f.write_str(&self.text),
        }
    }
}

fn parse_stage(bracket: &str) -> Option<StepKind> {
    let (head, last) = bracket.rsplit_once(' ').unwrap_or(("", bracket));
    let (index, total) = last.split_once('/')?;
    let (index, total) = (index.parse().ok()?, total.parse().ok()?);
    let mut parts = head.split_whitespace().map(str::to_owned);
    let (platform, stage) = match (parts.next(), parts.next()) {
        (Some(platform), Some(stage)) => (Some(platform), Some(stage)),
        (Some(only), None) if only.contains('/') => (Some(only), None),
        (stage, _) => (None, stage),
    };
    Some(StepKind::Stage { platform, stage, index, total })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let stage = |platform: Option<&str>, stage: Option<&str>, index, total| StepKind::Stage {
            platform: platform.map(str::to_owned),
            stage: stage.map(str::to_owned),
            index,
            total,
        };
        for (name, kind, text) in [
            ("[builder 2/5] RUN make", stage(None, Some("builder"), 2, 5), "RUN make"),
            ("[2/5] RUN make", stage(None, None, 2, 5), "RUN make"),
            ("[ 2/12] RUN make", stage(None, None, 2, 12), "RUN make"),
            ("[stage-4  2/12] COPY a] b", stage(None, Some("stage-4"), 2, 12), "COPY a] b"),
            ("[linux/arm64 builder 1/1] RUN x", stage(Some("linux/arm64"), Some("builder"), 1, 1), "RUN x"),
            ("[linux/amd64->arm64 1/1] RUN x", stage(Some("linux/amd64->arm64"), None, 1, 1), "RUN x"),
            ("[internal] load build context", StepKind::Internal, "load build context"),
            ("[context kiln] load from client", StepKind::Context { name: "kiln".to_owned() }, "load from client"),
            ("exporting to image", StepKind::Other, "exporting to image"),
            ("[auth] library/debian:pull token", StepKind::Other, "[auth] library/debian:pull token"),
            (
                "importing cache manifest from r.example/c:main",
                StepKind::CacheImport { from: "r.example/c:main".to_owned() },
                "importing cache manifest from r.example/c:main",
            ),
            ("exporting cache to registry", StepKind::CacheExport, "exporting cache to registry"),
            ("LINK COPY --link a b", StepKind::Other, "LINK COPY --link a b"),
            ("[s 2/3] LINK COPY --link a b", StepKind::Other, "[s 2/3] LINK COPY --link a b"),
            ("", StepKind::Other, ""),
        ] {
            assert_eq!(StepName::parse(name), StepName { kind, text: text.to_owned() }, "{name}");
        }
    }

    #[test]
    fn from_is_recognised() {
        assert!(StepName::parse("[base 1/2] FROM docker.io/library/debian").is_from());
        assert!(!StepName::parse("FROM nowhere").is_from());
    }
}
