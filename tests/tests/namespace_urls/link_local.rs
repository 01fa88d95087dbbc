//! A link-local server: what it is sent, and where its redirects lead.

use std::io::{Read, Write};
use std::net::{SocketAddrV6, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use dayfly_sys::{Cause, Http, Limits, Network};

use crate::namespace::{apart, shell};
use crate::servers::{body, get};

/// The zone means nothing to the server (RFC 6874 4), and its redirects stay on the link.
#[test]
fn a_link_local_server_gets_no_zone_and_redirects_on_its_link() {
    apart(|kernel, _| {
        shell(
            "ip link add va type veth peer name vb; ip link add wa type veth peer name wb
             for name in va vb wa wb; do ip link set $name up; done; ip address add fe80::1/64 dev va nodad",
        );
        let index = kernel.links().unwrap().iter().find(|link| link.name == "va").unwrap().index;
        let listener =
            TcpListener::bind(SocketAddrV6::new("fe80::1".parse().unwrap(), 8080, 0, index)).unwrap();
        let (sender, requests) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut redirects = ["/", "http://[fe80::1]:8080/", "http://[fe80::1%25wa]:8080/"].into_iter();
            for visitor in listener.incoming() {
                let mut visitor = visitor.unwrap();
                let mut bytes = [0; 4096];
                let count = visitor.read(&mut bytes).unwrap();
                sender.send(String::from_utf8_lossy(&bytes[..count]).into_owned()).unwrap();
                let answer = match redirects.next() {
                    Some(to) => format!("302 Found\r\nLocation: {to}"),
                    None => "200 OK".to_owned(),
                };
                write!(visitor, "HTTP/1.1 {answer}\r\nContent-Length: 1\r\n\r\nx").unwrap();
            }
        });
        let mut request = get("http://[fe80::1%25va]:8080/x", PathBuf::new());
        // Four connections, also on a busy machine.
        request.limits =
            Limits { connect: Duration::from_secs(10), stall: Duration::from_secs(5), ..request.limits };
        assert_eq!(body(kernel, &request), (200, b"x".to_vec()));
        let requests: Vec<String> = requests.try_iter().collect();
        assert_eq!(requests.len(), 4);
        for request in &requests {
            assert!(request.to_ascii_lowercase().contains("\r\nhost: [fe80::1]:8080\r\n"), "{request}");
        }
        for (zone, words) in [("%25wa", "[fe80::1%wa]:8080"), ("%25vx", "this machine has no interface vx")] {
            let url = format!("http://[fe80::1{zone}]:8080/x");
            let error = kernel.send(&get(&url, PathBuf::new())).unwrap_err();
            assert!(error.words.contains(words), "{error}");
            assert!(matches!(error.cause, Cause::Resolve | Cause::Connect | Cause::TimedOut), "{error}");
        }
    });
}
