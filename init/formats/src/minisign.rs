//! Public keys and signatures of minisign (<https://jedisct1.github.io/minisign/>): Ed25519 over the BLAKE2b hash of a
//! file. `minisign` itself makes and checks the same files.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use minisign_verify::Error;

use crate::pem::BASE64;

/// The longest signature file, in bytes.
pub const MOST: usize = 4 << 10;

/// The end of the name of a signature file. `minisign -S` appends it to the name of the file.
pub const SUFFIX: &str = ".minisig";

/// The number of a key pair, as minisign prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

/// Whether a text has something like a secret key in it: the start of one, and more digits of base64 than a public key has.
/// The copy may be damaged; it still gives the key away.
pub fn has_secret_key(text: &str) -> bool {
    // The algorithm Ed, then the hash of the password: Sc (scrypt), or none.
    let is_digit = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let digits = |rest: &str| rest.chars().take_while(is_digit).count();
    let starts = ["RWRTY", "RWQAAEIy"];
    starts
        .iter()
        .any(|start| text.match_indices(start).any(|(at, _)| digits(text.get(at..).unwrap_or_default()) > 60))
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    key: minisign_verify::PublicKey,
    bytes: Vec<u8>,
}

/// A signature with its trusted comment.
#[derive(Clone)]
pub struct Signature {
    signature: minisign_verify::Signature,
    id: KeyId,
}

/// Why a key or a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinisignError {
    /// The text is not a public key.
    Key,
    /// The text is a secret key.
    SecretKey,
    /// The text is not a signature file.
    Signature,
    /// The signature is over the file itself, not over its hash (`minisign -S -l`).
    Legacy,
    /// The signature is of another key.
    OtherKey(KeyId),
    /// The signature does not fit the file: one of the two was changed.
    Mismatch,
}

impl fmt::Display for MinisignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MinisignError::Key => f.write_str(
                "is not a public key of minisign: 56 characters of base64 that start with RW are expected, the second line of \
                 minisign.pub",
            ),
            MinisignError::SecretKey => {
                f.write_str("is a secret key of minisign; the public key is in the file that ends with .pub")
            }
            MinisignError::Signature => f.write_str("it is not a signature file of minisign"),
            MinisignError::Legacy => {
                f.write_str("it is a legacy signature; sign without -l, with minisign 0.6 or later")
            }
            MinisignError::OtherKey(id) => write!(f, "it was made with the key {id}"),
            MinisignError::Mismatch => f.write_str("it does not fit: the file or the signature was changed"),
        }
    }
}

impl std::error::Error for MinisignError {}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl KeyId {
    /// The end of the name of the signature file that has this key's signature alone.
    pub fn suffix(self) -> String {
        format!(".{self}{SUFFIX}")
    }
}

/// The number of a key pair in a key or a signature: two bytes for the algorithm, then eight bytes.
fn id_of(bytes: &[u8]) -> Option<KeyId> {
    let (_, rest) = bytes.split_at_checked(2)?;
    rest.first_chunk().map(|id| KeyId(u64::from_le_bytes(*id)))
}

impl PublicKey {
    /// The number of its pair.
    pub fn id(&self) -> KeyId {
        // The bytes of a key were checked.
        id_of(&self.bytes).unwrap_or(KeyId(0))
    }

    /// Whether two signatures of the two would be of one pair: the keys are equal, or their numbers.
    pub fn is_same(&self, other: &PublicKey) -> bool {
        // Two bytes for the algorithm and eight for the number come before the key.
        self.id() == other.id() || self.bytes.get(10..) == other.bytes.get(10..)
    }

    /// Checks the signature of a file.
    pub fn verify(&self, file: &[u8], signature: &Signature) -> Result<(), MinisignError> {
        if signature.id != self.id() {
            return Err(MinisignError::OtherKey(signature.id));
        }
        self.key.verify(file, &signature.signature, false).map_err(|error| match error {
            Error::UnexpectedAlgorithm | Error::UnsupportedLegacyMode => MinisignError::Legacy,
            _ => MinisignError::Mismatch,
        })
    }
}

/// Reads the key's line, or the whole file `minisign.pub`.
impl FromStr for PublicKey {
    type Err = MinisignError;

    fn from_str(text: &str) -> Result<Self, MinisignError> {
        let text = text.trim();
        if has_secret_key(text) {
            return Err(MinisignError::SecretKey);
        }
        let line = match text.split_once('\n') {
            Some((comment, line)) if comment.starts_with("untrusted comment:") => line.trim(),
            Some(_) => return Err(MinisignError::Key),
            None => text,
        };
        let bytes = BASE64.decode(line).map_err(|_| MinisignError::Key)?;
        let key = minisign_verify::PublicKey::from_base64(line).map_err(|_| MinisignError::Key)?;
        Ok(Self { key, bytes })
    }
}

/// The key's line.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(&self.bytes))
    }
}

impl Signature {
    /// Reads a signature file.
    pub fn parse(bytes: &[u8]) -> Result<Self, MinisignError> {
        if bytes.len() > MOST {
            return Err(MinisignError::Signature);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| MinisignError::Signature)?;
        let signature = minisign_verify::Signature::decode(text).map_err(|_| MinisignError::Signature)?;
        let line = text.lines().nth(1).unwrap_or_default();
        let id = BASE64.decode(line).ok().and_then(|bytes| id_of(&bytes)).ok_or(MinisignError::Signature)?;
        Ok(Self { signature, id })
    }

    /// The number of the key pair that made it.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The comment that is signed, too.
    pub fn trusted_comment(&self) -> &str {
        self.signature.trusted_comment()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("id", &self.id).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `minisign -G -W`, version 0.11.
    const KEY: &str = "RWRp1nH00HuiRupfbl9dHbShMoYrUzFgyg5K+fsS+TW5GTze+3xMD4hU";
    const OTHER_KEY: &str = "RWS5xi30PeczxqsgP7TIipKSj1yB4NVX8G5lPk3Z2TuhrN/MUauMnyzT";
    /// `minisign -S -m FILE -t 'version 41'` of `hello\n`.
    const SIGNATURE: &str = "untrusted comment: signature from minisign secret key\n\
        RURp1nH00HuiRgLH0zR4EJK6EGNU+XK+Pe9q5BKYtuSEDqblxKv+9sI8zLhW56QczhvdRN9YGpm0tAntVJMIfOESBBXQu4IBfwE=\n\
        trusted comment: version 41\n\
        72GyDvIepFRojHqfPF/pjHugGxdjYSMWvuhplBktaITRTSz4klAXh00OASTj2ZoExhL3/W7QNP07SNabQ+saCQ==\n";
    /// The same with `-l`.
    const LEGACY: &str = "untrusted comment: signature from minisign secret key\n\
        RWRp1nH00HuiRgxMTTKNWr0pRIiSEd052qe9vfp4AkPMPS2ii8i07noo+arayuDY74Ac1aHfI7c2XgQ4rmEruJ0npiWe6onSewo=\n\
        trusted comment: x\n\
        0DyMFCnVaiCWPDgaS3beJZOrh0IQuJ2+ECQRlRzRPmVVpATd26hF4E+LwdrcRw28g+veHb1srKUlEKbbuukxCg==\n";

    fn key() -> PublicKey {
        KEY.parse().unwrap()
    }

    #[test]
    fn a_signature_of_minisign_fits_its_file_alone() {
        let signature = Signature::parse(SIGNATURE.as_bytes()).unwrap();
        assert_eq!(signature.id(), key().id());
        assert_eq!(signature.trusted_comment(), "version 41");
        assert_eq!(key().verify(b"hello\n", &signature), Ok(()));
        assert_eq!(key().verify(b"hello", &signature), Err(MinisignError::Mismatch));
        let other: PublicKey = OTHER_KEY.parse().unwrap();
        assert_eq!(other.verify(b"hello\n", &signature), Err(MinisignError::OtherKey(key().id())));
        let legacy = Signature::parse(LEGACY.as_bytes()).unwrap();
        assert_eq!(key().verify(b"hello\n", &legacy), Err(MinisignError::Legacy));
    }

    #[test]
    fn every_changed_character_is_noticed() {
        for at in 0..SIGNATURE.len() {
            let mut bytes = SIGNATURE.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            // Only the first comment is not signed, nor the line ends, which are not part of any value.
            let is_unsigned = at < SIGNATURE.find('\n').unwrap();
            let fits =
                Signature::parse(&bytes).is_ok_and(|signature| key().verify(b"hello\n", &signature).is_ok());
            assert_eq!(fits, is_unsigned, "character {at}");
        }
    }

    #[test]
    fn a_key_is_its_line_or_its_file() {
        let file = format!("untrusted comment: minisign public key 46A27BD0F471D669\n{KEY}\n");
        let read: PublicKey = file.parse().unwrap();
        assert_eq!((read.to_string().as_str(), read.id().to_string().as_str()), (KEY, "46A27BD0F471D669"));
        let secret = format!("RWRTY0Iy{}", "A".repeat(203));
        for (text, wrong) in [
            ("", MinisignError::Key),
            ("RW", MinisignError::Key),
            (&KEY[..55], MinisignError::Key),
            ("/etc/dayfly/image.pub", MinisignError::Key),
            ("-----BEGIN PUBLIC KEY-----\nRWRp", MinisignError::Key),
            (&secret, MinisignError::SecretKey),
            (&format!("untrusted comment: minisign secret key {secret},"), MinisignError::SecretKey),
            (&secret[..90], MinisignError::SecretKey),
        ] {
            assert_eq!(text.parse::<PublicKey>(), Err(wrong), "{text}");
        }
        for text in ["", "untrusted comment: x\n", "<html>\n\n\n\n", KEY] {
            assert_eq!(Signature::parse(text.as_bytes()).err(), Some(MinisignError::Signature), "{text}");
        }
    }
}
