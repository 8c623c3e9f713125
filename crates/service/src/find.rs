//! Looking through all states: which there are, and which of them have a resource.

use serde::{Deserialize, Serialize};
use tidelock_core::{
    Address, Body, Pattern, Record, Version,
    diff::{Contents, Resource, Sensitive},
    limits::{FIND_BYTES_MAX, FIND_FOUND_MAX, FIND_ROWS_MAX, FIND_STATES_MAX, STATES_PAGE_MAX},
};

use crate::{
    Error, Service,
    bodies::beside,
    rows::{self, ObjectRow},
};

/// One address with a history.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateEntry {
    /// The address.
    pub address: String,
    /// The serial of the current version, where there is one and it is a state.
    pub serial: Option<u64>,
    /// Its lineage.
    pub lineage: Option<String>,
    /// Its length in bytes.
    pub size: Option<u64>,
    /// How many versions were ever written here.
    pub versions: u64,
}

/// A page of addresses.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct StatesPage {
    /// In the order of their addresses.
    pub states: Vec<StateEntry>,
    /// The address that the next page is to begin after, when there is more.
    pub next: Option<String>,
}

/// What is looked for; a resource that both describe, where both are given.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// By its address.
    pub resource: Option<Pattern>,
    /// By its attribute `id`, unless that is sensitive.
    pub id: Option<String>,
}

/// A resource, and the state that it is in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Found {
    /// The state's address.
    pub address: String,
    /// The resource's, as Terraform prints it.
    pub resource: String,
    /// The state's serial.
    pub serial: u64,
    /// The number of the version.
    pub version: u64,
    /// `managed` or `data`.
    pub mode: String,
    /// `aws_s3_bucket`.
    #[serde(rename = "type")]
    pub kind: String,
    /// As the state has it: `provider["registry.terraform.io/hashicorp/aws"]`.
    pub provider: String,
    /// The attribute `id`, unless it is sensitive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A state that could not be looked into.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Unread {
    /// The state's address.
    pub address: String,
    /// What was in the way.
    pub why: String,
}

/// What was found in a part of all states.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct FindPage {
    /// The resources.
    pub found: Vec<Found>,
    /// The states that could not be looked into.
    pub unread: Vec<Unread>,
    /// How many states were looked at.
    pub checked: u64,
    /// The address that the next page is to begin after, when there is more.
    pub next: Option<String>,
}

impl Service {
    /// A page of the addresses of states that begin with `prefix` and come after `after`, also of those that were deleted.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn states(&self, prefix: &str, after: &str) -> Result<StatesPage, Error> {
        let mut page = StatesPage::default();
        let (records, next) = self.records(prefix, after, STATES_PAGE_MAX).await?;
        for (address, record) in records {
            let body = record.visible().and_then(|head| head.body.as_ref());
            let state = body.and_then(|body| body.state.as_ref());
            if record.has_history {
                page.states.push(StateEntry {
                    address: address.to_string(),
                    serial: state.map(|state| state.serial),
                    lineage: state.map(|state| state.lineage.clone()),
                    size: body.map(|body| body.size),
                    versions: record.next_seq,
                });
            }
        }
        page.next = next;
        Ok(page)
    }

    /// Looks for a resource in the current states whose addresses begin with `prefix` and come after `after`, as many of
    /// them as one answer may take.
    ///
    /// # Errors
    /// When the engine fails; a state that cannot be read is only named.
    pub async fn find_resource(&self, sought: &Sought, prefix: &str, after: &str) -> Result<FindPage, Error> {
        let mut page = FindPage::default();
        let (records, next) = self.records(prefix, after, FIND_ROWS_MAX).await?;
        let mut bytes = 0;
        for (address, record) in records {
            let Some((version, body)) = state_of(&record) else {
                continue;
            };
            let is_full = page.checked >= FIND_STATES_MAX
                || page.found.len() >= FIND_FOUND_MAX
                || (bytes > 0 && bytes + body.size > FIND_BYTES_MAX);
            if is_full {
                return Ok(page);
            }
            bytes += body.size;
            page.checked += 1;
            page.next = Some(address.to_string());
            match self.look_into(&address, version.seq, body, sought).await {
                Ok(found) => page.found.extend(found),
                Err(why) => page.unread.push(Unread {
                    address: address.to_string(),
                    why,
                }),
            }
        }
        page.next = next;
        Ok(page)
    }

    /// The resources in one state that are looked for, or why it cannot be looked into.
    async fn look_into(
        &self,
        address: &Address,
        version: u64,
        body: &Body,
        sought: &Sought,
    ) -> Result<Vec<Found>, String> {
        let bytes = self.read_all(address, version, body).await;
        let bytes = bytes.map_err(|why| why.to_string())?;
        let (sought, name) = (sought.clone(), address.to_string());
        let looked = beside(bytes.len(), move || {
            let contents = Contents::read(&bytes, Sensitive::Hide).map_err(|why| why.to_string())?;
            if contents.sealed {
                return Err("it is encrypted".to_owned());
            }
            let serial = contents.header.serial;
            let meant = contents.resources.into_iter().filter(|one| sought.means(one));
            Ok(meant.map(|one| Found::of(one, &name, serial, version)).collect())
        });
        looked.await.unwrap_or_else(|ended| Err(ended.to_string()))
    }

    /// The records of the addresses that begin with `prefix` and come after `after`; and where to go on, when there are more.
    pub(crate) async fn records(
        &self,
        prefix: &str,
        after: &str,
        rows: usize,
    ) -> Result<(Vec<(Address, Record)>, Option<String>), Error> {
        let mut range = rows::objects_under(prefix);
        if let Some((bucket, key)) = after.split_once('/') {
            let row = rows::object(bucket, key);
            range.start = range.start.max([row.as_slice(), &[0]].concat());
        }
        let found = self.engine.scan(range, rows).await?;
        let last = found.last().filter(|_| found.len() == rows);
        let next = last
            .map(|(row, _)| Ok::<_, Error>(rows::address(row)?.to_string()))
            .transpose()?;
        let mut records = Vec::with_capacity(found.len());
        for (row, entry) in &found {
            if let ObjectRow::Record(record) = rows::decode(row, &entry.value)? {
                records.push((rows::address(row)?, *record));
            }
        }
        Ok((records, next))
    }
}

/// The current version of an address, where that is a state.
fn state_of(record: &Record) -> Option<(&Version, &Body)> {
    let version = record.visible()?;
    let body = version.body.as_ref()?;
    body.state.is_some().then_some((version, body))
}

impl Sought {
    fn means(&self, resource: &Resource) -> bool {
        let by_name = self
            .resource
            .as_ref()
            .is_none_or(|pattern| resource.is_meant_by(pattern));
        by_name && (self.id.is_none() || self.id == resource.id)
    }
}

impl Found {
    fn of(resource: Resource, address: &str, serial: u64, version: u64) -> Found {
        Found {
            address: address.to_owned(),
            resource: resource.address,
            serial,
            version,
            mode: resource.mode,
            kind: resource.kind,
            provider: resource.provider,
            id: resource.id,
        }
    }
}
