//! Which resources there are, and in which modules: a root module, and one module a service with a database inside.

use super::{compute, data, kind::Kind, network, storage};

/// What names a resource instance.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// Of the service's module; none in the root module.
    pub(super) service: Option<String>,
    /// Whether it is in the service's `module.database[0]`.
    nested: bool,
    pub(super) kind: &'static Kind,
    pub(super) name: &'static str,
    pub(super) index: Index,
}

/// An instance's key under `count` or `for_each`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Index {
    None,
    Number(u64),
    Text(String),
}

/// How many instances a block has.
enum Many {
    One,
    Count(u64),
    Each(&'static [&'static str]),
}

use Many::{Count, Each, One};

/// Blocks of the root module.
const ROOT: &[(&Kind, &str, Many)] = &[
    (&data::CALLER_IDENTITY, "current", One),
    (&data::REGION_DATA, "current", One),
    (&network::SUBNET, "public", Count(3)),
    (&storage::BUCKET, "logs", One),
    (&storage::KEY, "state", One),
];

/// Blocks of a service's module.
const SERVICE: &[(&Kind, &str, Many)] = &[
    (&data::POLICY_DOCUMENT, "this", One),
    (&data::AMI, "base", One),
    (&data::ROLE, "this", One),
    (&data::POLICY, "this", One),
    (&data::ATTACHMENT, "this", One),
    (&network::SECURITY_GROUP, "this", One),
    (
        &network::RULE,
        "from",
        Each(&["bastion", "loadbalancer", "monitoring"]),
    ),
    (&network::SUBNET, "private", Count(3)),
    (&compute::INSTANCE, "app", Count(4)),
    (&network::TARGET_GROUP, "this", One),
    (&compute::FUNCTION, "jobs", Each(&["cleanup", "export", "import"])),
    (
        &compute::LOG_GROUP,
        "jobs",
        Each(&["cleanup", "export", "import"]),
    ),
    (&compute::ALARM, "this", Each(&["cpu", "errors", "latency"])),
    (&storage::BUCKET, "data", One),
    (&storage::ACCESS_BLOCK, "data", One),
    (&storage::RECORD, "this", Each(&["admin", "api", "www"])),
    (&storage::QUEUE, "jobs", Count(2)),
    (&storage::KEY, "this", One),
    (&storage::PARAMETER, "settings", Each(&["api_token", "dsn"])),
];

/// Blocks of the database's module inside of it.
const DATABASE: &[(&Kind, &str, Many)] = &[
    (&storage::PASSWORD, "master", One),
    (&storage::DATABASE, "this", One),
    (&network::SECURITY_GROUP, "database", One),
];

/// What the services are called, before they are numbered.
const SERVICES: &[&str] = &[
    "accounts",
    "billing",
    "catalog",
    "checkout",
    "documents",
    "events",
    "fraud",
    "identity",
    "inventory",
    "ledger",
    "mail",
    "notifications",
    "orders",
    "payments",
    "pricing",
    "reports",
    "search",
    "shipping",
];

/// So many keys, and the services that they belong to.
pub(super) fn keys(count: usize) -> (Vec<Key>, Vec<String>) {
    let mut keys = Vec::with_capacity(count + 64);
    let mut services = Vec::new();
    add(&mut keys, ROOT, None, false);
    while keys.len() < count || services.is_empty() {
        let number = services.len();
        let service = format!(
            "{}-{}",
            SERVICES[number % SERVICES.len()],
            number / SERVICES.len()
        );
        add(&mut keys, SERVICE, Some(&service), false);
        add(&mut keys, DATABASE, Some(&service), true);
        services.push(service);
    }
    keys.truncate(count);
    (keys, services)
}

/// A parameter of a service, under a key of its own.
pub(super) fn parameter(service: &str, index: Index) -> Key {
    Key {
        service: Some(service.to_owned()),
        nested: false,
        kind: &storage::PARAMETER,
        name: "settings",
        index,
    }
}

fn add(
    keys: &mut Vec<Key>,
    blocks: &'static [(&'static Kind, &'static str, Many)],
    service: Option<&str>,
    nested: bool,
) {
    for (kind, name, many) in blocks {
        let indices = match many {
            One => vec![Index::None],
            Count(count) => (0..*count).map(Index::Number).collect(),
            Each(names) => names.iter().map(|name| Index::Text((*name).to_owned())).collect(),
        };
        keys.extend(indices.into_iter().map(|index| Key {
            service: service.map(str::to_owned),
            nested,
            kind,
            name,
            index,
        }));
    }
}

impl Key {
    /// `module.service["orders-3"].module.database[0]`; empty for the root module.
    fn module(&self) -> String {
        let nested = if self.nested { ".module.database[0]" } else { "" };
        self.service.as_ref().map_or_else(String::new, |service| {
            format!("module.service[\"{service}\"]{nested}")
        })
    }

    /// By which Terraform sorts its document.
    pub(super) fn order(&self) -> (String, &str, &str, &str, &Index) {
        (
            self.module(),
            self.kind.mode,
            self.kind.name,
            self.name,
            &self.index,
        )
    }

    /// As Terraform prints it.
    pub(super) fn address(&self) -> String {
        let mut parts = vec![self.module()];
        if self.kind.mode == "data" {
            parts.push("data".to_owned());
        }
        parts.retain(|part| !part.is_empty());
        parts.push(format!("{}.{}", self.kind.name, self.name));
        let index = match &self.index {
            Index::None => String::new(),
            Index::Number(number) => format!("[{number}]"),
            Index::Text(text) => format!("[\"{text}\"]"),
        };
        parts.join(".") + &index
    }

    /// Whether both are instances of one block.
    pub(super) fn is_of_one_block(&self, other: &Key) -> bool {
        (
            &self.service,
            self.nested,
            self.kind.mode,
            self.kind.name,
            self.name,
        ) == (
            &other.service,
            other.nested,
            other.kind.mode,
            other.kind.name,
            other.name,
        )
    }

    /// The lines of a block before its instances, in the order of `resourceStateV4`.
    pub(super) fn head(&self) -> String {
        let module = match self.module() {
            module if module.is_empty() => module,
            module => format!("      \"module\": \"{}\",\n", module.replace('"', "\\\"")),
        };
        let Kind {
            mode, name, provider, ..
        } = self.kind;
        format!(
            "    {{\n{module}      \"mode\": \"{mode}\",\n      \"type\": \"{name}\",\n      \"name\": \"{}\",\n      \
             \"provider\": \"provider[\\\"registry.terraform.io/{provider}\\\"]\",\n      \"instances\": [\n",
            self.name
        )
    }

    /// What it is made from, without the keys of modules and resources.
    pub(super) fn dependencies(&self) -> Vec<String> {
        let module = match (&self.service, self.nested) {
            (None, _) => "",
            (Some(_), false) => "module.service.",
            (Some(_), true) => "module.service.module.database.",
        };
        let local = self.kind.dependencies.iter();
        local.map(|address| format!("{module}{address}")).collect()
    }
}
