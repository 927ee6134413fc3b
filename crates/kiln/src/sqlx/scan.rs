//! One source file: the query macros in it, the modules that it declares, and under which `cfg`s.
//!
//! Nothing is expanded. What stands in another macro's arguments is read like any other code, because that is where most macros
//! put it.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::cfg::Predicate;
use super::outcome::UnresolvedReason;
use super::tokens::{self, Place, is_punct, joined_strings, name, string};

/// The macros that check queries, without `_unchecked`.
const FAMILY: [&str; 6] = ["query", "query_as", "query_scalar", "query_file", "query_file_as", "query_file_scalar"];

/// What a file has.
#[derive(Debug, Default)]
pub(super) struct FileScan {
    pub(super) calls: Vec<Call>,
    pub(super) modules: Vec<Module>,
    /// Macros that are defined by `macro_rules!`.
    pub(super) defined: BTreeSet<String>,
    /// Macros that are used.
    pub(super) invoked: BTreeSet<String>,
}

/// A use of a query macro.
#[derive(Debug)]
pub(super) struct Call {
    /// The macro's own name, also where it was imported under another.
    pub(super) macro_name: String,
    /// First part of its path: `sqlx` of `sqlx::query!`.
    pub(super) qualifier: Option<String>,
    pub(super) place: Place,
    pub(super) conditions: Vec<Predicate>,
    /// The `macro_rules!` in whose body it stands.
    pub(super) within: Option<String>,
    pub(super) argument: Argument,
    /// How many bind arguments follow, where they can be counted without parsing expressions.
    pub(super) arguments: Option<usize>,
}

/// What a query macro is given.
#[derive(Debug)]
pub(super) enum Argument {
    Text(String),
    File(String),
    Unresolved(UnresolvedReason),
}

/// `mod name;` or `include!("file")`.
#[derive(Debug)]
pub(super) struct Module {
    pub(super) conditions: Vec<Predicate>,
    /// Folders of the inline modules around it.
    pub(super) inline: Vec<String>,
    pub(super) file: ModuleFile,
}

#[derive(Debug)]
pub(super) enum ModuleFile {
    Named(String),
    /// `#[path = "…"]`
    Path(String),
    Included(String),
}

/// Reads the tokens of a file.
pub(super) fn scan(stream: TokenStream) -> FileScan {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut aliases = BTreeMap::new();
    collect_aliases(&tokens, &mut aliases);
    let mut scanner = Scanner { aliases, found: FileScan::default() };
    scanner.level(&tokens, &Around::default());
    scanner.found
}

/// The value of every string literal, joined where `+` joins them.
pub(super) fn literals(stream: TokenStream, into: &mut BTreeSet<String>) {
    let tokens: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            TokenTree::Group(group) => literals(group.stream(), into),
            TokenTree::Literal(_) => {
                let mut end = at + 1;
                while is_punct(tokens.get(end), '+') && matches!(tokens.get(end + 1), Some(TokenTree::Literal(_))) {
                    end += 2;
                }
                into.extend(joined_strings(&tokens[at..end]));
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
}

/// `use sqlx::query as sql;`: the new names.
fn collect_aliases(tokens: &[TokenTree], into: &mut BTreeMap<String, String>) {
    for window in tokens.windows(3) {
        if let [TokenTree::Ident(from), TokenTree::Ident(word), TokenTree::Ident(to)] = window
            && *word == "as"
            && is_family(&name(from))
        {
            into.insert(name(to), name(from));
        }
    }
    for token in tokens {
        if let TokenTree::Group(group) = token {
            collect_aliases(&group.stream().into_iter().collect::<Vec<_>>(), into);
        }
    }
}

fn is_family(name: &str) -> bool {
    FAMILY.contains(&name.strip_suffix("_unchecked").unwrap_or(name))
}

/// What holds for everything in a group.
#[derive(Debug, Default, Clone)]
struct Around {
    conditions: Vec<Predicate>,
    inline: Vec<String>,
    within: Option<String>,
}

/// Where the item (statement, arm, field) that attributes stand before comes to its end.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    /// At a comma, a semicolon or behind braces: an arm, a field, an expression.
    #[default]
    Loose,
    /// At a semicolon or behind braces: `fn`, `impl`, …
    Item,
    /// At a semicolon: `let`, `use`, …
    Semicolon,
}

struct Scanner {
    aliases: BTreeMap<String, String>,
    found: FileScan,
}

impl Scanner {
    fn level(&mut self, tokens: &[TokenTree], around: &Around) {
        let mut around = around.clone();
        let mut item = Item::default();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => match (tokens.get(at + 1), tokens.get(at + 2)) {
                    (Some(TokenTree::Group(group)), _) if group.delimiter() == Delimiter::Bracket => {
                        item.attribute(group);
                        at += 1;
                    }
                    (Some(bang), Some(TokenTree::Group(group)))
                        if is_punct(Some(bang), '!') && group.delimiter() == Delimiter::Bracket =>
                    {
                        let mut inner = Item::default();
                        inner.attribute(group);
                        around.conditions.extend(inner.conditions);
                        at += 2;
                    }
                    _ => {}
                },
                TokenTree::Ident(ident) => {
                    let word = ident.to_string();
                    let is_condition = word == "let" && at > 0 && continues(&tokens[at - 1]);
                    if !is_condition {
                        item.keyword(&word, tokens.get(at + 1));
                    }
                    let read = self.word(tokens, at, &name(ident), &item, &around);
                    at += read;
                    if read > 0 && matches!(&tokens[at], TokenTree::Group(group) if group.delimiter() == Delimiter::Brace) {
                        item.braces(tokens, at + 1);
                    }
                }
                TokenTree::Punct(punct) => item.punct(punct.as_char()),
                TokenTree::Group(group) => {
                    self.group(group, &item.around(&around));
                    if group.delimiter() == Delimiter::Brace {
                        item.braces(tokens, at + 1);
                    }
                }
                TokenTree::Literal(_) => {}
            }
            at += 1;
        }
    }

    fn group(&mut self, group: &Group, around: &Around) {
        self.level(&group.stream().into_iter().collect::<Vec<_>>(), around);
    }

    /// What an identifier begins. Gives how many more tokens are done with.
    fn word(&mut self, tokens: &[TokenTree], at: usize, word: &str, item: &Item, around: &Around) -> usize {
        match (tokens.get(at + 1), tokens.get(at + 2)) {
            (Some(TokenTree::Ident(module)), Some(next)) if word == "mod" => self.module(&name(module), next, item, around),
            (Some(bang), Some(TokenTree::Ident(defined))) if word == "macro_rules" && is_punct(Some(bang), '!') => {
                let Some(TokenTree::Group(body)) = tokens.get(at + 3) else { return 0 };
                self.found.defined.insert(name(defined));
                let inside = Around { within: Some(name(defined)), ..item.around(around) };
                self.group(body, &inside);
                3
            }
            (Some(bang), Some(TokenTree::Group(group))) if is_punct(Some(bang), '!') => {
                self.invocation(tokens, at, word, group, &item.around(around));
                1
            }
            _ => 0,
        }
    }

    fn module(&mut self, module: &str, next: &TokenTree, item: &Item, around: &Around) -> usize {
        let inside = item.around(around);
        match next {
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                let folder = item.path.clone().unwrap_or_else(|| module.to_owned());
                let mut inside = inside;
                inside.inline.push(folder);
                self.group(group, &inside);
                2
            }
            next if is_punct(Some(next), ';') => {
                let file = item.path.clone().map_or_else(|| ModuleFile::Named(module.to_owned()), ModuleFile::Path);
                self.found.modules.push(Module { conditions: inside.conditions, inline: inside.inline, file });
                0
            }
            _ => 0,
        }
    }

    fn invocation(&mut self, tokens: &[TokenTree], at: usize, word: &str, group: &Group, around: &Around) {
        self.found.invoked.insert(word.to_owned());
        let family = self.aliases.get(word).cloned().or_else(|| is_family(word).then(|| word.to_owned()));
        if let Some(macro_name) = family {
            let (argument, arguments) = arguments(&macro_name, group, around.within.is_some());
            self.found.calls.push(Call {
                qualifier: qualifier(&tokens[..at]),
                place: Place::of(&tokens[at]),
                conditions: around.conditions.clone(),
                within: around.within.clone(),
                macro_name,
                argument,
                arguments,
            });
        } else if word == "include"
            && let [TokenTree::Literal(path)] = group.stream().into_iter().collect::<Vec<_>>().as_slice()
            && let Some(path) = string(path)
        {
            let (conditions, inline) = (around.conditions.clone(), around.inline.clone());
            self.found.modules.push(Module { conditions, inline, file: ModuleFile::Included(path) });
        }
    }
}

/// The item that is being read, with what its attributes say.
#[derive(Debug, Default)]
struct Item {
    conditions: Vec<Predicate>,
    path: Option<String>,
    end: End,
}

impl Item {
    fn around(&self, around: &Around) -> Around {
        let mut inside = around.clone();
        inside.conditions.extend(self.conditions.iter().cloned());
        inside
    }

    fn attribute(&mut self, group: &Group) {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        match tokens.as_slice() {
            [TokenTree::Ident(word), TokenTree::Group(inside)] if *word == "cfg" => {
                self.conditions.push(Predicate::parse(inside.stream()));
            }
            [TokenTree::Ident(word), equals, TokenTree::Literal(value)] if *word == "path" && is_punct(Some(equals), '=') => {
                self.path = string(value);
            }
            // `#[test]`, `#[tokio::test(…)]`, `#[sqlx::test]`: such functions are compiled with tests only.
            _ => {
                let path = match tokens.split_last() {
                    Some((TokenTree::Group(_), path)) => path,
                    _ => &tokens,
                };
                if let Some(TokenTree::Ident(last)) = path.last()
                    && (*last == "test" || *last == "rstest" || (*last == "bench" && path.len() == 1))
                {
                    self.conditions.push(Predicate::test());
                }
            }
        }
    }

    fn keyword(&mut self, word: &str, next: Option<&TokenTree>) {
        if self.end != End::Loose {
            return;
        }
        self.end = match word {
            "fn" | "impl" | "trait" | "struct" | "enum" | "mod" => End::Item,
            "let" | "static" | "use" | "type" => End::Semicolon,
            "const" => match next {
                Some(TokenTree::Ident(next)) if ["fn", "unsafe", "async", "extern"].iter().any(|word| *next == *word) => {
                    End::Item
                }
                Some(TokenTree::Group(_)) => End::Loose,
                _ => End::Semicolon,
            },
            _ => return,
        };
    }

    fn punct(&mut self, punct: char) {
        if punct == ';' || (punct == ',' && self.end == End::Loose) {
            *self = Self::default();
        }
    }

    /// Behind braces most items end; not an expression that goes on, nor the pattern of an arm.
    fn braces(&mut self, tokens: &[TokenTree], next: usize) {
        let goes_on = match tokens.get(next) {
            Some(TokenTree::Punct(punct)) => matches!(punct.as_char(), '.' | '?' | '=' | '|'),
            Some(TokenTree::Ident(word)) => *word == "else" || (*word == "if" && self.end == End::Loose && arm(tokens, next)),
            _ => false,
        };
        if self.end != End::Semicolon && !goes_on {
            *self = Self::default();
        }
    }
}

/// Whether a `let` behind this token is a part of a condition: `if let`, `&& let`.
fn continues(before: &TokenTree) -> bool {
    match before {
        TokenTree::Ident(word) => *word == "if" || *word == "while",
        before => is_punct(Some(before), '&'),
    }
}

/// Whether `if` is the guard of an arm: `=>` comes before any braces.
fn arm(tokens: &[TokenTree], from: usize) -> bool {
    let rest = tokens.get(from..).unwrap_or_default();
    let braces = rest.iter().position(|token| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace));
    let arrow = rest.windows(2).position(|pair| is_punct(pair.first(), '=') && is_punct(pair.get(1), '>'));
    arrow.is_some_and(|arrow| braces.is_none_or(|braces| arrow < braces))
}

/// The first part of the path that leads to the last token.
fn qualifier(before: &[TokenTree]) -> Option<String> {
    let mut first = None;
    let mut rest = before;
    while let [front @ .., TokenTree::Ident(part), left, right] = rest {
        if !(is_punct(Some(left), ':') && is_punct(Some(right), ':')) {
            break;
        }
        first = Some(name(part));
        rest = front;
    }
    first
}

/// The query of a call, and how many arguments are bound to it.
fn arguments(macro_name: &str, group: &Group, in_macro: bool) -> (Argument, Option<usize>) {
    let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
    let family = macro_name.strip_suffix("_unchecked").unwrap_or(macro_name);
    let rest = if family.ends_with("_as") { behind_type(&tokens) } else { &tokens };
    let end = rest.iter().position(|token| is_punct(Some(token), ',')).unwrap_or(rest.len());
    let (query, binds) = (&rest[..end], rest.get(end + 1..).unwrap_or_default());
    let plain = !binds.iter().any(|token| ['<', '|', '$'].iter().any(|odd| is_punct(Some(token), *odd)));
    let count = plain.then(|| tokens::split(binds.iter().cloned().collect(), ',').len());
    let argument = match (family.starts_with("query_file"), query) {
        (true, [TokenTree::Literal(path)]) => string(path).map(Argument::File),
        (true, _) => None,
        (false, query) => joined_strings(query).map(Argument::Text),
    };
    (argument.unwrap_or_else(|| Argument::Unresolved(reason(query, in_macro))), count)
}

/// What follows the type and its comma. Angle brackets are no groups, so their commas are told apart here.
fn behind_type(tokens: &[TokenTree]) -> &[TokenTree] {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Punct(punct) = token else { continue };
        match punct.as_char() {
            '<' => depth += 1,
            '>' if at == 0 || !is_punct(tokens.get(at - 1), '-') => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return tokens.get(at + 1..).unwrap_or_default(),
            _ => {}
        }
    }
    &[]
}

fn reason(query: &[TokenTree], in_macro: bool) -> UnresolvedReason {
    match query {
        _ if in_macro && query.iter().any(|token| is_punct(Some(token), '$')) => UnresolvedReason::MacroArgument,
        [] => UnresolvedReason::Empty,
        [TokenTree::Ident(word), bang, ..] if is_punct(Some(bang), '!') => UnresolvedReason::Macro { name: name(word) },
        _ => UnresolvedReason::NoLiteral,
    }
}
