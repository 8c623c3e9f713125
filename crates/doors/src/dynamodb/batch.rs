//! BatchGetItem and BatchWriteItem: many items of many tables, each by the rules of its own operation.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use tidelock_core::limits::{BATCH_GET_BYTES_MAX, BATCH_GET_KEYS_MAX, BATCH_WRITE_REQUESTS_MAX};
use tidelock_service::Service;

use crate::access::Access;

use super::{
    capacity,
    error::{Error, invalid},
    items::Items,
    read::project,
    request::{Request, constraint},
    value::{Item, item_from_json, item_size_bytes, item_to_json},
    write::Write,
};

/// BatchGetItem.
pub(crate) async fn get(service: &Service, access: &Access, request: &Request) -> Result<Json, Error> {
    let tables = request_items(request)?;
    let mut reads = Vec::new();
    let mut count = 0;
    for (name, wanted) in tables {
        let wanted = Request::nested(wanted)?;
        let keys = wanted.required("Keys", wanted.array("Keys")?)?.len();
        count += keys;
        if keys == 0 || count > BATCH_GET_KEYS_MAX {
            return invalid(if keys == 0 {
                constraint("'[]'", &format!("requestItems.{name}.member.keys"), TOO_SHORT)
            } else {
                "Too many items requested for the BatchGetItem call".to_owned()
            });
        }
        reads.push((
            name,
            Items::open(
                service,
                access,
                "BatchGetItem",
                &request.home.stored(name, "RequestItems")?,
            )
            .await?,
            wanted,
        ));
    }
    let mut answer = json!({ "Responses": {}, "UnprocessedKeys": {} });
    let mut capacities = Vec::new();
    let mut budget = BATCH_GET_BYTES_MAX;
    for (name, items, wanted) in &reads {
        let (found, left, units) = get_table(items, wanted, &mut budget).await?;
        answer["Responses"][name.as_str()] = Json::Array(found);
        if let Some(left) = left {
            answer["UnprocessedKeys"][name.as_str()] = left;
        }
        capacities.extend(capacity::consumed(request, items.name(), units)?);
    }
    Ok(with_capacities(answer, capacities))
}

/// The items of one table, what is left to ask for, and the read units.
async fn get_table(
    items: &Items<'_>,
    wanted: &Request,
    budget: &mut usize,
) -> Result<(Vec<Json>, Option<Json>, f64), Error> {
    let placeholders = wanted.placeholders(&["ProjectionExpression"])?;
    let projection = wanted.projection(&placeholders)?;
    placeholders.check_all_used()?;
    let consistent = wanted.flag("ConsistentRead")?;
    let keys = wanted.array("Keys")?.map_or(&[][..], Vec::as_slice);
    let keys = keys.iter().map(read_item).collect::<Result<Vec<Item>, Error>>()?;
    let mut rows = BTreeSet::new();
    for key in &keys {
        items.description.key.check_key(key)?;
        check_new(&mut rows, items.row(key))?;
    }
    let asked: Vec<&Item> = keys.iter().collect();
    items.may("BatchGetItem", &asked).await?;
    let mut found = Vec::new();
    let mut left = Vec::new();
    let mut units = 0.0;
    for key in &keys {
        if *budget == 0 {
            left.push(item_to_json(key));
            continue;
        }
        let item = items.get(key).await?;
        let bytes = item.as_ref().map_or(0, item_size_bytes);
        *budget = budget.saturating_sub(bytes);
        units += capacity::read_units(bytes, consistent);
        found.extend(item.map(|item| item_to_json(&project(projection.as_ref(), item))));
    }
    let left = (!left.is_empty()).then(|| wanted.with("Keys", Json::Array(left)));
    Ok((found, left, units))
}

/// BatchWriteItem.
pub(crate) async fn write(service: &Service, access: &Access, request: &Request) -> Result<Json, Error> {
    let tables = request_items(request)?;
    let mut writes = Vec::new();
    let mut count = 0;
    for (name, requests) in tables {
        let Some(requests) = requests.as_array() else {
            return Err(Error::Serialization("Unexpected field type".to_owned()));
        };
        count += requests.len();
        if requests.is_empty() || count > BATCH_WRITE_REQUESTS_MAX {
            return invalid(if requests.is_empty() {
                constraint("'[]'", &format!("requestItems.{name}.member"), TOO_SHORT)
            } else {
                "Too many items requested for the BatchWriteItem call".to_owned()
            });
        }
        let mut items = Items::open(
            service,
            access,
            "BatchWriteItem",
            &request.home.stored(name, "RequestItems")?,
        )
        .await?;
        items.invocation.clone_from(&request.invocation);
        let mut rows = BTreeSet::new();
        let mut of_table = Vec::new();
        for request in requests {
            let write = read_write(request, &items)?;
            check_new(&mut rows, items.row(&write.key))?;
            of_table.push(write);
        }
        let keys: Vec<&Item> = of_table.iter().map(|write| &write.key).collect();
        items.may("BatchWriteItem", &keys).await?;
        writes.push((items, of_table));
    }
    let mut capacities = Vec::new();
    for (items, of_table) in &writes {
        let mut units = 0.0;
        for write in of_table {
            write_one(items, write).await?;
            units += capacity::write_units(write.bytes());
        }
        capacities.extend(capacity::consumed(request, items.name(), units)?);
    }
    Ok(with_capacities(json!({ "UnprocessedItems": {} }), capacities))
}

/// A batch has no conditions, so a lock that another holds is not a failed one.
async fn write_one(items: &Items<'_>, write: &Write) -> Result<(), Error> {
    match items.write(write).await {
        Ok(_) => Ok(()),
        Err(Error::ConditionalCheckFailed(_)) => invalid(
            "One or more parameter values were invalid: an item to put is a lock that another client holds",
        ),
        Err(other) => Err(other),
    }
}

fn read_write(request: &Json, items: &Items<'_>) -> Result<Write, Error> {
    let request = Request::nested(request)?;
    let schema = &items.description.key;
    match (request.object("PutRequest")?, request.object("DeleteRequest")?) {
        (Some(put), None) => {
            Write::unconditional_put(Request::nested(&Json::Object(put.clone()))?.item("Item")?, schema)
        }
        (None, Some(delete)) => Write::unconditional_delete(
            Request::nested(&Json::Object(delete.clone()))?.item("Key")?,
            schema,
        ),
        (None, None) => {
            invalid("Supplied AttributeValue is empty, must contain exactly one of the supported datatypes")
        }
        (Some(_), Some(_)) => invalid(
            "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes",
        ),
    }
}

const TOO_SHORT: &str = "Member must have length greater than or equal to 1";

fn request_items(request: &Request) -> Result<&Map<String, Json>, Error> {
    let tables = request.required("RequestItems", request.object("RequestItems")?)?;
    if tables.is_empty() {
        return invalid(constraint("'{}'", "RequestItems", TOO_SHORT));
    }
    Ok(tables)
}

fn read_item(json: &Json) -> Result<Item, Error> {
    match json.as_object() {
        Some(fields) => item_from_json(fields),
        None => Err(Error::Serialization(
            "Unexpected value type in payload".to_owned(),
        )),
    }
}

fn check_new(rows: &mut BTreeSet<Vec<u8>>, row: Vec<u8>) -> Result<(), Error> {
    if rows.insert(row) {
        Ok(())
    } else {
        invalid("Provided list of item keys contains duplicates")
    }
}

fn with_capacities(mut answer: Json, capacities: Vec<Json>) -> Json {
    if !capacities.is_empty() {
        answer["ConsumedCapacity"] = Json::Array(capacities);
    }
    answer
}
