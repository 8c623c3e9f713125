//! The operations on tables: made, described, listed, changed, tagged, deleted.

use serde_json::{Value as Json, json};
use tidelock_core::{
    Caller,
    limits::{HASH_KEY_BYTES_MAX, ITEM_COUNT_ROWS_MAX, ITEM_PAGE_ROWS, LIST_TABLES_MAX},
};
use tidelock_service::{ScanOrder, Service, Table};

use super::{
    error::{Error, invalid},
    items::describe,
    request::{Request, check_table_name, constraint, table_of_arn},
    table::{Description, Shown, check_tag_count, read_tags, table_arn},
};

/// CreateTable.
pub(crate) async fn create(service: &Service, caller: &Caller, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    let description = Description::read(request)?;
    let table = service.create_table(name, document(&description)).await?;
    Ok(json!({ "TableDescription": show(service, caller, &table, "ACTIVE").await? }))
}

/// DescribeTable.
pub(crate) async fn describe_table(
    service: &Service,
    caller: &Caller,
    request: &Request,
) -> Result<Json, Error> {
    let table = service.table(request.table_name()?).await?;
    let status = if table.closing { "DELETING" } else { "ACTIVE" };
    Ok(json!({ "Table": show(service, caller, &table, status).await? }))
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
    let mut tables = service.list_tables(after, limit + 1).await?;
    let more = tables.len() > limit;
    tables.truncate(limit);
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    let mut answer = json!({ "TableNames": names });
    if more {
        answer["LastEvaluatedTableName"] = json!(names.last());
    }
    Ok(answer)
}

/// UpdateTable.
pub(crate) async fn update(service: &Service, caller: &Caller, request: &Request) -> Result<Json, Error> {
    if request.has("GlobalSecondaryIndexUpdates") || request.has("ReplicaUpdates") {
        return invalid(
            "One or more parameter values were invalid: secondary indexes and replicas are not supported by this server",
        );
    }
    let table = change(service, request.table_name()?, |description| {
        description.change(request)
    })
    .await?;
    Ok(json!({ "TableDescription": show(service, caller, &table, "ACTIVE").await? }))
}

/// DeleteTable.
pub(crate) async fn delete(service: &Service, caller: &Caller, request: &Request) -> Result<Json, Error> {
    let table = service.table(request.table_name()?).await?;
    if describe(&table)?.deletion_protection {
        return invalid(
            "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
        );
    }
    let description = show(service, caller, &table, "DELETING").await?;
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

/// DescribeTimeToLive: no table has any.
pub(crate) async fn time_to_live(service: &Service, request: &Request) -> Result<Json, Error> {
    service.table(request.table_name()?).await?;
    Ok(json!({ "TimeToLiveDescription": { "TimeToLiveStatus": "DISABLED" } }))
}

/// DescribeContinuousBackups: as a new table answers on AWS.
pub(crate) async fn continuous_backups(service: &Service, request: &Request) -> Result<Json, Error> {
    service.table(request.table_name()?).await?;
    Ok(json!({
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": { "PointInTimeRecoveryStatus": "DISABLED" },
        }
    }))
}

/// The table whose ARN the request names.
async fn tagged(service: &Service, request: &Request) -> Result<Table, Error> {
    let arn = request.required("ResourceArn", request.text("ResourceArn")?)?;
    let Some(name) = table_of_arn(arn) else {
        return invalid(format!(
            "Invalid TableArn: Invalid ResourceArn provided as input {arn}"
        ));
    };
    match service.table(name).await {
        Err(tidelock_service::Error::NoSuchTable(_)) => Err(Error::ResourceNotFound(format!(
            "Requested resource not found: ResourcArn: {arn} not found"
        ))),
        other => Ok(other?),
    }
}

/// Changes a table's description; the change is tried on a copy first, because it may be refused.
async fn change(
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
        }
    });
    Ok(changed.await?)
}

fn document(description: &Description) -> String {
    json!(description).to_string()
}

async fn show(service: &Service, caller: &Caller, table: &Table, status: &str) -> Result<Json, Error> {
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
        name: &table.name,
        arn: &table_arn(&caller.principal, &table.name),
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
