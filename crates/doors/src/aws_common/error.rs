//! Why a request or its body was refused, and how each family of AWS services says so.
//! S3's codes and messages: "Error responses", Amazon S3 API reference; the others': "Common Errors" of each API reference.

use http::StatusCode;
use tidelock_core::Time;
use tidelock_core::limits::CLOCK_SKEW_MS_MAX;

use super::time::{amz, iso};

/// An error as AWS words it; the door puts it into its own form (XML, JSON).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// HTTP status.
    pub status: StatusCode,
    /// `Code` in XML, `__type` in JSON.
    pub code: &'static str,
    /// The message, shown to users.
    pub message: String,
    /// Further elements of S3's error document, in order.
    pub details: Vec<(&'static str, String)>,
}

impl AwsError {
    /// An error without further elements.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// The same with one more element.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.details.push((name, value.into()));
        self
    }
}

/// Where a claim was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The `Authorization` header.
    Header,
    /// The query of a presigned URL.
    Query,
}

/// Why a request is not authenticated. Nothing in it is secret: it repeats what the client sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// No signature at all.
    #[error("the request is not signed")]
    MissingAuthentication,
    /// Signature Version 2, SigV4A, basic or bearer.
    #[error("the request is not signed with AWS4-HMAC-SHA256")]
    UnsupportedMechanism,
    /// Header and query both carry a signature.
    #[error("the request carries more than one signature")]
    SeveralMechanisms,
    /// The claim cannot be read.
    #[error("the signature cannot be read: {problem}")]
    Malformed {
        /// Where it stands.
        place: Place,
        /// In AWS's words.
        problem: String,
    },
    /// The scope names another service than the one that was called.
    #[error("the signature is for service {stated}, not {expected}")]
    WrongService {
        /// Where it stands.
        place: Place,
        /// The service of the scope.
        stated: String,
        /// The service that was called.
        expected: &'static str,
    },
    /// The scope names another day than the request's date.
    #[error("the credential is for day {stated}, the request is of {date}")]
    WrongDay {
        /// Where it stands.
        place: Place,
        /// The day of the scope.
        stated: String,
        /// The request's date.
        date: String,
    },
    /// Neither `x-amz-date` nor `Date` can be read.
    #[error("the request has no valid date")]
    MissingDate,
    /// Headers that must be signed are not.
    #[error("headers not signed: {}", .0.join(", "))]
    HeadersNotSigned(Vec<String>),
    /// Nobody has this key.
    #[error("access key id {0} is not known")]
    UnknownAccessKey(String),
    /// The signature is not the one that the key's secret makes.
    #[error("the signature of access key id {access_key_id} does not match")]
    SignatureMismatch {
        /// Whose secret was tried.
        access_key_id: String,
        /// What we would have signed.
        string_to_sign: String,
        /// What came, in hexadecimal.
        provided: String,
    },
    /// The client's clock is off.
    #[error("the request is of {}, which is too far from {}", amz(*date), amz(*server))]
    Skewed {
        /// The request's time.
        date: Time,
        /// Ours.
        server: Time,
    },
    /// A presigned URL came after its end.
    #[error("the presigned URL ended at {}", iso(*end))]
    PresignedExpired {
        /// `X-Amz-Expires`, in seconds.
        expires: i64,
        /// When it ended.
        end: Time,
        /// Our time.
        server: Time,
    },
    /// A presigned URL came before its beginning.
    #[error("the presigned URL begins later")]
    PresignedTooEarly,
    /// The session token is missing, not wanted or another.
    #[error("the session token is not the one of access key id {0}")]
    InvalidToken(String),
    /// The session has ended.
    #[error("the session of access key id {0} has ended")]
    ExpiredToken(String),
    /// A signed S3 request must say what its payload is.
    #[error("x-amz-content-sha256 is missing")]
    MissingContentSha256,
    /// `x-amz-content-sha256` is none of the known forms.
    #[error("x-amz-content-sha256 cannot be read")]
    InvalidContentSha256,
}

const SIGNATURE_MISMATCH: &str = "signature we calculated does not match the signature you provided.";

impl AuthError {
    // tidy: table
    /// As S3 says it.
    pub fn s3(&self) -> AwsError {
        let bad = |code, message: &str| AwsError::new(StatusCode::BAD_REQUEST, code, message);
        let forbidden = |code, message: &str| AwsError::new(StatusCode::FORBIDDEN, code, message);
        match self {
            Self::MissingAuthentication => forbidden("AccessDenied", "Access Denied"),
            Self::UnsupportedMechanism => bad(
                "InvalidRequest",
                "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
            ),
            Self::SeveralMechanisms => bad(
                "InvalidArgument",
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string \
                 parameter or the Authorization header should be specified",
            ),
            Self::Malformed { place, problem } => s3_malformed(*place, problem),
            Self::WrongService {
                place,
                stated,
                expected,
            } => s3_malformed(
                *place,
                &in_credential(
                    *place,
                    &format!("incorrect service \"{stated}\". This endpoint belongs to \"{expected}\"."),
                ),
            ),
            Self::WrongDay { place, stated, date } => s3_malformed(
                *place,
                &format!(
                    "Invalid credential date \"{stated}\". This date is not the same as X-Amz-Date: \"{}\".",
                    date.get(..8).unwrap_or(date),
                ),
            ),
            Self::MissingDate => forbidden(
                "AccessDenied",
                "AWS authentication requires a valid Date or x-amz-date header",
            ),
            Self::HeadersNotSigned(names) => forbidden(
                "AccessDenied",
                "There were headers present in the request which were not signed",
            )
            .with("HeadersNotSigned", names.join(", ")),
            Self::UnknownAccessKey(id) => forbidden(
                "InvalidAccessKeyId",
                "The AWS Access Key Id you provided does not exist in our records.",
            )
            .with("AWSAccessKeyId", id),
            Self::SignatureMismatch {
                access_key_id,
                string_to_sign,
                provided,
            } => forbidden(
                "SignatureDoesNotMatch",
                &format!("The request {SIGNATURE_MISMATCH} Check your key and signing method."),
            )
            .with("AWSAccessKeyId", access_key_id)
            .with("StringToSign", string_to_sign)
            .with("SignatureProvided", provided),
            Self::Skewed { date, server } => forbidden(
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            )
            .with("RequestTime", amz(*date))
            .with("ServerTime", iso(*server))
            .with("MaxAllowedSkewMilliseconds", CLOCK_SKEW_MS_MAX.to_string()),
            Self::PresignedExpired { expires, end, server } => {
                forbidden("AccessDenied", "Request has expired")
                    .with("X-Amz-Expires", expires.to_string())
                    .with("Expires", iso(*end))
                    .with("ServerTime", iso(*server))
            }
            Self::PresignedTooEarly => forbidden("AccessDenied", "Request is not yet valid"),
            Self::InvalidToken(_) => bad(
                "InvalidToken",
                "The provided token is malformed or otherwise invalid.",
            ),
            Self::ExpiredToken(_) => bad("ExpiredToken", "The provided token has expired."),
            Self::MissingContentSha256 => bad(
                "InvalidRequest",
                "Missing required header for this request: x-amz-content-sha256",
            ),
            Self::InvalidContentSha256 => bad(
                "InvalidArgument",
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
                 STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
            ),
        }
    }

    /// As the JSON services (DynamoDB, KMS) say it; every one of these is status 400.
    pub fn json(&self) -> AwsError {
        let common = self.common();
        let code = match common.name {
            Common::MissingToken => "MissingAuthenticationTokenException",
            Common::Incomplete => "IncompleteSignatureException",
            Common::UnknownClient => "UnrecognizedClientException",
            Common::Expired => "ExpiredTokenException",
            Common::Mismatch => "InvalidSignatureException",
        };
        AwsError::new(StatusCode::BAD_REQUEST, code, common.message)
    }

    /// As the query services (STS, IAM) say it.
    pub fn query(&self) -> AwsError {
        let common = self.common();
        let (status, code) = match common.name {
            Common::MissingToken => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            Common::Incomplete => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
            Common::UnknownClient => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            Common::Expired => (StatusCode::FORBIDDEN, "ExpiredToken"),
            Common::Mismatch => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
        };
        AwsError::new(status, code, common.message)
    }

    // tidy: table
    fn common(&self) -> CommonError {
        let of = |name, message: &str| CommonError {
            name,
            message: message.to_owned(),
        };
        let skew_minutes = CLOCK_SKEW_MS_MAX / 60_000;
        match self {
            Self::MissingAuthentication => {
                of(Common::MissingToken, "Request is missing Authentication Token")
            }
            Self::UnsupportedMechanism | Self::SeveralMechanisms | Self::Malformed { .. } => of(
                Common::Incomplete,
                &format!("Authorization is not a single AWS4-HMAC-SHA256 signature: {self}"),
            ),
            Self::MissingDate => of(
                Common::Incomplete,
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
            ),
            Self::WrongService { expected, .. } => of(
                Common::Mismatch,
                &format!("Credential should be scoped to correct service: '{expected}'. "),
            ),
            Self::WrongDay { stated, date, .. } => of(
                Common::Mismatch,
                &format!(
                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
                     '{stated}' != '{}', from '{date}'.",
                    date.get(..8).unwrap_or(date),
                ),
            ),
            Self::HeadersNotSigned(names) => of(
                Common::Mismatch,
                &format!(
                    "'{}' must be a 'SignedHeader' in the AWS Authorization.",
                    names.join("', '")
                ),
            ),
            Self::UnknownAccessKey(_) | Self::InvalidToken(_) => of(
                Common::UnknownClient,
                "The security token included in the request is invalid.",
            ),
            Self::ExpiredToken(_) => of(
                Common::Expired,
                "The security token included in the request is expired",
            ),
            Self::SignatureMismatch { .. } => of(
                Common::Mismatch,
                &format!(
                    "The request {SIGNATURE_MISMATCH} Check your AWS Secret Access Key and signing method. \
                     Consult the service documentation for details."
                ),
            ),
            Self::Skewed { date, server } if date < server => of(
                Common::Mismatch,
                &format!(
                    "Signature expired: {} is now earlier than {} ({} - {skew_minutes} min.)",
                    amz(*date),
                    amz(server.plus_ms(-CLOCK_SKEW_MS_MAX)),
                    amz(*server),
                ),
            ),
            Self::Skewed { date, server } => of(
                Common::Mismatch,
                &format!(
                    "Signature not yet current: {} is still later than {} ({} + {skew_minutes} min.)",
                    amz(*date),
                    amz(server.plus_ms(CLOCK_SKEW_MS_MAX)),
                    amz(*server),
                ),
            ),
            Self::PresignedExpired { end, server, .. } => of(
                Common::Mismatch,
                &format!(
                    "Signature expired: {} is now earlier than {}",
                    amz(*end),
                    amz(*server)
                ),
            ),
            Self::PresignedTooEarly => of(Common::Mismatch, "Signature not yet current"),
            Self::MissingContentSha256 | Self::InvalidContentSha256 => of(
                Common::Incomplete,
                "'X-Amz-Content-Sha256' must be the SHA-256 of the payload.",
            ),
        }
    }
}

/// The errors that all services but S3 share.
enum Common {
    MissingToken,
    Incomplete,
    UnknownClient,
    Expired,
    Mismatch,
}

struct CommonError {
    name: Common,
    message: String,
}

fn in_credential(place: Place, problem: &str) -> String {
    match place {
        Place::Header => problem.to_owned(),
        Place::Query => format!("Error parsing the X-Amz-Credential parameter; {problem}"),
    }
}

fn s3_malformed(place: Place, problem: &str) -> AwsError {
    let (code, message) = match place {
        Place::Header => (
            "AuthorizationHeaderMalformed",
            format!("The authorization header is malformed; {problem}"),
        ),
        Place::Query => ("AuthorizationQueryParametersError", problem.to_owned()),
    };
    AwsError::new(StatusCode::BAD_REQUEST, code, message)
}
