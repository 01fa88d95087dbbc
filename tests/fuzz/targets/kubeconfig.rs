//! kubeconfigs, their contents, and tokens that contain them: every text gives a result or an error, never a panic.
#![no_main]

use dayfly_formats::{k0s_token, kubeconfig, pem};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    if let Some(server) = kubeconfig::server(&text) {
        assert!(!server.is_empty());
    }
    let authority = kubeconfig::authority(&text);
    if let Some(pem) = &authority {
        let _ = pem::certificates(pem);
    }
    if let Ok(blocks) = pem::blocks(&text) {
        assert!(blocks.iter().map(|block| block.bytes.len()).sum::<usize>() <= text.len());
    }
    if let Some(inner) = k0s_token::decode(&text) {
        assert!(inner.len() <= 1 << 20);
        let _ = kubeconfig::server(&inner);
    }
});
