//! SMBIOS data: the identity of the machine, and credentials.

use dayfly_formats::credential;
use dayfly_formats::smbios::{self, Version};

use crate::{Credential, Fact, Facts, Secret, Store};

/// Credentials with this prefix are settings. All others are for the OS, which reads them itself.
const OURS: &str = "dayfly.";

impl Facts {
    /// Adds the facts of SMBIOS from the table and, if present, its entry point, as the kernel shows them in
    /// `/sys/firmware/dmi/tables`. Returns the problems, one sentence each.
    pub fn learn_smbios(&mut self, table: &[u8], entry_point: Option<&[u8]>) -> Vec<String> {
        let found = smbios::parse(table, entry_point.and_then(Version::of_entry_point));
        self.discovered.machine.uuid = found.uuid;
        self.discovered.machine.serial = found.serial;
        let mut names: Vec<String> = Vec::new();
        let mut wrong = Vec::new();
        for (position, string) in (1..).zip(&found.oem_strings) {
            match credential::Credential::from_oem_string(string) {
                None => {}
                // As in systemd, the first credential with a name counts.
                Some(Ok(credential)) if names.contains(&credential.name) => {}
                Some(Ok(credential)) => {
                    names.push(credential.name.clone());
                    match Credential::of_firmware(credential) {
                        Ok(Some(credential)) => self.learn(Fact::Credential(Store::Smbios, credential)),
                        Ok(None) => {}
                        Err(why) => wrong.push(format!("SMBIOS: {why}")),
                    }
                }
                Some(Err(error)) => wrong.push(format!("SMBIOS OEM string {position}: {error}")),
            }
        }
        wrong
    }
}

impl Credential {
    /// A credential of the firmware, if it is a setting.
    pub fn of_firmware(found: credential::Credential) -> Result<Option<Self>, String> {
        let name = found.name;
        if !name.starts_with(OURS) {
            return Ok(None);
        }
        match String::from_utf8(found.value) {
            Ok(value) => Ok(Some(Self { name, value: Secret::new(value) })),
            Err(_) => Err(format!("the credential {name} is not UTF-8 text; it is not used")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A type 11 structure with these strings, and the end of the table.
    fn table(strings: &[&[u8]]) -> Vec<u8> {
        let mut bytes = vec![11, 5, 0, 0, u8::try_from(strings.len()).unwrap()];
        for string in strings {
            bytes.extend([*string, &[0]].concat());
        }
        bytes.extend([0, 127, 4, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn credentials_for_us_are_taken_and_wrong_ones_are_said() {
        let mut facts = Facts::default();
        let wrong = facts.learn_smbios(
            &table(&[
                b"plain words",
                b"io.systemd.credential:ssh.authorized_keys.root=for the OS",
                b"io.systemd.credential:dayfly.hostname=first",
                b"io.systemd.credential:dayfly.hostname=second",
                b"io.systemd.credential.binary:dayfly.retry=OQ==",
                b"io.systemd.credential.binary:dayfly.debug=/w==",
                b"io.systemd.credential:dayfly.tok3n",
            ]),
            None,
        );
        let found: Vec<(&str, &str)> =
            facts.credentials.iter().map(|(_, found)| (found.name.as_str(), found.value.expose())).collect();
        assert_eq!(found, [("dayfly.hostname", "first"), ("dayfly.retry", "9")]);
        assert_eq!(
            wrong,
            [
                "SMBIOS: the credential dayfly.debug is not UTF-8 text; it is not used",
                "SMBIOS OEM string 7: the credential has no \"=\" between its name and its value"
            ]
        );
        assert!(!format!("{facts:?}").contains("first"));
    }
}
