//! Lifecycle rules: read as far as they end versions, and written back with all that they had in them.

use crate::aws::Element;

/// The lifecycle rules of a bucket, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lifecycle {
    /// The rules.
    pub rules: Vec<Rule>,
    /// S3's `x-amz-transition-default-minimum-object-size`, where it was told.
    pub transition_size: Option<String>,
}

/// A lifecycle rule. Two are the same when all of their elements are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule(Element);

impl Lifecycle {
    pub(crate) fn parse(body: &[u8], transition_size: Option<String>) -> Option<Lifecycle> {
        let root = Element::parse(body)?;
        if !["LifecycleConfiguration", "BucketLifecycleConfiguration"].contains(&root.name.as_str()) {
            return None;
        }
        let rules = root.children.into_iter().filter(|child| child.name == "Rule");
        let rules: Vec<Rule> = rules.map(|rule| Rule(rule.without_space())).collect();
        let is_one = |rule: &Rule| rule.0.text_of("Status").is_some();
        rules.iter().all(is_one).then_some(Lifecycle {
            rules,
            transition_size,
        })
    }

    pub(super) fn document(&self) -> String {
        let rules = self.rules.iter().map(|rule| rule.0.clone()).collect();
        Element::of("LifecycleConfiguration", rules).document()
    }
}

impl Rule {
    /// Ends versions that are replaced for `days` days, save the newest `newer` of them of each object.
    #[must_use]
    pub fn of_old_versions(id: &str, days: u32, newer: u32) -> Rule {
        let mut ends = vec![Element::leaf("NoncurrentDays", &days.to_string())];
        if newer > 0 {
            ends.push(Element::leaf("NewerNoncurrentVersions", &newer.to_string()));
        }
        Rule::whole(id, Element::of("NoncurrentVersionExpiration", ends))
    }

    /// Removes delete markers that hide nothing any more.
    #[must_use]
    pub fn of_delete_markers(id: &str) -> Rule {
        let on = Element::leaf("ExpiredObjectDeleteMarker", "true");
        Rule::whole(id, Element::of("Expiration", vec![on]))
    }

    /// Ends uploads in parts that nobody has completed within `days` days.
    #[must_use]
    pub fn of_uploads(id: &str, days: u32) -> Rule {
        let after = Element::leaf("DaysAfterInitiation", &days.to_string());
        Rule::whole(id, Element::of("AbortIncompleteMultipartUpload", vec![after]))
    }

    /// An enabled rule for every object.
    fn whole(id: &str, action: Element) -> Rule {
        let all = Element::of("Filter", vec![Element::leaf("Prefix", "")]);
        let parts = vec![
            Element::leaf("ID", id),
            all,
            Element::leaf("Status", "Enabled"),
            action,
        ];
        Rule(Element::of("Rule", parts))
    }

    /// Its ID; empty where it has none.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.text_of("ID").unwrap_or_default()
    }

    /// Whether it is followed.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.0.text_of("Status") == Some("Enabled")
    }

    /// What keys begin with for it to count; `None` where tags or sizes narrow it further than a prefix does.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        let Some(filter) = self.0.child("Filter") else {
            return Some(self.0.text_of("Prefix").unwrap_or_default());
        };
        match &filter.children[..] {
            [] => Some(""),
            [only] if only.name == "Prefix" => Some(&only.text),
            _ => None,
        }
    }

    /// After how many days a current object expires; `Some(0)` where a date says so.
    #[must_use]
    pub fn expires_current_after(&self) -> Option<u32> {
        let expiration = self.0.child("Expiration")?;
        match expiration.text_of("Days") {
            Some(days) => days.trim().parse().ok(),
            None => expiration.text_of("Date").map(|_| 0),
        }
    }

    /// The storage class that current objects move to.
    #[must_use]
    pub fn moves_current_to(&self) -> Option<&str> {
        self.0.child("Transition")?.text_of("StorageClass")
    }

    /// After how many days a replaced version expires, and how many newer ones are kept whatever their age.
    #[must_use]
    pub fn expires_replaced_after(&self) -> Option<(u32, u32)> {
        let ends = self.0.child("NoncurrentVersionExpiration")?;
        let number = |name| ends.text_of(name).map(|text| text.trim().parse().ok());
        Some((
            number("NoncurrentDays")??,
            number("NewerNoncurrentVersions").unwrap_or(Some(0))?,
        ))
    }

    /// Whether it removes delete markers that hide nothing.
    #[must_use]
    pub fn removes_delete_markers(&self) -> bool {
        let expiration = self.0.child("Expiration");
        expiration.and_then(|own| own.text_of("ExpiredObjectDeleteMarker")) == Some("true")
    }

    /// After how many days uploads in parts are ended.
    #[must_use]
    pub fn ends_uploads_after(&self) -> Option<u32> {
        let ends = self.0.child("AbortIncompleteMultipartUpload")?;
        ends.text_of("DaysAfterInitiation")?.trim().parse().ok()
    }

    /// Its elements, for who writes it in another form.
    pub(crate) fn element(&self) -> &Element {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn rules_are_read_and_written_back_with_all_that_is_in_them() {
        let text = "<LifecycleConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
            <Rule><ID>theirs</ID><Filter><And><Prefix>logs/</Prefix><Tag><Key>k</Key><Value>a&lt;b</Value></Tag></And></Filter>\
            <Status>Disabled</Status><Transition><Days>30</Days><StorageClass>GLACIER</StorageClass></Transition></Rule>\
            <Rule><ID>old</ID><Filter></Filter><Status>Enabled</Status><NoncurrentVersionExpiration>\
            <NoncurrentDays>90</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>";
        let spaced = text.replace("><R", ">\n  <R").replace("><S", ">\n    <S");
        let found = Lifecycle::parse(spaced.as_bytes(), None).unwrap();
        let [theirs, old] = &found.rules[..] else {
            panic!("two rules")
        };
        assert_eq!(
            (theirs.id(), theirs.is_enabled(), theirs.prefix()),
            ("theirs", false, None)
        );
        assert_eq!(
            (old.prefix(), old.expires_replaced_after()),
            (Some(""), Some((90, 0)))
        );
        assert_eq!(found.document(), text);
    }

    #[test]
    fn our_own_rules_say_what_they_end() {
        let old = Rule::of_old_versions("old", 90, 20);
        assert_eq!(
            (old.expires_replaced_after(), old.prefix()),
            (Some((90, 20)), Some(""))
        );
        assert!(old.is_enabled() && old.expires_current_after().is_none());
        assert!(Rule::of_delete_markers("m").removes_delete_markers());
        assert_eq!(Rule::of_uploads("u", 7).ends_uploads_after(), Some(7));
    }

    #[test]
    fn a_rule_of_the_old_form_has_its_prefix_beside_the_rest() {
        let text = b"<LifecycleConfiguration><Rule><Prefix>a/</Prefix><Status>Enabled</Status>\
            <Expiration><Date>2026-01-01T00:00:00Z</Date></Expiration></Rule></LifecycleConfiguration>";
        let found = Lifecycle::parse(text, None).unwrap();
        let rule = &found.rules[0];
        assert_eq!(
            (rule.id(), rule.prefix(), rule.expires_current_after()),
            ("", Some("a/"), Some(0))
        );
        let no_status = b"<LifecycleConfiguration><Rule></Rule></LifecycleConfiguration>";
        assert!(Lifecycle::parse(no_status, None).is_none());
    }
}
