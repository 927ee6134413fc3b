//! Arithmetic on relative paths: everything in a plan is relative, to the project root or to a context.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The folder of an image in which its program runs, and to which paths of the repository that go into an image are relative. It holds what the
/// program needs besides itself: assets, a Node package with its modules, and in development images the sources.
pub(crate) const APP: &str = "/app";
/// The sources of a Rust service, in images that hold or see all of them below [`APP`].
pub(crate) const APP_SOURCES: &str = "/app/src";
/// What cargo made of [`APP_SOURCES`]: outside of them, so that no copy of sources can touch it.
pub(crate) const APP_TARGET: &str = "/app/target";

/// A path without `.` and with `..` resolved against what stands before it; `.` when nothing is left.
/// Leading `..` stay.
pub(super) fn normal(path: &Utf8Path) -> Utf8PathBuf {
    let mut parts: Vec<&str> = Vec::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if parts.last().is_some_and(|part| *part != "..") => {
                parts.pop();
            }
            component => parts.push(component.as_str()),
        }
    }
    if parts.is_empty() { ".".into() } else { parts.iter().collect() }
}

/// `base` and then `path`, normalised.
pub(crate) fn join(base: &Utf8Path, path: &Utf8Path) -> Utf8PathBuf {
    normal(&base.join(path))
}

/// `path` as seen from `base`, where both are relative to the same folder; `None` when it lies outside.
pub(super) fn relative(path: &Utf8Path, base: &Utf8Path) -> Option<Utf8PathBuf> {
    let (path, base) = (normal(path), normal(base));
    if base == "." {
        return (!path.starts_with("..")).then_some(path);
    }
    path.strip_prefix(&base).ok().map(|rest| if rest.as_str().is_empty() { ".".into() } else { rest.to_owned() })
}

/// The nearest folder that holds both.
pub(super) fn common(a: &Utf8Path, b: &Utf8Path) -> Utf8PathBuf {
    let (a, b) = (normal(a), normal(b));
    let shared: Utf8PathBuf = a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    if shared.as_str().is_empty() { ".".into() } else { shared }
}

/// Whether `path` is `folder` or lies in it.
pub(super) fn is_within(path: &Utf8Path, folder: &Utf8Path) -> bool {
    relative(path, folder).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_normalised() {
        for (path, expected) in
            [("a/./b", "a/b"), ("a/../b", "b"), ("a/..", "."), (".", "."), ("../a", "../a"), ("a/../../b", "../b")]
        {
            assert_eq!(normal(Utf8Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn the_common_folder_holds_both() {
        for (a, b, expected) in [("a/b", "a/c", "a"), ("a/b", "a/b", "a/b"), ("a", "b", "."), (".", "a", "."), ("a/b", "a", "a")]
        {
            assert_eq!(common(Utf8Path::new(a), Utf8Path::new(b)), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_path_is_seen_from_a_folder_that_holds_it() {
        for (path, base, expected) in
            [("a/b", "a", Some("b")), ("a", "a", Some(".")), ("a", ".", Some("a")), ("ab", "a", None), ("../a", ".", None)]
        {
            assert_eq!(relative(Utf8Path::new(path), Utf8Path::new(base)), expected.map(Utf8PathBuf::from), "{path} {base}");
        }
    }
}
