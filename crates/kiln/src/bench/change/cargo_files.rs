//! Edits of `Cargo.toml` and `Cargo.lock` that keep everything else as it is.

use std::fmt::Write as _;

use camino::Utf8Path;
use toml_edit::{DocumentMut, Item, TableLike, value};

use super::ChangeError;

/// Source of the crates that [`add_to_lock`] adds.
const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// A crate to be added.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewCrate {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) checksum: &'static str,
}

/// Small crates without dependencies and build scripts, the least used first: a repository may have the well-known ones.
///
/// Published versions never change, so their checksums need no registry.
pub(super) const NEW_CRATES: [NewCrate; 27] = {
    const fn new(name: &'static str, version: &'static str, checksum: &'static str) -> NewCrate {
        NewCrate { name, version, checksum }
    }
    [
        new("void", "1.0.2", "6a02e4885ed3bc0f2de90ea6dd45ebcbb66dacffe03547fadbb0eeae2770887d"),
        new("maplit", "1.0.2", "3e2e65a1a2e43cfcb47a895c4c8b10d1f4a61097f9f254f183aee60cad9c651d"),
        new("take_mut", "0.2.2", "f764005d11ee5f36500a149ace24e00e3da98b0158b3e2d53a7495660d3f4d60"),
        new("vec_map", "0.8.2", "f1bddf1187be692e79c5ffeab891132dfb0f236ed36a43c7ed39f1165ee20191"),
        new("tap", "1.0.1", "55937e1799185b12863d447f42597ed69d9928686b8d88a1df17376a097d8369"),
        new("funty", "2.0.0", "e6d5a32815ae3f33302d95fdcb2ce17862f8c65363dcfd29360480ba1001fc9c"),
        new("smawk", "0.3.3", "e8e2fb0f499abb4d162f2bedad68f5ef91a1682b5a03596ddb67efd37768d100"),
        new("bytecount", "0.6.9", "175812e0be2bccb6abe50bb8d566126198344f707e304f45c648fd8f2cc0365e"),
        new("matches", "0.1.10", "2532096657941c2fea9c289d370a250971c689d4f143798ff67113ec042024a5"),
        new("lazycell", "1.3.0", "830d08ce1d1d941e6b30645f1a0eb5643013d835ce3779a5fc208261dbe10f55"),
        new("linked-hash-map", "0.5.6", "0717cef1bc8b636c6e1c1bbdefc09e6322da8a9321966e8928ef80d20f7f770f"),
        new("bit-vec", "0.6.3", "349f9b6a179ed607305526ca489b34ad0a41aed5f7980fa90eb03160b69598fb"),
        new("static_assertions", "1.1.0", "a2eb9349b6444b326872e140eb1cf5e7c522154d69e7a0ffb0fb81c06b37543f"),
        new("humantime", "2.4.0", "15cdd26707701c53297e2fa6afb323d55fbc1d0810c3aec078ae3ef0424c3c15"),
        new("opaque-debug", "0.3.1", "c08d65885ee38876c4f86fa503fb49d7b507c2b62552df7c70b2fce627e06381"),
        new("base16ct", "0.2.0", "4c7f02d4ea65f2c1853089ffd8d2787bdbc63de2f0d29dedbcf8ccdfa0ccd4cf"),
        new("fixedbitset", "0.4.2", "0ce7134b9999ecaf8bcd65542e436736ef32ddca1b3e06094cb6ec5755203b80"),
        new("unicode-xid", "0.2.6", "ebc1c04c71510c7f702b52b7c350734c9ff1295c464a03335b00bb84fc54f853"),
        new("pin-utils", "0.1.1", "13bee6c73da26345c729282832b60b0363cf3dd9f4bfd81d8551b7a1c889a113"),
        new("shlex", "1.3.0", "0fda2ff0d084019ba4d7c6f371c95d8fd75ce3524c3cb8fb653a3023f6323e64"),
        new("hex", "0.4.3", "7f24254aa9a54b5c858eaee2f5bccdb46aaf0e486a595ed5fd8f86ba55232a70"),
        new("lazy_static", "1.5.1", "20870f649af7073d53e38067b2a84312175d56ea15217e1b15bc83506ec50afb"),
        new("fnv", "1.0.7", "3f9eec918d3f24069decb9af1554cad7c880e2da24a9afd88aca000531ab82c1"),
        new("strsim", "0.11.1", "7da8b5736845d9f2fcb837ea5d9e2628564b3b043a70948a3f0b778838c5fb4f"),
        new("adler2", "2.0.1", "320119579fcad9c21884f5c4861d16174d0e06250625266f50fe6898340abefa"),
        new("scopeguard", "1.2.0", "94143f37725109f92c262ed2cf5e59bce7498c01bcc1502d7b9afe439a4e9f49"),
        new("itoa", "1.0.19", "3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4"),
    ]
};

/// A manifest as a document, or where it is broken.
pub(super) fn parse(path: &Utf8Path, text: &str) -> Result<DocumentMut, ChangeError> {
    text.parse().map_err(|error: toml_edit::TomlError| {
        let start = error.span().map_or(0, |span| span.start).min(text.len());
        unexpected(path, 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count(), error.message())
    })
}

fn unexpected(path: &Utf8Path, line: usize, expected: &str) -> ChangeError {
    ChangeError::Unexpected { path: path.to_owned(), line, expected: expected.to_owned() }
}

/// The table that holds a version: `[package]`, or `[workspace.package]`.
fn version_table(document: &mut DocumentMut, inherited: bool) -> Option<&mut dyn TableLike> {
    let mut table: &mut dyn TableLike = document.as_table_mut();
    if inherited {
        table = table.get_mut("workspace")?.as_table_like_mut()?;
    }
    table.get_mut("package")?.as_table_like_mut()
}

/// Sets the version in a manifest; says which one it had.
pub(super) fn set_version(path: &Utf8Path, text: &str, inherited: bool, version: &str) -> Result<(String, String), ChangeError> {
    let mut document = parse(path, text)?;
    let table = if inherited { "[workspace.package]" } else { "[package]" };
    let item = version_table(&mut document, inherited).and_then(|table| table.get_mut("version"));
    let Some(old) = item.and_then(Item::as_value_mut).filter(|value| value.is_str()) else {
        return Err(unexpected(path, 1, &format!("a version in `{table}`")));
    };
    let before = old.as_str().unwrap_or_default().to_owned();
    // A comment behind the value belongs to the line, not to the value.
    let decor = old.decor().clone();
    *old = version.into();
    *old.decor_mut() = decor;
    Ok((document.to_string(), before))
}

/// Whether a manifest has a version of its own or that of the workspace; `None` without any.
pub(super) fn inherits_version(path: &Utf8Path, text: &str) -> Result<Option<bool>, ChangeError> {
    let document = parse(path, text)?;
    let version = document.get("package").and_then(|package| package.get("version"));
    Ok(version.map(|version| version.as_str().is_none()))
}

/// Adds a dependency to a manifest; one that is there already stays as it is.
pub(super) fn add_dependency(path: &Utf8Path, text: &str, new: NewCrate) -> Result<String, ChangeError> {
    let mut document = parse(path, text)?;
    let table = document.entry("dependencies").or_insert_with(toml_edit::table);
    let Some(table) = table.as_table_like_mut() else {
        return Err(unexpected(path, 1, "a table `[dependencies]`"));
    };
    if !table.contains_key(new.name) {
        table.insert(new.name, value(new.version));
    }
    Ok(document.to_string())
}

/// A `[[package]]` of a lock as text.
struct Block<'a> {
    text: &'a str,
}

impl<'a> Block<'a> {
    fn key(&self, key: &str) -> Option<&'a str> {
        let line = self.text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""))?;
        line.strip_suffix('"')
    }

    fn is_local(&self, name: &str) -> bool {
        self.key("name") == Some(name) && self.key("source").is_none()
    }
}

/// What stands before the packages, and the packages, each up to the next.
fn blocks(lock: &str) -> (&str, Vec<Block<'_>>) {
    let starts: Vec<usize> = std::iter::once(0)
        .filter(|_| lock.starts_with("[[package]]\n"))
        .chain(lock.match_indices("\n[[package]]\n").map(|(at, _)| at + 1))
        .collect();
    let ends = starts.iter().copied().skip(1).chain([lock.len()]);
    let head = &lock[..starts.first().copied().unwrap_or(lock.len())];
    (head, starts.iter().zip(ends).map(|(start, end)| Block { text: &lock[*start..end] }).collect())
}

/// Name and version of every package of a lock, in its order.
pub(super) fn locked(lock: &str) -> Vec<(&str, &str)> {
    let (_, blocks) = blocks(lock);
    blocks.iter().filter_map(|block| Some((block.key("name")?, block.key("version")?))).collect()
}

/// The lock with another version of some local packages.
pub(super) fn set_locked_versions(lock: &str, packages: &[String], from: &str, to: &str) -> String {
    let (head, blocks) = blocks(lock);
    let mut out = head.to_owned();
    for block in blocks {
        let moves = packages.iter().any(|name| block.is_local(name)) && block.key("version") == Some(from);
        for line in block.text.split_inclusive('\n') {
            let bare = line.trim_end_matches('\n');
            let named = bare.strip_prefix(" \"").and_then(|rest| rest.strip_suffix("\","));
            let ending = &line[bare.len()..];
            match named.and_then(|named| named.split_once(' ')) {
                _ if moves && bare == format!("version = \"{from}\"") => {
                    out.extend(["version = \"", to, "\"", ending]);
                }
                // `name version` without a source is a local package where several have that name.
                Some((name, version)) if version == from && packages.iter().any(|package| package == name) => {
                    out.extend([" \"", name, " ", to, "\",", ending]);
                }
                _ => out.push_str(line),
            }
        }
    }
    out
}

/// The lock with a new crate of crates.io, on which a local package depends: what cargo itself would write. `None` if that package
/// is not in the lock, or the crate is already.
pub(super) fn add_to_lock(lock: &str, package: &str, new: NewCrate) -> Option<String> {
    let (head, blocks) = blocks(lock);
    if blocks.iter().any(|block| block.key("name") == Some(new.name)) || !blocks.iter().any(|block| block.is_local(package)) {
        return None;
    }
    let mut entry = String::new();
    let _ = write!(
        entry,
        "[[package]]\nname = \"{}\"\nversion = \"{}\"\nsource = \"{CRATES_IO}\"\nchecksum = \"{}\"\n",
        new.name, new.version, new.checksum
    );
    let mut out = head.to_owned();
    let mut placed = false;
    for block in &blocks {
        if !placed && block.key("name").is_some_and(|name| name > new.name) {
            out.extend([entry.as_str(), "\n"]);
            placed = true;
        }
        if block.is_local(package) {
            out.push_str(&with_dependency(block.text, new.name));
        } else {
            out.push_str(block.text);
        }
    }
    if !placed {
        let gap = if out.ends_with("\n\n") { "" } else { "\n" };
        out.extend([gap, entry.as_str()]);
    }
    Some(out)
}

fn with_dependency(block: &str, name: &str) -> String {
    const OPEN: &str = "\ndependencies = [\n";
    let line = format!(" \"{name}\",\n");
    let Some(list) = block.find(OPEN).map(|at| at + OPEN.len()) else {
        let body = block.trim_end_matches('\n');
        return format!("{body}{OPEN}{line}]\n{}", block[body.len()..].strip_prefix('\n').unwrap_or_default());
    };
    let mut at = list;
    for entry in block[list..].split_inclusive('\n') {
        let other = entry.trim_start_matches([' ', '"']);
        let other = &other[..other.find([' ', '"']).unwrap_or(other.len())];
        if entry.starts_with(']') || other > name {
            break;
        }
        at += entry.len();
    }
    format!("{}{line}{}", &block[..at], &block[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = "# @generated\nversion = 4\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"bytes\",\n \"lib 0.1.0\",\n]\n\n[[package]]\nname = \"bytes\"\nversion = \"0.1.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n[[package]]\nname = \"lib\"\nversion = \"0.1.0\"\n\n[[package]]\nname = \"lib\"\nversion = \"0.1.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

    fn new(name: &'static str) -> NewCrate {
        NewCrate { name, version: "1.0.0", checksum: "c0" }
    }

    #[test]
    fn a_version_moves_in_local_packages_only() {
        let moved = set_locked_versions(LOCK, &["app".to_owned(), "lib".to_owned(), "bytes".to_owned()], "0.1.0", "0.1.7");
        let changed: Vec<_> = LOCK.lines().zip(moved.lines()).enumerate().filter(|(_, (old, new))| old != new).collect();
        let lines: Vec<(usize, &str)> = changed.iter().map(|(line, (_, new))| (line + 1, *new)).collect();
        assert_eq!(lines, [(6, "version = \"0.1.7\""), (9, " \"lib 0.1.7\","), (19, "version = \"0.1.7\"")]);
    }

    #[test]
    fn a_new_crate_stands_where_cargo_would_put_it() {
        let names = |lock: &str| locked(lock).into_iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        for (name, order, list) in [
            ("aaa", ["aaa", "app", "bytes", "lib", "lib"], " \"aaa\",\n \"bytes\",\n \"lib 0.1.0\",\n"),
            ("cfg", ["app", "bytes", "cfg", "lib", "lib"], " \"bytes\",\n \"cfg\",\n \"lib 0.1.0\",\n"),
            ("zoo", ["app", "bytes", "lib", "lib", "zoo"], " \"bytes\",\n \"lib 0.1.0\",\n \"zoo\",\n"),
        ] {
            let lock = add_to_lock(LOCK, "app", new(name)).unwrap();
            assert_eq!(names(&lock), order);
            assert!(lock.contains(list), "{lock}");
            assert!(!lock.contains("\n\n\n") && lock.ends_with("\"\n"), "{lock}");
            assert_eq!(add_to_lock(&lock, "app", new(name)), None);
        }
        let lock = add_to_lock(LOCK, "lib", new("zoo")).unwrap();
        assert!(lock.contains("name = \"lib\"\nversion = \"0.1.0\"\ndependencies = [\n \"zoo\",\n]\n\n[["), "{lock}");
        assert_eq!(add_to_lock(LOCK, "bytes", new("zoo")), None);
    }

    #[test]
    fn manifests_keep_their_comments_and_order() {
        let path = Utf8Path::new("Cargo.toml");
        let text =
            "[package] # ours\nversion   = \"0.1.0\" # see RELEASES\nname = \"a\"\n\n[dependencies]\n# json\nserde = \"1\"\n";
        let (changed, before) = set_version(path, text, false, "0.1.9").unwrap();
        assert_eq!((changed, before.as_str()), (text.replace("0.1.0", "0.1.9"), "0.1.0"));
        assert_eq!(add_dependency(path, text, new("zoo")).unwrap(), format!("{text}zoo = \"1.0.0\"\n"));
        let added = add_dependency(path, "[package]\nname = \"a\"\n", new("zoo")).unwrap();
        assert_eq!(added, "[package]\nname = \"a\"\n\n[dependencies]\nzoo = \"1.0.0\"\n");
        assert_eq!(inherits_version(path, "[package]\nversion.workspace = true\n").unwrap(), Some(true));
        let error = set_version(path, "[package]\nversion = ", false, "1.0.0").unwrap_err();
        assert!(matches!(error, ChangeError::Unexpected { line: 2, .. }), "{error}");
    }
}
