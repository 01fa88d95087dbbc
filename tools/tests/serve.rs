//! `dayfly serve` as a user runs it: the real program, over real connections.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use dayfly_qemu::server::HttpServer;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Long enough for any host; a test that passes does not wait for it.
const TIMEOUT: Duration = Duration::from_secs(60);

struct Server {
    child: Child,
    address: SocketAddr,
    lines: Receiver<String>,
}

impl Server {
    fn start(dir: &Path, args: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_dayfly"))
            .arg("serve")
            .arg(dir)
            .args(args)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let out = BufReader::new(child.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let first = lines.recv_timeout(TIMEOUT).expect("its first line");
        assert!(first.contains("not for production"), "{first}");
        let url = lines.recv_timeout(TIMEOUT).expect("its URL");
        let address = url.trim().trim_start_matches("http://").split('/').next().expect("an address");
        let address = address.parse().unwrap_or_else(|_| panic!("no address in {url:?}"));
        lines.recv_timeout(TIMEOUT).expect("the head of the log");
        Self { child, address, lines }
    }

    fn local(dir: &Path) -> Self {
        Self::start(dir, &["--listen", "127.0.0.1:0"])
    }

    fn connect(&self) -> TcpStream {
        connect(self.address)
    }

    fn ask(&self, request: &str) -> String {
        ask(self.address, request)
    }

    /// The next line of the log, without its time.
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(TIMEOUT).expect("a line");
        line.trim_start().split_once(' ').expect("a time").1.to_owned()
    }

    fn end(&mut self, signal: Signal) -> bool {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("it runs");
        self.child.wait().expect("it ends").success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The test may have ended it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out");
    stream
}

/// The complete answer to one request on its own connection.
fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = connect(address);
    stream.write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, then the end");
    answer
}

fn status(answer: &str) -> &str {
    answer.get(9..12).unwrap_or(answer)
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn site() -> tempfile::TempDir {
    let outer = tempfile::tempdir().expect("a folder");
    let dir = outer.path().join("www");
    fs::create_dir(&dir).expect("a folder");
    fs::write(dir.join("a b"), "0123456789").expect("a file");
    fs::write(outer.path().join("secret"), "secret").expect("a file");
    symlink("../secret", dir.join("link")).expect("a link");
    outer
}

#[test]
fn files_ranges_and_the_log() {
    let outer = site();
    let mut server = Server::local(&outer.path().join("www"));
    let whole = server.ask("GET /a%20b?x HTTP/1.1\r\nUser-Agent: iPXE/1 \x07");
    assert_eq!(status(&whole), "400", "a control character: {whole}");
    assert_eq!(server.line(), "127.0.0.1 - - 400 47 - [the request is malformed: invalid header value]");

    let whole = server.ask("GET /a%20b?x HTTP/1.1\r\nUser-Agent: iPXE/1");
    assert_eq!((status(&whole), body(&whole)), ("200", "0123456789"));
    assert_eq!(field(&whole, "Content-Length"), Some("10"));
    assert_eq!(field(&whole, "Accept-Ranges"), Some("bytes"));
    assert_eq!(server.line(), "127.0.0.1 GET /a%20b 200 10 iPXE/1");

    let head = server.ask("HEAD /a%20b HTTP/1.1");
    assert_eq!((status(&head), body(&head), field(&head, "Content-Length")), ("200", "", Some("10")));
    assert_eq!(server.line(), "127.0.0.1 HEAD /a%20b 200 0 -");

    let part = server.ask("GET /a%20b HTTP/1.1\r\nRange: bytes=2-4");
    assert_eq!((status(&part), body(&part)), ("206", "234"));
    assert_eq!(field(&part, "Content-Range"), Some("bytes 2-4/10"));
    assert_eq!(server.line(), "127.0.0.1 GET /a%20b 206 3 - [bytes 2-4/10]");

    let missing = server.ask("GET /nothing HTTP/1.1");
    assert_eq!((status(&missing), field(&missing, "Content-Length")), ("404", Some("22")));
    assert_eq!(server.line(), "127.0.0.1 GET /nothing 404 22 -");
    let outside = server.ask("GET /link HTTP/1.1");
    assert_eq!(status(&outside), "403");
    assert!(!outside.contains("secret") && server.line().contains("--follow-links"), "{outside}");
    assert_eq!(status(&server.ask("GET /../secret HTTP/1.1")), "400");
    assert_eq!(status(&server.ask("GET /%2e%2e/secret HTTP/1.1")), "400");
    let post = server.ask("POST /a%20b HTTP/1.1\r\nContent-Length: 3");
    assert_eq!((status(&post), field(&post, "Allow")), ("405", Some("GET, HEAD")));

    for request in ["GET /../secret 400", "GET /%2e%2e/secret 400", "POST /a%20b 405"] {
        let line = server.line();
        assert!(line.contains(request), "a line for each request: {line}");
    }
    assert!(server.end(Signal::SIGINT), "Ctrl-C is no failure");
    assert!(server.line().starts_with("SIGINT: ended after 9 requests and "), "the last line");
}

#[test]
fn links_are_followed_where_that_is_wanted() {
    let outer = site();
    let mut server = Server::start(&outer.path().join("www"), &["--follow-links", "--listen", "[::1]:0"]);
    let answer = server.ask("GET /link HTTP/1.1");
    assert_eq!((status(&answer), body(&answer)), ("200", "secret"));
    assert_eq!(server.line(), "::1 GET /link 200 6 -");
    assert!(server.end(Signal::SIGTERM), "so is SIGTERM");
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let outer = site();
    let server = Server::local(&outer.path().join("www"));
    let mut stream = server.connect();
    // Two requests at once, the second one in pieces; a 304 has no body that could be misread as the next answer.
    let first = "GET /a%20b HTTP/1.1\r\nHost: x\r\n\r\nGET /a%20b HTTP/1.1\r\nHost: x\r\nIf-None-";
    stream.write_all(first.as_bytes()).expect("sent");
    stream.write_all(b"Match: *\r\n\r\nGET /nothing HTTP/1.0\r\n\r\n").expect("sent");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("three answers, then the end");
    let statuses: Vec<&str> =
        answers.match_indices("HTTP/1.1 ").filter_map(|(at, _)| answers.get(at + 9..at + 12)).collect();
    assert_eq!(statuses, ["200", "304", "404"], "{answers}");
}

/// The log shows how far a client came that leaves in the middle; other clients are not delayed.
#[test]
fn a_cut_transfer_shows() {
    const SIZE: u64 = 64 << 20;
    let dir = tempfile::tempdir().expect("a folder");
    fs::File::create(dir.path().join("big")).and_then(|file| file.set_len(SIZE)).expect("a file");
    let server = Server::local(dir.path());
    let mut stream = server.connect();
    stream.write_all(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n").expect("sent");
    stream.read_exact(&mut [0; 4096]).expect("the beginning");
    let other = server.ask("GET /big HTTP/1.1\r\nRange: bytes=-3");
    assert_eq!(body(&other), "\0\0\0");
    drop(stream);
    let (first, second) = (server.line(), server.line());
    let cut = if first.contains(" 206 ") { second } else { first };
    assert!(cut.contains(&format!(" of {SIZE} ")) && cut.contains(" cut: "), "{cut}");
}

/// An independent HTTP client, the one of the init: the whole file, and its second half.
#[test]
fn another_client_agrees() {
    let dir = tempfile::tempdir().expect("a folder");
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    fs::write(dir.path().join("image"), &bytes).expect("a file");
    let server = Server::local(dir.path());
    let url = format!("http://{}/image", server.address);
    let mut whole = ureq::get(&url).call().expect("an answer");
    let etag = whole.headers().get("etag").and_then(|etag| etag.to_str().ok()).expect("an ETag").to_owned();
    assert!(whole.body_mut().read_to_vec().expect("a body") == bytes);
    let rest = |etag: &str| {
        let request = ureq::get(&url).header("Range", "bytes=1500000-").header("If-Range", etag);
        let mut answer = request.call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_vec().expect("a body"))
    };
    assert!(rest(&etag) == (206, bytes[1_500_000..].to_vec()));
    fs::write(dir.path().join("new"), &bytes).expect("a file");
    fs::rename(dir.path().join("new"), dir.path().join("image")).expect("renamed");
    assert!(rest(&etag) == (200, bytes), "the rest of another file");
}

/// nginx gets the same requests, except where it differs: it sends several ranges as parts, and answers malformed ones with 416.
/// RFC 9110 (section 14.2) allows a server to ignore both.
#[test]
fn nginx_agrees() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("a b"), "0123456789abcdefghijklmnopqrstuvwxyz").expect("a file");
    fs::write(dir.path().join("empty"), "").expect("a file");
    let ours = Server::local(dir.path());
    let nginx = HttpServer::start(dir.path()).expect("nginx; qemu/provision installs it");
    let theirs = SocketAddr::from(([127, 0, 0, 1], nginx.port()));
    let ranges = [
        "0-",
        "0-0",
        "0-9",
        "10-19",
        "35-",
        "35-35",
        "30-100",
        "36-",
        "36-40",
        "1000000000000-",
        "-1",
        "-10",
        "-36",
        "-37",
        "-1000",
        " 3-4",
        "3-4 ",
        "007-009",
    ];
    let mut requests: Vec<String> =
        ranges.iter().map(|range| format!("GET /a%20b HTTP/1.1\r\nRange: bytes={range}")).collect();
    for line in [
        "GET /a%20b",
        "GET /a%20b?x",
        "HEAD /a%20b",
        "GET http://x/a%20b",
        "GET /empty",
        "HEAD /empty",
        "GET //a%20b",
        "GET /none",
    ] {
        requests.push(format!("{line} HTTP/1.1"));
        requests.push(format!("{line} HTTP/1.0"));
    }
    requests.push("GET /a%20b HTTP/1.1\r\nRange: lines=1-2".to_owned());
    requests.push("GET /a%20b HTTP/1.1\r\nRange: bytes=1-2\r\nIf-Range: \"other\"".to_owned());
    requests.push("GET /a%20b HTTP/1.1\r\nIf-None-Match: *".to_owned());
    requests.push("GET /a%20b HTTP/1.1\r\nIf-Match: \"other\"".to_owned());
    for request in requests {
        let seen = |address: SocketAddr| {
            let answer = ask(address, &request);
            let is_file = status(&answer).starts_with('2');
            // The text of an error is each server's own.
            let own = |text: &str| if is_file { text.to_owned() } else { String::new() };
            let length = field(&answer, "Content-Length").map(own);
            let range = field(&answer, "Content-Range").map(str::to_owned);
            (status(&answer).to_owned(), length.filter(|_| is_file), range, own(body(&answer)))
        };
        assert_eq!(seen(ours.address), seen(theirs), "{request:?}");
    }
}

#[test]
fn what_cannot_be_served_is_an_error() {
    let run = |args: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_dayfly")).arg("serve").args(args).output().expect("built");
        assert!(!output.status.success());
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    assert!(run(&["/nowhere/at/all"]).contains("/nowhere/at/all"));
    assert!(run(&["/etc/hostname"]).contains("cannot open the folder"));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let error = run(&["/tmp", "--listen", &address]);
    assert!(error.contains(&address) && error.contains("--listen"), "{error}");
    assert!(run(&["/tmp", "--listen", "localhost"]).contains("--listen"));
}
