//! DynamoDB's Number: a decimal of up to 38 significant digits, exact, ordered, and with one canonical text.
//!
//! Rules: <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>.

use std::{cmp::Ordering, fmt};

use tidelock_core::limits::{NUMBER_DIGITS_MAX, NUMBER_EXPONENT_MAX, NUMBER_EXPONENT_MIN};

/// `± d.ddd… × 10^exponent` with neither leading nor trailing zeros among the digits; zero has no digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number {
    negative: bool,
    exponent: i16,
    digits: Vec<u8>,
}

/// Why a text or a sum is not a Number, in AWS's words.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NumberError {
    #[error("The parameter cannot be converted to a numeric value{}", suffix(.0))]
    NotNumeric(String),
    #[error("Attempting to store more than 38 significant digits in a Number")]
    TooManyDigits,
    #[error("Number overflow. Attempting to store a number with magnitude larger than supported range")]
    Overflow,
    #[error("Number underflow. Attempting to store a number with magnitude smaller than supported range")]
    Underflow,
}

fn suffix(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

impl Number {
    /// Reads `[+-]digits[.digits][E[+-]digits]`.
    pub(crate) fn parse(text: &str) -> Result<Number, NumberError> {
        let not_numeric = || NumberError::NotNumeric(text.chars().take(64).collect());
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, parse_exponent(exponent).ok_or_else(not_numeric)?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !all_digits(whole) || !all_digits(fraction) {
            return Err(not_numeric());
        }
        let digits: Vec<u8> = whole
            .bytes()
            .chain(fraction.bytes())
            .map(|byte| byte - b'0')
            .collect();
        let number = Number::normalise(negative, &digits, whole.len() as i64 - 1 + exponent)?;
        if number.digits.len() > NUMBER_DIGITS_MAX {
            return Err(NumberError::TooManyDigits);
        }
        Ok(number)
    }

    /// Takes the zeros off both ends and checks the range; `exponent` belongs to the first digit given.
    fn normalise(negative: bool, digits: &[u8], exponent: i64) -> Result<Number, NumberError> {
        let leading = digits.iter().take_while(|&&digit| digit == 0).count();
        let trailing = digits[leading..]
            .iter()
            .rev()
            .take_while(|&&digit| digit == 0)
            .count();
        let significant = digits[leading..digits.len() - trailing].to_vec();
        if significant.is_empty() {
            return Ok(Number {
                negative: false,
                exponent: 0,
                digits: significant,
            });
        }
        let exponent = exponent - leading as i64;
        if exponent > NUMBER_EXPONENT_MAX {
            return Err(NumberError::Overflow);
        }
        if exponent < NUMBER_EXPONENT_MIN {
            return Err(NumberError::Underflow);
        }
        Ok(Number {
            negative,
            exponent: exponent as i16,
            digits: significant,
        })
    }

    /// The sum, rounded half up to 38 digits.
    pub(crate) fn plus(&self, other: &Number) -> Result<Number, NumberError> {
        let (large, small) = if self.cmp_magnitude(other).is_ge() {
            (self, other)
        } else {
            (other, self)
        };
        if small.digits.is_empty() {
            return Ok(large.clone());
        }
        let lowest = large.lowest_exponent().min(small.lowest_exponent());
        let top = i64::from(large.exponent) + 1;
        let width = (top - lowest + 1) as usize;
        let mut sum = large.aligned(top, width);
        let addend = small.aligned(top, width);
        if large.negative == small.negative {
            add_digits(&mut sum, &addend);
        } else {
            subtract_digits(&mut sum, &addend);
        }
        let exponent = top + i64::from(round_digits(&mut sum));
        Number::normalise(large.negative, &sum, exponent)
    }

    /// The difference, rounded like [`Number::plus`].
    pub(crate) fn minus(&self, other: &Number) -> Result<Number, NumberError> {
        let negated = Number {
            negative: !other.negative && !other.digits.is_empty(),
            ..other.clone()
        };
        self.plus(&negated)
    }

    fn lowest_exponent(&self) -> i64 {
        i64::from(self.exponent) - self.digits.len() as i64 + 1
    }

    /// The digits as a row of `width` digits, the first of which has the exponent `top`.
    fn aligned(&self, top: i64, width: usize) -> Vec<u8> {
        let mut row = vec![0; width];
        let start = (top - i64::from(self.exponent)) as usize;
        row[start..start + self.digits.len()].copy_from_slice(&self.digits);
        row
    }

    fn cmp_magnitude(&self, other: &Number) -> Ordering {
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => (self.exponent, &self.digits).cmp(&(other.exponent, &other.digits)),
        }
    }

    /// Bytes whose order is the order of the numbers: sign, biased exponent, digits and an end mark, all
    /// inverted for negative numbers.
    pub(crate) fn key_bytes(&self) -> Vec<u8> {
        const NEGATIVE: u8 = 1;
        const ZERO: u8 = 2;
        const POSITIVE: u8 = 3;
        if self.digits.is_empty() {
            return vec![ZERO];
        }
        let biased = (i64::from(self.exponent) - NUMBER_EXPONENT_MIN) as u8;
        let mut bytes = vec![POSITIVE, biased];
        bytes.extend(self.digits.iter().map(|digit| digit + 1));
        bytes.push(0);
        if self.negative {
            bytes.iter_mut().for_each(|byte| *byte = !*byte);
            bytes[0] = NEGATIVE;
        }
        bytes
    }

    /// What DynamoDB counts for it in an item's size.
    pub(crate) fn size_bytes(&self) -> usize {
        self.digits.len().div_ceil(2) + 1 + usize::from(self.negative)
    }
}

/// `None` unless digits with an optional sign; an exponent too large to hold is far out of range either way.
fn parse_exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    const OUT_OF_RANGE: i64 = 1 << 40;
    let magnitude = digits.parse::<i64>().unwrap_or(OUT_OF_RANGE).min(OUT_OF_RANGE);
    Some(if text.starts_with('-') {
        -magnitude
    } else {
        magnitude
    })
}

fn add_digits(sum: &mut [u8], addend: &[u8]) {
    let mut carry = 0;
    for (digit, more) in sum.iter_mut().zip(addend).rev() {
        let total = *digit + more + carry;
        *digit = total % 10;
        carry = total / 10;
    }
}

/// `sum` must be the larger one.
fn subtract_digits(sum: &mut [u8], subtrahend: &[u8]) {
    let mut borrow = 0;
    for (digit, less) in sum.iter_mut().zip(subtrahend).rev() {
        let take = less + borrow;
        borrow = u8::from(*digit < take);
        *digit = *digit + 10 * borrow - take;
    }
}

/// Cuts to 38 significant digits, rounding half up; true when a carry made one more digit in front.
fn round_digits(row: &mut Vec<u8>) -> bool {
    let leading = row.iter().take_while(|&&digit| digit == 0).count();
    let keep = leading + NUMBER_DIGITS_MAX;
    if row.len() <= keep {
        return false;
    }
    let round_up = row[keep] >= 5;
    row.truncate(keep);
    if !round_up {
        return false;
    }
    for digit in row.iter_mut().rev() {
        if *digit < 9 {
            *digit += 1;
            return false;
        }
        *digit = 0;
    }
    row.insert(0, 1);
    true
}

impl From<usize> for Number {
    fn from(mut count: usize) -> Number {
        let mut digits = Vec::new();
        while count > 0 {
            digits.insert(0, (count % 10) as u8);
            count /= 10;
        }
        let exponent = digits.len().saturating_sub(1) as i16;
        while digits.last() == Some(&0) {
            digits.pop();
        }
        Number {
            negative: false,
            exponent,
            digits,
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.cmp_magnitude(other),
            (true, true) => other.cmp_magnitude(self),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        if self.exponent < 0 {
            text.push_str("0.");
            text.extend(std::iter::repeat_n(
                '0',
                usize::from(self.exponent.unsigned_abs()) - 1,
            ));
        }
        let point = i64::from(self.exponent) + 1;
        for (index, digit) in self.digits.iter().enumerate() {
            if index > 0 && index as i64 == point {
                text.push('.');
            }
            text.push(char::from(b'0' + digit));
        }
        let zeros = usize::try_from(point - self.digits.len() as i64).unwrap_or(0);
        text.extend(std::iter::repeat_n('0', zeros));
        f.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn numbers_are_printed_in_canonical_form() {
        for (text, canonical) in [
            ("0", "0"),
            ("-0.00", "0"),
            ("+007", "7"),
            ("1.50", "1.5"),
            ("1E2", "100"),
            ("-1.5e-3", "-0.0015"),
            (".5", "0.5"),
            ("5.", "5"),
            ("120.034", "120.034"),
            (
                "12345678901234567890123456789012345678",
                "12345678901234567890123456789012345678",
            ),
        ] {
            assert_eq!(number(text).to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn numbers_out_of_range_are_refused_in_the_words_of_aws() {
        use NumberError::{NotNumeric, Overflow, TooManyDigits, Underflow};
        assert_eq!(Number::parse("1E126"), Err(Overflow));
        assert_eq!(Number::parse("-1E99999999999999999999"), Err(Overflow));
        assert_eq!(Number::parse("1E-131"), Err(Underflow));
        assert_eq!(Number::parse("1E-99999999999999999999"), Err(Underflow));
        assert_eq!(
            Number::parse("123456789012345678901234567890123456789"),
            Err(TooManyDigits)
        );
        assert!(Number::parse("9.9999999999999999999999999999999999999E+125").is_ok());
        assert!(Number::parse("1E-130").is_ok());
        assert!(Number::parse("0E99999").is_ok());
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "0x1", "NaN", "Infinity", " 1", "1 ", "1_0", "--1", "١",
        ] {
            assert!(matches!(Number::parse(text), Err(NotNumeric(_))), "{text}");
        }
    }

    #[test]
    fn sums_carry_borrow_and_round() {
        for (a, b, sum) in [
            ("1", "-1", "0"),
            ("99", "1", "100"),
            ("1E2", "-0.5", "99.5"),
            ("-5", "3", "-2"),
            ("0.1", "0.2", "0.3"),
            (
                "99999999999999999999999999999999999999",
                "0.5",
                "100000000000000000000000000000000000000",
            ),
            ("1E100", "1", &format!("1{}", "0".repeat(100))),
        ] {
            assert_eq!(number(a).plus(&number(b)).unwrap().to_string(), sum, "{a} + {b}");
        }
        let largest = number("9.9999999999999999999999999999999999999E+125");
        assert_eq!(largest.plus(&largest), Err(NumberError::Overflow));
        assert_eq!(number("3").minus(&number("5")).unwrap(), number("-2"));
        assert_eq!(number("3").minus(&number("0")).unwrap(), number("3"));
    }

    fn any_number() -> impl Strategy<Value = Number> {
        "-?[0-9]{1,12}(\\.[0-9]{1,12})?(E-?[0-9]{1,2})?".prop_map(|text| number(&text))
    }

    proptest! {
        #[test]
        fn key_bytes_order_as_the_numbers_do(a in any_number(), b in any_number()) {
            prop_assert_eq!(a.key_bytes().cmp(&b.key_bytes()), a.cmp(&b));
        }

        #[test]
        fn printed_numbers_read_back_the_same(a in any_number()) {
            prop_assert_eq!(number(&a.to_string()), a);
        }

        #[test]
        fn integer_sums_agree_with_the_machine(a in -1_000_000_000_i64..1_000_000_000, b in -1_000_000_000_i64..1_000_000_000) {
            let sum = number(&a.to_string()).plus(&number(&b.to_string())).unwrap();
            prop_assert_eq!(sum.to_string(), (a + b).to_string());
            prop_assert_eq!(Number::from(b.unsigned_abs() as usize), number(&b.unsigned_abs().to_string()));
            prop_assert_eq!(number(&a.to_string()).cmp(&number(&b.to_string())), a.cmp(&b));
        }

        #[test]
        fn any_text_is_read_without_panic(text in ".{0,40}") {
            let _ = Number::parse(&text);
        }
    }
}
