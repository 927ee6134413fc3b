//! Lines of `kiln.toml`, as kiln writes and proposes them.

/// The head of a service's section: `[services.api]`. Dots in a name would make sections of sections, so such a name has quotes.
#[must_use]
pub fn service_head(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_bare && !name.is_empty() { format!("[services.{name}]") } else { format!("[services.{}]", string(name)) }
}

/// A string in double quotes. TOML has all escapes of JSON, and wants one more.
pub(crate) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_as_it_was() {
        for text in ["api", "api.v2", "a b", "say \"hi\"", "back\\slash", "zwei\nZeilen\u{7f}\u{1}", "über"] {
            let lines = format!("{}\nname = {}\n", service_head(text), string(text));
            let document: toml_edit::DocumentMut = lines.parse().unwrap_or_else(|error| panic!("{lines}: {error}"));
            assert_eq!(document["services"][text]["name"].as_str(), Some(text));
        }
        assert_eq!(service_head("api"), "[services.api]");
    }
}
