//! Files that a block or a variable names, found as Terraform finds them when it runs in the directory.

use std::path::{Path, PathBuf};

use super::{Environment, Settings};

/// What a path may begin with or contain.
pub(super) struct Paths<'a> {
    pub(super) dir: &'a Path,
    pub(super) environment: Environment<'a>,
}

impl Paths<'_> {
    /// A path of a setting, in which `~/` and variables stand for what they do in a shell.
    ///
    /// Source: `internal/expand/filepath.go` of aws-sdk-go-base.
    pub(super) fn expanded(&self, given: &str) -> PathBuf {
        let mut pieces = given.split('$');
        let mut path = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let (name, rest) = match piece.strip_prefix('{').and_then(|piece| piece.split_once('}')) {
                Some(braced) => braced,
                None => piece.split_at(piece.find(|c| !plain(c)).unwrap_or(piece.len())),
            };
            match name {
                "" => path.push('$'),
                name => path.extend((self.environment)(name)),
            }
            path.push_str(rest);
        }
        match (path.strip_prefix("~/"), self.home()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => self.dir.join(path),
        }
    }

    /// AWS's shared config files, and its credentials files.
    pub(super) fn of_aws(&self, settings: &Settings) -> [Vec<PathBuf>; 2] {
        let usual = |name: &str| self.home().map(|home| home.join(".aws").join(name));
        let chosen = |given: Option<Vec<String>>, variables: &[&str], name: &str| {
            let variable = || variables.iter().find_map(|name| (self.environment)(name));
            let given = given.or_else(|| Some(vec![variable()?]));
            match given {
                Some(given) => given.iter().map(|given| self.expanded(given)).collect(),
                None => usual(name).into_iter().collect(),
            }
        };
        let one = settings.text("shared_credentials_file").map(|file| vec![file]);
        [
            chosen(
                settings.list("shared_config_files"),
                &["AWS_SHARED_CONFIG_FILE", "AWS_CONFIG_FILE"],
                "config",
            ),
            chosen(
                settings.list("shared_credentials_files").or(one),
                &["AWS_SHARED_CREDENTIALS_FILE"],
                "credentials",
            ),
        ]
    }

    fn home(&self) -> Option<PathBuf> {
        (self.environment)("HOME").map(PathBuf::from)
    }
}
