//! The table in `cases/`: policies, requests, and what AWS's documentation says of them.
//!
//! A group begins with the page it is from (`# https://...`), then come its policies by kind (`identity:`, `session:`,
//! `bucket:`, `key:`, `trust:`; a list of statements stands for a whole document of 2012-10-17) and the account that owns
//! the resource (`owner:`, else 111122223333). Each indented line is a case: `allow`, `deny` (explicitly) or `none`; who;
//! action; resource; condition keys after semicolons; the reason after ` # `. `public` and `private` judge the bucket
//! policy alone; `restricted:` says that public policies give nothing to other accounts.

use std::{collections::BTreeMap, sync::Arc};

use tidelock_core::policy::{
    Context, Effect, Kind, Named, Policy, Principal, PrincipalKind, Request, ResourceRule, Rights, decide,
};

const ACCOUNT: &str = "111122223333";

const FILES: [(&str, &str); 11] = [
    ("elements", include_str!("cases/elements.txt")),
    ("variables", include_str!("cases/variables.txt")),
    ("operators", include_str!("cases/operators.txt")),
    ("sets", include_str!("cases/sets.txt")),
    ("logic", include_str!("cases/logic.txt")),
    ("accounts", include_str!("cases/accounts.txt")),
    ("principals", include_str!("cases/principals.txt")),
    ("s3", include_str!("cases/s3.txt")),
    ("dynamodb_kms", include_str!("cases/dynamodb_kms.txt")),
    ("trust", include_str!("cases/trust.txt")),
    ("public", include_str!("cases/public.txt")),
];

#[derive(Default)]
struct Group {
    page: String,
    owner: String,
    restricted: bool,
    identity: Vec<String>,
    session: Option<Vec<String>>,
    resource: Option<(Kind, String)>,
}

#[test]
fn every_case_of_the_documentation_is_decided_as_it_says() {
    let (mut cases, mut wrong) = (0, Vec::new());
    for (file, text) in FILES {
        let mut group = Group::default();
        let mut open: Option<String> = None;
        for (number, line) in (1..).zip(text.lines()).chain([(0, "")]) {
            let words = line.trim();
            let is_new = words.is_empty() || line.starts_with('#') || is_case(line) || is_field(line);
            if !is_new {
                open.as_mut()
                    .unwrap_or_else(|| panic!("{file}:{number}: {line}"))
                    .push_str(line);
                continue;
            }
            if let Some(field) = open.take() {
                group.set(&field);
            }
            if let Some(page) = line.strip_prefix("# ") {
                assert!(
                    page.starts_with("https://docs.aws.amazon.com/"),
                    "{file}:{number}"
                );
                group = Group {
                    page: page.to_owned(),
                    owner: ACCOUNT.to_owned(),
                    ..Group::default()
                };
            } else if is_case(line) {
                assert!(!group.page.is_empty(), "{file}:{number} cites no page");
                cases += 1;
                let (expected, found) = group.judge(words);
                if expected != found {
                    wrong.push(format!(
                        "{file}.txt:{number} is {found}: {words}\n    {}",
                        group.page
                    ));
                }
            } else if !words.is_empty() {
                open = Some(line.to_owned());
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {cases}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(cases >= 200, "only {cases} cases");
}

fn is_case(line: &str) -> bool {
    let is = |word: &str| {
        line.strip_prefix("  ")
            .is_some_and(|rest| rest.split(' ').next() == Some(word))
    };
    ["allow", "deny", "none", "public", "private"]
        .iter()
        .any(|word| is(word))
}

fn is_field(line: &str) -> bool {
    let field = line.split_once(':').map(|(field, _)| field);
    let fields = [
        "identity",
        "session",
        "bucket",
        "key",
        "trust",
        "owner",
        "restricted",
    ];
    field.is_some_and(|field| fields.contains(&field))
}

impl Group {
    fn set(&mut self, field: &str) {
        let (name, value) = field.split_once(':').unwrap();
        let value = value.trim();
        match name {
            "identity" => self.identity.push(document(value)),
            "session" => self.session.get_or_insert_default().push(document(value)),
            "bucket" => self.resource = Some((Kind::Bucket, document(value))),
            "key" => self.resource = Some((Kind::Key, document(value))),
            "trust" => self.resource = Some((Kind::Trust, document(value))),
            "owner" => self.owner = value.to_owned(),
            "restricted" => self.restricted = value == "true",
            _ => unreachable!(),
        }
    }

    /// What the line expects, and what comes out.
    fn judge<'a>(&self, line: &'a str) -> (&'a str, &'static str) {
        let line = line.split(" # ").next().unwrap();
        let mut parts = line.split(';').map(str::trim);
        let words: Vec<&str> = parts.next().unwrap().split_whitespace().collect();
        let resource = self.resource.as_ref().map(|(kind, text)| named(text, *kind));
        let [expected, who, action, on] = words[..] else {
            let found = if resource.unwrap().policy.is_public() {
                "public"
            } else {
                "private"
            };
            return (words[0], found);
        };
        let mut principal = principal(who);
        let mut context = Context::default();
        for part in parts {
            let (key, value) = part.split_once('=').unwrap();
            match key.strip_prefix("aws:PrincipalTag/") {
                Some(tag) => drop(principal.tags.insert(tag.to_owned(), value.to_owned())),
                None => context.push(key, value),
            }
        }
        let all = |texts: &[String], kind| texts.iter().map(|text| Arc::new(named(text, kind))).collect();
        let rights = Rights {
            operator: who == "operator",
            identity: all(&self.identity, Kind::Identity),
            session: self.session.as_ref().map(|texts| all(texts, Kind::Session)),
        };
        let rule = match self.resource {
            Some((Kind::Key | Kind::Trust, _)) => ResourceRule::Required,
            _ => ResourceRule::Usual {
                restrict_public: self.restricted,
            },
        };
        let request = Request {
            principal: &principal,
            action,
            resource: on,
            resource_account: &self.owner,
            context: &context,
        };
        let found = match decide(&request, &rights, resource.as_ref(), rule).effect {
            Effect::Allowed => "allow",
            Effect::DeniedExplicitly => "deny",
            Effect::NotAllowed => "none",
        };
        (expected, found)
    }
}

fn document(text: &str) -> String {
    if text.contains("\"Statement\"") {
        return text.to_owned();
    }
    format!(r#"{{"Version": "2012-10-17", "Statement": {text}}}"#)
}

fn named(text: &str, kind: Kind) -> Named {
    let policy = Policy::parse(text, kind).unwrap_or_else(|error| panic!("{error}: {text}"));
    Named {
        name: "policy".to_owned(),
        policy,
    }
}

/// `root`, `operator`, a user's name, `role/ROLE/SESSION`, each with `@ACCOUNT` where it is not the usual one;
/// `web/ROLE/SESSION` for a session that a token began; `token:PROVIDER` for who holds a token only.
fn principal(who: &str) -> Principal {
    if let Some(provider) = who.strip_prefix("token:") {
        return Principal {
            account: String::new(),
            arn: String::new(),
            kind: PrincipalKind::Federated {
                provider: provider.to_owned(),
            },
            user_id: String::new(),
            tags: BTreeMap::new(),
        };
    }
    let (name, account) = who.split_once('@').unwrap_or((who, ACCOUNT));
    let iam = |rest: &str| format!("arn:aws:iam::{account}:{rest}");
    let (arn, kind, user_id) = match name.split('/').collect::<Vec<_>>()[..] {
        ["root"] => (iam("root"), PrincipalKind::Root, account.to_owned()),
        [how @ ("role" | "web"), role, session] => (
            format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            PrincipalKind::Session {
                role_arn: iam(&format!("role/{role}")),
                federated: (how == "web").then(|| iam("oidc-provider/token.actions.githubusercontent.com")),
            },
            format!("AROA{}:{session}", role.to_uppercase()),
        ),
        _ => (
            iam(&format!("user/{name}")),
            PrincipalKind::User {
                name: name.to_owned(),
            },
            format!("AIDA{}", name.to_uppercase()),
        ),
    };
    Principal {
        account: account.to_owned(),
        arn,
        kind,
        user_id,
        tags: BTreeMap::new(),
    }
}
