//! What Terraform needs to be allowed, tried in ways that change nothing, else asked of IAM.
//!
//! Source of the actions: "S3 Bucket Permissions" and "DynamoDB Table Permissions" in Terraform's documentation of the backend.

use std::ops::ControlFlow;

use http::Method;
use tidelock_core::address::LOCK_FILE_SUFFIX;

use super::{Examination, is_denied, query, scratch::Scratch};
use crate::{
    aws::Element,
    doctor::facts::{Fact, Permission},
    dynamodb::{self, Condition, Item},
    layout::DIGEST_SUFFIX,
    s3::{self, Probe},
};

/// Holds of no item, so that nothing is written or deleted; who may not is told so before.
const NEVER: &str = "attribute_exists(LockID) AND attribute_not_exists(LockID)";

/// An action, its resource, and whether it is allowed; `None` where that could not be tried.
type Tried = (&'static str, String, Option<bool>);

impl Examination<'_, '_> {
    pub(super) async fn permissions(&mut self, scratch: Scratch) -> ControlFlow<()> {
        let Some(key) = self.setup.key.clone() else {
            return ControlFlow::Continue(());
        };
        let mut tried = self.on_bucket(&key, scratch).await?;
        tried.extend(self.on_table(&key).await);
        let (known, unknown): (Vec<Tried>, Vec<Tried>) =
            tried.into_iter().partition(|(_, _, allowed)| allowed.is_some());
        let permission = |(action, resource, allowed): Tried| Permission {
            action,
            resource,
            allowed: allowed == Some(true),
            simulated: false,
        };
        let mut permissions: Vec<Permission> = known.into_iter().map(permission).collect();
        for (action, resource, _) in unknown {
            match self.simulated(action, &resource).await {
                Ok(allowed) => permissions.push(Permission {
                    action,
                    resource,
                    allowed,
                    simulated: true,
                }),
                Err(why) => self.skip(format!("whether {action} on {resource} is allowed: {why}"))?,
            }
        }
        self.judge(&Fact::Permissions(permissions))
    }

    async fn on_bucket(&mut self, key: &str, scratch: Scratch) -> ControlFlow<(), Vec<Tried>> {
        let (layout, bucket) = (self.layout, self.setup.bucket.as_str());
        let arn = |key: &str| format!("arn:aws:s3:::{bucket}/{key}");
        let listed = layout.s3.list_objects(bucket, key, None).await;
        let mut tried = vec![
            (
                "s3:ListBucket",
                format!("arn:aws:s3:::{bucket}"),
                allowed(&listed),
            ),
            (
                "s3:GetObject",
                arn(key),
                allowed(&self.layout.head(key, None).await),
            ),
            ("s3:PutObject", arn(key), self.may_put(key).await?),
        ];
        if self.setup.lock_file == Some(true) {
            let file = format!("{key}{LOCK_FILE_SUFFIX}");
            let read = allowed(&self.layout.head(&file, None).await);
            // Of what is not there, AWS tells nothing to whom it lets list a few names only; Terraform reads lock files that are.
            let is_there =
                |page: &s3::Page<s3::Listed, String>| page.items.iter().any(|item| item.key == file);
            let read = read.filter(|read| *read || listed.as_ref().is_ok_and(is_there));
            let deleted = (scratch == Scratch::Done).then_some(true);
            tried.push(("s3:GetObject", arn(&file), read));
            tried.push(("s3:PutObject", arn(&file), self.may_put(&file).await?));
            tried.push(("s3:DeleteObject", arn(&file), deleted));
        }
        ControlFlow::Continue(tried)
    }

    /// An upload in parts that is ended before it has any: it asks for `s3:PutObject`, and changes no object.
    async fn may_put(&mut self, key: &str) -> ControlFlow<(), Option<bool>> {
        if self.options.read_only {
            return ControlFlow::Continue(None);
        }
        let probe = |name, method, query| Probe {
            name,
            method,
            bucket: &self.setup.bucket,
            key,
            query,
            ..Probe::default()
        };
        let begin = probe("CreateMultipartUpload", Method::POST, vec![("uploads", "")]);
        // As Terraform writes: a bucket's policy may deny what says nothing of encryption.
        let begin = Probe {
            headers: self.layout.encryption.headers_of_put(),
            ..begin
        };
        let begun = self.layout.s3.probe(begin).await;
        if let Ok(answer) = &begun {
            let root = Element::parse(&answer.body).unwrap_or_default();
            let id = root.text_of("UploadId").unwrap_or_default();
            let end = probe("AbortMultipartUpload", Method::DELETE, vec![("uploadId", id)]);
            // Nothing is lost if it stays: it has no parts, and is no object.
            if let Err(why) = self.layout.s3.probe(end).await {
                self.skip(format!(
                    "an upload in parts to {key} was begun, to see whether that is allowed, and could not be ended: {why}"
                ))?;
            }
        }
        ControlFlow::Continue(match &begun {
            Err(error) if error.code() == Some("NotImplemented") => None,
            begun => allowed(begun),
        })
    }

    async fn on_table(&self, key: &str) -> Vec<Tried> {
        let Some(table) = &self.setup.table else {
            return Vec::new();
        };
        let dynamodb = &self.layout.dynamodb;
        let arn = format!("the table {table}");
        let never = Condition {
            expression: NEVER,
            values: Default::default(),
        };
        let name = self.layout.item_name(key);
        let mut item = Item::new();
        item.insert(dynamodb::LOCK_ID.to_owned(), dynamodb::string(&name));
        let read = dynamodb.get_item(table, &(name.clone() + DIGEST_SUFFIX)).await;
        let mut tried = vec![("dynamodb:GetItem", arn.clone(), may(&read))];
        if !self.options.read_only {
            let put = dynamodb.put_item(table, &item, Some(&never)).await;
            let deleted = dynamodb.delete_item(table, &name, Some(&never)).await;
            tried.push(("dynamodb:PutItem", arn.clone(), may(&put)));
            tried.push(("dynamodb:DeleteItem", arn, may(&deleted)));
        }
        tried
    }

    /// What IAM says of this caller.
    async fn simulated(&self, action: &str, resource: &str) -> Result<bool, String> {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let asked = [("Action", "GetCallerIdentity"), ("Version", "2011-06-15")].map(owned);
        let root = query::form(self.layout, "sts", &asked).await?;
        let arn = root
            .child("GetCallerIdentityResult")
            .and_then(|result| result.text_of("Arn"));
        let source = principal(arn.ok_or("STS has told no ARN")?);
        let asked = [
            ("Action", "SimulatePrincipalPolicy"),
            ("Version", "2010-05-08"),
            ("PolicySourceArn", &source),
            ("ActionNames.member.1", action),
            ("ResourceArns.member.1", resource),
        ];
        let root = query::form(self.layout, "iam", &asked.map(owned)).await?;
        let results = root
            .child("SimulatePrincipalPolicyResult")
            .and_then(|result| result.child("EvaluationResults"));
        let decision = results.and_then(|results| results.child("member")?.text_of("EvalDecision"));
        Ok(decision.ok_or("IAM has told no decision")? == "allowed")
    }
}

/// The role of a session, since sessions have no policies to simulate.
fn principal(arn: &str) -> String {
    let role = arn.split_once(":assumed-role/").and_then(|(before, rest)| {
        let (role, _) = rest.split_once('/')?;
        Some(format!("{}:role/{role}", before.replace(":sts:", ":iam:")))
    });
    role.unwrap_or_else(|| arn.to_owned())
}

/// Whatever is no denial was allowed, also where there is no such object.
fn allowed<T>(answer: &Result<T, s3::Error>) -> Option<bool> {
    match answer {
        Ok(_) => Some(true),
        Err(error) => error.code().map(|code| !is_denied(Some(code))),
    }
}

fn may<T>(answer: &Result<T, dynamodb::Error>) -> Option<bool> {
    match answer {
        Ok(_) => Some(true),
        Err(error) => error.code().map(|code| !is_denied(Some(code))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_asked_for_by_its_role() {
        assert_eq!(
            principal("arn:aws:sts::1:assumed-role/ci/run-7"),
            "arn:aws:iam::1:role/ci"
        );
        assert_eq!(principal("arn:aws:iam::1:user/ann"), "arn:aws:iam::1:user/ann");
    }
}
