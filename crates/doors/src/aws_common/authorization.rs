//! Strict parsing of the two places that carry a signature: the `Authorization` header and a presigned query.
//! Shapes: "Authenticating Requests: Using the Authorization Header / Using Query Parameters", Amazon S3 API reference.

use http::header::{AUTHORIZATION, HeaderMap};
use http::request::Parts;
use percent_encoding::percent_decode_str;
use tidelock_core::limits::{
    ACCESS_KEY_ID_BYTES_MAX, AUTHORIZATION_BYTES_MAX, SCOPE_NAME_BYTES_MAX, SIGNED_HEADERS_MAX,
};

use super::error::{AuthError, Place};

/// The one algorithm that is taken.
pub(crate) const ALGORITHM: &str = "AWS4-HMAC-SHA256";

const CREDENTIAL_SHAPE: &str =
    "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\".";
const THREE_COMPONENTS: &str =
    "the authorization header requires three components: Credential, SignedHeaders, and Signature.";
const SIX_PARAMETERS: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
     X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";

/// `AKID/20130524/us-east-1/s3/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// `yyyyMMdd`, in UTC.
    pub day: String,
    /// Any region.
    pub region: String,
    /// The service in lower case, such as `s3`, `dynamodb`, `sts`.
    pub service: String,
}

impl Credential {
    fn parse(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or_else(|| CREDENTIAL_SHAPE.to_owned());
        let [access_key_id, day, region, service, terminal] = [part()?, part()?, part()?, part()?, part()?];
        let well_formed = parts.next().is_none()
            && is_name(access_key_id, ACCESS_KEY_ID_BYTES_MAX)
            && day.len() == 8
            && day.bytes().all(|byte| byte.is_ascii_digit())
            && is_name(region, SCOPE_NAME_BYTES_MAX)
            && is_name(service, SCOPE_NAME_BYTES_MAX)
            && is_name(terminal, SCOPE_NAME_BYTES_MAX);
        if !well_formed {
            return Err(CREDENTIAL_SHAPE.to_owned());
        }
        if terminal != "aws4_request" {
            return Err(format!(
                "incorrect terminal \"{terminal}\". This endpoint uses \"aws4_request\"."
            ));
        }
        let [access_key_id, day, region, service] = [access_key_id, day, region, service].map(str::to_owned);
        Ok(Self {
            access_key_id,
            day,
            region,
            service,
        })
    }

    /// What a string to sign calls the scope: `20130524/us-east-1/s3/aws4_request`.
    pub(crate) fn scope(&self) -> String {
        format!("{}/{}/{}/aws4_request", self.day, self.region, self.service)
    }
}

fn is_name(text: &str, max_bytes: usize) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !text.is_empty() && text.len() <= max_bytes && text.bytes().all(allowed)
}

/// What a client claims: who signed, over which headers, with which result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Who, and for which scope.
    pub credential: Credential,
    /// Lower-case names in ascending order, each once.
    pub signed_headers: Vec<String>,
    /// The signature.
    pub signature: [u8; 32],
}

impl Authorization {
    /// Reads the value of an `Authorization` header:
    /// `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`, the three in any order.
    ///
    /// # Errors
    /// [`AuthError::UnsupportedMechanism`] for any other scheme, [`AuthError::Malformed`] for any other shape.
    pub fn parse_header(value: &[u8]) -> Result<Self, AuthError> {
        let malformed = |problem: String| AuthError::Malformed {
            place: Place::Header,
            problem,
        };
        let text = std::str::from_utf8(value)
            .ok()
            .filter(|text| text.len() <= AUTHORIZATION_BYTES_MAX);
        let text = text.ok_or_else(|| malformed(THREE_COMPONENTS.to_owned()))?;
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        if scheme != ALGORITHM {
            return Err(AuthError::UnsupportedMechanism);
        }
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for field in rest.split(',') {
            let (name, value) = field.trim().split_once('=').unwrap_or_default();
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed(THREE_COMPONENTS.to_owned())),
            };
            if slot.replace(value).is_some() {
                return Err(malformed(THREE_COMPONENTS.to_owned()));
            }
        }
        match (credential, signed_headers, signature) {
            (Some(credential), Some(signed_headers), Some(signature)) => Credential::parse(credential)
                .and_then(|credential| Self::from_fields(credential, signed_headers, signature))
                .map_err(malformed),
            _ => Err(malformed(THREE_COMPONENTS.to_owned())),
        }
    }

    fn from_fields(credential: Credential, signed_headers: &str, signature: &str) -> Result<Self, String> {
        Ok(Self {
            credential,
            signed_headers: parse_signed_headers(signed_headers)?,
            signature: parse_signature(signature)
                .ok_or("the Signature must be 64 lower-case hexadecimal digits.")?,
        })
    }
}

fn parse_signed_headers(text: &str) -> Result<Vec<String>, String> {
    let names: Vec<String> = text
        .split(';')
        .take(SIGNED_HEADERS_MAX + 1)
        .map(str::to_owned)
        .collect();
    let is_token = |name: &String| {
        let allowed = |byte: u8| byte.is_ascii_graphic() && !byte.is_ascii_uppercase() && byte != b',';
        !name.is_empty() && name.bytes().all(allowed)
    };
    let ascending = names.windows(2).all(|pair| pair[0] < pair[1]);
    if names.len() > SIGNED_HEADERS_MAX || !names.iter().all(is_token) || !ascending {
        return Err(
            "SignedHeaders must be lower-case header names, sorted and separated by semicolons.".to_owned(),
        );
    }
    Ok(names)
}

/// Sixty-four lower-case hexadecimal digits.
pub(crate) fn parse_signature(text: &str) -> Option<[u8; 32]> {
    let mut signature = [0; 32];
    let lower_case = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (lower_case && hex::decode_to_slice(text, &mut signature).is_ok()).then_some(signature)
}

/// What a presigned query adds to the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Presigned {
    pub(crate) authorization: Authorization,
    pub(crate) date: String,
    pub(crate) expires: String,
    pub(crate) token: Option<String>,
    pub(crate) content_sha256: Option<String>,
}

/// The query as pairs of decoded names and values, in the order sent. A plus sign is a space, as S3 reads it.
pub(crate) fn query_pairs(query: &str) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let decode = |text: &str| -> Vec<u8> { percent_decode_str(&text.replace('+', " ")).collect() };
    query.split('&').filter(|pair| !pair.is_empty()).map(move |pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(name), decode(value))
    })
}

impl Presigned {
    /// Reads the six `X-Amz-` parameters of a presigned query.
    pub(crate) fn parse(query: &str) -> Result<Self, AuthError> {
        let malformed = |problem: &str| AuthError::Malformed {
            place: Place::Query,
            problem: problem.to_owned(),
        };
        let [
            mut algorithm,
            mut credential,
            mut signature,
            mut date,
            mut signed,
            mut expires,
        ] = [const { None }; 6];
        let [mut token, mut content_sha256] = [const { None }; 2];
        for (name, value) in query_pairs(query) {
            let slot = match name.as_slice() {
                b"X-Amz-Algorithm" => &mut algorithm,
                b"X-Amz-Credential" => &mut credential,
                b"X-Amz-Signature" => &mut signature,
                b"X-Amz-Date" => &mut date,
                b"X-Amz-SignedHeaders" => &mut signed,
                b"X-Amz-Expires" => &mut expires,
                b"X-Amz-Security-Token" => &mut token,
                b"X-Amz-Content-Sha256" => &mut content_sha256,
                _ => continue,
            };
            let value = String::from_utf8(value)
                .ok()
                .filter(|value| value.len() <= AUTHORIZATION_BYTES_MAX);
            if slot
                .replace(value.ok_or_else(|| malformed(SIX_PARAMETERS))?)
                .is_some()
            {
                return Err(malformed(SIX_PARAMETERS));
            }
        }
        let (Some(algorithm), Some(credential), Some(signature), Some(date), Some(signed), Some(expires)) =
            (algorithm, credential, signature, date, signed, expires)
        else {
            return Err(malformed(SIX_PARAMETERS));
        };
        if algorithm != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\""));
        }
        let credential = Credential::parse(&credential).map_err(|problem| {
            malformed(&format!(
                "Error parsing the X-Amz-Credential parameter; {problem}"
            ))
        })?;
        let authorization = Authorization::from_fields(credential, &signed, &signature)
            .map_err(|problem| malformed(&problem))?;
        Ok(Self {
            authorization,
            date,
            expires,
            token,
            content_sha256,
        })
    }
}

/// Where a request carries its signature.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stated<'a> {
    Header(&'a [u8]),
    Query(&'a str),
}

/// Finds the one signature of a request.
///
/// # Errors
/// For none, for two, and for the query form of Signature Version 2.
pub(crate) fn find(parts: &Parts) -> Result<Stated<'_>, AuthError> {
    let query = parts.uri.query().unwrap_or_default();
    let has = |wanted: &[u8]| query_pairs(query).any(|(name, _)| name == wanted);
    let version_4 = has(b"X-Amz-Algorithm") || has(b"X-Amz-Signature") || has(b"X-Amz-Credential");
    let version_2 = has(b"AWSAccessKeyId") && has(b"Signature");
    let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
    match (headers.next(), headers.next(), version_4 || version_2) {
        (None, _, false) => Err(AuthError::MissingAuthentication),
        (Some(header), None, false) => Ok(Stated::Header(header.as_bytes())),
        (None, _, true) if version_2 && !version_4 => Err(AuthError::UnsupportedMechanism),
        (None, _, true) => Ok(Stated::Query(query)),
        (Some(_), _, _) => Err(AuthError::SeveralMechanisms),
    }
}

/// Who a request says it is signed by, and for which service. It is only a claim until the signature is verified.
pub fn stated_credential(parts: &Parts) -> Option<Credential> {
    let authorization = match find(parts).ok()? {
        Stated::Header(value) => Authorization::parse_header(value).ok()?,
        Stated::Query(query) => Presigned::parse(query).ok()?.authorization,
    };
    Some(authorization.credential)
}

/// The one value of a header: none if it is absent, repeated or not text.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}
