//! What the engine does by itself. It is asked beside everything else, and one that does not answer at once is not waited for: doctor works
//! without an engine. Only who names such a rule waits for the answer.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use kiln::advice::{Group, Selection, rules};
use kiln::engine::{Buildx, GcPolicy};

use crate::commands::Context;
use crate::env_vars;

/// How long an answer is waited for, from the question on.
const LIMIT: Duration = Duration::from_secs(1);
/// The same where a rule about the engine is named.
const LONG_LIMIT: Duration = Duration::from_secs(15);
/// How much sooner the client has to be done: it has to be gone before kiln is.
const BEFORE: Duration = Duration::from_millis(100);

/// A question under way.
#[derive(Debug)]
pub(super) struct Question {
    answer: Receiver<Option<GcPolicy>>,
    asked: Instant,
    /// Whether a rule that wants to know was named.
    named: bool,
}

impl Question {
    /// Asks, if a rule wants to know.
    pub(super) fn ask(context: &Context, selection: &Selection) -> Option<Self> {
        let named = rules::all().any(|rule| rule.group == Group::Engine && selection.rules.contains(rule.id));
        if !named && !selection.rules.is_empty() {
            return None;
        }
        let docker = env_vars::docker();
        let engine = Buildx::new(context.project.join(".kiln")).docker(docker).builder(env_vars::read(env_vars::BUILDER));
        let engine = engine.cancel(context.cancel.child());
        let (sender, answer) = mpsc::channel();
        thread::spawn(move || {
            // Who asked may have gone on.
            let _ = sender.send(engine.gc_policy_in_effect(limit(named) - BEFORE).ok());
        });
        Some(Self { answer, asked: Instant::now(), named })
    }

    /// What it said, if it did in time.
    pub(super) fn answer(self, context: &Context) -> Option<GcPolicy> {
        let policy = self.answer.recv_timeout(limit(self.named).saturating_sub(self.asked.elapsed())).ok().flatten();
        if policy.is_none() && self.named {
            context.ui.warn("no engine answers, so what it deletes by itself is not known");
        }
        policy
    }
}

const fn limit(named: bool) -> Duration {
    if named { LONG_LIMIT } else { LIMIT }
}
