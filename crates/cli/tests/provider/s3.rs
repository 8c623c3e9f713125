//! `aws_s3_bucket` and everything that is declared beside it.

use crate::World;

/// A bucket for states as the usual guides write it.
const STATES: &str = r#"
resource "aws_s3_bucket" "states" {
  bucket = "team-states"
  tags   = { team = "platform" }
}

resource "aws_s3_bucket_versioning" "states" {
  bucket = aws_s3_bucket.states.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "states" {
  bucket = aws_s3_bucket.states.id
  rule {
    apply_server_side_encryption_by_default { sse_algorithm = "AES256" }
  }
}

resource "aws_s3_bucket_public_access_block" "states" {
  bucket                  = aws_s3_bucket.states.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_caller_identity" "current" {}

data "aws_iam_policy_document" "states" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.states.arn, "${aws_s3_bucket.states.arn}/*"]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "NumericLessThan"
      variable = "s3:TlsVersion"
      values   = ["1.2"]
    }
  }
}

resource "aws_s3_bucket_policy" "states" {
  bucket     = aws_s3_bucket.states.id
  policy     = data.aws_iam_policy_document.states.json
  depends_on = [aws_s3_bucket_public_access_block.states]
}

resource "aws_s3_bucket_lifecycle_configuration" "states" {
  bucket     = aws_s3_bucket.states.id
  depends_on = [aws_s3_bucket_versioning.states]

  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days           = 90
      newer_noncurrent_versions = 10
    }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }

  rule {
    id     = "branches"
    status = "Enabled"
    filter { prefix = "env:/branch-" }
    expiration { days = 30 }
  }

  rule {
    id     = "markers"
    status = "Enabled"
    filter { prefix = "" }
    expiration { expired_object_delete_marker = true }
  }
}

resource "aws_s3_bucket_ownership_controls" "states" {
  bucket = aws_s3_bucket.states.id
  rule { object_ownership = "BucketOwnerEnforced" }
}

data "aws_s3_bucket" "found" {
  bucket = aws_s3_bucket.states.id
}

output "arn" {
  value = data.aws_s3_bucket.found.arn
}
"#;

const PARTS: [&str; 7] = [
    "aws_s3_bucket.states",
    "aws_s3_bucket_versioning.states",
    "aws_s3_bucket_server_side_encryption_configuration.states",
    "aws_s3_bucket_public_access_block.states",
    "aws_s3_bucket_policy.states",
    "aws_s3_bucket_lifecycle_configuration.states",
    "aws_s3_bucket_ownership_controls.states",
];

#[test]
fn a_bucket_for_states_is_applied_changed_imported_and_destroyed() {
    let Some(world) = World::new() else { return };
    let project = world.project("states", STATES);
    project.apply();
    assert_eq!(project.output("arn"), "arn:aws:s3:::team-states");
    project.import(&PARTS.map(|part| (part, "team-states")));
    let changed = STATES
        .replace("platform", "network")
        .replace("noncurrent_days           = 90", "noncurrent_days           = 30")
        .replace("days = 30 }", "days = 14 }")
        .replace(
            "restrict_public_buckets = true",
            "restrict_public_buckets = false",
        );
    project.change_to(&changed);
    project.destroy();
}

const LOCKED: &str = r#"
resource "aws_s3_bucket" "kept" {
  bucket              = "team-kept"
  object_lock_enabled = true
  force_destroy       = true
}

resource "aws_s3_bucket_object_lock_configuration" "kept" {
  bucket = aws_s3_bucket.kept.id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = 5
    }
  }
}

resource "aws_s3_object" "kept" {
  bucket     = aws_s3_bucket.kept.id
  key        = "notes/one"
  content    = "one"
  depends_on = [aws_s3_bucket_object_lock_configuration.kept]

  object_lock_mode              = "GOVERNANCE"
  object_lock_retain_until_date = "2999-01-01T00:00:00Z"
  object_lock_legal_hold_status = "OFF"
  force_destroy                 = true
}
"#;

#[test]
fn a_bucket_with_object_lock_is_destroyed_by_force_alone() {
    let Some(world) = World::new() else { return };
    let project = world.project("kept", LOCKED);
    project.apply();
    project.import(&[("aws_s3_bucket_object_lock_configuration.kept", "team-kept")]);
    project.change_to(
        &LOCKED
            .replace("days = 5", "days = 6")
            .replace("\"OFF\"", "\"ON\""),
    );
    project.destroy();
}

const LISTS: &str = r#"
resource "aws_s3_bucket" "logs" {
  bucket        = "team-logs"
  force_destroy = true
}

resource "aws_s3_bucket_ownership_controls" "logs" {
  bucket = aws_s3_bucket.logs.id
  rule { object_ownership = "BucketOwnerPreferred" }
}

resource "aws_s3_bucket_acl" "logs" {
  bucket     = aws_s3_bucket.logs.id
  acl        = "log-delivery-write"
  depends_on = [aws_s3_bucket_ownership_controls.logs]
}

resource "aws_s3_bucket" "states" {
  bucket = "team-logged"
}

resource "aws_s3_bucket_logging" "states" {
  bucket        = aws_s3_bucket.states.id
  target_bucket = aws_s3_bucket.logs.id
  target_prefix = "access/"
}

resource "aws_s3_object" "note" {
  bucket       = aws_s3_bucket.logs.id
  key          = "notes/note.json"
  content      = jsonencode({ a = 1 })
  content_type = "application/json"
  tags         = { kind = "note" }
}
"#;

#[test]
fn lists_and_objects_are_applied_changed_imported_and_destroyed() {
    let Some(world) = World::new() else { return };
    let project = world.project("lists", LISTS);
    project.apply();
    project.import(&[
        ("aws_s3_bucket_acl.logs", "team-logs,log-delivery-write"),
        ("aws_s3_bucket_ownership_controls.logs", "team-logs"),
        ("aws_s3_bucket_logging.states", "team-logged"),
    ]);
    project.change_to(
        &LISTS
            .replace("access/", "log/")
            .replace("log-delivery-write", "private")
            .replace("a = 1", "a = 2"),
    );
    project.destroy();
}

const COPIED: &str = r#"
resource "aws_s3_bucket" "copied" {
  bucket = "team-copied"
}

resource "aws_s3_bucket_versioning" "copied" {
  bucket = aws_s3_bucket.copied.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_replication_configuration" "copied" {
  bucket     = aws_s3_bucket.copied.id
  role       = "arn:aws:iam::000000000000:role/copy"
  depends_on = [aws_s3_bucket_versioning.copied]
  rule {
    id     = "all"
    status = "Enabled"
    destination { bucket = "arn:aws:s3:::elsewhere" }
  }
}
"#;

#[test]
fn replication_is_refused() {
    let Some(world) = World::new() else { return };
    let project = world.project("copied", COPIED);
    project.apply_is_refused("does not implement PutBucketReplication");
}
