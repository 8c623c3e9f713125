//! `tidelock diff`: two versions compared by resource, attribute and output; the status is that of diff.

use std::{io::Write, process::ExitCode};

use bytes::Bytes;
use serde::Serialize;
use tidelock_core::diff::{Diff, Sensitive, visible};

use super::{
    style, trouble,
    versions::{self, CURRENT, Entry, Name, Place},
};
use crate::{
    args,
    exit::{Failure, Status},
    pager,
};

/// What differs between two versions, as `--json` prints it.
#[derive(Serialize)]
struct Compared {
    from: Option<Name>,
    to: Option<Name>,
    #[serde(flatten)]
    diff: Diff,
}

pub(crate) fn run(
    arguments: args::Diff,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> Result<ExitCode, Failure> {
    let json = arguments.json;
    let compared = compare(arguments, err).map_err(trouble)?;
    if json {
        super::print_json(&compared, out).map_err(trouble)?;
    } else {
        pager::paged(out, |out| print(&compared, out)).map_err(trouble)?;
    }
    Ok(ExitCode::from(u8::from(!compared.diff.is_empty())))
}

fn compare(arguments: args::Diff, err: &mut dyn Write) -> Result<Compared, Failure> {
    let (address, old, new) = split(arguments.words)?;
    let place = Place::find(address.as_deref(), arguments.configuration, err)?;
    let (old, new) = (side(&place, &old)?, side(&place, &new)?);
    if old.is_none() && new.is_none() {
        let message = format!("{} has no current version", visible(&place.address));
        return Err(Failure::new(Status::Refused, message));
    }
    let sensitive = match arguments.sensitive {
        true => Sensitive::Show,
        false => Sensitive::Hide,
    };
    let diff = Diff::between(
        &body(&place, old.as_ref(), new.as_ref())?,
        &body(&place, new.as_ref(), old.as_ref())?,
        sensitive,
    );
    Ok(Compared {
        from: old.map(|old| old.version),
        to: new.map(|new| new.version),
        diff: diff.map_err(|why| Failure::new(Status::Usage, why))?,
    })
}

/// The address, where it was typed, and the two versions.
fn split(mut words: Vec<String>) -> Result<(Option<String>, String, String), Failure> {
    let is_address = |word: &String| word.contains('/');
    let address = words.first().is_some_and(is_address).then(|| words.remove(0));
    let stray = words.iter().find(|word| is_address(word));
    match (stray, words.as_slice()) {
        (None, [old]) => Ok((address, old.clone(), CURRENT.to_owned())),
        (None, [old, new]) => Ok((address, old.clone(), new.clone())),
        (Some(stray), _) => Err(usage(&format!("the address comes first, not {}", visible(stray)))),
        (None, []) => Err(usage("say which versions to compare")),
        (None, _) => Err(usage(
            "an address is written BUCKET/KEY, and two versions are compared",
        )),
    }
}

fn usage(what: &str) -> Failure {
    Failure::new(Status::Usage, format!("{what}: tidelock diff [ADDRESS] A [B]"))
}

/// A version by its name; nothing where a reader gets nothing now.
fn side(place: &Place, version: &str) -> Result<Option<Entry>, Failure> {
    match version {
        CURRENT => place.current(),
        _ => place.entry(version).map(Some),
    }
}

/// The state of one side; what deletes or is not there is a state of the other side's lineage with nothing in it.
fn body(place: &Place, side: Option<&Entry>, other: Option<&Entry>) -> Result<Bytes, Failure> {
    match side.filter(|side| !side.deleted) {
        Some(side) => place.body(side),
        None => Ok(versions::nothing(
            other.and_then(|other| other.lineage.as_deref()),
        )),
    }
}

fn print(compared: &Compared, out: &mut dyn Write) -> Result<(), Failure> {
    let name = |version: &Option<Name>| {
        let name = version.as_ref().map(Name::to_string);
        name.unwrap_or_else(|| "none".to_owned())
    };
    let (from, to) = (name(&compared.from), name(&compared.to));
    writeln!(out, "{:<10} {from} -> {to}", "version")?;
    write!(out, "{}", style::signs(&compared.diff.to_string()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_slash_tells_an_address_from_a_version() {
        let words = |words: &str| {
            split(
                words
                    .split(' ')
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect(),
            )
        };
        let (address, old, new) = words("a/b 11").unwrap();
        assert_eq!(
            (address.as_deref(), old.as_str(), new.as_str()),
            (Some("a/b"), "11", CURRENT)
        );
        let (address, old, new) = words("11 12").unwrap();
        assert_eq!((address, old.as_str(), new.as_str()), (None, "11", "12"));
        for bad in ["a/b", "11 a/b", "11 12 13", "a/b 1 c/d", "a/b c/d 1"] {
            assert_eq!(words(bad).unwrap_err().status, Status::Usage, "{bad}");
        }
    }
}
