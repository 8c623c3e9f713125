//! Where the root key comes from: a file of ours, a variable, or what a command prints. Never through a shell.

mod command;
mod text;

use std::{
    env,
    ffi::OsString,
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::{ffi::OsStringExt, fs::PermissionsExt},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use tidelock_core::limits::{ROOT_KEY_TEXT_BYTES_MAX, ROOT_KEYS_MAX};
use tidelock_operator::files;
use tidelock_service::{KeyStore, RootKey, RootKeys};
use zeroize::Zeroizing;

use crate::{
    data_dir::ROOT_KEY,
    exit::{Failure, Status},
    world,
};
pub(crate) use text::TextError;
use text::{KEY_BYTES, Key};

/// Where the root key is, as the configuration says it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Source {
    /// A file, which the server writes too: its first key, and those of a rotation.
    File(PathBuf),
    /// An environment variable of the server.
    Env(String),
    /// A program and its arguments; what it prints.
    Command(Vec<String>),
}

/// For messages. Neither the arguments of a command nor anything of a key: they may be secrets.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => write!(f, "{}", path.display()),
            Source::Env(name) => write!(f, "the environment variable {name}"),
            Source::Command(words) => write!(f, "the command {}", words.first().map_or("", String::as_str)),
        }
    }
}

impl Source {
    /// Where it is when nobody says: among the data.
    pub(crate) fn beside(data: &Path) -> Source {
        Source::File(data.join(ROOT_KEY))
    }

    /// The keys, the current one first.
    ///
    /// # Errors
    /// A sentence that names the source and never what it holds.
    pub(crate) async fn load(&self) -> Result<RootKeys, Failure> {
        let text = match self {
            Source::File(path) => of_file(path)?,
            Source::Env(name) => of_variable(name)?,
            Source::Command(words) => command::output(words, command::LIMIT).await?,
        };
        parse(&text).map_err(|why| self.unusable(why))
    }

    /// The same, for commands that do one thing after another.
    pub(crate) fn load_and_wait(&self) -> Result<RootKeys, Failure> {
        let waiting = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        waiting.block_on(self.load())
    }

    /// The text of a file of keys, as it stands there; nobody keeps the others by the server's side.
    pub(crate) fn text(&self) -> Result<Zeroizing<Vec<u8>>, Failure> {
        match self {
            Source::File(path) => of_file(path),
            Source::Env(_) | Source::Command(_) => Err(Failure::new(
                Status::Usage,
                format!("the root key comes from {self}, not from a file: keep it as you keep that"),
            )),
        }
    }

    /// Makes the first key where the source is a file that is not there.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        match self {
            // What cannot be looked at cannot be read either, and that will say more.
            Source::File(path) if matches!(path.try_exists(), Ok(false)) => {
                write(path, &[Key::new(world::random::<KEY_BYTES>())])
            }
            _ => Ok(()),
        }
    }

    fn unusable(&self, why: TextError) -> Failure {
        Failure::new(Status::DataDirectory, format!("no root key from {self}: {why}"))
    }
}

/// The keys in a text, the current one first.
pub(crate) fn parse(text: &[u8]) -> Result<RootKeys, TextError> {
    let keys = text::parse(text)?;
    let mut keys = keys.iter().map(|key| RootKey::new(key));
    Ok(RootKeys {
        current: keys.next().ok_or(TextError::Empty)?,
        former: keys.collect(),
    })
}

impl KeyStore for Source {
    fn name(&self) -> String {
        self.to_string()
    }

    fn is_ours(&self) -> bool {
        matches!(self, Source::File(_))
    }

    fn add(&self, new: &[u8; KEY_BYTES], current: &str) -> Result<(), String> {
        self.rewrite(|keys| {
            // Somebody may have changed the file since the start.
            if !keys.iter().any(|key| RootKey::new(key).id() == current) {
                return Err(format!(
                    "{self} does not hold the key in use, {current}, any more: put it back"
                ));
            }
            if keys.len() >= ROOT_KEYS_MAX {
                let count = keys.len();
                return Err(format!(
                    "{self} holds {count} already: `tidelock root-key` shows what still needs them"
                ));
            }
            keys.insert(0, Key::new(*new));
            Ok(())
        })
    }

    fn remove(&self, ids: &[String]) -> Result<(), String> {
        self.rewrite(|keys| {
            let mut at = 0..;
            keys.retain(|key| at.next() == Some(0) || !ids.iter().any(|id| id == RootKey::new(key).id()));
            Ok(())
        })
    }
}

impl Source {
    /// Changes the keys in a file of ours.
    fn rewrite(&self, change: impl FnOnce(&mut Vec<Key>) -> Result<(), String>) -> Result<(), String> {
        let Source::File(path) = self else {
            return Err(format!("{self} is not the server's to write"));
        };
        let said = |failure: Failure| failure.error.to_string();
        let text = of_file(path).map_err(said)?;
        let mut keys = text::parse(&text).map_err(|why| said(self.unusable(why)))?;
        change(&mut keys)?;
        write(path, &keys).map_err(said)
    }
}

/// Writes a file of keys as a whole; on disk when it returns.
fn write(path: &Path, keys: &[Key]) -> Result<(), Failure> {
    let text = text::written(keys.iter().map(|key| &**key));
    let written = files::replace(path, text.as_bytes(), files::SECRET_MODE);
    written.map_err(|fault| {
        Failure::new(
            Status::DataDirectory,
            format!("cannot write {}: {fault}", path.display()),
        )
    })
}

fn of_file(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let shown = path.display();
    let unusable = |why: String| Failure::new(Status::DataDirectory, why);
    let cannot = |fault: io::Error| {
        unusable(format!(
            "no root key in {shown}: {fault}; put it back from a backup, or say in the configuration where it is (`root_key`): a \
             new one would not open what that one sealed"
        ))
    };
    let file = File::open(path).map_err(cannot)?;
    let others = file.metadata().map_err(cannot)?.permissions().mode() & 0o077;
    if others != 0 {
        return Err(unusable(format!(
            "{shown} is open to others (mode bits {others:03o}) and holds the root key: chmod 600 {shown}; if anybody may \
             have read it, `tidelock root-key rotate` when the server runs"
        )));
    }
    // One byte more than may be, so that too much is seen; and no growing, which would leave copies in the memory.
    let mut text = Zeroizing::new(vec![0; ROOT_KEY_TEXT_BYTES_MAX + 1]);
    let (mut file, mut length) = (file, 0);
    while length < text.len() {
        match file.read(&mut text[length..]).map_err(cannot)? {
            0 => break,
            read => length += read,
        }
    }
    text.truncate(length);
    if length > ROOT_KEY_TEXT_BYTES_MAX {
        return Err(Source::File(path.to_owned()).unusable(TextError::TooLong));
    }
    Ok(text)
}

fn of_variable(name: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let value = env::var_os(name).map(OsString::into_vec).map(Zeroizing::new);
    let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::new(
            Status::DataDirectory,
            format!("no root key: the environment variable {name}, which `root_key` names, is not set"),
        )
    })?;
    if value.len() > ROOT_KEY_TEXT_BYTES_MAX {
        return Err(Source::Env(name.to_owned()).unusable(TextError::TooLong));
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn load(source: &Source) -> Result<RootKeys, String> {
        source.load_and_wait().map_err(|failure| {
            assert_eq!(failure.status, Status::DataDirectory);
            failure.error.to_string()
        })
    }

    #[test]
    fn a_first_key_is_made_once_and_for_the_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::File(dir.path().join("root.key"));
        source.make().unwrap();
        let keys = load(&source).unwrap();
        assert!(keys.former.is_empty());
        assert_eq!(files::bits_for_others(&dir.path().join("root.key")).unwrap(), 0);
        source.make().unwrap();
        assert_eq!(load(&source).unwrap().current.id(), keys.current.id());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let source = Source::File(path.clone());
        source.make().unwrap();
        for mode in [0o640, 0o604, 0o602] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let refused = load(&source).unwrap_err();
            assert!(
                refused.contains("open to others") && refused.contains("chmod 600"),
                "{refused}"
            );
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(load(&source).is_ok());
    }

    #[test]
    fn a_file_that_is_missing_damaged_or_too_long_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let source = Source::File(path.clone());
        assert!(load(&source).unwrap_err().contains("put it back from a backup"));
        for (text, expected) in [("abc".to_owned(), "line 1"), ("#".repeat(8_193), "longer than")] {
            files::replace(&path, text.as_bytes(), files::SECRET_MODE).unwrap();
            source.make().unwrap();
            let refused = load(&source).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_new_key_comes_in_front_and_former_ones_go_but_never_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source::File(dir.path().join("root.key"));
        source.make().unwrap();
        let first = load(&source).unwrap().current.id().to_owned();
        source.add(&[5; 32], &first).unwrap();
        let keys = load(&source).unwrap();
        let second = keys.current.id().to_owned();
        assert_eq!(second, RootKey::new(&[5; 32]).id());
        assert_eq!(keys.former[0].id(), first);
        source.remove(&[second.clone(), first.clone()]).unwrap();
        let keys = load(&source).unwrap();
        assert_eq!((keys.current.id(), keys.former.len()), (second.as_str(), 0));
        // Its keys have been exchanged by hand.
        let refused = source.add(&[6; 32], &first).unwrap_err();
        assert!(refused.contains(&first), "{refused}");
        for others in [Source::Env("X".to_owned()), Source::Command(vec!["x".to_owned()])] {
            assert!(!others.is_ours() && others.add(&[6; 32], &first).is_err());
        }
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let refused = load(&Source::Env("TIDELOCK_NO_SUCH_VARIABLE".to_owned())).unwrap_err();
        assert!(refused.contains("TIDELOCK_NO_SUCH_VARIABLE"), "{refused}");
    }

    #[test]
    fn the_source_is_written_as_one_of_three() {
        #[derive(Deserialize)]
        struct File {
            root_key: Source,
        }
        let source =
            |text: &str| toml::from_str::<File>(&format!("root_key = {text}")).map(|file| file.root_key);
        assert_eq!(source("{ file = 'a/b' }").unwrap(), Source::File("a/b".into()));
        assert_eq!(source("{ env = 'X' }").unwrap(), Source::Env("X".to_owned()));
        let command = Source::Command(vec!["vault".to_owned(), "read".to_owned()]);
        assert_eq!(source("{ command = ['vault', 'read'] }").unwrap(), command);
        assert!(!command.to_string().contains("read"));
        for bad in [
            "'a'",
            "{}",
            "{ file = 'a', env = 'X' }",
            "{ path = 'a' }",
            "{ command = 'vault read' }",
            "{ command = [1] }",
        ] {
            assert!(source(bad).is_err(), "{bad}");
        }
    }
}
