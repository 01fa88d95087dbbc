//! HTTP and HTTPS against a real nginx on loopback; servers that misbehave are ours, and named so.

mod namespace;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use dayfly_sys::{Cause, Http, Kernel, Post, Request, SysError};
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
               root {0}/www; location /down {{ return 302 http://{HTTP}/image; }}
               location /report {{ return 204; }} }}",
            scratch.display()
        )
    };
    let config = format!(
        "user root; daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log; events {{}}
         http {{ access_log off; client_body_temp_path {0}/t1; proxy_temp_path {0}/t2; fastcgi_temp_path {0}/t3;
           uwsgi_temp_path {0}/t4; scgi_temp_path {0}/t5;
           server {{ listen {HTTP}; listen 8088; root {0}/www; location /moved {{ return 302 /image; }} location /loop {{ return 302 /loop; }}
             location /up {{ return 301 https://127.0.0.1:8443/image; }}
             location /report {{ return 301 https://127.0.0.1:8443/report; }}
             location /object {{ alias {0}/www/image; add_header Content-Encoding aws-chunked; }}
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
        floor: 0,
        within: None,
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
        assert_eq!(body(kernel, &get(&format!("HTTP://{HTTP}/image"), none.clone())), (200, image()));
        assert_eq!(body(kernel, &get(&format!("http://{HTTP}/object"), none.clone())), (200, image()));

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

        // A redirect from http to https is as any other https URL.
        let up = format!("http://{HTTP}/up");
        assert_eq!(body(kernel, &get(&up, bundle("ca"))), (200, image()));
        for (ca, words) in [("other", "UnknownIssuer"), ("gone", "gone.pem")] {
            let error = kernel.open_url(&get(&up, bundle(ca))).unwrap_err();
            assert_eq!(error.cause, Cause::Tls, "{error}");
            assert!(error.words.contains(words), "{error}");
        }
        let report = |ca| Post {
            url: format!("http://{HTTP}/report"),
            content_type: "application/json",
            body: b"{}".to_vec(),
            within: Duration::from_secs(5),
            ca_bundle: bundle(ca),
        };
        assert_eq!(kernel.post_url(&report("ca")).unwrap(), 204);
        assert_eq!(kernel.post_url(&report("other")).unwrap_err().cause, Cause::Tls);
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

/// A server that does this to each visitor, who has sent the head of a request by then.
fn fake_servers(
    port: u16,
    serve: impl Fn(&mut TcpStream, &str) -> std::io::Result<()> + Send + Sync + 'static,
) -> String {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let serve = std::sync::Arc::new(serve);
    std::thread::spawn(move || {
        for visitor in listener.incoming() {
            let (mut visitor, serve) = (visitor.unwrap(), std::sync::Arc::clone(&serve));
            std::thread::spawn(move || {
                let mut request = [0; 4096];
                let count = visitor.read(&mut request).unwrap();
                // It goes on until the visitor leaves.
                let _ = serve(&mut visitor, &String::from_utf8_lossy(&request[..count]));
            });
        }
    });
    format!("127.0.0.1:{port}")
}

/// Says something again and again, with pauses, for ever.
fn drip(visitor: &mut TcpStream, first: &str, drop: &[u8], pause: u64) -> std::io::Result<()> {
    visitor.write_all(first.as_bytes())?;
    loop {
        visitor.write_all(drop)?;
        std::thread::sleep(Duration::from_millis(pause));
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const FOUND: &str = "HTTP/1.1 302 Found\r\nContent-Length: 1000000\r\n";

/// None of these ended before there was one clock for all of an exchange. By it, a head is due after 1.3 s.
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
                "127.0.0.1:9101 has not answered to the end in 1.3 s",
            ),
            (
                "http",
                fake_servers(9102, |visitor, _| drip(visitor, "HTTP/1.1 200", b" ", 50)),
                Cause::TimedOut,
                "127.0.0.1:9102 has not answered to the end in 1.3 s",
            ),
            (
                "http",
                fake_servers(9103, |visitor, _| drip(visitor, "", b"HTTP/1.1 102 Processing\r\n\r\n", 60)),
                Cause::TimedOut,
                "127.0.0.1:9103 has not answered to the end in 1.3 s",
            ),
            (
                "http",
                fake_servers(9104, |visitor, _| {
                    drip(visitor, "", b"HTTP/1.1 100 Continue\r\nServer: x\r\n\r\n", 0)
                }),
                Cause::Protocol,
                "more than 32 interim answers",
            ),
            (
                "http",
                fake_servers(9105, |visitor, _| {
                    std::thread::sleep(Duration::from_millis(350));
                    visitor.write_all(format!("{FOUND}Location: /again\r\n\r\n").as_bytes())
                }),
                Cause::TimedOut,
                "127.0.0.1:9105 has not answered to the end in 1.3 s, redirects included",
            ),
            (
                "https",
                fake_servers(9106, |visitor, _| drip(visitor, "\x16\x03\x03\x40", b"\0", 50)),
                Cause::Connect,
                "no connection to 127.0.0.1:9106 in 0.9 s",
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
                kernel.open_url(&get(&format!("{scheme}://{server}/x"), scratch.join("ca.pem"))).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, cause, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(4), "{server}: {:?}", start.elapsed());
        }
    });
}

/// With the least rate of 1000 bytes a second, over 0.8 s.
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
                "1000 bytes a second are the least",
            ),
            (
                fake_servers(9202, |visitor, _| drip(visitor, &format!("{CHUNKED}0\r\n"), b"A: b\r\n", 50)),
                None,
                "only 5 bytes came from",
            ),
            (
                fake_servers(9203, |visitor, _| drip(visitor, &format!("{CHUNKED}0\r\n"), b"A: b\r\n", 0)),
                None,
                "only 5 bytes came from",
            ),
            (
                fake_servers(9204, |visitor, _| drip(visitor, &format!("{CHUNKED}1;"), b"x", 50)),
                None,
                "only 5 bytes came from",
            ),
            (
                fake_servers(9205, move |visitor, _| drip(visitor, &quick, &[0; 500], 50)),
                Some(2000),
                "has not answered to the end in 2 s",
            ),
        ] {
            let within = within.map(Duration::from_millis);
            let request =
                Request { floor: 1000, within, ..get(&format!("http://{server}/x"), PathBuf::new()) };
            let start = Instant::now();
            let mut response = kernel.open_url(&request).unwrap_or_else(|error| panic!("{error}"));
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
        let post = Post {
            url: format!("http://{server}/x"),
            content_type: "application/json",
            body: vec![0; 64 << 20],
            within: Duration::from_secs(1),
            ca_bundle: PathBuf::new(),
        };
        let start = Instant::now();
        let error = kernel.post_url(&post).unwrap_err();
        assert_eq!(error.cause, Cause::TimedOut, "{error}");
        assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    });
}

/// What a redirect's own body says does not matter, nor how its `Location` is written.
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
            let error =
                kernel.open_url(&get(&format!("http://{server}/{path}"), PathBuf::new())).unwrap_err();
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

/// Answers each question as told.
fn fake_name_server(address: &str, answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
    let socket = std::net::UdpSocket::bind((address, 53)).unwrap();
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((count, visitor)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..count]) {
                socket.send_to(&answer, visitor).unwrap();
            }
        }
    });
}

/// The head of an answer to a question, with this code.
fn says(query: &[u8], code: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    (answer[2], answer[3]) = (0x81, 0x80 | code);
    answer
}

/// Name servers in a row, each with its own idea: a real dnsmasq that knows the name, and fakes that answer as told.
#[test]
fn one_good_answer_of_one_name_server_is_enough() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let dnsmasq = Command::new("dnsmasq")
            .args([
                "--keep-in-foreground",
                "--conf-file=/dev/null",
                "--no-resolv",
                "--no-hosts",
                "--bind-interfaces",
            ])
            .args(["--listen-address=127.0.0.2", "--except-interface=none", "--user=root", "--pid-file="])
            .args(["--host-record=boot.lan,127.0.0.1", "--local=/lan/", "--cname=alias.lan,boot.lan"])
            .spawn()
            .expect("dnsmasq is installed");
        let _dnsmasq = Nginx(dnsmasq);
        fake_name_server("127.0.0.3", |query| Some(says(query, 2)));
        fake_name_server("127.0.0.4", |query| Some(says(query, 3)));
        fake_name_server("127.0.0.5", |_| None);
        // Good for IPv4, and has no idea of anything else.
        fake_name_server("127.0.0.6", |query| {
            if query[query.len() - 4..] != [0, 1, 0, 1] {
                return Some(says(query, 2));
            }
            let mut answer = says(query, 0);
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
            Some(answer)
        });
        // FORMERR without the question.
        fake_name_server("127.0.0.7", |query| {
            let mut answer = says(&query[..12], 1);
            answer[5] = 0;
            Some(answer)
        });
        // An answer with another number.
        fake_name_server("127.0.0.8", |query| {
            let mut answer = says(query, 0);
            answer[0] ^= 0xff;
            Some(answer)
        });
        let conf = scratch.join("resolv.conf");
        fs::write(&conf, "").unwrap();
        run("mount", &["--bind", conf.to_str().unwrap(), "/etc/resolv.conf"]);
        let fetch =
            |name: &str| body(kernel, &get(&format!("http://{name}:8080/image"), PathBuf::new())).1.len();
        // dnsmasq may need a moment.
        fs::write(&conf, "nameserver 127.0.0.2\n").unwrap();
        let start = Instant::now();
        while kernel.open_url(&get("http://boot.lan:8080/image", PathBuf::new())).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "dnsmasq does not answer");
        }
        // With IPv6 that leads somewhere, AAAA is asked for as well.
        for with_ipv6 in [false, true] {
            if with_ipv6 {
                shell(
                    "ip link add v6 type veth peer name w6; ip link set v6 up; ip link set w6 up; ip -6 address add 2001:db8:1::2/64 dev v6 nodad
                     ip -6 route add default dev v6",
                );
            }
            for servers in [
                &["2"][..],
                &["6"],
                &["3", "2"],
                &["2", "3"],
                &["4", "6"],
                &["5", "4", "3", "7", "8", "2"],
                &["9", "2"],
            ] {
                let lines: Vec<String> =
                    servers.iter().map(|last| format!("nameserver 127.0.0.{last}\n")).collect();
                fs::write(&conf, lines.concat()).unwrap();
                for name in ["boot.lan", "boot.lan."] {
                    assert_eq!(fetch(name), 1_000_000, "{servers:?}");
                }
            }
            fs::write(&conf, "nameserver 127.0.0.2\nsearch nowhere.example lan\n").unwrap();
            for name in ["boot", "alias", "alias.lan"] {
                assert_eq!(fetch(name), 1_000_000, "{name}");
            }
        }
        for (servers, words) in [
            ("", "no name server is known"),
            ("nameserver 127.0.0.4\n", "127.0.0.4: there is no such name (NXDOMAIN)"),
            (
                "nameserver 127.0.0.3\nnameserver 127.0.0.7\n",
                "127.0.0.3: it answers SERVFAIL; 127.0.0.7: it answers FORMERR",
            ),
            ("nameserver 127.0.0.9\n", "127.0.0.9: Connection refused"),
            ("nameserver 127.0.0.5\n", "127.0.0.5: no answer in 1 s"),
            ("nameserver 127.0.0.8\n", "127.0.0.8: no answer in 1 s"),
        ] {
            fs::write(&conf, servers).unwrap();
            let start = Instant::now();
            let error = kernel.open_url(&get("http://boot.lan:8080/image", PathBuf::new())).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Resolve, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{servers}: {:?}", start.elapsed());
        }
    });
}

/// Answers over TCP too: each visitor's question, without the length before it, as told.
fn fake_name_server_over_tcp(
    address: &str,
    answer: impl Fn(&mut TcpStream, Vec<u8>) -> std::io::Result<()> + Send + 'static,
) {
    let listener = TcpListener::bind((address, 53)).unwrap();
    std::thread::spawn(move || {
        for visitor in listener.incoming() {
            let mut visitor = visitor.unwrap();
            let mut serve = || {
                let mut length = [0; 2];
                visitor.read_exact(&mut length)?;
                let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
                visitor.read_exact(&mut query)?;
                answer(&mut visitor, query)
            };
            // It goes on until the visitor leaves, who may have had an answer of another server.
            let _ = serve();
        }
    });
}

/// An answer that does not fit into a packet (TC).
fn cut(query: &[u8]) -> Vec<u8> {
    let mut answer = says(query, 0);
    answer[2] |= 2;
    answer
}

/// The loopback address for a question of IPv4, with the length before it.
fn over_tcp(query: &[u8]) -> Vec<u8> {
    let mut answer = says(query, 0);
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
    [u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec(), answer].concat()
}

/// A real dnsmasq with more addresses of one name than fit into 512 bytes, and fakes that cut every answer over UDP.
#[test]
fn an_answer_that_does_not_fit_into_a_packet_comes_over_tcp() {
    apart(|kernel, scratch| {
        let _nginx = nginx(scratch);
        let many: Vec<String> = (1..=60).map(|last| format!("127.0.1.{last} boot.lan\n")).collect();
        fs::write(scratch.join("hosts"), many.concat() + "127.0.0.1 one.lan\n").unwrap();
        let dnsmasq = Command::new("dnsmasq")
            .args(["--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"])
            .args(["--bind-interfaces", "--listen-address=127.0.0.2", "--except-interface=none"])
            .args(["--user=root", "--pid-file=", "--local=/lan/", "--log-queries", "--log-facility=-"])
            .arg(format!("--addn-hosts={}", scratch.join("hosts").display()))
            .stderr(fs::File::create(scratch.join("dnsmasq.log")).unwrap())
            .spawn()
            .expect("dnsmasq is installed");
        let _dnsmasq = Nginx(dnsmasq);
        for last in 3..=10 {
            fake_name_server(&format!("127.0.0.{last}"), |query| Some(cut(query)));
        }
        // In pieces, the first of them half of the length.
        fake_name_server_over_tcp("127.0.0.3", |visitor, query| {
            for byte in over_tcp(&query) {
                visitor.write_all(&[byte])?;
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        });
        // No answer to this question.
        fake_name_server_over_tcp("127.0.0.4", |visitor, mut query| {
            query[0] ^= 0xff;
            visitor.write_all(&over_tcp(&query))
        });
        // Cut here as well.
        fake_name_server_over_tcp("127.0.0.5", |visitor, query| {
            let mut answer = over_tcp(&query);
            answer[4] |= 2;
            visitor.write_all(&answer)
        });
        fake_name_server_over_tcp("127.0.0.6", |visitor, query| visitor.write_all(&over_tcp(&query)[..20]));
        fake_name_server_over_tcp("127.0.0.7", |visitor, _| drip(visitor, "", b"", 50));
        fake_name_server_over_tcp("127.0.0.8", |visitor, _| drip(visitor, "\x7f\x7f", b"x", 50));
        // Whoever connects waits in a queue that nobody serves.
        let _queue = TcpListener::bind("127.0.0.9:53").unwrap();
        let conf = scratch.join("resolv.conf");
        fs::write(&conf, "nameserver 127.0.0.2\n").unwrap();
        run("mount", &["--bind", conf.to_str().unwrap(), "/etc/resolv.conf"]);
        let fetch = |name: &str| {
            let request = Request {
                connect: Duration::from_secs(2),
                ..get(&format!("http://{name}:8088/image"), PathBuf::new())
            };
            let mut bytes = Vec::new();
            kernel.open_url(&request)?.body.read_to_end(&mut bytes).unwrap();
            Ok::<_, SysError>(bytes.len())
        };
        // dnsmasq may need a moment.
        let start = Instant::now();
        while fetch("one.lan").is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "dnsmasq does not answer");
        }
        assert_eq!(fetch("boot.lan").unwrap(), 1_000_000);
        let log = fs::read_to_string(scratch.join("dnsmasq.log")).unwrap();
        assert!(log.matches("query[A] boot.lan").count() >= 2, "its answer was not cut: {log}");
        // Whoever gives none over TCP holds nobody up who does, or who needs no TCP.
        for servers in ["3", "4 3", "5 3", "6 3", "7 3", "8 3", "9 3", "10 3", "7 8 9 3", "7 8 9 2"] {
            let lines: Vec<String> =
                servers.split(' ').map(|last| format!("nameserver 127.0.0.{last}\n")).collect();
            fs::write(&conf, lines.concat()).unwrap();
            let name = if servers.ends_with('2') { "one.lan" } else { "boot.lan" };
            assert_eq!(fetch(name).unwrap_or_else(|error| panic!("{servers}: {error}")), 1_000_000);
        }
        for last in 4..=10 {
            fs::write(&conf, format!("nameserver 127.0.0.{last}\n")).unwrap();
            let start = Instant::now();
            let error = fetch("boot.lan").unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Resolve, "{error}");
            let words =
                format!("127.0.0.{last}: its answer does not fit into a packet, and it gives none over TCP");
            assert!(error.words.contains(&words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{last}: {:?}", start.elapsed());
        }
    });
}
