//! A lock: its forms at the doors, its holder, and what is remembered of it when it has ended.

use serde::{Deserialize, Serialize};

use crate::{Caller, LockId, Time, limits::LOCK_FACETS_MAX};

/// The form in which a door takes and shows a lock.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Facet {
    /// The object `KEY.tflock`.
    File,
    /// An item of a DynamoDB table.
    Table {
        /// The table's id (not its name, which a later table may bear).
        table: String,
        /// Where in the table the item is shown: the door's own encoding of its key.
        row: Vec<u8>,
    },
    /// The LOCK method of `backend "http"`.
    Http,
    /// An operator's hand: a freeze is a lock of this form, and what is released through it is released by force.
    Operator,
}

/// One facet of a lock, with the info as the holder wrote it through that door.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FacetForm {
    /// Which door's form.
    pub facet: Facet,
    /// The lock info, byte for byte.
    pub info: String,
}

/// Names one request that waits for the lock or has just been granted it; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ticket(pub u64);

/// The right to write one state; or, shared, to have it stand still while a plan is made.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lock {
    /// The ID, the same through every facet.
    pub id: LockId,
    /// Who holds it.
    pub holder: Caller,
    /// When it was granted.
    pub since: Time,
    /// When its holder was last known to be alive.
    pub seen: Time,
    /// The fence it was granted under.
    pub fence: u64,
    /// Whether it suffers other shared locks beside it; nobody writes under such a lock but who holds it alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
    /// The request whose answer tells the holder, until the holder has come back and so is known to have been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<Ticket>,
    /// The facets it has now; never empty.
    pub facets: Vec<FacetForm>,
    /// The facets that it had and that were taken off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gone: Vec<FacetForm>,
    /// When the last of those was taken off.
    #[serde(default)]
    pub gone_at: Time,
}

impl Lock {
    /// The info for who looks through the door of `facet`: that facet's own text, else the first there is.
    #[must_use]
    pub fn info(&self, facet: &Facet) -> &str {
        let forms = || self.facets.iter().chain(&self.gone);
        let own = forms().find(|form| form.facet == *facet);
        own.or_else(|| forms().next()).map_or("", |form| &form.info)
    }

    /// Whether it is held through this facet now.
    #[must_use]
    pub fn has(&self, facet: &Facet) -> bool {
        self.facets.iter().any(|form| form.facet == *facet)
    }

    /// Whether it can have this facet too, or has it, or had it once.
    pub(crate) fn has_room_for(&self, facet: &Facet) -> bool {
        let forms = self.facets.iter().chain(&self.gone);
        let others = forms.filter(|form| form.facet != *facet).count();
        others < LOCK_FACETS_MAX
    }

    /// Whether operators hold it, so that nobody writes and no door can release it.
    #[must_use]
    pub fn is_freeze(&self) -> bool {
        self.has(&Facet::Operator)
    }

    /// Whether it was ever taken through a door whose requests carry no lock ID, where only the caller tells.
    pub(crate) fn is_known_by_caller(&self) -> bool {
        self.facets
            .iter()
            .chain(&self.gone)
            .any(|form| form.facet != Facet::Http)
    }
}

/// The end of a lock, for who looks at it a moment too late.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Release {
    /// The lock as it was when its last facet was taken off.
    pub lock: Lock,
    /// When.
    pub at: Time,
    /// Who ended it.
    pub by: Caller,
    /// The door it was ended through.
    pub facet: Facet,
    /// Whether it was ended by someone other than its holder.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forced: bool,
}

/// A lock that ended lately, so that the repetition of its release is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ended {
    /// The lock's ID.
    pub id: LockId,
    /// When it ended.
    pub at: Time,
    /// The call that ended it, as its client's SDK names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
}

/// A caller whose lock was ended by someone else: it may still believe that it holds it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Fenced {
    /// The former holder.
    pub caller: Caller,
    /// The lock it held.
    pub id: LockId,
    /// The fence it held it under.
    pub fence: u64,
    /// When it was ended.
    pub at: Time,
    /// Who ended it.
    pub by: Caller,
    /// Whether it was over by then, and whoever wanted it next only found that out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lapsed: bool,
}
