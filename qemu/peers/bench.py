"""Boots the same kernel, image, link and VM with the initramfs of several systems, round-robin, and compares them."""

import argparse
import json
import signal
import sys
from pathlib import Path

import report
from artifacts import CACHE, BuildError, Kernel, build_image, build_initramfs, file_sha256, find_kernel, say
from link import LINKS, SERVER, Link, LinkError
from machine import ALWAYS, MACHINE, MEMORY_MIB, Boot, Machine, boot
from webserver import WebServer

SYSTEMS = ["bare", "dayfly", "dayfly-unchecked", "live-boot", "dracut"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="qemu/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="The measured time is CLOCK_BOOTTIME at the exec of the OS image's init. Console logs are kept in " + str(CACHE / "console") + ".",
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="boots of every system by the clock (default 3)")
    parser.add_argument("--icount-rounds", type=int, default=1, metavar="N", help="boots counted in instructions (default 1)")
    parser.add_argument("--vcpus", type=int, default=2, metavar="N", help="virtual CPUs of the boots by the clock (default 2); with -icount QEMU supports one")
    parser.add_argument("--link", choices=LINKS, default=LINKS[0], help="tap: like a hypervisor's network, in a network namespace (default); user: QEMU's user network")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every run and the medians to FILE")
    parser.add_argument("--systems", default=",".join(SYSTEMS), metavar="LIST", help="a subset of " + ",".join(SYSTEMS))
    parser.add_argument("--kernel", metavar="RELEASE", help="kernel release (default: the newest that is installed)")
    parser.add_argument("--deadline", type=float, default=300, metavar="S", help="host seconds for one boot (default 300)")
    parser.add_argument("--full", action="store_true", help="boot to the login prompt instead of stopping at exec")
    parser.add_argument("--append", default="", metavar="ARGS", help="more kernel arguments for every system")
    parser.add_argument("--build-only", action="store_true", help="build the files to boot, then stop")
    options = parser.parse_args()
    options.systems = options.systems.split(",")
    if unknown := set(options.systems) - set(SYSTEMS):
        parser.error(f"--systems: unknown {', '.join(sorted(unknown))}; there are {', '.join(SYSTEMS)}")
    if options.vcpus < 1:
        parser.error("--vcpus takes a number from 1")
    if options.rounds < 0 or options.icount_rounds < 0:
        parser.error("--rounds and --icount-rounds take a number that is not negative")
    return options


def kernel_arguments(system: str, port: int, image_hash: str) -> str:
    url = f"http://{SERVER}:{port}/os.squashfs"
    return {
        "bare": "",
        "dayfly": f"root=live:{url} ip=dhcp rd.neednet=1 dayfly.image.sha256={image_hash}",
        # like the other systems: the difference to `dayfly` is the cost of the hash
        "dayfly-unchecked": f"root=live:{url} ip=dhcp rd.neednet=1",
        "live-boot": f"boot=live fetch={url}",
        "dracut": f"root=live:{url} rd.live.overlay.overlayfs=1 ip=dhcp rd.neednet=1",
    }[system]


def measure(options: argparse.Namespace, kernel: Kernel, initramfs: dict[str, Path], image: Path, link: Link, icount: bool) -> list[Boot]:
    """All rounds in one mode. Systems take turns inside a round, so that a slow period of the host affects all of them."""
    boots = []
    image_hash = file_sha256(image)  # which also warms the page cache
    consoles = CACHE / "console"
    consoles.mkdir(exist_ok=True)
    with WebServer(image, link.listen) as server:
        for number in range(1, (options.icount_rounds if icount else options.rounds) + 1):
            for system in options.systems:
                wire = None if system == "bare" else link
                append = f"{kernel_arguments(system, server.port, image_hash)} {options.append}".strip()
                machine = Machine(kernel.image, initramfs[system], append, wire, 1 if icount else options.vcpus, icount)
                result = Boot(system, number)
                position = server.log_position()
                boot(machine, result, consoles / f"{system}-{'icount' if icount else 'clock'}-{number}.log", options.deadline, options.full)
                if wire:
                    result.requests = server.served_since(position)
                    result.bytes_fetched = sum(request["body_bytes"] for request in result.requests)
                    result.image_bytes = image.stat().st_size
                boots.append(result)
                say(("icount " if icount else "") + report.one_line(result))
    return boots


def as_json(options: argparse.Namespace, kernel: Kernel, clock: list[Boot], icount: list[Boot]) -> dict:
    """`runs` by the clock, `icount_runs` by instructions; the fields of a run are those of `machine.Boot`."""
    def figures(boots: list[Boot]) -> dict:
        return {"median_exec_s": report.medians(boots, "exec_s"), "ratio_dayfly_to": report.ratios(boots), "ratio_dayfly_unchecked_to": report.ratios(boots, report.UNCHECKED)}

    return {
        "version": 1,
        "kernel": kernel.release,
        "machine": {"type": MACHINE, "memory_mib": MEMORY_MIB, "accelerator": "tcg", "vcpus": options.vcpus, "link": options.link, "append": f"{ALWAYS} {options.append}".strip()},
        "budget_dayfly_to": report.BUDGETS,
        "clock": figures(clock),
        "icount": figures(icount),
        "runs": [result.as_json() for result in clock],
        "icount_runs": [result.as_json() for result in icount],
    }


def main() -> int:
    options = arguments()
    # raise an exception, so that the VM and the web server are ended
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        kernel = find_kernel(options.kernel)
        image = build_image(kernel)
        initramfs = {system: build_initramfs(system, kernel) for system in options.systems}
    except BuildError as error:
        say(f"bench: {error}")
        return 1
    if options.build_only:
        for name, path in {"image": image, **initramfs}.items():
            say(f"bench: {name}: {path}, {path.stat().st_size / 1e6:.1f} MB")
        return 0

    say(f"bench: kernel {kernel.release}, image {image.stat().st_size / 1e6:.1f} MB, {options.vcpus} vCPUs, link {options.link}, "
        f"{options.rounds} rounds by the clock and {options.icount_rounds} by instructions of {', '.join(options.systems)}")
    try:
        with Link(options.link) as link:
            clock = measure(options, kernel, initramfs, image, link, icount=False)
            icount = measure(options, kernel, initramfs, image, link, icount=True)
    except LinkError as error:
        say(f"bench: {error}")
        return 1
    print(report.summary(clock, icount))
    if options.json:
        options.json.write_text(json.dumps(as_json(options, kernel, clock, icount), indent=1) + "\n")
    failed = [result for result in clock + icount if result.outcome != "ok"]
    for result in failed:
        say(f"bench: {result.system} round {result.round}: {result.outcome}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
