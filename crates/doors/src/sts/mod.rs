//! The STS door: who am I, and temporary credentials.
//!
//! Source: AWS Security Token Service API reference, version 2011-06-15.

mod assume;
mod fields;
mod own;
mod web;

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use tidelock_core::iam::Directory;
use tidelock_service::{Credential, Error, Issued, Service};

use crate::{
    DoorBody, Trace,
    access::{Access, Ask, Denied, Owner},
    aws_common::{
        error::{AuthError, AwsError},
        request_id::RequestIds,
        time::iso,
    },
    query::{self, Form, Xml},
    status,
};
pub(crate) use web::is_asked as is_web;

/// Longest form: an OIDC token and session tags are the largest fields.
pub(crate) const BODY_BYTES_MAX: u64 = 64 * 1_024;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Every operation that is asked for with a signature.
pub(crate) const OPERATIONS: [&str; 5] = [
    "GetCallerIdentity",
    "AssumeRole",
    "GetSessionToken",
    "GetAccessKeyInfo",
    "DecodeAuthorizationMessage",
];

/// A request of a known operation, with what its handlers need.
struct Call<'a> {
    service: &'a Arc<Service>,
    access: &'a Access,
    form: &'a Form,
    directory: Arc<Directory>,
}

/// The fields of a request.
///
/// # Errors
/// When it is no form.
pub(crate) fn form(query: &str, body: &Bytes) -> Result<Form, AwsError> {
    Form::read(query, body)
}

/// Answers a signed request.
pub(crate) async fn handle(
    service: &Arc<Service>,
    access: Access,
    form: &Form,
    ids: &RequestIds,
) -> Response<DoorBody> {
    let answered = operation(service, &access, form).await;
    answer(form.get("Action").unwrap_or_default(), answered, access, ids)
}

/// Answers a request in which nothing but an OIDC token proves anything, whether it is signed or not. `access` makes
/// an access of what the token proves.
pub(crate) async fn handle_web(
    service: &Arc<Service>,
    form: &Form,
    access: impl FnOnce(Credential) -> Access,
    ids: &RequestIds,
) -> Response<DoorBody> {
    let (identity, credential) = match web::proven(service, form).await {
        Ok(proven) => proven,
        Err(error) => return refused(&error, ids),
    };
    let mut access = access(credential);
    for (claim, values) in &identity.claims {
        let key = format!("{}:{claim}", identity.provider);
        values.iter().for_each(|value| access.add(&key, value));
    }
    let answered = web::assume(&Call::of(service, &access, form), &identity).await;
    answer(web::ACTION, answered, access, ids)
}

async fn operation(service: &Arc<Service>, access: &Access, form: &Form) -> Result<Xml, AwsError> {
    if access.is_expired() {
        let id = access.credential().access_key_id.clone();
        return Err(AuthError::ExpiredToken(id).query());
    }
    let operation = form.get("Action").unwrap_or_default();
    if !OPERATIONS.contains(&operation) {
        return Err(query::no_such_action(form));
    }
    let call = Call::of(service, access, form);
    match operation {
        "GetCallerIdentity" => Ok(own::caller_identity(&call)),
        "AssumeRole" => assume::role(&call).await,
        "GetSessionToken" => own::session_token(&call).await,
        "GetAccessKeyInfo" => own::access_key_info(&call),
        "DecodeAuthorizationMessage" => own::decode(&call),
        _ => Err(query::no_such_action(form)),
    }
}

impl<'a> Call<'a> {
    fn of(service: &'a Arc<Service>, access: &'a Access, form: &'a Form) -> Call<'a> {
        Call {
            service,
            access,
            form,
            directory: service.directory(),
        }
    }

    /// Refuses what the caller may not do, in STS's words.
    fn may(&self, action: &'static str) -> Result<(), AwsError> {
        let owner = Owner::account(self.access.account());
        self.access.may(&Ask::new(action, "*", &owner)).map_err(denied)
    }
}

fn answer(
    operation: &str,
    answered: Result<Xml, AwsError>,
    access: Access,
    ids: &RequestIds,
) -> Response<DoorBody> {
    let mut response = match &answered {
        Ok(result) => query::done(NAMESPACE, operation, Some(result), ids),
        Err(error) => query::refused(NAMESPACE, error, ids),
    };
    response.extensions_mut().insert(Trace {
        door: "sts",
        operation: operation.to_owned(),
        address: "-".to_owned(),
        caller: access.caller().principal.clone(),
        code: answered
            .err()
            .map(|error| error.code.to_owned())
            .unwrap_or_default(),
    });
    response
}

/// Refuses a request whose signature is not good.
pub(crate) fn refuse(why: &AuthError, ids: &RequestIds) -> Response<DoorBody> {
    refused(&why.query(), ids)
}

/// Answers a request that is signed for a service which is not served here.
pub(crate) fn not_served(service: &str, ids: &RequestIds) -> Response<DoorBody> {
    let message = format!("Tidelock does not serve {service}; it serves s3, dynamodb, sts, iam and kms");
    refused(
        &AwsError::new(StatusCode::BAD_REQUEST, "InvalidAction", message),
        ids,
    )
}

/// Refuses in STS's form.
pub(crate) fn refused(error: &AwsError, ids: &RequestIds) -> Response<DoorBody> {
    let mut response = query::refused(NAMESPACE, error, ids);
    response.extensions_mut().insert(Trace {
        door: "sts",
        code: error.code.to_owned(),
        ..Trace::default()
    });
    response
}

/// What the policies do not allow.
fn denied(why: Denied) -> AwsError {
    AwsError::new(StatusCode::FORBIDDEN, "AccessDenied", why.to_string())
}

/// A value that is not as it must be.
fn invalid(message: impl Into<String>) -> AwsError {
    query::invalid(message)
}

fn failed(error: &Error) -> AwsError {
    let status = status::of(error);
    AwsError::new(status, "InternalFailure", error.to_string())
}

/// The element `Credentials`.
fn credentials(xml: &mut Xml, issued: &Issued) {
    xml.node("Credentials", |xml| {
        xml.leaf("AccessKeyId", &issued.access_key_id);
        xml.leaf("SecretAccessKey", &issued.secret);
        xml.leaf("SessionToken", &issued.token);
        xml.leaf("Expiration", &iso(issued.expires));
    });
}
