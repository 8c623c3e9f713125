//! XML, read into elements: strict and bounded, since what answers may be anything. And elements into XML, for requests.

use quick_xml::{
    Reader,
    escape::{escape, resolve_xml_entity},
    events::{BytesRef, Event},
};

/// What S3's documents are in.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// AWS's answers are five deep at most.
const DEPTH_MAX: usize = 16;

/// One element: its local name, the text directly in it, its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// The root of a document; `None` when it is no XML, or deeper than any answer.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Element> {
        let mut reader = Reader::from_str(std::str::from_utf8(bytes).ok()?);
        reader.config_mut().expand_empty_elements = true;
        let mut open: Vec<Element> = Vec::new();
        loop {
            match reader.read_event().ok()? {
                Event::Start(tag) => {
                    let name = tag.local_name().into_inner().to_owned();
                    open.push(Element {
                        name,
                        ..Element::default()
                    });
                    if open.len() > DEPTH_MAX {
                        return None;
                    }
                }
                Event::End(_) => {
                    let element = open.pop()?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(element),
                        None => return Some(element),
                    }
                }
                Event::Text(text) => push(&mut open, &text.xml10_content()),
                Event::CData(text) => push(&mut open, &text.xml10_content()),
                Event::GeneralRef(entity) => push(&mut open, &resolved(&entity)?),
                Event::Eof => return None,
                Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
                Event::DocType(_) | Event::Empty(_) => return None,
            }
        }
    }

    /// An element with these in it.
    pub(crate) fn of(name: &str, children: Vec<Element>) -> Element {
        let (name, text) = (name.to_owned(), String::new());
        Element { name, text, children }
    }

    /// An element with a text in it.
    pub(crate) fn leaf(name: &str, text: &str) -> Element {
        let (name, text) = (name.to_owned(), text.to_owned());
        Element {
            name,
            text,
            children: Vec::new(),
        }
    }

    /// Itself as the document of a request to S3.
    pub(crate) fn document(&self) -> String {
        let mut out = String::new();
        self.write(&format!(" xmlns=\"{NAMESPACE}\""), &mut out);
        out
    }

    fn write(&self, attributes: &str, out: &mut String) {
        let name = &self.name;
        out.push_str(&format!("<{name}{attributes}>"));
        match &self.children[..] {
            [] => out.push_str(&escape(&self.text)),
            children => children.iter().for_each(|child| child.write("", out)),
        }
        out.push_str(&format!("</{name}>"));
    }

    /// Itself without the space between elements, which somebody may have laid it out with.
    pub(crate) fn without_space(mut self) -> Element {
        if !self.children.is_empty() || self.text.trim().is_empty() {
            self.text.clear();
        }
        self.children = self.children.into_iter().map(Element::without_space).collect();
        self
    }

    /// Takes out the first child of that name.
    pub(crate) fn take(&mut self, name: &str) -> Option<Element> {
        let at = self.children.iter().position(|child| child.name == name)?;
        Some(self.children.remove(at))
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }
}

fn push(open: &mut [Element], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolved(entity: &BytesRef<'_>) -> Option<String> {
    if let Some(char) = entity.resolve_char_ref().ok()? {
        return Some(char.to_string());
    }
    resolve_xml_entity(entity).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_texts_and_entities_are_read() {
        let root =
            Element::parse(b"<?xml version=\"1.0\"?><a xmlns=\"x\"><k>1 &lt;&amp;&#x41;</k><e/><k>2</k></a>")
                .unwrap();
        assert_eq!(root.name, "a");
        assert_eq!(root.text_of("k"), Some("1 <&A"));
        assert_eq!(root.text_of("e"), Some(""));
    }

    #[test]
    fn what_is_no_answer_of_aws_is_none() {
        for text in [
            "",
            "{}",
            "<a>",
            "<a></b>",
            "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
            "<a>&x;</a>",
        ] {
            assert_eq!(Element::parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Element::parse("<a>".repeat(100_000).as_bytes()), None);
    }
}
