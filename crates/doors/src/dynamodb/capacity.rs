//! ConsumedCapacity, for clients that ask: nothing is metered here, the numbers are what DynamoDB would count.

use serde_json::{Value as Json, json};

use super::{error::Error, request::Request};

/// Read units for this many bytes.
pub(crate) fn read_units(bytes: usize, consistent: bool) -> f64 {
    let units = bytes.div_ceil(4096).max(1) as f64;
    if consistent { units } else { units / 2.0 }
}

/// Write units for this many bytes.
pub(crate) fn write_units(bytes: usize) -> f64 {
    bytes.div_ceil(1024).max(1) as f64
}

/// Adds what was consumed on one table to the answer, if the request asks for it.
pub(crate) fn add(answer: &mut Json, request: &Request, table: &str, units: f64) -> Result<(), Error> {
    if let Some(consumed) = consumed(request, table, units)? {
        answer["ConsumedCapacity"] = consumed;
    }
    Ok(())
}

/// What was consumed on one table, if the request asks for it.
pub(crate) fn consumed(request: &Request, table: &str, units: f64) -> Result<Option<Json>, Error> {
    let mode = request.one_of("ReturnConsumedCapacity", &["INDEXES", "TOTAL", "NONE"])?;
    request.one_of("ReturnItemCollectionMetrics", &["SIZE", "NONE"])?;
    Ok(match mode {
        None | Some("NONE") => None,
        Some("TOTAL") => Some(json!({ "TableName": table, "CapacityUnits": units })),
        Some(_) => Some(json!({
            "TableName": table,
            "CapacityUnits": units,
            "Table": { "CapacityUnits": units },
        })),
    })
}
