//! Registry configuration without secrets and comments.

use camino::Utf8Path;
use toml_edit::{DocumentMut, Item, TableLike};

use super::{NpmRecipeError, NpmRemark};

/// Ends of the keys in `.npmrc` whose value is a secret.
const SECRET_KEYS: [&str; 8] = ["_authtoken", "_auth", "_password", "password", "username", "key", "cert", "token"];

/// `.npmrc` (and `.yarnrc`): no comments, no secrets. A value that refers to the environment (`${NPM_TOKEN}`) is no secret.
pub(super) fn npmrc(path: &Utf8Path, text: &str, remarks: &mut Vec<NpmRemark>) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (key, value) = line.split_once('=').map_or((line, ""), |(key, value)| (key.trim(), value.trim()));
        let last = key.rsplit([':', '/']).next().unwrap_or(key).to_ascii_lowercase();
        let literal = !value.contains("${");
        let mut left_out =
            || remarks.push(NpmRemark::SecretLeftOut { path: path.to_owned(), line: index + 1, key: key.to_owned() });
        if literal && SECRET_KEYS.contains(&last.as_str()) {
            left_out();
            continue;
        }
        let bare = without_userinfo(line);
        if bare != line && literal {
            left_out();
            out += &bare;
        } else {
            out += line;
        }
        out.push('\n');
    }
    out
}

/// `.yarnrc.yml`: lines with a token written out are left out, and so are comments on lines of their own.
pub(super) fn yarnrc(path: &Utf8Path, text: &str, remarks: &mut Vec<NpmRemark>) -> String {
    let mut out = String::new();
    for (index, line) in text.lines().enumerate() {
        let trimmed = line.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            continue;
        }
        let key = trimmed.split(':').next().unwrap_or_default().trim_matches(['"', '\'', ' ']);
        if matches!(key, "npmAuthToken" | "npmAuthIdent") && !trimmed.contains("${") {
            remarks.push(NpmRemark::SecretLeftOut { path: path.to_owned(), line: index + 1, key: key.to_owned() });
            continue;
        }
        out += line;
        out.push('\n');
    }
    out
}

/// `bunfig.toml`: only `[install]` matters; tokens and passwords that are written out are left out.
pub(super) fn bunfig(path: &Utf8Path, text: &str, remarks: &mut Vec<NpmRemark>) -> Result<String, NpmRecipeError> {
    let document =
        text.parse::<DocumentMut>().map_err(|source| NpmRecipeError::Toml { path: path.to_owned(), source: Box::new(source) })?;
    let mut out = DocumentMut::new();
    if let Some(install) = document.get("install") {
        let mut install = install.clone();
        if let Some(table) = install.as_table_like_mut() {
            strip(path, text, table, remarks);
        }
        out.insert("install", install);
    }
    Ok(out.to_string())
}

fn strip(path: &Utf8Path, text: &str, table: &mut dyn TableLike, remarks: &mut Vec<NpmRemark>) {
    let secret = |key: &str, item: &Item| {
        matches!(key, "token" | "password" | "username") && item.as_str().is_none_or(|value| !value.starts_with('$'))
    };
    let keys = table.iter().filter(|(key, item)| secret(key, item)).map(|(key, _)| key.to_owned()).collect::<Vec<_>>();
    for key in keys {
        table.remove(&key);
        let line = 1 + text.lines().position(|line| line.contains(&key)).unwrap_or(0);
        remarks.push(NpmRemark::SecretLeftOut { path: path.to_owned(), line, key });
    }
    for (_, item) in table.iter_mut() {
        if let Some(below) = item.as_table_like_mut() {
            strip(path, text, below, remarks);
        }
    }
}

/// `https://user:pass@host/` without the part before the `@`.
fn without_userinfo(line: &str) -> String {
    let Some((before, after)) = line.split_once("://") else { return line.to_owned() };
    let host_end = after.find('/').unwrap_or(after.len());
    match after[..host_end].rfind('@') {
        Some(at) => format!("{before}://{}", &after[at + 1..]),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_comments_are_left_out_and_references_stay() {
        let text = "# comment\nregistry=https://registry.example/\n; other\n\n//registry.example/:_authToken=abc\n\
            //other.example/:_authToken=${NPM_TOKEN}\n_auth=xyz\n@scope:registry=https://me:secret@registry.example/npm/\n\
            //registry.example/:username=me\n//registry.example/:_password = abc\nlegacy-peer-deps=true\ncafile=./ca.pem\n";
        let mut remarks = Vec::new();
        let kept = npmrc(Utf8Path::new(".npmrc"), text, &mut remarks);
        insta::assert_snapshot!(kept, @r"
        registry=https://registry.example/
        //other.example/:_authToken=${NPM_TOKEN}
        @scope:registry=https://registry.example/npm/
        legacy-peer-deps=true
        cafile=./ca.pem
        ");
        let lines = remarks.iter().map(|remark| match remark {
            NpmRemark::SecretLeftOut { line, .. } => *line,
            _ => 0,
        });
        assert_eq!(lines.collect::<Vec<_>>(), [5, 7, 8, 9, 10]);
    }

    #[test]
    fn yarn_and_bun_keep_their_registries_without_tokens() {
        let mut remarks = Vec::new();
        let yaml = "# x\nnodeLinker: node-modules\nnpmScopes:\n  a:\n    npmAuthToken: abc\n    npmRegistryServer: https://r.example\nnpmAuthToken: \"${T}\"\n";
        assert_eq!(
            yarnrc(Utf8Path::new(".yarnrc.yml"), yaml, &mut remarks),
            "nodeLinker: node-modules\nnpmScopes:\n  a:\n    npmRegistryServer: https://r.example\nnpmAuthToken: \"${T}\"\n"
        );
        let toml = "[test]\npreload = []\n[install.scopes]\na = { url = \"https://r.example\", token = \"abc\" }\nb = { url = \"u\", token = \"$T\" }\n";
        let kept = bunfig(Utf8Path::new("bunfig.toml"), toml, &mut remarks).unwrap();
        assert!(
            !kept.contains("abc") && kept.contains("$T") && kept.contains("https://r.example") && !kept.contains("preload"),
            "{kept}"
        );
        assert_eq!(remarks.len(), 2);
    }
}
