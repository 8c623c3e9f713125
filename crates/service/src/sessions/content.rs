//! What a session token carries, and what a credential becomes of it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tidelock_core::{
    Time,
    iam::{AwsManaged, DEFAULT_ACCOUNT, OPERATOR_USER, Tags},
    policy::{Context, Kind, Named, Policy, Principal, PrincipalKind, Rights},
};
use zeroize::Zeroizing;

use crate::{
    Service,
    access::{Credential, CredentialError, SessionFacts},
};

/// Who acts in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    /// The operator.
    Operator {
        /// `aws:userid` of the operator.
        id: String,
    },
    /// A user. The session ends with the access key that it was begun with.
    User {
        /// `AKIA…`
        access_key_id: String,
    },
    /// A role.
    Role {
        /// Its ARN.
        arn: String,
        /// Its name.
        name: String,
        /// `AROA…`
        id: String,
        /// The session's name.
        session: String,
        /// Whose token it was begun with, if it was.
        web: Option<Web>,
    },
}

/// Where the identity behind a session comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Web {
    /// The provider, as it stands before its condition keys.
    pub provider: String,
    /// `sub`.
    pub subject: String,
    /// The claims that stay with the session as condition values.
    pub claims: BTreeMap<String, Vec<String>>,
}

impl Web {
    /// The claims of a token that stay with the session. AWS keeps these; the others are known while the role is assumed.
    pub const KEPT_CLAIMS: [&str; 5] = ["amr", "aud", "email", "oaud", "sub"];

    /// The ARN of the provider, as one of this account.
    #[must_use]
    pub fn provider_arn(&self, account: &str) -> String {
        format!("arn:aws:iam::{account}:oidc-provider/{}", self.provider)
    }
}

/// A session, as it is sealed into its token.
#[derive(Serialize, Deserialize)]
pub(super) struct Content {
    #[serde(with = "secret")]
    pub(super) secret: Zeroizing<String>,
    pub(super) issued: Time,
    pub(super) expires: Time,
    pub(super) account: String,
    pub(super) actor: Actor,
    pub(super) policy: Option<String>,
    pub(super) policies: Vec<String>,
    pub(super) tags: Tags,
    pub(super) transitive: Vec<String>,
    pub(super) source_identity: Option<String>,
}

/// A secret as text, which is wiped where it is dropped.
mod secret {
    use serde::{Deserialize, Deserializer, Serializer};
    use zeroize::Zeroizing;

    pub(super) fn serialize<S: Serializer>(secret: &Zeroizing<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Zeroizing<String>, D::Error> {
        String::deserialize(from).map(Zeroizing::new)
    }
}

impl Content {
    pub(super) fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(serde_json::to_vec(self).expect("texts and numbers are JSON"))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Content> {
        serde_json::from_slice(bytes).ok()
    }

    /// The credential, with the rights that the actor has by now.
    pub(super) fn credential(
        self,
        service: &Service,
        access_key_id: &str,
        token: &str,
    ) -> Result<Credential, CredentialError> {
        let (principal, identity) = self.bearer(service).ok_or(CredentialError::Token)?;
        let base = match self.actor {
            Actor::Operator { .. } => Rights::operator(),
            Actor::User { .. } | Actor::Role { .. } => Rights::default(),
        };
        let rights = Rights {
            identity,
            session: self.bounds(service),
            ..base
        };
        let facts = self.facts(&principal);
        Ok(Credential {
            access_key_id: access_key_id.to_owned(),
            secret: self.secret,
            token: Some(Zeroizing::new(token.to_owned())),
            expires: Some(self.expires),
            principal,
            rights,
            session: Some(facts),
        })
    }

    /// Who acts, and what it was given; `None` when it is gone.
    fn bearer(&self, service: &Service) -> Option<(Principal, Vec<Arc<Named>>)> {
        match &self.actor {
            Actor::Operator { id } => {
                let principal = Principal {
                    account: self.account.clone(),
                    arn: format!("arn:aws:iam::{DEFAULT_ACCOUNT}:user/{OPERATOR_USER}"),
                    kind: PrincipalKind::User {
                        name: OPERATOR_USER.to_owned(),
                    },
                    user_id: id.clone(),
                    tags: Tags::new(),
                };
                Some((principal, Vec::new()))
            }
            Actor::User { access_key_id } => {
                let user = service.user_credential(access_key_id)?;
                Some((user.principal.clone(), user.rights.identity.clone()))
            }
            Actor::Role {
                arn,
                name,
                id,
                session,
                web,
            } => {
                let rights = service
                    .role_rights(arn)
                    .filter(|role| role.principal.user_id == *id)?;
                let mut principal = rights.principal.clone();
                principal.arn = format!("arn:aws:sts::{}:assumed-role/{name}/{session}", self.account);
                principal.user_id = format!("{id}:{session}");
                principal.kind = PrincipalKind::Session {
                    role_arn: arn.clone(),
                    federated: web.as_ref().map(|web| web.provider_arn(&self.account)),
                };
                // Names of tags know no case: what the session says of one counts.
                let own = |key: &String| self.tags.keys().any(|own| own.eq_ignore_ascii_case(key));
                principal.tags.retain(|key, _| !own(key));
                principal.tags.extend(self.tags.clone());
                Some((principal, rights.identity.clone()))
            }
        }
    }

    /// What bounds the session, if anything does. When one of its policies is gone or cannot be read, it may do nothing: that
    /// one might have denied something.
    fn bounds(&self, service: &Service) -> Option<Vec<Arc<Named>>> {
        if self.policy.is_none() && self.policies.is_empty() {
            return None;
        }
        let own = self
            .policy
            .iter()
            .map(|policy| read("session policy", policy, Kind::Session));
        let managed = self.policies.iter().map(|arn| {
            let of_aws = || read(arn, AwsManaged::of(arn)?.document, Kind::Identity);
            service.managed_policy(arn).or_else(of_aws)
        });
        Some(own.chain(managed).collect::<Option<Vec<_>>>().unwrap_or_default())
    }

    fn facts(&self, principal: &Principal) -> SessionFacts {
        let mut context = Context::default();
        let mut of = principal.user_id.clone();
        context.insert("aws:TokenIssueTime", iso(self.issued));
        context.insert("aws:MultiFactorAuthPresent", "false");
        if let Some(source_identity) = &self.source_identity {
            context.insert("aws:SourceIdentity", source_identity.as_str());
        }
        if let Actor::Role {
            id,
            session,
            web: Some(web),
            ..
        } = &self.actor
        {
            for (claim, values) in &web.claims {
                let key = format!("{}:{claim}", web.provider);
                values.iter().for_each(|value| context.push(&key, value.as_str()));
            }
            if is_made_up(session) {
                of = format!("{id}:{}:{}", web.provider, web.subject);
            }
        }
        let goes_on = |key: &&String| self.transitive.contains(key);
        SessionFacts {
            of,
            issued: self.issued,
            context,
            transitive: self
                .tags
                .iter()
                .filter(|(key, _)| goes_on(key))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect(),
            source_identity: self.source_identity.clone(),
        }
    }
}

fn read(name: &str, document: &str, kind: Kind) -> Option<Arc<Named>> {
    let policy = Policy::parse(document, kind).ok()?;
    let name = name.to_owned();
    Some(Arc::new(Named { name, policy }))
}

/// Whether the name is the nanoseconds since 1970, which Go's SDK makes a name of whenever it takes a session with a web
/// identity and nobody named it: another one in the same run's next session.
/// Source: aws-sdk-go-v2, credentials/stscreds/web_identity_provider.go.
fn is_made_up(session: &str) -> bool {
    session.len() == 19 && session.bytes().all(|byte| byte.is_ascii_digit())
}

fn iso(time: Time) -> String {
    let seconds = Timestamp::from_second(time.0.div_euclid(1_000)).unwrap_or_default();
    seconds.to_string()
}
