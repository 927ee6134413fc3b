//! What is demanded of the results: by flags, else by `kiln.toml`.

use kiln::bench::result::{Rule, Verdict};
use kiln::settings::{At, BenchSettings, FILE_NAME};
use kiln::text::seconds;

use super::Args;

/// A limit, and who set it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Demand {
    limit: f64,
    /// Line in `kiln.toml`; nothing for a flag.
    line: Option<usize>,
}

/// All limits of a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Demands {
    fail_under: Option<Demand>,
    max_seconds: Option<Demand>,
}

impl Demands {
    /// A flag counts more than the settings.
    pub(super) fn new(args: &Args, settings: &BenchSettings) -> Self {
        let one = |flag: Option<f64>, setting: &Option<At<f64>>| {
            let set = setting.as_ref().map(|at| Demand { limit: at.value, line: Some(at.line) });
            flag.map(|limit| Demand { limit, line: None }).or(set)
        };
        Self { fail_under: one(args.fail_under, &settings.fail_under), max_seconds: one(args.max_seconds, &settings.max_seconds) }
    }

    pub(super) fn rules(&self) -> Vec<Rule> {
        let reduction = self.fail_under.map(|demand| Rule::Reduction(demand.limit));
        reduction.into_iter().chain(self.max_seconds.map(|demand| Rule::Seconds(demand.limit))).collect()
    }

    /// Whether the comparison with `naive` is needed.
    pub(super) const fn compares(&self) -> bool {
        self.fail_under.is_some()
    }

    /// Whether the command line asks for a verdict. Settings only judge what is measured anyway.
    pub(super) fn by_flag(&self) -> bool {
        [self.fail_under, self.max_seconds].into_iter().flatten().any(|demand| demand.line.is_none())
    }

    /// Where the limit of a rule stands: `kiln.toml`, or on the command line.
    pub(super) fn place(&self, rule: Rule) -> &'static str {
        if self.demand(rule).is_some_and(|demand| demand.line.is_some()) { FILE_NAME } else { "command line" }
    }

    fn demand(&self, rule: Rule) -> Option<Demand> {
        match rule {
            Rule::Reduction(_) => self.fail_under,
            Rule::Seconds(_) => self.max_seconds,
        }
    }

    /// `` `--fail-under 80` `` or `` `fail-under = 80` (kiln.toml:3) ``
    fn name(&self, rule: Rule) -> String {
        let (name, limit) = match rule {
            Rule::Reduction(limit) => ("fail-under", limit),
            Rule::Seconds(limit) => ("max-seconds", limit),
        };
        match self.demand(rule).and_then(|demand| demand.line) {
            Some(line) => format!("`{name} = {limit}` ({FILE_NAME}:{line})"),
            None => format!("`--{name} {limit}`"),
        }
    }

    /// What rule failed, and by how much; or that it holds.
    pub(super) fn sentence(&self, verdict: &Verdict) -> String {
        let what = format!("`{}` of `{}`", verdict.scenario.name(), verdict.service);
        let rule = self.name(verdict.rule);
        match (verdict.rule, verdict.measured) {
            (Rule::Reduction(_), Some(measured)) if verdict.passed => {
                format!("{what} takes {measured:.1} % off the time of `naive`: {rule} holds")
            }
            (Rule::Reduction(least), Some(measured)) => {
                let missing = least - measured;
                format!("{what} takes {measured:.1} % off the time of `naive`, {missing:.1} points less than {rule} asks for")
            }
            (Rule::Reduction(_), None) => format!("{what} was not measured with `naive`, so {rule} cannot be judged"),
            (Rule::Seconds(_), measured) if verdict.passed => {
                format!("{what} takes {}: {rule} holds", seconds(measured.unwrap_or_default()))
            }
            (Rule::Seconds(most), measured) => {
                let measured = measured.unwrap_or_default();
                format!("{what} takes {}, {} more than {rule} allows", seconds(measured), seconds(measured - most))
            }
        }
    }
}
