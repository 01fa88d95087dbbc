//! The common syntax of systemd's configuration files (systemd.syntax(7)).

/// The lines without comments. Lines that end with a backslash are joined with the next one.
pub(crate) fn whole_lines(text: &str) -> Vec<String> {
    let mut whole = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let line = line.trim();
        // A comment between the parts of a continued line does not belong to it.
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
