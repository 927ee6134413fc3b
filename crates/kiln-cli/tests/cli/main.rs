//! One test binary for the command line.
