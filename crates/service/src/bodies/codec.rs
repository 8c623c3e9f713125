//! Compression: a piece by itself, or a body as what differs from another one.
//!
//! zstd with the other body as prefix and long-distance matching, which alone finds what has moved by megabytes; without it, or
//! with the level's own window, large states come out thirty times larger. Every frame carries a checksum of what it
//! unpacks to, so that a delta over a wrong base is found.

use tidelock_core::limits::OBJECT_BYTES_MAX;
use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter};

/// Level of compression. A higher one costs several times the time and saves a fifth of what stands alone, less of a delta.
const LEVEL: i32 = 3;
/// Long-distance matching looks at one position of 64, for matches of 256 bytes, in buckets of 64: deltas come out at half of
/// what they are with zstd's own choice (one of 128, 64 bytes, 8), in the same time. States are long stretches of the same.
const LDM: [CParameter; 4] = [
    CParameter::EnableLongDistanceMatching(true),
    CParameter::LdmHashRateLog(6),
    CParameter::LdmMinMatch(256),
    CParameter::LdmBucketSizeLog(6),
];
/// zstd's own bounds for a window, as powers of two.
const WINDOW_LOG: std::ops::RangeInclusive<u32> = 10..=30;

const _: () = assert!(2 * OBJECT_BYTES_MAX <= 1 << 30);

/// Why bytes could not be unpacked.
#[derive(Debug, thiserror::Error)]
#[error("they do not unpack: {0}")]
pub(crate) struct Undecodable(String);

impl Undecodable {
    fn zstd(code: usize) -> Undecodable {
        Undecodable(zstd::zstd_safe::get_error_name(code).to_owned())
    }
}

/// Packs bytes by themselves.
pub(crate) fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    set(&mut context, CParameter::CompressionLevel(LEVEL));
    finish(context, bytes)
}

/// Packs `bytes` as what differs from `base`.
pub(crate) fn pack_delta(base: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut context = CCtx::create();
    set(&mut context, CParameter::CompressionLevel(LEVEL));
    set(
        &mut context,
        CParameter::WindowLog(window_log(base.len() + bytes.len())),
    );
    LDM.into_iter().for_each(|parameter| set(&mut context, parameter));
    context
        .ref_prefix(base)
        .expect("a context that has begun nothing takes a prefix");
    finish(context, bytes)
}

fn set(context: &mut CCtx<'_>, parameter: CParameter) {
    context
        .set_parameter(parameter)
        .expect("the parameters are constants within zstd's bounds");
}

fn finish(mut context: CCtx<'_>, bytes: &[u8]) -> Vec<u8> {
    set(&mut context, CParameter::ChecksumFlag(true));
    let mut packed = Vec::with_capacity(zstd::zstd_safe::compress_bound(bytes.len()));
    context
        .compress2(&mut packed, bytes)
        .expect("the room is what zstd says suffices");
    packed
}

/// Unpacks what stands alone; it must fill `into`.
pub(crate) fn unpack(frame: &[u8], into: &mut [u8]) -> Result<(), Undecodable> {
    let size = into.len();
    let unpacked = DCtx::create().decompress(into, frame);
    filled(unpacked.map_err(Undecodable::zstd)?, size)
}

/// Unpacks what differs from `base`, `size` bytes, into `into` in place of what was there.
pub(crate) fn unpack_delta(
    base: &[u8],
    frame: &[u8],
    size: usize,
    into: &mut Vec<u8>,
) -> Result<(), Undecodable> {
    into.clear();
    into.reserve_exact(size);
    let mut context = DCtx::create();
    context
        .set_parameter(DParameter::WindowLogMax(window_log(base.len() + size)))
        .map_err(Undecodable::zstd)?;
    context.ref_prefix(base).map_err(Undecodable::zstd)?;
    let unpacked = context.decompress(into, frame);
    filled(unpacked.map_err(Undecodable::zstd)?, size)
}

fn filled(found: usize, size: usize) -> Result<(), Undecodable> {
    match found == size {
        true => Ok(()),
        false => Err(Undecodable(format!("{found} bytes came out, not {size}"))),
    }
}

/// The window that reaches over `bytes`.
fn window_log(bytes: usize) -> u32 {
    let log = usize::BITS - bytes.saturating_sub(1).leading_zeros();
    log.clamp(*WINDOW_LOG.start(), *WINDOW_LOG.end())
}
