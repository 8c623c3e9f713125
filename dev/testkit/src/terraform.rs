//! The real `terraform` (or `tofu`), run as a user runs it.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::JoinHandle,
};

use crate::{
    REGION,
    hermetic::{Hermetic, Output},
    server::{Credentials, TestServer, show},
    wait_until,
};

/// One working directory with the environment that points Terraform at a server.
#[derive(Debug)]
pub struct Terraform<'a> {
    binary: PathBuf,
    launcher: Vec<String>,
    hermetic: &'a Hermetic,
    workdir: PathBuf,
    environment: Vec<(String, String)>,
}

impl<'a> Terraform<'a> {
    /// The program to test with: `TIDELOCK_TERRAFORM`, or `terraform` on the path.
    ///
    /// Where there is none the test is to be skipped, unless `TIDELOCK_REQUIRE_TERRAFORM=1` makes that a failure.
    #[must_use]
    pub fn find() -> Option<PathBuf> {
        let binary = std::env::var_os("TIDELOCK_TERRAFORM").map_or_else(|| "terraform".into(), PathBuf::from);
        let found = Command::new(&binary)
            .arg("version")
            .output()
            .is_ok_and(|output| output.status.success());
        if found {
            return Some(binary);
        }
        let reason = format!(
            "{} does not run; TIDELOCK_TERRAFORM names another",
            binary.display()
        );
        assert!(
            std::env::var("TIDELOCK_REQUIRE_TERRAFORM").as_deref() != Ok("1"),
            "{reason}"
        );
        show(&format!("skipped: {reason}"));
        None
    }

    /// A working directory of this name, which needs nothing but the endpoint, a key pair and a region.
    #[must_use]
    pub fn new(binary: &Path, hermetic: &'a Hermetic, server: &TestServer, name: &str) -> Self {
        let mut terraform = Self::at(binary, hermetic, server.endpoint(), server.credentials(), name);
        if server.endpoint().starts_with("https://") {
            let ca = server.ca();
            let pem = std::fs::read_to_string(&ca).expect("a server with TLS has made itself an authority");
            terraform.set("AWS_CA_BUNDLE", ca.display().to_string());
            terraform.set("TF_HTTP_CLIENT_CA_CERTIFICATE_PEM", pem);
        }
        terraform
    }

    /// The same for any endpoint that speaks S3 and DynamoDB.
    #[must_use]
    pub fn at(
        binary: &Path,
        hermetic: &'a Hermetic,
        endpoint: &str,
        credentials: &Credentials,
        name: &str,
    ) -> Self {
        let environment = [
            ("AWS_ENDPOINT_URL", endpoint),
            ("AWS_REGION", REGION),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id.as_str()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.as_str()),
            ("TF_HTTP_USERNAME", credentials.access_key_id.as_str()),
            ("TF_HTTP_PASSWORD", credentials.secret_access_key.as_str()),
        ];
        let environment = environment
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        Self {
            binary: binary.to_owned(),
            launcher: Vec::new(),
            hermetic,
            workdir: hermetic.workdir(name),
            environment,
        }
    }

    /// With another way to the server than its own address.
    #[must_use]
    pub fn through(mut self, endpoint: &str) -> Self {
        self.set("AWS_ENDPOINT_URL", endpoint.to_owned());
        self
    }

    /// The same, started by another program with these arguments, as in `tidelock run -- terraform`.
    #[must_use]
    pub fn under(mut self, launcher: &[&str]) -> Self {
        self.launcher = launcher.iter().map(|word| (*word).to_owned()).collect();
        self
    }

    /// As one run of several that share a key: told apart by what it appends to the User-Agent, and on http,
    /// where Terraform appends nothing, by what follows the key in the user name.
    #[must_use]
    pub fn as_run(mut self, token: &str) -> Self {
        let key = |(name, _): &&(String, String)| name == "AWS_ACCESS_KEY_ID";
        let (_, key) = self.environment.iter().find(key).expect("set by `new`");
        let user = format!("{key}+{token}");
        self.set("TF_APPEND_USER_AGENT", token.to_owned());
        self.set("TF_HTTP_USERNAME", user);
        self
    }

    /// With one more environment variable, or another value of it.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value.to_owned());
        self
    }

    /// With no access key at all.
    #[must_use]
    pub fn without_key(mut self) -> Self {
        self.environment
            .retain(|(name, _)| !["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].contains(&name.as_str()));
        self
    }

    /// With another access key than the operator's.
    #[must_use]
    pub fn with_key(mut self, id: &str, secret: &str) -> Self {
        self.set("AWS_ACCESS_KEY_ID", id.to_owned());
        self.set("AWS_SECRET_ACCESS_KEY", secret.to_owned());
        self
    }

    fn set(&mut self, name: &str, value: String) {
        self.environment.retain(|(other, _)| other != name);
        self.environment.push((name.to_owned(), value));
    }

    /// A file of the working directory.
    #[must_use]
    pub fn path(&self, file: &str) -> PathBuf {
        self.workdir.join(file)
    }

    /// Writes a file of the working directory.
    pub fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), content).expect("a working directory takes files");
    }

    /// Runs to the end, whatever comes of it.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> Output {
        Output::of(self.command(args))
    }

    /// Runs to the end and fails the test if the command fails.
    pub fn ok(&self, args: &[&str]) -> Output {
        self.run(args).succeeded()
    }

    /// Starts the command and leaves it running.
    #[must_use]
    pub fn start(&self, args: &[&str]) -> Running {
        let mut command = self.command(args);
        let shown = format!("{} {}", self.binary.display(), args.join(" "));
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.unwrap_or_else(|error| panic!("cannot run {shown}: {error}"));
        let stdout = drain(child.stdout.take().expect("it was asked for"));
        let stderr = drain(child.stderr.take().expect("it was asked for"));
        Running {
            child,
            shown,
            stdout: Some(stdout),
            stderr: Some(stderr),
            release: self.path("release"),
        }
    }

    /// Waits until a provisioner has made this file.
    pub fn wait_for(&self, file: &str) {
        let path = self.path(file);
        wait_until(&format!("{} is there", path.display()), || path.exists());
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut words = self
            .launcher
            .iter()
            .map(PathBuf::from)
            .chain([self.binary.clone()]);
        let program = words.next().unwrap_or_default();
        let mut command = self.hermetic.command(program, &self.workdir);
        command
            .args(words)
            .args(args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A command that has been started; killed on drop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    shown: String,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    release: PathBuf,
}

impl Running {
    /// Waits for the end.
    #[must_use]
    pub fn finish(mut self) -> Output {
        let status = self.child.wait().expect("a child of ours can be waited for");
        let text = |reader: Option<JoinHandle<String>>| {
            reader
                .expect("taken only here")
                .join()
                .expect("reading does not panic")
        };
        Output {
            command: self.shown.clone(),
            status,
            stdout: text(self.stdout.take()),
            stderr: text(self.stderr.take()),
        }
    }

    /// Its process ID.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_none())
    }

    /// Sends this signal, as `INT` or `STOP`, to the program alone.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args(["-s", name, &self.child.id().to_string()])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "SIG{name} reaches {}",
            self.shown
        );
    }

    /// Ends it as a crash of the CI machine would: it unlocks nothing.
    pub fn kill9(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The provisioner's shell is no child of ours, and would go on waiting for this.
        let _ = std::fs::write(&self.release, "");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_running() {
            self.stop();
        }
    }
}

fn drain(mut stream: impl std::io::Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A resource whose creation makes the file `started` and lasts until there is a file `release`, a minute at most.
#[must_use]
pub fn hold_until_released() -> &'static str {
    r#"
resource "terraform_data" "hold" {
  provisioner "local-exec" {
    command = "touch started; i=0; while [ ! -e release ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done"
  }
}
"#
}

/// A state as Terraform writes it, with one output of `padding`.
#[must_use]
pub fn state_document(serial: u64, lineage: &str, padding: &str) -> String {
    let padding = serde_json::Value::from(padding);
    format!(
        r#"{{
  "version": 4,
  "terraform_version": "1.11.4",
  "serial": {serial},
  "lineage": "{lineage}",
  "outputs": {{
    "padding": {{
      "value": {padding},
      "type": "string"
    }}
  }},
  "resources": [],
  "check_results": null
}}
"#
    )
}
