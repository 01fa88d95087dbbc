//! The boot timeline of a boot.json as a table.

use serde_json::Value;

/// A line per step: start, duration, outcome, name.
pub fn render(boot: &Value) -> String {
    let mut lines = vec!["   start      took    outcome   step".to_owned()];
    for step in boot["steps"].as_array().into_iter().flatten() {
        let number = |key: &str| step[key].as_f64().unwrap_or(f64::NAN);
        let text = |key: &str| step[key].as_str().unwrap_or("?");
        let (start, end) = (number("start"), number("end"));
        lines.push(format!("{start:8.3} {:8.3} s  {:8}  {}", end - start, text("outcome"), text("name")));
    }
    lines.join("\n")
}
