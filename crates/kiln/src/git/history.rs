//! A line of commits, and what each changed.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::objects::Named;
use super::{GitError, Node, NodeKind, Objects, Repository};
use crate::context::ContentId;
use crate::process::Cancel;

/// How many neighbouring commits one thread takes at a time: the trees of neighbours are stored as differences from each other.
const TOGETHER: usize = 16;
/// Deeper folders are no repository that anybody builds.
const DEEPEST: usize = 200;

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its id.
    pub id: ContentId,
    /// Its files.
    pub tree: ContentId,
    /// Its parents, the first one being the branch that it was made on.
    pub parents: Vec<ContentId>,
    /// When it was made, in seconds after 1970.
    pub time: i64,
    /// First line of its message.
    pub subject: String,
}

/// A file that a commit changed; folders are not listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Path from the root of the repository.
    pub path: String,
    /// What is there after the commit.
    pub after: Option<Node>,
    /// Target of a link that is there after the commit.
    pub target: Option<String>,
}

/// Commits, the oldest first, with what each changed.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The commits. Before the first there is nothing, and its changes are all its files.
    pub commits: Vec<Commit>,
    /// What each commit changed.
    pub changes: Vec<Vec<Change>>,
}

impl History {
    /// Reads the latest commits of a range along first parents, with one more before them to compare with, where there is one.
    ///
    /// # Errors
    /// An unknown range, and objects that cannot be read.
    pub fn read(repository: &Repository, range: &str, limit: usize, cancel: &Cancel) -> Result<Self, GitError> {
        let mut ids = repository.list(range, limit, cancel)?;
        ids.reverse();
        let objects = &repository.objects;
        let mut commits = in_parallel(objects, ids.len(), cancel, |objects, at| commit(objects, ids[at]))?;
        // A shallow clone lacks it.
        if let Some(before) = commits.first().and_then(|first| first.parents.first())
            && let Ok(before) = commit(objects, *before)
        {
            commits.insert(0, before);
        }
        let changes = in_parallel(objects, commits.len(), cancel, |objects, at| {
            changes(objects, at.checked_sub(1).map(|before| commits[before].tree), Some(commits[at].tree))
        })?;
        Ok(Self { commits, changes })
    }
}

/// Reads a commit.
///
/// # Errors
/// An object that is not there, or is none.
pub(super) fn commit(objects: &Objects, id: ContentId) -> Result<Commit, GitError> {
    let text = objects.commit(id)?;
    let (head, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let fields = |name: &'static str| head.lines().filter_map(move |line| line.strip_prefix(name));
    let tree = fields("tree ").next().and_then(ContentId::parse);
    let tree = tree.ok_or_else(|| GitError::Object { id, why: "it names no tree".to_owned() })?;
    let time = fields("committer ").next().and_then(|line| line.rsplit(' ').nth(1)?.parse().ok()).unwrap_or_default();
    let parents = fields("parent ").filter_map(ContentId::parse).collect();
    Ok(Commit { id, tree, parents, time, subject: message.lines().next().unwrap_or_default().to_owned() })
}

/// The files that differ between two trees. Folders that are the same in both are not looked into.
///
/// # Errors
/// Objects that cannot be read.
pub(super) fn changes(objects: &Objects, before: Option<ContentId>, after: Option<ContentId>) -> Result<Vec<Change>, GitError> {
    let mut changes = Vec::new();
    let mut buffer = Vec::new();
    let mut open = vec![(String::new(), before, after, 0)];
    while let Some((folder, before, after, depth)) = open.pop() {
        if before == after || depth > DEEPEST {
            continue;
        }
        let mut read = |id: Option<ContentId>| id.map_or(Ok(Vec::new()), |id| objects.tree(id, &mut buffer));
        let (before, after) = (read(before)?, read(after)?);
        for (name, before, after) in pairs(&before, &after) {
            if before == after {
                continue;
            }
            let path = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
            let tree = |node: Option<Node>| node.filter(|node| node.kind == NodeKind::Folder).map(|node| node.id);
            let file = |node: Option<Node>| node.filter(|node| node.kind != NodeKind::Folder);
            if tree(before).is_some() || tree(after).is_some() {
                open.push((path.clone(), tree(before), tree(after), depth + 1));
            }
            if file(before).is_some() || file(after).is_some() {
                let after = file(after);
                let target = after.filter(|node| node.kind == NodeKind::Link).map(|node| objects.link(node.id)).transpose()?;
                changes.push(Change { path, after, target });
            }
        }
    }
    Ok(changes)
}

/// Names of two trees side by side.
fn pairs<'a>(before: &'a [Named], after: &'a [Named]) -> Vec<(&'a str, Option<Node>, Option<Node>)> {
    // Git sorts folders as if their names ended with a slash: the same name may stand in different places.
    let sorted = |names: &'a [Named]| {
        let mut names: Vec<&Named> = names.iter().collect();
        names.sort_by(|a, b| a.name.cmp(&b.name));
        names
    };
    let (before, after) = (sorted(before), sorted(after));
    let (mut left, mut right) = (before.iter().peekable(), after.iter().peekable());
    let mut pairs = Vec::with_capacity(after.len());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(left), Some(right)) => left.name.cmp(&right.name),
        };
        let before = if order.is_le() { left.next() } else { None };
        let after = if order.is_ge() { right.next() } else { None };
        let name = before.or(after).map_or("", |named| named.name.as_str());
        pairs.push((name, before.map(|named| named.node), after.map(|named| named.node)));
    }
}

/// Does some work for each number on all processors, each with its own reader; the results are in order.
fn in_parallel<T: Send>(
    objects: &Objects,
    number: usize,
    cancel: &Cancel,
    work: impl Fn(&Objects, usize) -> Result<T, GitError> + Sync,
) -> Result<Vec<T>, GitError> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(number.div_ceil(TOGETHER)).max(1);
    let next = AtomicUsize::new(0);
    let worker = |objects: Objects| -> Result<Vec<(usize, T)>, GitError> {
        let mut done = Vec::new();
        loop {
            let begin = next.fetch_add(TOGETHER, Ordering::Relaxed);
            if begin >= number {
                return Ok(done);
            }
            for at in begin..(begin + TOGETHER).min(number) {
                if cancel.is_set() {
                    return Err(crate::process::ProcessError::Cancelled { program: "git".to_owned() }.into());
                }
                done.push((at, work(&objects, at)?));
            }
        }
    };
    let worker = &worker;
    let found: Vec<Result<Vec<(usize, T)>, GitError>> = std::thread::scope(|scope| {
        let copies: Vec<Objects> = (1..threads).map(|_| objects.clone()).collect();
        let workers: Vec<_> = copies.into_iter().map(|objects| scope.spawn(move || worker(objects))).collect();
        let mut found = vec![worker(objects.clone())];
        found.extend(workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))));
        found
    });
    let mut all = Vec::with_capacity(number);
    for part in found {
        all.extend(part?);
    }
    all.sort_by_key(|(at, _)| *at);
    Ok(all.into_iter().map(|(_, value)| value).collect())
}
