//! One line more in a Rust source file.
//!
//! The line must compile wherever it is put and change the object code. In a program it is a statement at the head of `fn main`:
//! what `main` uses is in the binary, while the linker may drop an item that nothing uses. In a library it is an exported item,
//! for there is no function of which one knows that it is called.

/// Before the mark in a statement.
const STATEMENT: &str = "let _ = std::hint::black_box(\"kiln bench ";
/// Before the mark in an exported item; hidden, so that `missing_docs` does not ask for a comment.
const EXPORTED: &str = "#[doc(hidden)] pub static KILN_BENCH: &str = \"kiln bench ";
/// Before the mark in an item of its own; `used`, so that it is compiled although nothing names it.
const HIDDEN: &str = "const _: () = { #[used] static KILN_BENCH: &str = \"kiln bench ";
/// Before the mark in a comment.
const COMMENT: &str = "// kiln bench ";

/// The text with the statement of a round at the head of each `fn main` (there are several where platforms have their own), or with
/// an item at its end where there is none, as when a macro makes it.
pub(super) fn in_main(text: &str, mark: &str) -> String {
    let replaced = remark(text, STATEMENT, mark).or_else(|| remark(text, HIDDEN, mark));
    if let Some(replaced) = replaced {
        return replaced;
    }
    let bodies = main_bodies(text);
    if bodies.is_empty() {
        return at_end(text, &format!("{HIDDEN}{mark}\"; }};"));
    }
    let mut out = String::with_capacity(text.len() + 80);
    let mut copied = 0;
    for at in bodies {
        let rest = &text[at..];
        out.push_str(&text[copied..at]);
        out.extend(["\n    ", STATEMENT, mark, "\");"]);
        // `{}` would leave the closing brace behind the statement.
        if rest.trim_start_matches([' ', '\t']).starts_with('}') {
            out.push('\n');
        }
        copied = at;
    }
    out.push_str(&text[copied..]);
    out
}

/// Whether [`in_main`] finds a function to put its statement into.
pub(super) fn has_main(text: &str) -> bool {
    !main_bodies(text).is_empty()
}

/// The text with the item of a round at its end. A procedural macro crate cannot export items.
pub(super) fn in_library(text: &str, mark: &str, proc_macro: bool) -> String {
    let (before, after) = if proc_macro { (HIDDEN, "\"; };") } else { (EXPORTED, "\";") };
    remark(text, before, mark).unwrap_or_else(|| at_end(text, &format!("{before}{mark}{after}")))
}

/// The text with a comment of a round at its end, where it moves no other line: the program stays the same to the byte.
pub(super) fn comment(text: &str, mark: &str) -> String {
    remark(text, COMMENT, mark).unwrap_or_else(|| at_end(text, &format!("{COMMENT}{mark}")))
}

/// The text with `line` as its last line.
pub(super) fn at_end(text: &str, line: &str) -> String {
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    format!("{text}{gap}{line}\n")
}

/// The text with another mark behind each `before` that has one (`scenario:7`); `None` where none has.
pub(super) fn remark(text: &str, before: &str, mark: &str) -> Option<String> {
    let mut parts = text.split(before);
    let mut out = parts.next()?.to_owned();
    let mut found = false;
    for part in parts {
        let length = part.find(|sign: char| !(sign.is_ascii_alphanumeric() || matches!(sign, '-' | ':'))).unwrap_or(part.len());
        let (old, rest) = part.split_at(length);
        // Other texts may begin alike: a README can speak of `kiln bench --quick`.
        let is_mark = old.rsplit_once(':').is_some_and(|(_, number)| number.parse::<u32>().is_ok());
        found |= is_mark;
        out.extend([before, if is_mark { mark } else { old }, rest]);
    }
    found.then_some(out)
}

/// Where the first statement of each `fn main` of the root module may stand: behind the brace and the attributes of the body.
fn main_bodies(text: &str) -> Vec<usize> {
    let mut lexer = Lexer::new(text);
    let mut found = Vec::new();
    let mut depth = 0usize;
    let mut last = "";
    let mut in_signature = false;
    while let Some((token, _, end)) = lexer.next() {
        match token {
            "{" if depth == 0 && in_signature => {
                in_signature = false;
                depth += 1;
                found.push(end + inner_attributes(&text[end..]));
            }
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            ";" if depth == 0 => in_signature = false,
            "main" if depth == 0 && last == "fn" => in_signature = true,
            _ => {}
        }
        last = token;
    }
    found
}

/// The length of the attributes (`#![…]`) and comments (`//!`) about the block itself at the head of a block.
fn inner_attributes(body: &str) -> usize {
    let mut lexer = Lexer::new(body);
    let mut length = 0;
    while let Some((token, _, end)) = lexer.next() {
        if token.starts_with("//!") || token.starts_with("/*!") {
            length = end;
            continue;
        }
        let opens = token == "#" && matches!(lexer.next(), Some(("!", ..))) && matches!(lexer.next(), Some(("[", ..)));
        if !opens {
            break;
        }
        let mut depth = 1usize;
        while depth > 0 {
            let Some((token, _, end)) = lexer.next() else { return length };
            match token {
                "[" | "(" | "{" => depth += 1,
                "]" | ")" | "}" => depth -= 1,
                _ => {}
            }
            length = end;
        }
    }
    length
}

/// Words, literals and single signs of Rust text. Comments are left out, but for those about the block that they stand in.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        // `#!` in the first line is the shell's, unless it begins an attribute.
        let is_shebang = text.strip_prefix("#!").is_some_and(|rest| !rest.trim_start().starts_with('['));
        let at = if is_shebang { text.find('\n').unwrap_or(text.len()) } else { 0 };
        Self { text, at }
    }

    /// The next token with its start and end.
    fn next(&mut self) -> Option<(&'a str, usize, usize)> {
        loop {
            let rest = &self.text[self.at..];
            let first = rest.chars().next()?;
            let start = self.at;
            let is_comment = rest.starts_with("//") || rest.starts_with("/*");
            self.at += match first {
                _ if first.is_whitespace() => first.len_utf8(),
                _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                _ if rest.starts_with("/*") => block_comment(rest),
                '"' => string(rest),
                '\'' => character_or_lifetime(rest),
                _ if is_word(first) => word_or_literal(rest),
                _ => first.len_utf8(),
            };
            let about_block = rest.starts_with("//!") || rest.starts_with("/*!");
            if !first.is_whitespace() && (!is_comment || about_block) {
                return Some((&self.text[start..self.at], start, self.at));
            }
        }
    }
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of a comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// The length of a string literal with escapes.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'a'`, `'\''` and `'\u{e4}'` are characters; `'a` alone is a lifetime, of which only the quote is taken.
fn character_or_lifetime(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some((_, _))) => letters.find(|(_, letter)| *letter == '\'').map_or(text.len(), |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// A word, a raw identifier, or a literal with a prefix (`r#"…"#`, `b"…"`, `c"…"`).
fn word_or_literal(text: &str) -> usize {
    let length = text.find(|letter| !is_word(letter)).unwrap_or(text.len());
    let (word, rest) = text.split_at(length);
    match word {
        "r" | "br" | "cr" => {
            let hashes = rest.len() - rest.trim_start_matches('#').len();
            let Some(body) = rest[hashes..].strip_prefix('"') else {
                // `r#type`: a raw identifier is one word, so that `r#fn` is none of the language's.
                let name = rest.strip_prefix('#').unwrap_or_default();
                let name = name.find(|letter| !is_word(letter)).unwrap_or(name.len());
                return length + if name > 0 { name + 1 } else { 0 };
            };
            let end = format!("\"{}", "#".repeat(hashes));
            body.find(&end).map_or(text.len(), |at| length + hashes + 1 + at + end.len())
        }
        "b" | "c" if rest.starts_with('"') => length + string(rest),
        "b" if rest.starts_with('\'') => length + character_or_lifetime(rest),
        _ => length,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: &str = "let _ = std::hint::black_box(\"kiln bench a:1\");";

    #[test]
    fn the_statement_stands_at_the_head_of_main() {
        let cases = [
            ("fn main() {}\n", format!("fn main() {{\n    {MARK}\n}}\n")),
            ("fn main() {\n    run();\n}\n", format!("fn main() {{\n    {MARK}\n    run();\n}}\n")),
            // Words in comments, strings and characters are no code.
            (
                "// fn main() {\n/* fn main() { /* } */ */ const A: &str = \"fn main() {\"; const B: char = '{'; fn main() {}",
                format!(
                    "// fn main() {{\n/* fn main() {{ /* }} */ */ const A: &str = \"fn main() {{\"; const B: char = '{{'; fn main() \
                     {{\n    {MARK}\n}}"
                ),
            ),
            (
                "const A: &str = r#\"\" fn main() { \"#;\nconst B: &[u8] = b\"\\\"{\";\nfn f<'a>(x: &'a str) -> char { '\\'' }\nfn main() { a }",
                format!(
                    "const A: &str = r#\"\" fn main() {{ \"#;\nconst B: &[u8] = b\"\\\"{{\";\nfn f<'a>(x: &'a str) -> char {{ '\\'' \
                     }}\nfn main() {{\n    {MARK} a }}"
                ),
            ),
            // A function of that name elsewhere is another one.
            ("mod a { fn main() {} }\nfn main(){b}", format!("mod a {{ fn main() {{}} }}\nfn main(){{\n    {MARK}b}}")),
            ("fn r#fn() {}\nfn main() { }", format!("fn r#fn() {{}}\nfn main() {{\n    {MARK}\n }}")),
            // Attributes and comments about the body come first.
            (
                "fn main() {\n    //! About.\n    #![allow(unused, x = \"]\")]\n    a();\n}",
                format!("fn main() {{\n    //! About.\n    #![allow(unused, x = \"]\")]\n    {MARK}\n    a();\n}}"),
            ),
            ("#!/usr/bin/env run {\nfn main() {}", format!("#!/usr/bin/env run {{\nfn main() {{\n    {MARK}\n}}")),
            (
                "#[cfg(unix)] fn main() {}\n#[cfg(not(unix))] fn main() {}",
                format!("#[cfg(unix)] fn main() {{\n    {MARK}\n}}\n#[cfg(not(unix))] fn main() {{\n    {MARK}\n}}"),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(in_main(text, "a:1"), expected, "{text}");
        }
    }

    #[test]
    fn a_main_made_by_a_macro_gets_an_item() {
        for text in ["start! { fn main() {} }", "use app::main;", ""] {
            let changed = in_main(text, "a:1");
            assert!(changed.ends_with("const _: () = { #[used] static KILN_BENCH: &str = \"kiln bench a:1\"; };\n"), "{changed}");
            assert_eq!(in_main(&changed, "a:2"), changed.replace("a:1", "a:2"));
        }
    }

    #[test]
    fn later_rounds_replace_the_mark_of_earlier_ones() {
        let text = "fn main() {}\n";
        type Edit = dyn Fn(&str, &str) -> String;
        let edits: [&Edit; 4] =
            [&in_main, &comment, &|text, mark| in_library(text, mark, false), &|text, mark| in_library(text, mark, true)];
        for edit in edits {
            let rounds = (1..=12).fold(text.to_owned(), |text, round| edit(&text, &format!("source-bin:{round}")));
            assert_eq!(rounds, edit(text, "source-bin:12"));
            assert_ne!(rounds, edit(text, "source-bin:1"));
        }
        // A comment and a statement in one file do not count as each other's.
        let both = comment(&in_main(text, "a:3"), "b:4");
        assert_eq!(comment(&in_main(&both, "a:5"), "b:6"), comment(&in_main(text, "a:5"), "b:6"));
        assert_eq!(
            remark("see `kiln bench --quick`, kiln bench a:1", "kiln bench ", "b-c:2").as_deref(),
            Some("see `kiln bench --quick`, kiln bench b-c:2")
        );
        assert_eq!(remark("see `kiln bench --quick`", "kiln bench ", "b:2"), None);
    }

    #[test]
    fn what_is_not_closed_does_not_loop() {
        for text in ["fn main() { \"", "/* fn main() {", "r#\"", "fn main() { #![", "'", "fn main() {\u{e4}'\u{e4}'", "'\\"] {
            in_main(text, "a:1");
        }
    }
}
