//! From which version on a state is to be copied, judged from what the target has of it.

use tidelock_core::StateHeader;

use super::{Body, Error, History, Transfer};
use crate::{archive::md5_of, layout, s3::Object};

/// Metadata of a copy: the source's version ID and ETag, which together name its bytes even where the ID is `null`.
const SOURCE: &str = "tidelock-source";
/// The header that sets it.
pub(super) const SOURCE_HEADER: &str = "x-amz-meta-tidelock-source";

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// With this one of the source's versions; with none where the number is theirs.
    At(usize),
    /// Nowhere: all are there, and newer ones that are none of the source's.
    WentOn,
    /// Nowhere: something else is there.
    Diverged,
}

/// How a body is named in the metadata of its copy.
pub(super) fn mark(body: &Body) -> String {
    format!("{}/{}", body.version, body.etag)
}

/// Whether an object is the copy of a body, by what was noted when it was written.
pub(super) fn is_copy(object: &Object, of: &Body) -> bool {
    object.metadata(SOURCE) == Some(&mark(of))
}

/// Compares two histories body by body. A body that is there twice in a row was written twice: its first answer was lost.
pub(super) async fn walk<E>(
    source: &[Body],
    target: &[Body],
    mut is_same: impl AsyncFnMut(&Body, &Body) -> Result<bool, E>,
) -> Result<Place, E> {
    let mut at = 0;
    for theirs in target {
        if at < source.len() && is_same(&source[at], theirs).await? {
            at += 1;
        } else if at == 0 || !is_same(&source[at - 1], theirs).await? {
            return Ok(match at == source.len() {
                true => Place::WentOn,
                false => Place::Diverged,
            });
        }
    }
    Ok(Place::At(at))
}

impl Transfer {
    pub(super) async fn place(&self, source: &History, target: &History) -> Result<Place, Error> {
        let Some(last) = target.bodies.last() else {
            return Ok(Place::At(0));
        };
        let head = self.head_target(&target.key, last).await?;
        // What a transfer has put there stands for all before it.
        if let Some(at) = source.bodies.iter().position(|body| is_copy(&head, body)) {
            return Ok(Place::At(at + 1));
        }
        let is_same = async |ours: &Body, theirs: &Body| self.is_same(&source.key, ours, theirs).await;
        let place = walk(&source.bodies, &target.bodies, is_same).await?;
        // The source may keep old versions for a while only, or none; what is left of them goes on from there.
        let is_ours = head.metadata(SOURCE).is_some();
        match place {
            Place::Diverged if is_ours && self.goes_on(source, target).await? => Ok(Place::At(0)),
            place => Ok(place),
        }
    }

    /// Whether two bodies are the same bytes. ETags that differ say nothing: those of multipart and KMS-encrypted objects are
    /// no digests.
    pub(super) async fn is_same(&self, key: &str, ours: &Body, theirs: &Body) -> Result<bool, Error> {
        if ours.size != theirs.size {
            return Ok(false);
        }
        if ours.etag == theirs.etag || is_copy(&self.head_target(key, theirs).await?, ours) {
            return Ok(true);
        }
        let head = self.from.head(key, Some(&ours.version)).await;
        // As after a transfer in the other direction.
        if is_copy(&head.map_err(layout::Error::from)?, theirs) {
            return Ok(true);
        }
        let (ours, theirs) = (
            self.get_source(key, ours).await?,
            self.get_target(key, theirs).await?,
        );
        Ok(md5_of(&ours.bytes) == md5_of(&theirs.bytes))
    }

    /// Whether the oldest state that the source has left advances what the target has.
    async fn goes_on(&self, source: &History, target: &History) -> Result<bool, Error> {
        let (Some(ours), Some(theirs)) = (source.bodies.first(), target.bodies.last()) else {
            return Ok(false);
        };
        let ours = StateHeader::parse(&self.get_source(&source.key, ours).await?.bytes);
        let theirs = StateHeader::parse(&self.get_target(&target.key, theirs).await?.bytes);
        Ok(match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => ours.lineage == theirs.lineage && ours.serial > theirs.serial,
            _ => false,
        })
    }

    pub(super) async fn get_source(&self, key: &str, body: &Body) -> Result<Object, Error> {
        let object = self.from.read(key, Some(&body.version)).await;
        Ok(object.map_err(layout::Error::from)?)
    }

    pub(super) async fn get_target(&self, key: &str, body: &Body) -> Result<Object, Error> {
        let object = self.to.read(key, Some(&body.version)).await;
        Ok(object.map_err(layout::Error::from)?)
    }

    async fn head_target(&self, key: &str, body: &Body) -> Result<Object, Error> {
        let object = self.to.head(key, Some(&body.version)).await;
        Ok(object.map_err(layout::Error::from)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::convert::Infallible;

    use super::*;

    /// Each letter is a body; equal letters are equal bytes.
    fn bodies(letters: &str) -> Vec<Body> {
        let body = |letter: char| Body {
            version: String::new(),
            etag: letter.to_string(),
            size: 1,
            written_ms: 0,
            after_deletion: false,
        };
        letters.chars().map(body).collect()
    }

    fn walked(source: &str, target: &str) -> Place {
        let is_same = async |one: &Body, other: &Body| Ok::<_, Infallible>(one.etag == other.etag);
        let (source, target) = (bodies(source), bodies(target));
        let walk = walk(&source, &target, is_same);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(walk).unwrap()
    }

    #[test]
    fn a_copy_goes_on_behind_what_is_there() {
        for (source, target, at) in [
            ("abc", "", 0),
            ("abc", "a", 1),
            ("abc", "abc", 3),
            ("aba", "ab", 2),
            ("aab", "a", 1),
        ] {
            assert_eq!(walked(source, target), Place::At(at), "{source} {target}");
        }
    }

    #[test]
    fn a_body_that_was_written_twice_counts_once() {
        for (target, at) in [("aa", 1), ("aab", 2), ("abb", 2), ("aabbcc", 3)] {
            assert_eq!(walked("abc", target), Place::At(at), "{target}");
        }
        assert_eq!(walked("aab", "aaa"), Place::At(2));
    }

    #[test]
    fn newer_ones_of_the_targets_own_are_told_from_others() {
        assert_eq!(walked("ab", "abx"), Place::WentOn);
        assert_eq!(walked("ab", "abxy"), Place::WentOn);
        for (source, target) in [("ab", "x"), ("ab", "ax"), ("ab", "b"), ("abc", "abxc")] {
            assert_eq!(walked(source, target), Place::Diverged, "{source} {target}");
        }
    }
}
