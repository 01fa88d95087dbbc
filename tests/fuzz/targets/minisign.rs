//! Keys and signatures of minisign: every text gives a value or an error, and no text is the signature of a file that this key did not
//! sign.
#![no_main]

use dayfly_formats::minisign::{PublicKey, Signature};
use libfuzzer_sys::fuzz_target;

const KEY: &str = "RWRp1nH00HuiRupfbl9dHbShMoYrUzFgyg5K+fsS+TW5GTze+3xMD4hU";

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = text.parse::<PublicKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    if let (Ok(signature), Ok(key)) = (Signature::parse(bytes), KEY.parse::<PublicKey>()) {
        let _ = signature.trusted_comment();
        assert!(key.verify(b"not signed by it", &signature).is_err());
    }
});
