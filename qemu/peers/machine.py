"""One boot of one system in QEMU, up to the stamp that its OS image prints in place of systemd."""

import os
import re
import select
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from link import Link

MACHINE = "q35"
MEMORY_MIB = 2048
# The last two avoid artefacts of emulation: address randomisation costs TCG its translated blocks, and a guest that
# was starved of CPU time panics with "IO-APIC + timer doesn't work".
ALWAYS = "console=ttyS0 quiet norandmaps no_timer_check"
STAMP = re.compile(r"DAYFLY-BENCH exec_s=([\d.]+) idle_s=([-\d.]+) mem_total_kib=(-?\d+) mem_available_kib=(-?\d+)")
LOST = re.compile(r"Kernel panic|Attempted to kill init|BOOT FAILED|\(initramfs\)|emergency mode|Refusing to continue|Press Enter for maintenance")
NICE = -5


@dataclass
class Boot:
    """The results of one boot. Seconds of the guest are CLOCK_BOOTTIME since kernel start; those of the host count from QEMU's start."""

    system: str
    round: int
    outcome: str = "timeout"
    exec_s: float | None = None
    busy_s: float | None = None
    wall_s: float | None = None
    qemu_cpu_s: float | None = None
    vcpu_s: float | None = None
    login_s: float | None = None
    mem_total_kib: int | None = None
    mem_available_kib: int | None = None
    host_rss_kib: int | None = None
    initramfs_bytes: int | None = None
    image_bytes: int | None = None
    bytes_fetched: int | None = None
    requests: list | None = None
    load_average: float | None = None

    def as_json(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class Machine:
    """The virtual machine: the same for every system except for initramfs, arguments and whether it has a link."""

    kernel: Path
    initramfs: Path
    append: str
    link: Link | None
    vcpus: int
    icount: bool = False

    def command(self) -> list[str]:
        # Under icount one instruction is one virtual nanosecond and idle time is skipped; it needs a single thread.
        clock = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"] if self.icount else ["-accel", "tcg,thread=multi"]
        # New enough for the distributions' builds, without the wide vectors that are slow under TCG.
        machine = [
            "qemu-system-x86_64", *clock, "-cpu", "qemu64,+rdrand", "-smp", str(self.vcpus), "-m", str(MEMORY_MIB),
            # QEMU's RssShmem counts RAM in a shared memfd separately
            "-object", f"memory-backend-memfd,id=ram,size={MEMORY_MIB}M,share=on", "-machine", f"{MACHINE},memory-backend=ram",
            "-kernel", str(self.kernel), "-initrd", str(self.initramfs), "-append", f"{ALWAYS} {self.append}".strip(),
            "-name", "dayfly-bench,debug-threads=on", "-nodefaults", "-no-reboot", "-display", "none", "-vga", "none", "-monitor", "none", "-serial", "stdio",
            "-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy",
        ]
        return machine + (self.link.qemu_arguments() if self.link else [])


def own_group() -> None:
    """In the child, before QEMU: where the kernel groups by session (autogroup), nice counts only inside a session, so
    QEMU gets its own session and group weight. Otherwise a busy session starves the guest."""
    os.nice(NICE)
    os.setsid()
    try:
        Path("/proc/self/autogroup").write_text(str(NICE))
    except OSError:
        pass  # a kernel without autogroup: the nice value alone counts


def read_cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def read_vcpu_seconds(pid: int) -> float | None:
    """The CPU time of the threads that run the guest, to the nanosecond (proc(5), /proc/pid/task/tid/schedstat)."""
    threads = [thread for thread in Path(f"/proc/{pid}/task").iterdir() if (thread / "comm").read_text().rstrip().endswith("/TCG")]
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9 if threads else None


def read_ram_kib(pid: int) -> int | None:
    found = re.search(r"RssShmem:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) if found else None


def boot(machine: Machine, result: Boot, console: Path, deadline_s: float, full: bool) -> None:
    """Boots until the stamp (with `full`: until the login prompt), fills in `result`, ends the VM. `console` gets all
    lines of the serial console with the host's seconds before them."""
    for path in (machine.kernel, machine.initramfs):
        path.read_bytes()  # warm, so that the host's disk is not measured
    result.initramfs_bytes = machine.initramfs.stat().st_size
    result.load_average = os.getloadavg()[0]
    start = time.monotonic()
    qemu = subprocess.Popen(machine.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, preexec_fn=own_group)
    try:
        with console.open("w") as log:
            follow(qemu, result, start, deadline_s, full, log)
    finally:
        qemu.kill()
        qemu.wait()


def follow(qemu: subprocess.Popen, result: Boot, start: float, deadline_s: float, full: bool, log) -> None:
    pending = b""
    while (now := time.monotonic() - start) < deadline_s:
        if not select.select([qemu.stdout], [], [], min(1.0, deadline_s - now))[0]:
            continue
        chunk = os.read(qemu.stdout.fileno(), 65536)
        now = time.monotonic() - start
        if not chunk:
            result.outcome = f"QEMU ended with status {qemu.wait()}"
            return
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            text = line.decode("utf8", "replace").strip("\r")
            print(f"{now:9.3f} {text}", file=log, flush=True)
            if (stamp := STAMP.search(text)) and result.exec_s is None:
                take_stamp(result, stamp, qemu.pid, now)
                if not full:
                    return
            elif LOST.search(text) and result.exec_s is None:
                result.outcome = f"boot failed: {text.strip()[:120]}"
                return
        if b"login:" in pending and result.exec_s is not None:
            print(f"{now:9.3f} {pending.decode('utf8', 'replace')}", file=log)
            result.login_s = round(now, 3)
            return
    print(f"{deadline_s:9.3f} {pending.decode('utf8', 'replace')}", file=log)
    if full and result.exec_s is not None:
        result.outcome = "no login prompt"


def take_stamp(result: Boot, stamp: re.Match, pid: int, now: float) -> None:
    result.outcome = "ok"
    result.exec_s = float(stamp[1])
    result.busy_s = round(float(stamp[1]) - float(stamp[2]), 2)
    result.mem_total_kib, result.mem_available_kib = int(stamp[3]), int(stamp[4])
    result.wall_s = round(now, 3)
    result.vcpu_s = read_vcpu_seconds(pid)
    result.qemu_cpu_s = read_cpu_seconds(pid)
    result.host_rss_kib = read_ram_kib(pid)
