//! Findings as SARIF 2.1.0, which code scanning services read.

use std::fmt::Write as _;

use camino::Utf8Path;
use serde_json::{Value, json};

use super::{Finding, Severity, rules};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// One run with the rules that have findings and the findings.
#[must_use]
pub fn sarif(findings: &[Finding]) -> Value {
    let used: Vec<_> = rules::all().filter(|rule| findings.iter().any(|finding| finding.rule == rule.id)).collect();
    let described = used.iter().map(|rule| {
        json!({
            "id": rule.id,
            "shortDescription": { "text": rule.summary },
            "help": { "text": format!("See {}", rule.docs()) },
            "defaultConfiguration": { "level": level(rule.severity) },
            "properties": { "tags": [rule.group.page()] },
        })
    });
    let results = findings.iter().map(|finding| {
        let text =
            if finding.help.is_empty() { finding.message.clone() } else { format!("{}\n{}", finding.message, finding.help) };
        let width = finding.text.chars().count().max(1);
        let mut result = json!({
            "ruleId": finding.rule,
            "ruleIndex": used.iter().position(|rule| rule.id == finding.rule),
            "level": level(finding.severity),
            "message": { "text": text },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": artifact_location(&finding.path),
                    "region": {
                        "startLine": finding.line,
                        "startColumn": finding.column,
                        "endColumn": finding.column + width,
                    },
                },
            }],
        });
        if !finding.others.is_empty() {
            result["relatedLocations"] = finding
                .others
                .iter()
                .map(|path| json!({ "physicalLocation": { "artifactLocation": artifact_location(path) } }))
                .collect();
        }
        result
    });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kiln",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": described.collect::<Vec<_>>(),
            } },
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

const fn level(severity: Severity) -> &'static str {
    severity.name()
}

fn artifact_location(path: &Utf8Path) -> Value {
    json!({ "uri": uri(path.as_str()), "uriBaseId": "%SRCROOT%" })
}

/// A relative path as a URI reference.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/@+,=!".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uri_references() {
        assert_eq!(uri("web app/ü#.js"), "web%20app/%C3%BC%23.js");
    }
}
