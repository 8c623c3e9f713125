//! GetItem, Query and Scan.

use std::ops::Range;

use serde_json::{Value as Json, json};
use tidelock_service::ScanOrder;

use tidelock_core::limits::{HASH_KEY_BYTES_MAX, ITEM_PAGE_BYTES_MAX, ITEM_PAGE_ROWS, SCAN_SEGMENTS_MAX};

use super::{
    capacity,
    error::{Error, invalid},
    expression::{Condition, KeyCondition, Projection},
    items::Items,
    key::query_range,
    request::Request,
    value::{Item, item_size_bytes, item_to_json},
};

/// GetItem.
pub(crate) async fn get_item(items: &Items<'_>, request: &Request) -> Result<Json, Error> {
    let placeholders = request.placeholders(&["ProjectionExpression"])?;
    let projection = request.projection(&placeholders)?;
    placeholders.check_all_used()?;
    let key = request.item("Key")?;
    items.description.key.check_key(&key)?;
    items.may("GetItem", &[&key]).await?;
    let consistent = request.flag("ConsistentRead")?;
    let mut answer = json!({});
    let mut bytes = 0;
    if let Some(item) = items.get(&key).await? {
        bytes = item_size_bytes(&item);
        answer["Item"] = item_to_json(&project(projection.as_ref(), item));
    }
    capacity::add(
        &mut answer,
        request,
        items.name(),
        capacity::read_units(bytes, consistent),
    )?;
    Ok(answer)
}

pub(crate) fn project(projection: Option<&Projection>, item: Item) -> Item {
    match projection {
        Some(projection) => projection.apply(&item),
        None => item,
    }
}

/// What Query and Scan have in common.
struct Search {
    range: Range<Vec<u8>>,
    order: ScanOrder,
    limit: Option<usize>,
    filter: Option<Condition>,
    projection: Option<Projection>,
    count_only: bool,
    segment: Option<(u32, u32)>,
}

/// What a search has found so far.
#[derive(Default)]
struct Found {
    items: Vec<Json>,
    count: usize,
    scanned: usize,
    bytes: usize,
    last: Option<Item>,
}

/// Query.
pub(crate) async fn query(items: &Items<'_>, request: &Request) -> Result<Json, Error> {
    let placeholders = request.placeholders(&[
        "ProjectionExpression",
        "FilterExpression",
        "KeyConditionExpression",
    ])?;
    refuse_index(request)?;
    let Some(text) = request.text("KeyConditionExpression")? else {
        return invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        );
    };
    let projection = request.projection(&placeholders)?;
    let filter = request.condition("FilterExpression", &placeholders)?;
    let condition = KeyCondition::parse(text, &placeholders)?;
    placeholders.check_all_used()?;
    let schema = &items.description.key;
    if let Some(key) = filter.as_ref().and_then(|filter| first_key_path(filter, items)) {
        return invalid(format!(
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: {key}"
        ));
    }
    let (hash, range_condition) = condition.bind(schema)?;
    let leading = Item::from([(schema.hash.name.clone(), hash.clone())]);
    items.may_search("Query", Some(&leading)).await?;
    let forward = request.maybe_flag("ScanIndexForward")?.unwrap_or(true);
    let order = if forward {
        ScanOrder::Forward
    } else {
        ScanOrder::Backward
    };
    let range = query_range(&hash, range_condition.as_ref());
    let start = start_key(items, request)?;
    if let Some(start) = &start
        && !range.contains(&items.row(start))
    {
        return invalid("The provided starting key is outside query boundaries based on provided conditions");
    }
    let search = Search {
        range: after_start(items, range, start.as_ref(), order),
        order,
        limit: limit(request)?,
        filter,
        count_only: selects_count(request, projection.is_some())?,
        projection,
        segment: None,
    };
    if schema.range.is_none() {
        let key = Item::from([(schema.hash.name.clone(), hash)]);
        return found_alone(items, request, &search, &key).await;
    }
    run(items, request, &search).await
}

/// With the whole key given there is at most one item; a lock is found so even when it was taken through another
/// door and has no row in the table.
async fn found_alone(
    items: &Items<'_>,
    request: &Request,
    search: &Search,
    key: &Item,
) -> Result<Json, Error> {
    let mut found = Found::default();
    if !search.range.is_empty()
        && let Some(item) = items.get(key).await?
    {
        found.take(search, item, key.clone());
    }
    answer(items, request, search, found)
}

/// Scan.
pub(crate) async fn scan(items: &Items<'_>, request: &Request) -> Result<Json, Error> {
    items.may_search("Scan", None).await?;
    let placeholders = request.placeholders(&["ProjectionExpression", "FilterExpression"])?;
    refuse_index(request)?;
    let projection = request.projection(&placeholders)?;
    let filter = request.condition("FilterExpression", &placeholders)?;
    placeholders.check_all_used()?;
    let start = start_key(items, request)?;
    // No hash key is as long, so no row comes after this.
    let whole = Vec::new()..vec![u8::MAX; HASH_KEY_BYTES_MAX + 1];
    let search = Search {
        range: after_start(items, whole, start.as_ref(), ScanOrder::Forward),
        order: ScanOrder::Forward,
        limit: limit(request)?,
        filter,
        count_only: selects_count(request, projection.is_some())?,
        projection,
        segment: segment(request)?,
    };
    run(items, request, &search).await
}

async fn run(items: &Items<'_>, request: &Request, search: &Search) -> Result<Json, Error> {
    let mut found = Found::default();
    let mut range = search.range.clone();
    let limit = search.limit.unwrap_or(usize::MAX);
    'pages: while !range.is_empty() {
        let rows = ITEM_PAGE_ROWS.min((limit - found.scanned).max(1));
        let page = items
            .service
            .scan_items(&items.table, range.clone(), rows, search.order)
            .await?;
        let last_page = page.len() < rows;
        for (row, stored) in page {
            match search.order {
                ScanOrder::Forward => range.start = [row.as_slice(), &[0]].concat(),
                ScanOrder::Backward => range.end.clone_from(&row),
            }
            if !search.covers(&row) {
                continue;
            }
            if let Some(item) = items.show(&stored).await? {
                let key = items.description.key.key_of(&item);
                if found.take(search, item, key) {
                    break 'pages;
                }
            }
        }
        if last_page {
            break;
        }
    }
    answer(items, request, search, found)
}

impl Search {
    fn covers(&self, row: &[u8]) -> bool {
        self.segment.is_none_or(|(segment, total)| {
            let hash = crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32IsoHdlc, row);
            hash % u64::from(total) == u64::from(segment)
        })
    }
}

impl Found {
    /// Takes in one more item; true when the page is full.
    fn take(&mut self, search: &Search, item: Item, key: Item) -> bool {
        self.scanned += 1;
        self.bytes += item_size_bytes(&item);
        if search.filter.as_ref().is_none_or(|filter| filter.holds(&item)) {
            self.count += 1;
            if !search.count_only {
                self.items
                    .push(item_to_json(&project(search.projection.as_ref(), item)));
            }
        }
        let full =
            search.limit.is_some_and(|limit| self.scanned >= limit) || self.bytes >= ITEM_PAGE_BYTES_MAX;
        if full {
            self.last = Some(key);
        }
        full
    }
}

fn answer(items: &Items<'_>, request: &Request, search: &Search, found: Found) -> Result<Json, Error> {
    let mut answer = json!({ "Count": found.count, "ScannedCount": found.scanned });
    if !search.count_only {
        answer["Items"] = Json::Array(found.items);
    }
    if let Some(last) = &found.last {
        answer["LastEvaluatedKey"] = item_to_json(last);
    }
    let consistent = request.flag("ConsistentRead")?;
    capacity::add(
        &mut answer,
        request,
        items.name(),
        capacity::read_units(found.bytes, consistent),
    )?;
    Ok(answer)
}

fn first_key_path<'a>(filter: &'a Condition, items: &Items<'_>) -> Option<&'a str> {
    let attributes = filter.paths().into_iter().map(|path| path.attribute.as_str());
    attributes
        .into_iter()
        .find(|attribute| items.description.key.contains(attribute))
}

fn refuse_index(request: &Request) -> Result<(), Error> {
    match request.text("IndexName")? {
        Some(name) => invalid(format!("The table does not have the specified index: {name}")),
        None => Ok(()),
    }
}

fn limit(request: &Request) -> Result<Option<usize>, Error> {
    Ok(request
        .integer("Limit", 1)?
        .and_then(|limit| usize::try_from(limit).ok()))
}

/// The key to go on after.
fn start_key(items: &Items<'_>, request: &Request) -> Result<Option<Item>, Error> {
    if !request.has("ExclusiveStartKey") {
        return Ok(None);
    }
    let key = request.item("ExclusiveStartKey")?;
    match items.description.key.check_key(&key) {
        Ok(()) => Ok(Some(key)),
        Err(_) if key.len() != items.description.key.attributes().count() => {
            invalid("The provided starting key is invalid")
        }
        Err(error) => invalid(format!("The provided starting key is invalid: {error}")),
    }
}

fn after_start(
    items: &Items<'_>,
    mut range: Range<Vec<u8>>,
    start: Option<&Item>,
    order: ScanOrder,
) -> Range<Vec<u8>> {
    if let Some(start) = start {
        let row = items.row(start);
        match order {
            ScanOrder::Forward => range.start = [row.as_slice(), &[0]].concat(),
            ScanOrder::Backward => range.end = row,
        }
    }
    range
}

fn segment(request: &Request) -> Result<Option<(u32, u32)>, Error> {
    match (
        request.integer("Segment", 0)?,
        request.integer("TotalSegments", 1)?,
    ) {
        (None, None) => Ok(None),
        (None, Some(_)) => invalid(
            "The Segment parameter is required but was not present in the request when parameter TotalSegments is present",
        ),
        (Some(_), None) => invalid(
            "The TotalSegments parameter is required but was not present in the request when Segment parameter is present",
        ),
        (Some(_), Some(total)) if total > SCAN_SEGMENTS_MAX => invalid(format!(
            "1 validation error detected: Value '{total}' at 'totalSegments' failed to satisfy constraint: Member must have value less than or equal to {SCAN_SEGMENTS_MAX}"
        )),
        (Some(segment), Some(total)) if segment >= total => invalid(format!(
            "The Segment parameter is zero-based and must be less than parameter TotalSegments: Segment: {segment} is not less than TotalSegments: {total}"
        )),
        (Some(segment), Some(total)) => Ok(Some((segment as u32, total as u32))),
    }
}

fn selects_count(request: &Request, projected: bool) -> Result<bool, Error> {
    let allowed = [
        "SPECIFIC_ATTRIBUTES",
        "COUNT",
        "ALL_ATTRIBUTES",
        "ALL_PROJECTED_ATTRIBUTES",
    ];
    match (request.one_of("Select", &allowed)?, projected) {
        (Some("COUNT"), true) => {
            invalid("Cannot specify the ProjectionExpression when choosing to get only the Count")
        }
        (Some("COUNT"), false) => Ok(true),
        (Some("ALL_ATTRIBUTES"), true) => {
            invalid("Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES")
        }
        (Some("SPECIFIC_ATTRIBUTES"), false) => invalid(
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
        (Some("ALL_PROJECTED_ATTRIBUTES"), _) => invalid(
            "One or more parameter values were invalid: ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName",
        ),
        _ => Ok(false),
    }
}
