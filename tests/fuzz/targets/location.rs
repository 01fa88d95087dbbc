//! `Location` fields of redirects: an accepted one is an absolute http URL of printable ASCII, and is unchanged when it is
//! followed again.
#![no_main]

use dayfly_formats::location::follow;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|location: &[u8]| {
    let Ok(url) = follow("http://boot:8080/a/b?q#f", location) else { return };
    assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
    assert!(url.bytes().all(|byte| byte.is_ascii_graphic()), "{url}");
    assert!(!url.contains('#'), "{url}");
    assert_eq!(follow("https://other/", url.as_bytes()), Ok(url));
});
