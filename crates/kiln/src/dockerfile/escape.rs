//! Quoting: of shell words, of `ENV` values, of flags and of `COPY` patterns.

/// Whether text needs no quotes in any of the places where kiln writes it.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=@,+%^".contains(c))
}

/// A word of a POSIX shell: as it is where it is plain, else in single quotes.
///
/// ```
/// assert_eq!(kiln::dockerfile::shell_word("api/tls"), "api/tls");
/// assert_eq!(kiln::dockerfile::shell_word("it's"), r"'it'\''s'");
/// ```
#[must_use]
pub fn shell_word(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// A value of `ENV`, `ARG` or `LABEL`: in double quotes unless plain, with `$`, `"` and `\` escaped.
pub(super) fn value(text: &str) -> String {
    if is_plain(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '$' => quoted.extend(['\\', c]),
            // A Dockerfile has no escape for a line break in a value; a space is the nearest thing.
            '\n' | '\r' => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

/// One `key=value` field of a `--mount`: quoted for the flag parser, and for CSV where it holds a comma.
pub(super) fn mount_field(key: &str, text: &str) -> String {
    if is_plain(text) && !text.contains(',') {
        return format!("{key}={text}");
    }
    let escaped = text.replace('\\', r"\\").replace('$', r"\$").replace('"', "\\\"");
    if text.contains(',') { format!(r#"\"{key}="{escaped}"\""#) } else { format!(r#"{key}="{escaped}""#) }
}

/// A `COPY` source as a pattern that matches only itself.
pub(super) fn copy_source(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            '$' => pattern.extend(['\\', c]),
            c => pattern.push(c),
        }
    }
    pattern
}

/// A list of strings as JSON: exec form.
pub(super) fn exec(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| serde_json::Value::from(word.as_str()).to_string()).collect();
    format!("[{}]", words.join(", "))
}
