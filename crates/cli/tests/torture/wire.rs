//! What a client says and hears, in the words of each door.

use tidelock_testkit::{BUCKET, Request, Response, Rng, TABLE, etag, state_document};

use crate::history::{Answer, Call, Facet, Head, LockNumber, Reason, Right};

/// A state whose parts are there already, so that its completion is the write.
pub(crate) struct Upload {
    pub(crate) number: u64,
    pub(crate) target: String,
    pub(crate) parts: String,
}

/// The request; `upload` is the completion of a state whose parts are there already.
pub(crate) fn request(address: usize, call: &Call, door: Facet, upload: Option<&Upload>) -> Request {
    match (door, call) {
        (_, Call::Acquire { id, .. }) => acquire(door, address, *id),
        (_, Call::Release { id, .. }) => release(door, address, *id),
        (Facet::File, Call::Look { .. }) => Request::new("GET", &lock_file(address), ""),
        (Facet::Table, Call::Look { .. }) => {
            let get =
                serde_json::json!({"TableName": TABLE, "Key": item_key(address), "ConsistentRead": true});
            Request::dynamodb("GetItem", get.to_string())
        }
        (Facet::Http | Facet::Operator, Call::Look { .. }) => panic!("no look at the lock through {door:?}"),
        (_, Call::Status) => Request::new("GET", &admin_path("locks", address), ""),
        (Facet::Http, Call::Read) => Request::new("GET", &state_path(address), ""),
        (_, Call::Read) => Request::new("GET", &object_path(address), ""),
        (Facet::Http, Call::Delete) => Request::new("DELETE", &state_path(address), ""),
        (_, Call::Delete) => Request::new("DELETE", &object_path(address), ""),
        (_, Call::Write { head, right }) => match right {
            Right::Caller => Request::new("PUT", &object_path(address), state(address, *head)),
            Right::Upload(number) => {
                let upload = upload.filter(|upload| upload.number == *number);
                let upload = upload.expect("its parts were sent before");
                Request::new("POST", &upload.target, upload.parts.as_str())
            }
            Right::Lock(id) => {
                let id = id.map(|id| format!("?ID={}", uuid(id))).unwrap_or_default();
                Request::new("POST", &(state_path(address) + &id), state(address, *head))
            }
        },
    }
}

fn acquire(door: Facet, address: usize, id: LockNumber) -> Request {
    let info = lock_info(address, id);
    match door {
        Facet::File => Request::new("PUT", &lock_file(address), info).header("if-none-match", "*"),
        Facet::Table => {
            let mut item = item_key(address);
            item["Info"] = serde_json::json!({"S": info});
            let put = serde_json::json!({
                "TableName": TABLE, "Item": item, "ConditionExpression": "attribute_not_exists(LockID)",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            });
            Request::dynamodb("PutItem", put.to_string())
        }
        Facet::Http => Request::new("LOCK", &state_path(address), info),
        Facet::Operator => panic!("operators freeze"),
    }
}

/// Without an ID as Terraform does it at the s3 door, with one under a condition.
fn release(door: Facet, address: usize, id: Option<LockNumber>) -> Request {
    if door == Facet::Operator {
        let id = serde_json::json!({"id": id.map(uuid)});
        return Request::new("POST", &admin_path("unlock", address), id.to_string());
    }
    let info = id.map(|id| lock_info(address, id));
    match (door, info) {
        (Facet::File, None) => Request::new("DELETE", &lock_file(address), ""),
        (Facet::File, Some(info)) => {
            let etag = etag(info.as_bytes());
            Request::new("DELETE", &lock_file(address), "").header("if-match", &etag)
        }
        (Facet::Table, info) => {
            let mut delete = serde_json::json!({"TableName": TABLE, "Key": item_key(address)});
            if let Some(info) = info {
                delete["ConditionExpression"] = "Info = :info".into();
                delete["ExpressionAttributeValues"] = serde_json::json!({":info": {"S": info}});
            }
            Request::dynamodb("DeleteItem", delete.to_string())
        }
        (Facet::Http | Facet::Operator, info) => {
            Request::new("UNLOCK", &state_path(address), info.unwrap_or_default())
        }
    }
}

/// What the response says; everything that no document names is wrong.
pub(crate) fn answer(call: &Call, door: Facet, address: usize, response: &Response) -> Answer {
    let code = response.code();
    let said = match (call, response.status, code.as_str()) {
        (Call::Acquire { .. }, 200, _) => Some(Answer::Granted),
        (Call::Acquire { .. }, 412, "PreconditionFailed") => refused_in_words(response),
        (Call::Acquire { .. }, 400, "ConditionalCheckFailedException") => refused(info_of_item(response)),
        (Call::Acquire { .. } | Call::Release { .. }, 423, _) if door == Facet::Http => {
            refused(response.text())
        }
        (Call::Release { .. }, 200 | 204, _) => Some(Answer::Released),
        (Call::Release { id: Some(_), .. }, 412, "PreconditionFailed")
        | (Call::Release { id: Some(_), .. }, 404, "NoSuchKey")
        | (Call::Release { id: Some(_), .. }, 400, "ConditionalCheckFailedException") => {
            Some(Answer::NotHeld)
        }
        (Call::Release { .. }, 404 | 409, _) if door == Facet::Operator => Some(Answer::NotHeld),
        (Call::Status, 200, _) => status(&response.json()),
        (Call::Look { .. }, 404, "NoSuchKey") => Some(Answer::Shown { holder: None }),
        (Call::Look { .. }, 200, _) if door == Facet::File => shown(response.text()),
        (Call::Look { .. }, 200, _) if response.json()["Item"].is_null() => {
            Some(Answer::Shown { holder: None })
        }
        (Call::Look { .. }, 200, _) => shown(info_of_item(response)),
        (Call::Write { .. }, 200, _) => Some(Answer::Written),
        (Call::Write { .. }, 404, "NoSuchUpload") => Some(Answer::Gone),
        (Call::Delete, 200 | 204, _) => Some(Answer::Deleted),
        (Call::Write { .. } | Call::Delete, 423, "StateLocked") => {
            let holder = named(response);
            write_refused(Reason::Locked { holder })
        }
        (Call::Write { .. } | Call::Delete, 423, "") => {
            let holder = lock_number(&response.text());
            write_refused(Reason::Locked { holder })
        }
        (Call::Write { .. } | Call::Delete, 409, "StateFenced") => write_refused(Reason::Fenced),
        (Call::Write { .. }, 409, "StateNotAdvancing") => write_refused(Reason::NotAdvancing),
        (Call::Write { .. } | Call::Delete, 409, "") => write_refused(Reason::Conflict),
        (Call::Read, 404, _) => Some(Answer::State { head: None }),
        (Call::Read, 200, _) => {
            head(address, &response.text()).map(|head| Answer::State { head: Some(head) })
        }
        _ => None,
    };
    said.unwrap_or_else(|| Answer::Wrong {
        text: format!("{} {:.500}", response.status, response.text()),
    })
}

/// S3 names the holder in the sentence that Terraform shows.
fn refused_in_words(response: &Response) -> Option<Answer> {
    let holder = Some(named(response)?);
    Some(Answer::Refused { holder })
}

fn named(response: &Response) -> Option<LockNumber> {
    let text = response.text();
    let id = text.split_once("force-unlock ")?.1.get(..36)?;
    number_of(id)
}

fn refused(info: String) -> Option<Answer> {
    let holder = Some(lock_number(&info)?);
    Some(Answer::Refused { holder })
}

fn shown(info: String) -> Option<Answer> {
    let holder = Some(lock_number(&info)?);
    Some(Answer::Shown { holder })
}

fn status(status: &serde_json::Value) -> Option<Answer> {
    let holder = match status["locks"].as_array()?.as_slice() {
        [] => None,
        [lock] => Some(number_of(lock["id"].as_str()?)?),
        _ => return None,
    };
    let fence = status["fence"].as_u64()?;
    Some(Answer::Status { fence, holder })
}

fn write_refused(reason: Reason) -> Option<Answer> {
    Some(Answer::WriteRefused { reason })
}

fn info_of_item(response: &Response) -> String {
    response.json()["Item"]["Info"]["S"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn lock_file(address: usize) -> String {
    object_path(address) + ".tflock"
}

pub(crate) fn object_path(address: usize) -> String {
    format!("/{BUCKET}/torture/{address}.tfstate")
}

/// A path of the admin door.
pub(crate) fn admin_path(what: &str, address: usize) -> String {
    format!("/admin/{what}{}", object_path(address))
}

fn state_path(address: usize) -> String {
    format!("/state/{BUCKET}/torture/{address}.tfstate")
}

fn item_key(address: usize) -> serde_json::Value {
    serde_json::json!({"LockID": {"S": format!("{BUCKET}/torture/{address}.tfstate")}})
}

/// A lock info as Terraform writes it.
fn lock_info(address: usize, id: LockNumber) -> String {
    format!(
        r#"{{"ID":"{}","Operation":"OperationTypeApply","Info":"","Who":"torture","Version":"1.11.4","Created":"2026-11-21T09:00:00Z","Path":"{BUCKET}/torture/{address}.tfstate"}}"#,
        uuid(id)
    )
}

/// The lock's number, if this is its info to the byte or close enough for a door that shows another's.
fn lock_number(info: &str) -> Option<LockNumber> {
    let info: serde_json::Value = serde_json::from_str(info).ok()?;
    number_of(info["ID"].as_str()?)
}

fn number_of(id: &str) -> Option<LockNumber> {
    let number = LockNumber::from_str_radix(id.rsplit('-').next()?, 16).ok()?;
    (uuid(number) == id).then_some(number)
}

fn uuid(id: LockNumber) -> String {
    format!("00000000-0000-4000-8000-{id:012x}")
}

/// The state with this serial and content.
pub(crate) fn state(address: usize, head: Head) -> String {
    let lineage = format!("00000000-0000-4000-9000-{address:012x}");
    let mut padding = format!("{:x} ", head.content);
    padding += &Rng::new(head.content).text(head.content as usize % 3_000);
    state_document(head.serial, &lineage, &padding)
}

/// Serial and content of a state, if it is one that was written, byte for byte.
fn head(address: usize, text: &str) -> Option<Head> {
    let document: serde_json::Value = serde_json::from_str(text).ok()?;
    let padding = document["outputs"]["padding"]["value"].as_str()?;
    let head = Head {
        serial: document["serial"].as_u64()?,
        content: u64::from_str_radix(padding.split(' ').next()?, 16).ok()?,
    };
    (state(address, head) == text).then_some(head)
}
