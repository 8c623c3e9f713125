//! Signs requests with the `aws-sigv4` crate, for keys and a time that every test here shares.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use http::Request;
use http::request::Parts;
use tidelock_core::Time;
use tidelock_doors::aws_common::error::AuthError;
use tidelock_doors::aws_common::keys::{Key, Keyring};
use tidelock_doors::aws_common::sigv4::{Claim, Verified};
use tidelock_service::Credential;

pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const TEMPORARY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
pub(crate) const TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLE+token==";
/// SHA-256 of nothing.
pub(crate) const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// 2013-05-24T00:00:00Z, the moment of AWS's S3 examples.
pub(crate) const NOW: Time = Time(1_369_353_600_000);
pub(crate) const TOKEN_END: Time = Time(NOW.0 + 60_000);

pub(crate) fn keyring() -> Keyring {
    let credential = |id: &str| {
        let arn = format!("arn:aws:iam::123456789012:user/{id}");
        Credential::of_operator(id.into(), SECRET.into(), arn, "123456789012".into())
    };
    let temporary = Credential {
        token: Some(TOKEN.to_owned().into()),
        expires: Some(TOKEN_END),
        ..credential(TEMPORARY_ID)
    };
    Keyring::new([Key::from(credential(ID)), Key::from(temporary)])
}

pub(crate) fn verify_at(parts: &Parts, now: Time) -> Result<Verified, AuthError> {
    Claim::read(parts, &keyring(), "s3", now)?.verify(None)
}

pub(crate) fn verify(parts: &Parts) -> Result<Verified, AuthError> {
    verify_at(parts, NOW)
}

/// How a request is to be signed.
pub(crate) struct Signer<'a> {
    pub(crate) id: &'a str,
    pub(crate) token: Option<&'a str>,
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) presigned_seconds: Option<u64>,
    pub(crate) body: SignableBody<'a>,
}

impl Default for Signer<'_> {
    fn default() -> Self {
        Self {
            id: ID,
            token: None,
            service: "s3",
            region: "eu-central-1",
            presigned_seconds: None,
            body: SignableBody::Bytes(b""),
        }
    }
}

impl Signer<'_> {
    fn settings(&self) -> SigningSettings {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            if self.presigned_seconds.is_none() {
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
            }
        }
        if let Some(seconds) = self.presigned_seconds {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(seconds));
        }
        settings
    }

    /// The signed request as it comes off the wire: an origin-form target, and all headers.
    pub(crate) fn sign(self, request: http::request::Builder) -> Parts {
        self.sign_with_signature(request).0
    }

    pub(crate) fn sign_with_signature(self, request: http::request::Builder) -> (Parts, String) {
        let token = self.token.map(str::to_owned);
        let identity = Credentials::new(self.id, SECRET, token, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_millis(NOW.0 as u64))
            .settings(self.settings())
            .build()
            .unwrap()
            .into();
        let mut request: Request<()> = request.body(()).unwrap();
        let headers = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let signable = SignableRequest::new(
            request.method().as_str(),
            request.uri().to_string(),
            headers,
            self.body,
        )
        .unwrap();
        let (instructions, signature) = sign(signable, &params).unwrap().into_parts();
        instructions.apply_to_request_http1x(&mut request);
        (origin_form(request), signature)
    }
}

fn origin_form(request: Request<()>) -> Parts {
    let (mut parts, ()) = request.into_parts();
    let authority = parts.uri.authority().unwrap().as_str().parse().unwrap();
    parts.headers.entry("host").or_insert(authority);
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    parts
}
