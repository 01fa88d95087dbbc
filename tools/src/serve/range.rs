//! Which part of a file a `Range` header asks for (RFC 9110, section 14).

/// The answer to a range request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The whole file: no range, one that is malformed or of another unit, or several. A server may ignore those (section 14.2).
    Whole,
    /// These bytes, the last one included; there is at least one.
    Bytes {
        /// The first one's offset.
        first: u64,
        /// The last one's.
        last: u64,
    },
    /// Nothing of the file is in the range: status 416.
    Unsatisfiable,
}

/// What `value` asks for of a file with `length` bytes.
pub fn part(value: &str, length: u64) -> Part {
    let Some((unit, set)) = value.split_once('=') else { return Part::Whole };
    if !unit.eq_ignore_ascii_case("bytes") {
        return Part::Whole;
    }
    // A list may have empty elements and white space around its commas (section 5.6.1).
    let mut specs = set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty());
    let (Some(spec), None) = (specs.next(), specs.next()) else { return Part::Whole };
    let Some((first, last)) = spec.split_once('-') else { return Part::Whole };
    match (number(first), number(last)) {
        // `-N`: the last N bytes, or all if there are fewer.
        (Number::None, Number::Is(0)) => Part::Unsatisfiable,
        (Number::None, Number::Is(_)) if length == 0 => Part::Whole,
        (Number::None, Number::Is(count)) => {
            Part::Bytes { first: length.saturating_sub(count), last: length - 1 }
        }
        (Number::Is(first), Number::Is(last)) if last < first => Part::Whole,
        (Number::Is(first), Number::None | Number::Is(_)) if first >= length => Part::Unsatisfiable,
        (Number::Is(first), Number::None) => Part::Bytes { first, last: length - 1 },
        (Number::Is(first), Number::Is(last)) => Part::Bytes { first, last: last.min(length - 1) },
        (Number::None, Number::None) | (Number::Bad, _) | (_, Number::Bad) => Part::Whole,
    }
}

enum Number {
    None,
    Is(u64),
    Bad,
}

/// `1*DIGIT` of any length. A number that is too large becomes the largest one, which no file reaches.
fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::None
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Number::Is(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Bad
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_of_ten_bytes() {
        let bytes = |first, last| Part::Bytes { first, last };
        let table = [
            ("bytes=0-0", bytes(0, 0)),
            ("bytes=0-9", bytes(0, 9)),
            ("bytes=2-4", bytes(2, 4)),
            ("bytes=2-", bytes(2, 9)),
            ("bytes=9-", bytes(9, 9)),
            ("bytes=5-100", bytes(5, 9)),
            ("bytes=5-99999999999999999999999", bytes(5, 9)),
            ("bytes=-1", bytes(9, 9)),
            ("bytes=-10", bytes(0, 9)),
            ("bytes=-11", bytes(0, 9)),
            ("bytes=-99999999999999999999999", bytes(0, 9)),
            ("BYTES=2-4", bytes(2, 4)),
            ("bytes= 2-4", bytes(2, 4)),
            ("bytes=2-4 ", bytes(2, 4)),
            ("bytes=,\t2-4 ,", bytes(2, 4)),
            ("bytes=00002-04", bytes(2, 4)),
            // no byte of the range exists
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=10-11", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            // ignored
            ("", Part::Whole),
            ("bytes", Part::Whole),
            ("bytes=", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=,", Part::Whole),
            ("bytes=4", Part::Whole),
            ("bytes=4-2", Part::Whole),
            ("bytes=12-11", Part::Whole),
            ("bytes=0-1,4-5", Part::Whole),
            ("bytes=0-1,bytes=4-5", Part::Whole),
            ("bytes=a-b", Part::Whole),
            ("bytes=0x1-2", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=1-+2", Part::Whole),
            ("bytes=--1", Part::Whole),
            ("bytes=1--2", Part::Whole),
            ("bytes=1 -2", Part::Whole),
            ("bytes =1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("bytes=1-2=3", Part::Whole),
            ("bytes=\u{664}-", Part::Whole),
        ];
        for (value, expected) in table {
            assert_eq!(part(value, 10), expected, "{value:?}");
        }
    }

    #[test]
    fn an_empty_file_has_no_ranges() {
        for (value, expected) in
            [("bytes=0-", Part::Unsatisfiable), ("bytes=0-0", Part::Unsatisfiable), ("bytes=-5", Part::Whole)]
        {
            assert_eq!(part(value, 0), expected, "{value:?}");
        }
    }

    /// The bytes that section 14.1.2 gives, one by one.
    fn wanted(first: Option<u64>, last: Option<u64>, length: u64) -> Vec<u64> {
        (0..length)
            .filter(|&at| match (first, last) {
                (Some(first), last) => at >= first && last.is_none_or(|last| at <= last),
                (None, Some(count)) => at + count >= length,
                (None, None) => false,
            })
            .collect()
    }

    fn edge() -> impl Strategy<Value = Option<u64>> {
        prop_oneof![Just(None), (0_u64..40).prop_map(Some), Just(Some(u64::MAX))]
    }

    proptest! {
        #[test]
        fn the_part_is_the_bytes_that_were_asked_for(first in edge(), last in edge(), length in 0_u64..32) {
            let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
            let value = format!("bytes={}-{}", text(first), text(last));
            // A suffix that is longer than the file is the whole file.
            let last = if first.is_none() { last.map(|count| count.min(length)) } else { last };
            let wanted = wanted(first, last, length);
            match part(&value, length) {
                Part::Bytes { first, last } => prop_assert_eq!((first..=last).collect::<Vec<_>>(), wanted),
                Part::Unsatisfiable => prop_assert!(wanted.is_empty(), "{}: {:?}", value, wanted),
                Part::Whole => prop_assert!(
                    first.zip(last).is_some_and(|(first, last)| last < first) || first.is_none() && (last.is_none() || length == 0),
                    "{} was ignored", value
                ),
            }
        }

        #[test]
        fn whatever_is_asked_for_lies_in_the_file(value in "(bytes=)?[-0-9, ]{0,30}|.{0,30}", length in any::<u64>()) {
            if let Part::Bytes { first, last } = part(&value, length) {
                prop_assert!(first <= last && last < length);
            }
        }
    }
}
