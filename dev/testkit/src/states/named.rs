//! The names and IDs in an instance's attributes: some its own, some shared with the rest of its service.

use serde_json::{Value, json};

use super::layout::{Index, Key};
use crate::Rng;

pub(super) const ACCOUNT: &str = "418272790583";
pub(super) const REGION: &str = "eu-central-1";
pub(super) const ZONES: &[&str] = &["eu-central-1a", "eu-central-1b", "eu-central-1c"];

/// What an instance is called.
pub(super) struct Named<'a> {
    /// `orders-3`; `shared` in the root module.
    pub(super) service: &'a str,
    /// `orders-3-app-0`.
    pub(super) name: String,
    /// The number of its index, or a small one.
    pub(super) number: u64,
}

impl<'a> Named<'a> {
    pub(super) fn new(key: &'a Key) -> Self {
        let service = key.service.as_deref().unwrap_or("shared");
        let name = format!("{service}-{}", key.name);
        let (name, number) = match &key.index {
            Index::None => (name, 0),
            Index::Number(number) => (format!("{name}-{number}"), *number),
            Index::Text(text) => (format!("{name}-{text}"), text.len() as u64),
        };
        Self {
            service,
            name,
            number,
        }
    }

    /// The ID of something that the whole service shares, always the same.
    pub(super) fn shared(&self, prefix: &str) -> String {
        // FNV-1a, so that the same words always give the same seed.
        let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        let words = self.service.bytes().chain(prefix.bytes());
        Rng::new(words.fold(0xcbf2_9ce4_8422_2325, hash)).id(prefix)
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:REST`.
    pub(super) fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}")
    }

    /// The tags that the organisation asks for; which release rolled it out last is different every time.
    pub(super) fn tags(&self, rng: &mut Rng) -> Value {
        json!({
            "CostCenter": format!("cc-{}", self.service.len() * 137),
            "Environment": "production",
            "ManagedBy": "terraform",
            "Name": self.name,
            "Release": rng.hex(7),
            "Service": self.service,
        })
    }
}

impl Rng {
    /// So many hexadecimal digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            text += &format!("{:016x}", self.bits());
        }
        text.truncate(digits);
        text
    }

    /// An ID as EC2 gives: `subnet-0` and 16 more digits.
    pub(super) fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.hex(16))
    }

    /// A time in 2026, in seconds.
    pub(super) fn date(&mut self) -> String {
        let mut below = |bound| self.below(bound);
        format!(
            "2026-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            below(11) + 1,
            below(28) + 1,
            below(24),
            below(60),
            below(60)
        )
    }

    /// A private address.
    pub(super) fn ip(&mut self) -> String {
        format!(
            "10.{}.{}.{}",
            self.below(64),
            self.below(256),
            self.below(250) + 4
        )
    }

    /// One of these.
    pub(super) fn one_of(&mut self, of: &[&'static str]) -> &'static str {
        of[self.below(of.len() as u64) as usize]
    }

    /// SHA-256 in Base64, as far as anybody can see.
    pub(super) fn digest(&mut self) -> String {
        self.text(43).replace('-', "+").replace('_', "/") + "="
    }
}
