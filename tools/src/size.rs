//! Sizes as text.

use anyhow::{Context, Result, bail};

/// A size for people: `1.5 MiB`.
pub fn human(bytes: u64) -> String {
    const UNITS: &[&str] = &["KiB", "MiB", "GiB"];
    let mut size = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if size < 1024.0 {
            break;
        }
        size /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{size:.1} {unit}") }
}

/// The bytes of a size with its unit: `512M`, `4G`, `4GiB`.
pub fn parse(text: &str) -> Result<u64> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit = match text.get(number.len()..) {
        Some("M" | "MiB") => 1 << 20,
        Some("G" | "GiB") => 1 << 30,
        _ => bail!("a size has a unit, as in 512M or 4G"),
    };
    let count: u64 = number.parse().with_context(|| format!("{number:?} is no number"))?;
    count.checked_mul(unit).context("the size is too large")
}

/// A number and a noun: `1 chunk`, `2 chunks`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        for (bytes, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1_572_864, "1.5 MiB"), (5 << 30, "5.0 GiB")]
        {
            assert_eq!(human(bytes), expected);
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        assert_eq!(parse("512M").ok(), Some(512 << 20));
        assert_eq!(parse("4GiB").ok(), Some(4 << 30));
        for text in ["4", "4K", "G", "-1G", "4 G", "99999999999999999G"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
