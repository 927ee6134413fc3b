//! Flags of instructions.

use super::ParseErrorKind;
use crate::text::did_you_mean;

/// How a flag takes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--link`, `--link=true`, `--link=false`; once.
    Switch,
    /// `--chown=user`; once.
    Text,
    /// `--exclude=a --exclude=b`
    List,
}

/// The flags of one instruction.
#[derive(Debug, Default)]
pub(super) struct Flags {
    given: Vec<(&'static str, String)>,
}

impl Flags {
    /// Checks flags against those that an instruction knows.
    pub(super) fn read(flags: &[String], known: &[(&'static str, Kind)]) -> Result<Self, ParseErrorKind> {
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for flag in flags {
            let flag = flag.strip_prefix("--").unwrap_or(flag);
            let (name, value) = flag.split_once('=').map_or((flag, None), |(name, value)| (name, Some(value)));
            let Some(&(name, kind)) = known.iter().find(|(candidate, _)| *candidate == name) else {
                let suggestion = did_you_mean(name, known.iter().map(|(name, _)| *name)).map(str::to_owned);
                return Err(ParseErrorKind::UnknownFlag { name: name.to_owned(), suggestion });
            };
            if kind != Kind::List && given.iter().any(|(other, _)| *other == name) {
                return Err(ParseErrorKind::RepeatedFlag(name.to_owned()));
            }
            let value = match (kind, value) {
                (Kind::Switch, None) => "true".to_owned(),
                (Kind::Switch, Some("")) | (Kind::Text | Kind::List, None) => {
                    return Err(ParseErrorKind::FlagWithoutValue(name.to_owned()));
                }
                (Kind::Switch, Some(value)) => match value.to_lowercase().as_str() {
                    value @ ("true" | "false") => value.to_owned(),
                    _ => return Err(ParseErrorKind::NotBoolean { flag: name.to_owned(), value: value.to_owned() }),
                },
                (Kind::Text | Kind::List, Some(value)) => value.to_owned(),
            };
            given.push((name, value));
        }
        Ok(Self { given })
    }

    /// The value of a flag; an empty one counts as absent, as in BuildKit.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.list(name).pop().filter(|value| !value.is_empty())
    }

    /// Whether a switch is given and what it says.
    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        self.text(name).map(|value| value == "true")
    }

    /// All values of a flag.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.given.iter().filter(|(given, _)| *given == name).map(|(_, value)| value.clone()).collect()
    }
}
