//! The two ids that S3 gives every answer, so that a user can point at one in a log.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// How many random bytes the ids of one answer are made of.
pub const RANDOM_BYTES: usize = 8 + 48;

/// `x-amz-request-id` and `x-amz-id-2`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestIds {
    /// Sixteen upper-case hexadecimal digits.
    pub request_id: String,
    /// Sixty-four characters of base64.
    pub id_2: String,
}

impl RequestIds {
    /// The ids that these bytes make.
    pub fn from_random(random: [u8; RANDOM_BYTES]) -> Self {
        let (first, second) = random.split_at(8);
        Self {
            request_id: hex::encode_upper(first),
            id_2: STANDARD.encode(second),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_shape_of_aws() {
        let ids = RequestIds::from_random([0xAB; RANDOM_BYTES]);
        assert_eq!(ids.request_id, "ABABABABABABABAB");
        assert_eq!(ids.id_2.len(), 64);
        assert!(
            ids.id_2
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        );
    }
}
