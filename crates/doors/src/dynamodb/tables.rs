//! The operations on tables: made, described, listed, changed, tagged, deleted.

use serde_json::{Value as Json, json};
use tidelock_core::limits::{HASH_KEY_BYTES_MAX, ITEM_COUNT_ROWS_MAX, ITEM_PAGE_ROWS, LIST_TABLES_MAX};
use tidelock_service::{ScanOrder, Service, Table};

use super::{
    error::{Error, invalid},
    items::describe,
    naming::{check_table_name, in_arn, prefix, split},
    request::{Request, constraint},
    table::{Description, Shown, check_tag_count, read_tags},
};

/// CreateTable.
pub(crate) async fn create(service: &Service, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    let description = Description::read(request, service.now())?;
    let sealed = description.encrypted;
    let table = service
        .create_table(&name, document(&description), sealed)
        .await?;
    let hash = &description.key.hash;
    if !description.is_lock_table() {
        tracing::warn!(
            table = name,
            key = hash.name,
            of_type = hash.key_type.name(),
            has_range_key = description.key.range.is_some(),
            "Terraform cannot lock on this table: it needs LockID, a string, as the whole key"
        );
    }
    Ok(json!({ "TableDescription": show(service, request, &table, "ACTIVE").await? }))
}

/// DescribeTable.
pub(crate) async fn describe_table(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = service.table(&request.table_name()?).await?;
    let status = match (table.closing, table.restoring) {
        (true, _) => "DELETING",
        (false, true) => "CREATING",
        (false, false) => "ACTIVE",
    };
    Ok(json!({ "Table": show(service, request, &table, status).await? }))
}

/// ListTables.
pub(crate) async fn list(service: &Service, request: &Request) -> Result<Json, Error> {
    let after = request.text("ExclusiveStartTableName")?.unwrap_or_default();
    if !after.is_empty() {
        check_table_name(after, "ExclusiveStartTableName")?;
    }
    let limit = match request.integer("Limit", 1)?.map(usize::try_from) {
        None => LIST_TABLES_MAX,
        Some(Ok(limit)) if limit <= LIST_TABLES_MAX => limit,
        Some(_) => {
            return invalid(constraint(
                &format!("'{}'", request.integer("Limit", 1)?.unwrap_or_default()),
                "Limit",
                "Member must have value less than or equal to 100",
            ));
        }
    };
    let tables = tables_of(service, &request.home.account, after, limit + 1).await?;
    let more = tables.len() > limit;
    let names: Vec<&str> = tables
        .iter()
        .take(limit)
        .map(|table| split(&table.name).1)
        .collect();
    let mut answer = json!({ "TableNames": names });
    if more {
        answer["LastEvaluatedTableName"] = json!(names.last());
    }
    Ok(answer)
}

/// Up to `limit` tables of an account, by name, after this one.
async fn tables_of(service: &Service, account: &str, after: &str, limit: usize) -> Result<Vec<Table>, Error> {
    let prefix = prefix(account);
    let (mut found, mut after) = (Vec::new(), format!("{prefix}{after}"));
    loop {
        let page = service.list_tables(&after, LIST_TABLES_MAX).await?;
        let Some(last) = page.last() else {
            return Ok(found);
        };
        after.clone_from(&last.name);
        let is_over = !prefix.is_empty() && !last.name.starts_with(&prefix);
        let own = page.into_iter().filter(|table| split(&table.name).0 == account);
        found.extend(own);
        if is_over || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// What UpdateTable can change; some of it is refused by name.
const UPDATES: [&str; 12] = [
    "BillingMode",
    "ProvisionedThroughput",
    "DeletionProtectionEnabled",
    "SSESpecification",
    "TableClass",
    "StreamSpecification",
    "GlobalSecondaryIndexUpdates",
    "GlobalTableWitnessUpdates",
    "MultiRegionConsistency",
    "OnDemandThroughput",
    "ReplicaUpdates",
    "WarmThroughput",
];

/// UpdateTable.
pub(crate) async fn update(service: &Service, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    if !UPDATES.iter().any(|update| request.has(update)) {
        return invalid(
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required",
        );
    }
    let was_sealed = service.table(&name).await?.sealed;
    let now = service.now();
    let table = change(service, &name, |description| description.change(request, now)).await?;
    if table.sealed != was_sealed {
        service.store_items_anew(&table).await?;
    }
    Ok(json!({ "TableDescription": show(service, request, &table, "ACTIVE").await? }))
}

/// DeleteTable.
pub(crate) async fn delete(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = service.table(&request.table_name()?).await?;
    if describe(&table)?.deletion_protection {
        return invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        );
    }
    let description = show(service, request, &table, "DELETING").await?;
    service.delete_table(&table.name).await?;
    Ok(json!({ "TableDescription": description }))
}

/// ListTagsOfResource.
pub(crate) async fn list_tags(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = tagged(service, request).await?;
    let tags: Vec<Json> = describe(&table)?
        .tags
        .iter()
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    Ok(json!({ "Tags": tags }))
}

/// TagResource.
pub(crate) async fn tag(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = tagged(service, request).await?;
    let tags = read_tags(request)?;
    change(service, &table.name, |description| {
        description.tags.extend(tags.clone());
        check_tag_count(&description.tags)
    })
    .await?;
    Ok(json!({}))
}

/// UntagResource.
pub(crate) async fn untag(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = tagged(service, request).await?;
    let keys = request.required("TagKeys", request.array("TagKeys")?)?;
    change(service, &table.name, |description| {
        description
            .tags
            .retain(|tag, _| !keys.iter().any(|key| key.as_str() == Some(tag)));
        Ok(())
    })
    .await?;
    Ok(json!({}))
}

/// The table whose ARN the request names.
pub(crate) async fn tagged(service: &Service, request: &Request) -> Result<Table, Error> {
    let arn = request.required("ResourceArn", request.text("ResourceArn")?)?;
    if in_arn(arn).is_none() {
        return invalid(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        ));
    }
    match service.table(&request.home.stored(arn, "ResourceArn")?).await {
        Err(tidelock_service::Error::NoSuchTable(_)) => Err(Error::ResourceNotFound(format!(
            "Requested resource not found: ResourcArn: {arn} not found"
        ))),
        other => Ok(other?),
    }
}

/// Changes a table's description; the change is tried on a copy first, because it may be refused.
pub(crate) async fn change(
    service: &Service,
    name: &str,
    apply: impl Fn(&mut Description) -> Result<(), Error> + Send + Sync,
) -> Result<Table, Error> {
    let table = service.table(name).await?;
    apply(&mut describe(&table)?)?;
    let changed = service.change_table(name, |table| {
        if let Ok(mut description) = describe(table)
            && apply(&mut description).is_ok()
        {
            table.document = document(&description);
            table.sealed = description.encrypted;
        }
    });
    Ok(changed.await?)
}

pub(crate) fn document(description: &Description) -> String {
    json!(description).to_string()
}

pub(crate) async fn show(
    service: &Service,
    request: &Request,
    table: &Table,
    status: &str,
) -> Result<Json, Error> {
    let rows = Vec::new()..vec![u8::MAX; HASH_KEY_BYTES_MAX + 1];
    let mut items = 0;
    let mut bytes = 0;
    let mut range = rows;
    while items < ITEM_COUNT_ROWS_MAX {
        let page = service
            .scan_items(table, range.clone(), ITEM_PAGE_ROWS, ScanOrder::Forward)
            .await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        range.start = [last.as_slice(), &[0]].concat();
        items += page.len();
        bytes += page
            .iter()
            .map(|(row, item)| row.len() + row_bytes(item))
            .sum::<usize>();
    }
    let shown = Shown {
        name: split(&table.name).1,
        arn: &request.home.arn(&table.name),
        id: &table.id,
        status,
        created: table.created,
        items,
        bytes,
    };
    Ok(describe(table)?.show(&shown))
}

fn row_bytes(row: &tidelock_service::ItemRow) -> usize {
    match row {
        tidelock_service::ItemRow::Item(bytes) => bytes.len(),
        tidelock_service::ItemRow::Lock(_) => 0,
    }
}
