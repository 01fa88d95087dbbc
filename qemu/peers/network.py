"""Measures the time from an interface's carrier to the first byte of the HTTP request at the server: Dayfly, busybox udhcpc with wget, and
systemd-networkd, on the same link in network namespaces, round-robin."""

import argparse
import fcntl
import json
import os
import select
import socket
import statistics
import struct
import subprocess
import sys
import time
from pathlib import Path

BUSYBOX = "/usr/bin/busybox"
NETWORKD = "/lib/systemd/systemd-networkd"
WAIT_ONLINE = "/lib/systemd/systemd-networkd-wait-online"
SERVER4, SERVER6 = "10.9.1.1", "fd09:1::1"
# name, systems, IPv6 instead of IPv4, interfaces with carrier and without any server
SCENARIOS = [
    ("IPv4, one interface", ["dayfly", "udhcpc", "networkd"], False, 0),
    ("IPv4, one good interface of three", ["dayfly"], False, 2),
    ("IPv6 only, one interface", ["dayfly", "networkd"], True, 0),
]
# How long a client may take to wait for the carrier, and to send its request after it.
START, LIMIT = 10.0, 30.0
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1


def run(command: str) -> None:
    subprocess.run(["sh", "-euc", command], check=True, stdout=subprocess.DEVNULL)


def set_up(interface: str) -> None:
    """The ioctl, because starting ip(8) takes milliseconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH22x", interface.encode(), 0)
        flags = struct.unpack("16sH22x", fcntl.ioctl(control, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", interface.encode(), flags | IFF_UP))


def is_up(interface: str) -> bool:
    return int(Path(f"/sys/class/net/{interface}/flags").read_text(), 16) & IFF_UP != 0


def make_link(dead: int) -> list[str]:
    """The node's interfaces va, vb …; their ends are ports of switches in the namespace `net`, and still down. Returns the ports, that of
    va last."""
    run("mount --make-rprivate /; mount -t sysfs sys /sys; mount -t tmpfs run /run; mkdir -p /run/netns; ip netns add net; ip link set lo up")
    # the server's interface is a bridge with another port that is always up, as behind a real switch: it is ready before the node
    run(f"""ip netns exec net sh -euc '
        ip link set lo up; echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
        ip link add name lan type bridge; ip link add name spare type veth peer name spare2
        ip link set spare master lan up; ip link set spare2 up; ip link set lan up
        ip address add {SERVER4}/24 dev lan; ip address add {SERVER6}/64 dev lan nodad'""")
    run("ip link add va address 02:00:00:00:00:01 type veth peer name port netns net; ip -n net link set port master lan")
    ports = ["port"]
    for number in range(dead):
        name = f"v{chr(ord('b') + number)}"
        run(f"ip link add {name} address 02:00:00:00:00:1{number} type veth peer name dead{number} netns net")
        ports.insert(0, f"dead{number}")
    return ports


def serve(v6: bool, folder: Path) -> None:
    addresses = "--dhcp-range=fd09:1::,ra-only --enable-ra" if v6 else "--dhcp-range=10.9.1.50,10.9.1.60,255.255.255.0,1h"
    log = folder / "dnsmasq.log"
    with log.open("w") as file:
        subprocess.Popen(
            ["ip", "netns", "exec", "net", "/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--interface=lan",
             "--user=root", "--no-ping", "--dhcp-authoritative", "--log-facility=-", "--pid-file", f"--dhcp-leasefile={folder}/leases",
             *addresses.split()], stderr=file)
    deadline = time.monotonic() + START
    while "IP range" not in log.read_text() and "router advertisement" not in log.read_text():
        if time.monotonic() > deadline:
            sys.exit(f"dnsmasq is not ready: {log.read_text()}")
        time.sleep(0.02)


def start_web_server(ports: list[str]) -> subprocess.Popen:
    """A process in the namespace `net`: at a line on its standard input it raises the carriers; it prints the milliseconds until the
    first byte of a request."""
    child = subprocess.Popen(
        ["ip", "netns", "exec", "net", sys.executable, "-B", __file__, "--serve", ",".join(ports)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    child.stdout.readline()  # it listens
    return child


def as_server(ports: list[str]) -> None:
    with socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True) as listening:
        print("listens", flush=True)
        if not sys.stdin.readline():
            return
        for port in ports[:-1]:
            set_up(port)
        started = time.monotonic_ns()
        set_up(ports[-1])
        while True:
            connection, _ = listening.accept()
            ready, _, _ = select.select([connection], [], [], LIMIT)
            if ready and connection.recv(1):
                print((time.monotonic_ns() - started) / 1e6, flush=True)
                return


def enter_root(folder: Path) -> Path:
    """A copy of the machine's root, with all writes in memory."""
    run(f"""cd {folder}; mkdir u w root; mount -t overlay -o lowerdir=/,upperdir=u,workdir=w root root
        mount --rbind /dev root/dev; touch console kmsg; for file in console kmsg; do mount --bind $file root/dev/$file; done
        mount -t proc proc root/proc; mount -t sysfs -o ro sys root/sys; mount -t tmpfs run root/run
        mkdir -p root/run/dayfly root/run/systemd/network root/sysroot root/lib/modules/$(uname -r); cd root/lib/modules/$(uname -r)
        touch modules.dep modules.alias modules.softdep; for name in squashfs overlay loop af_packet; do echo kernel/$name.ko; done >modules.builtin""")
    return folder / "root"


def client(system: str, init: str, v6: bool, root: Path) -> str:
    """The client's shell command in the new root. Each waits for the carrier itself, as in its own initramfs."""
    url = f"http://[{SERVER6}]/os.squashfs" if v6 else f"http://{SERVER4}/os.squashfs"
    wget = f"{BUSYBOX} wget -q -O /dev/null {url}"
    if system == "dayfly":
        (root / "run/dayfly/cmdline").write_text(f"root=live:{url} dayfly.config.device=none{'' if v6 else ' ip=dhcp'}")
        (root / "run/init").write_bytes(Path(init).read_bytes())
        (root / "run/init").chmod(0o755)
        return "/run/init dracut"
    if system == "udhcpc":
        script = root / "run/udhcpc.script"
        script.write_text('#!/bin/sh\n[ "$1" = bound ] || exit 0\nip address add $ip/$mask dev $interface\n[ -z "$router" ] || ip route add default via $router\n')
        script.chmod(0o755)
        carrier = f"{BUSYBOX} ip link set va up; until [ \"$(cat /sys/class/net/va/carrier)\" = 1 ]; do {BUSYBOX} usleep 10000; done"
        return f"{carrier}; {BUSYBOX} udhcpc -q -n -i va -s /run/udhcpc.script; {wget}"
    family = "IPv6AcceptRA=yes" if v6 else "DHCP=ipv4\nIPv6AcceptRA=no\nLinkLocalAddressing=no"
    (root / "run/systemd/network/va.network").write_text(f"[Match]\nName=va\n[Network]\n{family}\n")
    return f"{NETWORKD} & sleep 1; {WAIT_ONLINE} -i va:routable {'-6' if v6 else '-4'} --timeout=60; {wget}"


def as_one_run(system: str, v6: bool, dead: int, init: str) -> None:
    """In namespaces of its own, which end with this process."""
    folder = Path("/tmp/bench-network")
    folder.mkdir(exist_ok=True)
    run(f"mount --make-rprivate /; mount -t tmpfs scratch {folder}")
    ports = make_link(dead)
    serve(v6, folder)
    web_server = start_web_server(ports)
    root = enter_root(folder)
    command = client(system, init, v6, root)
    with (folder / "client.log").open("w") as log:
        subprocess.Popen(["chroot", str(root), "/bin/sh", "-c", command], stdout=log, stderr=log)
    deadline = time.monotonic() + START
    while not is_up("va") and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(1.5)  # it waits for the carrier by now
    web_server.stdin.write(b"\n")
    web_server.stdin.flush()
    ready, _, _ = select.select([web_server.stdout], [], [], LIMIT)
    if not ready:
        boot_log = root / "run/dayfly/boot.log"
        sys.exit(f"{system}: no request within {LIMIT:.0f} s: {(folder / 'client.log').read_text()}{boot_log.read_text() if boot_log.exists() else ''}")
    print(web_server.stdout.readline().decode().strip())


def measure(system: str, v6: bool, dead: int, init: str) -> float:
    own = [sys.executable, "-B", __file__, "--init", init, "--run", f"{system},{int(v6)},{dead}"]
    done = subprocess.run(["unshare", "-m", "-n", "-u", "-p", "-f", "--kill-child", "--mount-proc", *own], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"bench-network: {system} failed")
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(prog="qemu/bench-network", description=__doc__)
    parser.add_argument("--init", required=True, metavar="FILE", help="the init, a release build")
    parser.add_argument("--runs", type=int, default=10, metavar="N", help="runs of every system (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all runs in milliseconds to FILE")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        system, v6, dead = options.run.split(",")
        return as_one_run(system, v6 == "1", int(dead), options.init)
    results = {}
    for number in range(options.runs):
        for name, systems, v6, dead in SCENARIOS:
            for system in systems:
                results.setdefault((name, system), []).append(measure(system, v6, dead, options.init))
        print(f"bench-network: round {number + 1} of {options.runs}, load {os.getloadavg()[0]:.2f}", file=sys.stderr)
    print(f"{'milliseconds from carrier to request':40} {'system':10} {'median':>8} {'least':>8} {'most':>8}")
    for (name, system), times in results.items():
        print(f"{name:40} {system:10} {statistics.median(times):8.0f} {min(times):8.0f} {max(times):8.0f}")
    if options.json:
        options.json.write_text(json.dumps([{"scenario": name, "system": system, "ms": times} for (name, system), times in results.items()], indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        as_server(sys.argv[2].split(","))
    else:
        main()
