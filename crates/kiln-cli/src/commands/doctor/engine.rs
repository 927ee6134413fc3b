//! What the engine does by itself. It is asked beside everything else, and one that does not answer at once is not waited for: doctor works
//! without an engine.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use kiln::advice::{Group, Selection, rules};
use kiln::engine::{Buildx, GcPolicy};

use crate::commands::Context;
use crate::env_vars;

/// How long an answer is waited for, from the question on.
const LIMIT: Duration = Duration::from_secs(1);
/// How long the client may work for it: it has to be gone before kiln is.
const WORK: Duration = Duration::from_millis(900);

/// A question under way.
#[derive(Debug)]
pub(super) struct Question {
    answer: Receiver<Option<GcPolicy>>,
    asked: Instant,
}

impl Question {
    /// Asks, if a rule wants to know.
    pub(super) fn ask(context: &Context, selection: &Selection) -> Option<Self> {
        let mut wanted = rules::all().filter(|rule| rule.group == Group::Engine);
        if !wanted.any(|rule| selection.rules.is_empty() || selection.rules.contains(rule.id)) {
            return None;
        }
        let docker = env_vars::docker();
        let engine = Buildx::new(context.project.join(".kiln")).docker(docker).builder(env_vars::read(env_vars::BUILDER));
        let engine = engine.cancel(context.cancel.child());
        let (sender, answer) = mpsc::channel();
        thread::spawn(move || {
            // Who asked may have gone on.
            let _ = sender.send(engine.gc_policy_in_effect(WORK).ok());
        });
        Some(Self { answer, asked: Instant::now() })
    }

    /// What it said, if it did in time.
    pub(super) fn answer(self) -> Option<GcPolicy> {
        self.answer.recv_timeout(LIMIT.saturating_sub(self.asked.elapsed())).ok().flatten()
    }
}
