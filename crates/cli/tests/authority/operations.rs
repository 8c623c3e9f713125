//! What a runner of one state must not do: requests of every door, each by itself well-formed and about what is there.

use serde_json::json;
use tidelock_testkit::{BUCKET, Request, TABLE};

use crate::world::KEY;

/// Another state of the same bucket, another bucket, and another table, all of which are there.
pub(crate) const OTHER: &str = "other/terraform.tfstate";
pub(crate) const ELSEWHERE: &str = "elsewhere";
pub(crate) const TABLE_ELSEWHERE: &str = "other-locks";

/// What is there to be asked about.
pub(crate) struct There {
    /// The ID of the state's version in S3's terms.
    pub(crate) version: String,
    /// The ID of a KMS key.
    pub(crate) key: String,
    /// The ID of the lock that is held on the other state.
    pub(crate) lock: String,
}

/// One request that is to be refused.
pub(crate) struct Operation {
    pub(crate) request: Request,
    /// Whether the key goes as basic authentication, and not as a signature.
    pub(crate) basic: bool,
}

/// The lock info of somebody who wants the lock of a state.
pub(crate) fn lock_info(id: &str) -> String {
    json!({"ID": id, "Operation": "OperationTypeApply", "Info": "", "Who": "ann@there", "Version": "1.11.4",
        "Created": "2026-11-21T09:00:00Z", "Path": ""})
    .to_string()
}

pub(crate) fn all(there: &There) -> Vec<Operation> {
    let signed = |request| Operation {
        request,
        basic: false,
    };
    let basic = |request| Operation { request, basic: true };
    let mut all: Vec<Operation> = Vec::new();
    all.extend(of_buckets().into_iter().chain(of_objects(there)).map(signed));
    all.extend(of_tables().into_iter().chain(of_keys(there)).map(signed));
    all.extend(of_identities().into_iter().map(signed));
    all.extend(of_states(there).into_iter().map(basic));
    all
}

#[rustfmt::skip]
fn of_buckets() -> Vec<Request> {
    let versions = "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>";
    let policy = json!({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*",
        "Resource": format!("arn:aws:s3:::{BUCKET}/*")}}).to_string();
    let table = [
        ("GET", "/".to_owned(), ""),
        ("PUT", "/new-bucket".to_owned(), ""),
        ("DELETE", format!("/{BUCKET}"), ""),
        ("HEAD", format!("/{BUCKET}"), ""),
        ("GET", format!("/{BUCKET}?list-type=2"), ""),
        ("GET", format!("/{BUCKET}?list-type=2&prefix=other/"), ""),
        ("GET", format!("/{BUCKET}?prefix=app"), ""),
        ("GET", format!("/{BUCKET}?versions&prefix={KEY}"), ""),
        ("GET", format!("/{BUCKET}?uploads"), ""),
        ("GET", format!("/{BUCKET}?location"), ""),
        ("GET", format!("/{BUCKET}?versioning"), ""),
        ("PUT", format!("/{BUCKET}?versioning"), versions),
        ("GET", format!("/{BUCKET}?policy"), ""),
        ("PUT", format!("/{BUCKET}?policy"), policy.as_str()),
        ("DELETE", format!("/{BUCKET}?policy"), ""),
        ("GET", format!("/{BUCKET}?encryption"), ""),
        ("DELETE", format!("/{BUCKET}?encryption"), ""),
        ("GET", format!("/{BUCKET}?lifecycle"), ""),
        ("PUT", format!("/{BUCKET}?lifecycle"), "<LifecycleConfiguration/>"),
        ("DELETE", format!("/{BUCKET}?lifecycle"), ""),
        ("DELETE", format!("/{BUCKET}?publicAccessBlock"), ""),
        ("GET", format!("/{BUCKET}?acl"), ""),
        ("DELETE", format!("/{BUCKET}?ownershipControls"), ""),
        ("DELETE", format!("/{BUCKET}?tagging"), ""),
        ("GET", format!("/{BUCKET}?logging"), ""),
        ("GET", format!("/{ELSEWHERE}?list-type=2&prefix={KEY}"), ""),
        ("DELETE", format!("/{ELSEWHERE}"), ""),
    ];
    table.map(|(method, target, body)| Request::new(method, &target, body)).to_vec()
}

#[rustfmt::skip]
fn of_objects(there: &There) -> Vec<Request> {
    let (state, other, version) = (format!("/{BUCKET}/{KEY}"), format!("/{BUCKET}/{OTHER}"), &there.version);
    let new = |method, target: &str| Request::new(method, target, "");
    let lock = lock_info("0b0e5cbb-9d5c-4d7f-8a53-000000000001");
    vec![
        new("GET", &other), new("HEAD", &other), new("PUT", &other), new("DELETE", &other),
        new("GET", &format!("{other}.tflock")), new("DELETE", &format!("{other}.tflock")),
        Request::new("PUT", &format!("/{BUCKET}/free.tfstate.tflock"), lock),
        new("POST", &format!("{other}?uploads")),
        new("GET", &format!("/{BUCKET}/absent.tfstate")),
        new("GET", &format!("/{ELSEWHERE}/{KEY}")), new("PUT", &format!("/{ELSEWHERE}/{KEY}")),
        new("PUT", &format!("/{ELSEWHERE}/{KEY}.tflock")),
        new("DELETE", &state), new("DELETE", &format!("{state}?versionId={version}")),
        new("GET", &format!("{state}?versionId={version}")), new("HEAD", &format!("{state}?versionId={version}")),
        new("GET", &format!("{state}?tagging")), new("PUT", &format!("{state}?tagging")), new("DELETE", &format!("{state}?tagging")),
        new("GET", &format!("{state}?acl")), new("PUT", &format!("{state}?legal-hold")), new("PUT", &format!("{state}?retention")),
        new("GET", &format!("{state}?uploadId=absent")), new("DELETE", &format!("{state}?uploadId=absent")),
        new("PUT", &state).header("x-amz-copy-source", &other[1..]),
        new("PUT", &state).header("x-amz-copy-source", &format!("{}?versionId={version}", &state[1..])),
        new("PUT", &other).header("x-amz-copy-source", &state[1..]),
        new("PUT", &state).header("x-amz-tagging", "a=b"),
        new("PUT", &state).header("x-amz-object-lock-legal-hold", "ON"),
    ]
}

fn of_tables() -> Vec<Request> {
    let key = |lock: &str| json!({"LockID": {"S": lock}});
    let (other, own) = (key(&format!("{BUCKET}/{OTHER}")), key(&format!("{BUCKET}/{KEY}")));
    let named = json!({ "TableName": TABLE });
    let arn = format!("arn:aws:dynamodb:us-east-1:000000000000:table/{TABLE}");
    let new = json!({"TableName": "new-table", "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [{"AttributeName": "LockID", "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": "LockID", "KeyType": "HASH"}]});
    let written = json!({"LockID": {"S": "tfstate/free"}, "Info": {"S": "x"}});
    let table = [
        ("ListTables", json!({})),
        ("CreateTable", new),
        ("DeleteTable", named.clone()),
        (
            "UpdateTable",
            json!({"TableName": TABLE, "DeletionProtectionEnabled": false}),
        ),
        ("DescribeTable", json!({"TableName": TABLE_ELSEWHERE})),
        ("DescribeContinuousBackups", named.clone()),
        (
            "UpdateContinuousBackups",
            json!({"TableName": TABLE, "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": false}}),
        ),
        (
            "UpdateTimeToLive",
            json!({"TableName": TABLE, "TimeToLiveSpecification": {"Enabled": true, "AttributeName": "e"}}),
        ),
        (
            "TagResource",
            json!({"ResourceArn": arn, "Tags": [{"Key": "a", "Value": "b"}]}),
        ),
        (
            "RestoreTableToPointInTime",
            json!({"SourceTableName": TABLE, "TargetTableName": "copy", "UseLatestRestorableTime": true}),
        ),
        ("GetItem", json!({"TableName": TABLE, "Key": other})),
        ("PutItem", json!({"TableName": TABLE, "Item": written})),
        ("DeleteItem", json!({"TableName": TABLE, "Key": other})),
        ("GetItem", json!({"TableName": TABLE_ELSEWHERE, "Key": own})),
        ("PutItem", json!({"TableName": TABLE_ELSEWHERE, "Item": own})),
        ("UpdateItem", json!({"TableName": TABLE, "Key": own})),
        ("Scan", named),
        (
            "Query",
            json!({"TableName": TABLE, "KeyConditionExpression": "LockID = :l",
            "ExpressionAttributeValues": {":l": {"S": format!("{BUCKET}/{OTHER}")}}}),
        ),
        (
            "BatchGetItem",
            json!({"RequestItems": {TABLE: {"Keys": [other]}}}),
        ),
        (
            "BatchWriteItem",
            json!({"RequestItems": {TABLE: [{"DeleteRequest": {"Key": other}}]}}),
        ),
    ];
    table
        .map(|(operation, body)| Request::dynamodb(operation, body.to_string()))
        .to_vec()
}

fn of_keys(there: &There) -> Vec<Request> {
    let key = &there.key;
    let policy = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}}"#;
    let table = [
        ("ListKeys", json!({})),
        ("ListAliases", json!({})),
        ("CreateKey", json!({})),
        ("DescribeKey", json!({ "KeyId": key })),
        ("Encrypt", json!({"KeyId": key, "Plaintext": "aGVsbG8="})),
        ("GenerateDataKey", json!({"KeyId": key, "KeySpec": "AES_256"})),
        ("GetKeyPolicy", json!({"KeyId": key, "PolicyName": "default"})),
        (
            "PutKeyPolicy",
            json!({"KeyId": key, "PolicyName": "default", "Policy": policy}),
        ),
        ("DisableKey", json!({ "KeyId": key })),
        ("ScheduleKeyDeletion", json!({ "KeyId": key })),
    ];
    table
        .map(|(operation, body)| kms(operation, &body.to_string()))
        .to_vec()
}

/// A request of the KMS door.
pub(crate) fn kms(operation: &str, body: &str) -> Request {
    let request = Request {
        service: "kms",
        ..Request::new("POST", "/", body)
    };
    request
        .header("x-amz-target", &format!("TrentService.{operation}"))
        .header("content-type", "application/x-amz-json-1.1")
}

fn of_identities() -> Vec<Request> {
    let everything = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22*%22%2C%22Resource%22%3A%22*%22%7D%7D";
    let inline = format!("UserName=runner&PolicyName=more&PolicyDocument={everything}");
    let policy = format!("PolicyName=more&PolicyDocument={everything}");
    let role = format!("RoleName=deploy&PolicyDocument={everything}");
    let table = [
        ("iam", "ListUsers", ""),
        ("iam", "ListRoles", ""),
        ("iam", "GetUser", "UserName=other"),
        ("iam", "CreateUser", "UserName=new"),
        ("iam", "DeleteUser", "UserName=other"),
        ("iam", "CreateAccessKey", "UserName=other"),
        ("iam", "CreateAccessKey", "UserName=runner"),
        ("iam", "PutUserPolicy", &inline),
        ("iam", "DeleteUserPolicy", "UserName=runner&PolicyName=own"),
        (
            "iam",
            "AttachUserPolicy",
            "UserName=runner&PolicyArn=arn:aws:iam::aws:policy/AdministratorAccess",
        ),
        ("iam", "CreatePolicy", &policy),
        ("iam", "UpdateAssumeRolePolicy", &role),
        (
            "sts",
            "AssumeRole",
            "RoleArn=arn:aws:iam::000000000000:role/deploy&RoleSessionName=session",
        ),
        (
            "sts",
            "AssumeRole",
            "RoleArn=arn:aws:iam::000000000000:role/absent&RoleSessionName=session",
        ),
    ];
    table
        .map(|(service, action, fields)| {
            let version = if service == "iam" {
                "2010-05-08"
            } else {
                "2011-06-15"
            };
            let body = format!("Action={action}&Version={version}&{fields}");
            let request = Request {
                service,
                ..Request::new("POST", "/", body)
            };
            request.header("content-type", "application/x-www-form-urlencoded")
        })
        .to_vec()
}

#[rustfmt::skip]
fn of_states(there: &There) -> Vec<Request> {
    let (own, other, elsewhere) = (format!("{BUCKET}/{KEY}"), format!("{BUCKET}/{OTHER}"), format!("{ELSEWHERE}/{KEY}"));
    let info = lock_info(&there.lock);
    let unlock = json!({ "id": there.lock }).to_string();
    let command = json!({"command": {"DeleteUser": {"name": "other"}}}).to_string();
    let table = [
        ("GET", format!("/state/{other}"), ""), ("POST", format!("/state/{other}"), "{}"), ("DELETE", format!("/state/{other}"), ""),
        ("LOCK", format!("/state/{other}"), info.as_str()), ("UNLOCK", format!("/state/{other}"), info.as_str()),
        ("UNLOCK", format!("/state/{other}"), ""),
        ("GET", format!("/state/{elsewhere}"), ""), ("LOCK", format!("/state/{elsewhere}"), info.as_str()),
        ("DELETE", format!("/state/{own}"), ""),
        ("GET", "/admin/locks".to_owned(), ""), ("GET", format!("/admin/locks/{other}"), ""),
        ("POST", format!("/admin/unlock/{other}"), unlock.as_str()),
        ("POST", format!("/admin/allow/{own}"), r#"{"rewind":true,"for_ms":60000}"#),
        ("POST", format!("/admin/freeze/{own}"), r#"{"reason":"x"}"#), ("POST", format!("/admin/thaw/{own}"), ""),
        ("GET", format!("/admin/history/{own}"), ""), ("GET", format!("/admin/history/{other}"), ""),
        ("GET", format!("/admin/version/{own}?version=1"), ""), ("GET", format!("/admin/body/{own}?version=1"), ""),
        ("GET", format!("/admin/blame/{own}?resource=x"), ""),
        ("GET", "/admin/find?what=x".to_owned(), ""), ("GET", "/admin/states".to_owned(), ""),
        ("POST", format!("/admin/rollback/{own}"), r#"{"version":1}"#),
        ("GET", format!("/admin/quarantine/{own}"), ""),
        ("POST", format!("/admin/adopt/{own}"), "{}"), ("POST", format!("/admin/discard/{own}"), "{}"),
        ("PUT", format!("/admin/import/{own}"), "{}"),
        ("POST", "/admin/gc".to_owned(), "{}"), ("POST", "/admin/verify".to_owned(), "{}"),
        ("GET", "/admin/root-key".to_owned(), ""), ("POST", "/admin/root-key/rotate".to_owned(), "{}"),
        ("GET", "/admin/backup".to_owned(), ""),
        ("GET", "/admin/audit".to_owned(), ""),
        ("GET", "/admin/explain?principal=x&action=s3:GetObject&resource=x".to_owned(), ""),
        ("GET", "/admin/who-can?action=s3:GetObject&resource=x".to_owned(), ""),
        ("GET", "/admin/iam/accounts".to_owned(), ""),
        ("POST", "/admin/iam/command".to_owned(), command.as_str()), ("POST", "/admin/iam/key".to_owned(), r#"{"user":"other"}"#),
    ];
    table.map(|(method, target, body)| Request::new(method, &target, body)).to_vec()
}
