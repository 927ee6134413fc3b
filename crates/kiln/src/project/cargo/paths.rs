//! Paths by their letters only: cargo does not resolve symbolic links when it relates packages, and neither does kiln.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

/// The path without `.` and `..`, as far as the letters allow.
pub(crate) fn normalize(path: &Utf8Path) -> Utf8PathBuf {
    let mut normal = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => match normal.components().next_back() {
                Some(Utf8Component::Normal(_)) => {
                    normal.pop();
                }
                Some(Utf8Component::RootDir | Utf8Component::Prefix(_)) => {}
                _ => normal.push(".."),
            },
            other => normal.push(other.as_str()),
        }
    }
    normal
}

/// The way from folder `from` to `to`, both absolute and normal; `.` when they are the same.
pub(crate) fn relative(from: &Utf8Path, to: &Utf8Path) -> Utf8PathBuf {
    if let Ok(below) = to.strip_prefix(from) {
        return if below.as_str().is_empty() { Utf8PathBuf::from(".") } else { below.to_owned() };
    }
    let common = from.components().zip(to.components()).take_while(|(left, right)| left == right).count();
    let mut way = Utf8PathBuf::new();
    for _ in from.components().skip(common) {
        way.push("..");
    }
    for component in to.components().skip(common) {
        way.push(component.as_str());
    }
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_related_by_their_letters() {
        for (from, to, expected) in [
            ("/a/b", "/a/b", "."),
            ("/a/b", "/a/b/c/d", "c/d"),
            ("/a/b", "/a", ".."),
            ("/a/b", "/a/c/d", "../c/d"),
            ("/a/b/c", "/x", "../../../x"),
        ] {
            assert_eq!(relative(from.into(), to.into()), expected, "{from} {to}");
        }
        for (path, expected) in
            [("/a/./b/../c", "/a/c"), ("/../a", "/a"), ("a/../../b", "../b"), ("./a/", "a"), ("/a/b/..", "/a")]
        {
            assert_eq!(normalize(path.into()), expected, "{path}");
        }
    }
}
