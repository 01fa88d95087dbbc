"""A real nginx that serves the image to the guests, on a free port of the link."""

import json
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path

CONFIGURATION = """\
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
    default_type application/octet-stream;
    sendfile on;
    # one line per request, written when its last byte has been sent
    log_format served escape=json '{{"request":"$request","status":$status,"body_bytes":$body_bytes_sent,"agent":"$http_user_agent"}}';
    access_log {folder}/access.log served;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {address}:{port};
        location = /os.squashfs {{ alias {image}; }}
    }}
}}
"""


def free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class WebServer:
    """Serves `image` as /os.squashfs on one address while the `with` block runs."""

    def __init__(self, image: Path, address: str):
        self.image = image
        self.address = address
        self.port = free_port(address)

    def __enter__(self) -> "WebServer":
        self._folder = tempfile.TemporaryDirectory(prefix="dayfly-bench-nginx-")
        folder = Path(self._folder.name)
        self._log = folder / "access.log"
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, address=self.address, port=self.port, image=self.image))
        self._process = subprocess.Popen(["/usr/sbin/nginx", "-e", folder / "error.log", "-c", folder / "nginx.conf"])
        for _ in range(100):
            if self._process.poll() is not None:
                raise RuntimeError(f"nginx ended with status {self._process.returncode}: {(folder / 'error.log').read_text()}")
            try:
                socket.create_connection((self.address, self.port), 1).close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.05)
        self.__exit__()
        raise RuntimeError(f"nginx does not listen on {self.address}:{self.port} after 5 s")

    def __exit__(self, *_) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._folder.cleanup()

    def log_position(self) -> int:
        """The current end of the log, for `served_since`."""
        return self._log.stat().st_size

    def served_since(self, position: int) -> list[dict]:
        """The requests logged since that position: request line, status, bytes of the body, user agent."""
        with self._log.open(encoding="utf8") as log:
            log.seek(position)
            return [json.loads(line) for line in log if re.match(r"\{.*\}$", line)]
