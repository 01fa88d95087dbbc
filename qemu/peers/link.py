"""The link between the guests and the server: a network namespace with a tap device, or QEMU's user network."""

import ctypes
import os
import subprocess
import tempfile
import time
from pathlib import Path

LINKS = ["tap", "user"]
# The same for both kinds, so that all arguments of the guests are too.
SERVER = "10.0.2.2"
GUEST = "10.0.2.15"
MAC = "52:54:00:12:34:56"
TAP = "bench"
CLONE_NEWNET = 0x40000000  # unshare(2); Python has it from 3.12 on


class LinkError(Exception):
    pass


class Link:
    """`tap` moves this process, and all that it starts from then on, permanently into a new network namespace."""

    def __init__(self, kind: str):
        self.kind = kind
        # QEMU's user network forwards connections to SERVER to the host's loopback
        self.listen = SERVER if kind == "tap" else "127.0.0.1"
        self._dnsmasq = None
        self._folder = None

    def __enter__(self) -> "Link":
        if self.kind == "tap":
            try:
                make_tap()
                self._serve_dhcp()
            except BaseException:
                self.__exit__()
                raise
        return self

    def __exit__(self, *_) -> None:
        if self._dnsmasq:
            self._dnsmasq.terminate()
            self._dnsmasq.wait(10)
        if self._folder:
            self._folder.cleanup()

    def qemu_arguments(self) -> list[str]:
        wire = "user,id=net" if self.kind == "user" else f"tap,id=net,ifname={TAP},script=no,downscript=no"
        return ["-netdev", wire, "-device", f"virtio-net-pci,netdev=net,mac={MAC},romfile="]

    def _serve_dhcp(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="dayfly-bench-dnsmasq-")
        folder = Path(self._folder.name)
        log = folder / "log"
        # answers as quickly as QEMU's: no ping for the address, no wait for another server
        self._dnsmasq = subprocess.Popen(
            ["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--port=0", "--no-ping", "--dhcp-authoritative",
             f"--log-facility={log}", f"--interface={TAP}", "--bind-interfaces", f"--dhcp-range={GUEST},{GUEST},255.255.255.0,1h",
             f"--dhcp-host={MAC},{GUEST}", f"--dhcp-option=option:dns-server,{SERVER}",
             f"--dhcp-leasefile={folder}/leases", f"--pid-file={folder}/pid"],
        )
        for _ in range(100):
            if self._dnsmasq.poll() is not None:
                raise LinkError(f"dnsmasq ended with status {self._dnsmasq.returncode}: {log.read_text() if log.exists() else ''}")
            if log.exists() and "DHCP, IP range" in log.read_text():
                return
            time.sleep(0.05)
        raise LinkError(f"dnsmasq is not ready after 5 s: {log.read_text() if log.exists() else ''}")


def make_tap() -> None:
    """Moves to a new network namespace, where the device and its address conflict with no others."""
    if not Path("/dev/net/tun").exists():
        raise LinkError("there is no /dev/net/tun: load the module tun, or measure on QEMU's user network with --link user")
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        raise LinkError(f"cannot make a network namespace: {os.strerror(ctypes.get_errno())}")
    for command in ["link set lo up", f"tuntap add {TAP} mode tap", f"address add {SERVER}/24 dev {TAP}", f"link set {TAP} up"]:
        done = subprocess.run(["ip", *command.split()], stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise LinkError(f"ip {command}: {done.stderr.strip()}")
