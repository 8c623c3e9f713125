//! Who asks, as far as the headers tell: the run token, the call that a retry repeats, basic authentication.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use tidelock_core::{
    Caller, Time,
    caller::{RUN_WORD, Session},
    limits::{ACCESS_KEY_ID_BYTES_MAX, INVOCATION_ID_BYTES_MAX, RUN_TOKEN_BYTES_MAX},
};
use tidelock_service::Credential;

use crate::{Peer, aws_common::keys::Keyring};

/// The caller of a signed request.
pub(crate) fn of(credential: &Credential, headers: &HeaderMap, peer: Peer) -> Caller {
    let agent = headers
        .get(header::USER_AGENT)
        .and_then(|agent| agent.to_str().ok());
    Caller {
        principal: credential.principal.arn.clone(),
        access_key_id: credential.access_key_id.clone(),
        source: peer.address.ip().to_string(),
        run_token: agent.and_then(run_token),
        session: session(credential),
    }
}

/// What callers are known by from session to session.
fn session(credential: &Credential) -> Option<Box<Session>> {
    let facts = credential.session.as_ref()?;
    Some(Box::new(Session {
        of: facts.of.clone(),
        issued: facts.issued,
        expires: credential.expires?,
    }))
}

/// The caller of a request with HTTP basic authentication, when the secret is that of the access key.
pub(crate) fn of_basic(
    keyring: &Keyring,
    headers: &HeaderMap,
    peer: Peer,
    now: Time,
) -> Option<(Caller, Arc<Credential>)> {
    let (user, secret) = basic(headers)?;
    let (access_key_id, token) = match user.split_once('+') {
        Some((id, token)) => (id, Some(stated_token(token)?)),
        None => (user.as_str(), None),
    };
    let key = keyring.check_basic(access_key_id, &secret, now)?;
    let credential = key.credential();
    let caller = Caller {
        principal: credential.principal.arn.clone(),
        access_key_id: credential.access_key_id.clone(),
        source: peer.address.ip().to_string(),
        run_token: token,
        session: None,
    };
    Some((caller, Arc::clone(credential)))
}

/// What the client's SDK names this call by: the same in every retry of it, another one in every other call.
pub(crate) fn invocation(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("amz-sdk-invocation-id")?.to_str().ok()?;
    (1..=INVOCATION_ID_BYTES_MAX)
        .contains(&id.len())
        .then(|| id.to_owned())
}

/// Products that AWS clients and Terraform name themselves; what stands behind the last of them was appended.
const CLIENT_PRODUCTS: [&str; 23] = [
    "APN",
    "HashiCorp",
    "Terraform",
    "OpenTofu",
    "aws-sdk-go",
    "aws-sdk-go-v2",
    "aws-cli",
    "Boto3",
    "Botocore",
    "botocore",
    "aws-sdk-rust",
    "aws-sdk-java",
    "ua",
    "os",
    "lang",
    "md",
    "api",
    "m",
    "cfg",
    "exec-env",
    "ft",
    "s3-transfer",
    "tidelock",
];

/// What makes one run different from another: the word of `tidelock run`, the SDK's `app/ID` (from
/// `AWS_SDK_UA_APP_ID`), and whatever `TF_APPEND_USER_AGENT` appended after the products that every client names.
/// In this order, because what is too long loses its end.
fn run_token(agent: &str) -> Option<String> {
    let words: Vec<&str> = agent.split_ascii_whitespace().collect();
    let is_comment = |word: &str| word.starts_with('(') || word.ends_with(')');
    let is_client = |word: &&str| is_comment(word) || CLIENT_PRODUCTS.contains(&product(word));
    let last_client = words.iter().rposition(is_client)?;
    let is_run = |word: &&&str| word.starts_with(RUN_WORD);
    let is_app = |word: &&&str| product(word) == "app";
    let runs = words.iter().filter(is_run);
    let apps = words.iter().filter(is_app);
    let appended = words[last_client + 1..]
        .iter()
        .filter(|word| !is_run(word) && !is_app(word));
    let token = runs.chain(apps).chain(appended).copied().collect::<Vec<_>>();
    bounded(&token.join(" "))
}

/// The run token that stands behind the access key in the user of basic authentication, percent-encoded because no
/// user has a colon. `None` when it is not the visible ASCII that a User-Agent could say as well.
fn stated_token(encoded: &str) -> Option<String> {
    let token = percent_decode_str(encoded).decode_utf8().ok()?;
    let is_text = token.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_text.then(|| bounded(&token)).flatten()
}

/// The token, cut where it is too long; `None` when nothing is there.
fn bounded(token: &str) -> Option<String> {
    let end = token.floor_char_boundary(RUN_TOKEN_BYTES_MAX);
    (!token.is_empty()).then(|| token[..end].to_owned())
}

fn product<'a>(word: &&'a str) -> &'a str {
    word.split('/').next().unwrap_or(word)
}

/// User and password of HTTP basic authentication.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD
        .decode(encoded.trim())
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    // Basic authentication that cannot be read is still no signature: it must not fall through to another door.
    let pair = decoded
        .as_deref()
        .and_then(|text| text.split_once(':'))
        .unwrap_or_default();
    Some((pair.0.to_owned(), pair.1.to_owned()))
}

/// The access key id that basic authentication names, proven or not. A password in the wrong field is none.
pub(crate) fn stated_user(headers: &HeaderMap) -> Option<String> {
    let (user, _) = basic(headers)?;
    let id = user.split('+').next().unwrap_or_default();
    let is_of_ids = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    (id.len() <= ACCESS_KEY_ID_BYTES_MAX && id.bytes().all(is_of_ids)).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws_common::keys::Key;

    const TERRAFORM: &str = "APN/1.0 HashiCorp/1.0 Terraform/1.11.4 (+https://www.terraform.io) aws-sdk-go-v2/1.32.4 ua/2.1 \
                             os/linux lang/go#1.23.3 md/GOOS#linux api/s3#1.66.3 m/g";

    #[test]
    fn a_client_that_appends_nothing_has_no_run_token() {
        assert_eq!(run_token(TERRAFORM), None);
        assert_eq!(
            run_token("aws-cli/1.45.11 md/Botocore#1.43.11 os/linux cfg/retry-mode#legacy botocore/1.43.11"),
            None
        );
        assert_eq!(run_token("Go-http-client/1.1"), None);
        let old = "APN/1.0 HashiCorp/1.0 Terraform/1.5.7 (+https://www.terraform.io) aws-sdk-go/1.44.122 (go1.20; linux; amd64)";
        assert_eq!(run_token(old), None);
    }

    #[test]
    fn what_was_appended_tells_runs_apart() {
        assert_eq!(
            run_token(&format!("{TERRAFORM} ci/job-17 attempt/2")).as_deref(),
            Some("ci/job-17 attempt/2")
        );
        assert_eq!(
            run_token(&format!("{TERRAFORM} app/job-17")).as_deref(),
            Some("app/job-17")
        );
        assert_eq!(
            run_token(&format!("{TERRAFORM} {}", "x".repeat(9_999))).map(|token| token.len()),
            Some(RUN_TOKEN_BYTES_MAX)
        );
    }

    #[test]
    fn the_word_of_a_run_comes_first_so_that_a_long_token_keeps_it() {
        let (run, long) = ("tidelock-run/0123456789abcdef", "x".repeat(300));
        let token = run_token(&format!("{TERRAFORM} app/team {long} {run}")).unwrap();
        assert!(token.starts_with(&format!("{run} app/team xxx")), "{token}");
        assert_eq!(token.len(), RUN_TOKEN_BYTES_MAX);
    }

    #[test]
    fn the_user_of_basic_authentication_may_carry_a_run_token() {
        let key = Key::of_operator("AKID".into(), "s3cret".into(), "arn".into(), "0".into());
        let ring = Keyring::new([key]);
        let peer = Peer {
            address: ([127, 0, 0, 1], 9).into(),
            secure: false,
        };
        let token_of = |user: &str| {
            let value = format!("Basic {}", STANDARD.encode(format!("{user}:s3cret")));
            let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
            of_basic(&ring, &headers, peer, Time(0)).map(|(caller, _)| caller.run_token)
        };
        assert_eq!(token_of("AKID"), Some(None));
        let run = "tidelock-run/0123456789abcdef";
        assert_eq!(token_of(&format!("AKID+{run}")), Some(Some(run.to_owned())));
        let link = format!("{run} https://ci.example/17?a+b");
        let encoded = link.replace(' ', "%20").replace(':', "%3A");
        assert_eq!(token_of(&format!("AKID+{encoded}")), Some(Some(link)));
        let long = token_of(&format!("AKID+{}", "x".repeat(999))).unwrap().unwrap();
        assert_eq!(long.len(), RUN_TOKEN_BYTES_MAX);
        for user in [
            "AKID+",
            "AKID+%0a",
            "AKID+%ff",
            "AKID+caf\u{e9}",
            "OTHER+x",
            "+AKID",
        ] {
            assert_eq!(token_of(user), None, "{user}");
        }
    }

    #[test]
    fn basic_authentication_is_read_or_known_to_be_unreadable() {
        let pair = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            basic(&headers)
        };
        assert_eq!(
            pair("Basic YWxpY2U6czpjcmV0"),
            Some(("alice".to_owned(), "s:cret".to_owned()))
        );
        assert_eq!(pair("Basic !!"), Some((String::new(), String::new())));
        assert_eq!(pair("AWS4-HMAC-SHA256 Credential=x"), None);
    }
}
