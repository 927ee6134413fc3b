//! What happens during a build: the only link between an engine and its readers.
