//! Access control lists: there is one, the owner's full control, and nothing else is accepted.

use http::{Response, StatusCode};

use super::{
    error::{Code, Error, Result},
    headers::check_acl,
    request::{Request, document, empty},
    xml::{Document, Element},
};
use crate::DoorBody;

const CANONICAL_USER: &str =
    " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"CanonicalUser\"";

/// The one access control list.
pub(crate) fn owners(request: &Request<'_>) -> Response<DoorBody> {
    let mut xml = Document::new("AccessControlPolicy");
    request.owner("Owner", &mut xml);
    xml.open("AccessControlList").open("Grant");
    xml.open_with("Grantee", CANONICAL_USER)
        .text("ID", request.owner_id())
        .text("DisplayName", &request.identity.account_id)
        .close();
    xml.text("Permission", "FULL_CONTROL");
    document(xml)
}

/// Accepts a list that says what holds anyway, in headers or as a document.
///
/// # Errors
/// `AccessControlListNotSupported` for a list that would give anyone else access, `MalformedXML`.
pub(crate) fn check(request: &Request<'_>, body: &[u8]) -> Result<()> {
    check_acl(request.headers)?;
    if body.is_empty() {
        return Ok(());
    }
    let policy = Element::parse(body, "AccessControlPolicy")?;
    let malformed = || Error::new(Code::MalformedXML);
    let list = policy.child("AccessControlList").ok_or_else(malformed)?;
    let owner = request.owner_id();
    let owners = |grant: &Element| {
        let grantee = grant.child("Grantee");
        grantee.and_then(|grantee| grantee.child_text("ID")) == Some(owner.as_str())
    };
    match list.all("Grant").all(owners) {
        true => Ok(()),
        false => Err(Error::new(Code::AccessControlListNotSupported)),
    }
}

/// GetObjectAcl.
///
/// # Errors
/// In S3's words.
pub(crate) async fn of_object(request: &Request<'_>) -> Result<Response<DoorBody>> {
    find(request).await?;
    Ok(owners(request))
}

/// PutObjectAcl.
///
/// # Errors
/// In S3's words.
pub(crate) async fn put_object(request: &Request<'_>, body: &[u8]) -> Result<Response<DoorBody>> {
    find(request).await?;
    check(request, body)?;
    Ok(empty(StatusCode::OK))
}

async fn find(request: &Request<'_>) -> Result<()> {
    let id = request.version_id()?;
    request.service.find(&request.address()?, id.as_ref()).await?;
    Ok(())
}
