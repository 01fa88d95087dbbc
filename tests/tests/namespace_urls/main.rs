//! HTTP and HTTPS with a real nginx on loopback; the servers that misbehave are fakes of this test, and named so.

mod link_local;
mod lookup;
#[path = "../namespace/mod.rs"]
mod namespace;
mod servers;
mod slow;
mod unbound;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dayfly_sys::{Authorities, Cause, Http, Identity, Limits, Request};
use namespace::{apart, run, shell};
use servers::{FOUND, HTTP, OK, body, drip, fake_servers, get, image, nginx};

#[test]
fn nginx_gives_the_whole_a_part_and_its_refusals() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let none = PathBuf::new();
        let whole = get(&format!("http://{HTTP}/image"), none.clone());
        let response = kernel.send(&whole).unwrap();
        assert_eq!(
            (response.status, response.reason.as_str(), response.length),
            (200, "OK", Some(1_000_000))
        );
        let tag = response.tag.expect("nginx sends a strong ETag");
        assert!(tag.starts_with('"'), "{tag}");
        assert_eq!(body(kernel, &whole), (200, image()));
        assert_eq!(body(kernel, &get(&format!("http://{HTTP}/moved"), none.clone())), (200, image()));
        assert_eq!(body(kernel, &get(&format!("HTTP://{HTTP}/image"), none.clone())), (200, image()));
        assert_eq!(body(kernel, &get(&format!("http://{HTTP}/object"), none.clone())), (200, image()));

        let resume = |tag: &str| Request { resume: Some((999_000, tag.to_owned())), ..whole.clone() };
        assert_eq!(body(kernel, &resume(&tag)), (206, image()[999_000..].to_vec()));
        assert_eq!(body(kernel, &resume("\"another\"")), (200, image()), "another entity is sent completely");

        let missing = kernel.send(&get(&format!("http://{HTTP}/missing"), none.clone())).unwrap();
        assert_eq!((missing.status, missing.reason.as_str()), (404, "Not Found"));
        for (path, words) in [("loop", "redirects more than 5 times"), ("packed", "Content-Encoding: gzip")] {
            let error = kernel.send(&get(&format!("http://{HTTP}/{path}"), none.clone())).unwrap_err();
            assert_eq!(error.cause, Cause::Protocol, "{error}");
            assert!(error.words.contains(words), "{error}");
        }
    });
}

#[test]
fn https_trusts_the_bundle_and_the_clock_only() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let bundle = |name: &str| scratch.join(format!("{name}.pem"));
        assert_eq!(body(kernel, &get("https://127.0.0.1:8443/image", bundle("ca"))), (200, image()));
        let year = run("date", &["-u", "+%Y-%m-%d"]);
        fs::write(bundle("empty"), "no certificate\n").unwrap();
        for (url, ca, words) in [
            (
                "https://127.0.0.1:8444/image",
                "ca",
                vec!["it has expired", "if the clock of this machine is right", year.trim()],
            ),
            (
                "https://127.0.0.1:8443/image",
                "other",
                vec!["UnknownIssuer", "not signed by any certificate in", "other.pem"],
            ),
            ("https://localhost:8443/image", "ca", vec!["localhost"]),
            ("https://127.0.0.1:8443/image", "empty", vec!["empty.pem has no certificate"]),
            ("https://127.0.0.1:8443/image", "gone", vec!["gone.pem", "No such file"]),
            ("https://127.0.0.1:8443/down", "ca", vec!["redirects from https to http://"]),
        ] {
            let error = kernel.send(&get(url, bundle(ca))).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Tls, "{error}");
            assert!(words.iter().all(|part| error.words.contains(part)), "{error}: {words:?}");
        }
        let plain = kernel.send(&get(&format!("https://{HTTP}/image"), bundle("ca"))).unwrap_err();
        assert_eq!(plain.cause, Cause::Tls, "{plain}");

        // A redirect from http to https is handled like any other https URL.
        let up = format!("http://{HTTP}/up");
        assert_eq!(body(kernel, &get(&up, bundle("ca"))), (200, image()));
        for (ca, words) in [("other", "UnknownIssuer"), ("gone", "gone.pem")] {
            let error = kernel.send(&get(&up, bundle(ca))).unwrap_err();
            assert_eq!(error.cause, Cause::Tls, "{error}");
            assert!(error.words.contains(words), "{error}");
        }
        let report = |ca| {
            let limits = Limits::within(Duration::from_secs(5));
            let (url, body) = (format!("http://{HTTP}/report"), b"{}".to_vec());
            Request::post(url, "application/json", body, limits, Authorities::File(bundle(ca)))
        };
        assert_eq!(kernel.send(&report("ca")).unwrap().status, 204);
        assert_eq!(kernel.send(&report("other")).unwrap_err().cause, Cause::Tls);
    });
}

#[test]
fn no_server_no_host_and_no_route_are_told_apart() {
    apart(|kernel, _| {
        shell(
            "ip link add va type veth peer name vb; ip link set va up; ip link set vb up; ip address add 10.7.0.1/24 dev va",
        );
        for (url, cause, words) in [
            ("http://127.0.0.1:1/x", Cause::Connect, "127.0.0.1:1: "),
            ("http://192.0.2.1/x", Cause::Connect, "192.0.2.1:80: "),
            ("http://10.7.0.2:81/x", Cause::Connect, "no connection to 10.7.0.2:81 within 0.9 s"),
            ("http://no-such-host.invalid:82/x", Cause::Resolve, "no-such-host.invalid:82"),
        ] {
            let start = Instant::now();
            let error = kernel.send(&get(url, PathBuf::new())).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, cause, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{url}: {:?}", start.elapsed());
        }
    });
}

/// The body of a redirect does not matter, nor how its `Location` is written.
#[test]
fn redirects_as_servers_write_them_are_followed() {
    apart(|kernel, _| {
        let server = fake_servers(9401, |visitor, request| match request.split(' ').nth(1).unwrap() {
            "/drips" => drip(visitor, &format!("{FOUND}Location: /end\r\n\r\n"), b"x", 50),
            "/spaces" => visitor
                .write_all(format!("{FOUND}Location: /my images/gr\u{f6}\u{df}e|1.img\r\n\r\n").as_bytes()),
            "/relative/a" => visitor.write_all(format!("{FOUND}Location: ../end\r\n\r\n").as_bytes()),
            "/capitals" => {
                visitor.write_all(format!("{FOUND}Location: HTTP://127.0.0.1:9401/end\r\n\r\n").as_bytes())
            }
            "/end" | "/my%20images/gr%C3%B6%C3%9Fe%7C1.img" => {
                visitor.write_all(format!("{OK}Content-Length: 3\r\n\r\nend").as_bytes())
            }
            "/nowhere" => visitor.write_all(format!("{FOUND}\r\n").as_bytes()),
            "/ftp" => visitor.write_all(format!("{FOUND}Location: ftp://x/y\r\n\r\n").as_bytes()),
            other => panic!("{other}"),
        });
        for path in ["drips", "spaces", "relative/a", "capitals"] {
            let start = Instant::now();
            assert_eq!(
                body(kernel, &get(&format!("http://{server}/{path}"), PathBuf::new())).1,
                b"end",
                "{path}"
            );
            assert!(start.elapsed() < Duration::from_secs(2), "{path}");
        }
        for (path, words) in
            [("nowhere", "redirects (302) without a Location"), ("ftp", "the scheme \"ftp\"")]
        {
            let error = kernel.send(&get(&format!("http://{server}/{path}"), PathBuf::new())).unwrap_err();
            assert!(error.words.contains(words), "{error}");
        }
    });
}

#[test]
fn interim_answers_before_one_with_a_body_are_passed_over() {
    apart(|kernel, _| {
        let parts = [
            "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n",
            "\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend",
        ];
        let server = fake_servers(9501, move |visitor, request| {
            let apart = request.starts_with("GET /apart");
            for part in parts {
                visitor.write_all(part.as_bytes())?;
                std::thread::sleep(Duration::from_millis(if apart { 50 } else { 0 }));
            }
            Ok(())
        });
        for path in ["together", "apart"] {
            assert_eq!(
                body(kernel, &get(&format!("http://{server}/{path}"), PathBuf::new())).1,
                b"end",
                "{path}"
            );
        }
    });
}

/// A server that requests a client certificate: the certificate and its key are for the named server, and for no other.
#[test]
fn a_client_shows_its_certificate_to_the_server_that_was_named() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let pem = |name: &str| fs::read(scratch.join(name)).unwrap();
        let ask = |url: &str, identity: Option<(&str, &str)>| {
            let identity = identity
                .map(|(certificates, key)| Identity { certificates: pem(certificates), key: pem(key) });
            let authorities = Authorities::Pem(pem("ca.pem"));
            Request { authorities, identity, ..get(url, PathBuf::new()) }
        };
        let known = Some(("client.pem", "client.key"));
        let who = "https://127.0.0.1:8445/who";
        assert_eq!(body(kernel, &ask(who, known)), (200, b"CN=n1".to_vec()));
        assert_eq!(body(kernel, &ask("https://127.0.0.1:8445/again", known)), (200, b"CN=n1".to_vec()));
        // Another server that requests it, as the named server and as the end of a redirect.
        assert_eq!(body(kernel, &ask("https://127.0.0.1:8446/who", known)), (200, b"[CN=n1]".to_vec()));
        assert_eq!(body(kernel, &ask("https://127.0.0.1:8445/away", known)), (200, b"[]".to_vec()));
        for identity in [None, Some(("stranger.pem", "client.key"))] {
            assert_eq!(kernel.send(&ask(who, identity)).unwrap().status, 400, "{identity:?}");
        }
        for (identity, words) in [
            (("ca.key", "client.key"), "the client's certificate has no certificate in PEM format"),
            (("client.pem", "client.pem"), "the client's key is not in PEM format"),
            (("client.pem", "server.key"), "the client's certificate and key"),
        ] {
            let error = kernel.send(&ask(who, Some(identity))).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Tls, "{error}");
            assert!(error.words.contains(words), "{error}: {words}");
        }
        assert!(!format!("{:?}", ask(who, known)).contains("PRIVATE"), "the debug output has a key");
    });
}
