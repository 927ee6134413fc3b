//! What a module imports, exports and takes for granted.

use std::ops::Range;

use super::lexer::{Kind, Token, tokens};

/// What decides how Node can load a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Module {
    /// `import … from '…'`
    pub(crate) imports: Vec<Import>,
    /// `export …`: where the keyword stands.
    pub(crate) exports: Vec<Range<usize>>,
    /// `import.meta`
    pub(crate) import_meta: Vec<Range<usize>>,
    /// `await` outside of functions, where that can be told.
    pub(crate) top_level_await: Vec<Range<usize>>,
    /// `require('…')`
    pub(crate) requires: Vec<Require>,
    /// Names that only CommonJS has and that the file does not declare, each where it is used.
    pub(crate) common_js: Vec<(CommonJsName, Range<usize>)>,
    /// Names that the file declares and that CommonJS would give it.
    pub(crate) declared: Vec<String>,
}

/// `import … from '…'`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Import {
    /// What is imported from.
    pub(crate) source: String,
    /// The whole statement, without its semicolon.
    pub(crate) span: Range<usize>,
    /// The source with its quotes.
    pub(crate) source_span: Range<usize>,
    /// What stands between `import` and `from`; empty for `import 'x'`.
    pub(crate) clause: Range<usize>,
    /// The name of the default import.
    pub(crate) default: Option<String>,
    /// Named imports, each with its local name.
    pub(crate) named: Vec<(String, String)>,
    /// `* as name`
    pub(crate) namespace: Option<String>,
    /// `with` or `assert`, where its keyword stands.
    pub(crate) attributes: Option<(Attributes, Range<usize>)>,
}

/// Which keyword import attributes have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attributes {
    With,
    Assert,
}

/// `require('…')`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Require {
    pub(crate) source: String,
    /// From `require` to the closing bracket.
    pub(crate) span: Range<usize>,
    /// What it is bound to.
    pub(crate) binding: Binding,
}

/// What becomes of a required module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Binding {
    /// `const name = require(…)`: where the name stands.
    Name(Range<usize>),
    /// `const { a, b: c } = require(…)`: the pattern, and local names by exported ones.
    Destructured { pattern: Range<usize>, names: Vec<(String, String)> },
    /// `require(…).name`: from the point to the end of the name.
    Property { name: String, span: Range<usize> },
    /// Anything else.
    Other,
}

/// A name that CommonJS gives to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommonJsName {
    Require,
    Dirname,
    Filename,
    Module,
    Exports,
}

impl CommonJsName {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Require => "require",
            Self::Dirname => "__dirname",
            Self::Filename => "__filename",
            Self::Module => "module",
            Self::Exports => "exports",
        }
    }
}

impl Module {
    /// Reads a file.
    pub(crate) fn read(text: &str) -> Self {
        let tokens = tokens(text);
        let reader = Reader { text, tokens: &tokens };
        let mut module = Self::default();
        reader.declarations(&mut module);
        let mut at = 0;
        let mut braces = 0usize;
        while let Some(token) = tokens.get(at) {
            let word = reader.text_at(at);
            match token.kind {
                Kind::Mark if word == "{" => braces += 1,
                Kind::Mark if word == "}" => braces = braces.saturating_sub(1),
                Kind::Word if !reader.is(at.wrapping_sub(1), ".") || reader.is_spread(at) => {
                    if let Some(next) = reader.word(at, braces, &mut module) {
                        at = next;
                        continue;
                    }
                }
                _ => {}
            }
            at += 1;
        }
        module
    }

    /// Where the first thing stands that only an ES module may have.
    pub(crate) fn esm_mark(&self) -> Option<Range<usize>> {
        let imports = self.imports.iter().map(|import| import.span.start..import.span.start + "import".len());
        let others = self.exports.iter().chain(&self.import_meta).chain(&self.top_level_await).cloned();
        imports.chain(others).min_by_key(|span| span.start)
    }

    /// Whether it has an import or an export: what makes it an ES module and nothing else.
    pub(crate) fn is_esm(&self) -> bool {
        self.esm_mark().is_some()
    }
}

struct Reader<'a> {
    text: &'a str,
    tokens: &'a [Token],
}

impl<'a> Reader<'a> {
    fn text_at(&self, at: usize) -> &'a str {
        self.tokens.get(at).map_or("", |token| &self.text[token.start..token.end])
    }

    fn is(&self, at: usize, text: &str) -> bool {
        self.text_at(at) == text
    }

    /// `...name` is no property.
    fn is_spread(&self, at: usize) -> bool {
        at >= 3 && (1..=3).all(|back| self.is(at - back, "."))
    }

    fn span(&self, from: usize, to: usize) -> Range<usize> {
        let end = self.tokens.get(to).or_else(|| self.tokens.last()).map_or(self.text.len(), |token| token.end);
        self.tokens.get(from).map_or(end, |token| token.start)..end
    }

    /// The text of a string literal.
    fn literal(&self, at: usize) -> Option<&'a str> {
        let token = self.tokens.get(at).filter(|token| token.kind == Kind::Text)?;
        let text = &self.text[token.start..token.end];
        text.get(1..text.len().checked_sub(1)?)
    }

    /// Names that hide those of CommonJS.
    fn declarations(&self, module: &mut Module) {
        for at in 1..self.tokens.len() {
            let name = self.text_at(at);
            let is_name = matches!(name, "require" | "__dirname" | "__filename" | "module" | "exports");
            let declares = matches!(self.text_at(at - 1), "const" | "let" | "var" | "function" | "class");
            if is_name && declares {
                module.declared.push(name.to_owned());
            }
        }
    }

    /// Looks at a word that is no property; gives where to go on if it took more than the word.
    fn word(&self, at: usize, braces: usize, module: &mut Module) -> Option<usize> {
        let here = self.span(at, at);
        let next = self.text_at(at + 1);
        match self.text_at(at) {
            "import" if next == "." && self.is(at + 2, "meta") => module.import_meta.push(here),
            "import" if !matches!(next, "(" | ":" | ".") && braces == 0 => return self.import(at, module),
            "export" if braces == 0 && next != ":" && next != "=" => module.exports.push(here),
            "await" if braces == 0 && !(self.is(at.wrapping_sub(1), ">") && self.is(at.wrapping_sub(2), "=")) => {
                module.top_level_await.push(here);
            }
            "require" if !module.declared.iter().any(|name| name == "require") => {
                if next == "(" {
                    self.require(at, module);
                }
                let is_used = (next == "(" || next == ".") && !self.is(at.wrapping_sub(1), "function");
                if is_used {
                    module.common_js.push((CommonJsName::Require, here));
                }
            }
            name @ ("__dirname" | "__filename") if next != ":" && !self.is_typeof(at) => {
                let kind = if name == "__dirname" { CommonJsName::Dirname } else { CommonJsName::Filename };
                self.free(kind, here, module);
            }
            "module" if next == "." && self.is(at + 2, "exports") => self.free(CommonJsName::Module, here, module),
            "exports" if matches!(next, "." | "[") || (next == "=" && !matches!(self.text_at(at + 2), "=" | ">")) => {
                self.free(CommonJsName::Exports, here, module);
            }
            _ => {}
        }
        None
    }

    fn is_typeof(&self, at: usize) -> bool {
        self.is(at.wrapping_sub(1), "typeof")
    }

    fn free(&self, kind: CommonJsName, span: Range<usize>, module: &mut Module) {
        if !module.declared.iter().any(|name| name == kind.name()) {
            module.common_js.push((kind, span));
        }
    }

    fn import(&self, at: usize, module: &mut Module) -> Option<usize> {
        let mut end = at + 1;
        // Types are gone before anything is loaded.
        let is_type = self.is(end, "type") && !matches!(self.text_at(end + 1), "from" | ",");
        while self.literal(end).is_none() {
            let token = self.tokens.get(end)?;
            let in_clause = token.kind == Kind::Word || matches!(self.text_at(end), "{" | "}" | "," | "*");
            if !in_clause {
                return None;
            }
            end += 1;
        }
        let source = self.literal(end)?.to_owned();
        let source_span = self.span(end, end);
        let has_clause = end > at + 2 && self.is(end - 1, "from");
        let clause = if has_clause { self.span(at + 1, end - 2) } else { source_span.start..source_span.start };
        let (default, named, namespace) = if has_clause { self.clause(at + 1, end - 1) } else { (None, Vec::new(), None) };
        let keyword = match self.text_at(end + 1) {
            "with" if self.is(end + 2, "{") => Some(Attributes::With),
            "assert" if self.is(end + 2, "{") => Some(Attributes::Assert),
            _ => None,
        };
        let mut last = end;
        let attributes = keyword.map(|keyword| (keyword, self.span(end + 1, end + 1)));
        if attributes.is_some() {
            last = (end + 2..self.tokens.len()).find(|at| self.is(*at, "}")).unwrap_or(end + 2);
        }
        if !is_type {
            let span = self.span(at, last);
            module.imports.push(Import { source, span, source_span, clause, default, named, namespace, attributes });
        }
        Some(last + 1)
    }

    /// Default, named and namespace imports.
    fn clause(&self, from: usize, to: usize) -> (Option<String>, Vec<(String, String)>, Option<String>) {
        let (mut default, mut named, mut namespace) = (None, Vec::new(), None);
        let mut at = from;
        let mut in_braces = false;
        while at < to {
            match self.text_at(at) {
                "{" => in_braces = true,
                "}" => in_braces = false,
                "*" => {
                    namespace = Some(self.text_at(at + 2).to_owned());
                    at += 2;
                }
                "," => {}
                name if in_braces => {
                    let local = if self.is(at + 1, "as") { self.text_at(at + 2) } else { name };
                    named.push((name.to_owned(), local.to_owned()));
                    at += if self.is(at + 1, "as") { 2 } else { 0 };
                }
                name => default = Some(name.to_owned()),
            }
            at += 1;
        }
        (default, named, namespace)
    }

    fn require(&self, at: usize, module: &mut Module) {
        let (Some(source), true) = (self.literal(at + 2), self.is(at + 3, ")")) else { return };
        let span = self.span(at, at + 3);
        let bound = self.is(at.wrapping_sub(1), "=");
        let property = self.is(at + 4, ".") && self.tokens.get(at + 5).is_some_and(|token| token.kind == Kind::Word);
        let binding = if property {
            Binding::Property { name: self.text_at(at + 5).to_owned(), span: self.span(at + 4, at + 5) }
        } else if bound && self.is(at - 2, "}") {
            let open = (0..at - 2).rev().find(|at| self.is(*at, "{"));
            match open {
                Some(open) => Binding::Destructured { pattern: self.span(open, at - 2), names: self.pattern(open + 1, at - 2) },
                None => Binding::Other,
            }
        } else if bound && self.tokens.get(at - 2).is_some_and(|token| token.kind == Kind::Word) {
            Binding::Name(self.span(at - 2, at - 2))
        } else {
            Binding::Other
        };
        module.requires.push(Require { source: source.to_owned(), span, binding });
    }

    fn pattern(&self, from: usize, to: usize) -> Vec<(String, String)> {
        let mut names = Vec::new();
        let mut at = from;
        while at < to {
            let name = self.text_at(at);
            if name != "," {
                let local = if self.is(at + 1, ":") { self.text_at(at + 2) } else { name };
                names.push((name.to_owned(), local.to_owned()));
                at += if self.is(at + 1, ":") { 2 } else { 0 };
            }
            at += 1;
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        Module::read(text).common_js.iter().map(|(name, _)| name.name()).collect()
    }

    #[test]
    fn free_names_of_common_js_are_found_and_nothing_else() {
        let table: [(&str, &[&str]); 14] = [
            ("const a = require('a')", &["require"]),
            ("import { createRequire } from 'module'; const require = createRequire(import.meta.url); require('a')", &[]),
            ("const __dirname = path.dirname(x); f(__dirname)", &[]),
            ("f(`${__dirname}/a`, __filename)", &["__dirname", "__filename"]),
            ("module.exports = {}", &["module"]),
            ("export default { module: { rules: [] }, exports: 1 }", &[]),
            ("exports.default = 1", &["exports"]),
            ("x.require('a'); a.module.exports", &[]),
            ("// require('a')\n'__dirname'", &[]),
            ("require.resolve('a')", &["require"]),
            ("typeof __dirname === 'undefined'", &[]),
            ("const x = { __dirname: true, require: 1 }", &[]),
            ("f(...require('a'))", &["require"]),
            ("var exports = {}; exports.a = 1", &[]),
        ];
        for (text, expected) in table {
            assert_eq!(names(text), expected, "{text}");
        }
    }

    #[test]
    fn imports_are_read_in_every_form() {
        let text = "import a, { b, c as d } from \"x\";\nimport * as e from 'y' with { type: 'json' }\nimport 'z'\nimport type { T } from 't'\n\
                    const p = import('q'); import f from './f.json' assert { type: 'json' }; const u = import.meta.url";
        let module = Module::read(text);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        let sources: Vec<&str> = module.imports.iter().map(|import| import.source.as_str()).collect();
        assert_eq!(sources, ["x", "y", "z", "./f.json"]);
        assert_eq!(module.imports[0].default.as_deref(), Some("a"));
        assert_eq!(module.imports[0].named, [pair("b", "b"), pair("c", "d")]);
        assert_eq!(&text[module.imports[0].clause.clone()], "a, { b, c as d }");
        assert_eq!(module.imports[1].namespace.as_deref(), Some("e"));
        assert_eq!(module.imports[1].attributes.as_ref().map(|(keyword, _)| *keyword), Some(Attributes::With));
        assert_eq!(&text[module.imports[1].span.clone()], "import * as e from 'y' with { type: 'json' }");
        assert_eq!(module.imports[3].attributes.as_ref().map(|(keyword, _)| *keyword), Some(Attributes::Assert));
        assert_eq!(module.import_meta.len(), 1);
    }

    #[test]
    fn requires_know_their_binding() {
        let text =
            "const a = require('a'); const { b, c: d } = require(\"b\"); const e = require('e').f; g(require('h')); require(x)";
        let module = Module::read(text);
        let bindings: Vec<String> = module
            .requires
            .iter()
            .map(|require| match &require.binding {
                Binding::Name(span) => text[span.clone()].to_owned(),
                Binding::Destructured { pattern, names } => format!("{} {names:?}", &text[pattern.clone()]),
                Binding::Property { name, span } => format!("{name} {}", &text[span.clone()]),
                Binding::Other => "other".to_owned(),
            })
            .collect();
        assert_eq!(bindings, ["a", "{ b, c: d } [(\"b\", \"b\"), (\"c\", \"d\")]", "f .f", "other"]);
    }

    #[test]
    fn an_es_module_is_told_by_its_statements() {
        for text in ["export default {}", "import 'a'", "const a = await f()", "f(import.meta.url)", "export { a } from 'b'"] {
            assert!(Module::read(text).is_esm(), "{text}");
        }
        for text in [
            "module.exports = async () => { await f() }",
            "const f = async () => await g()",
            "x.export()",
            "import('a')",
            "({ import: 1, export: 2 })",
        ] {
            assert!(!Module::read(text).is_esm(), "{text}");
        }
    }
}
