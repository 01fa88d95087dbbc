//! A set of alias patterns that is fast to fill and to search.
//!
//! A full Debian tree has 26 000 patterns, but a node searches only about sixty times, so filling costs more than
//! searching. The set therefore stores the original text with offsets into it, and groups patterns by their first three
//! bytes (`pci`, `usb`, `acp`, …). Nothing is sorted, hashed or allocated per pattern.

use std::collections::BTreeMap;

use super::glob;

/// The number of leading bytes that select the group.
const KEY_LEN: usize = 3;

/// One `pattern module` pair, as offsets into [`AliasSet::text`].
#[derive(Debug, Clone, Copy)]
struct Entry {
    start: u32,
    pattern_len: u16,
    literal_len: u16,
    module_len: u16,
}

/// Alias patterns and their modules, in the order of their lines (the order of precedence).
#[derive(Debug, Clone, Default)]
pub(super) struct AliasSet {
    /// `pattern module` lines; patterns and names are normalized.
    text: String,
    entries: Vec<Entry>,
    groups: BTreeMap<[u8; KEY_LEN], Vec<u32>>,
    /// Patterns with a special character among their first three bytes.
    anywhere: Vec<u32>,
}

impl AliasSet {
    /// Reserves memory for the patterns in `bytes` of text.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), ..Self::default() }
    }

    /// Adds one pair. Returns `false`, and does not add it, if the pattern or the name has unbalanced brackets or is
    /// too long.
    pub(super) fn push(&mut self, pattern: &str, module: &str) -> bool {
        let start = self.text.len();
        if !push_normalized(&mut self.text, pattern) {
            self.text.truncate(start);
            return false;
        }
        let pattern_len = self.text.len().saturating_sub(start);
        self.text.push(' ');
        let module_start = self.text.len();
        if !push_normalized(&mut self.text, module) {
            self.text.truncate(start);
            return false;
        }
        let module_len = self.text.len().saturating_sub(module_start);
        self.text.push('\n');
        let literal_len = glob::literal_len(pattern.as_bytes());
        let (Ok(start32), Ok(pattern_len), Ok(literal_len), Ok(module_len), Ok(index)) = (
            u32::try_from(start),
            u16::try_from(pattern_len),
            u16::try_from(literal_len),
            u16::try_from(module_len),
            u32::try_from(self.entries.len()),
        ) else {
            self.text.truncate(start);
            return false;
        };
        let entry = Entry { start: start32, pattern_len, literal_len, module_len };
        match key(self.pattern(entry)).filter(|_| usize::from(literal_len) >= KEY_LEN) {
            Some(key) => self.groups.entry(key).or_default().push(index),
            None => self.anywhere.push(index),
        }
        self.entries.push(entry);
        true
    }

    /// The modules whose patterns match `alias` (normalized), without duplicates, in order of precedence.
    pub(super) fn lookup(&self, alias: &str) -> Vec<&str> {
        let alias = alias.as_bytes();
        let group = key(alias).and_then(|key| self.groups.get(&key)).map_or(&[][..], Vec::as_slice);
        let mut hits: Vec<u32> =
            group.iter().chain(&self.anywhere).copied().filter(|i| self.matches(*i, alias)).collect();
        hits.sort_unstable();
        let mut modules: Vec<&str> = Vec::with_capacity(hits.len());
        for module in hits.into_iter().filter_map(|i| self.entry(i)).map(|e| self.module(e)) {
            if !modules.contains(&module) {
                modules.push(module);
            }
        }
        modules
    }

    /// All pairs in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|e| (self.pattern_str(*e), self.module(*e)))
    }

    fn entry(&self, index: u32) -> Option<Entry> {
        self.entries.get(index as usize).copied()
    }

    fn matches(&self, index: u32, alias: &[u8]) -> bool {
        let Some(entry) = self.entry(index) else { return false };
        let pattern = self.pattern(entry);
        let literal = usize::from(entry.literal_len);
        // Patterns of a group share their first bytes and differ in the last literal one, so comparing that byte first
        // rejects most of them.
        if let Some(last) = literal.checked_sub(1)
            && alias.get(last) != pattern.get(last)
        {
            return false;
        }
        let (Some(fixed), Some(wild)) = (pattern.get(..literal), pattern.get(literal..)) else {
            return false;
        };
        alias.strip_prefix(fixed).is_some_and(|rest| glob::matches(wild, rest))
    }

    fn pattern(&self, entry: Entry) -> &[u8] {
        self.pattern_str(entry).as_bytes()
    }

    fn pattern_str(&self, entry: Entry) -> &str {
        let start = entry.start as usize;
        let end = start.saturating_add(usize::from(entry.pattern_len));
        self.text.get(start..end).unwrap_or_default()
    }

    fn module(&self, entry: Entry) -> &str {
        let start = (entry.start as usize).saturating_add(usize::from(entry.pattern_len)).saturating_add(1);
        let end = start.saturating_add(usize::from(entry.module_len));
        self.text.get(start..end).unwrap_or_default()
    }
}

fn key(text: &[u8]) -> Option<[u8; KEY_LEN]> {
    text.first_chunk().copied()
}

/// Appends `name` with `-` as `_`. Names without `-` or a bracket, which is the common case, are appended without a
/// copy.
fn push_normalized(out: &mut String, name: &str) -> bool {
    if name.bytes().any(|b| matches!(b, b'-' | b'[' | b']')) {
        match glob::normalize(name) {
            Some(normal) => out.push_str(&normal),
            None => return false,
        }
    } else {
        out.push_str(name);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookup_keeps_line_order_and_names_each_module_once() {
        let mut set = AliasSet::default();
        for (pattern, module) in [
            ("acpi*:PNP0A03:*", "late-bus"),
            ("pci:v00001AF4d*sv*", "virtio-pci"),
            ("p*", "catch_all"),
            ("pci:v*d*sv*", "virtio_pci"),
            ("pci:v00008086d*sv*", "e1000"),
            ("ab", "short"),
        ] {
            assert!(set.push(pattern, module), "{pattern}");
        }
        assert!(!set.push("bad]", "x"));
        assert_eq!(set.lookup("pci:v00001AF4d00001000sv1"), ["virtio_pci", "catch_all"]);
        assert_eq!(set.lookup("pci:v00008086d1sv1"), ["catch_all", "virtio_pci", "e1000"]);
        assert_eq!(set.lookup("acpi:LNXSYSTM:PNP0A03:"), ["late_bus"]);
        assert_eq!(set.lookup("ab"), ["short"]);
        assert_eq!(set.lookup("a"), [""; 0]);
        assert_eq!(set.iter().count(), 6);
    }
}
