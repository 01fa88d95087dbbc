"""The files that the benchmark boots: built once by the recipes, kept in the cache under the hash of all their inputs.

A recipe is a program in recipes/ that writes one file. Its key is the SHA-256 of the recipe's text, its arguments,
the mirror, and the content of every file that goes in; a changed recipe or kernel makes a new artifact, an unchanged
one costs nothing. A build happens in a scratch directory and is renamed into place, so that a broken-off build is never
taken for a finished one.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PEERS = Path(__file__).resolve().parent
REPOSITORY = PEERS.parent.parent
CACHE = Path(os.environ.get("DAYFLY_CACHE") or Path.home() / ".cache/dayfly") / "bench"
TARGET = "x86_64-unknown-linux-musl"


class BuildError(Exception):
    """A recipe or a build failed; the text names it and has the end of its output."""


@dataclass(frozen=True)
class Kernel:
    """The kernel that every system boots: its release name and its bzImage."""

    release: str
    image: Path


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def find_kernel(release: str | None) -> Kernel:
    """The named kernel, else the newest installed one that has both an image and modules."""
    candidates = [release] if release else sorted(
        (path.name for path in Path("/lib/modules").iterdir()),
        key=lambda name: [int(part) if part.isdigit() else 0 for part in name.replace("-", ".").split(".")],
        reverse=True,
    )
    for name in candidates:
        image = Path("/boot") / f"vmlinuz-{name}"
        if image.is_file() and (Path("/lib/modules") / name / "modules.dep").is_file():
            return Kernel(name, image)
    raise BuildError(
        f"no kernel found: tried {', '.join(candidates) or 'nothing'}; expected /boot/vmlinuz-<release> and "
        "/lib/modules/<release>/modules.dep (Debian: apt-get install linux-image-amd64)"
    )


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_logged(command: list, log: Path, **options) -> None:
    """Runs a command with its output in `log`; raises BuildError with the end of the log if it fails."""
    with log.open("wb") as output:
        status = subprocess.run([str(word) for word in command], stdout=output, stderr=subprocess.STDOUT, **options)
    if status.returncode != 0:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise BuildError(f"{Path(str(command[0])).name} ended with status {status.returncode}; the end of {log}:\n{tail}")


def build(name: str, inputs: list[Path], command) -> Path:
    """The artifact `name` from the cache; builds it first if it is missing.

    `inputs` are the files whose content decides the key; `command(output)` gives the command line that writes `output`,
    and is part of the key as well.
    """
    key = hashlib.sha256()
    # a path counts by its file name, so that the locations of the checkout and the cache do not matter
    words = [word.name if isinstance(word, Path) else str(word) for word in command(Path("output"))]
    for part in [*words, os.environ.get("DAYFLY_MIRROR", ""), *map(file_sha256, inputs)]:
        key.update(part.encode() + b"\0")
    folder = CACHE / f"{name}-{key.hexdigest()[:16]}"
    artifact = folder / name
    if artifact.is_file():
        return artifact

    CACHE.mkdir(parents=True, exist_ok=True)
    log = CACHE / f"{name}.log"
    say(f"bench: building {name} (log: {log})")
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=CACHE) as scratch:
        finished = Path(scratch) / "finished"
        finished.mkdir()
        work = Path(scratch) / "work"
        work.mkdir()
        run_logged(command(finished / name), log, cwd=work)
        # remove the artifacts of older recipes and kernels
        for stale in CACHE.glob(f"{name}-" + "[0-9a-f]" * 16):
            shutil.rmtree(stale)
        finished.rename(folder)
    say(f"bench: built {name}, {artifact.stat().st_size / 1e6:.1f} MB in {time.monotonic() - start:.0f} s")
    return artifact


def build_recipe(name: str, *arguments, inputs: list[Path]) -> Path:
    recipe = PEERS / "recipes" / name
    return build(name, [recipe, *inputs], lambda output: [recipe, *arguments, output])


def build_stamp() -> Path:
    source = PEERS / "stamp.c"
    return build("stamp", [source], lambda output: ["gcc", "-O2", "-static", "-s", "-o", output, source])


def kernel_files(kernel: Kernel) -> list[Path]:
    return [kernel.image, Path("/lib/modules") / kernel.release / "modules.dep"]


def build_image(kernel: Kernel) -> Path:
    """The squashfs that every system fetches, about 99 MB."""
    stamp = build_stamp()
    return build_recipe("os-image", kernel.release, stamp, inputs=[stamp, *kernel_files(kernel)])


def build_initramfs(system: str, kernel: Kernel) -> Path:
    """The initramfs of one of the systems."""
    if system in ("dayfly", "dayfly-unchecked"):
        return build_dayfly(kernel)
    if system == "bare":
        stamp = build_stamp()
        return build_recipe("bare", stamp, inputs=[stamp])
    return build_recipe(system, kernel.release, inputs=kernel_files(kernel))


@cache
def build_dayfly(kernel: Kernel) -> Path:
    """Dayfly's initramfs as a user builds it: release builds, `dayfly initramfs --profile virtio`. Cargo and the tool are
    quick if nothing has changed, so this runs each time and is never stale."""
    CACHE.mkdir(parents=True, exist_ok=True)
    say("bench: cargo build --release of the init and the tool")
    cargo = ["cargo", "build", "--release", "--locked", "--quiet"]
    subprocess.run([*cargo, "-p", "dayfly-init", "--target", TARGET], cwd=REPOSITORY, check=True)
    subprocess.run([*cargo, "-p", "dayfly-tools"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR") or REPOSITORY / "target")
    output = CACHE / "dayfly.cpio"
    run_logged(
        [target / "release/dayfly", "initramfs", "--init", target / TARGET / "release/dayfly-init",
         "--kernel", kernel.release, "--profile", "virtio", "--output", output],
        CACHE / "dayfly.log", cwd=REPOSITORY,
    )
    return output
