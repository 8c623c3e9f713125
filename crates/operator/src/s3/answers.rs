//! What S3 answers with, as far as the toolkit reads it.

use bytes::Bytes;
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::aws::{Answer, Element};

/// A page of a listing.
#[derive(Debug, PartialEq, Eq)]
pub struct Page<T, Next> {
    /// What it lists.
    pub items: Vec<T>,
    /// Where the next one begins; `None` on the last.
    pub next: Option<Next>,
}

/// Where a page of versions ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionMarker {
    /// The last key.
    pub key: String,
    /// The last version of it.
    pub version: Option<String>,
}

/// A version, or a delete marker, of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVersion {
    /// The key.
    pub key: String,
    /// The version's ID; `null` in a bucket that has never been versioned.
    pub version: String,
    /// Whether it is the newest.
    pub current: bool,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
    /// Its size in bytes; `None` of a delete marker.
    pub size: Option<u64>,
    /// The MD5 in hexadecimal digits, where the ETag is one; it is none of multipart and KMS-encrypted objects.
    pub etag: String,
}

impl ListedVersion {
    /// Whether it says that the object was deleted.
    #[must_use]
    pub fn is_delete_marker(&self) -> bool {
        self.size.is_none()
    }
}

/// A current object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// As [`ListedVersion::etag`].
    pub etag: String,
    /// When it was written, in milliseconds since 1970.
    pub written_ms: i64,
}

/// An object, or what HEAD says of it.
#[derive(Clone)]
pub struct Object {
    /// Its bytes; none of HEAD.
    pub bytes: Bytes,
    /// The version's ID, where the bucket has such.
    pub version: Option<String>,
    /// As [`ListedVersion::etag`].
    pub etag: String,
    headers: HeaderMap,
}

impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The bytes may be a state, and states hold secrets.
        let mut shown = f.debug_struct("Object");
        shown
            .field("size", &self.bytes.len())
            .field("version", &self.version);
        shown.field("etag", &self.etag).finish_non_exhaustive()
    }
}

impl Object {
    pub(super) fn of(answer: Answer) -> Object {
        Object {
            version: text(&answer.headers, "x-amz-version-id"),
            etag: text(&answer.headers, header::ETAG.as_str())
                .map(unquoted)
                .unwrap_or_default(),
            headers: answer.headers,
            bytes: answer.body,
        }
    }

    /// A header of the answer.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A value of the user's metadata, by its name without `x-amz-meta-`.
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&str> {
        self.headers.get(format!("x-amz-meta-{name}"))?.to_str().ok()
    }

    /// When it was written, in milliseconds since 1970 and whole seconds.
    #[must_use]
    pub fn written_ms(&self) -> Option<i64> {
        let text = self.headers.get(header::LAST_MODIFIED)?.to_str().ok()?;
        let at = jiff::fmt::rfc2822::parse(text).ok()?;
        Some(at.timestamp().as_millisecond())
    }

    /// What the server calls itself.
    #[must_use]
    pub fn server(&self) -> Option<&str> {
        self.headers.get(header::SERVER)?.to_str().ok()
    }

    /// Its size in bytes, as the server states it.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.headers
            .get(header::CONTENT_LENGTH)?
            .to_str()
            .ok()?
            .parse()
            .ok()
    }
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// The ID of the new version, where the bucket keeps versions.
    pub version: Option<String>,
    /// As [`ListedVersion::etag`].
    pub etag: String,
}

impl Put {
    pub(super) fn of(headers: &HeaderMap) -> Put {
        Put {
            version: text(headers, "x-amz-version-id"),
            etag: text(headers, header::ETAG.as_str())
                .map(unquoted)
                .unwrap_or_default(),
        }
    }
}

/// Whether a bucket keeps old versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versioning {
    /// Every write makes a version.
    Enabled,
    /// It did; a write now replaces the one version called `null`.
    Suspended,
    /// It never did.
    Never,
}

/// `ListVersionsResult`; `None` when it is none.
pub(super) fn versions(body: &[u8]) -> Option<Page<ListedVersion, VersionMarker>> {
    let root = Element::parse(body).filter(|root| root.name == "ListVersionsResult")?;
    let is_one = |child: &&Element| ["Version", "DeleteMarker"].contains(&child.name.as_str());
    let names = Names::of(&root);
    let items = root.children.iter().filter(is_one);
    let items = items.map(|child| version(child, names)).collect::<Option<_>>()?;
    let items = in_order(items);
    let marker = || {
        let version = root
            .text_of("NextVersionIdMarker")
            .filter(|version| !version.is_empty());
        Some(VersionMarker {
            key: names.read(root.text_of("NextKeyMarker")?)?,
            version: version.map(str::to_owned),
        })
    };
    let next = if is_truncated(&root) {
        Some(marker()?)
    } else {
        None
    };
    Some(Page { items, next })
}

/// AWS lists delete markers in their places, and some stand-ins behind all versions: those go in front of what is older.
fn in_order(items: Vec<ListedVersion>) -> Vec<ListedVersion> {
    let mut ordered: Vec<ListedVersion> = Vec::with_capacity(items.len());
    for item in items {
        let is_older = |other: &ListedVersion| {
            other.key == item.key && !other.current && (item.current || other.written_ms < item.written_ms)
        };
        let place = match item.is_delete_marker() {
            true => ordered.iter().position(is_older),
            false => None,
        };
        ordered.insert(place.unwrap_or(ordered.len()), item);
    }
    ordered
}

fn version(element: &Element, names: Names) -> Option<ListedVersion> {
    let size = match element.name.as_str() {
        "Version" => Some(element.text_of("Size")?.parse().ok()?),
        _ => None,
    };
    Some(ListedVersion {
        key: names.read(element.text_of("Key")?)?,
        version: element.text_of("VersionId").unwrap_or("null").to_owned(),
        current: element.text_of("IsLatest")? == "true",
        written_ms: time(element.text_of("LastModified")?)?,
        size,
        etag: unquoted(element.text_of("ETag").unwrap_or_default().to_owned()),
    })
}

/// `ListBucketResult` of ListObjectsV2; `None` when it is none.
pub(super) fn objects(body: &[u8]) -> Option<Page<Listed, String>> {
    let root = Element::parse(body).filter(|root| root.name == "ListBucketResult")?;
    let names = Names::of(&root);
    let object = |element: &Element| {
        Some(Listed {
            key: names.read(element.text_of("Key")?)?,
            size: element.text_of("Size")?.parse().ok()?,
            etag: unquoted(element.text_of("ETag").unwrap_or_default().to_owned()),
            written_ms: time(element.text_of("LastModified")?)?,
        })
    };
    let items = root.children.iter().filter(|child| child.name == "Contents");
    let items = items.map(object).collect::<Option<_>>()?;
    let next = match is_truncated(&root) {
        true => Some(root.text_of("NextContinuationToken")?.to_owned()),
        false => None,
    };
    Some(Page { items, next })
}

/// `VersioningConfiguration`, which moto calls by another name; `None` when it is none.
pub(super) fn versioning(body: &[u8]) -> Option<Versioning> {
    let root = Element::parse(body)?;
    if !["VersioningConfiguration", "GetBucketVersioningResponse"].contains(&root.name.as_str()) {
        return None;
    }
    match root.text_of("Status") {
        Some("Enabled") => Some(Versioning::Enabled),
        Some("Suspended") => Some(Versioning::Suspended),
        Some(_) => None,
        None => Some(Versioning::Never),
    }
}

fn is_truncated(root: &Element) -> bool {
    root.text_of("IsTruncated") == Some("true")
}

/// How a listing writes keys.
#[derive(Clone, Copy)]
enum Names {
    /// As `encoding-type=url` has it: like a form, with `+` for a space.
    Url,
    /// As they are: some stores do not know that parameter, and then do not say that they followed it.
    Plain,
}

impl Names {
    fn of(root: &Element) -> Names {
        match root.text_of("EncodingType") {
            Some("url") => Names::Url,
            _ => Names::Plain,
        }
    }

    fn read(self, key: &str) -> Option<String> {
        match self {
            Names::Plain => Some(key.to_owned()),
            Names::Url => {
                let key = key.replace('+', " ");
                let key = percent_decode_str(&key).decode_utf8().ok()?;
                Some(key.into_owned())
            }
        }
    }
}

fn time(text: &str) -> Option<i64> {
    text.parse::<jiff::Timestamp>()
        .ok()
        .map(jiff::Timestamp::as_millisecond)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn unquoted(etag: String) -> String {
    etag.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_page_of_versions_is_read_with_its_markers_and_encoded_keys() {
        let page = versions(
            br#"<?xml version="1.0"?><ListVersionsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
            <EncodingType>url</EncodingType><IsTruncated>true</IsTruncated><NextKeyMarker>a%2Bb+c</NextKeyMarker><NextVersionIdMarker>v1</NextVersionIdMarker>
            <Version><Key>a%2Bb+c</Key><VersionId>v2</VersionId><IsLatest>false</IsLatest>
            <LastModified>2026-11-21T01:02:03.004Z</LastModified><ETag>&quot;abc&quot;</ETag><Size>7</Size></Version>
            <DeleteMarker><Key>%C3%BC</Key><VersionId>null</VersionId><IsLatest>true</IsLatest>
            <LastModified>2026-11-21T01:02:03.000Z</LastModified></DeleteMarker></ListVersionsResult>"#,
        );
        let page = page.unwrap();
        assert_eq!(
            page.next.unwrap(),
            VersionMarker {
                key: "a+b c".to_owned(),
                version: Some("v1".to_owned())
            }
        );
        let [version, marker] = &page.items[..] else {
            panic!("two items")
        };
        assert_eq!(
            (version.key.as_str(), version.size, version.etag.as_str()),
            ("a+b c", Some(7), "abc")
        );
        assert_eq!(version.written_ms, 1_795_222_923_004);
        assert!(marker.is_delete_marker() && marker.current && marker.key == "ü");
    }

    #[test]
    fn keys_are_as_they_stand_where_the_store_does_not_say_that_it_encodes_them() {
        let one = "<Key>a+b%20c</Key><Size>1</Size><LastModified>2026-11-21T00:00:00Z</LastModified>";
        let text = format!(
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a+b%20c</NextKeyMarker>\
             <Version>{one}<IsLatest>true</IsLatest></Version></ListVersionsResult>"
        );
        let page = versions(text.as_bytes()).unwrap();
        let keys = [&page.items[0].key, &page.next.unwrap().key];
        assert_eq!(keys, ["a+b%20c", "a+b%20c"]);
        let of = |encoding: &str| {
            let text = format!("<ListBucketResult>{encoding}<Contents>{one}</Contents></ListBucketResult>");
            objects(text.as_bytes()).unwrap().items[0].key.clone()
        };
        assert_eq!(of(""), "a+b%20c");
        assert_eq!(of("<EncodingType>url</EncodingType>"), "a b c");
    }

    #[test]
    fn delete_markers_that_stand_apart_find_their_places() {
        let one = |name: &str, id: &str, time: &str, current: bool| {
            let size = if name == "Version" { "<Size>1</Size>" } else { "" };
            format!(
                "<{name}><Key>k</Key><VersionId>{id}</VersionId><IsLatest>{current}</IsLatest>{size}\
                 <LastModified>2026-11-21T00:00:{time}Z</LastModified></{name}>"
            )
        };
        let apart = [
            one("Version", "3", "05", false),
            one("Version", "2", "03", false),
            one("Version", "1", "01", false),
            one("DeleteMarker", "gone", "05", true),
            one("DeleteMarker", "before 2", "02", false),
        ];
        let page =
            versions(format!("<ListVersionsResult>{}</ListVersionsResult>", apart.concat()).as_bytes())
                .unwrap();
        let order: Vec<&str> = page.items.iter().map(|item| item.version.as_str()).collect();
        assert_eq!(order, ["gone", "3", "2", "before 2", "1"]);
    }

    #[test]
    fn an_answer_of_somebody_else_is_none() {
        for text in [
            "",
            "<html></html>",
            "<ListVersionsResult><Version><Key>a</Key></Version></ListVersionsResult>",
        ] {
            assert!(versions(text.as_bytes()).is_none(), "{text}");
        }
        assert!(objects(b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").is_none());
    }

    #[test]
    fn versioning_is_one_of_three() {
        let of = |inner: &str| {
            versioning(format!("<VersioningConfiguration>{inner}</VersioningConfiguration>").as_bytes())
        };
        assert_eq!(of(""), Some(Versioning::Never));
        assert_eq!(of("<Status>Enabled</Status>"), Some(Versioning::Enabled));
        assert_eq!(of("<Status>Suspended</Status>"), Some(Versioning::Suspended));
        assert_eq!(of("<Status>?</Status>"), None);
    }
}
