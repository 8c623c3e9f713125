//! Signatures (SigV4) over what goes on the wire, by AWS's own signer, at the time that the server's clock shows.

use std::time::{Duration, SystemTime};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request};

use super::credentials::Credentials;

/// Signs for one service in one region.
#[derive(Debug)]
pub(crate) struct Signer {
    pub(crate) service: &'static str,
    pub(crate) region: String,
}

impl Signer {
    /// Adds the headers of the signature. `ahead_ms` is what the server's clock is ahead of this machine's.
    pub(crate) fn sign(
        &self,
        request: &mut Request<Bytes>,
        credentials: &Credentials,
        ahead_ms: i64,
    ) -> Result<(), String> {
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        let identity = credentials.for_signer().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name(self.service)
            .time(corrected(SystemTime::now(), ahead_ms))
            .settings(settings)
            .build()
            .expect("every parameter is set")
            .into();
        let headers = request.headers().iter();
        let headers = headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let (method, uri) = (request.method().as_str(), request.uri().to_string());
        // A body that ends with a checksum is signed without itself.
        let body = match request.headers().contains_key("x-amz-trailer") {
            true => SignableBody::StreamingUnsignedPayloadTrailer,
            false => SignableBody::Bytes(request.body()),
        };
        let signable = SignableRequest::new(method, &uri, headers, body).map_err(|why| why.to_string())?;
        let (instructions, _) = sign(signable, &params)
            .map_err(|why| why.to_string())?
            .into_parts();
        for (name, value) in instructions.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|why| why.to_string())?;
            let mut value = HeaderValue::from_str(value).map_err(|why| why.to_string())?;
            value.set_sensitive(name == "authorization" || name == "x-amz-security-token");
            request.headers_mut().insert(name, value);
        }
        Ok(())
    }
}

fn corrected(now: SystemTime, ahead_ms: i64) -> SystemTime {
    let by = Duration::from_millis(ahead_ms.unsigned_abs());
    match ahead_ms < 0 {
        true => now.checked_sub(by).unwrap_or(now),
        false => now + by,
    }
}
