//! A store with a bucket and a table of a test's own, and what stands at it: the command line, Terraform, the library.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use tidelock_operator::{
    aws::{Access, Environment, Settings},
    layout::Layout,
};
use tidelock_testkit::{Hermetic, LossyProxy, Output, Store, Terraform, wait_until};

use crate::common::{BINARY, command};

/// Tells the buckets of one program's tests apart: they share moto.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A store, and a versioned bucket and a lock table in it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) hermetic: Hermetic,
    pub(crate) bucket: String,
    pub(crate) table: String,
}

/// One world a store.
pub(crate) fn worlds() -> Vec<World> {
    Store::both(BINARY).into_iter().map(World::of).collect()
}

/// A Tidelock server alone, for what moto does not do.
pub(crate) fn tidelock_alone() -> World {
    World::of(Store::tidelock(BINARY))
}

impl World {
    fn of(store: Store) -> World {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (bucket, table) = (format!("states-{number}"), format!("locks-{number}"));
        store.bucket(&bucket);
        store.table(&table);
        World {
            store,
            hermetic: Hermetic::new(),
            bucket,
            table,
        }
    }

    /// The directory that the command line stands in.
    pub(crate) fn workdir(&self) -> PathBuf {
        self.hermetic.workdir("work")
    }

    /// `tidelock ARGUMENTS` with the store in its environment, without a terminal.
    pub(crate) fn says(&self, arguments: &[&str], status: i32) -> Output {
        self.says_in(&self.workdir(), arguments, status)
    }

    /// The same in another directory.
    pub(crate) fn says_in(&self, dir: &Path, arguments: &[&str], status: i32) -> Output {
        let mut command = command(&self.hermetic, arguments);
        command.current_dir(dir).stdin(Stdio::null());
        self.store.apply(&mut command);
        Output::of(command).with_status(status)
    }

    /// The same, with a signal (`-INT`) to it while a request of this description is on its way.
    pub(crate) fn signalled(&self, arguments: &[&str], signal: &str, request: &'static str) -> Output {
        let proxy = LossyProxy::start(self.store.endpoint.trim_start_matches("http://"), Vec::new());
        proxy.keep_back(request);
        let mut command = command(&self.hermetic, arguments);
        self.store.apply(&mut command);
        command
            .env("AWS_ENDPOINT_URL", proxy.endpoint())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let running = command.spawn().unwrap();
        wait_until("the request is on its way", || proxy.kept_back() == 1);
        let sent = Command::new("kill")
            .args([signal, &running.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
        proxy.let_go();
        let ended = running.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Output {
            command: arguments.join(" "),
            status: ended.status,
            stdout: text(ended.stdout),
            stderr: text(ended.stderr),
        }
    }

    /// A backend block for a state, with these lines beside bucket, key and region.
    pub(crate) fn backend(&self, key: &str, lines: &str) -> String {
        format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"{}\"\n    key    = \"{key}\"\n    region = \"us-east-1\"\n{lines}\n  }}\n}}\n",
            self.bucket
        )
    }

    /// Terraform in a directory of this name, with such a block.
    pub(crate) fn terraform<'a>(
        &'a self,
        binary: &Path,
        name: &str,
        key: &str,
        lines: &str,
    ) -> Terraform<'a> {
        let terraform = self.store.terraform(binary, &self.hermetic, name);
        terraform.write("backend.tf", self.backend(key, lines));
        terraform
    }

    /// The bucket and the table, as the toolkit's library sees them.
    pub(crate) fn layout(&self) -> Layout {
        self.layout_at(&self.store.endpoint)
    }

    /// The same through another endpoint, which leads there.
    pub(crate) fn layout_at(&self, endpoint: &str) -> Layout {
        let keys = &self.store.credentials;
        let variables = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_ACCESS_KEY_ID", keys.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", keys.secret_access_key.as_str()),
            ("HOME", "/nonexistent"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let settings = Settings::load(Environment::new(variables), Default::default()).unwrap();
        let access = Access::new(settings).unwrap();
        Layout::new(access, self.bucket.clone(), Some(self.table.clone())).unwrap()
    }
}

/// Waits for the library.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

/// A state that no other one is like.
pub(crate) fn state(serial: u64, lineage: &str) -> Vec<u8> {
    let resource =
        format!(r#"{{"mode":"managed","type":"t","name":"n{serial}","provider":"p","instances":[]}}"#);
    format!(
        "{{\"version\":4,\"terraform_version\":\"1.11.4\",\"serial\":{serial},\"lineage\":\"{lineage}\",\"outputs\":{{}},\"resources\":[{resource}]}}\n"
    )
    .into()
}
