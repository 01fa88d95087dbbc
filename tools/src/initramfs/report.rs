//! The size table.

use std::fmt::Write;

use crate::size::human;

/// One line: a part of the image, how many files it has, and their bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub files: usize,
    pub bytes: u64,
}

/// The table of all parts, the sum, and the size of the finished file.
pub fn table(parts: &[Part], archive: u64, written: u64, how: &str) -> String {
    let mut text = String::new();
    let mut line = |name: &str, files: &str, bytes: u64| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<26}{files:>7}{:>12}", human(bytes));
    };
    line_head(&mut line, parts);
    let files: usize = parts.iter().map(|part| part.files).sum();
    line("archive", &files.to_string(), archive);
    line(how, "", written);
    text
}

fn line_head(line: &mut impl FnMut(&str, &str, u64), parts: &[Part]) {
    let mut parts: Vec<&Part> = parts.iter().collect();
    parts.sort_by_key(|part| part.name);
    for part in parts {
        line(part.name, &part.files.to_string(), part.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_per_part_and_the_sums() {
        let parts =
            [Part { name: "init", files: 1, bytes: 2048 }, Part { name: "CA bundle", files: 1, bytes: 10 }];
        assert_eq!(
            table(&parts, 4096, 1024, "zstd"),
            "  CA bundle                       1        10 B\n  init                            1     2.0 KiB\n\
             \x20 archive                         2     4.0 KiB\n  zstd                                  1.0 KiB\n"
        );
    }
}
