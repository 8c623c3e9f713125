//! ListObjects, versions 1 and 2.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::Response;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidelock_core::limits::LIST_PAGE_MAX;
use tidelock_service::{ListQuery, Listed, Page};

use super::{
    checksums,
    error::{Error, Result},
    headers::class_of,
    request::{Request, document, quoted, tell_owner},
    xml::Document,
};
use crate::DoorBody;
use crate::aws_common::time::iso_millis;

/// What `encoding-type=url` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'*')
    .remove(b'/');

/// How keys stand in the document: as they are, or percent-encoded.
#[derive(Clone, Copy)]
pub(crate) struct Encoding {
    url: bool,
}

impl Encoding {
    /// Reads `encoding-type`.
    ///
    /// # Errors
    /// `InvalidArgument` in S3's words for any but `url`.
    pub(crate) fn of(request: &Request<'_>) -> Result<Encoding> {
        match request.query.filled("encoding-type") {
            None => Ok(Encoding { url: false }),
            Some("url") => Ok(Encoding { url: true }),
            Some(other) => Err(Error::argument(
                "Invalid Encoding Method specified in Request",
                "encoding-type",
                other,
            )),
        }
    }

    /// A key, or a part of one.
    pub(crate) fn apply(self, text: &str) -> String {
        match self.url {
            true => url(text),
            false => text.to_owned(),
        }
    }

    /// Says so in the document.
    pub(crate) fn tell(self, xml: &mut Document) {
        xml.maybe("EncodingType", self.url.then_some("url"));
    }
}

/// A key as it stands in a URL, its slashes left.
pub(crate) fn url(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// The page size that a query names, at most S3's.
///
/// # Errors
/// `InvalidArgument`.
pub(crate) fn page_size(request: &Request<'_>, name: &str) -> Result<usize> {
    Ok(request
        .query
        .count(name)?
        .unwrap_or(LIST_PAGE_MAX)
        .min(LIST_PAGE_MAX))
}

/// What both versions of the operation share of a query.
struct Listing<'a> {
    bucket: &'a str,
    prefix: &'a str,
    delimiter: Option<&'a str>,
    limit: usize,
    encoding: Encoding,
}

impl<'a> Listing<'a> {
    fn of(request: &'a Request<'_>) -> Result<Listing<'a>> {
        Ok(Listing {
            bucket: request.bucket()?,
            prefix: request.query.get("prefix").unwrap_or_default(),
            delimiter: request.query.filled("delimiter"),
            limit: page_size(request, "max-keys")?,
            encoding: Encoding::of(request)?,
        })
    }

    async fn page(&self, request: &Request<'_>, after: String) -> Result<Page> {
        let query = ListQuery {
            prefix: self.prefix.to_owned(),
            delimiter: self.delimiter.map(str::to_owned),
            after,
            limit: self.limit,
        };
        Ok(request.service.list(self.bucket, &query).await?)
    }

    fn begin(&self) -> Document {
        let mut xml = Document::new("ListBucketResult");
        xml.text("Name", self.bucket)
            .text("Prefix", self.encoding.apply(self.prefix));
        xml
    }

    fn go_on(&self, xml: &mut Document, page: &Page) {
        let truncated = page.next.is_some();
        xml.text("MaxKeys", self.limit.to_string())
            .maybe(
                "Delimiter",
                self.delimiter.map(|delimiter| self.encoding.apply(delimiter)),
            )
            .text("IsTruncated", truncated.to_string());
        self.encoding.tell(xml);
    }

    /// `owner` is whom to name in each entry, if anyone.
    fn end(&self, mut xml: Document, page: &Page, owner: Option<&str>) -> Response<DoorBody> {
        for listed in &page.entries {
            self.entry(&mut xml, listed, owner);
        }
        common_prefixes(&mut xml, &page.prefixes, self.encoding);
        document(xml)
    }

    fn entry(&self, xml: &mut Document, listed: &Listed, owner: Option<&str>) {
        xml.open("Contents")
            .text("Key", self.encoding.apply(&listed.key))
            .text("LastModified", iso_millis(listed.written))
            .text("ETag", quoted(&listed.etag));
        if let Some(content) = &listed.content {
            checksums::tell_algorithm(xml, content);
        }
        xml.text("Size", listed.size.to_string());
        if let Some(owner) = owner {
            tell_owner(xml, "Owner", owner);
        }
        let class = listed.content.as_ref().map_or("STANDARD", class_of);
        xml.text("StorageClass", class).close();
    }
}

/// Writes the common prefixes.
pub(crate) fn common_prefixes(xml: &mut Document, prefixes: &[String], encoding: Encoding) {
    for prefix in prefixes {
        xml.open("CommonPrefixes")
            .text("Prefix", encoding.apply(prefix))
            .close();
    }
}

/// ListObjects.
///
/// # Errors
/// In S3's words.
pub(crate) async fn v1(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let listing = Listing::of(request)?;
    let marker = request.query.get("marker").unwrap_or_default();
    let page = listing.page(request, marker.to_owned()).await?;
    let mut xml = listing.begin();
    xml.text("Marker", listing.encoding.apply(marker));
    // S3 names the next marker only where the client could not know it: with a delimiter.
    let next = page.next.as_ref().filter(|_| listing.delimiter.is_some());
    xml.maybe("NextMarker", next.map(|next| listing.encoding.apply(next)));
    listing.go_on(&mut xml, &page);
    let owner = request.open_bucket().await?.owner;
    Ok(listing.end(xml, &page, Some(&owner)))
}

/// ListObjectsV2.
///
/// # Errors
/// In S3's words.
pub(crate) async fn v2(request: &Request<'_>) -> Result<Response<DoorBody>> {
    let listing = Listing::of(request)?;
    let token = request.query.get("continuation-token");
    let start_after = request.query.filled("start-after");
    let after = match token {
        Some(token) => read_token(token)?,
        None => start_after.unwrap_or_default().to_owned(),
    };
    let page = listing.page(request, after).await?;
    let mut xml = listing.begin();
    xml.maybe("ContinuationToken", token)
        .maybe(
            "NextContinuationToken",
            page.next.as_ref().map(|next| URL_SAFE_NO_PAD.encode(next)),
        )
        .maybe(
            "StartAfter",
            start_after.map(|start| listing.encoding.apply(start)),
        )
        .text("KeyCount", (page.entries.len() + page.prefixes.len()).to_string());
    listing.go_on(&mut xml, &page);
    let owner = match request.query.get("fetch-owner") {
        Some("true") => Some(request.open_bucket().await?.owner),
        _ => None,
    };
    Ok(listing.end(xml, &page, owner.as_deref()))
}

fn read_token(token: &str) -> Result<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok();
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    text.filter(|text| !text.is_empty()).ok_or_else(|| {
        Error::argument(
            "The continuation token provided is incorrect",
            "continuation-token",
            token,
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_encoding_leaves_slashes_and_reads_back() {
        let url = Encoding { url: true };
        let key = "env:/a b+c/ü\u{1}%";
        let encoded = url.apply(key);
        assert_eq!(encoded, "env%3A/a%20b%2Bc/%C3%BC%01%25");
        let decoded = percent_encoding::percent_decode_str(&encoded)
            .decode_utf8()
            .unwrap();
        assert_eq!(decoded, key);
        assert_eq!(Encoding { url: false }.apply(key), key);
    }

    #[test]
    fn a_token_that_is_not_ours_is_refused() {
        assert_eq!(read_token(&URL_SAFE_NO_PAD.encode("a/ü")).unwrap(), "a/ü");
        for token in ["", "!", "_w"] {
            assert_eq!(read_token(token).unwrap_err().code, "InvalidArgument", "{token}");
        }
    }
}
