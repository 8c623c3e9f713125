//! What S3 cannot know of a version, kept in the object's metadata, so that it comes back with an import.

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde::de::DeserializeOwned;

use super::Entry;
use crate::s3::Object;

const MD5: &str = "tidelock-md5";
const WRITTEN_MS: &str = "tidelock-written-ms";
const VERSION: &str = "tidelock-version";
const WRITER: &str = "tidelock-writer";
const LOCK: &str = "tidelock-lock";

/// S3 takes 2 KB of metadata in all.
const PERSON_BYTES_MAX: usize = 1_600;

/// The headers of an exported version.
pub fn headers(entry: &Entry) -> Vec<(&'static str, String)> {
    let mut headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-amz-meta-tidelock-written-ms", entry.written_ms.to_string()),
    ];
    let version = Some(entry.version).filter(|version| *version > 0);
    headers.extend(version.map(|version| ("x-amz-meta-tidelock-version", version.to_string())));
    headers.extend(entry.md5.clone().map(|md5| ("x-amz-meta-tidelock-md5", md5)));
    let json = |text: Result<String, _>| {
        let text = text.unwrap_or_default();
        utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
    };
    let writer = entry
        .writer
        .as_ref()
        .map(|writer| json(serde_json::to_string(writer)));
    let lock = entry.lock.as_ref().map(|lock| json(serde_json::to_string(lock)));
    let persons = [
        ("x-amz-meta-tidelock-writer", writer),
        ("x-amz-meta-tidelock-lock", lock),
    ];
    let mut room = PERSON_BYTES_MAX;
    for (name, text) in persons {
        if let Some(text) = text.filter(|text| text.len() <= room) {
            room -= text.len();
            headers.push((name, text));
        }
    }
    headers
}

/// The MD5 of an object's bytes, as it was when the object was exported.
pub fn md5(object: &Object) -> Option<&str> {
    object.metadata(MD5)
}

/// Puts what the metadata knows into `entry`.
pub fn read(object: &Object, entry: &mut Entry) {
    let number = |name| object.metadata(name).and_then(|text| text.parse().ok());
    entry.written_ms = number(WRITTEN_MS).unwrap_or(entry.written_ms);
    entry.version = number(VERSION)
        .and_then(|version| version.try_into().ok())
        .unwrap_or(entry.version);
    entry.writer = json(object, WRITER);
    entry.lock = json(object, LOCK);
}

fn json<T: DeserializeOwned>(object: &Object, name: &str) -> Option<T> {
    let text = percent_decode_str(object.metadata(name)?).decode_utf8().ok()?;
    serde_json::from_str(&text).ok()
}
