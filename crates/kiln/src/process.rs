//! The one place that spawns programs.
//!
//! Every child gets its own process group, so that a cancelled build leaves nothing behind: [`Cancel`] is polled while the child
//! runs, and the whole group is terminated, then killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A flag that ends running work: set once (by Ctrl-C), seen by every child that runs.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks all work that holds this flag to end.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether work should end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
