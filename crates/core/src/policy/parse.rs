//! From a document's text to a policy: which elements there are, which a kind of policy must and must not have.
//!
//! Source: "Grammar of the IAM JSON policy language" in the IAM User Guide. Where AWS has a message, ours begins with its words.

use std::collections::BTreeSet;

use super::{
    Kind, Policy, PolicyError,
    condition::Condition,
    json::Json,
    pattern::{Pattern, Syntax},
    principal::Principals,
    statement::{Listed, Statement},
};
use crate::limits::POLICY_BYTES_MAX;

type Members = [(String, Json)];

/// Reads a document.
pub(super) fn document(text: &str, kind: Kind) -> Result<Policy, PolicyError> {
    read(text, kind).map_err(|mut what| {
        if let Some((end, _)) = what.char_indices().nth(MESSAGE_CHARS_MAX) {
            what.truncate(end);
            what.push('…');
        }
        PolicyError(what)
    })
}

/// Longest message, in characters: it quotes what somebody wrote, who sees it on a terminal.
const MESSAGE_CHARS_MAX: usize = 400;

fn read(text: &str, kind: Kind) -> Result<Policy, String> {
    if text.len() > POLICY_BYTES_MAX {
        return Err(format!("the policy is longer than {POLICY_BYTES_MAX} bytes"));
    }
    let json = Json::parse(text).map_err(|error| {
        format!("Syntax errors in policy: it is not JSON as policies are written: {error}")
    })?;
    policy(json.members("the policy")?, kind)
}

fn policy(members: &Members, kind: Kind) -> Result<Policy, String> {
    let (mut variables, mut listed) = (false, None);
    for (name, value) in members {
        match name.as_str() {
            "Version" => variables = has_variables(value)?,
            "Id" => drop(value.string("Id")?),
            "Statement" => listed = Some(value),
            _ => {
                return Err(format!(
                    "Syntax errors in policy: {name:?} is no element of a policy (Version, Id, Statement)"
                ));
            }
        }
    }
    let listed = listed.map_or(&[][..], Json::one_or_more);
    if listed.is_empty() {
        return Err("Syntax errors in policy: it has no Statement".to_owned());
    }
    let mut statements = Vec::with_capacity(listed.len());
    let mut sids = BTreeSet::new();
    for (place, value) in (1..).zip(listed) {
        let reader = Reader { kind, variables };
        let (sid, mut statement) = reader
            .statement(value)
            .map_err(|what| format!("statement {place}: {what}"))?;
        statement.label = sid.map_or_else(|| format!("statement {place}"), str::to_owned);
        if kind.is_iam() && sid.is_some_and(|sid| !sids.insert(sid)) {
            return Err(format!(
                "Statement IDs (SID) in a single policy must be unique: {:?} comes twice",
                statement.label
            ));
        }
        statements.push(statement);
    }
    Ok(Policy { statements })
}

fn has_variables(version: &Json) -> Result<bool, String> {
    match version.string("Version")? {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        other => Err(format!(
            "The policy must contain a valid version string: 2012-10-17 or 2008-10-17, not {other:?}"
        )),
    }
}

impl Kind {
    /// Whether IAM itself keeps it, whose rules for a Sid are stricter than those of S3 and KMS.
    fn is_iam(self) -> bool {
        matches!(self, Kind::Identity | Kind::Session | Kind::Trust)
    }

    fn has_principal(self) -> bool {
        matches!(self, Kind::Bucket | Kind::Key | Kind::Trust)
    }
}

/// The elements of one statement as they stand there.
#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a str>,
    effect: Option<&'a Json>,
    principal: Option<(bool, &'a Json)>,
    action: Option<(bool, &'a Json)>,
    resource: Option<(bool, &'a Json)>,
    condition: Option<&'a Json>,
}

struct Reader {
    kind: Kind,
    variables: bool,
}

impl Reader {
    /// Its Sid, and the statement, whose label is still to be set.
    fn statement<'a>(&self, value: &'a Json) -> Result<(Option<&'a str>, Statement), String> {
        let elements = self.elements(value.members("the statement")?)?;
        let allows = effect(elements.effect)?;
        let statement = Statement {
            label: String::new(),
            allows,
            principals: self.principals(elements.principal, allows)?,
            actions: self.actions(elements.action)?,
            resources: self.resources(elements.resource)?,
            conditions: self.conditions(elements.condition)?,
        };
        Ok((elements.sid.filter(|sid| !sid.is_empty()), statement))
    }

    fn elements<'a>(&self, members: &'a Members) -> Result<Elements<'a>, String> {
        let mut found = Elements::default();
        for (name, value) in members {
            let (place, not) = match name.as_str() {
                "Sid" => {
                    found.sid = Some(self.sid(value)?);
                    continue;
                }
                "Effect" => {
                    found.effect = Some(value);
                    continue;
                }
                "Condition" => {
                    found.condition = Some(value);
                    continue;
                }
                "Principal" => (&mut found.principal, false),
                "NotPrincipal" => (&mut found.principal, true),
                "Action" => (&mut found.action, false),
                "NotAction" => (&mut found.action, true),
                "Resource" => (&mut found.resource, false),
                "NotResource" => (&mut found.resource, true),
                _ => {
                    return Err(format!(
                        "Syntax errors in policy: {name:?} is no element of a statement"
                    ));
                }
            };
            if place.replace((not, value)).is_some() {
                let base = name.trim_start_matches("Not");
                return Err(format!(
                    "Syntax errors in policy: it has both {base} and Not{base}"
                ));
            }
        }
        Ok(found)
    }

    fn sid<'a>(&self, value: &'a Json) -> Result<&'a str, String> {
        let sid = value.string("Sid")?;
        if self.kind.is_iam() && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(format!(
                "Statement IDs (SID) must be alpha-numeric: {sid:?} is not"
            ));
        }
        Ok(sid)
    }

    fn actions(&self, element: Option<(bool, &Json)>) -> Result<Listed, String> {
        let (not, value) =
            element.ok_or("Policy statement must contain actions: it has neither Action nor NotAction")?;
        let texts = value.strings("Action")?;
        if texts.is_empty() {
            return Err("Policy statement must contain actions: the list is empty".to_owned());
        }
        let patterns = texts.into_iter().map(|text| self.action(text));
        Ok(Listed {
            not,
            patterns: patterns.collect::<Result<_, _>>()?,
        })
    }

    fn action(&self, text: &str) -> Result<Pattern, String> {
        let vendor = match text.split_once(':') {
            Some((vendor, name)) if !vendor.is_empty() && !name.is_empty() => vendor,
            None if text == "*" => "*",
            _ => {
                return Err(format!(
                    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.: {text:?} is not"
                ));
            }
        };
        if vendor != "*"
            && !vendor
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(format!(
                "Vendor {vendor} is not valid: write the service's name out, as in s3:GetObject"
            ));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(format!("{text:?} is no action, such as s3:GetObject"));
        }
        if self.kind == Kind::Bucket
            && !["*", "s3", "tidelock"].contains(&vendor.to_ascii_lowercase().as_str())
        {
            return Err(format!(
                "Policy has invalid action: {text:?} is none on a bucket or its objects"
            ));
        }
        if self.kind == Kind::Trust && !vendor.eq_ignore_ascii_case("sts") {
            return Err(format!(
                "AssumeRole policy may only specify STS AssumeRole actions: {text:?} is none"
            ));
        }
        Pattern::parse(
            &text.to_ascii_lowercase(),
            Syntax {
                wildcards: true,
                variables: false,
            },
        )
    }

    fn resources(&self, element: Option<(bool, &Json)>) -> Result<Option<Listed>, String> {
        let (not, value) = match element {
            Some(_) if self.kind == Kind::Trust => {
                return Err(
                    "Has prohibited field Resource: the role is the resource of its trust policy".to_owned(),
                );
            }
            None if self.kind == Kind::Trust => return Ok(None),
            None => {
                return Err(
                    "Policy statement must contain resources: it has neither Resource nor NotResource"
                        .to_owned(),
                );
            }
            Some(element) => element,
        };
        let texts = value.strings("Resource")?;
        if texts.is_empty() {
            return Err("Policy statement must contain resources: the list is empty".to_owned());
        }
        let patterns = texts.into_iter().map(|text| self.resource(text));
        Ok(Some(Listed {
            not,
            patterns: patterns.collect::<Result<_, _>>()?,
        }))
    }

    fn resource(&self, text: &str) -> Result<Pattern, String> {
        let is_arn = text.starts_with("arn:") && text.split(':').count() >= 6;
        // `arn:aws:s3:*` also is one: the last wildcard reaches over the colons.
        let is_open_arn = text.starts_with("arn:") && text.ends_with('*');
        if text != "*" && !is_arn && !is_open_arn {
            return Err(format!("Resource {text} must be in ARN format or \"*\"."));
        }
        Pattern::parse(
            text,
            Syntax {
                wildcards: true,
                variables: self.variables,
            },
        )
    }

    fn conditions(&self, element: Option<&Json>) -> Result<Vec<Condition>, String> {
        let mut conditions = Vec::new();
        for (operator, keys) in element.map_or(Ok(&[][..]), |value| value.members("Condition"))? {
            for (key, values) in keys.members(operator)? {
                let condition = Condition::parse(operator, key, &values.scalars(key)?, self.variables);
                conditions.push(condition.map_err(|what| format!("Condition {operator} of {key}: {what}"))?);
            }
        }
        Ok(conditions)
    }

    fn principals(&self, element: Option<(bool, &Json)>, allows: bool) -> Result<Option<Principals>, String> {
        let (not, value) = match element {
            Some(_) if !self.kind.has_principal() => {
                return Err(
                    "Policy document should not specify a principal: it is attached to one".to_owned(),
                );
            }
            None if !self.kind.has_principal() => return Ok(None),
            None => return Err("Missing required field Principal: whom the statement is about".to_owned()),
            Some((true, _)) if self.kind == Kind::Trust => {
                return Err(
                    "NotPrincipal is not supported in a trust policy: name who may assume the role"
                        .to_owned(),
                );
            }
            Some((true, _)) if allows => {
                return Err(
                    "Allow with NotPrincipal is not supported: name whom to allow in Principal".to_owned(),
                );
            }
            Some(element) => element,
        };
        Principals::parse(not, value).map(Some)
    }
}

fn effect(value: Option<&Json>) -> Result<bool, String> {
    let value = value.ok_or("Missing required field Effect: Allow or Deny")?;
    match value.string("Effect")? {
        "Allow" => Ok(true),
        "Deny" => Ok(false),
        other => Err(format!("Invalid effect: {other:?} is neither Allow nor Deny")),
    }
}
