//! The failure screen.

use std::fmt::Write;

use crate::Failure;

const WIDTH: usize = 78;

/// The screen for a failed step. It shows what a person at a serial console needs, in this order.
pub fn failure(step: &str, failure: &Failure, next: &str) -> String {
    let rule = "=".repeat(WIDTH);
    let mut text = format!("\n{rule}\nDAYFLY COULD NOT BOOT THIS NODE (step: {step})\n\n");
    for (head, body) in [
        ("What was tried", failure.tried.as_str()),
        ("What went wrong", failure.wrong.as_str()),
        ("How to fix it", failure.fix.as_str()),
        ("Code", failure.code.as_str()),
        ("What happens now", next),
    ] {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{head}:{}", wrap(body, head.len() + 1));
    }
    text.push_str(&rule);
    text.push('\n');
    text
}

/// Wraps and indents a text after a heading. A word that is too long is not split.
fn wrap(body: &str, head: usize) -> String {
    const INDENT: usize = 18;
    let mut text = " ".repeat(INDENT.saturating_sub(head));
    let mut column = INDENT;
    for (index, word) in body.split_whitespace().enumerate() {
        let length = word.chars().count();
        if index > 0 {
            if column + 1 + length > WIDTH {
                text.push('\n');
                text.push_str(&" ".repeat(INDENT));
                column = INDENT;
            } else {
                text.push(' ');
                column += 1;
            }
        }
        text.push_str(word);
        column += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use dayfly_plan::Code;

    #[test]
    fn a_screen_has_five_parts_and_fits_80_columns() {
        let wrong = "the server answered HTTP 404 Not Found. ".repeat(4);
        let shown = failure(
            "fetch",
            &Failure::new(Code::ImageHttpStatus, "GET http://boot/os.squashfs", wrong),
            "Reboot in 10 s.",
        );
        for head in
            ["What was tried: ", "What went wrong: ", "How to fix it: ", "Code: ", "What happens now: "]
        {
            assert!(shown.contains(head), "{head}");
        }
        assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
        assert!(shown.contains("Code:             image.http-status"), "{shown}");
    }
}
