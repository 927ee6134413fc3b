//! Cache mounts that the engine's garbage collection takes while they are wanted.

use camino::Utf8Path;

use crate::advice::{Context, Findings, Group, Rule, Severity};
use crate::lifecycle::gc::{Forecast, endangers_mounts, forecast};
use crate::text::bytes;

pub(super) const RULE: Rule = Rule {
    id: "mounts-collected",
    group: Group::Engine,
    severity: Severity::Warning,
    summary: "the engine deletes cache mounts that rest for a few days",
    fixable: false,
    check,
};

fn check(context: &Context<'_>, findings: &mut Findings<'_>) {
    let Some(policy) = &context.collection else { return };
    // How large the cache is now is no matter: it grows.
    let danger = forecast(policy, 0).into_iter().find(|forecast| endangers_mounts(forecast) && !forecast.dormant);
    let Some(Forecast { unused_seconds: Some(seconds), above_bytes, .. }) = danger else { return };
    let mounts = |text: &str| text.contains("type=cache");
    if !context.dockerfiles().iter().any(|dockerfile| mounts(&dockerfile.file.text)) {
        return;
    }
    let above = above_bytes.map_or_else(String::new, |bound| format!(", once its cache is above {}", bytes(bound)));
    let message = format!(
        "the engine removes every cache mount that no build used for {} h{above}: after a weekend the next build compiles and downloads \
         everything again",
        seconds / 3600
    );
    findings.on(Utf8Path::new("kiln.toml"), message).help(
        "`kiln init --gc docker` prints the piece of the engine's daemon.json under which mounts stay up to a bound, `kiln init --gc \
         buildkitd` that of a builder's buildkitd.toml",
    );
}
