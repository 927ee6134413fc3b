//! Paths that a Rust program opens when it runs, where they stand in its source as they are.
//!
//! Only calls that surely open a file of that path from the current folder: a reader that is not sure keeps quiet. Macros that read a file
//! while compiling (`include_str!`, `migrate!`) are no such calls, and neither is anything that only tests compile.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use crate::sqlx::{Place, is_punct, name, string};

/// A path in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::advice) struct RunTimeRead {
    /// Where the path stands.
    pub(in crate::advice) place: Place,
    /// As it is written, without `./` before it and without what follows a wildcard.
    pub(in crate::advice) path: String,
    /// Whether the file may have any extension (`config::File::with_name`).
    pub(in crate::advice) any_extension: bool,
}

/// Functions that take a path, by the last part of what stands before their `::`, and which argument it is.
const CALLS: [(&str, &str, usize); 19] = [
    ("fs", "read", 0),
    ("fs", "read_to_string", 0),
    ("fs", "read_dir", 0),
    ("fs", "dir", 0),
    ("fs", "file", 0),
    ("", "read_to_string", 0),
    ("", "read_dir", 0),
    ("", "path_loader", 0),
    ("File", "open", 0),
    ("File", "with_name", 0),
    ("NamedFile", "open", 0),
    ("NamedFile", "open_async", 0),
    ("ServeDir", "new", 0),
    ("ServeFile", "new", 0),
    ("FileServer", "from", 0),
    ("FileServer", "new", 0),
    ("Files", "new", 1),
    ("Tera", "new", 0),
    ("Tera", "parse", 0),
];

/// The paths that a file's code opens, in order.
pub(in crate::advice) fn run_time_reads(tokens: TokenStream) -> Vec<RunTimeRead> {
    let mut scanner = Scanner::default();
    scanner.level(tokens);
    scanner.found
}

#[derive(Default)]
struct Scanner {
    /// Variables that hold the current folder.
    folders: BTreeSet<String>,
    found: Vec<RunTimeRead>,
}

impl Scanner {
    fn level(&mut self, stream: TokenStream) {
        let tokens: Vec<TokenTree> = stream.into_iter().collect();
        let mut bound = None;
        let mut from_here = false;
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ';' => (bound, from_here) = (None, false),
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(attribute)) = tokens.get(at + 1) {
                        at = if is_of_tests(attribute) { item_end(&tokens, at + 2) } else { at + 1 };
                    }
                }
                TokenTree::Ident(word) => {
                    let word = name(word);
                    if let Some(TokenTree::Group(arguments)) = tokens.get(at + 1)
                        && arguments.delimiter() == Delimiter::Parenthesis
                    {
                        from_here |= word == "current_dir";
                        if word == "current_dir" {
                            self.folders.extend(bound.clone());
                        }
                        self.call(&tokens[..at], &word, arguments, from_here);
                    } else if word == "let" {
                        bound = tokens[at + 1..].iter().find_map(|token| match token {
                            TokenTree::Ident(ident) if *ident != "mut" => Some(name(ident)),
                            _ => None,
                        });
                    }
                }
                TokenTree::Group(group) => self.level(group.stream()),
                _ => {}
            }
            at += 1;
        }
    }

    /// A call of `word`, with the tokens before it.
    fn call(&mut self, before: &[TokenTree], word: &str, arguments: &Group, from_here: bool) {
        if word == "join" {
            let of_variable = matches!(before, [.., TokenTree::Ident(variable), dot]
                if is_punct(Some(dot), '.') && self.folders.contains(&name(variable)));
            if of_variable || (from_here && is_punct(before.last(), '.')) {
                self.add(arguments, 0, false);
            }
            return;
        }
        let qualifier = match before {
            [.., TokenTree::Ident(part), left, right] if is_punct(Some(left), ':') && is_punct(Some(right), ':') => name(part),
            [.., dot] if is_punct(Some(dot), '.') => return,
            [.., TokenTree::Ident(keyword)] if *keyword == "fn" => return,
            _ => String::new(),
        };
        if let Some((_, _, argument)) = CALLS.iter().find(|(of, function, _)| *of == qualifier && *function == word) {
            self.add(arguments, *argument, word == "with_name");
        }
    }

    fn add(&mut self, arguments: &Group, wanted: usize, any_extension: bool) {
        let tokens: Vec<TokenTree> = arguments.stream().into_iter().collect();
        let Some(argument) = tokens.split(|token| is_punct(Some(token), ',')).nth(wanted) else { return };
        let [TokenTree::Literal(literal)] = argument else { return };
        let Some(text) = string(literal) else { return };
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            if part.contains(['*', '?', '{', '[']) {
                break;
            }
            if part != "." {
                parts.push(part);
            }
        }
        // Absolute paths, `..` and hidden files are none that a repository carries into an image.
        if parts.is_empty() || parts.iter().any(|part| part.starts_with('.') || part.contains('\\')) || text.starts_with('/') {
            return;
        }
        let path = parts.join("/").trim_end_matches('/').to_owned();
        self.found.push(RunTimeRead { place: Place::of(&argument[0]), path, any_extension });
    }
}

/// Whether an attribute leaves the next item to tests.
fn is_of_tests(attribute: &Group) -> bool {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    let path = match tokens.as_slice() {
        [TokenTree::Ident(word), TokenTree::Group(inside)] if *word == "cfg" => {
            let text = inside.stream().to_string();
            let mut words = text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
            return words.any(|word| word == "test") && !text.contains("not");
        }
        [path @ .., TokenTree::Group(_)] => path,
        path => path,
    };
    matches!(path.last(), Some(TokenTree::Ident(last)) if *last == "test" || *last == "rstest" || *last == "bench")
}

/// Where the item that begins there has its last token.
fn item_end(tokens: &[TokenTree], from: usize) -> usize {
    let is_end = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_punct(Some(token), ';'),
    };
    tokens[from.min(tokens.len())..].iter().position(is_end).map_or(tokens.len(), |at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        run_time_reads(text.parse().unwrap()).into_iter().map(|read| read.path).collect()
    }

    #[test]
    fn calls_that_open_a_path_from_the_current_folder_count() {
        for (text, path) in [
            ("fn f() { std::fs::read_to_string(\"./conf/a.toml\").unwrap(); }", "conf/a.toml"),
            ("fn f() { let t = read_to_string(\"conf.toml\"); }", "conf.toml"),
            ("fn f() { tokio::fs::read(\"a.bin\").await?; }", "a.bin"),
            ("fn f() { Router::new().nest_service(\"/s\", ServeDir::new(\"static/\")) }", "static"),
            ("fn f() { Tera::new(\"templates/**/*.html\") }", "templates"),
            ("fn f() { App::new().service(Files::new(\"/static\", \"./public\").show()) }", "public"),
            ("fn f() { b.add_source(config::File::with_name(\"config/default\")) }", "config/default"),
            ("fn f() { let d = env::current_dir()?.join(\"configuration\"); }", "configuration"),
            ("fn f() { let mut base = current_dir().expect(\"x\"); let c = base.join(\"configuration\"); }", "configuration"),
            ("fn f() { println!(\"{}\", fs::read_to_string(\"motd\")?) }", "motd"),
            ("#[tokio::main] async fn main() { warp::fs::dir(\"www\"); }", "www"),
            ("#[cfg(not(test))] fn f() { File::open(\"data/words\") }", "data/words"),
            ("#[test] fn t() { File::open(\"tests/x\") } fn f() { File::open(\"words\") }", "words"),
        ] {
            assert_eq!(paths(text), [path], "{text}");
        }
    }

    #[test]
    fn what_is_no_such_read_is_left_alone() {
        for text in [
            "const A: &str = include_str!(\"static/a\");",
            "fn f() { sqlx::migrate!(\"migrations\"); }",
            "fn f() { file.read_to_string(\"x\") }",
            "fn read_to_string(path: &str) {}",
            "fn f() { fs::read_to_string(path) }",
            "fn f() { fs::read_to_string(\"/etc/hosts\"); fs::read_dir(\"../x\"); File::open(\".env\"); }",
            "fn f() { other.join(\"static\"); }",
            "fn f() { let a = current_dir(); let b = other.join(\"static\"); }",
            "fn f() { Client::new(\"static\") }",
            "#[cfg(test)] mod tests { fn f() { File::open(\"static/x\") } }",
            "#[cfg(all(test, unix))] fn f() { File::open(\"static/x\") }",
            "#[tokio::test(flavor = \"x\")] #[ignore] async fn f() { File::open(\"static/x\") }",
            "fn f() { ServeDir::new(concat!(env!(\"X\"), \"static\")) }",
            "// fs::read(\"static\")\nfn f() { let text = \"fs::read(\\\"static\\\")\"; }",
        ] {
            assert!(paths(text).is_empty(), "{text}: {:?}", paths(text));
        }
    }
}
