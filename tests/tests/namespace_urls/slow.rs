//! Servers that fall silent, close the connection, or drip for ever.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use dayfly_sys::{Authorities, Cause, Http, Limits, Request};

use crate::namespace::{apart, run};
use crate::servers::{FOUND, OK, body, drip, fake_server, fake_servers, fall_silent, get};

#[test]
fn a_fake_server_that_stalls_or_hangs_up_is_told_apart() {
    apart(|kernel, _| {
        let none = PathBuf::new();
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789";
        for (port, then, kind, words) in [
            (
                9001,
                fall_silent as fn(TcpStream),
                ErrorKind::TimedOut,
                "no data from 127.0.0.1:9001 for 0.4 s, after 10 bytes",
            ),
            (
                9002,
                drop,
                ErrorKind::UnexpectedEof,
                "127.0.0.1:9002 closed the connection after 10 of 100 bytes",
            ),
        ] {
            let mut response = kernel.send(&get(&fake_server(port, head, then), none.clone())).unwrap();
            let mut bytes = Vec::new();
            let start = Instant::now();
            let error = response.body.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((bytes.len(), error.kind(), error.to_string().as_str()), (10, kind, words));
            assert!(start.elapsed() < Duration::from_secs(2));
        }
        // In the middle of a chunk.
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n0123456789";
        let mut response = kernel.send(&get(&fake_server(9003, chunked, drop), none.clone())).unwrap();
        let error = response.body.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!((response.length, error.kind()), (None, ErrorKind::UnexpectedEof), "{error}");

        for (port, says, then, cause, words) in [
            (
                9004,
                &b""[..],
                fall_silent as fn(TcpStream),
                Cause::TimedOut,
                "no data from 127.0.0.1:9004 for 0.4 s",
            ),
            (9005, b"HTTP/1.1 200", fall_silent, Cause::TimedOut, "no data from 127.0.0.1:9005"),
            (
                9006,
                b"",
                drop,
                Cause::Protocol,
                "127.0.0.1:9006 closed the connection before its response was complete",
            ),
            (9007, b"SSH-2.0-fake\r\n\r\n", drop, Cause::Protocol, "127.0.0.1:9007"),
        ] {
            let error = kernel.send(&get(&fake_server(port, says, then), none.clone())).unwrap_err();
            assert_eq!(error.cause, cause, "{error}");
            assert!(error.words.contains(words), "{error}");
        }
    });
}

#[test]
fn a_slow_body_outlives_the_stall_limit_while_it_moves() {
    apart(|kernel, _| {
        let drip = |mut visitor: TcpStream| {
            for _ in 0..10 {
                std::thread::sleep(Duration::from_millis(150));
                visitor.write_all(b"0123456789").unwrap();
            }
        };
        let url = fake_server(9010, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", drip);
        assert_eq!(body(kernel, &get(&url, PathBuf::new())).1.len(), 100);
    });
}

/// None of these ended before one clock limited the whole exchange. By it, a head is due after 1.3 s.
#[test]
fn an_answer_that_drips_for_ever_ends() {
    apart(|kernel, scratch| {
        fs::write(
            scratch.join("ca.pem"),
            run(
                "openssl",
                &[
                    "req",
                    "-x509",
                    "-newkey",
                    "ec",
                    "-pkeyopt",
                    "ec_paramgen_curve:P-256",
                    "-nodes",
                    "-keyout",
                    "/dev/null",
                    "-days",
                    "3",
                    "-subj",
                    "/CN=x",
                ],
            ),
        )
        .unwrap();
        let attacks: Vec<(&str, String, Cause, &str)> = vec![
            (
                "http",
                fake_servers(9101, |visitor, _| drip(visitor, OK, b"X: y\r\n", 50)),
                Cause::TimedOut,
                "127.0.0.1:9101 did not complete its response within 1.3 s",
            ),
            (
                "http",
                fake_servers(9102, |visitor, _| drip(visitor, "HTTP/1.1 200", b" ", 50)),
                Cause::TimedOut,
                "127.0.0.1:9102 did not complete its response within 1.3 s",
            ),
            (
                "http",
                fake_servers(9103, |visitor, _| drip(visitor, "", b"HTTP/1.1 102 Processing\r\n\r\n", 60)),
                Cause::TimedOut,
                "127.0.0.1:9103 did not complete its response within 1.3 s",
            ),
            (
                "http",
                fake_servers(9104, |visitor, _| {
                    drip(visitor, "", b"HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n", 0)
                }),
                Cause::Protocol,
                "more than 32 interim responses",
            ),
            (
                "http",
                fake_servers(9105, |visitor, _| {
                    std::thread::sleep(Duration::from_millis(250));
                    visitor.write_all(format!("{FOUND}Location: /again\r\n\r\n").as_bytes())
                }),
                Cause::TimedOut,
                "127.0.0.1:9105 did not complete its response within 1.3 s, including redirects",
            ),
            (
                "https",
                fake_servers(9106, |visitor, _| drip(visitor, "\x16\x03\x03\x40", b"\0", 50)),
                Cause::Connect,
                "no connection to 127.0.0.1:9106 within 0.9 s",
            ),
            (
                "http",
                fake_servers(9107, |visitor, _| drip(visitor, OK, &[b'X'; 1 << 16], 0)),
                Cause::Protocol,
                "127.0.0.1:9107",
            ),
            (
                "http",
                fake_servers(9108, |visitor, _| drip(visitor, OK, b"A: b\r\n", 0)),
                Cause::Protocol,
                "127.0.0.1:9108",
            ),
        ];
        for (scheme, server, cause, words) in attacks {
            let start = Instant::now();
            let error =
                kernel.send(&get(&format!("{scheme}://{server}/x"), scratch.join("ca.pem"))).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, cause, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(4), "{server}: {:?}", start.elapsed());
        }
    });
}

/// With a minimum rate of 1000 bytes per second, measured over 0.8 s.
#[test]
fn a_body_that_drips_for_ever_ends() {
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n";
    apart(|kernel, _| {
        let whole = format!("{OK}Content-Length: 100000000\r\n\r\n");
        let (slow, quick) = (whole.clone(), whole);
        for (server, within, words) in [
            (
                fake_servers(9201, move |visitor, _| drip(visitor, &slow, &[0; 20], 50)),
                None,
                "at least 1000 bytes per second are required",
            ),
            (
                fake_servers(9202, |visitor, _| drip(visitor, &format!("{CHUNKED}0\r\n"), b"A: b\r\n", 50)),
                None,
                "only 5 bytes arrived from",
            ),
            (
                fake_servers(9203, |visitor, _| drip(visitor, &format!("{CHUNKED}0\r\n"), b"A: b\r\n", 0)),
                None,
                "only 5 bytes arrived from",
            ),
            (
                fake_servers(9204, |visitor, _| drip(visitor, &format!("{CHUNKED}1;"), b"x", 50)),
                None,
                "only 5 bytes arrived from",
            ),
            (
                fake_servers(9205, move |visitor, _| drip(visitor, &quick, &[0; 500], 50)),
                Some(2000),
                "did not complete its response within 2 s",
            ),
        ] {
            let within = within.map(Duration::from_millis);
            let mut request = get(&format!("http://{server}/x"), PathBuf::new());
            request.limits.floor = 1000;
            request.limits.within = within;
            let start = Instant::now();
            let mut response = kernel.send(&request).unwrap_or_else(|error| panic!("{error}"));
            let error = std::io::copy(&mut response.body, &mut std::io::sink()).unwrap_err();
            println!("{error}");
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(5), "{server}: {:?}", start.elapsed());
        }
    });
}

#[test]
fn a_report_that_is_taken_a_byte_at_a_time_ends() {
    apart(|kernel, _| {
        let server = fake_servers(9301, |visitor, _| {
            loop {
                std::thread::sleep(Duration::from_millis(20));
                if visitor.read(&mut [0])? == 0 {
                    return Ok(());
                }
            }
        });
        let (url, limits) = (format!("http://{server}/x"), Limits::within(Duration::from_secs(1)));
        let authorities = Authorities::File(PathBuf::new());
        let post = Request::post(url, "application/json", vec![0; 64 << 20], limits, authorities);
        let start = Instant::now();
        let error = kernel.send(&post).unwrap_err();
        assert_eq!(error.cause, Cause::TimedOut, "{error}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    });
}
