//! Numbers with and without a unit, and booleans.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Form, number, own_values, values};

values! {
    /// Whole seconds, from 1 to one day: no wait is endless.
    Seconds(Duration) = "seconds",
        number(1, 86400, r"^0*([1-9][0-9]{0,3}|[1-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2}|86400)s?$"),
        seconds, |time| time.as_secs().to_string();
    /// Any whole number of seconds. The setting defines the meaning of a negative one.
    WholeSeconds(i64) = "whole number of seconds", number(i64::MIN, i64::MAX, r"^[+-]?[0-9]+$"),
        |text| text.parse().map_err(|_| format!("\"{text}\" is not a whole number of seconds")),
        ToString::to_string;
    /// A number of attempts, with dracut's limits.
    Tries(u32) = "number", number(1, 1_000_000_000, r"^0*[1-9][0-9]{0,9}$"), tries, ToString::to_string;
    /// A size in bytes.
    Bytes(u64) = "size", number(1, i64::MAX, r"^[0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?$"),
        bytes, ToString::to_string;
    /// A boolean.
    YesNo(bool) = "yes or no", Form::Bool, yes_no, |yes| if *yes { "yes" } else { "no" }.to_owned();
}

own_values! {
    Size = "size or percentage",
        number(1, i64::MAX, r"^([0-9]+(\.[0-9]{1,9})?([kKmMgG](iB)?)?|0*([1-9][0-9]?|100)%)$");
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('s').unwrap_or(text).parse::<u64>() {
        Ok(count @ 1..=86400) if !text.starts_with('+') => Ok(Duration::from_secs(count)),
        _ => Err(format!("\"{text}\" is not a number of seconds from 1 to 86400")),
    }
}

fn tries(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(count @ 1..=1_000_000_000) if !text.starts_with('+') => Ok(count),
        _ => Err(format!("\"{text}\" is not a number from 1 to 1000000000")),
    }
}

/// The size limit of a tmpfs, as in tmpfs(5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A number of bytes.
    Bytes(u64),
    /// A percentage of the memory, 1 to 100.
    Percent(u8),
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix('%') {
            None => bytes(text).map(Self::Bytes),
            Some(digits) => match digits.parse() {
                Ok(percent @ 1..=100) if !digits.starts_with('+') => Ok(Self::Percent(percent)),
                _ => Err(format!("\"{text}\" is not a percentage of the memory: 1% to 100% is expected")),
            },
        }
    }
}

/// In the syntax of the tmpfs mount option.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Size::Bytes(bytes) => bytes.fmt(f),
            Size::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// A size in bytes, or with K, M, G, KiB, MiB or GiB (powers of 1024). A fraction may have up to nine digits.
fn bytes(text: &str) -> Result<u64, String> {
    let refuse = || format!("\"{text}\" is not a size: a number with an optional K, M or G is expected");
    let body = text.strip_suffix("iB").filter(|body| body.ends_with(['K', 'M', 'G', 'k', 'm', 'g']));
    let body = body.unwrap_or(text);
    let (digits, unit): (_, u64) = match body.as_bytes().last() {
        Some(b'k' | b'K') => (body.get(..body.len() - 1), 1 << 10),
        Some(b'm' | b'M') => (body.get(..body.len() - 1), 1 << 20),
        Some(b'g' | b'G') => (body.get(..body.len() - 1), 1 << 30),
        _ => (Some(body), 1),
    };
    let digits = digits.ok_or_else(refuse)?;
    let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 {
        return Err(refuse());
    }
    let number = |text: &str| text.parse::<u64>().map_err(|_| refuse());
    let scale = 10_u64.pow(u32::try_from(part.len()).unwrap_or_default());
    let fraction = number(part)?.checked_mul(unit).ok_or_else(refuse)? / scale;
    let sum = number(whole)?.checked_mul(unit).and_then(|bytes| bytes.checked_add(fraction));
    sum.filter(|bytes| *bytes > 0).ok_or_else(refuse)
}

/// A boolean in dracut's grammar.
fn yes_no(text: &str) -> Result<bool, String> {
    match text {
        "1" | "yes" | "on" | "true" | "y" => Ok(true),
        "0" | "no" | "off" | "false" | "n" => Ok(false),
        _ => Err(format!("\"{text}\" is not one of 1, yes, on, true, 0, no, off, false")),
    }
}
