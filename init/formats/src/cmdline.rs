//! The kernel command line, split as the kernel splits it.
//!
//! Source: `next_arg()` in the kernel's `lib/cmdline.c` and `parse_args()` in `kernel/params.c`. There are two intended
//! differences. Only ASCII white space separates words (the kernel also accepts the byte 0xA0, which would cut UTF-8
//! characters). Words without any text (`""`) are left out.

/// One word of the command line before `--`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text before the first `=`, as written. Compare it with [`same_key`].
    pub key: String,
    /// The text after the first `=`, without quotes; `None` when there is no `=`, `Some("")` for `key=`.
    pub value: Option<String>,
}

/// A parsed command line: every word in order, including repeated keys.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cmdline {
    words: Vec<Word>,
    init_args: Vec<String>,
}

impl Cmdline {
    /// Splits `text`, the content of `/proc/cmdline` or a boot entry's line. Never fails: every text is a command line.
    ///
    /// Quotes around a value (`key="a b"`) or around the whole word (`"key=a b"`) protect white space and are removed.
    /// A quote that is never closed reaches to the end. A bare `--` ends the kernel's part; the words after it belong to
    /// init, up to a second `--`, where the kernel stops reading.
    pub fn parse(text: &str) -> Cmdline {
        let mut line = Cmdline::default();
        let mut rest = text.trim_start_matches(is_space);
        let mut for_init = false;
        while !rest.is_empty() {
            let (word, after) = next_word(rest);
            rest = after.trim_start_matches(is_space);
            match word {
                Word { key, value: None } if key == "--" => {
                    if for_init {
                        break;
                    }
                    for_init = true;
                }
                Word { key, value: None } if key.is_empty() => {}
                Word { key, value } if for_init => line.init_args.push(match value {
                    Some(value) => format!("{key}={value}"),
                    None => key,
                }),
                word => line.words.push(word),
            }
        }
        line
    }

    /// Every word before `--`, in order.
    pub fn words(&self) -> &[Word] {
        &self.words
    }

    /// The arguments of init, as far as the command line determines them (`init/main.c`): words that inits know, unless
    /// `init=` or `rdinit=` comes after them, then the words after `--`. The kernel also passes every other word
    /// without a value and without a dot that no part of the kernel uses. Only the running kernel knows which these
    /// are; [`arguments`] reads the result.
    pub fn handed_to_init(&self) -> Vec<String> {
        let mut args: Vec<String> = Vec::new();
        for word in &self.words {
            match (word.key.as_str(), &word.value) {
                ("init" | "rdinit", Some(_)) => args.clear(),
                (key, None) if is_for_init(key) => args.push(key.to_owned()),
                _ => {}
            }
        }
        args.extend_from_slice(&self.init_args);
        args
    }

    /// The last word with this key. It is the effective one for a key with one value.
    pub fn last(&self, key: &str) -> Option<&Word> {
        self.words.iter().rev().find(|word| same_key(&word.key, key))
    }
}

/// Whether the kernel treats two keys as equal: `-` and `_` are equal (`parameq()` in `kernel/params.c`), case matters.
pub fn same_key(a: &str, b: &str) -> bool {
    let fold = |byte: u8| if byte == b'-' { b'_' } else { byte };
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(|(a, b)| fold(a) == fold(b))
}

/// Runlevels and modes of sysvinit's init(8), busybox's init and systemd(1) that no part of the kernel uses.
fn is_for_init(word: &str) -> bool {
    let is_option = word.starts_with('-') && !word.contains('.');
    let is_level = matches!(word.as_bytes(), [b'0'..=b'9' | b's' | b'S']);
    is_option || is_level || ["single", "emergency", "rescue", "auto"].contains(&word)
}

/// The arguments of a process without its name, from `/proc/PID/cmdline` (proc_pid_cmdline(5)). For process 1, these
/// are the arguments that the kernel passed to init.
pub fn arguments(bytes: &[u8]) -> Vec<String> {
    let ended = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    ended.split(|byte| *byte == 0).skip(1).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// The kernel's `isspace()` within ASCII.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// `next_arg()`: the first word of `text`, which starts with no space, and what follows it.
fn next_word(text: &str) -> (Word, &str) {
    let (body, quoted) = match text.strip_prefix('"') {
        Some(body) => (body, true),
        None => (text, false),
    };
    let mut in_quote = quoted;
    let mut equals = None;
    let mut end = body.len();
    for (at, c) in body.char_indices() {
        if is_space(c) && !in_quote {
            end = at;
            break;
        }
        match c {
            // The kernel stores the offset of `=`, and 0 means "none yet". So a leading `=` is part of the key.
            '=' if equals.is_none() && at > 0 => equals = Some(at),
            '"' => in_quote = !in_quote,
            _ => {}
        }
    }
    let (word, rest) = body.split_at_checked(end).unwrap_or((body, ""));
    let strip_end = |text: &str| text.strip_suffix('"').unwrap_or(text).to_owned();
    let word = match equals.and_then(|at| word.split_at_checked(at)) {
        Some((key, value)) => {
            let value = value.strip_prefix('=').unwrap_or(value);
            let value = match value.strip_prefix('"') {
                Some(value) => strip_end(value),
                None if quoted => strip_end(value),
                None => value.to_owned(),
            };
            Word { key: key.to_owned(), value: Some(value) }
        }
        None => Word { key: if quoted { strip_end(word) } else { word.to_owned() }, value: None },
    };
    (word, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<(String, Option<String>)> {
        Cmdline::parse(text).words().iter().map(|w| (w.key.clone(), w.value.clone())).collect()
    }

    #[test]
    fn splits_as_the_kernel_does() {
        type Row<'a> = (&'a str, &'a [(&'a str, Option<&'a str>)]);
        let table: &[Row<'_>] = &[
            ("", &[]),
            ("  \t\n ", &[]),
            ("quiet", &[("quiet", None)]),
            ("quiet\n", &[("quiet", None)]),
            ("a=1  b\tc=", &[("a", Some("1")), ("b", None), ("c", Some(""))]),
            ("root=LABEL=x", &[("root", Some("LABEL=x"))]),
            (r#"a="b c" d"#, &[("a", Some("b c")), ("d", None)]),
            (r#""a=b c" d"#, &[("a", Some("b c")), ("d", None)]),
            (r#""a b" d"#, &[("a b", None), ("d", None)]),
            (r#"a=b" "c d"#, &[("a", Some(r#"b" "c"#)), ("d", None)]),
            (r#"a="b"c d"#, &[("a", Some(r#"b"c"#)), ("d", None)]),
            (r#"a="open to the end"#, &[("a", Some("open to the end"))]),
            (r#"a="" b"#, &[("a", Some("")), ("b", None)]),
            (r#"a=""#, &[("a", Some(""))]),
            ("a=b", &[("a", Some("b"))]),
            (r#"a=b""#, &[("a", Some("b\""))]),
            (r#""" x"#, &[("x", None)]),
            (r#"""#, &[]),
            (
                r#"dyndbg="file a.c +p ; func b +p" x"#,
                &[("dyndbg", Some("file a.c +p ; func b +p")), ("x", None)],
            ),
            (r#""a="b c"" d"#, &[("a", Some("b")), ("c\"\"", None), ("d", None)]),
            ("=x", &[("=x", None)]),
            ("==x", &[("=", Some("x"))]),
            ("ip=:::::eth0:dhcp", &[("ip", Some(":::::eth0:dhcp"))]),
            ("x=\u{e9}\u{a0}y z", &[("x", Some("\u{e9}\u{a0}y")), ("z", None)]),
        ];
        for (text, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|(k, v)| ((*k).to_owned(), v.map(str::to_owned))).collect();
            assert_eq!(words(text), expected, "{text:?}");
        }
    }

    #[test]
    fn two_dashes_end_the_kernels_part() {
        let table: &[(&str, &[&str], &[&str])] = &[
            ("a -- b c=1", &["a"], &["b", "c=1"]),
            ("a --", &["a"], &[]),
            ("a --b", &["a", "--b"], &[]),
            ("a --=x b", &["a", "--", "b"], &[]),
            (r#"a "--" b="x y""#, &["a"], &["b=x y"]),
            ("a -- b -- c", &["a"], &["b"]),
        ];
        for (text, keys, init) in table {
            let line = Cmdline::parse(text);
            assert_eq!(line.words().iter().map(|w| w.key.as_str()).collect::<Vec<_>>(), *keys, "{text:?}");
            assert_eq!(line.init_args, *init, "{text:?}");
        }
    }

    #[test]
    fn init_gets_what_the_kernel_hands_over() {
        // The rows are those of unknown_bootoption(), set_init_arg() and init_setup() in init/main.c.
        let table: &[(&str, &[&str])] = &[
            ("root=/dev/vda ro quiet", &[]),
            ("ro single", &["single"]),
            ("s", &["s"]),
            ("S 1 5 emergency -b", &["S", "1", "5", "emergency", "-b"]),
            ("a.single single.b 12 x", &[]),
            ("single=1 -b=x key=single", &[]),
            ("single init=/sbin/init 3", &["3"]),
            ("single rdinit=/init -s", &["-s"]),
            ("single init", &["single"]),
            ("quiet -- single", &["single"]),
            ("2 -- a.b c=1 \"d e\" -b", &["2", "a.b", "c=1", "d e", "-b"]),
            ("-- 1 init=/x 2", &["1", "init=/x", "2"]),
            ("-- 1 -- 2", &["1"]),
        ];
        for (text, expected) in table {
            assert_eq!(Cmdline::parse(text).handed_to_init(), *expected, "{text}");
        }
    }

    #[test]
    fn arguments_of_a_process() {
        for (bytes, expected) in [
            (&b""[..], &[][..]),
            (b"/init\0", &[]),
            (b"/init\0single\0a b\0", &["single", "a b"]),
            (b"/init\0\0x\0", &["", "x"]),
            (b"/init\0\0", &[""]),
            (b"/init\0cut", &["cut"]),
        ] {
            assert_eq!(arguments(bytes), expected, "{bytes:?}");
        }
    }

    #[test]
    fn keys_compare_with_dash_and_underscore_equal() {
        for (a, b, same) in [
            ("rd.live_image", "rd.live-image", true),
            ("a-b_c", "a_b-c", true),
            ("a", "A", false),
            ("a-", "a", false),
            ("a.b", "a_b", false),
        ] {
            assert_eq!(same_key(a, b), same, "{a} {b}");
        }
    }

    #[test]
    fn the_last_one_wins() {
        let line = Cmdline::parse("ip=dhcp name-server=1.1.1.1 x ip=none name_server=9.9.9.9");
        assert_eq!(line.last("ip").and_then(|w| w.value.as_deref()), Some("none"));
        assert_eq!(line.last("absent"), None);
        assert_eq!(line.last("name-server").and_then(|w| w.value.as_deref()), Some("9.9.9.9"));
    }

    proptest::proptest! {
        #[test]
        fn plain_words_come_back(words in proptest::collection::vec("[a-z][a-z._]{0,8}(=[a-z0-9:/.=,-]{0,12})?", 0..12)) {
            let line = Cmdline::parse(&words.join(" "));
            let back: Vec<String> = line.words().iter().map(|w| match &w.value {
                Some(value) => format!("{}={value}", w.key),
                None => w.key.clone(),
            }).collect();
            proptest::prop_assert_eq!(back, words);
        }

        #[test]
        fn quoting_protects_any_text_without_quotes(value in "[^\"]{0,20}") {
            for text in [format!("k=\"{value}\" z"), format!("\"k={value}\" z")] {
                let line = Cmdline::parse(&text);
                proptest::prop_assert_eq!(line.last("k").and_then(|w| w.value.clone()), Some(value.clone()));
                proptest::prop_assert!(line.last("z").is_some());
            }
        }

        #[test]
        fn any_text_is_a_command_line(text in ".{0,80}") {
            Cmdline::parse(&text);
        }
    }
}
