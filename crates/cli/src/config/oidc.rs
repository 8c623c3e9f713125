//! The OIDC issuers that a configuration trusts.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tidelock_service::{Issuer, KeyLocation};

use crate::exit::{Failure, Status};

/// `[[oidc]]`, `issuer = "https://…"`, `audiences = ["…"]`, `keys = { file = "…" }` or `{ url = "…" }`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    issuer: String,
    #[serde(default)]
    audiences: Vec<String>,
    keys: Option<Keys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase")]
enum Keys {
    File(PathBuf),
    Url(String),
}

impl Table {
    /// A path in the file means the same wherever the command is started.
    pub(super) fn begin_at(&mut self, dir: &Path) {
        if let Some(Keys::File(path)) = &mut self.keys {
            *path = dir.join(&*path);
        }
    }
}

/// The issuers, each once.
pub(super) fn issuers(tables: Vec<Table>) -> Result<Vec<Issuer>, Failure> {
    let mut issuers: Vec<Issuer> = Vec::new();
    for table in tables {
        let url = table.issuer;
        let usage = |why: &str| {
            Err(Failure::new(
                Status::Usage,
                format!("the oidc issuer {url} {why}"),
            ))
        };
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return usage("is no URL: write it as its tokens do in `iss`, with https://");
        }
        if issuers.iter().any(|known| known.url == url) {
            return usage("is there twice");
        }
        issuers.push(Issuer {
            url,
            audiences: table.audiences,
            keys: table.keys.map(|keys| match keys {
                Keys::File(path) => KeyLocation::File(path),
                Keys::Url(url) => KeyLocation::Url(url),
            }),
        });
    }
    Ok(issuers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[derive(Deserialize)]
    struct File {
        oidc: Vec<Table>,
    }

    fn read(text: &str) -> Result<Vec<Issuer>, String> {
        let mut file: File = toml::from_str(text).map_err(|why| why.to_string())?;
        file.oidc
            .iter_mut()
            .for_each(|table| table.begin_at(Path::new("/etc/tidelock")));
        issuers(file.oidc).map_err(|why| why.error.to_string())
    }

    #[test]
    fn an_issuer_has_audiences_and_says_where_its_keys_are_or_not() {
        let text = "[[oidc]]\nissuer = 'https://a.example'\naudiences = ['x', 'y']\n\
                    [[oidc]]\nissuer = 'https://b.example'\nkeys = { file = 'b.json' }\n\
                    [[oidc]]\nissuer = 'https://c.example'\nkeys = { url = 'https://c.example/keys' }\n";
        let read = read(text).unwrap();
        assert_eq!((read[0].audiences.len(), &read[0].keys), (2, &None));
        assert_eq!(
            read[1].keys,
            Some(KeyLocation::File("/etc/tidelock/b.json".into()))
        );
        assert_eq!(
            read[2].keys,
            Some(KeyLocation::Url("https://c.example/keys".to_owned()))
        );
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, hint) in [
            ("[[oidc]]\nissuer = 'a.example'", "https://"),
            (
                "[[oidc]]\nissuer = 'https://a'\n[[oidc]]\nissuer = 'https://a'",
                "twice",
            ),
            ("[[oidc]]\naudiences = []", "issuer"),
            ("[[oidc]]\nissuer = 'https://a'\nkeys = 'x'", "keys"),
            ("[[oidc]]\nissuer = 'https://a'\nclient = 'x'", "client"),
        ] {
            let why = read(text).unwrap_err();
            assert!(why.contains(hint), "{text}: {why}");
        }
    }
}
