//! What the command inherits, so that its requests say which run they belong to.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tidelock_core::caller::{RUN_APP_WORD, RUN_WORD};

use crate::admin::Admin;

/// Longest application ID that AWS clients take without a warning.
const APP_ID_CHARS_MAX: usize = 50;

/// Longest text beside the run's ID: it has to fit into a run token with the ID and the link.
const WORDS_CHARS_MAX: usize = 128;

/// Longest link to a CI job; a longer one would be cut at the server, and lead nowhere.
const LINK_CHARS_MAX: usize = 160;

/// What the user of basic authentication keeps as it is; a colon would end it.
const USER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The variables to set, by name.
pub(super) type Variables = Vec<(&'static str, String)>;

/// Whether a text can be part of a User-Agent.
pub(super) fn are_words(text: &str) -> bool {
    text.len() <= WORDS_CHARS_MAX && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
}

/// What is added to the environment for the run `id`; what the user has set stays, in front.
///
/// Terraform's and OpenTofu's backends send both variables, other AWS clients the application ID alone. Terraform's
/// http client sends nothing but its user, which is extended only where it is the key of this very server: another
/// server would not know the user any more.
pub(super) fn variables(
    id: &str,
    words: &str,
    admin: &Admin,
    get: impl Fn(&str) -> Option<String>,
) -> Variables {
    let get = |name: &str| get(name).filter(|value| !value.is_empty());
    let run = format!("{RUN_WORD}{id}");
    let token = joined(&[words.trim(), &run, &link(get).unwrap_or_default()]);
    let agent = get("TF_APPEND_USER_AGENT").unwrap_or_default();
    let mut variables = vec![("TF_APPEND_USER_AGENT", joined(&[&agent, &token]))];
    let app = match get("AWS_SDK_UA_APP_ID") {
        Some(app) => format!("{app}.{RUN_APP_WORD}{id}"),
        None => format!("{RUN_APP_WORD}{id}"),
    };
    if app.len() <= APP_ID_CHARS_MAX {
        variables.push(("AWS_SDK_UA_APP_ID", app));
    }
    variables.extend(http_user(&token, admin, get));
    variables
}

/// User and password for `backend "http"`. Where neither is set they are only given to a backend that the environment
/// points at this server: no other server must be sent this one's secret.
fn http_user(token: &str, admin: &Admin, get: impl Fn(&str) -> Option<String>) -> Variables {
    let (key, token) = (&admin.credentials, utf8_percent_encode(token, USER).to_string());
    match get("TF_HTTP_USERNAME") {
        Some(user) => match user.strip_prefix(&key.access_key_id) {
            Some("") => vec![("TF_HTTP_USERNAME", format!("{user}+{token}"))],
            Some(outer) if outer.starts_with('+') => {
                vec![("TF_HTTP_USERNAME", format!("{user}%20{token}"))]
            }
            _ => Vec::new(),
        },
        None if get("TF_HTTP_PASSWORD").is_none()
            && get("TF_HTTP_ADDRESS").is_some_and(|url| admin.serves(&url)) =>
        {
            let secret = key.secret_access_key.to_string();
            let user = format!("{}+{token}", key.access_key_id);
            vec![("TF_HTTP_USERNAME", user), ("TF_HTTP_PASSWORD", secret)]
        }
        None => Vec::new(),
    }
}

/// The page of the CI job, as GitHub, GitLab and Jenkins tell it to their jobs.
fn link(get: impl Fn(&str) -> Option<String>) -> Option<String> {
    let github = || {
        let (server, repository) = (get("GITHUB_SERVER_URL")?, get("GITHUB_REPOSITORY")?);
        Some(format!(
            "{server}/{repository}/actions/runs/{}",
            get("GITHUB_RUN_ID")?
        ))
    };
    let link = github()
        .or_else(|| get("CI_JOB_URL"))
        .or_else(|| get("BUILD_URL"))?;
    let is_link = (link.starts_with("https://") || link.starts_with("http://"))
        && link.len() <= LINK_CHARS_MAX
        && link.bytes().all(|byte| byte.is_ascii_graphic());
    is_link.then_some(link)
}

fn joined(words: &[&str]) -> String {
    let words = words.iter().filter(|word| !word.is_empty());
    words.copied().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use tidelock_core::caller::run_id;
    use zeroize::Zeroizing;

    use super::*;
    use crate::{credentials::Credentials, endpoint::Endpoint};

    const ID: &str = "0123456789abcdef0123";

    /// What is set for a command, when these variables are set before.
    fn set(words: &str, before: &[(&str, &str)]) -> HashMap<&'static str, String> {
        let credentials = Credentials {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            secret_access_key: Zeroizing::new("s3cret".to_owned()),
        };
        let admin = Admin::at(&Endpoint::plain("http://127.0.0.1:9470".to_owned()), credentials).unwrap();
        let before: HashMap<_, _> = before.iter().copied().collect();
        let get = |name: &str| before.get(name).map(|value| (*value).to_owned());
        variables(ID, words, &admin, get).into_iter().collect()
    }

    #[test]
    fn both_variables_name_the_run() {
        let set = set("", &[]);
        assert_eq!(set["TF_APPEND_USER_AGENT"], format!("tidelock-run/{ID}"));
        assert_eq!(set["AWS_SDK_UA_APP_ID"], format!("tidelock-run-{ID}"));
        assert_eq!(set.len(), 2);
        assert_eq!(run_id(&set["TF_APPEND_USER_AGENT"]), Some(ID));
        assert_eq!(run_id(&format!("app/{}", set["AWS_SDK_UA_APP_ID"])), Some(ID));
    }

    #[test]
    fn what_the_user_has_set_stays_in_front() {
        let set = set(
            " nightly build ",
            &[
                ("TF_APPEND_USER_AGENT", "team/a x"),
                ("AWS_SDK_UA_APP_ID", "team-a"),
            ],
        );
        assert_eq!(
            set["TF_APPEND_USER_AGENT"],
            format!("team/a x nightly build tidelock-run/{ID}")
        );
        assert_eq!(set["AWS_SDK_UA_APP_ID"], format!("team-a.tidelock-run-{ID}"));
    }

    #[test]
    fn an_application_id_that_leaves_no_room_stays_as_it_is() {
        let set = set("", &[("AWS_SDK_UA_APP_ID", "an-application-id")]);
        assert!(!set.contains_key("AWS_SDK_UA_APP_ID"));
    }

    #[test]
    fn the_link_to_the_job_is_the_last_word() {
        let github = [
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_REPOSITORY", "o/r"),
            ("GITHUB_RUN_ID", "17"),
        ];
        for (before, link) in [
            (&github[..], " https://github.com/o/r/actions/runs/17"),
            (&github[..2], ""),
            (
                &[("CI_JOB_URL", "https://gitlab.com/o/r/-/jobs/9")],
                " https://gitlab.com/o/r/-/jobs/9",
            ),
            (
                &[("BUILD_URL", "http://jenkins:8080/job/a/3/")],
                " http://jenkins:8080/job/a/3/",
            ),
            (&[("BUILD_URL", "file:///etc/passwd")], ""),
            (&[("BUILD_URL", "http://a b")], ""),
            (&[("BUILD_URL", &format!("http://{}", "x".repeat(200)))], ""),
        ] {
            assert_eq!(
                set("", before)["TF_APPEND_USER_AGENT"],
                format!("tidelock-run/{ID}{link}"),
                "{before:?}"
            );
        }
    }

    #[test]
    fn the_http_user_is_extended_where_it_is_this_servers_key() {
        let job = ("CI_JOB_URL", "https://ci/1");
        let own = set("", &[("TF_HTTP_USERNAME", "AKIAEXAMPLE"), job]);
        assert_eq!(
            own["TF_HTTP_USERNAME"],
            format!("AKIAEXAMPLE+tidelock-run/{ID}%20https%3A//ci/1")
        );
        let outer = set("", &[("TF_HTTP_USERNAME", "AKIAEXAMPLE+tidelock-run/outer")]);
        assert_eq!(
            outer["TF_HTTP_USERNAME"],
            format!("AKIAEXAMPLE+tidelock-run/outer%20tidelock-run/{ID}")
        );
        for other in ["gitlab-ci-token", "AKIAEXAMPLES", "+AKIAEXAMPLE"] {
            assert!(
                !set("", &[("TF_HTTP_USERNAME", other)]).contains_key("TF_HTTP_USERNAME"),
                "{other}"
            );
        }
    }

    #[test]
    fn the_secret_is_given_only_to_a_backend_of_this_server() {
        let address = |url| set("", &[("TF_HTTP_ADDRESS", url)]);
        let here = address("http://127.0.0.1:9470/state/tfstate/a");
        assert_eq!(here["TF_HTTP_PASSWORD"], "s3cret");
        assert_eq!(here["TF_HTTP_USERNAME"], format!("AKIAEXAMPLE+tidelock-run/{ID}"));
        for elsewhere in [
            "",
            "http://127.0.0.1:9471/state/tfstate/a",
            "https://gitlab.com/state",
        ] {
            assert!(
                !address(elsewhere).contains_key("TF_HTTP_PASSWORD"),
                "{elsewhere}"
            );
        }
    }

    #[test]
    fn only_what_a_header_can_say_is_a_token() {
        assert!(are_words("") && are_words("nightly build/7"));
        assert!(!are_words("caf\u{e9}") && !are_words("a\nb") && !are_words(&"x".repeat(129)));
    }
}
