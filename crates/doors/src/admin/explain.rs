//! Why something is allowed or not: `/admin/explain` and `/admin/who-can`, answered from the policies as they are now, and
//! `/admin/explain/REQUEST-ID`, from the audit log.

use std::sync::Arc;

use futures_util::StreamExt;
use http::{Response, StatusCode};
use serde_json::json;
use tidelock_core::{
    Caller,
    iam::DEFAULT_ACCOUNT,
    policy::{Context, Principal, PrincipalKind, Rights},
};
use tidelock_service::Credential;

use super::{Refusal, json, request::Request};
use crate::{
    DoorBody,
    access::{Access, Ask, Owner, bucket_owner, key_owner, role_owner},
    audit::{Decided, Effect, Filter, Wanted},
    aws_common::time::iso,
};

/// The actions of ours that an action of S3 stands for, on the state or on its lock file.
const IMPLIED: [(&str, &str, &str); 3] = [
    ("tidelock:Lock", "s3:PutObject", ".tflock"),
    ("tidelock:ForceUnlock", "s3:DeleteObject", ".tflock"),
    ("tidelock:ReadOutputs", "s3:GetObject", ""),
];

/// `GET /admin/explain/REQUEST-ID`: the entry
pub(super) async fn request(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let log = super::audit::log(request)?;
    let mut lines = log.read(Wanted {
        last: Some(1),
        filter: Filter {
            request_id: Some(request.name.clone()),
            ..Filter::default()
        },
        ..Wanted::default()
    });
    let line = match lines.next().await {
        Some(line) => line.map_err(|why| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, why.to_string()))?,
        None => {
            let message = format!("no request {} is in the audit log", request.name);
            return Err(Refusal::new(StatusCode::NOT_FOUND, message));
        }
    };
    let mut response = json(&json!({}));
    *response.body_mut() = crate::full(line);
    Ok(response)
}

/// `GET /admin/explain?principal=ARN&action=A&resource=R&context=K=V`
pub(super) async fn one(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let asked = Asked::read(request)?;
    let named = request.required("principal")?;
    let everybody = everybody(request)?;
    let found = everybody
        .into_iter()
        .find(|(principal, _)| is_named(principal, &named));
    let (principal, rights) = found.ok_or_else(|| {
        let message = format!("there is no user and no role {named}; give the whole ARN");
        Refusal::new(StatusCode::NOT_FOUND, message)
    })?;
    let arn = principal.arn.clone();
    let decided = asked.decide(request, principal, rights).await?;
    Ok(json(&json!({ "principal": arn, "decided": decided })))
}

/// `GET /admin/who-can?action=A&resource=R&context=K=V`
pub(super) async fn who_can(request: &Request<'_>) -> Result<Response<DoorBody>, Refusal> {
    let asked = Asked::read(request)?;
    let (mut can, mut checked) = (Vec::new(), 0);
    for (principal, rights) in everybody(request)? {
        checked += 1;
        let (arn, is_operator) = (principal.arn.clone(), rights.operator);
        let decided = asked.decide(request, principal, rights).await?;
        if decided.effect == Effect::Allowed {
            can.push(json!({ "principal": arn, "operator": is_operator, "decided": decided }));
        }
    }
    Ok(json(
        &json!({ "action": asked.action, "resource": asked.resource, "can": can, "checked": checked }),
    ))
}

/// Everybody there is: the operator, and those of the directory.
fn everybody(request: &Request<'_>) -> Result<Vec<(Principal, Rights)>, Refusal> {
    let arn = format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/tidelock");
    let operator = Credential::of_operator(String::new(), String::new(), arn, DEFAULT_ACCOUNT.to_owned());
    let mut everybody = vec![(operator.principal, operator.rights)];
    everybody.extend(request.service.everybody()?);
    Ok(everybody)
}

/// Whether an ARN names somebody; that of a session names its role.
fn is_named(principal: &Principal, named: &str) -> bool {
    if principal.arn == named {
        return true;
    }
    let PrincipalKind::Session { role_arn, .. } = &principal.kind else {
        return false;
    };
    let session = named
        .strip_prefix("arn:aws:sts::")
        .and_then(|rest| rest.split_once(":assumed-role/"));
    session.is_some_and(|(account, rest)| {
        let role = rest.split('/').next().unwrap_or_default();
        account == principal.account && role_arn.rsplit('/').next() == Some(role)
    })
}

/// What is asked about somebody.
struct Asked {
    action: String,
    resource: String,
    context: Context,
}

impl Asked {
    fn read(request: &Request<'_>) -> Result<Asked, Refusal> {
        let bad = |message: &str| Refusal::new(StatusCode::BAD_REQUEST, message);
        let action = request.required("action")?;
        if !action.contains(':') || action.contains('*') {
            return Err(bad("an action is written with its service, such as s3:PutObject"));
        }
        let resource = request.required("resource")?;
        let resource = match resource.starts_with("arn:") || resource == "*" {
            true => resource,
            false => format!("arn:aws:s3:::{resource}"),
        };
        let mut context = Context::default();
        // What is not said otherwise is as good clients have it.
        context.insert("aws:currenttime", iso(request.service.now()));
        context.insert("aws:epochtime", (request.service.now().0 / 1_000).to_string());
        context.insert("aws:securetransport", "true");
        for pair in request.parameters("context")? {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| bad("context is to be KEY=VALUE"))?;
            context.insert(key, value);
        }
        Ok(Asked {
            action,
            resource,
            context,
        })
    }

    /// What the policies say of it.
    async fn decide(
        &self,
        request: &Request<'_>,
        principal: Principal,
        rights: Rights,
    ) -> Result<Decided, Refusal> {
        let credential = Credential {
            access_key_id: String::new(),
            secret: String::new().into(),
            token: None,
            expires: None,
            principal,
            rights,
            session: None,
        };
        let access = request
            .access
            .of_another(Arc::new(credential), Caller::default(), self.context.clone());
        let owner = self.owner(request, &access).await?;
        let mut asks = vec![Ask::new(self.action.clone(), self.resource.clone(), &owner)];
        let implied = IMPLIED
            .iter()
            .find(|(action, ..)| action.eq_ignore_ascii_case(&self.action));
        if let Some((_, by, suffix)) = implied {
            asks.push(Ask::new(*by, format!("{}{suffix}", self.resource), &owner));
        }
        Ok(access.judged(&asks))
    }

    /// Whose the resource is.
    async fn owner(&self, request: &Request<'_>, access: &Access) -> Result<Owner, Refusal> {
        let account = self.resource.split(':').nth(4).unwrap_or_default();
        if let Some(path) = self.resource.strip_prefix("arn:aws:s3:::") {
            let bucket = path.split('/').next().unwrap_or_default();
            return Ok(bucket_owner(access, bucket).await?);
        }
        if self.resource.starts_with("arn:aws:kms:") {
            let kms = request.service.kms().await?;
            if let Ok(key) = kms.keys().named(account, &self.resource) {
                return Ok(key_owner(&kms, key));
            }
        }
        if self.action.to_ascii_lowercase().starts_with("sts:")
            && let Some(role) = request.service.directory().role_of(&self.resource)
        {
            return Ok(role_owner(access.policies(), account, role));
        }
        let account = if account.is_empty() {
            access.account()
        } else {
            account
        };
        Ok(Owner::account(account))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arn_of_a_session_names_its_role_and_no_other() {
        let role = Principal {
            account: "111111111111".to_owned(),
            arn: "arn:aws:iam::111111111111:role/ci/deploy".to_owned(),
            kind: PrincipalKind::Session {
                role_arn: "arn:aws:iam::111111111111:role/ci/deploy".to_owned(),
                federated: None,
            },
            user_id: "AROA".to_owned(),
            tags: Default::default(),
        };
        for (named, is) in [
            ("arn:aws:iam::111111111111:role/ci/deploy", true),
            ("arn:aws:sts::111111111111:assumed-role/deploy/job-17", true),
            ("arn:aws:sts::222222222222:assumed-role/deploy/job-17", false),
            ("arn:aws:sts::111111111111:assumed-role/other/job-17", false),
            ("arn:aws:iam::111111111111:role/deploy", false),
        ] {
            assert_eq!(is_named(&role, named), is, "{named}");
        }
    }
}
