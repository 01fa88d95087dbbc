//! Comparison of names and patterns as in libkmod.

/// Rewrites `-` to `_` outside `[…]`, as modprobe does before it compares names and aliases.
///
/// Returns `None` for unbalanced brackets. libkmod refuses those, too.
#[must_use]
pub fn normalize(name: &str) -> Option<String> {
    let mut out = String::with_capacity(name.len());
    let mut in_class = false;
    for c in name.chars() {
        match (c, in_class) {
            ('-', false) => out.push('_'),
            ('[', false) => {
                in_class = true;
                out.push(c);
            }
            (']', false) => return None,
            (']', true) => {
                in_class = false;
                out.push(c);
            }
            _ => out.push(c),
        }
    }
    (!in_class).then_some(out)
}

/// The length of the part of `pattern` before its first special character.
pub(super) fn literal_len(pattern: &[u8]) -> usize {
    pattern.iter().position(|b| matches!(b, b'*' | b'?' | b'[' | b'\\')).unwrap_or(pattern.len())
}

/// Whether the whole `text` matches `pattern`: fnmatch(3) without flags, so `*` also matches `/` and a leading period,
/// and `\` takes the next character literally.
///
/// Takes at most `pattern.len() * text.len()` steps for any input, because only the last `*` is retried.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (pattern, text);
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (p.split_first(), t.split_first()) {
            (None, None) => return true,
            (Some((b'*', rest)), _) => {
                p = rest;
                retry = Some((p, t));
                continue;
            }
            (Some(_), Some((c, t_rest))) => match_one(p, *c).map(|p_rest| (p_rest, t_rest)),
            _ => None,
        };
        if let Some((p_rest, t_rest)) = step {
            p = p_rest;
            t = t_rest;
            continue;
        }
        // Let the last star match one more character.
        let Some((after_star, from)) = retry else { return false };
        let Some((_, shorter)) = from.split_first() else { return false };
        p = after_star;
        t = shorter;
        retry = Some((p, t));
    }
}

/// Matches the first element of `pattern`, which is not `*`, against `c`. Returns the rest of the pattern.
fn match_one(pattern: &[u8], c: u8) -> Option<&[u8]> {
    let (first, rest) = pattern.split_first()?;
    match first {
        b'?' => Some(rest),
        b'\\' => {
            let (escaped, rest) = rest.split_first()?;
            (*escaped == c).then_some(rest)
        }
        b'[' => match class(rest) {
            Some((class, after)) => class.contains(c).then_some(after),
            // Not a class: fnmatch treats the bracket literally.
            None => (c == b'[').then_some(rest),
        },
        literal => (*literal == c).then_some(rest),
    }
}

/// The text between `[` and `]`.
struct Class<'a> {
    negated: bool,
    body: &'a [u8],
}

/// Splits `…]rest` into the class and the rest. A `]` as the first character belongs to the class.
fn class(after_bracket: &[u8]) -> Option<(Class<'_>, &[u8])> {
    let (negated, body) = match after_bracket.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, after_bracket),
    };
    let end = body.iter().enumerate().skip(1).find(|(_, b)| **b == b']').map(|(i, _)| i)?;
    let (body, rest) = body.split_at_checked(end)?;
    Some((Class { negated, body }, rest.split_first()?.1))
}

impl Class<'_> {
    fn contains(&self, c: u8) -> bool {
        let mut rest = self.body;
        let mut found = false;
        loop {
            rest = match rest {
                [low, b'-', high, tail @ ..] => {
                    found |= (*low..=*high).contains(&c);
                    tail
                }
                [one, tail @ ..] => {
                    found |= *one == c;
                    tail
                }
                [] => return found != self.negated,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_fnmatch_does() {
        let table: &[(&str, &str, bool)] = &[
            ("virtio_net", "virtio_net", true),
            ("virtio_net", "virtio_ne", false),
            ("virtio_ne", "virtio_net", false),
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "a/b.c", true),
            ("a*b*c", "a1b2b3c", true),
            ("a*b*c", "a1b2b3d", false),
            ("?", "", false),
            ("?x", "ax", true),
            (
                "pci:v00001AF4d00001000sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
                true,
            ),
            (
                "pci:v00001AF4d00001041sv*sd*bc*sc*i*",
                "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
                false,
            ),
            ("usb:v1645p0007d01[0-2]*dc*", "usb:v1645p0007d0123dc00", true),
            ("usb:v1645p0007d01[0-2]*dc*", "usb:v1645p0007d0133dc00", false),
            ("d[0-9A-F]x", "dBx", true),
            ("d[0-9A-F]x", "dGx", false),
            ("[!a]", "b", true),
            ("[!a]", "a", false),
            ("[^a-c]", "b", false),
            ("[]]", "]", true),
            ("[a-]", "-", true),
            ("[a", "[a", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            (r"a\", "a", false),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), *expected, "{pattern} on {text}");
        }
    }

    #[test]
    fn many_stars_stay_cheap() {
        let pattern = "*a".repeat(500) + "b";
        let text = "a".repeat(20_000);
        assert!(!matches(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn names_are_normalized_outside_brackets() {
        let table: &[(&str, Option<&str>)] = &[
            ("crc32c-intel", Some("crc32c_intel")),
            ("usb:d[0-9]*-x", Some("usb:d[0-9]*_x")),
            ("a]", None),
            ("a[b", None),
            ("", Some("")),
        ];
        for (name, expected) in table {
            assert_eq!(normalize(name).as_deref(), *expected, "{name}");
        }
    }
}
