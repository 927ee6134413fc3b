//! Paths of a context: which lie in which folder, and where links lead.

use super::Entry;

/// How many links are followed on the way to a path, as in BuildKit.
const MAX_LINKS: usize = 255;

/// Where a path leads once links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Resolved {
    /// A path without links; empty for the root.
    pub(super) path: String,
    /// The links on the way.
    pub(super) through: Vec<String>,
    /// Whether it is that of a folder.
    pub(super) is_folder: bool,
    /// Whether the path goes on below a file that stands for a folder of which nothing is known. It ends at that file.
    pub(super) goes_on: bool,
}

/// Whether a path is a folder or lies in it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Follows links on the way to a path and at its end, with `get` to tell what stands at one. `None` where there is nothing, or a loop, or
/// where the path goes on below a file, unless the file is one that `hides` more.
pub(super) fn resolve<'a>(
    path: &str,
    get: impl Fn(&str) -> Option<&'a Entry>,
    hides: impl Fn(&Entry) -> bool,
) -> Option<Resolved> {
    let mut through = Vec::new();
    let mut done: Vec<String> = Vec::new();
    let mut open: Vec<String> = path.split('/').rev().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    let mut is_folder = true;
    while let Some(part) = open.pop() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                done.pop();
                is_folder = true;
                continue;
            }
            _ => done.push(part),
        }
        let here = done.join("/");
        match get(&here)? {
            Entry::Link { target } => {
                through.push(here);
                if through.len() > MAX_LINKS {
                    return None;
                }
                done.pop();
                if target.starts_with('/') {
                    done.clear();
                }
                open.extend(target.split('/').rev().map(str::to_owned));
            }
            Entry::Folder => is_folder = true,
            file @ Entry::File { .. } if open.iter().any(|part| !part.is_empty() && part != ".") => {
                return hides(file).then_some(Resolved { path: here, through, is_folder: false, goes_on: true });
            }
            Entry::File { .. } => is_folder = false,
        }
    }
    Some(Resolved { path: done.join("/"), through, is_folder, goes_on: false })
}
