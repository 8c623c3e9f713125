//! States from a kilobyte to forty megabytes: single and multipart uploads, whole and ranged reads.

use tidelock_testkit::{
    Backend::{self, Both, Http, LockFile},
    BackendConfig, Rng, state_document,
};

use crate::World;

#[test]
fn a_state_of_a_kilobyte_comes_back_whole_over_s3() {
    comes_back_whole(LockFile, 1 << 10);
}

#[test]
fn a_state_of_a_kilobyte_comes_back_whole_over_http() {
    comes_back_whole(Http, 1 << 10);
}

#[test]
fn a_state_of_six_megabytes_comes_back_whole_over_s3() {
    comes_back_whole(Both, 6 << 20);
}

#[test]
fn a_state_of_six_megabytes_comes_back_whole_over_http() {
    comes_back_whole(Http, 6 << 20);
}

#[test]
fn a_state_of_forty_megabytes_comes_back_whole_over_s3() {
    comes_back_whole(Both, 40 << 20);
}

#[test]
fn a_state_of_forty_megabytes_comes_back_whole_over_http() {
    comes_back_whole(Http, 40 << 20);
}

/// Applies a state of about `size` bytes, reads it back in another directory, changes it there.
fn comes_back_whole(backend: Backend, size: usize) {
    let Some(world) = World::new() else { return };
    let config = BackendConfig::new(backend, "large.tfstate");
    let terraform = world.project("a", &config, OUTPUT);
    let padding = Rng::new(size as u64).text(size - state_document(1, "", "").len());
    let pushed = state_document(1, "6a1d31b2-35b9-4d4d-8d3c-0f5a4ad3a0f1", &padding);
    terraform.write("large.tfstate", &pushed);
    terraform.write("padding.txt", &padding);
    terraform.ok(&["state", "push", "large.tfstate"]);
    let stored = world.stored(&config);
    assert!(stored.len() >= size, "{} bytes are stored", stored.len());
    let pulled = terraform.ok(&["state", "pull"]).stdout;
    assert!(
        pulled.trim_end().as_bytes() == stored.trim_ascii_end(),
        "the pulled state is the stored one"
    );
    assert!(pulled.contains(&padding), "the pulled state is the pushed one");

    let elsewhere = world.project("b", &config, &OUTPUT.replace("padding.txt", "changed.txt"));
    let changed = format!("changed{}", &padding[7..]);
    elsewhere.write("changed.txt", &changed);
    assert!(
        elsewhere
            .ok(&["apply", "-auto-approve"])
            .stdout
            .contains("Apply complete")
    );
    let stored = String::from_utf8(world.stored(&config)).unwrap();
    assert!(
        stored.contains(&changed) && !stored.contains(&padding),
        "the apply replaced it"
    );
    assert!(world.is_unlocked(&config));
}

/// Sensitive, or Terraform prints all of it.
const OUTPUT: &str = r#"
output "padding" {
  value     = sensitive(file("${path.module}/padding.txt"))
  sensitive = true
}
"#;
