//! The IAM door: users, access keys, roles, policies and OIDC providers, as Terraform's provider and the AWS CLI make them.
//!
//! Source: AWS Identity and Access Management API reference, version 2010-05-08. What there is to ask is one table in
//! `operations`; reads are answered from the directory as of one moment, changes are commands of `tidelock_core::iam`.

mod access;
mod ask;
mod changes;
mod error;
mod keys;
mod lists;
mod operations;
mod policies;
mod reads;
mod show;

use bytes::Bytes;
use http::Response;
use tidelock_service::Service;

use crate::{
    DoorBody, Trace,
    access::Access,
    aws_common::{
        error::{AuthError, AwsError},
        request_id::RequestIds,
    },
    query::{self, Form, Xml},
};
use ask::Ask;
use operations::{Does, Operation};

const NAMESPACE: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

/// The names of all operations.
#[cfg(test)]
pub(crate) fn operation_names() -> impl Iterator<Item = &'static str> {
    operations::OPERATIONS.iter().map(|operation| operation.name)
}

/// Answers a signed request.
pub(crate) async fn handle(
    service: &Service,
    access: Access,
    query: &str,
    form: &Bytes,
    ids: &RequestIds,
) -> Response<DoorBody> {
    let mut trace = Trace {
        door: "iam",
        caller: access.principal().arn.clone(),
        ..Trace::default()
    };
    let answered = async {
        let form = Form::read(query, form)?;
        form.get("Action")
            .unwrap_or_default()
            .clone_into(&mut trace.operation);
        let ask = Ask {
            directory: service.directory(),
            service,
            account: access.account(),
            caller: &access.principal().arn,
            form,
        };
        let operation = operations::find(&trace.operation).ok_or_else(|| query::no_such_action(&ask.form))?;
        trace.address = access::resource(operation, &ask);
        access::authorize(operation, &trace.address, &ask, &access)?;
        answer(operation, ask).await
    };
    let answered = answered.await;
    let mut response = match &answered {
        Ok(result) => query::done(NAMESPACE, &trace.operation, result.as_ref(), ids),
        Err(error) => query::refused(NAMESPACE, error, ids),
    };
    trace.code = answered.err().map_or("", |error| error.code).to_owned();
    response.extensions_mut().insert(trace);
    response
}

/// Refuses a request whose signature is not good.
pub(crate) fn refuse(why: &AuthError, ids: &RequestIds) -> Response<DoorBody> {
    refused(&why.query(), ids)
}

/// A refusal before anything is known of the request.
pub(crate) fn refused(error: &AwsError, ids: &RequestIds) -> Response<DoorBody> {
    let mut response = query::refused(NAMESPACE, error, ids);
    response.extensions_mut().insert(Trace {
        door: "iam",
        code: error.code.to_owned(),
        ..Trace::default()
    });
    response
}

/// Does what an operation says; a result where it has one.
async fn answer(operation: &Operation, mut ask: Ask<'_>) -> Result<Option<Xml>, AwsError> {
    match operation.does {
        Does::Read(read) => Ok(Some(read(&ask)?)),
        Does::Change(command) => {
            let command = command(&ask)?;
            ask.change(command).await?;
            Ok(None)
        }
        Does::Make(command, shown) => {
            let command = command(&ask)?;
            ask.change(command).await?;
            Ok(Some(shown(&ask)?))
        }
        Does::MakeKey => Ok(Some(keys::create(&mut ask).await?)),
    }
}
