//! The files that `kiln init` writes: rendering, headers with a hash of the body, and what to do with edited ones.
