//! What every AWS door shares: who signed a request, what its body really is, and the ids of the answer.
//!
//! A door reads the claim out of the headers ([`sigv4::Claim::read`]), verifies it ([`sigv4::Claim::verify`]) and only then
//! takes the body ([`payload::read`]). A JSON or query door, whose clients state no payload hash, collects its
//! body ([`payload::collect`]) between the two. There is no way to an [`sigv4::Identity`] without a valid signature.

pub mod authorization;
mod canonical;
pub mod checksum;
mod chunked;
pub mod error;
pub mod kept_checksums;
pub mod keys;
pub mod payload;
pub mod request_id;
pub mod sigv4;
pub mod time;
