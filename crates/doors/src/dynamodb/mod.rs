//! The DynamoDB door: tables and items as `DynamoDB_20120810` has them, JSON 1.0 on the wire.
//!
//! A request is read strictly (`request`), decided purely (`write`, `expression`) and done through the service
//! (`items`, `read`, `tables`, `batch`); the item of a lock is no item but a view of the lock (`items`).

mod access;
mod batch;
mod capacity;
mod error;
mod expiry;
mod expression;
mod items;
mod key;
mod naming;
mod number;
mod read;
mod request;
mod settings;
mod table;
mod tables;
mod value;
mod write;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value as Json, json};
use tidelock_core::Caller;
use tidelock_service::Service;

use crate::{DoorBody, Trace, access::Access, aws_common::error::AwsError, full, untold::Untold};
use error::Error;
pub use expiry::{expire, keep_expiring};
pub use expression::fuzz_expression;
use items::Items;
use naming::Home;
use request::Request;
use write::Write;

/// Does what came through no connection, such as making a new server's table: for `caller`, who may do everything.
pub async fn as_operator(
    service: &Service,
    caller: &Caller,
    operation: &str,
    invocation: Option<String>,
    body: Bytes,
) -> Response<DoorBody> {
    let access = Access::of_operator(service, caller.clone(), "us-east-1");
    handle(service, access, operation, invocation, body).await
}

/// Answers one authenticated request; `operation` is what follows `DynamoDB_20120810.` in `X-Amz-Target`, `invocation`
/// what the client's SDK names the call by, the same in every retry of it.
pub(crate) async fn handle(
    service: &Service,
    access: Access,
    operation: &str,
    invocation: Option<String>,
    body: Bytes,
) -> Response<DoorBody> {
    let mut request = Request::parse(&body);
    if let Ok(request) = &mut request {
        request.invocation = invocation;
        request.home = Home::of(access.account(), access.region());
    }
    let table = request
        .as_ref()
        .ok()
        .and_then(|request| request.table_name().ok());
    let mut trace = Trace {
        door: "dynamodb",
        operation: operation.to_owned(),
        address: table.unwrap_or_else(|| "-".to_owned()),
        caller: access.caller().principal.clone(),
        ..Trace::default()
    };
    let mut granted = None;
    let answered = match request {
        _ if !OPERATIONS.contains(&operation) => Err(Error::UnknownOperation),
        Ok(request) => answer(service, &access, operation, &request, &mut granted).await,
        Err(error) => Err(error),
    };
    let (status, body) = match answered {
        Ok(answer) => (StatusCode::OK, answer),
        Err(error) => {
            trace.code = error.code();
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
pub(crate) const OPERATIONS: [&str; 24] = [
    "CreateTable",
    "DescribeTable",
    "ListTables",
    "UpdateTable",
    "DeleteTable",
    "ListTagsOfResource",
    "TagResource",
    "UntagResource",
    "DescribeTimeToLive",
    "UpdateTimeToLive",
    "DescribeContinuousBackups",
    "UpdateContinuousBackups",
    "RestoreTableToPointInTime",
    "DescribeContributorInsights",
    "DescribeKinesisStreamingDestination",
    "GetResourcePolicy",
    "BatchGetItem",
    "BatchWriteItem",
    "GetItem",
    "PutItem",
    "DeleteItem",
    "UpdateItem",
    "Query",
    "Scan",
];

/// Those that are asked for with the keys of the items.
const ON_ITEMS: [&str; 8] = [
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
    access: &Access,
    operation: &str,
    request: &Request,
    granted: &mut Option<Untold>,
) -> Result<Json, Error> {
    if !ON_ITEMS.contains(&operation) {
        access::may(access, operation, request).await?;
    }
    match operation {
        "CreateTable" => tables::create(service, request).await,
        "DescribeTable" => tables::describe_table(service, request).await,
        "ListTables" => tables::list(service, request).await,
        "UpdateTable" => tables::update(service, request).await,
        "DeleteTable" => tables::delete(service, request).await,
        "ListTagsOfResource" => tables::list_tags(service, request).await,
        "TagResource" => tables::tag(service, request).await,
        "UntagResource" => tables::untag(service, request).await,
        "DescribeTimeToLive" => settings::time_to_live(service, request).await,
        "UpdateTimeToLive" => settings::update_time_to_live(service, request).await,
        "DescribeContinuousBackups" => settings::continuous_backups(service, request).await,
        "UpdateContinuousBackups" => settings::update_continuous_backups(service, request).await,
        "RestoreTableToPointInTime" => settings::restore(service, request).await,
        "DescribeContributorInsights" => settings::contributor_insights(service, request).await,
        "DescribeKinesisStreamingDestination" => settings::streaming_destinations(service, request).await,
        "GetResourcePolicy" => settings::resource_policy(service, request).await,
        "BatchGetItem" => batch::get(service, access, request).await,
        "BatchWriteItem" => batch::write(service, access, request).await,
        "GetItem" | "PutItem" | "DeleteItem" | "UpdateItem" | "Query" | "Scan" => {
            on_table(service, access, operation, request, granted).await
        }
        _ => Err(Error::UnknownOperation),
    }
}

/// The operations on the items of one table.
async fn on_table(
    service: &Service,
    access: &Access,
    operation: &str,
    request: &Request,
    granted: &mut Option<Untold>,
) -> Result<Json, Error> {
    let mut items = Items::open(service, access, operation, &request.table_name()?).await?;
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
    items.may(operation, &[&write.key]).await?;
    let mut answer = json!({});
    capacity::add(
        &mut answer,
        request,
        items.name(),
        capacity::write_units(write.bytes()),
    )?;
    let attributes = items.write(&write).await?;
    if let Some(attributes) = attributes {
        answer["Attributes"] = value::item_to_json(&attributes);
    }
    *granted = items.granted.into_inner();
    Ok(answer)
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
