//! Hides a possible password of a refused URL in messages.

/// Removes the text before the `@` of the value's URL from the message, with or without a scheme. An unencoded password
/// may contain any character, so the text up to the last `@` is removed.
pub(super) fn hide(message: &str, value: &str) -> String {
    let Some(secret) = find(value) else { return message.to_owned() };
    // Some messages show special characters escaped.
    let escaped = secret.escape_debug().to_string();
    let message = message.replace(&format!("{secret}@"), "…@");
    if escaped == secret { message } else { message.replace(&format!("{escaped}@"), "…@") }
}

fn find(value: &str) -> Option<&str> {
    let (has_scheme, rest) = match value.split_once("://") {
        Some((_, rest)) => (true, rest),
        None => (false, value),
    };
    let (before, _) = rest.rsplit_once('@')?;
    (has_scheme || before.contains(':')).then_some(before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_left_out_and_little_else() {
        for (value, shown) in [
            ("http://user:pw@boot/os", "http://…@boot/os"),
            ("live:https://pw@boot/os", "live:https://…@boot/os"),
            ("http://user:p/w?#@@boot/os", "http://…@boot/os"),
            ("http://user:p w\u{7}@boot/os", "http://…@boot/os"),
            ("user:pw@boot/os", "…@boot/os"),
            ("git@boot:os", "git@boot:os"),
            ("http://boot/os", "http://boot/os"),
            ("http://@boot/os", "http://…@boot/os"),
        ] {
            let message = format!("x = {value}: \"{}\" is no good.", value.escape_debug());
            let expected = format!("x = {shown}: \"{shown}\" is no good.");
            assert_eq!(hide(&message, value), expected);
        }
    }
}
