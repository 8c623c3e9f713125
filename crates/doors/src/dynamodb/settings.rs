//! What can be set on a table beside its description: when items expire, and how long their past is kept. Streams, insights
//! and policies no table here has, and so it says.

use serde_json::{Value as Json, json};
use tidelock_core::{Time, limits::TABLE_PAST_DAYS_MAX};
use tidelock_service::{Error as ServiceError, Service, Table};

use super::{
    error::{Error, invalid},
    items::describe,
    naming::split,
    request::Request,
    table::seconds,
    tables::{change, document, show, tagged},
};

/// DescribeTimeToLive.
pub(crate) async fn time_to_live(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = service.table(&request.table_name()?).await?;
    let description = match describe(&table)?.time_to_live {
        Some(attribute) => json!({ "TimeToLiveStatus": "ENABLED", "AttributeName": attribute }),
        None => json!({ "TimeToLiveStatus": "DISABLED" }),
    };
    Ok(json!({ "TimeToLiveDescription": description }))
}

/// UpdateTimeToLive.
pub(crate) async fn update_time_to_live(service: &Service, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    let stated = request.object("TimeToLiveSpecification")?;
    let stated = request.required("TimeToLiveSpecification", stated)?;
    let stated = Request::nested(&Json::Object(stated.clone()))?;
    let enabled = stated.required("Enabled", stated.maybe_flag("Enabled")?)?;
    let attribute = stated.required("AttributeName", stated.text("AttributeName")?)?;
    if !(1..=255).contains(&attribute.len()) {
        return invalid("One or more parameter values were invalid: an attribute name has 1 to 255 bytes");
    }
    change(service, &name, |description| {
        match &description.time_to_live {
            Some(current) if current != attribute => {
                return invalid(format!(
                    "TimeToLive is active on a different AttributeName: current AttributeName is {current}"
                ));
            }
            Some(_) if enabled => return invalid("TimeToLive is already enabled"),
            None if !enabled => return invalid("TimeToLive is already disabled"),
            Some(_) | None => {}
        }
        description.time_to_live = enabled.then(|| attribute.to_owned());
        Ok(())
    })
    .await?;
    Ok(json!({ "TimeToLiveSpecification": { "Enabled": enabled, "AttributeName": attribute } }))
}

/// DescribeContinuousBackups.
pub(crate) async fn continuous_backups(service: &Service, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    let table = service.table(&name).await.map_err(no_such_table)?;
    Ok(backups(service, &table))
}

/// UpdateContinuousBackups.
pub(crate) async fn update_continuous_backups(service: &Service, request: &Request) -> Result<Json, Error> {
    let name = request.table_name()?;
    let stated = request.object("PointInTimeRecoverySpecification")?;
    let stated = request.required("PointInTimeRecoverySpecification", stated)?;
    let stated = Request::nested(&Json::Object(stated.clone()))?;
    let enabled = stated.maybe_flag("PointInTimeRecoveryEnabled")?;
    let enabled = stated.required("PointInTimeRecoveryEnabled", enabled)?;
    let days = stated.integer("RecoveryPeriodInDays", 1)?;
    let days = days.map_or(Ok(TABLE_PAST_DAYS_MAX), u32::try_from);
    let Some(days) = days.ok().filter(|days| *days <= TABLE_PAST_DAYS_MAX) else {
        return invalid(
            "1 validation error detected: Value at 'pointInTimeRecoverySpecification.recoveryPeriodInDays' failed to satisfy constraint: Member must have value less than or equal to 35",
        );
    };
    let table = service.keep_past(&name, enabled.then_some(days)).await;
    Ok(backups(service, &table.map_err(no_such_table)?))
}

fn backups(service: &Service, table: &Table) -> Json {
    let now = service.now();
    let recovery = match table.past {
        None => json!({ "PointInTimeRecoveryStatus": "DISABLED" }),
        Some(past) => json!({
            "PointInTimeRecoveryStatus": "ENABLED",
            "RecoveryPeriodInDays": past.days,
            "EarliestRestorableDateTime": seconds(past.earliest(now)),
            "LatestRestorableDateTime": seconds(now),
        }),
    };
    json!({
        "ContinuousBackupsDescription": {
            "ContinuousBackupsStatus": "ENABLED",
            "PointInTimeRecoveryDescription": recovery,
        }
    })
}

/// RestoreTableToPointInTime. As on AWS, tags, time to live, protection and the keeping of the past are not taken along.
pub(crate) async fn restore(service: &Service, request: &Request) -> Result<Json, Error> {
    let named = request
        .text("SourceTableArn")?
        .or(request.text("SourceTableName")?);
    let source = request
        .home
        .stored(request.required("SourceTableName", named)?, "SourceTableName")?;
    let target = request.required("TargetTableName", request.text("TargetTableName")?)?;
    let target = request.home.stored(target, "TargetTableName")?;
    let source = service.table(&source).await.map_err(no_such_table)?;
    let at = moment(request, service.now(), &source)?;
    let mut description = describe(&source)?;
    description.restored = Some((request.home.arn(&source.name), at));
    (description.deletion_protection, description.time_to_live) = (false, None);
    description.tags.clear();
    description.change(&overrides(request)?, service.now())?;
    let restored = service
        .restore_table(
            &source,
            &target,
            document(&description),
            description.encrypted,
            at,
        )
        .await;
    let table = restored.map_err(|error| match error {
        ServiceError::TableExists(name) => Error::Special {
            code: "TableAlreadyExistsException",
            message: format!("Table already exists: {}", split(&name).1),
        },
        other => other.into(),
    })?;
    Ok(json!({ "TableDescription": show(service, request, &table, "CREATING").await? }))
}

/// Which moment is to be restored.
fn moment(request: &Request, now: Time, source: &Table) -> Result<Time, Error> {
    let name = split(&source.name).1;
    let Some(past) = source.past else {
        return Err(Error::Special {
            code: "PointInTimeRecoveryUnavailableException",
            message: format!("Point in time recovery is not enabled for table '{name}'"),
        });
    };
    let at = match (
        request.flag("UseLatestRestorableTime")?,
        request.seconds("RestoreDateTime")?,
    ) {
        (true, None) => return Ok(now),
        (false, Some(at)) => at,
        (true, Some(_)) | (false, None) => {
            return invalid(
                "One or more parameter values were invalid: Exactly one of UseLatestRestorableTime and RestoreDateTime must be specified",
            );
        }
    };
    if at < past.earliest(now) || at > now {
        return Err(Error::Special {
            code: "InvalidRestoreTimeException",
            message: format!(
                "An invalid restore time was specified. RestoreDateTime must be between {} and {}, in seconds since 1970.",
                seconds(past.earliest(now)),
                seconds(now)
            ),
        });
    }
    Ok(at)
}

/// What the new table is to have otherwise, as UpdateTable would say it.
fn overrides(request: &Request) -> Result<Request, Error> {
    let mut fields = serde_json::Map::new();
    for (name, field) in [
        ("BillingModeOverride", "BillingMode"),
        ("ProvisionedThroughputOverride", "ProvisionedThroughput"),
        ("SSESpecificationOverride", "SSESpecification"),
        ("GlobalSecondaryIndexOverride", "GlobalSecondaryIndexes"),
        ("LocalSecondaryIndexOverride", "LocalSecondaryIndexes"),
        ("OnDemandThroughputOverride", "OnDemandThroughput"),
    ] {
        if let Some(value) = request.get(name) {
            fields.insert(field.to_owned(), value.clone());
        }
    }
    Request::nested(&Json::Object(fields))
}

fn no_such_table(error: ServiceError) -> Error {
    match error {
        ServiceError::NoSuchTable(name) => Error::Special {
            code: "TableNotFoundException",
            message: format!("Table not found: {}", split(&name).1),
        },
        other => other.into(),
    }
}

/// DescribeContributorInsights: no table has any.
pub(crate) async fn contributor_insights(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = service.table(&request.table_name()?).await?;
    Ok(json!({ "TableName": split(&table.name).1, "ContributorInsightsStatus": "DISABLED" }))
}

/// DescribeKinesisStreamingDestination: no table has any.
pub(crate) async fn streaming_destinations(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = service.table(&request.table_name()?).await?;
    Ok(json!({ "TableName": split(&table.name).1, "KinesisDataStreamDestinations": [] }))
}

/// GetResourcePolicy: no table has one.
pub(crate) async fn resource_policy(service: &Service, request: &Request) -> Result<Json, Error> {
    let table = tagged(service, request).await?;
    Err(Error::Special {
        code: "PolicyNotFoundException",
        message: format!(
            "Resource-based policy not found for the provided ResourceArn: {}",
            request.home.arn(&table.name)
        ),
    })
}
