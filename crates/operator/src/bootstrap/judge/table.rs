//! The lock table: its key, its recovery, its encryption.

use super::{Judge, change_unless, is_same_key};
use crate::{
    bootstrap::{Part, Step, TableFacts, TableTarget, Verdict},
    dynamodb::TableEncryption,
};

impl Judge<'_> {
    /// A lock table, as far as Terraform can lock with it.
    pub(super) fn table(&mut self, name: &str, found: Option<&TableFacts>) {
        let kms_key = self.wanted.table_kms_key.clone();
        let fit = found.is_none_or(|found| found.table.is_for_locks());
        let verdict = match found {
            None => Verdict::Change(Step::CreateTable {
                kms_key: kms_key.clone(),
            }),
            Some(_) if fit => Verdict::AsWanted,
            Some(_) => Verdict::Impossible(
                "Terraform locks with a text called LockID as the only key, and a table's key cannot be changed: take another \
                 name, or delete the table"
                    .to_owned(),
            ),
        };
        let key = found.map_or_else(String::new, |found| key_text(&found.table.key));
        self.add(
            Part::Table,
            format!("{name} is there, its key is LockID"),
            format!("its key is {key}"),
            verdict,
        );
        if !fit {
            return;
        }
        self.target.table = Some(TableTarget {
            name: name.to_owned(),
            kms_key: kms_key.clone(),
            recovery: true,
            deletion_protected: found.is_some_and(|found| found.table.deletion_protected),
        });
        self.recovery(found);
        if let Some(found) = found {
            self.table_encryption(&found.table.encryption, kms_key);
        }
    }

    fn recovery(&mut self, found: Option<&TableFacts>) {
        let told = found
            .and_then(|found| found.recovery.clone())
            .unwrap_or(Ok(false));
        if let Some(on) = self.told(Part::Recovery, "on", &told) {
            let verdict = change_unless(*on, || Step::Recovery);
            self.add(Part::Recovery, "on", if *on { "on" } else { "off" }, verdict);
        } else if let Some(table) = &mut self.target.table {
            table.recovery = false;
        }
    }

    fn table_encryption(&mut self, found: &TableEncryption, wanted: Option<String>) {
        let text = |key: Option<&str>| match key {
            Some(key) => format!("aws:kms with {key}"),
            None => "with a key of DynamoDB's own".to_owned(),
        };
        let has = match found {
            TableEncryption::Owned => None,
            TableEncryption::Kms(key) => Some(key.as_str()),
        };
        let verdict = match (has, &wanted) {
            (None, None) => Verdict::AsWanted,
            (Some(_), None) => Verdict::Stricter,
            (Some(has), Some(key)) if is_same_key(has, key) => Verdict::AsWanted,
            (_, Some(key)) => Verdict::Change(Step::TableEncryption(key.clone())),
        };
        if let (Some(table), None) = (&mut self.target.table, &wanted) {
            table.kms_key = has.map(str::to_owned);
        }
        self.add(Part::TableEncryption, text(wanted.as_deref()), text(has), verdict);
    }
}

fn key_text(key: &[(String, String)]) -> String {
    let names: Vec<&str> = key.iter().map(|(name, _)| name.as_str()).collect();
    names.join(" and ")
}
