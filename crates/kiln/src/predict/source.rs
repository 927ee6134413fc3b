//! Which steps have a part in what is read from a stage.
//!
//! A file instruction writes at its destination and nowhere else. What lies elsewhere is what the step before it left, and BuildKit, which
//! goes by the content of what is read, finds it to be so. Names are taken at their word: links that all distributions have are followed
//! here, and where a program may have made one nothing is said.

use super::operation::Operation;
use crate::context::Selector;
use crate::dockerfile::evaluate::EvaluatedStep;

/// What a step does to what selectors choose from the files below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// It leaves that as it was.
    None,
    /// It puts files there, by its operation and what it reads, and nothing else decides about it.
    Files,
    /// More decides about it: a program, or names of users, which are in other files.
    Any,
}

/// What a step does to what selectors choose from the files below it.
pub(super) fn effect(operation: &Operation, selectors: &[Selector]) -> Effect {
    let target = match operation.kind.as_str() {
        "copy" | "add" => operation.words.last(),
        "workdir" => operation.words.first(),
        _ => None,
    };
    let Some(target) = target.map(|target| real(target)) else { return Effect::Any };
    let is_apart = |selector: &Selector| {
        let path = real(literal(selector));
        !path.starts_with(&target) && !target.starts_with(&path)
    };
    let by_number = |owner: &str| owner.chars().all(|c| c.is_ascii_digit() || c == ':');
    if selectors.iter().all(is_apart) {
        Effect::None
    } else if by_number(&operation.user) && operation.flags.iter().filter_map(|flag| flag.strip_prefix("chown ")).all(by_number) {
        Effect::Files
    } else {
        Effect::Any
    }
}

/// Whether a program may make links by which a path leads to another place: its command says so. What scripts do is not looked at.
pub(super) fn makes_links(step: &EvaluatedStep) -> bool {
    let script = step.script.as_ref().map(|script| script.text.as_str());
    let texts = step.argv.iter().map(String::as_str).chain(script);
    let words =
        |text: &'_ str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == "ln" || word.contains("link"));
    texts.into_iter().any(words)
}

/// The part of a source before its wildcards.
fn literal(selector: &Selector) -> &str {
    if !selector.wildcard {
        return &selector.path;
    }
    let end = selector.path.find(['*', '?', '[', '\\']).unwrap_or(selector.path.len());
    selector.path[..end].rsplit_once('/').map_or("", |(folders, _)| folders)
}

/// A path in parts, without the links of distributions: `/bin` is `/usr/bin`, `/var/run` is `/run`.
fn real(path: &str) -> Vec<String> {
    let clean = Selector::new(path, false).path;
    let mut parts: Vec<&str> = clean.split('/').filter(|part| !part.is_empty()).collect();
    let is_library = |part: &str| part == "lib" || ["lib32", "lib64", "libx32", "libo32"].contains(&part);
    if parts.first().is_some_and(|part| matches!(*part, "bin" | "sbin") || is_library(part)) {
        parts.insert(0, "usr");
    }
    match parts.as_mut_slice() {
        ["usr", part @ "sbin", ..] => *part = "bin",
        ["usr", part, ..] if is_library(part) => *part = "lib",
        ["usr", first @ "tmp", ..] => {
            *first = "tmp";
            parts[0] = "var";
        }
        ["var", "run", ..] => drop(parts.remove(0)),
        ["var", "lock", ..] => parts[0] = "run",
        _ => {}
    }
    parts.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::real;

    #[test]
    fn links_of_distributions_are_followed() {
        for (path, expected) in [
            ("/bin/x", "usr/bin/x"),
            ("/usr/sbin", "usr/bin"),
            ("/lib64/a", "usr/lib/a"),
            ("/var/run/x", "run/x"),
            ("/var/lock", "run/lock"),
            ("/usr/tmp/x", "var/tmp/x"),
            ("/libs", "libs"),
            ("/", ""),
        ] {
            assert_eq!(real(path).join("/"), expected, "{path}");
        }
    }
}
