//! Reading values off JavaScript configuration text, without running it.

/// The text without comments. String and template literals are respected.
pub(crate) fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    let mut quote = None;
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(_), '\\') => {
                out.push(c);
                out.extend(chars.next());
                continue;
            }
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'' | '`') => quote = Some(c),
            // A quote does not run over the end of a line (a regular expression with a quote in it would open one).
            (Some('"' | '\''), '\n') => quote = None,
            (None, '/') if chars.peek() == Some(&'/') => {
                while chars.peek().is_some_and(|c| *c != '\n') {
                    chars.next();
                }
                continue;
            }
            (None, '/') if chars.peek() == Some(&'*') => {
                let mut last = ' ';
                for c in chars.by_ref() {
                    if last == '*' && c == '/' {
                        break;
                    }
                    last = c;
                }
                out.push(' ');
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    out
}

/// The expressions that stand after `key:` (or `key =`), each up to its end.
pub(crate) fn values_of<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find(key).map(|at| at + from) {
        from = at + key.len();
        let before = text[..at].chars().next_back();
        let quoted = before.is_some_and(|c| matches!(c, '"' | '\''));
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '-')) {
            continue;
        }
        let mut rest = &text[from..];
        if quoted {
            rest = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
        }
        if let Some(value) = rest.trim_start().strip_prefix([':', '=']) {
            found.push(expression(value));
        }
    }
    found
}

/// Up to the comma, semicolon or closing bracket that ends the expression.
fn expression(text: &str) -> &str {
    let mut depth = 0usize;
    let mut quote = None;
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}' | ',' | ';') if depth == 0 => return text[..at].trim(),
            (None, ')' | ']' | '}') => depth -= 1,
            _ => {}
        }
    }
    text.trim()
}

/// String literals of an expression, in order. Template literals with `${` are left out.
pub(crate) fn literals(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(['"', '\'', '`']) {
        let quote = rest[start..].chars().next().unwrap_or('"');
        let body = &rest[start + 1..];
        let Some(end) = body.find(quote) else { break };
        let literal = &body[..end];
        if !literal.contains("${") && !literal.contains('\n') {
            found.push(literal);
        }
        rest = &body[end + 1..];
    }
    found
}

/// A path expression: a literal, or `path.resolve(__dirname, 'a', 'b')` and the like, as one relative path.
///
/// What `const path = require('path')` says is a module, not a path.
pub(super) fn path_value(expression: &str) -> Option<String> {
    if expression.contains("require(") {
        return None;
    }
    let parts = literals(expression);
    let parts = parts.iter().map(|part| part.trim_end_matches('/').trim_start_matches("./")).collect::<Vec<_>>();
    let joined = match parts.as_slice() {
        [] => return None,
        parts if expression.contains('(') => parts.join("/"),
        [first, ..] => (*first).to_owned(),
    };
    let relative = joined.trim_start_matches("./").trim_start_matches('/');
    (!relative.is_empty() && !relative.contains("://")).then(|| relative.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_past_comments_and_strings() {
        let text = "const a = { // dir: 'x'\n dir: 'dist', \"file\": \"a//b.js\", /* dir: 'y' */ outDir: path.resolve(__dirname, '..', 'web/'), notdir: 'z' }";
        let text = without_comments(text);
        assert_eq!(values_of(&text, "dir"), ["'dist'"]);
        assert_eq!(values_of(&text, "file"), ["\"a//b.js\""]);
        assert_eq!(path_value(values_of(&text, "outDir")[0]).as_deref(), Some("../web"));
        assert_eq!(path_value("require('path')"), None);
        assert_eq!(literals("x(`a`, \"b\", `${c}`)"), ["a", "b"]);
    }
}
