//! A server, Terraform with the AWS provider, and what tests of resources do with them.

use std::{
    env,
    path::{Path, PathBuf},
};

use tidelock_testkit::{Hermetic, Output, Terraform, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_tidelock");

/// Names the directory that has `registry.terraform.io/hashicorp/aws` in it, unpacked: Terraform then links to the
/// provider instead of copying it.
const MIRROR: &str = "TIDELOCK_AWS_PROVIDER_MIRROR";

/// What every configuration starts with; the endpoint, the key and the region are in the environment.
const PROVIDER: &str = r#"
terraform {
  required_providers {
    aws = { source = "registry.terraform.io/hashicorp/aws" }
  }
}
"#;

/// A server and a sealed-off environment in which Terraform finds the AWS provider.
pub(crate) struct World {
    pub(crate) server: TestServer,
    hermetic: Hermetic,
    terraform: PathBuf,
}

impl World {
    /// `None` where Terraform or the provider is missing and not required.
    pub(crate) fn new() -> Option<Self> {
        Self::with_settings("")
    }

    /// With these settings in the server's configuration file.
    pub(crate) fn with_settings(settings: &str) -> Option<Self> {
        let mirror = mirror()?;
        let terraform = Terraform::find()?;
        let hermetic = Hermetic::new();
        hermetic.configure_terraform(&format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            mirror.display()
        ));
        Some(Self {
            server: TestServer::start_with(BINARY, settings),
            hermetic,
            terraform,
        })
    }

    /// Terraform in a directory of its own, which has no configuration yet.
    pub(crate) fn terraform(&self, name: &str) -> Terraform<'_> {
        Terraform::new(&self.terraform, &self.hermetic, &self.server, name)
    }

    /// An initialised directory with these resources, and its state in a file. `provider` and `backend` blocks may be
    /// among them.
    pub(crate) fn project(&self, name: &str, resources: &str) -> Project<'_> {
        let project = Project {
            terraform: self.terraform(name),
        };
        project.rewrite(resources);
        project.terraform.ok(&["init"]);
        project
    }
}

/// A directory with a configuration.
pub(crate) struct Project<'a> {
    terraform: Terraform<'a>,
}

impl Project<'_> {
    /// Has the configuration declare these resources from now on.
    pub(crate) fn rewrite(&self, resources: &str) {
        self.terraform.write("main.tf", PROVIDER.to_owned() + resources);
    }

    /// Applies what is declared; then there is nothing left to do.
    pub(crate) fn apply(&self) -> Output {
        let applied = self.terraform.ok(&["apply", "-auto-approve", "-no-color"]);
        self.plan_is_empty();
        applied
    }

    /// Declares these resources and applies them.
    pub(crate) fn change_to(&self, resources: &str) -> Output {
        self.rewrite(resources);
        self.apply()
    }

    /// Applies what is declared, which fails, and with these words.
    pub(crate) fn apply_is_refused(&self, words: &str) {
        let refused = self
            .terraform
            .run(&["apply", "-auto-approve", "-no-color"])
            .failed();
        assert!(refused.flowing().contains(words), "{}", refused.text());
    }

    /// What is there is what is declared, as the provider reads it anew.
    pub(crate) fn plan_is_empty(&self) {
        let plan = self.terraform.run(&["plan", "-detailed-exitcode", "-no-color"]);
        assert_eq!(plan.status.code(), Some(0), "{}", plan.text());
    }

    /// Forgets these resources and finds them again by their IDs; then there is nothing left to do.
    pub(crate) fn import(&self, resources: &[(&str, &str)]) {
        self.find_again(resources);
        self.plan_is_empty();
    }

    /// The same where the configuration has arguments that no answer of AWS has: one apply puts them back into the state.
    pub(crate) fn import_and_apply(&self, resources: &[(&str, &str)]) {
        self.find_again(resources);
        self.apply();
    }

    fn find_again(&self, resources: &[(&str, &str)]) {
        for (address, _) in resources {
            self.terraform.ok(&["state", "rm", address]);
        }
        for (address, id) in resources {
            self.terraform.ok(&["import", "-no-color", address, id]);
        }
    }

    /// The value of an output.
    pub(crate) fn output(&self, name: &str) -> String {
        self.terraform.ok(&["output", "-raw", name]).stdout
    }

    /// Destroying everything fails, and with these words.
    pub(crate) fn destroy_is_refused(&self, words: &str) {
        let refused = self
            .terraform
            .run(&["destroy", "-auto-approve", "-no-color"])
            .failed();
        assert!(refused.flowing().contains(words), "{}", refused.text());
    }

    /// Destroys everything.
    pub(crate) fn destroy(&self) {
        self.terraform.ok(&["destroy", "-auto-approve", "-no-color"]);
        let left = self.terraform.ok(&["state", "list"]).stdout;
        assert!(left.is_empty(), "{left}");
    }
}

/// The mirror. Where none is named the test is to be skipped, unless `TIDELOCK_REQUIRE_AWS_PROVIDER=1` makes that a failure.
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn mirror() -> Option<PathBuf> {
    let named = env::var_os(MIRROR).map(PathBuf::from);
    let provider = Path::new("registry.terraform.io/hashicorp/aws");
    let found = named.filter(|mirror| mirror.join(provider).is_dir());
    if found.is_none() {
        let reason = format!("{MIRROR} names no directory with {} in it", provider.display());
        let required = env::var("TIDELOCK_REQUIRE_AWS_PROVIDER").as_deref() == Ok("1");
        assert!(!required, "{reason}");
        eprintln!("skipped: {reason}");
    }
    found
}
