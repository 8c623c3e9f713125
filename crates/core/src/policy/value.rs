//! Numbers, dates, addresses and truth values as conditions write and compare them.

use std::net::{IpAddr, Ipv6Addr};

use crate::time::Time;

/// A network: an address and how many of its leading bits count. IPv4 is kept as the IPv6 addresses that stand for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Network {
    first: u128,
    mask: u128,
    /// How many leading bits of an address of its own family count.
    pub(super) bits: u32,
    /// Whether it is of IPv4.
    pub(super) is_v4: bool,
}

const V4_OFFSET_BITS: u32 = 96;

impl Network {
    /// Reads `203.0.113.0/24`, `2001:db8::/32`, or one address.
    pub(super) fn parse(text: &str) -> Option<Network> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if is_digits(bits) && bits.len() <= 3 => {
                (address, Some(bits.parse().ok()?))
            }
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return None;
        }
        let own = 128 - most + bits;
        let mask = u128::MAX.checked_shl(128 - own).unwrap_or(0);
        Some(Network {
            first: number(address) & mask,
            mask,
            bits,
            is_v4: address.is_ipv4(),
        })
    }

    /// Whether the address is in it.
    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let number = number(address);
        // The mask of `::/0` covers what stands for IPv4 too.
        let is_v4 = number >> (128 - V4_OFFSET_BITS) == V4_PREFIX;
        is_v4 == self.is_v4 && number & self.mask == self.first
    }
}

/// What stands before the 32 bits of an IPv4 address in the IPv6 address for it.
const V4_PREFIX: u128 = 0xffff;

fn number(address: IpAddr) -> u128 {
    let address: Ipv6Addr = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    address.to_bits()
}

/// Reads a number as JSON writes it, whole or with a fraction.
pub(super) fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let plain = digits.starts_with(|first: char| first.is_ascii_digit())
        && digits
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    text.parse()
        .ok()
        .filter(|number: &f64| plain && number.is_finite())
}

/// Reads `true` or `false`, in any case.
pub(super) fn truth(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    is("true").then_some(true).or(is("false").then_some(false))
}

/// Reads a date of ISO 8601 in the forms of W3C's note, from `2026` to `2026-11-21T18:30:00.5+01:00`, or seconds since 1970.
pub(super) fn date(text: &str) -> Option<Time> {
    if text.len() > 4 && is_digits(text.strip_prefix('-').unwrap_or(text)) {
        return text.parse::<i64>().ok()?.checked_mul(1_000).map(Time);
    }
    let (day, time) = match text.split_once(['T', 't']) {
        Some((day, time)) => (day, Some(time)),
        None => (text, None),
    };
    let mut parts = day.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    let day = parts.next().map_or(Some(1), |text| digits(text, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    let ms = time.map_or(Some(0), time_of_day)?;
    Some(Time(days_since_1970(year, month, day) * DAY_MS + ms))
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// Reads `18:30Z`, `18:30:00Z`, `18:30:00.123+01:00`; gives the milliseconds of the day in UTC.
fn time_of_day(text: &str) -> Option<i64> {
    let zone_at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at(zone_at);
    let mut parts = clock.split(':');
    let hours = digits(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(parts.next()?, 2).filter(|minutes| *minutes < 60)?;
    let seconds_ms = parts.next().map_or(Some(0), milliseconds)?;
    if parts.next().is_some() {
        return None;
    }
    Some((hours * 60 + minutes) * 60_000 + seconds_ms - zone_ms(zone)?)
}

fn milliseconds(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let seconds = digits(whole, 2).filter(|seconds| *seconds <= 60)?;
    if !is_digits(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(seconds * 1_000 + digits(&thousandths, 3)?)
}

fn zone_ms(text: &str) -> Option<i64> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return (text.len() == 1).then_some(0),
    };
    let (hours, minutes) = text[1..]
        .split_once(':')
        .or_else(|| text[1..].split_at_checked(2))?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    (text.len() == length && is_digits(text)).then(|| text.parse().ok())?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, counted from March so that a leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 1 - 719_468
}
