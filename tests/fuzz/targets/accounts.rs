//! passwd, group and shadow: a password goes into its user's line, and no other line changes.
#![no_main]

use dayfly_formats::accounts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| {
    let (text, name) = input;
    let _ = accounts::group(text, name);
    if let Some(user) = accounts::user(text, name) {
        assert!(user.name == name || name.parse() == Ok(user.uid));
    }
    // The settings accept no other names and hashes.
    if name.is_empty() || name.contains([':', '\n', '\r']) {
        return;
    }
    let changed = accounts::with_password(text, name, "$6$salt$hash");
    let others = |text: &str| -> Vec<String> {
        let of_others = |line: &&str| line.split_once(':').is_none_or(|(user, _)| user != name);
        text.split_terminator('\n').filter(of_others).map(str::to_owned).collect()
    };
    assert_eq!(others(&changed), others(text));
    assert!(changed.lines().any(|line| line.starts_with(&format!("{name}:$6$salt$hash:"))));
    assert_eq!(accounts::with_password(&changed, name, "$6$salt$hash"), changed);
    if let Some(shadowed) = accounts::with_shadow(text, name) {
        assert_eq!(accounts::with_shadow(&shadowed, name), None);
    }
});
