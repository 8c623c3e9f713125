//! The bucket's policy: whether it demands TLS, and who alone may read and write.

use super::Judge;
use crate::bootstrap::{Part, Step, Verdict, policy};

impl Judge<'_> {
    /// Two settings and one document.
    pub(super) fn policy(&mut self, found: &Result<Option<String>, String>) {
        const TLS: &str = "requests without TLS are denied";
        let Some(found) = self.told(Part::TlsOnly, TLS, found) else {
            return;
        };
        let text = found.as_deref();
        let arn = policy::arn(&self.wanted.bucket, &self.target.region);
        let has_tls = text.is_some_and(|text| policy::demands_tls(text, &arn));
        let listed = text.and_then(policy::allow_list);
        let allow = sorted(&self.wanted.allow);
        let has_list = allow.is_empty() || listed.as_ref().is_some_and(|listed| sorted(listed) == allow);
        let mut own = Vec::new();
        if !has_tls && self.wanted.over_tls {
            own.push(policy::tls_only(&arn));
        }
        if !has_list {
            own.push(policy::only_for(&arn, &allow));
        }
        let whole = match own.is_empty() {
            true => text.map(str::to_owned),
            false => policy::with(text, own),
        };
        let change = || match &whole {
            Some(whole) => Verdict::Change(Step::Policy(whole.clone())),
            None => Verdict::Impossible("the bucket's policy is no JSON object; write it anew".to_owned()),
        };
        let verdict = match (has_tls, self.wanted.over_tls) {
            (true, _) => Verdict::AsWanted,
            (false, true) => change(),
            (false, false) => Verdict::LeftOut(
                "it is reached by plain HTTP: such a policy would refuse every request, yours too".to_owned(),
            ),
        };
        let verdict_of_list = if has_list { Verdict::AsWanted } else { change() };
        self.add(
            Part::TlsOnly,
            TLS,
            if has_tls { TLS } else { "they are not" },
            verdict,
        );
        match (allow.is_empty(), listed) {
            (true, None) => {}
            (true, Some(listed)) => {
                let text = list_text(&sorted(&listed));
                self.add(Part::AllowList, "whoever IAM allows", text, Verdict::Stricter);
            }
            (false, listed) => {
                let none = || "whoever IAM allows".to_owned();
                let found = listed.map_or_else(none, |listed| list_text(&sorted(&listed)));
                self.add(Part::AllowList, list_text(&allow), found, verdict_of_list);
            }
        }
        self.target.policy = whole;
    }
}

fn list_text(arns: &[String]) -> String {
    format!("nobody but {}", arns.join(", "))
}

fn sorted(list: &[String]) -> Vec<String> {
    let mut list = list.to_vec();
    list.sort();
    list.dedup();
    list
}
