//! `aws_dynamodb_table`: what the guides declare, and what is refused.

use serde_json::json;
use tidelock_testkit::Request;

use crate::World;

const TABLE: &str = r#"
resource "aws_dynamodb_table" "locks" {
  name         = "team-locks"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "LockID"

  attribute {
    name = "LockID"
    type = "S"
  }

  tags = { team = "platform" }
}

output "arn" {
  value = aws_dynamodb_table.locks.arn
}
"#;

/// What careful teams add to it.
const CAREFUL: &str = r#"
  deletion_protection_enabled = true

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }

  ttl {
    enabled        = true
    attribute_name = "Expires"
  }

  tags"#;

fn provisioned(read: u64) -> String {
    let capacity = format!("\"PROVISIONED\"\n  read_capacity = {read}\n  write_capacity = 2");
    TABLE.replace("\"PAY_PER_REQUEST\"", &capacity)
}

#[test]
fn a_lock_table_is_applied_changed_imported_and_destroyed() {
    let Some(world) = World::new() else { return };
    let table = format!("provider \"aws\" {{ region = \"eu-central-1\" }}\n{TABLE}");
    let project = world.project("locks", &table);
    project.apply();
    let arn = project.output("arn");
    assert_eq!(arn, "arn:aws:dynamodb:eu-central-1:000000000000:table/team-locks");
    project.change_to(&table.replace("tags", CAREFUL.trim()));
    project.import(&[("aws_dynamodb_table.locks", "team-locks")]);
    project.destroy_is_refused("protected against deletion");
    project.change_to(&table.replace("platform", "network"));
    project.destroy();
}

#[test]
fn capacity_is_provisioned_changed_and_given_up() {
    let Some(world) = World::new() else { return };
    let project = world.project("capacity", &provisioned(1));
    project.apply();
    project.change_to(&provisioned(7));
    project.change_to(TABLE);
    project.destroy();
}

#[test]
fn a_table_of_another_key_works_and_the_log_says_that_terraform_will_not_lock_on_it() {
    let Some(world) = World::new() else { return };
    let other = TABLE.replace("LockID", "Id");
    let project = world.project("other", &other);
    project.apply();
    let put = json!({"TableName": "team-locks", "Item": {"Id": {"S": "a"}, "Info": {"S": "b"}}});
    let response = world
        .server
        .client()
        .send(&Request::dynamodb("PutItem", put.to_string()));
    assert_eq!(response.status, 200, "{}", response.text());
    let log = world.server.log();
    let warnings = log
        .lines()
        .filter(|line| line.contains("Terraform cannot lock on this table"));
    assert_eq!(warnings.count(), 1, "{log}");
    project.destroy();
}

#[test]
fn what_no_table_here_has_is_refused_by_its_name() {
    let Some(world) = World::new() else { return };
    let index = "global_secondary_index {\n name = \"i\"\n hash_key = \"LockID\"\n projection_type = \"ALL\"\n }\n tags";
    let stream = "stream_enabled = true\n stream_view_type = \"KEYS_ONLY\"\n tags";
    let project = world.project("refused", &TABLE.replace("tags", index));
    project.apply_is_refused("GlobalSecondaryIndexes is not supported by this server");
    project.rewrite(&TABLE.replace("tags", stream));
    project.apply_is_refused("StreamSpecification is not supported by this server");
}
