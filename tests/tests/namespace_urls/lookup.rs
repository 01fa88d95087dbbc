//! Names of servers: a real dnsmasq, and name servers that misbehave.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use dayfly_sys::{Cause, Http, SysError};

use crate::namespace::{apart, run, shell};
use crate::servers::{Nginx, body, drip, get, nginx};

/// A name server that answers each question with `answer`.
pub fn fake_name_server(address: &str, answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) {
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
pub fn says(query: &[u8], code: u8) -> Vec<u8> {
    let mut answer = query.to_vec();
    (answer[2], answer[3]) = (0x81, 0x80 | code);
    answer
}

/// Several name servers, each with another behaviour: a real dnsmasq that knows the name, and fakes.
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
        // Answers for IPv4, and fails for anything else.
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
        // An answer with another id.
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
        // dnsmasq may not be ready yet.
        fs::write(&conf, "nameserver 127.0.0.2\n").unwrap();
        let start = Instant::now();
        while kernel.send(&get("http://boot.lan:8080/image", PathBuf::new())).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "dnsmasq does not answer");
        }
        // With an IPv6 route, AAAA is queried as well.
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
                "127.0.0.3: it answered SERVFAIL; 127.0.0.7: it answered FORMERR",
            ),
            ("nameserver 127.0.0.9\n", "127.0.0.9: Connection refused"),
            ("nameserver 127.0.0.5\n", "127.0.0.5: no answer in 1 s"),
            ("nameserver 127.0.0.8\n", "127.0.0.8: no answer in 1 s"),
        ] {
            fs::write(&conf, servers).unwrap();
            let start = Instant::now();
            let error = kernel.send(&get("http://boot.lan:8080/image", PathBuf::new())).unwrap_err();
            println!("{error}");
            assert_eq!(error.cause, Cause::Resolve, "{error}");
            assert!(error.words.contains(words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{servers}: {:?}", start.elapsed());
        }
    });
}

/// A name server that answers over TCP too: `answer` gets each client's question, without the length before it.
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
            // It runs until the client leaves, which may have got another server's answer.
            let _ = serve();
        }
    });
}

/// A truncated answer (TC), because it does not fit into a packet.
fn cut(query: &[u8]) -> Vec<u8> {
    let mut answer = says(query, 0);
    answer[2] |= 2;
    answer
}

/// The loopback address as the answer to an IPv4 question, with the length before it.
fn over_tcp(query: &[u8]) -> Vec<u8> {
    let mut answer = says(query, 0);
    answer[7] = 1;
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 127, 0, 0, 1]);
    [u16::try_from(answer.len()).unwrap().to_be_bytes().to_vec(), answer].concat()
}

/// A real dnsmasq with more addresses for one name than fit into 512 bytes, and fakes that truncate every answer over UDP.
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
        // In pieces; the first one is half of the length.
        fake_name_server_over_tcp("127.0.0.3", |visitor, query| {
            for byte in over_tcp(&query) {
                visitor.write_all(&[byte])?;
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(())
        });
        // An answer to another question.
        fake_name_server_over_tcp("127.0.0.4", |visitor, mut query| {
            query[0] ^= 0xff;
            visitor.write_all(&over_tcp(&query))
        });
        // Truncated over TCP as well.
        fake_name_server_over_tcp("127.0.0.5", |visitor, query| {
            let mut answer = over_tcp(&query);
            answer[4] |= 2;
            visitor.write_all(&answer)
        });
        fake_name_server_over_tcp("127.0.0.6", |visitor, query| visitor.write_all(&over_tcp(&query)[..20]));
        fake_name_server_over_tcp("127.0.0.7", |visitor, _| drip(visitor, "", b"", 50));
        fake_name_server_over_tcp("127.0.0.8", |visitor, _| drip(visitor, "\x7f\x7f", b"x", 50));
        // Connections wait in a queue that is never served.
        let _queue = TcpListener::bind("127.0.0.9:53").unwrap();
        let conf = scratch.join("resolv.conf");
        fs::write(&conf, "nameserver 127.0.0.2\n").unwrap();
        run("mount", &["--bind", conf.to_str().unwrap(), "/etc/resolv.conf"]);
        let fetch = |name: &str| {
            let mut request = get(&format!("http://{name}:8088/image"), PathBuf::new());
            request.limits.connect = Duration::from_secs(2);
            let mut bytes = Vec::new();
            kernel.send(&request)?.body.read_to_end(&mut bytes).unwrap();
            Ok::<_, SysError>(bytes.len())
        };
        // dnsmasq may not be ready yet.
        let start = Instant::now();
        while fetch("one.lan").is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "dnsmasq does not answer");
        }
        assert_eq!(fetch("boot.lan").unwrap(), 1_000_000);
        let log = fs::read_to_string(scratch.join("dnsmasq.log")).unwrap();
        assert!(log.matches("query[A] boot.lan").count() >= 2, "its answer was not truncated: {log}");
        // A server without an answer over TCP does not delay one that has it, or one that needs no TCP.
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
            let words = format!(
                "127.0.0.{last}: its answer does not fit into a packet, and it did not answer over TCP"
            );
            assert!(error.words.contains(&words), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{last}: {:?}", start.elapsed());
        }
    });
}
