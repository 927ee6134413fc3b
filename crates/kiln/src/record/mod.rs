//! Remember: one JSON Lines file per build.
