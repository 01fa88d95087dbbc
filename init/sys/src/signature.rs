//! Checks signatures of certificates with the TLS library that is linked anyway.

/// A signature, the signed message, and the key that should have made it. The algorithms are the contents of an X.509
/// AlgorithmIdentifier.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The algorithm of the key.
    pub key_algorithm: &'a [u8],
    /// The public key.
    pub key: &'a [u8],
    /// The algorithm of the signature.
    pub algorithm: &'a [u8],
    /// The signed message.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
}

impl Signed<'_> {
    /// Whether the signature was made with this key. False if it cannot be checked: the TLS library does not know the
    /// algorithm, or the build has no TLS.
    #[cfg(feature = "https")]
    pub fn is_genuine(&self) -> bool {
        let known = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let mut fitting = known.iter().filter(|one| {
            one.public_key_alg_id().as_ref() == self.key_algorithm
                && one.signature_alg_id().as_ref() == self.algorithm
        });
        // Several entries may have the same pair of algorithms, for keys of different sizes.
        fitting.any(|one| one.verify_signature(self.key, self.message, self.signature).is_ok())
    }

    /// Without TLS, no signature can be checked.
    #[cfg(not(feature = "https"))]
    pub fn is_genuine(&self) -> bool {
        false
    }
}
