//! XML in and out: a strict, bounded reader for request documents and a writer for answers.
//!
//! No document that S3 takes needs a DTD, an entity of its own, attributes or depth, so none is read: what a client
//! can make this allocate is bounded by [`XML_BYTES_MAX`], [`XML_ELEMENTS_MAX`] and [`XML_DEPTH_MAX`].

use quick_xml::{
    Reader,
    escape::resolve_xml_entity,
    events::{BytesRef, Event},
};
use tidelock_core::limits::{XML_BYTES_MAX, XML_DEPTH_MAX, XML_ELEMENTS_MAX};

use super::error::{Code, Error};

/// The namespace of every S3 document.
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// One element of a request document: its local name, the text directly in it, its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    text: String,
    pub(crate) children: Vec<Element>,
}

impl Element {
    /// Reads a document whose root is called `root`.
    ///
    /// # Errors
    /// `MalformedXML` when it is anything else, or more than the bounds allow.
    pub(crate) fn parse(bytes: &[u8], root: &str) -> Result<Element, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed())?;
        if text.len() > XML_BYTES_MAX {
            return Err(malformed());
        }
        let element = read(text.trim_start_matches('\u{feff}'))?;
        if element.name == root {
            Ok(element)
        } else {
            Err(malformed())
        }
    }

    /// The text, without the white space around it.
    pub(crate) fn text(&self) -> &str {
        self.text.trim()
    }

    /// The text, with the white space around it: keys may begin and end with some.
    pub(crate) fn raw_text(&self) -> &str {
        &self.text
    }

    /// The first child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of that name.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Element::text)
    }

    /// The document with this root, as it is given back: elements and texts, nothing else that came with them.
    pub(crate) fn render(&self) -> String {
        let mut document = Document::start(&self.name, &format!(" xmlns=\"{NAMESPACE}\""));
        self.render_into(&mut document);
        document.finish()
    }

    fn render_into(&self, document: &mut Document) {
        for child in &self.children {
            if child.children.is_empty() {
                document.text(&child.name, &child.text);
            } else {
                document.open(&child.name);
                child.render_into(document);
                document.close();
            }
        }
    }

    /// Whether it has no text of its own and no children but those of these names.
    pub(crate) fn has_only(&self, names: &[&str]) -> bool {
        self.text().is_empty()
            && self
                .children
                .iter()
                .all(|child| names.contains(&child.name.as_str()))
    }

    /// The same, each of them at most once.
    pub(crate) fn has_only_once(&self, names: &[&str]) -> bool {
        let once = |name: &&str| self.all(name).count() <= 1;
        self.has_only(names) && names.iter().all(once)
    }

    /// All children of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn malformed() -> Error {
    Error::new(Code::MalformedXML)
}

fn read(text: &str) -> Result<Element, Error> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().expand_empty_elements = true;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0_usize;
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(start) => {
                elements += 1;
                if root.is_some() || open.len() == XML_DEPTH_MAX || elements > XML_ELEMENTS_MAX {
                    return Err(malformed());
                }
                open.push(Element {
                    name: start.local_name().into_inner().to_owned(),
                    ..Element::default()
                });
            }
            Event::End(_) => {
                let done = open.pop().ok_or_else(malformed)?;
                match open.last_mut() {
                    Some(parent) => parent.children.push(done),
                    None => root = Some(done),
                }
            }
            Event::Text(more) => append(open.last_mut(), &more.xml10_content())?,
            Event::CData(more) => append(open.last_mut(), &more.xml10_content())?,
            Event::GeneralRef(reference) => append(open.last_mut(), &resolve(&reference)?)?,
            Event::Decl(_) | Event::Comment(_) => {}
            Event::Empty(_) | Event::PI(_) | Event::DocType(_) => return Err(malformed()),
            Event::Eof => return root.filter(|_| open.is_empty()).ok_or_else(malformed),
        }
    }
}

/// What a reference stands for: a character, or one of XML's own five entities.
fn resolve(reference: &BytesRef<'_>) -> Result<String, Error> {
    let char = reference.resolve_char_ref().map_err(|_| malformed())?;
    match char {
        Some(char) => Ok(char.to_string()),
        None => resolve_xml_entity(reference)
            .map(str::to_owned)
            .ok_or_else(malformed),
    }
}

fn append(element: Option<&mut Element>, more: &str) -> Result<(), Error> {
    match element {
        Some(element) => element.text.push_str(more),
        None if more.trim().is_empty() => {}
        None => return Err(malformed()),
    }
    Ok(())
}

/// An answer's document while it is written.
#[derive(Debug)]
pub(crate) struct Document {
    text: String,
    open: Vec<String>,
}

impl Document {
    /// A document of S3's namespace.
    pub(crate) fn new(root: &str) -> Document {
        Document::start(root, &format!(" xmlns=\"{NAMESPACE}\""))
    }

    /// A document without a namespace, as S3 writes errors.
    pub(crate) fn bare(root: &str) -> Document {
        Document::start(root, "")
    }

    /// A document whose root holds a text.
    pub(crate) fn text_root(root: &str, value: &str) -> Document {
        let mut document = Document::new(root);
        escape(value, &mut document.text);
        document
    }

    fn start(root: &str, attributes: &str) -> Document {
        Document {
            text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}{attributes}>"),
            open: vec![root.to_owned()],
        }
    }

    /// Adds an element that holds a text.
    pub(crate) fn text(&mut self, name: &str, value: impl AsRef<str>) -> &mut Document {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
        escape(value.as_ref(), &mut self.text);
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }

    /// Adds an element that holds a text, if there is one.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Document {
        if let Some(value) = value {
            self.text(name, value);
        }
        self
    }

    /// Opens an element; what follows goes into it until [`Document::close`].
    pub(crate) fn open(&mut self, name: &str) -> &mut Document {
        self.open_with(name, "")
    }

    /// Opens an element with attributes, written as they are to appear.
    pub(crate) fn open_with(&mut self, name: &str, attributes: &str) -> &mut Document {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push_str(attributes);
        self.text.push('>');
        self.open.push(name.to_owned());
        self
    }

    /// Closes the element that was opened last.
    pub(crate) fn close(&mut self) -> &mut Document {
        if let Some(name) = self.open.pop() {
            self.text.push_str("</");
            self.text.push_str(&name);
            self.text.push('>');
        }
        self
    }

    /// The whole text, with everything closed.
    pub(crate) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }
}

/// Escapes a text as S3 does: also the control characters, which a key may hold and XML 1.0 has no plain form for.
fn escape(value: &str, out: &mut String) {
    for char in value.chars() {
        match char {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(char),
            '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("&#x{:x};", char as u32));
            }
            _ => out.push(char),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_escape_of_a_quote_reads_the_same() {
        for etag in [
            "&#34;ab&#34;",
            "&quot;ab&quot;",
            "\"ab\"",
            "&#x22;ab&#x22;",
            "<![CDATA[\"ab\"]]>",
        ] {
            let text =
                format!("<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><!-- c --><ETag> {etag} </ETag><E/></A>\n");
            let element = Element::parse(text.as_bytes(), "A").unwrap();
            assert_eq!(element.child_text("ETag"), Some("\"ab\""), "{etag}");
            assert_eq!(element.child_text("E"), Some(""));
        }
    }

    #[test]
    fn white_space_of_a_key_is_kept() {
        let element = Element::parse(b"<A><Key> a&amp;\tb </Key></A>", "A").unwrap();
        assert_eq!(element.child("Key").unwrap().raw_text(), " a&\tb ");
    }

    #[test]
    fn what_is_not_one_plain_document_is_malformed() {
        let deep = "<A>".repeat(XML_DEPTH_MAX + 1) + &"</A>".repeat(XML_DEPTH_MAX + 1);
        let wide = format!("<A>{}</A>", "<b/>".repeat(XML_ELEMENTS_MAX));
        for text in [
            "",
            "no",
            "<A>",
            "<A></B>",
            "<A/><A/>",
            "<B/>",
            "<A/>tail",
            "<!DOCTYPE A [<!ENTITY e \"x\">]><A>&e;</A>",
            "<A>&e;</A>",
            "<A>&#0;</A>",
            "<?php?><A/>",
            &deep,
            &wide,
        ] {
            let error = Element::parse(text.as_bytes(), "A").unwrap_err();
            assert_eq!(
                error.code,
                Code::MalformedXML.name(),
                "{}",
                &text[..text.len().min(60)]
            );
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let key = "a\u{1}b<&>\"'\r\n ü";
        let mut document = Document::new("A");
        document.open("B").text("Key", key).maybe("No", None::<&str>);
        let text = document.finish();
        assert!(text.ends_with("</Key></B></A>"), "{text}");
        let element = Element::parse(text.replace("&#x1;", "?").as_bytes(), "A").unwrap();
        let read = element.child("B").unwrap().child("Key").unwrap().raw_text();
        assert_eq!(read, key.replace('\u{1}', "?"));
    }
}
