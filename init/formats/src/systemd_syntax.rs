//! What all of systemd's configuration files have in common (systemd.syntax(7)).

/// Lines without comments, those that end with a backslash together with the next one.
pub(crate) fn whole_lines(text: &str) -> Vec<String> {
    let mut whole = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = line.trim();
        // A comment between the parts of a line is no part of it.
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(part) = line.strip_suffix('\\') {
            open.extend([part, " "]);
        } else {
            open.push_str(line);
            whole.push(std::mem::take(&mut open).trim().to_owned());
        }
    }
    whole.push(open.trim().to_owned());
    whole.retain(|line| !line.is_empty());
    whole
}
