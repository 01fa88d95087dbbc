//! A real nginx, as a child in the foreground, with its own configuration, port and logs.

use std::{
    fs,
    io::ErrorKind,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::command::call;

/// The host's address for guests on QEMU's user network; in a [`crate::lan::Lan`] the host really has it.
pub const HOST_FROM_GUEST: &str = "10.0.2.2";

/// The same by IPv6: the host's `::1`.
pub const HOST_FROM_GUEST_V6: &str = "fec0::2";

/// How long nginx may take until it listens.
const START: Duration = Duration::from_secs(15);

/// A request that nginx answered, from its access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD` …
    pub method: String,
    /// The path with its query.
    pub uri: String,
    /// The status of the answer; 499 if the client left first.
    pub status: u16,
    /// Body bytes sent.
    pub bytes: u64,
    /// The `Range` header, `-` without one.
    pub range: String,
    /// The `User-Agent` header, `-` without one.
    pub agent: String,
}

/// An HTTP(S) server of one folder on 127.0.0.1, and in a [`crate::lan::Lan`] on its address too. Dropping this ends it.
pub struct HttpServer {
    dir: TempDir,
    port: u16,
    tls: Option<PathBuf>,
    child: Option<Child>,
}

impl HttpServer {
    /// Serves `folder` over HTTP.
    pub fn start(folder: &Path) -> Result<Self> {
        let mut server = Self::prepare(folder, "")?;
        server.up()?;
        Ok(server)
    }

    /// Serves `folder` with at most this many KiB per second and connection.
    pub fn start_slow(folder: &Path, kibibytes_per_second: u32) -> Result<Self> {
        let mut server = Self::prepare(folder, &format!("limit_rate {kibibytes_per_second}k;"))?;
        server.up()?;
        Ok(server)
    }

    /// Serves `folder` over HTTPS, with a certificate for 10.0.2.2, 127.0.0.1 and localhost of a test CA: see [`HttpServer::ca`].
    pub fn start_tls(folder: &Path) -> Result<Self> {
        let mut server = Self::prepare(folder, "")?;
        make_certificates(server.dir.path())?;
        server.tls = Some(server.dir.path().join("ca.pem"));
        server.write_config(folder, "ssl_certificate server.pem; ssl_certificate_key server.key;")?;
        server.up()?;
        Ok(server)
    }

    /// A server that has its port, but does not listen until [`HttpServer::up`].
    pub fn prepare(folder: &Path, directives: &str) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("dayfly-http.")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|listener| listener.local_addr())
            .context("no free port")?
            .port();
        let server = Self { dir, port, tls: None, child: None };
        server.write_config(folder, directives)?;
        Ok(server)
    }

    fn write_config(&self, folder: &Path, directives: &str) -> Result<()> {
        let folder = folder
            .canonicalize()
            .with_context(|| format!("cannot find the folder {} to serve", folder.display()))?;
        let (folder, port) = (folder.display(), self.port);
        let (user, tls) = (
            if rustix::process::geteuid().is_root() { "user root;" } else { "" },
            if self.tls.is_some() { " ssl" } else { "" },
        );
        let listen: Vec<String> = ["127.0.0.1", "[::1]", HOST_FROM_GUEST]
            .iter()
            .filter(|address| TcpListener::bind(format!("{address}:0")).is_ok())
            .map(|address| format!("listen {address}:{port}{tls};"))
            .collect();
        let listen = listen.join(" ");
        let config = format!(
            "daemon off; worker_processes 1; {user} pid nginx.pid; error_log error.log info;\n\
             events {{ worker_connections 128; }}\n\
             http {{\n\
               log_format test '$request_method $request_uri $status $body_bytes_sent $http_range $http_user_agent';\n\
               access_log access.log test; sendfile on; tcp_nopush on; default_type application/octet-stream;\n\
               client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;\n\
               server {{ {listen} root {folder}; {directives}\n\
                 location = /report {{ client_body_in_file_only on; proxy_pass http://127.0.0.1:$server_port/taken; }}\n\
                 location = /taken {{ return 204; }} }}\n\
             }}\n"
        );
        fs::write(self.dir.path().join("nginx.conf"), config).context("cannot write nginx.conf")
    }

    /// Starts nginx, and waits until it listens.
    pub fn up(&mut self) -> Result<()> {
        // The kernel ends nginx when this thread ends, so that nothing is left behind.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "TERM", "/usr/sbin/nginx", "-e", "error.log", "-c", "nginx.conf", "-p"])
            .arg(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = self.child.insert(command.spawn().context("cannot start nginx; run qemu/provision")?);
        let end = Instant::now() + START;
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if let Some(status) = child.try_wait()? {
                bail!("nginx ended at once ({status}): {}", self.errors());
            }
            if Instant::now() > end {
                bail!(
                    "nginx does not listen on port {} after {} s: {}",
                    self.port,
                    START.as_secs(),
                    self.errors()
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends nginx and keeps the port; [`HttpServer::up`] listens there again.
    pub fn down(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            if let Some(pid) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                rustix::process::kill_process(pid, rustix::process::Signal::TERM)
                    .context("cannot end nginx")?;
            }
            child.wait().context("cannot wait for nginx")?;
        }
        Ok(())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a file, for a guest on the user network.
    pub fn guest_url(&self, file: &str) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{HOST_FROM_GUEST}:{}/{file}", self.port)
    }

    /// The same by IPv6.
    pub fn guest_url_v6(&self, file: &str) -> String {
        format!("http://[{HOST_FROM_GUEST_V6}]:{}/{file}", self.port)
    }

    /// The test CA's certificate (PEM), for a server with TLS.
    pub fn ca(&self) -> Option<&Path> {
        self.tls.as_deref()
    }

    /// The requests so far, oldest first. A request is logged when its answer ends.
    pub fn requests(&self) -> Result<Vec<Request>> {
        match fs::read_to_string(self.dir.path().join("access.log")) {
            Ok(text) => text.lines().map(parse_request).collect(),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error).context("cannot read nginx's access log"),
        }
    }

    /// The bodies that were POSTed to `/report` (of a server without TLS), oldest first.
    pub fn reports(&self) -> Result<Vec<Vec<u8>>> {
        // nginx numbers the files.
        let mut files: Vec<PathBuf> = fs::read_dir(self.dir.path().join("tmp"))
            .context("cannot list the POSTed files")?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        files.iter().map(|path| fs::read(path).context("cannot read a POSTed file")).collect()
    }

    fn errors(&self) -> String {
        fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        // If nginx cannot be ended here, it ends with this process (pdeathsig).
        let _ = self.down();
    }
}

fn parse_request(line: &str) -> Result<Request> {
    let fields: Vec<&str> = line.splitn(6, ' ').collect();
    let [method, uri, status, bytes, range, agent] = fields[..] else {
        bail!("nginx's access log has an unexpected line: {line}");
    };
    Ok(Request {
        method: method.to_owned(),
        uri: uri.to_owned(),
        status: status.parse().with_context(|| format!("no status in {line}"))?,
        bytes: bytes.parse().with_context(|| format!("no byte count in {line}"))?,
        range: range.to_owned(),
        agent: agent.to_owned(),
    })
}

/// Makes ca.pem, server.pem and server.key in `dir`, valid for a day.
fn make_certificates(dir: &Path) -> Result<()> {
    let path = |name: &str| dir.join(name).to_string_lossy().into_owned();
    let (ca, ca_key, pem, key) = (path("ca.pem"), path("ca.key"), path("server.pem"), path("server.key"));
    let new =
        ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
    let mut args = new.to_vec();
    args.extend(["-subj", "/CN=Dayfly test CA", "-keyout", &ca_key, "-out", &ca]);
    args.extend([
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]);
    call("https: make a test CA", "openssl", &args)?;
    let names = "subjectAltName=IP:10.0.2.2,IP:127.0.0.1,DNS:localhost";
    let mut args = new.to_vec();
    args.extend([
        "-subj",
        "/CN=dayfly-test",
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-keyout",
        &key,
        "-out",
        &pem,
        "-addext",
        names,
    ]);
    args.extend(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"]);
    call("https: make a certificate", "openssl", &args)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    fn get(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream
            .write_all(
                format!("{request}\r\nHost: x\r\nConnection: close\r\nUser-Agent: a b\r\n\r\n").as_bytes(),
            )
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn serves_counts_and_goes_down_and_up() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "0123456789").unwrap();
        let mut server = HttpServer::start(folder.path()).unwrap();
        assert!(get(server.port(), "GET /a HTTP/1.1").ends_with("\r\n\r\n0123456789"));
        assert!(get(server.port(), "GET /b?q HTTP/1.1").starts_with("HTTP/1.1 404"));
        assert!(get(server.port(), "GET /a HTTP/1.1\r\nRange: bytes=2-4").ends_with("\r\n\r\n234"));
        server.down().unwrap();
        assert!(TcpStream::connect(("127.0.0.1", server.port())).is_err());
        server.up().unwrap();
        let requests = server.requests().unwrap();
        let seen: Vec<_> =
            requests.iter().map(|r| (r.uri.as_str(), r.status, r.range.as_str(), r.agent.as_str())).collect();
        assert_eq!(
            seen,
            [("/a", 200, "-", "a b"), ("/b?q", 404, "-", "a b"), ("/a", 206, "bytes=2-4", "a b")]
        );
        assert_eq!(requests[0].bytes, 10);
    }

    #[test]
    fn https_is_trusted_by_its_own_ca_only() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "x").unwrap();
        let server = HttpServer::start_tls(folder.path()).unwrap();
        let to = format!("127.0.0.1:{}", server.port());
        let check = |ca: &[&str]| {
            let mut args =
                vec!["s_client", "-connect", &to, "-verify_ip", "10.0.2.2", "-verify_return_error"];
            args.extend(ca);
            call("https: test", "openssl", &args)
        };
        check(&["-CAfile", &server.ca().unwrap().to_string_lossy()]).unwrap();
        assert!(check(&["-no-CAfile", "-no-CApath"]).is_err());
        assert_eq!(server.guest_url("a"), format!("https://10.0.2.2:{}/a", server.port()));
    }
}
