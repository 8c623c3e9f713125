//! Stock `terraform apply -lock-timeout=10m`, many at once on one state, each as its user would run it.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tidelock_testkit::{BUCKET, Hermetic, REGION, Request};

use super::{
    line::{Exchange, What},
    proxy::Proxy,
    stalls::Stalls,
};
use crate::{machine, servers::Server};

/// Enough that clients arrive in the order of their start, and little against what each holds the lock for.
const STAGGER: Duration = Duration::from_millis(50);

/// How often the ends of the processes are looked for: a thousandth of what is measured.
const POLL: Duration = Duration::from_millis(2);

/// Each apply replaces the one resource, and so holds the lock for two seconds and writes a new serial. Nothing of it
/// needs a provider from outside.
const RESOURCE: &str = r#"
variable "apply" {}

resource "terraform_data" "hold" {
  triggers_replace = var.apply
  provisioner "local-exec" {
    command = "sleep 2"
  }
}
"#;

/// Working directories for one state on one server, initialised.
pub(crate) struct Field<'a> {
    server: &'a Server,
    hermetic: Hermetic,
    key: String,
    dirs: Vec<PathBuf>,
    /// What no apply has been given yet: an apply of the same would change nothing.
    next: usize,
}

/// What came of it when some of them applied at once.
pub(crate) struct Race {
    /// When each process was gone, in seconds after the start of the first; when the cap cut it off, then.
    pub(crate) ended: Vec<f64>,
    /// How many applied what they were to apply.
    pub(crate) applied: usize,
    /// What those said who did not, one line each.
    pub(crate) failures: Vec<String>,
    /// Whether the cap ended it.
    pub(crate) cut_off: bool,
    /// Accepted state writes that are not in the state's serial: another one overwrote them.
    pub(crate) lost_updates: i64,
    /// Processor time of the Terraform processes, in seconds.
    pub(crate) processor: f64,
    /// How much of all cores was busy with anything, from 0 to 1.
    pub(crate) busy: f64,
    /// Milliseconds by which a thread that only wakes up was late, each time.
    pub(crate) stalls: Vec<f64>,
    /// What the proxy saw.
    pub(crate) exchanges: Vec<Exchange>,
}

impl Race {
    /// From the start of the first process to the end of the last.
    pub(crate) fn whole(&self) -> f64 {
        self.ended.iter().copied().fold(0.0, f64::max)
    }
}

impl<'a> Field<'a> {
    /// Makes and initialises so many working directories.
    pub(crate) fn prepare(server: &'a Server, clients: usize) -> Result<Self> {
        let hermetic = Hermetic::new();
        let key = format!("bench/queue-{clients}.tfstate");
        let dirs = (0..clients)
            .map(|client| hermetic.workdir(&format!("apply-{client}")))
            .collect();
        let field = Self {
            server,
            hermetic,
            key,
            dirs,
            next: 0,
        };
        for client in 0..clients {
            field
                .initialise(client)
                .with_context(|| format!("terraform init at {}", server.name))?;
        }
        Ok(field)
    }

    fn initialise(&self, client: usize) -> Result<()> {
        let backend = format!(
            "terraform {{\n  backend \"s3\" {{\n    bucket = \"{BUCKET}\"\n    key = \"{}\"\n    \
             region = \"{REGION}\"\n    use_lockfile = true\n  }}\n}}\n",
            self.key
        );
        fs::write(self.dirs[client].join("main.tf"), backend + RESOURCE)?;
        let endpoint = format!("http://{}", self.server.authority());
        let output = self.terraform(client, &endpoint).arg("init").output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    }

    fn terraform(&self, client: usize, endpoint: &str) -> Command {
        let credentials = self.server.credentials();
        let mut command = self.hermetic.command("terraform", &self.dirs[client]);
        command
            .env("TF_DATA_DIR", self.dirs[client].join("data"))
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", &credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key);
        command
    }

    /// Lets the first `clients` apply, one started right after the other, and waits for all of them, `cap` at most.
    pub(crate) fn race(&mut self, clients: usize, cap: Duration) -> Result<Race> {
        let proxy = Proxy::new(self.server.authority());
        let endpoints: Vec<String> = (0..clients)
            .map(|client| proxy.door(client))
            .collect::<Result<_>>()?;
        let serial = self.serial()?;
        let (processor, cores) = (machine::processor_of_children()?, machine::Cores::now()?);
        let stalls = Stalls::watch();
        let begun = proxy.now();
        let mut children = Vec::new();
        for (client, endpoint) in endpoints.iter().enumerate() {
            let due = begun + STAGGER.as_secs_f64() * client as f64;
            std::thread::sleep(Duration::from_secs_f64((due - proxy.now()).max(0.0)));
            children.push(self.start(client, endpoint)?);
        }
        let ends = wait(children, &proxy, begun + cap.as_secs_f64())?;
        let stalls = stalls.end();
        let exchanges = since(begun, proxy.exchanges());
        let accepted = exchanges
            .iter()
            .filter(|one| one.what == What::StateWrite && one.status == 200)
            .count();
        let succeeded = |end: &End| end.status.is_some_and(|status| status.success());
        Ok(Race {
            ended: ends.iter().map(|end| end.at - begun).collect(),
            applied: ends.iter().filter(|end| succeeded(end)).count(),
            failures: (0..clients)
                .filter(|client| ends[*client].status.is_some() && !succeeded(&ends[*client]))
                .map(|client| self.complaint(client))
                .collect(),
            cut_off: ends.iter().any(|end| end.status.is_none()),
            lost_updates: accepted as i64 - (self.serial()? - serial),
            processor: machine::processor_of_children()? - processor,
            busy: cores.busy_since()?,
            stalls,
            exchanges,
        })
    }

    fn start(&mut self, client: usize, endpoint: &str) -> Result<Child> {
        self.next += 1;
        let said = File::create(self.dirs[client].join("said"))?;
        let mut command = self.terraform(client, endpoint);
        command
            .args(["apply", "-lock-timeout=10m", "-auto-approve", "-no-color"])
            .env("TF_VAR_apply", self.next.to_string())
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said);
        command.spawn().context("terraform is not on PATH")
    }

    /// The line with the error in what a client's Terraform said.
    fn complaint(&self, client: usize) -> String {
        let said = fs::read_to_string(self.dirs[client].join("said")).unwrap_or_default();
        let line = said.lines().find(|line| line.contains("Error"));
        line.unwrap_or("no error in its output")
            .trim_matches(|c: char| !c.is_ascii_alphanumeric())
            .to_owned()
    }

    /// The serial of the state at the server; none is zero.
    fn serial(&self) -> Result<i64> {
        let request = Request::new("GET", &format!("/{BUCKET}/{}", self.key), "");
        let answer = self.server.client().try_send(&request)?;
        if answer.status == 404 {
            return Ok(0);
        }
        ensure!(
            answer.status == 200,
            "reading the state: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()["serial"]
            .as_i64()
            .context("a state without a serial")
    }
}

/// How a process ended.
struct End {
    at: f64,
    /// None where the cap cut it off.
    status: Option<ExitStatus>,
}

fn wait(mut children: Vec<Child>, proxy: &Proxy, cap: f64) -> Result<Vec<End>> {
    let mut ends: Vec<Option<End>> = children.iter().map(|_| None).collect();
    while ends.iter().any(Option::is_none) {
        for (child, end) in children
            .iter_mut()
            .zip(&mut ends)
            .filter(|(_, end)| end.is_none())
        {
            let at = proxy.now();
            if let Some(status) = child.try_wait()? {
                *end = Some(End {
                    at,
                    status: Some(status),
                });
            } else if at > cap {
                child.kill()?;
                child.wait()?;
                *end = Some(End {
                    at: cap,
                    status: None,
                });
            }
        }
        std::thread::sleep(POLL);
    }
    Ok(ends.into_iter().flatten().collect())
}

/// The exchanges with the clock at zero at `begun`.
fn since(begun: f64, mut exchanges: Vec<Exchange>) -> Vec<Exchange> {
    for exchange in &mut exchanges {
        exchange.asked -= begun;
        exchange.answered = exchange.answered.map(|answered| answered - begun);
    }
    exchanges
}
