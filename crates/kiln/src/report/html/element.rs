//! Elements of HTML and SVG. Text and values of attributes are escaped by construction: nothing but [`Markup::asset`], which takes text that is
//! part of this program, gets into a page as it is.

use std::fmt::{Display, Write as _};

use crate::report::visible::{coded, visible};

/// Text that is safe in a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Markup(String);

impl Markup {
    /// Nothing.
    pub(super) const fn new() -> Self {
        Self(String::new())
    }

    /// A style sheet or script that is compiled into this program.
    pub(super) fn asset(text: &'static str) -> Self {
        Self(text.to_owned())
    }

    /// Adds more.
    pub(super) fn add(&mut self, more: impl Into<Self>) {
        self.0.push_str(&more.into().0);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

impl From<&str> for Markup {
    fn from(text: &str) -> Self {
        let mut markup = String::with_capacity(text.len());
        escape(&visible(text, true), &mut markup);
        Self(markup)
    }
}

impl From<String> for Markup {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Markup {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Element> for Markup {
    fn from(element: Element) -> Self {
        let Element { name, mut head, body } = element;
        match body {
            None => head.push('>'),
            Some(Self(body)) => {
                let _ = write!(head, ">{body}</{name}>");
            }
        }
        Self(head)
    }
}

impl<M: Into<Self>> FromIterator<M> for Markup {
    fn from_iter<T: IntoIterator<Item = M>>(pieces: T) -> Self {
        let mut all = Self::new();
        for piece in pieces {
            all.add(piece);
        }
        all
    }
}

/// A sentence of kiln's own in which `…` stands for code.
pub(super) fn sentence(text: &str) -> Markup {
    coded(text)
        .into_iter()
        .map(|(part, is_code)| if is_code { element("code").with(part).into() } else { Markup::from(part) })
        .collect()
}

fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '&' => into.push_str("&amp;"),
            '<' => into.push_str("&lt;"),
            '>' => into.push_str("&gt;"),
            '"' => into.push_str("&quot;"),
            '\'' => into.push_str("&#39;"),
            other => into.push(other),
        }
    }
}

/// An element that is not yet closed.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    head: String,
    /// Nothing for elements that have no end tag.
    body: Option<Markup>,
}

/// An element. Names are literals, so no text of others can become one.
pub(super) fn element(name: &'static str) -> Element {
    Element { name, head: format!("<{name}"), body: Some(Markup::new()) }
}

/// An element without content and end tag: `meta`, `input`.
pub(super) fn void(name: &'static str) -> Element {
    Element { name, head: format!("<{name}"), body: None }
}

impl Element {
    /// Adds an attribute.
    pub(super) fn at(mut self, name: &'static str, value: impl Display) -> Self {
        let _ = write!(self.head, " {name}=\"");
        escape(&visible(&value.to_string(), true), &mut self.head);
        self.head.push('"');
        self
    }

    /// Adds an attribute without a value if a condition holds.
    pub(super) fn flag(mut self, name: &'static str, on: bool) -> Self {
        if on {
            let _ = write!(self.head, " {name}");
        }
        self
    }

    /// Sets the classes.
    pub(super) fn class(self, classes: &'static str) -> Self {
        if classes.is_empty() { self } else { self.at("class", classes) }
    }

    /// A coordinate or length, with as few digits as can be seen.
    pub(super) fn number(self, name: &'static str, value: f64) -> Self {
        self.at(name, number(value))
    }

    /// A coordinate or length in percent of the picture's width.
    pub(super) fn percent(self, name: &'static str, value: f64) -> Self {
        let value = number(value) + "%";
        self.at(name, value)
    }

    /// Adds content.
    pub(super) fn with(mut self, more: impl Into<Markup>) -> Self {
        if let Some(body) = &mut self.body {
            body.add(more);
        }
        self
    }

    /// Adds content, piece by piece.
    pub(super) fn all<M: Into<Markup>>(self, pieces: impl IntoIterator<Item = M>) -> Self {
        let pieces: Markup = pieces.into_iter().collect();
        self.with(pieces)
    }
}

fn number(value: f64) -> String {
    let value = if value.is_finite() { value } else { 0.0 };
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_values_cannot_become_markup() {
        let hostile = "</p><script>alert('x')</script>\" onload=\"\u{0}&amp;";
        let page = Markup::from(element("p").at("title", hostile).with(hostile)).into_string();
        assert_eq!(
            page,
            "<p title=\"&lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;␀&amp;amp;\">\
             &lt;/p&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot; onload=&quot;␀&amp;amp;</p>"
        );
    }

    #[test]
    fn sentences_have_code_where_it_is_closed() {
        for (text, expected) in
            [("one line in `fn <main>`", "one line in <code>fn &lt;main&gt;</code>"), ("not ` closed", "not ` closed"), ("", "")]
        {
            assert_eq!(sentence(text).into_string(), expected);
        }
    }

    #[test]
    fn numbers_have_few_digits_and_are_numbers() {
        for (value, expected) in
            [(1.0, "1"), (12.3456, "12.35"), (0.5, "0.5"), (100.0, "100"), (f64::NAN, "0"), (f64::INFINITY, "0")]
        {
            assert_eq!(number(value), expected);
        }
    }
}
