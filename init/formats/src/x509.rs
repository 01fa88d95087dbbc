//! The parts of X.509 certificates (RFC 5280) that give owner, issuer and validity. The signature itself is not
//! verified here.

use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, OctetStringRef, UtcTime};
use der::{Decode, Reader, SliceReader, Tag};

/// Object identifiers as bytes: X.520's commonName, and two extensions of RFC 5280 §4.2.1.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 0x0e];
const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 0x23];

/// Why bytes are not a certificate.
pub type X509Error = der::Error;

/// A certificate. Its parts are slices of the original bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The signed part.
    pub signed: &'a [u8],
    /// The issuer's name, in DER.
    pub issuer: &'a [u8],
    /// The owner's name, in DER.
    pub subject: &'a [u8],
    /// The common name in the owner's name. If there are several, the last one, as in Go.
    pub common_name: Option<&'a str>,
    /// The first second of its validity, since 1970.
    pub not_before: u64,
    /// The last second of its validity, since 1970.
    pub not_after: u64,
    /// The type of the owner's key: the contents of the AlgorithmIdentifier.
    pub key_algorithm: &'a [u8],
    /// The owner's public key.
    pub key: &'a [u8],
    /// The identifier of the owner's key, from an optional extension.
    pub subject_key_id: Option<&'a [u8]>,
    /// The identifier of the issuer's key.
    pub authority_key_id: Option<&'a [u8]>,
    /// The signature algorithm: the contents of the AlgorithmIdentifier.
    pub signature_algorithm: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads one from DER.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, X509Error> {
        let mut outer = contents(&mut SliceReader::new(bytes)?)?;
        let signed = outer.tlv_bytes()?;
        let signature_algorithm = AnyRef::decode(&mut outer)?.value();
        let signature = BitStringRef::decode(&mut outer)?.raw_bytes();

        let mut tbs = contents(&mut SliceReader::new(signed)?)?;
        // The version, [0]. Version 1 certificates do not have this field.
        skip_tagged(&mut tbs, 0)?;
        let (_serial, _algorithm) = (AnyRef::decode(&mut tbs)?, AnyRef::decode(&mut tbs)?);
        let issuer = tbs.tlv_bytes()?;
        let mut validity = contents(&mut tbs)?;
        let (not_before, not_after) = (seconds(&mut validity)?, seconds(&mut validity)?);
        let subject = tbs.tlv_bytes()?;
        let mut key_info = contents(&mut tbs)?;
        let key_algorithm = AnyRef::decode(&mut key_info)?.value();
        let key = BitStringRef::decode(&mut key_info)?.raw_bytes();
        let mut certificate = Self {
            signed,
            issuer,
            subject,
            common_name: common_name(subject)?,
            not_before,
            not_after,
            key_algorithm,
            key,
            subject_key_id: None,
            authority_key_id: None,
            signature_algorithm,
            signature,
        };
        // issuerUniqueID [1] and subjectUniqueID [2], which are not used in practice; then the extensions [3].
        skip_tagged(&mut tbs, 1)?;
        skip_tagged(&mut tbs, 2)?;
        if !tbs.is_finished() {
            certificate.read_extensions(AnyRef::decode(&mut tbs)?.value())?;
        }
        Ok(certificate)
    }

    fn read_extensions(&mut self, bytes: &'a [u8]) -> Result<(), X509Error> {
        let mut extensions = contents(&mut SliceReader::new(bytes)?)?;
        while !extensions.is_finished() {
            let mut extension = contents(&mut extensions)?;
            let id = AnyRef::decode(&mut extension)?.value();
            if Tag::peek(&extension)? == Tag::Boolean {
                AnyRef::decode(&mut extension)?;
            }
            let value = <&OctetStringRef>::decode(&mut extension)?.as_bytes();
            match id {
                SUBJECT_KEY_ID => {
                    let id = <&OctetStringRef>::decode(&mut SliceReader::new(value)?)?;
                    self.subject_key_id = Some(id.as_bytes());
                }
                AUTHORITY_KEY_ID => {
                    let mut parts = contents(&mut SliceReader::new(value)?)?;
                    // keyIdentifier is [0]. Issuer and serial number may follow it or replace it.
                    if !parts.is_finished() {
                        let first = AnyRef::decode(&mut parts)?;
                        if is_tagged(der::Tagged::tag(&first), 0) {
                            self.authority_key_id = Some(first.value());
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Whether an issuer with this name and key may have signed the certificate. `None` if one of the two has no key
    /// identifier.
    pub fn names_issuer(&self, issuer: &Certificate<'_>) -> Option<bool> {
        if self.issuer != issuer.subject {
            return Some(false);
        }
        Some(self.authority_key_id? == issuer.subject_key_id?)
    }
}

/// The contents of the next sequence.
fn contents<'a>(reader: &mut SliceReader<'a>) -> Result<SliceReader<'a>, X509Error> {
    let any = AnyRef::decode(reader)?;
    der::Tagged::tag(&any).assert_eq(Tag::Sequence)?;
    SliceReader::new(any.value())
}

fn is_tagged(tag: Tag, number: u32) -> bool {
    matches!(tag, Tag::ContextSpecific { number: found, .. } if found.value() == number)
}

fn skip_tagged(reader: &mut SliceReader<'_>, number: u32) -> Result<(), X509Error> {
    if !reader.is_finished() && is_tagged(Tag::peek(reader)?, number) {
        AnyRef::decode(reader)?;
    }
    Ok(())
}

/// Years before 2050 are encoded as UTCTime, later ones as GeneralizedTime (RFC 5280 §4.1.2.5).
fn seconds(reader: &mut SliceReader<'_>) -> Result<u64, X509Error> {
    let since_1970 = if Tag::peek(reader)? == Tag::UtcTime {
        UtcTime::decode(reader)?.to_unix_duration()
    } else {
        GeneralizedTime::decode(reader)?.to_unix_duration()
    };
    Ok(since_1970.as_secs())
}

/// The last common name in a name: a sequence of sets of attributes.
fn common_name(name: &[u8]) -> Result<Option<&str>, X509Error> {
    let mut sets = contents(&mut SliceReader::new(name)?)?;
    let mut found = None;
    while !sets.is_finished() {
        let mut set = SliceReader::new(AnyRef::decode(&mut sets)?.value())?;
        while !set.is_finished() {
            let mut attribute = contents(&mut set)?;
            let id = AnyRef::decode(&mut attribute)?.value();
            let value = AnyRef::decode(&mut attribute)?.value();
            if id == COMMON_NAME {
                found = std::str::from_utf8(value).ok();
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
