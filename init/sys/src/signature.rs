//! Signatures of certificates, checked by the TLS library that is linked anyway.

/// A signature over something, and the key that it should be of. The algorithms are the contents of an X.509
/// AlgorithmIdentifier.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// What kind of key it is.
    pub key_algorithm: &'a [u8],
    /// The public key.
    pub key: &'a [u8],
    /// How it is signed.
    pub algorithm: &'a [u8],
    /// What is signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl Signed<'_> {
    /// Whether the signature is this key's. What cannot be checked is not: an algorithm that the TLS library does not know, or
    /// a build that has none.
    #[cfg(feature = "https")]
    pub fn is_genuine(&self) -> bool {
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let mut fitting = known.iter().filter(|one| {
            one.public_key_alg_id().as_ref() == self.key_algorithm
                && one.signature_alg_id().as_ref() == self.algorithm
        });
        // The same pair may be there for keys of different sizes.
        fitting.any(|one| one.verify_signature(self.key, self.message, self.signature).is_ok())
    }

    /// Never known without TLS.
    #[cfg(not(feature = "https"))]
    pub fn is_genuine(&self) -> bool {
        false
    }
}
