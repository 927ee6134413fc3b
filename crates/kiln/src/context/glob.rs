//! Wildcards of `COPY` and `ADD` sources: Go's `path.Match`, which is not the matcher of ignore files (`**` means no more than `*`).

/// Whether a source holds a wildcard at all.
pub(super) fn has_wildcard(path: &str) -> bool {
    let mut characters = path.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => drop(characters.next()),
            '*' | '?' | '[' => return true,
            _ => {}
        }
    }
    false
}

/// Whether the pattern matches the whole path. A pattern that is not valid matches nothing.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
    // The positions behind the latest `*`: where to go on from when what follows it does not match.
    let mut retry: Option<(usize, usize)> = None;
    let (mut at, mut position) = (0, 0);
    loop {
        if at < pattern.len() && pattern[at] == '*' {
            at += 1;
            retry = Some((at, position));
            continue;
        }
        if position == path.len() && at == pattern.len() {
            return true;
        }
        if position < path.len()
            && let Some(next) = one(&pattern, at, path[position])
        {
            at = next;
            position += 1;
            continue;
        }
        match retry {
            // A star takes one character more, but no slash.
            Some((after, taken)) if taken < path.len() && path[taken] != '/' => {
                retry = Some((after, taken + 1));
                (at, position) = (after, taken + 1);
            }
            _ => return false,
        }
    }
}

/// Matches one character; gives where the pattern goes on.
fn one(pattern: &[char], at: usize, character: char) -> Option<usize> {
    match *pattern.get(at)? {
        '?' => (character != '/').then_some(at + 1),
        '[' => class(pattern, at + 1, character),
        '\\' => (*pattern.get(at + 1)? == character).then_some(at + 2),
        literal => (literal == character).then_some(at + 1),
    }
}

fn class(pattern: &[char], mut at: usize, character: char) -> Option<usize> {
    let negated = pattern.get(at) == Some(&'^');
    at += usize::from(negated);
    let (mut found, mut ranges) = (false, 0);
    while *pattern.get(at)? != ']' || ranges == 0 {
        let (low, next) = bound(pattern, at)?;
        at = next;
        let mut high = low;
        if *pattern.get(at)? == '-' {
            (high, at) = bound(pattern, at + 1)?;
        }
        found |= (low..=high).contains(&character);
        ranges += 1;
    }
    (found != negated && character != '/').then_some(at + 1)
}

fn bound(pattern: &[char], at: usize) -> Option<(char, usize)> {
    match *pattern.get(at)? {
        '-' | ']' => None,
        '\\' => Some((*pattern.get(at + 1)?, at + 2)),
        literal => Some((literal, at + 1)),
    }
}
