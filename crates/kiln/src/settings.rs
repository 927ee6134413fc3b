//! `kiln.toml`: what a person decided, typed, each value with the line it stands on.
