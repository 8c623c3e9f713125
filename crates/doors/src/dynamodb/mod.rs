//! The DynamoDB door: tables and items as `DynamoDB_20120810` has them, JSON 1.0 on the wire.
//!
//! A request is read strictly (`request`), decided purely (`write`, `expression`) and done through the service
//! (`items`, `read`, `tables`, `batch`); the item of a lock is no item but a view of the lock (`items`).

mod batch;
mod capacity;
mod error;
mod expression;
mod items;
mod key;
mod number;
mod read;
mod request;
mod table;
mod tables;
mod value;
mod write;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value as Json, json};
use tidelock_core::Caller;
use tidelock_service::{Grant, Service};

use crate::{
    DoorBody, Trace,
    aws_common::{error::AwsError, payload::PayloadError},
    full,
};
use error::Error;
pub use expression::fuzz_expression;
use items::Items;
use request::Request;
use write::Write;

/// Answers one authenticated request; `operation` is what follows `DynamoDB_20120810.` in `X-Amz-Target`, `invocation`
/// what the client's SDK names the call by, the same in every retry of it.
pub async fn handle(
    service: &Service,
    caller: &Caller,
    operation: &str,
    invocation: Option<String>,
    body: Bytes,
) -> Response<DoorBody> {
    let mut request = Request::parse(&body);
    if let Ok(request) = &mut request {
        request.invocation = invocation;
    }
    let table = request
        .as_ref()
        .ok()
        .and_then(|request| request.table_name().ok());
    let mut trace = Trace {
        door: "dynamodb",
        operation: operation.to_owned(),
        address: table.unwrap_or("-").to_owned(),
        caller: caller.principal.clone(),
        code: String::new(),
    };
    let mut granted = None;
    let answered = match request {
        _ if !OPERATIONS.contains(&operation) => Err(Error::UnknownOperation),
        Ok(request) => answer(service, caller, operation, &request, &mut granted).await,
        Err(error) => Err(error),
    };
    let (status, body) = match answered {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => {
            error.code().clone_into(&mut trace.code);
            (error.status(), error.body())
        }
    };
    let mut response = respond(status, &body, trace);
    if let Some(grant) = granted {
        response.extensions_mut().insert(grant);
    }
    response
}

/// Refuses a request whose signature is not good, or whose body is not the one that was signed.
pub(crate) fn refuse(why: &AwsError) -> Response<DoorBody> {
    let body = json!({
        "__type": format!("com.amazon.coral.service#{}", why.code),
        "message": why.message,
    });
    let trace = Trace {
        door: "dynamodb",
        code: why.code.to_owned(),
        ..Trace::default()
    };
    respond(why.status, &body, trace)
}

/// Every operation of this door.
const OPERATIONS: [&str; 18] = [
    "CreateTable",
    "DescribeTable",
    "ListTables",
    "UpdateTable",
    "DeleteTable",
    "ListTagsOfResource",
    "TagResource",
    "UntagResource",
    "DescribeTimeToLive",
    "DescribeContinuousBackups",
    "BatchGetItem",
    "BatchWriteItem",
    "GetItem",
    "PutItem",
    "DeleteItem",
    "UpdateItem",
    "Query",
    "Scan",
];

async fn answer(
    service: &Service,
    caller: &Caller,
    operation: &str,
    request: &Request,
    granted: &mut Option<Grant>,
) -> Result<Json, Error> {
    match operation {
        "CreateTable" => tables::create(service, caller, request).await,
        "DescribeTable" => tables::describe_table(service, caller, request).await,
        "ListTables" => tables::list(service, request).await,
        "UpdateTable" => tables::update(service, caller, request).await,
        "DeleteTable" => tables::delete(service, caller, request).await,
        "ListTagsOfResource" => tables::list_tags(service, request).await,
        "TagResource" => tables::tag(service, request).await,
        "UntagResource" => tables::untag(service, request).await,
        "DescribeTimeToLive" => tables::time_to_live(service, request).await,
        "DescribeContinuousBackups" => tables::continuous_backups(service, request).await,
        "BatchGetItem" => batch::get(service, caller, request).await,
        "BatchWriteItem" => batch::write(service, caller, request).await,
        "GetItem" | "PutItem" | "DeleteItem" | "UpdateItem" | "Query" | "Scan" => {
            on_table(service, caller, operation, request, granted).await
        }
        _ => Err(Error::UnknownOperation),
    }
}

/// The operations on the items of one table.
async fn on_table(
    service: &Service,
    caller: &Caller,
    operation: &str,
    request: &Request,
    granted: &mut Option<Grant>,
) -> Result<Json, Error> {
    let mut items = Items::open(service, caller, request.table_name()?).await?;
    items.invocation.clone_from(&request.invocation);
    let schema = &items.description.key;
    let write = match operation {
        "GetItem" => return read::get_item(&items, request).await,
        "Query" => return read::query(&items, request).await,
        "Scan" => return read::scan(&items, request).await,
        "PutItem" => Write::put(request, schema)?,
        "DeleteItem" => Write::delete(request, schema)?,
        _ => Write::update(request, schema)?,
    };
    let mut answer = json!({});
    capacity::add(
        &mut answer,
        request,
        &items.table.name,
        capacity::write_units(write.bytes()),
    )?;
    let attributes = items.write(&write).await?;
    if let Some(attributes) = attributes {
        answer["Attributes"] = value::item_to_json(&attributes);
    }
    *granted = items.granted.into_inner();
    Ok(answer)
}

/// Refuses a body that could not be read to its end.
pub(crate) fn refuse_body(why: &PayloadError) -> Response<DoorBody> {
    let (status, code) = match why {
        PayloadError::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLargeException"),
        _ => (StatusCode::BAD_REQUEST, "SerializationException"),
    };
    refuse(&AwsError::new(status, code, why.to_string()))
}

/// Answers a request of the JSON protocol whose target is no service of ours.
pub(crate) fn unknown_operation() -> Response<DoorBody> {
    refuse(&AwsError::new(
        StatusCode::BAD_REQUEST,
        "UnknownOperationException",
        "",
    ))
}

fn respond(status: StatusCode, body: &Json, trace: Trace) -> Response<DoorBody> {
    let body = Bytes::from(body.to_string());
    let crc = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, &body);
    let mut response = Response::new(full(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    headers.insert("x-amz-crc32", HeaderValue::from(crc));
    response.extensions_mut().insert(trace);
    response
}
