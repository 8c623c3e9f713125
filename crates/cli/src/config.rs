//! Settings: a flag comes before a variable, a variable before the file, the file before the default.
//!
//! clap has merged the first two when it hands over `Place` and `Serve`.

mod oidc;
mod retention;
mod tls;

use std::{
    env, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
};

use jiff::SignedDuration;
use rustls::pki_types::DnsName;
use serde::Deserialize;
use tidelock_core::limits::STALE_AFTER_MS;
use tidelock_service::{Issuer, Plans, Stale};

use crate::{
    args::{LogFormat, Place, Serve},
    audit_log::Collector,
    exit::{Failure, Status},
    root_key::Source,
};
pub(crate) use tls::Transport;

/// Where the data is when nobody says.
const DEFAULT_DATA: &str = "tidelock-data";
/// Loopback only: without settings the server speaks plain HTTP.
const DEFAULT_LISTEN: &str = "127.0.0.1:9470";

/// What `serve` runs with.
#[derive(Debug, PartialEq)]
pub(crate) struct Settings {
    pub(crate) data: PathBuf,
    pub(crate) listen: String,
    /// Names of the server, below which a further label is a bucket.
    pub(crate) hosts: Vec<String>,
    pub(crate) transport: Transport,
    pub(crate) log_format: LogFormat,
    pub(crate) root_key: Source,
    pub(crate) collector: Option<Collector>,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) service: tidelock_service::Settings,
}

impl Settings {
    /// Those of a server for this process alone, on any free port.
    pub(crate) fn of_demo(data: PathBuf) -> Settings {
        Settings {
            root_key: Source::beside(&data),
            data,
            issuers: Vec::new(),
            collector: None,
            listen: "127.0.0.1:0".to_owned(),
            hosts: Vec::new(),
            transport: Transport::Loopback,
            log_format: LogFormat::Human,
            service: tidelock_service::Settings::default(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    listen: Option<String>,
    #[serde(default)]
    hosts: Vec<String>,
    log_format: Option<LogFormat>,
    plans: Option<Plans>,
    stale: Option<Stale>,
    stale_after: Option<SignedDuration>,
    root_key: Option<Source>,
    audit: Option<Collector>,
    tls: Option<tls::Table>,
    #[serde(default)]
    plain_http: bool,
    #[serde(default)]
    oidc: Vec<oidc::Table>,
    #[serde(default)]
    retention: Vec<retention::Table>,
}

/// Everything `serve` needs to know.
pub(crate) fn settings(serve: Serve) -> Result<Settings, Failure> {
    let file = read(serve.place.config.as_deref())?;
    let data = chosen_data(serve.place.data, file.data)?;
    Ok(Settings {
        root_key: file.root_key.unwrap_or_else(|| Source::beside(&data)),
        data,
        collector: file.audit,
        issuers: oidc::issuers(file.oidc)?,
        listen: serve
            .listen
            .or(file.listen)
            .unwrap_or_else(|| DEFAULT_LISTEN.to_owned()),
        hosts: hosts(file.hosts)?,
        transport: tls::transport(serve.tls, file.tls, file.plain_http)?,
        log_format: serve.log_format.or(file.log_format).unwrap_or(LogFormat::Human),
        service: tidelock_service::Settings {
            plans: file.plans.unwrap_or_default(),
            stale: file.stale.unwrap_or_default(),
            stale_after_ms: stale_after_ms(file.stale_after)?,
            retention: retention::retention(file.retention)?,
        },
    })
}

/// Names as they stand in `Host`: without scheme, port and wildcard.
fn hosts(given: Vec<String>) -> Result<Vec<String>, Failure> {
    let is_name = |host: &String| {
        let known = DnsName::try_from(host.as_str()).is_ok();
        known && !host.ends_with('.') && host.parse::<IpAddr>().is_err()
    };
    match given.iter().find(|host| !is_name(host)) {
        Some(host) => Err(Failure::new(
            Status::Usage,
            format!("hosts must be names such as state.example.org, not `{host}`"),
        )),
        None => Ok(given.iter().map(|host| host.to_ascii_lowercase()).collect()),
    }
}

fn stale_after_ms(given: Option<SignedDuration>) -> Result<i64, Failure> {
    let Some(given) = given else {
        return Ok(STALE_AFTER_MS);
    };
    let ms = i64::try_from(given.as_millis()).ok().filter(|ms| *ms > 0);
    ms.ok_or_else(|| Failure::new(Status::Usage, "stale_after must be a time such as 2h, 90m or 45s"))
}

/// The data directory, and where the server on it has its root key.
pub(crate) fn data_and_root_key(place: Place) -> Result<(PathBuf, Source), Failure> {
    let file = read(place.config.as_deref())?;
    let data = chosen_data(place.data, file.data)?;
    let root_key = file.root_key.unwrap_or_else(|| Source::beside(&data));
    Ok((data, root_key))
}

/// The data directory that `env` and `profile` look into.
pub(crate) fn data_directory(place: Place) -> Result<PathBuf, Failure> {
    let file = read(place.config.as_deref())?;
    chosen_data(place.data, file.data)
}

/// Absolute, because it is printed into commands that are typed in other directories.
fn chosen_data(given: Option<PathBuf>, file: Option<PathBuf>) -> Result<PathBuf, Failure> {
    let data = given.or(file).unwrap_or_else(|| PathBuf::from(DEFAULT_DATA));
    Ok(std::path::absolute(data)?)
}

/// The two files that AWS's tools read their profiles from: configuration, and credentials.
pub(crate) fn aws_files() -> Result<[PathBuf; 2], Failure> {
    Ok([
        aws_file("AWS_CONFIG_FILE", "config")?,
        aws_file("AWS_SHARED_CREDENTIALS_FILE", "credentials")?,
    ])
}

/// The file that AWS's tools would read: the variable's, else the one in the home directory.
fn aws_file(variable: &str, name: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = env::var_os(variable).filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let home = env::home_dir().filter(|home| !home.as_os_str().is_empty());
    let home = home.ok_or_else(|| {
        Failure::new(
            Status::Usage,
            format!("no home directory: set HOME or {variable}"),
        )
    })?;
    Ok(home.join(".aws").join(name))
}

fn read(path: Option<&Path>) -> Result<File, Failure> {
    let Some(path) = path else {
        return Ok(File::default());
    };
    let cannot = |fault: io::Error| {
        Failure::new(
            Status::Usage,
            format!("cannot read the configuration {}: {fault}", path.display()),
        )
    };
    let text = fs::read_to_string(path).map_err(cannot)?;
    let mut file: File = toml::from_str(&text)
        .map_err(|fault| Failure::new(Status::Usage, format!("{}: {fault}", path.display())))?;
    // A path in the file means the same wherever the command is started.
    if let Some(beside) = path.parent() {
        file.data = file.data.map(|data| beside.join(data));
        file.oidc.iter_mut().for_each(|table| table.begin_at(beside));
        if let Some(tls) = &mut file.tls {
            tls.begin_at(beside);
        }
        if let Some(Source::File(key)) = &mut file.root_key {
            *key = std::path::absolute(beside.join(&*key))?;
        }
        if let Some(Collector::File(lines)) = &mut file.audit {
            *lines = std::path::absolute(beside.join(&*lines))?;
        }
    }
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::args;

    fn serve(config: Option<PathBuf>) -> Serve {
        Serve {
            place: Place { data: None, config },
            listen: None,
            log_format: None,
            tls: args::Tls::default(),
        }
    }

    fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tidelock.toml");
        fs::write(&path, text).unwrap();
        (dir, path)
    }

    #[test]
    fn what_is_given_comes_before_the_file_and_the_file_before_the_default() {
        let (dir, path) = written("data = 'here'\nlisten = '127.0.0.1:1'\nlog_format = 'json'\n");
        let from_file = settings(serve(Some(path.clone()))).unwrap();
        assert_eq!(from_file.data, dir.path().join("here"));
        assert_eq!(
            (from_file.listen.as_str(), from_file.log_format),
            ("127.0.0.1:1", LogFormat::Json)
        );
        let given = settings(Serve {
            listen: Some("127.0.0.1:2".to_owned()),
            ..serve(Some(path))
        })
        .unwrap();
        assert_eq!(
            (given.listen.as_str(), given.log_format),
            ("127.0.0.1:2", LogFormat::Json)
        );
        assert_eq!(settings(serve(None)).unwrap().listen, DEFAULT_LISTEN);
    }

    #[test]
    fn the_file_says_below_which_names_buckets_are() {
        let hosts = |text: &str| {
            let (_dir, path) = written(text);
            settings(serve(Some(path))).map(|settings| settings.hosts)
        };
        assert_eq!(hosts("").unwrap(), Vec::<String>::new());
        assert_eq!(
            hosts("hosts = ['State.example.org', 'tidelock']").unwrap(),
            ["state.example.org", "tidelock"]
        );
        for host in [
            "",
            "*.example.org",
            "https://state.example.org",
            "state.example.org:9470",
            "10.0.0.5",
        ] {
            let failure = hosts(&format!("hosts = ['{host}']")).unwrap_err();
            assert_eq!(failure.status, Status::Usage, "{host}");
        }
    }

    #[test]
    fn the_root_key_is_in_the_data_directory_unless_the_file_says_where() {
        let source = |text: &str| {
            let (dir, path) = written(text);
            let settings = settings(serve(Some(path))).unwrap();
            (dir.path().to_owned(), settings.root_key)
        };
        let (dir, default) = source("data = 'd'");
        assert_eq!(default, Source::File(dir.join("d/root.key")));
        let (dir, beside) = source("data = 'd'\nroot_key = { file = 'keys/root' }");
        assert_eq!(beside, Source::File(dir.join("keys/root")));
        let (_, variable) = source("root_key = { env = 'ROOT_KEY' }");
        assert_eq!(variable, Source::Env("ROOT_KEY".to_owned()));
    }

    #[test]
    fn the_file_says_where_the_audit_log_goes_besides() {
        let collector = |text: &str| {
            let (dir, path) = written(text);
            settings(serve(Some(path))).map(|settings| (dir.path().to_owned(), settings.collector))
        };
        assert_eq!(collector("").unwrap().1, None);
        assert_eq!(collector("audit = 'stdout'").unwrap().1, Some(Collector::Stdout));
        let (dir, file) = collector("audit = { file = 'log/audit' }").unwrap();
        assert_eq!(file, Some(Collector::File(dir.join("log/audit"))));
        for text in [
            "audit = true",
            "audit = 'stderr'",
            "audit = { file = 7 }",
            "audit = { flie = 'x' }",
        ] {
            assert_eq!(collector(text).unwrap_err().status, Status::Usage, "{text}");
        }
    }

    #[test]
    fn the_file_says_what_becomes_of_locks() {
        let locks = |text: &str| {
            let (_dir, path) = written(text);
            settings(serve(Some(path))).map(|settings| settings.service)
        };
        let default = locks("").unwrap();
        assert_eq!(default, tidelock_service::Settings::default());
        let given = locks("plans = 'exclusive'\nstale = 'remove'\nstale_after = '90m'\n").unwrap();
        let expected = tidelock_service::Settings {
            plans: Plans::Exclusive,
            stale: Stale::Remove,
            stale_after_ms: 90 * 60 * 1_000,
            ..default.clone()
        };
        assert_eq!(given, expected);
        assert_eq!(locks("plans = 'shared'\nstale = 'report'\n").unwrap(), default);
        for (text, ms) in [("45s", 45_000), ("1h 30m", 5_400_000), ("PT2H", 7_200_000)] {
            let given = locks(&format!("stale_after = '{text}'")).unwrap();
            assert_eq!(given.stale_after_ms, ms, "{text}");
        }
    }

    #[test]
    fn what_the_file_cannot_say_about_locks_is_refused() {
        for text in [
            "plans = 'both'",
            "stale = 'Remove'",
            "stale = true",
            "stale_after = 7200",
            "stale_after = ''",
            "stale_after = '2'",
            "stale_after = '0s'",
            "stale_after = '-1h'",
            "stale_after = '1d'",
            "stale_after = '1 month'",
            "stale_after = '9999999999999h'",
        ] {
            let (_dir, path) = written(text);
            let failure = settings(serve(Some(path))).unwrap_err();
            assert_eq!(failure.status, Status::Usage, "{text}");
            let message = failure.error.to_string();
            let key = text.split(' ').next().unwrap();
            assert!(message.contains(key), "{text}: {message}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let (_dir, path) = written("listen = '127.0.0.1:1'\nlissten = 'x'\n");
        let failure = settings(serve(Some(path))).unwrap_err();
        let message = failure.error.to_string();
        assert_eq!(failure.status, Status::Usage);
        assert!(
            message.contains("line 2") && message.contains("unknown field `lissten`"),
            "{message}"
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_a_usage_fault() {
        assert_eq!(
            settings(serve(Some("/nowhere.toml".into()))).unwrap_err().status,
            Status::Usage
        );
    }
}
