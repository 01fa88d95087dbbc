//! The nesting depth of a TOML text. It is checked before the parser reads the text, because the parser recurses to
//! this depth.

/// Counts brackets and the dots between names. Strings and comments do not count.
pub(super) fn depth(text: &str) -> usize {
    let mut deepest = 0;
    // The number of dots since each open bracket, or since its last comma.
    let mut open: Vec<usize> = vec![0];
    let mut sum = 0;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'#' => rest = skip(rest, |rest| rest.starts_with(b"\n")),
            b'"' | b'\'' => rest = skip_string(byte, rest),
            b'[' | b'{' => {
                open.push(0);
                sum += 1;
            }
            b']' | b'}' if open.len() > 1 => sum -= 1 + open.pop().unwrap_or_default(),
            b'.' => {
                if let Some(dots) = open.last_mut() {
                    *dots += 1;
                    sum += 1;
                }
            }
            b',' => sum -= open.last_mut().map(std::mem::take).unwrap_or_default(),
            // A statement ends with its line, unless a bracket is open.
            b'\n' if open.len() == 1 => {
                sum -= open.last_mut().map(std::mem::take).unwrap_or_default();
            }
            _ => {}
        }
        deepest = deepest.max(sum);
    }
    deepest
}

/// The rest after a string whose first quote was just read.
fn skip_string(quote: u8, rest: &[u8]) -> &[u8] {
    let three = [quote; 3];
    // Three quotes start a multi-line string. Two quotes are an empty string.
    if let Some(mut rest) = rest.strip_prefix(&[quote; 2]) {
        loop {
            match rest {
                [] => return rest,
                [b'\\', _, after @ ..] if quote == b'"' => rest = after,
                _ if rest.starts_with(&three) => return rest.get(3..).unwrap_or_default(),
                [_, after @ ..] => rest = after,
            }
        }
    }
    let mut rest = rest;
    loop {
        match rest {
            [] | [b'\n', ..] => return rest,
            [b'\\', _, after @ ..] if quote == b'"' => rest = after,
            [byte, after @ ..] if *byte == quote => return after,
            [_, after @ ..] => rest = after,
        }
    }
}

fn skip(mut rest: &[u8], ends: impl Fn(&[u8]) -> bool) -> &[u8] {
    while let Some((_, after)) = rest.split_first()
        && !ends(rest)
    {
        rest = after;
    }
    rest
}
