//! Placeholders in references of images and caches: `registry.example/shop/deps:{service}-{variant}-{branch}`.
//!
//! One template in `kiln.toml` (or on the command line) then serves all services, variants and branches of a project.

use std::fmt::Write as _;

/// What placeholders stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placeholders<'a> {
    /// `{service}`: name of the service.
    pub service: &'a str,
    /// `{variant}`: name of the variant (`prod`, `dev`, `fast`).
    pub variant: &'a str,
    /// `{branch}`: the branch that is checked out, as git names it; absent where there is none (no repository, a detached head).
    pub branch: Option<&'a str>,
}

/// The names of all placeholders.
pub const PLACEHOLDERS: [&str; 3] = ["service", "variant", "branch"];

/// Why a template cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderError {
    /// A name in braces that stands for nothing.
    #[error("`{{{name}}}` in `{template}` stands for nothing; there are `{{service}}`, `{{variant}}` and `{{branch}}`")]
    Unknown {
        /// The template.
        template: String,
        /// What is in the braces.
        name: String,
    },
    /// A brace without its counterpart.
    #[error("a brace in `{template}` has no counterpart")]
    Unbalanced {
        /// The template.
        template: String,
    },
    /// The branch is asked for, and there is none.
    #[error("`{template}` needs the name of a branch, and no branch is checked out")]
    NoBranch {
        /// The template.
        template: String,
    },
}

/// Puts values in the place of placeholders. The branch is written as a tag may be ([`tag_of`]); other values are as they are.
///
/// # Errors
/// [`PlaceholderError`]. That a branch is missing is an error only where the template asks for it.
pub fn expand(template: &str, values: &Placeholders<'_>) -> Result<String, PlaceholderError> {
    let unbalanced = || PlaceholderError::Unbalanced { template: template.to_owned() };
    let mut text = String::with_capacity(template.len());
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        text.push_str(&rest[..at]);
        let inner = rest[at..].strip_prefix('{').ok_or_else(unbalanced)?;
        let (name, after) = inner.split_once('}').filter(|(name, _)| !name.contains('{')).ok_or_else(unbalanced)?;
        match name {
            "service" => text.push_str(values.service),
            "variant" => text.push_str(values.variant),
            "branch" => {
                let branch = values.branch.ok_or_else(|| PlaceholderError::NoBranch { template: template.to_owned() })?;
                text.push_str(&tag_of(branch));
            }
            _ => return Err(PlaceholderError::Unknown { template: template.to_owned(), name: name.to_owned() }),
        }
        rest = after;
    }
    text.push_str(rest);
    Ok(text)
}

/// Bytes of a branch that are kept: a tag has 128 at most, and service and variant want room beside it.
const LONGEST: usize = 80;

/// A branch as (part of) a tag: what a tag may not hold becomes `-`. A long one is cut, with a part of its hash at the end, so that two
/// branches with the same beginning do not meet.
#[must_use]
pub fn tag_of(branch: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut tag: String = branch.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    // At the beginning of a tag only letters, digits and `_` may stand.
    if !tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
        tag.insert(0, '_');
    }
    if tag.len() > LONGEST {
        tag.truncate(LONGEST - 9);
        let hash = blake3::hash(branch.as_bytes()).to_hex();
        let _ = write!(tag, "-{}", &hash[..8]);
    }
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: Placeholders<'_> = Placeholders { service: "api", variant: "prod", branch: Some("feature/Login") };

    #[test]
    fn placeholders_are_replaced() {
        let table = [
            ("registry.example/shop/deps:{service}-{variant}-{branch}", "registry.example/shop/deps:api-prod-feature-Login"),
            ("localhost:5000/{service}", "localhost:5000/api"),
            ("type=registry,ref=r.example/c:{branch}", "type=registry,ref=r.example/c:feature-Login"),
            ("{service}{service}", "apiapi"),
            ("plain", "plain"),
            ("", ""),
        ];
        for (template, expected) in table {
            assert_eq!(expand(template, &VALUES).as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_cannot_be_replaced_is_named() {
        let template = || "deps:{tag}".to_owned();
        assert_eq!(
            expand("deps:{tag}", &VALUES),
            Err(PlaceholderError::Unknown { template: template(), name: "tag".to_owned() })
        );
        for template in ["deps:{service", "deps:service}", "deps:{{service}}", "}{", "{a{b}"] {
            assert_eq!(expand(template, &VALUES), Err(PlaceholderError::Unbalanced { template: template.to_owned() }));
        }
    }

    #[test]
    fn a_branch_is_needed_only_where_it_is_asked_for() {
        let detached = Placeholders { branch: None, ..VALUES };
        assert_eq!(expand("deps:{service}", &detached).as_deref(), Ok("deps:api"));
        assert_eq!(expand("deps:{branch}", &detached), Err(PlaceholderError::NoBranch { template: "deps:{branch}".to_owned() }));
    }

    #[test]
    fn branches_become_tags() {
        for (branch, tag) in [
            ("main", "main"),
            ("release-1.2_x", "release-1.2_x"),
            ("feature/a", "feature-a"),
            ("fix#12", "fix-12"),
            ("für", "f-r"),
            ("-x", "_-x"),
            ("/x", "_-x"),
            ("", "_"),
        ] {
            assert_eq!(tag_of(branch), tag, "{branch}");
        }
        let long = |end: &str| tag_of(&format!("{}{end}", "ü/".repeat(60)));
        assert_eq!(long("a").len(), LONGEST);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn the_list_of_names_is_complete() {
        for name in PLACEHOLDERS {
            assert!(expand(&format!("{{{name}}}"), &VALUES).is_ok(), "{name}");
        }
    }
}
