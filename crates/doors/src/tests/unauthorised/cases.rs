//! A request for every operation.

use bytes::Bytes;
use http::Method;

use super::BUCKET;
use crate::{admin, dynamodb, iam, kms, s3, sts, terraform_http};

/// How an operation comes to be decided.
#[derive(Clone, Copy, Debug)]
pub(super) enum Decides {
    /// It asks the policies, and refuses.
    Asks,
    /// It asks for each of several things, and says of each what became of it.
    EachByItself,
    /// Everybody may do it for themselves.
    Own,
    /// It is not there, for nobody.
    NotServed,
}

/// One request.
pub(super) struct Case {
    /// Door and operation.
    pub(super) name: String,
    /// The service that it is signed for; none for basic authentication.
    pub(super) service: Option<&'static str>,
    pub(super) method: Method,
    pub(super) uri: String,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
    pub(super) decides: Decides,
}

/// What is there to be asked about.
#[derive(Default)]
pub(super) struct Fixture {
    /// The ID of a key, which has the alias `alias/x` too.
    pub(super) key: String,
    /// A text that is encrypted under it.
    pub(super) ciphertext: String,
}

/// The operations that the doors list.
pub(super) fn listed() -> Vec<String> {
    let s3 = s3::operations()
        .into_iter()
        .map(|found| format!("s3 {}", found.name));
    let dynamodb = dynamodb::OPERATIONS.iter().map(|name| format!("dynamodb {name}"));
    let iam = iam::operation_names().map(|name| format!("iam {name}"));
    let sts = sts::OPERATIONS.iter().map(|name| format!("sts {name}"));
    let kms = kms::OPERATIONS.iter().map(|name| format!("kms {name}"));
    let http = terraform_http::METHODS.iter().map(|name| format!("http {name}"));
    let admin = admin::route_names()
        .into_iter()
        .map(|(name, _)| format!("admin {name}"));
    s3.chain(dynamodb)
        .chain(iam)
        .chain(sts)
        .chain(kms)
        .chain(http)
        .chain(admin)
        .collect()
}

/// A request for each of them.
pub(super) fn all(fixture: &Fixture) -> Vec<Case> {
    let mut cases: Vec<Case> = s3::operations().into_iter().map(of_s3).collect();
    cases.extend(dynamodb::OPERATIONS.iter().map(|name| of_dynamodb(name)));
    cases.extend(iam::operation_names().map(of_iam));
    cases.extend(sts::OPERATIONS.iter().map(|name| of_sts(name)));
    cases.extend(kms::OPERATIONS.iter().map(|name| of_kms(name, fixture)));
    cases.extend(terraform_http::METHODS.iter().map(|name| of_http(name)));
    cases.extend(
        admin::route_names()
            .into_iter()
            .map(|(name, own)| of_admin(&name, own)),
    );
    cases
}

fn of_s3(found: s3::Reachable) -> Case {
    let mut headers = Vec::new();
    if found.copies {
        headers.push(("x-amz-copy-source", format!("{BUCKET}/other")));
    }
    let path = match found.depth {
        0 => "/".to_owned(),
        // A bucket that is made must not be there yet.
        1 if found.name == "CreateBucket" => "/new-bucket".to_owned(),
        1 => format!("/{BUCKET}"),
        _ => format!("/{BUCKET}/key"),
    };
    let uri = match found.query.as_str() {
        "" => path,
        query => format!("{path}?{query}"),
    };
    let mut body = Bytes::new();
    let mut decides = if found.served {
        Decides::Asks
    } else {
        Decides::NotServed
    };
    if found.name == "DeleteObjects" {
        body = Bytes::from_static(b"<Delete><Object><Key>key</Key></Object></Delete>");
        headers.push(("content-md5", content_md5(&body)));
        decides = Decides::EachByItself;
    }
    Case {
        name: format!("s3 {}", found.name),
        service: Some("s3"),
        method: found.method,
        uri,
        headers,
        body,
        decides,
    }
}

fn content_md5(body: &[u8]) -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use md5::{Digest, Md5};
    STANDARD.encode(Md5::digest(body))
}

fn of_dynamodb(operation: &'static str) -> Case {
    let arn = "arn:aws:dynamodb:eu-central-1:000000000000:table/absent";
    let key = r#""Key":{"LockID":{"S":"tfstate/key"}}"#;
    let item = r#""Item":{"LockID":{"S":"tfstate/key"}}"#;
    let body = match operation {
        "ListTables" => "{}".to_owned(),
        "BatchGetItem" => r#"{"RequestItems":{"absent":{"Keys":[{"LockID":{"S":"a"}}]}}}"#.to_owned(),
        "BatchWriteItem" => format!(r#"{{"RequestItems":{{"absent":[{{"PutRequest":{{{item}}}}}]}}}}"#),
        _ => format!(r#"{{"TableName":"absent","ResourceArn":"{arn}",{key},{item}}}"#),
    };
    Case {
        name: format!("dynamodb {operation}"),
        service: Some("dynamodb"),
        method: Method::POST,
        uri: "/".to_owned(),
        headers: vec![
            ("x-amz-target", format!("DynamoDB_20120810.{operation}")),
            ("content-type", "application/x-amz-json-1.0".to_owned()),
        ],
        body: body.into(),
        decides: Decides::Asks,
    }
}

fn form(service: &'static str, operation: &str, rest: &str, decides: Decides) -> Case {
    let body = format!("Action={operation}&Version=2010-05-08&{rest}");
    Case {
        name: format!("{service} {operation}"),
        service: Some(service),
        method: Method::POST,
        uri: "/".to_owned(),
        headers: vec![(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8".to_owned(),
        )],
        body: body.into(),
        decides,
    }
}

fn of_iam(operation: &'static str) -> Case {
    let rest = "UserName=ann&RoleName=r&GroupName=g&PolicyName=p&PolicyArn=arn:aws:iam::000000000000:policy/p\
                &OpenIDConnectProviderArn=arn:aws:iam::000000000000:oidc-provider/x&Url=https://x\
                &AccessKeyId=AKIAX&InstanceProfileName=i";
    form("iam", operation, rest, Decides::Asks)
}

fn of_sts(operation: &'static str) -> Case {
    let rest = "RoleArn=arn:aws:iam::000000000000:role/r&RoleSessionName=session&AccessKeyId=AKIAX";
    let decides = match operation {
        "GetCallerIdentity" | "GetSessionToken" => Decides::Own,
        _ => Decides::Asks,
    };
    form("sts", operation, rest, decides)
}

fn of_kms(operation: &'static str, fixture: &Fixture) -> Case {
    let (key, text) = (&fixture.key, &fixture.ciphertext);
    let body = match operation {
        "ListKeys" | "ListAliases" | "CreateKey" | "GenerateRandom" => "{}".to_owned(),
        "CreateAlias" => format!(r#"{{"AliasName":"alias/y","TargetKeyId":"{key}"}}"#),
        "UpdateAlias" => format!(r#"{{"AliasName":"alias/x","TargetKeyId":"{key}"}}"#),
        "DeleteAlias" => r#"{"AliasName":"alias/x"}"#.to_owned(),
        "Decrypt" => format!(r#"{{"CiphertextBlob":"{text}"}}"#),
        "ReEncrypt" => format!(r#"{{"CiphertextBlob":"{text}","DestinationKeyId":"{key}"}}"#),
        _ => format!(r#"{{"KeyId":"{key}"}}"#),
    };
    Case {
        name: format!("kms {operation}"),
        service: Some("kms"),
        method: Method::POST,
        uri: "/".to_owned(),
        headers: vec![
            ("x-amz-target", format!("TrentService.{operation}")),
            ("content-type", "application/x-amz-json-1.1".to_owned()),
        ],
        body: body.into(),
        decides: Decides::Asks,
    }
}

fn of_http(method: &'static str) -> Case {
    Case {
        name: format!("http {method}"),
        service: None,
        method: method.parse().unwrap(),
        uri: format!("/state/{BUCKET}/key"),
        headers: Vec::new(),
        body: Bytes::new(),
        decides: Decides::Asks,
    }
}

fn of_admin(name: &str, own: bool) -> Case {
    let (method, path) = name.split_once(' ').unwrap();
    let uri = path.replace('…', &format!("{BUCKET}/key"));
    Case {
        name: format!("admin {name}"),
        service: None,
        method: method.parse().unwrap(),
        uri,
        headers: Vec::new(),
        body: Bytes::from_static(b"{}"),
        decides: if own { Decides::Own } else { Decides::Asks },
    }
}
