//! The documents of a bucket's settings, out of S3's answers and into requests.

use std::collections::BTreeMap;

use crate::aws::Element;

/// How new objects are encrypted where their writer does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// `AES256`, `aws:kms` or `aws:kms:dsse`.
    pub algorithm: String,
    /// The KMS key as it was written: an ARN, an ID or an alias. `None` is the account's own `aws/s3`.
    pub kms_key: Option<String>,
    /// Whether one data key serves many objects (`BucketKeyEnabled`): fewer calls to KMS.
    pub bucket_key: bool,
    /// What else the rule has, such as `BlockedEncryptionTypes`: kept when it is written again.
    rest: Vec<Element>,
}

impl Encryption {
    /// With a KMS key, or else with keys of S3's own (`AES256`).
    #[must_use]
    pub fn with(kms_key: Option<&str>) -> Encryption {
        Encryption {
            algorithm: if kms_key.is_some() { "aws:kms" } else { "AES256" }.to_owned(),
            kms_key: kms_key.map(str::to_owned),
            bucket_key: kms_key.is_some(),
            rest: Vec::new(),
        }
    }

    /// The same with what else `other` has.
    #[must_use]
    pub fn keeping_rest_of(mut self, other: &Encryption) -> Encryption {
        self.rest.clone_from(&other.rest);
        self
    }

    /// Whether a KMS key is asked for its consent.
    #[must_use]
    pub fn is_kms(&self) -> bool {
        self.algorithm.starts_with("aws:kms")
    }

    pub(super) fn document(&self) -> String {
        let mut by = vec![Element::leaf("SSEAlgorithm", &self.algorithm)];
        by.extend(
            self.kms_key
                .as_ref()
                .map(|key| Element::leaf("KMSMasterKeyID", key)),
        );
        let mut rule = vec![Element::of("ApplyServerSideEncryptionByDefault", by)];
        if self.bucket_key {
            rule.push(Element::leaf("BucketKeyEnabled", "true"));
        }
        rule.extend(self.rest.iter().cloned());
        let rule = Element::of("Rule", rule);
        Element::of("ServerSideEncryptionConfiguration", vec![rule]).document()
    }
}

/// What is blocked of public access.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PublicAccessBlock {
    /// New public access control lists are refused.
    pub block_public_acls: bool,
    /// Public access control lists do not count.
    pub ignore_public_acls: bool,
    /// New public policies are refused.
    pub block_public_policy: bool,
    /// A public policy gives nothing to other accounts.
    pub restrict_public_buckets: bool,
}

impl PublicAccessBlock {
    /// All of it.
    pub const ALL: PublicAccessBlock = PublicAccessBlock {
        block_public_acls: true,
        ignore_public_acls: true,
        block_public_policy: true,
        restrict_public_buckets: true,
    };

    /// The settings by their names in S3.
    #[must_use]
    pub fn named(self) -> [(&'static str, bool); 4] {
        [
            ("BlockPublicAcls", self.block_public_acls),
            ("IgnorePublicAcls", self.ignore_public_acls),
            ("BlockPublicPolicy", self.block_public_policy),
            ("RestrictPublicBuckets", self.restrict_public_buckets),
        ]
    }

    pub(super) fn document(self) -> String {
        let leaf = |(name, on)| Element::leaf(name, if on { "true" } else { "false" });
        let leaves = self.named().into_iter().map(leaf).collect();
        Element::of("PublicAccessBlockConfiguration", leaves).document()
    }
}

fn root(body: &[u8], name: &str) -> Option<Element> {
    Element::parse(body).filter(|root| root.name == name)
}

/// `LocationConstraint`: empty is the first region, and `EU` what `eu-west-1` was called once.
pub(super) fn location(body: &[u8]) -> Option<String> {
    let root = root(body, "LocationConstraint")?;
    // Some stores put the answer one level deeper.
    let text = root
        .text_of("LocationConstraint")
        .unwrap_or(&root.text)
        .trim()
        .to_owned();
    Some(match text.as_str() {
        "" => "us-east-1".to_owned(),
        "EU" => "eu-west-1".to_owned(),
        _ => text,
    })
}

pub(super) fn encryption(body: &[u8]) -> Option<Encryption> {
    let mut rule = root(body, "ServerSideEncryptionConfiguration")?.take("Rule")?;
    let by = rule.take("ApplyServerSideEncryptionByDefault")?;
    let bucket_key = rule
        .take("BucketKeyEnabled")
        .is_some_and(|own| own.text == "true");
    let kms_key = by.text_of("KMSMasterKeyID").filter(|key| !key.is_empty());
    Some(Encryption {
        algorithm: by.text_of("SSEAlgorithm")?.to_owned(),
        kms_key: kms_key.map(str::to_owned),
        bucket_key,
        rest: rule.children,
    })
}

pub(super) fn public_access_block(body: &[u8]) -> Option<PublicAccessBlock> {
    let root = root(body, "PublicAccessBlockConfiguration")?;
    let on = |name| {
        root.text_of(name)
            .is_some_and(|text| text.eq_ignore_ascii_case("true"))
    };
    Some(PublicAccessBlock {
        block_public_acls: on("BlockPublicAcls"),
        ignore_public_acls: on("IgnorePublicAcls"),
        block_public_policy: on("BlockPublicPolicy"),
        restrict_public_buckets: on("RestrictPublicBuckets"),
    })
}

pub(super) fn tags(body: &[u8]) -> Option<BTreeMap<String, String>> {
    let root = root(body, "Tagging")?;
    let tag = |tag: &Element| Some((tag.text_of("Key")?.to_owned(), tag.text_of("Value")?.to_owned()));
    root.child("TagSet")?.children.iter().map(tag).collect()
}

pub(super) fn ownership(body: &[u8]) -> Option<String> {
    let root = root(body, "OwnershipControls")?;
    root.child("Rule")?.text_of("ObjectOwnership").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_location_is_a_region() {
        let of = |inner: &str| {
            let text = format!("<LocationConstraint xmlns=\"x\">{inner}</LocationConstraint>");
            location(text.as_bytes())
        };
        assert_eq!(of("").as_deref(), Some("us-east-1"));
        assert_eq!(of("EU").as_deref(), Some("eu-west-1"));
        assert_eq!(of("eu-central-1").as_deref(), Some("eu-central-1"));
        assert_eq!(location(b"<Location/>"), None);
    }

    #[test]
    fn encryption_is_read_and_written_with_what_it_does_not_know() {
        let text = "<ServerSideEncryptionConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Rule>\
            <ApplyServerSideEncryptionByDefault><SSEAlgorithm>aws:kms</SSEAlgorithm>\
            <KMSMasterKeyID>alias/a&amp;b</KMSMasterKeyID></ApplyServerSideEncryptionByDefault>\
            <BucketKeyEnabled>true</BucketKeyEnabled><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>\
            </BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>";
        let found = encryption(text.as_bytes()).unwrap();
        assert_eq!(
            (found.kms_key.as_deref(), found.bucket_key, found.is_kms()),
            (Some("alias/a&b"), true, true)
        );
        assert_eq!(found.document(), text);
        let changed = Encryption::with(None).keeping_rest_of(&found);
        assert!(
            changed
                .document()
                .contains("<EncryptionType>SSE-C</EncryptionType>")
        );
        assert!(!changed.document().contains("BucketKeyEnabled"));
    }

    #[test]
    fn a_block_of_public_access_is_read_and_written() {
        let text = PublicAccessBlock::ALL.document();
        assert_eq!(public_access_block(text.as_bytes()), Some(PublicAccessBlock::ALL));
        let part = text.replace(
            "<IgnorePublicAcls>true</IgnorePublicAcls>",
            "<IgnorePublicAcls>false</IgnorePublicAcls>",
        );
        let part = public_access_block(part.as_bytes()).unwrap();
        assert!(!part.ignore_public_acls && part.block_public_acls);
    }

    #[test]
    fn tags_and_owners_are_read_and_foreign_answers_are_none() {
        let found =
            tags(b"<Tagging><TagSet><Tag><Key>team</Key><Value>a</Value></Tag></TagSet></Tagging>").unwrap();
        assert_eq!(found, BTreeMap::from([("team".to_owned(), "a".to_owned())]));
        let owner =
            b"<OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>";
        assert_eq!(ownership(owner).as_deref(), Some("ObjectWriter"));
        assert!(tags(b"<html></html>").is_none() && ownership(b"{}").is_none());
        assert!(
            encryption(b"<ServerSideEncryptionConfiguration></ServerSideEncryptionConfiguration>").is_none()
        );
    }
}
