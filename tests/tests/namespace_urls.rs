//! HTTP and HTTPS against a real nginx on loopback; servers that misbehave are ours, and named so.

mod namespace;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use dayfly_sys::{Cause, Kernel, Request, Sys};
use namespace::{apart, run, shell};

const HTTP: &str = "127.0.0.1:8080";

/// Ends with the test, whichever way the test ends.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // By SIGTERM, or its worker would stay. Already gone is as good.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), nix::sys::signal::SIGTERM);
        let _ = self.0.wait();
    }
}

fn nginx(scratch: &Path) -> Nginx {
    fs::create_dir(scratch.join("www")).unwrap();
    fs::write(scratch.join("www/image"), image()).unwrap();
    // Two authorities; certificates of the first for 127.0.0.1: one good, one whose time is over.
    shell(&format!(
        "cd {}; exec 2>openssl.log
         for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.pem -days 30 -subj /CN=$ca; done
         printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > san
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile san -out good.pem
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -extfile san -out expired.pem",
        scratch.display()
    ));
    let secure = |port: u16, certificate: &str| {
        format!(
            "server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {0}/{certificate}.pem; ssl_certificate_key {0}/server.key;
               root {0}/www; location /down {{ return 302 http://{HTTP}/image; }} }}",
            scratch.display()
        )
    };
    let config = format!(
        "user root; daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{}}
         http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
           uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
           server {{ listen {HTTP}; root {0}/www; location /moved {{ return 302 /image; }} location /loop {{ return 302 /loop; }}
             location /packed {{ alias {0}/www/image; add_header Content-Encoding gzip; }} }}
           {1} {2} }}",
        scratch.display(),
        secure(8443, "good"),
        secure(8444, "expired")
    );
    fs::write(scratch.join("nginx.conf"), config).unwrap();
    let child =
        Command::new("nginx").arg("-c").arg(scratch.join("nginx.conf")).spawn().expect("nginx is installed");
    let guard = Nginx(child);
    let start = Instant::now();
    while TcpStream::connect(HTTP).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "nginx does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    guard
}

fn image() -> Vec<u8> {
    (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn get(url: &str, ca_bundle: PathBuf) -> Request {
    Request {
        url: url.into(),
        resume: None,
        connect: Duration::from_millis(900),
        stall: Duration::from_millis(400),
        ca_bundle,
    }
}

fn body(kernel: &Kernel, request: &Request) -> (u16, Vec<u8>) {
    let mut response = kernel.open_url(request).unwrap_or_else(|error| panic!("{error}"));
    let mut bytes = Vec::new();
    response.body.read_to_end(&mut bytes).unwrap();
    assert_eq!(response.length, Some(bytes.len() as u64), "{}", request.url);
    (response.status, bytes)
}

#[test]
fn nginx_gives_the_whole_a_part_and_its_refusals() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let none = PathBuf::new();
        let whole = get(&format!("http://{HTTP}/image"), none.clone());
        let response = kernel.open_url(&whole).unwrap();
        assert_eq!(
            (response.status, response.reason.as_str(), response.length),
            (200, "OK", Some(1_000_000))
        );
        let tag = response.tag.expect("nginx sends a strong ETag");
        assert!(tag.starts_with('"'), "{tag}");
        assert_eq!(body(kernel, &whole), (200, image()));
        assert_eq!(body(kernel, &get(&format!("http://{HTTP}/moved"), none.clone())), (200, image()));

        let resume = |tag: &str| Request { resume: Some((999_000, tag.to_owned())), ..whole.clone() };
        assert_eq!(body(kernel, &resume(&tag)), (206, image()[999_000..].to_vec()));
        assert_eq!(body(kernel, &resume("\"another\"")), (200, image()), "another entity comes whole");

        let missing = kernel.open_url(&get(&format!("http://{HTTP}/missing"), none.clone())).unwrap();
        assert_eq!((missing.status, missing.reason.as_str()), (404, "Not Found"));
        for (path, words) in [("loop", "redirects more than 5 times"), ("packed", "Content-Encoding: gzip")] {
            let error = kernel.open_url(&get(&format!("http://{HTTP}/{path}"), none.clone())).unwrap_err();
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
                vec!["it has expired", "clock is right, which says", year.trim()],
            ),
            (
                "https://127.0.0.1:8443/image",
                "other",
                vec!["UnknownIssuer", "no certificate in", "other.pem"],
            ),
            ("https://localhost:8443/image", "ca", vec!["localhost"]),
            ("https://127.0.0.1:8443/image", "empty", vec!["empty.pem has no certificate"]),
            ("https://127.0.0.1:8443/image", "gone", vec!["gone.pem", "No such file"]),
            ("https://127.0.0.1:8443/down", "ca", vec!["redirects from https to http://"]),
        ] {
            let error = kernel.open_url(&get(url, bundle(ca))).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Tls, "{error}");
            assert!(words.iter().all(|part| error.words.contains(part)), "{error}: {words:?}");
        }
        let plain = kernel.open_url(&get(&format!("https://{HTTP}/image"), bundle("ca"))).unwrap_err();
        assert_eq!(plain.cause, Cause::Tls, "{plain}");
    });
}

/// A server that sends these bytes to its first visitor and then does as told.
fn fake_server(port: u16, says: &'static [u8], then: fn(TcpStream)) -> String {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut visitor, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        // Whatever it asks.
        let _ = visitor.read(&mut request).unwrap();
        visitor.write_all(says).unwrap();
        then(visitor);
    });
    url
}

fn fall_silent(visitor: TcpStream) {
    std::thread::sleep(Duration::from_secs(5));
    drop(visitor);
}

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
                "nothing came from 127.0.0.1:9001 for 0.4 s, after 10 bytes",
            ),
            (
                9002,
                drop,
                ErrorKind::UnexpectedEof,
                "127.0.0.1:9002 closed the connection after 10 of 100 bytes",
            ),
        ] {
            let mut response = kernel.open_url(&get(&fake_server(port, head, then), none.clone())).unwrap();
            let mut bytes = Vec::new();
            let start = Instant::now();
            let error = response.body.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((bytes.len(), error.kind(), error.to_string().as_str()), (10, kind, words));
            assert!(start.elapsed() < Duration::from_secs(2));
        }
        // In the middle of a chunk.
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n0123456789";
        let mut response = kernel.open_url(&get(&fake_server(9003, chunked, drop), none.clone())).unwrap();
        let error = response.body.read_to_end(&mut Vec::new()).unwrap_err();
        assert_eq!((response.length, error.kind()), (None, ErrorKind::UnexpectedEof), "{error}");

        for (port, says, then, cause, words) in [
            (
                9004,
                &b""[..],
                fall_silent as fn(TcpStream),
                Cause::TimedOut,
                "nothing came from 127.0.0.1:9004 for 0.4 s",
            ),
            (9005, b"HTTP/1.1 200", fall_silent, Cause::TimedOut, "nothing came from 127.0.0.1:9005"),
            (
                9006,
                b"",
                drop,
                Cause::Protocol,
                "127.0.0.1:9006 closed the connection before its answer was complete",
            ),
            (9007, b"SSH-2.0-fake\r\n\r\n", drop, Cause::Protocol, "127.0.0.1:9007"),
        ] {
            let error = kernel.open_url(&get(&fake_server(port, says, then), none.clone())).unwrap_err();
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

#[test]
fn no_server_no_host_and_no_route_are_told_apart() {
    apart(|kernel, _| {
        shell(
            "ip link add va type veth peer name vb; ip link set va up; ip link set vb up; ip address add 10.7.0.1/24 dev va",
        );
        for (url, cause, words) in [
            ("http://127.0.0.1:1/x", Cause::Connect, "127.0.0.1:1: "),
            ("http://192.0.2.1/x", Cause::Connect, "192.0.2.1:80: "),
            ("http://10.7.0.2:81/x", Cause::Connect, "no connection to 10.7.0.2:81 in 0.9 s"),
            ("http://no-such-host.invalid:82/x", Cause::Resolve, "no-such-host.invalid:82"),
        ] {
            let start = Instant::now();
            let error = kernel.open_url(&get(url, PathBuf::new())).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, cause, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{url}: {:?}", start.elapsed());
        }
    });
}
