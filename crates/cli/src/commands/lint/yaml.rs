//! YAML as a tree that knows the line and column of everything in it. Anchors, aliases and `<<` merges are resolved;
//! unknown tags (`!reference`) are kept by name. Bounded in depth and in size, also against alias bombs.

use std::collections::HashSet;
use std::rc::Rc;

use serde_saphyr::granit_parser::{Event, Parser, ScalarStyle, Span};

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 100;
/// The most nodes a document may have, each alias counted with all it stands for.
const MAX_NODES: usize = 200_000;

/// A line and a column, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    pub line: usize,
    pub column: usize,
}

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub at: Place,
    /// The last line it stands on; of a block scalar, the line it ends before.
    pub end_line: usize,
    /// `reference` for `!reference`.
    pub tag: Option<String>,
    pub kind: Kind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar {
        text: String,
        /// How it was written; `at` of a block scalar is where its content begins.
        style: Style,
    },
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Quoted,
    /// `|`
    Literal,
    /// `>`
    Folded,
}

impl Node {
    /// An empty list at the place of `other`, to be given another kind.
    pub(super) fn clone_place(other: &Self) -> Self {
        Self { at: other.at, end_line: other.end_line, tag: None, kind: Kind::List(Vec::new()) }
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Whether this is the boolean `true`.
    pub(super) fn is_true(&self) -> bool {
        matches!(&self.kind, Kind::Scalar { text, style: Style::Plain, .. } if ["true", "yes", "on"].iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// The elements of a list; a lone value is a list of one.
    pub(super) fn items(self: &Rc<Self>) -> Vec<Rc<Self>> {
        match &self.kind {
            Kind::List(items) => items.clone(),
            Kind::Scalar { text, style: Style::Plain, .. } if text.is_empty() || text == "~" || text == "null" => {
                Vec::new()
            }
            _ => vec![Rc::clone(self)],
        }
    }

    /// The entries of a map, in order.
    pub(super) fn entries(&self) -> &[(Rc<Self>, Rc<Self>)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&Rc<Self>> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and the value under `key`; the last one wins, as in most parsers.
    pub(super) fn entry(&self, key: &str) -> Option<&(Rc<Self>, Rc<Self>)> {
        self.entries().iter().rev().find(|(own, _)| own.text() == Some(key))
    }
}

/// Why a document cannot be read.
#[derive(Debug)]
pub(super) struct Unreadable {
    pub at: Place,
    pub what: String,
}

/// Reads the documents of a YAML stream. GitLab allows a header document (`spec:`) before the pipeline.
pub(super) fn parse(text: &str) -> Result<Vec<Rc<Node>>, Unreadable> {
    let mut builder = Builder { documents: Vec::new(), open: Vec::new(), anchors: Vec::new(), nodes: 0 };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            Unreadable { at: Place { line: marker.line(), column: marker.col() + 1 }, what: error.info() }
        })?;
        builder.take(event, span)?;
    }
    Ok(builder.documents)
}

enum Open {
    List { at: Span, anchor: usize, tag: Option<String>, items: Vec<Rc<Node>> },
    Map { at: Span, anchor: usize, tag: Option<String>, entries: Vec<(Rc<Node>, Rc<Node>)>, key: Option<Rc<Node>> },
}

struct Builder {
    documents: Vec<Rc<Node>>,
    open: Vec<Open>,
    /// Anchor id, node, and how many nodes it stands for.
    anchors: Vec<(usize, Rc<Node>, usize)>,
    nodes: usize,
}

fn place(span: Span) -> Place {
    Place { line: span.start.line(), column: span.start.col() + 1 }
}

fn size(node: &Node) -> usize {
    1 + match &node.kind {
        Kind::Scalar { .. } => 0,
        Kind::List(items) => items.iter().map(|item| size(item)).sum(),
        Kind::Map(entries) => entries.iter().map(|(key, value)| size(key) + size(value)).sum(),
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = Kind::Scalar {
                    text: text.into_owned(),
                    style: match style {
                        ScalarStyle::Plain => Style::Plain,
                        ScalarStyle::Literal => Style::Literal,
                        ScalarStyle::Folded => Style::Folded,
                        _ => Style::Quoted,
                    },
                };
                let tag = tag.map(|tag| tag.suffix().to_owned());
                self.add(Node { at: place(span), end_line: span.end.line(), tag, kind }, anchor, 1)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix().to_owned());
                self.push(Open::List { at: span, anchor, tag, items: Vec::new() })
            }
            Event::MappingStart(_, anchor, tag) => {
                let tag = tag.map(|tag| tag.suffix().to_owned());
                self.push(Open::Map { at: span, anchor, tag, entries: Vec::new(), key: None })
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List { at, anchor, tag, items }) => {
                    let node = Node { at: place(at), end_line: span.end.line(), tag, kind: Kind::List(items) };
                    self.add(node, anchor, 1)
                }
                Some(Open::Map { at, anchor, tag, entries, .. }) => {
                    let kind = Kind::Map(merged(entries));
                    self.add(Node { at: place(at), end_line: span.end.line(), tag, kind }, anchor, 1)
                }
                None => Ok(()),
            },
            Event::Alias(id) => {
                let known = self
                    .anchors
                    .iter()
                    .rev()
                    .find(|(anchor, ..)| *anchor == id)
                    .map(|(_, node, size)| (Rc::clone(node), *size));
                let Some((node, size)) = known else {
                    return Err(Unreadable { at: place(span), what: "an alias inside its own anchor".to_owned() });
                };
                self.count(size, span)?;
                self.place_node(node);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn push(&mut self, open: Open) -> Result<(), Unreadable> {
        if self.open.len() == MAX_DEPTH {
            let (Open::List { at, .. } | Open::Map { at, .. }) = open;
            return Err(Unreadable { at: place(at), what: format!("nested deeper than {MAX_DEPTH}") });
        }
        self.open.push(open);
        Ok(())
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Unreadable {
                at: place(span),
                what: format!("more than {MAX_NODES} values, aliases resolved"),
            });
        }
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize, own: usize) -> Result<(), Unreadable> {
        self.nodes = self.nodes.saturating_add(own);
        if self.nodes > MAX_NODES {
            return Err(Unreadable { at: node.at, what: format!("more than {MAX_NODES} values, aliases resolved") });
        }
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.push((anchor, Rc::clone(&node), size(&node)));
        }
        self.place_node(node);
        Ok(())
    }

    fn place_node(&mut self, node: Rc<Node>) {
        match self.open.last_mut() {
            None => self.documents.push(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push((key, node)),
            },
        }
    }
}

/// `<<: *a` and `<<: [*a, *b]`: what is there already stays, earlier maps win over later ones.
fn merged(entries: Vec<(Rc<Node>, Rc<Node>)>) -> Vec<(Rc<Node>, Rc<Node>)> {
    let (merges, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(key, _)| key.text() == Some("<<"));
    let mut known: HashSet<String> = own.iter().filter_map(|(key, _)| key.text().map(str::to_owned)).collect();
    for (_, value) in merges {
        for source in value.items() {
            for (key, value) in source.entries() {
                if key.text().is_none_or(|name| known.insert(name.to_owned())) {
                    own.push((Rc::clone(key), Rc::clone(value)));
                }
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Rc<Node> {
        parse(text).unwrap().remove(0)
    }

    #[test]
    fn places_are_lines_and_columns_from_one() {
        let root = one("a:\n  b: c\n  script:\n    - |\n      one\n      two\n    - three\n");
        let inner = root.get("a").unwrap();
        assert_eq!(inner.get("b").unwrap().at, Place { line: 2, column: 6 });
        let items = inner.get("script").unwrap().items();
        assert_eq!(items[0].at.line, 5, "a block scalar is where its content is");
        assert_eq!(items[1].at, Place { line: 7, column: 7 });
    }

    #[test]
    fn anchors_merges_and_tags() {
        let root = one(".x: &x {a: 1, b: 2}\njob:\n  <<: *x\n  b: 3\n  s: !reference [.x, a]\n");
        let job = root.get("job").unwrap();
        assert_eq!(job.get("a").unwrap().text(), Some("1"));
        assert_eq!(job.get("b").unwrap().text(), Some("3"));
        assert_eq!(job.get("s").unwrap().tag.as_deref(), Some("reference"));
    }

    #[test]
    fn alias_bombs_and_deep_nesting_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = format!("*a{}, ", level - 1).repeat(9);
            bomb.extend([format!("a{level}: &a{level} [{before}*a{}]\n", level - 1)]);
        }
        assert!(parse(&bomb).unwrap_err().what.contains("more than"));
        assert!(parse(&"[".repeat(5000)).is_err());
        assert!(parse("a: &a [*a]\n").is_err());
        assert!(parse("a: *nobody\n").is_err());
    }

    #[test]
    fn syntax_errors_have_a_place() {
        let error = parse("a: b\n  c: [\n").unwrap_err();
        assert!(error.at.line >= 2, "{error:?}");
    }

    #[test]
    fn booleans_are_plain_words() {
        let root = one("a: true\nb: \"true\"\nc: True\nd: [x]\n");
        let truth: Vec<bool> = root.entries().iter().map(|(_, value)| value.is_true()).collect();
        assert_eq!(truth, [true, false, true, false]);
    }
}
