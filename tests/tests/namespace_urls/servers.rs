//! The servers, real and fake, and helpers to send requests to them.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use dayfly_sys::{Authorities, Http, Kernel, Limits, Request};

use crate::namespace::shell;

pub const HTTP: &str = "127.0.0.1:8080";

/// Ends nginx when the test ends, for whatever reason.
pub struct Nginx(pub Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        // By SIGTERM, since its worker would stay otherwise. An error means that it has ended already.
        let _ =
            nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.0.id() as i32), nix::sys::signal::SIGTERM);
        let _ = self.0.wait();
    }
}

pub fn nginx(scratch: &Path) -> Nginx {
    fs::create_dir(scratch.join("www")).unwrap();
    fs::write(scratch.join("www/image"), image()).unwrap();
    // Two authorities; certificates of the first for 127.0.0.1: one valid, one expired.
    shell(&format!(
        "cd {}; exec 2>openssl.log
         for ca in ca other; do openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.pem -days 30 -subj /CN=$ca; done
         printf 'subjectAltName=IP:127.0.0.1\\nbasicConstraints=CA:FALSE\\n' > san
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile san -out good.pem
         openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days -1 -extfile san -out expired.pem
         openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout client.key -out client.csr -subj /CN=n1
         openssl x509 -req -in client.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile san -out client.pem
         openssl x509 -req -in client.csr -CA other.pem -CAkey other.key -CAcreateserial -days 30 -extfile san -out stranger.pem",
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
           {1} {2}
           server {{ listen 127.0.0.1:8445 ssl; ssl_certificate {0}/good.pem; ssl_certificate_key {0}/server.key;
             ssl_client_certificate {0}/ca.pem; ssl_verify_client on; root {0}/www;
             location /who {{ add_header Content-Type text/plain; return 200 $ssl_client_s_dn; }}
             location /away {{ return 302 https://127.0.0.1:8446/who; }} location /again {{ return 302 /who; }} }}
           server {{ listen 127.0.0.1:8446 ssl; ssl_certificate {0}/good.pem; ssl_certificate_key {0}/server.key;
             ssl_client_certificate {0}/ca.pem; ssl_verify_client optional;
             location /who {{ add_header Content-Type text/plain; return 200 \"[$ssl_client_s_dn]\"; }} }} }}",
        scratch.display(),
        secure(8443, "good"),
        secure(8444, "expired")
    );
    fs::write(scratch.join("nginx.conf"), config).unwrap();
    let child =
        Command::new("nginx").arg("-c").arg(scratch.join("nginx.conf")).spawn().expect("nginx is installed");
    let guard = Nginx(child);
    let start = Instant::now();
    // It opens its ports one after the other.
    for server in [HTTP, "127.0.0.1:8443", "127.0.0.1:8444", "127.0.0.1:8445", "127.0.0.1:8446"] {
        while TcpStream::connect(server).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "nginx does not listen on {server}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    guard
}

pub fn image() -> Vec<u8> {
    (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

pub fn get(url: &str, ca_bundle: PathBuf) -> Request {
    let limits = Limits {
        connect: Duration::from_millis(900),
        stall: Duration::from_millis(400),
        floor: 0,
        within: None,
    };
    Request::get(url, limits, Authorities::File(ca_bundle))
}

pub fn body(kernel: &Kernel, request: &Request) -> (u16, Vec<u8>) {
    let mut response = kernel.send(request).unwrap_or_else(|error| panic!("{error}"));
    let mut bytes = Vec::new();
    response.body.read_to_end(&mut bytes).unwrap();
    assert_eq!(response.length, Some(bytes.len() as u64), "{}", request.url);
    (response.status, bytes)
}

/// A server that sends these bytes to its first client and then calls `then`.
pub fn fake_server(port: u16, says: &'static [u8], then: fn(TcpStream)) -> String {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let url = format!("http://{}/x", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut visitor, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        // Whatever the request is.
        let _ = visitor.read(&mut request).unwrap();
        visitor.write_all(says).unwrap();
        then(visitor);
    });
    url
}

pub fn fall_silent(visitor: TcpStream) {
    std::thread::sleep(Duration::from_secs(5));
    drop(visitor);
}

/// A server that calls this for each client, after the client has sent the head of a request.
pub fn fake_servers(
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
                // It runs until the client leaves.
                let _ = serve(&mut visitor, &String::from_utf8_lossy(&request[..count]));
            });
        }
    });
    format!("127.0.0.1:{port}")
}

/// Sends the same bytes again and again, with pauses, for ever.
pub fn drip(visitor: &mut TcpStream, first: &str, drop: &[u8], pause: u64) -> std::io::Result<()> {
    visitor.write_all(first.as_bytes())?;
    loop {
        visitor.write_all(drop)?;
        std::thread::sleep(Duration::from_millis(pause));
    }
}

pub const OK: &str = "HTTP/1.1 200 OK\r\n";
pub const FOUND: &str = "HTTP/1.1 302 Found\r\nContent-Length: 1000000\r\n";
