//! What somebody's policy lacks for a role, and what it allows beyond it: decided as AWS decides, request by request.

mod given;
mod probes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::Serialize;
use tidelock_core::policy::{
    Context, Decision, Effect, Kind, Named, Policy, PolicyError, Principal, PrincipalKind, Request,
    ResourceRule, Rights, decide,
};

use super::{Role, Sample, Statement, Subject, statements, subject::ACCOUNT};
pub use given::Assumed;
use given::{Given, One};
use probes::Probe;

/// How a policy compares with what a role needs.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What is needed and not allowed.
    pub missing: Vec<Missing>,
    /// What is allowed and not needed.
    pub excess: Vec<Excess>,
    /// Conditions that nobody can judge without a request.
    pub assumed: Vec<Assumed>,
}

impl Report {
    /// Whether the policy allows what is needed and nothing else.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.missing.is_empty() && self.excess.is_empty()
    }
}

/// An action that is needed and not allowed.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// `s3:GetObject`.
    pub action: &'static str,
    /// Where it is missing: ARNs, with the condition keys of the request.
    pub on: Vec<String>,
    /// Which call needs it.
    pub calls: &'static str,
    /// The statement that denies it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denied_by: Option<String>,
}

/// What a statement allows beyond what is needed.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Excess {
    /// Its Sid, or its place as `statement 2`.
    pub statement: String,
    /// Actions, or what stands in their place.
    pub actions: Vec<String>,
    /// On what, and why that is too much.
    pub why: String,
}

/// Why a text cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// It is no policy of a user or role.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Json(#[from] serde_json::Error),
}

/// Compares the policy in `text`, as IAM takes it or as the AWS CLI shows it, with what the role needs.
///
/// # Errors
/// When the text is no policy of a user or role.
pub fn check(text: &str, subject: &Subject, role: Role) -> Result<Report, CheckError> {
    let given = Given::read(text)?;
    let subject = given.completed(subject);
    let needed = statements(&subject, role);
    let judge = Judge::new(&subject);
    let mut excess = Vec::new();
    for one in &given.allows {
        excess.extend(judge.not_needed(one, &given, &needed)?);
    }
    Ok(Report {
        missing: judge.missing(&given.rights()?, &needed),
        excess,
        assumed: given.assumed,
    })
}

/// Asks policies as AWS would be asked.
struct Judge {
    principal: Principal,
    probes: Vec<Probe>,
}

impl Judge {
    fn new(subject: &Subject) -> Judge {
        let account = subject.account.clone().unwrap_or_else(|| ACCOUNT.to_owned());
        let name = "somebody".to_owned();
        Judge {
            principal: Principal {
                arn: format!("arn:{}:iam::{account}:user/{name}", subject.partition()),
                account,
                kind: PrincipalKind::User { name },
                user_id: String::new(),
                tags: BTreeMap::new(),
            },
            probes: probes::of(subject),
        }
    }

    fn asks(&self, rights: &Rights, action: &str, sample: &Sample) -> Decision {
        let mut context = Context::default();
        context.insert("aws:SecureTransport", "true");
        for (key, value) in &sample.keys {
            context.push(key, value.as_str());
        }
        let request = Request {
            principal: &self.principal,
            action,
            resource: &sample.resource,
            resource_account: &self.principal.account,
            context: &context,
        };
        let rule = ResourceRule::Usual {
            restrict_public: false,
        };
        decide(&request, rights, None, rule)
    }

    fn missing(&self, rights: &Rights, needed: &[Statement]) -> Vec<Missing> {
        let mut found = Vec::new();
        for statement in needed {
            for action in &statement.actions {
                let (mut on, mut denied_by) = (Vec::new(), None);
                for sample in &statement.samples {
                    let decision = self.asks(rights, action.action, sample);
                    if decision.effect == Effect::Allowed {
                        continue;
                    }
                    on.push(sample.to_string());
                    denied_by = denied_by.or(decision.by.into_iter().next().map(|by| by.statement));
                }
                found.extend((!on.is_empty()).then_some(Missing {
                    action: action.action,
                    on,
                    calls: action.calls,
                    denied_by,
                }));
            }
        }
        found
    }

    /// What one statement allows that nothing needs.
    fn not_needed(&self, one: &One, given: &Given, needed: &[Statement]) -> Result<Vec<Excess>, PolicyError> {
        let excess = |actions: Vec<String>, why: &str| Excess {
            statement: one.label.clone(),
            actions,
            why: why.to_owned(),
        };
        let mut found = Vec::new();
        let names: BTreeSet<&str> = needed
            .iter()
            .flat_map(|statement| statement.actions.iter().map(|action| action.action))
            .collect();
        let (mut useless, mut foreign, mut useful) = (Vec::new(), Vec::new(), Vec::new());
        for pattern in &one.actions {
            let matches = given::only(&[pattern], "*")?;
            match names
                .iter()
                .any(|name| self.allows(&matches, name, &Sample::any()))
            {
                false => useless.push(pattern.clone()),
                true if is_of_many_services(pattern) => foreign.push(pattern.clone()),
                true => {}
            }
            useful.push(matches);
        }
        if let Some(except) = &one.all_actions_but {
            let why = "every action of every service but these: name the needed ones in Action instead";
            found.push(excess(except.clone(), why));
        }
        found.extend((!useless.is_empty()).then(|| excess(useless, "no call of the role needs it")));
        found.extend((!foreign.is_empty()).then(|| excess(foreign, "actions of other services too")));
        for resource in &one.resources {
            let on_it = given::only(&["*"], resource)?;
            let samples = needed.iter().flat_map(|statement| &statement.samples);
            let is_used = samples
                .into_iter()
                .any(|sample| self.allows(&on_it, "s3:GetObject", &Sample::at(&sample.resource)));
            if !is_used {
                found.push(excess(
                    one.actions.clone(),
                    &format!("on {resource}, where nothing is needed"),
                ));
            }
        }
        found.extend(self.too_far(one, given, needed, &names)?);
        Ok(found)
    }

    /// Actions that a statement's wildcards reach: on what is the backend's own, and on what is not.
    fn too_far(
        &self,
        one: &One,
        given: &Given,
        needed: &[Statement],
        names: &BTreeSet<&str>,
    ) -> Result<Vec<Excess>, PolicyError> {
        let rights = given.rights_of(one)?;
        // An action that is written out and that nothing needs has been said already.
        let written: BTreeSet<String> = one
            .actions
            .iter()
            .filter(|action| !action.contains(['*', '?']))
            .map(|action| action.to_ascii_lowercase())
            .collect();
        let mut found: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for probe in &self.probes {
            for action in &probe.actions {
                let is_said =
                    written.contains(&action.to_ascii_lowercase()) && !names.contains(action.as_str());
                if !is_said
                    && self.allows(&rights, action, &probe.sample)
                    && !is_needed(needed, action, &probe.sample)
                {
                    found.entry(probe.scope).or_default().insert(action.clone());
                }
            }
        }
        let excess = |(scope, actions): (&str, BTreeSet<String>)| Excess {
            statement: one.label.clone(),
            actions: actions.into_iter().collect(),
            why: scope.to_owned(),
        };
        Ok(found.into_iter().map(excess).collect())
    }

    fn allows(&self, rights: &Rights, action: &str, sample: &Sample) -> bool {
        self.asks(rights, action, sample).is_allowed()
    }
}

fn is_of_many_services(pattern: &str) -> bool {
    let service = pattern.split(':').next().unwrap_or_default();
    service.contains(['*', '?'])
}

fn is_needed(needed: &[Statement], action: &str, probe: &Sample) -> bool {
    needed.iter().any(|statement| {
        let has_action = statement.actions.iter().any(|own| own.action == action);
        let covers = |sample: &Sample| {
            sample.resource == probe.resource && sample.keys.iter().all(|key| probe.keys.contains(key))
        };
        has_action && statement.samples.iter().any(covers)
    })
}

/// The rights of a document's text.
fn rights(text: &str) -> Result<Rights, PolicyError> {
    let policy = Policy::parse(text, Kind::Identity)?;
    let name = "the policy".to_owned();
    Ok(Rights {
        identity: vec![Arc::new(Named { name, policy })],
        ..Rights::default()
    })
}

impl Sample {
    fn at(resource: &str) -> Sample {
        let (resource, keys) = (resource.to_owned(), Vec::new());
        Sample { resource, keys }
    }

    fn any() -> Sample {
        Sample::at("*")
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.resource)?;
        for (at, (key, value)) in self.keys.iter().enumerate() {
            let word = if at == 0 { " with" } else { "," };
            write!(f, "{word} {key} {value}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
