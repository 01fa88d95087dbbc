//! The boot timeline of a boot.json as a table.

use serde_json::Value;

/// A line per attempt of a step: when it began and how long it took (seconds), the outcome, phase, step and detail.
pub fn render(boot: &Value) -> String {
    let mut lines = vec![format!(
        "{:>9} {:>9}  {:<10} {:<10} {:<10} detail",
        "start s", "took s", "outcome", "phase", "step"
    )];
    for row in boot["steps"].as_array().into_iter().flatten() {
        let text = |key: &str| row[key].as_str().unwrap_or("?");
        let start = row["start_s"].as_f64().unwrap_or(f64::NAN);
        // The step that hands over to the OS has no end.
        let took = row["end_s"].as_f64().map_or("-".to_owned(), |end| format!("{:.3}", end - start));
        let (outcome, phase, step, detail) = (text("outcome"), text("phase"), text("step"), text("detail"));
        lines.push(format!("{start:9.3} {took:>9}  {outcome:<10} {phase:<10} {step:<10} {detail}"));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_row_per_attempt() {
        let row = json!({"step": "fetch", "phase": "image", "start_s": 1.5, "end_s": 3.0, "outcome": "done", "detail": "59 MiB"});
        let table = super::render(&json!({ "steps": [row] }));
        assert_eq!(
            table.lines().nth(1),
            Some("    1.500     1.500  done       image      fetch      59 MiB")
        );
    }
}
