//! AssumeRole: whoever a role trusts gets a session of it.

use http::StatusCode;
use tidelock_core::{
    iam::{AwsManaged, Role, Tags},
    limits::{CHAINED_SESSION_SECS_MAX, IAM_SESSION_SECS_MAX, ROLE_SESSION_SECS},
    policy::PrincipalKind,
};
use tidelock_service::{Actor, Issued, NewSession, Web};

use super::{
    Call, credentials, failed,
    fields::{self, Bounds},
    invalid,
};
use crate::{
    access::{Ask, role_owner},
    aws_common::error::AwsError,
    query::Xml,
};

/// A role that is to be assumed, and what its session is to have.
pub(super) struct Assumed<'a> {
    pub(super) role: Role,
    pub(super) arn: &'a str,
    pub(super) account: &'a str,
    pub(super) session_name: &'a str,
    pub(super) external_id: Option<&'a str>,
    pub(super) bounds: Bounds,
    pub(super) tags: Tags,
    pub(super) transitive: Vec<String>,
    pub(super) source_identity: Option<String>,
    pub(super) seconds: u32,
}

pub(super) async fn role(call: &Call<'_>) -> Result<Xml, AwsError> {
    let assumed = asked(call)?;
    let refused = |action: &str| refused(call, action, assumed.arn);
    let issued = assumed.begin(call, "sts:AssumeRole", None, refused).await?;
    let mut xml = Xml::default();
    assumed.answer(&mut xml, &issued);
    Ok(xml)
}

fn asked<'a>(call: &Call<'a>) -> Result<Assumed<'a>, AwsError> {
    let form = call.form;
    let (arn, session_name) = (fields::role_arn(form)?, fields::session_name(form)?);
    fields::no_mfa(form)?;
    let contexts = form.pairs("ProvidedContexts", "ProviderArn", "ContextAssertion");
    if !contexts.is_empty() {
        return Err(invalid("ProvidedContexts are not supported here"));
    }
    let before = call.access.credential().session.as_ref();
    let (tags, transitive) = tags(call)?;
    let inherited = before.and_then(|before| before.source_identity.as_deref());
    let given = fields::source_identity(form)?;
    if given.is_some() && inherited.is_some() && given != inherited {
        return Err(refused(call, "sts:SetSourceIdentity", arn));
    }
    let role = call.directory.role_of(arn).cloned();
    Ok(Assumed {
        arn,
        account: account_of(arn),
        session_name,
        external_id: fields::external_id(form)?,
        bounds: fields::bounds(form, &tags)?,
        tags,
        transitive,
        source_identity: given.or(inherited).map(str::to_owned),
        seconds: fields::seconds(form, IAM_SESSION_SECS_MAX)?.unwrap_or(ROLE_SESSION_SECS),
        role: role.ok_or_else(|| refused(call, "sts:AssumeRole", arn))?,
    })
}

/// The session's tags, with those that go on from the caller's session.
fn tags(call: &Call<'_>) -> Result<(Tags, Vec<String>), AwsError> {
    let mut tags = fields::tags(call.form)?;
    let mut transitive = fields::transitive(&call.form.list("TransitiveTagKeys"), &tags)?;
    let before = call.access.credential().session.as_ref();
    for (key, value) in before.into_iter().flat_map(|before| before.transitive.iter()) {
        if tags.keys().any(|own| own.eq_ignore_ascii_case(key)) {
            return Err(invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from \
                 the calling session.",
            ));
        }
        tags.insert(key.clone(), value.clone());
        transitive.push(key.clone());
    }
    Ok((tags, transitive))
}

/// The account of a role, by its ARN.
pub(super) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// As AWS says it, whether there is no such role or it trusts somebody else.
fn refused(call: &Call<'_>, action: &str, arn: &str) -> AwsError {
    let who = &call.access.principal().arn;
    let message = format!("User: {who} is not authorized to perform: {action} on resource: {arn}");
    AwsError::new(StatusCode::FORBIDDEN, "AccessDenied", message)
}

impl Assumed<'_> {
    /// The actions that make up what is asked.
    fn actions(&self, action: &'static str) -> Vec<&'static str> {
        let tags = (!self.tags.is_empty()).then_some("sts:TagSession");
        let identity = self.source_identity.as_ref().map(|_| "sts:SetSourceIdentity");
        [Some(action), tags, identity].into_iter().flatten().collect()
    }

    /// Whether the role's trust policy, and the policies of who asks, let this action through.
    fn may(&self, call: &Call<'_>, action: &'static str) -> Result<(), ()> {
        let owner = role_owner(call.access.policies(), self.account, &self.role);
        let mut ask = Ask::new(action, self.arn, &owner).with("sts:RoleSessionName", self.session_name);
        if let Some(id) = self.external_id {
            ask = ask.with("sts:ExternalId", id);
        }
        if let Some(identity) = &self.source_identity {
            ask = ask.with("sts:SourceIdentity", identity);
        }
        for (key, value) in &self.tags {
            ask = ask
                .with(format!("aws:RequestTag/{key}"), value)
                .with("aws:TagKeys", key);
        }
        for key in &self.transitive {
            ask = ask.with("sts:TransitiveTagKeys", key);
        }
        for (key, value) in &self.role.tags {
            ask = ask
                .with(format!("iam:ResourceTag/{key}"), value)
                .with(format!("aws:ResourceTag/{key}"), value);
        }
        call.access.may(&ask).map_err(|_| ())
    }

    /// The managed policies that bound the session must be there, in the role's account.
    fn check_policies(&self, call: &Call<'_>) -> Result<(), AwsError> {
        let own = format!("arn:aws:iam::{}:policy/", self.account);
        let is_there = |arn: &&String| {
            AwsManaged::of(arn).is_some()
                || (arn.starts_with(&own) && call.directory.policy_of(arn).is_some())
        };
        match self.bounds.policies.iter().find(|arn| !is_there(arn)) {
            Some(arn) => Err(invalid(format!(
                "Session policy {arn} does not exist in the account of the role"
            ))),
            None => Ok(()),
        }
    }

    /// Whether it may last as long.
    fn check_seconds(&self, call: &Call<'_>) -> Result<(), AwsError> {
        let is_chained = matches!(call.access.principal().kind, PrincipalKind::Session { .. });
        if is_chained && self.seconds > CHAINED_SESSION_SECS_MAX {
            return Err(invalid(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        match self.seconds > self.role.max_session_secs {
            true => Err(invalid(
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            )),
            false => Ok(()),
        }
    }

    /// Begins the session if the policies let it through. Who is not let in learns nothing of the role.
    pub(super) async fn begin(
        &self,
        call: &Call<'_>,
        action: &'static str,
        web: Option<Web>,
        refused: impl Fn(&str) -> AwsError,
    ) -> Result<Issued, AwsError> {
        for action in self.actions(action) {
            self.may(call, action).map_err(|()| refused(action))?;
        }
        self.check_policies(call)?;
        self.check_seconds(call)?;
        let new = NewSession {
            account: self.account.to_owned(),
            actor: Actor::Role {
                arn: self.arn.to_owned(),
                name: self.role.name.clone(),
                id: self.role.id.clone(),
                session: self.session_name.to_owned(),
                web,
            },
            seconds: self.seconds,
            policy: self.bounds.policy.clone(),
            policies: self.bounds.policies.clone(),
            tags: self.tags.clone(),
            transitive: self.transitive.clone(),
            source_identity: self.source_identity.clone(),
        };
        call.service.begin_session(new).await.map_err(|why| failed(&why))
    }

    /// What the answers of all kinds of assuming a role have.
    pub(super) fn answer(&self, xml: &mut Xml, issued: &Issued) {
        let (role, session) = (&self.role, self.session_name);
        xml.maybe("SourceIdentity", self.source_identity.as_deref());
        xml.node("AssumedRoleUser", |xml| {
            let arn = format!(
                "arn:aws:sts::{}:assumed-role/{}/{session}",
                self.account, role.name
            );
            xml.leaf("Arn", &arn);
            xml.leaf("AssumedRoleId", &format!("{}:{session}", role.id));
        });
        credentials(xml, issued);
        if let Some(packed) = self.bounds.packed {
            xml.leaf("PackedPolicySize", &packed.to_string());
        }
    }
}
