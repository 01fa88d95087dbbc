//! Redirects to https, with the product's own HTTP client: the messages of a build with HTTPS and of one without.
//! `tests/run unit` runs it with both.

mod machine;

use std::io::{Read, Write};
use std::net::TcpListener;

use dayfly_sys::Power;
use machine::{End, Machine};

/// A server without TLS that redirects every request to the same path with https. Returns its address.
fn redirects_to_https() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let host = address.clone();
    std::thread::spawn(move || {
        for visitor in listener.incoming() {
            let mut visitor = visitor.unwrap();
            let mut request = [0; 4096];
            let count = visitor.read(&mut request).unwrap_or_default();
            let text = String::from_utf8_lossy(&request[..count]);
            let path = text.split(' ').nth(1).unwrap_or("/").to_owned();
            let answer = format!(
                "HTTP/1.1 301 Moved Permanently\r\nLocation: https://{host}{path}\r\nContent-Length: 0\r\n\r\n"
            );
            // A TLS client closes the connection in the middle of this.
            let _ = visitor.write_all(answer.as_bytes());
        }
    });
    address
}

#[test]
fn a_redirect_to_https_is_followed_or_says_which_build_can() {
    let server = redirects_to_https();
    let image = "root=live:http://10.0.2.2/os.squashfs";
    let no_https = "this build of dayfly has no HTTPS (--no-default-features); use the build that has it";
    for (what, cmdline, codes, url) in [
        (
            "the image",
            format!("root=live:http://{server}/os.squashfs"),
            ["image.tls", "image.url"],
            format!("it is redirected to https://{server}/os.squashfs, and "),
        ),
        (
            "the image, by https at once",
            format!("root=live:https://{server}/os.squashfs"),
            ["image.tls", "image.url"],
            String::new(),
        ),
        (
            "settings",
            format!("{image} dayfly.settings.url=http://{server}/node dayfly.settings.wait=12"),
            ["config.fetch", "config.url"],
            format!("it is redirected to https://{server}/node, and "),
        ),
    ] {
        let machine = Machine::new(&format!("{cmdline} ip=dhcp rd.retry=5"));
        machine.state().real_servers = true;
        let end = machine.boot();
        let state = machine.state();
        assert_eq!(end, End::Power(Power::Reboot), "{what}: {:#?}", state.log);
        let flat = state.screens.split_whitespace().collect::<Vec<_>>().join(" ");
        let [with_https, without] = codes;
        if cfg!(feature = "https") {
            // The server does not support TLS, and this host may have no CA bundle.
            assert!(flat.contains(&format!("Code: {with_https} ")), "{what}: {flat}");
            assert!(!flat.contains("HTTPS"), "{what}: {flat}");
        } else {
            assert!(flat.contains(&format!("Code: {without} ")), "{what}: {flat}");
            assert!(flat.contains(&format!("{url}{no_https}")), "{what}: {flat}");
            // Another attempt would fail in the same way.
            assert_eq!(state.requests, 1, "{what}");
        }
    }
}
