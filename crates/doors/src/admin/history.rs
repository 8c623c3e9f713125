//! Histories: `/admin/history`, `version`, `body`, `blame`, `find`, `states`, `rollback`, `gc`.

use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::json;
use tidelock_core::{Address, AddressError, Pattern, limits::HISTORY_PAGE_MAX};
use tidelock_service::{FindPage, Found, Sought, Unread};

use super::{Refusal, access, json, request::Request};
use crate::{DoorBody, body};

/// What whoever looks through many states needs to be allowed on each.
const ACTION: &str = "tidelock:ReadHistory";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    version: u64,
    /// The MD5 of the state that it was compared with, in hexadecimal; empty for none.
    #[serde(default)]
    over_md5: Option<String>,
    /// The person, `user@host`; the key's owner where it does not say.
    #[serde(default)]
    who: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gc {
    /// `BUCKET` or `BUCKET/KEY-PREFIX`; empty for all.
    #[serde(default)]
    prefix: String,
    /// Where the page begins after; empty for the first.
    #[serde(default)]
    after: String,
    #[serde(default)]
    dry_run: bool,
}

/// `GET /admin/history/ADDRESS?before=N&limit=N`
pub(super) async fn list(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (before, limit) = (request.number("before")?, request.number("limit")?);
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(HISTORY_PAGE_MAX);
    let address = request.address()?;
    Ok(json(&request.service.history(&address, before, limit).await?))
}

/// `GET /admin/version/ADDRESS?version=V`
pub(super) async fn version(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (address, name) = (request.address()?, wanted(request)?);
    let (_, entry) = request.service.version_named(&address, &name).await?;
    Ok(json(&entry))
}

/// `GET /admin/body/ADDRESS?version=V`: the bytes as they were written
pub(super) async fn bytes(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (address, name) = (request.address()?, wanted(request)?);
    let (version, _) = request.service.version_named(&address, &name).await?;
    let Some(stored) = &version.body else {
        let message = format!(
            "version {} of {address} is a delete marker: there is nothing in it",
            version.seq
        );
        return Err(Refusal::new(StatusCode::NOT_FOUND, message));
    };
    request.access.may_open(&address, stored).await??;
    let reading = request
        .service
        .reading(&address, version.seq, stored, 0..stored.size);
    let mut response = Response::new(body::stream(reading).await?);
    let headers = response.headers_mut();
    let kind = match stored.state {
        Some(_) => "application/json",
        None => "application/octet-stream",
    };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(stored.size));
    Ok(response)
}

/// `GET /admin/blame/ADDRESS?resource=R&before=N`
pub(super) async fn blame(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (address, before) = (request.address()?, request.number("before")?);
    let resource = request.parameter("resource")?.unwrap_or_default();
    let pattern = pattern(&resource)?;
    let blame = request.service.blame(&address, &pattern, &resource, before);
    Ok(json(&blame.await?))
}

/// `GET /admin/find?resource=R&id=I&prefix=P&after=ADDRESS`
pub(super) async fn find(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let resource = request.parameter("resource")?;
    let sought = Sought {
        resource: resource.as_deref().map(pattern).transpose()?,
        id: request.parameter("id")?,
    };
    if sought.resource.is_none() && sought.id.is_none() {
        let message = "say what to find: resource=ADDRESS or id=VALUE";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, message));
    }
    let (prefix, after) = place(request)?;
    let mut page = request.service.find_resource(&sought, &prefix, &after).await?;
    access::keep(request, ACTION, |found| &found.address, &mut page.found).await?;
    access::keep(request, ACTION, |unread| &unread.address, &mut page.unread).await?;
    keep_opened(request, &mut page).await?;
    Ok(json(&page))
}

/// Keeps what was found under KMS keys that the caller may use.
async fn keep_opened(request: &Request<'_>, page: &mut FindPage) -> Result<(), Refusal> {
    // What is found in one state stands together.
    let mut last: Option<(String, bool)> = None;
    for found in std::mem::take(&mut page.found) {
        if last.as_ref().is_none_or(|(address, _)| *address != found.address) {
            let why = why_closed(request, &found).await?;
            last = Some((found.address.clone(), why.is_none()));
            page.unread.extend(why.map(|why| Unread {
                address: found.address.clone(),
                why,
            }));
        }
        if last.as_ref().is_some_and(|(_, is_open)| *is_open) {
            page.found.push(found);
        }
    }
    Ok(())
}

/// Why the caller may not see what is in a state, if that is so.
async fn why_closed(request: &Request<'_>, found: &Found) -> Result<Option<String>, Refusal> {
    let gone = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "an address that is none");
    let address = Address::parse(&found.address).map_err(gone)?;
    let body = match request.service.version(&address, found.version).await {
        Ok(version) => version.body,
        // It went in this moment.
        Err(why) => return Ok(Some(why.to_string())),
    };
    Ok(match body {
        Some(body) => match request.access.may_open(&address, &body).await {
            Ok(may) => may.err().map(|denied| denied.to_string()),
            Err(why) => Some(why.to_string()),
        },
        None => None,
    })
}

/// `GET /admin/states?prefix=P&after=ADDRESS`
pub(super) async fn states(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let (prefix, after) = place(request)?;
    let mut page = request.service.states(&prefix, &after).await?;
    access::keep(request, ACTION, |state| &state.address, &mut page.states).await?;
    Ok(json(&page))
}

pub(super) async fn rollback(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Rollback {
        version,
        over_md5,
        who,
    } = request.json()?;
    let address = request.address()?;
    if let Some(body) = request.service.version(&address, version).await?.body {
        request.access.may_restore(&address, &body).await??;
    }
    let done = request
        .service
        .rollback(&address, version, over_md5.as_deref(), request.by(&who))
        .await?;
    let state = done.body.as_ref().and_then(|body| body.state.as_ref());
    Ok(json(&json!({
        "serial": state.map(|state| state.serial),
        "version": done.seq,
        "id": done.id,
    })))
}

/// `POST /admin/gc`: a page
pub(super) async fn gc(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let Gc {
        prefix,
        after,
        dry_run,
    } = request.json()?;
    let bad = |why: AddressError| Refusal::new(StatusCode::BAD_REQUEST, format!("{why}; not {after:?}"));
    let after = match after.as_str() {
        "" => None,
        after => Some(Address::parse(after).map_err(bad)?),
    };
    let page = request.service.collect(&prefix, after.as_ref(), dry_run).await?;
    Ok(json(&json!({
        "states": page.states,
        "dropped": page.dropped,
        "bytes": page.bytes,
        "packed": page.packed,
        "next": page.next.map(|next| next.to_string()),
    })))
}

/// Which addresses, and where to go on.
fn place(request: &Request<'_>) -> Result<(String, String), Refusal> {
    let of = |name| Ok::<_, Refusal>(request.parameter(name)?.unwrap_or_default());
    Ok((of("prefix")?, of("after")?))
}

fn wanted(request: &Request<'_>) -> Result<String, Refusal> {
    let version = request.parameter("version")?;
    version.ok_or_else(|| {
        Refusal::new(
            StatusCode::BAD_REQUEST,
            "say which version: a number, an S3 ID, or current",
        )
    })
}

fn pattern(text: &str) -> Result<Pattern, Refusal> {
    Pattern::parse(text).map_err(|why| Refusal::new(StatusCode::BAD_REQUEST, why.to_string()))
}
