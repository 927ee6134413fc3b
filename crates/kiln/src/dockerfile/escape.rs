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

/// One `key=value` field of a `--mount`, for its three readers: the flag parser takes quotes and backslashes off, CSV separates fields, and
/// the value is expanded as a word when the step runs.
///
/// The flag parser of BuildKit reads bytes: text beyond ASCII cannot be written.
pub(super) fn mount_field(key: &str, text: &str) -> String {
    if is_plain(text) && !text.contains(',') {
        return format!("{key}={text}");
    }
    let word = escaped_word(text);
    let flag = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"");
    if word.contains([',', '"']) {
        format!("\"{}\"", flag(&format!("\"{key}={}\"", word.replace('"', "\"\""))))
    } else {
        format!("{key}=\"{}\"", flag(&word))
    }
}

/// A word that expands to the text, without quotes around it. A line break has no escape; a space is the nearest thing.
fn escaped_word(text: &str) -> String {
    let mut word = String::new();
    for c in text.chars() {
        match c {
            '\\' | '$' | '"' | '\'' => word.extend(['\\', c]),
            '\n' | '\r' => word.push(' '),
            c => word.push(c),
        }
    }
    word
}

/// A `COPY` source as a pattern that matches only itself, and as a word that expands to that pattern.
pub(super) fn copy_source(text: &str) -> String {
    let mut pattern = String::new();
    // Without a wildcard BuildKit takes a backslash as it is.
    let is_pattern = text.contains(['*', '?', '[']);
    // It would be a flag, or announce a heredoc, also within a list.
    if text.starts_with("--") || text.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with("<<") {
        pattern.push_str("./");
    }
    for c in text.chars() {
        match c {
            '*' | '?' | '[' => pattern.extend(['[', c, ']']),
            '\\' if is_pattern => pattern.push_str(r"\\"),
            c => pattern.push(c),
        }
    }
    escaped_word(&pattern)
}

/// A `COPY` destination as a word that expands to it.
pub(super) fn copy_destination(text: &str) -> String {
    escaped_word(text)
}

/// A list of strings as JSON: exec form.
pub(super) fn exec(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| serde_json::Value::from(word.as_str()).to_string()).collect();
    format!("[{}]", words.join(", "))
}
