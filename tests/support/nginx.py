"""A private nginx on a free port of 127.0.0.1, for tests and benchmarks.

    with Nginx("location / { return 200 ok; }") as server:
        ...server.url...
        server.stop()
        server.requests()  # its access log; afterwards all is gone
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from typing import NamedTuple

PATIENCE = 20  # seconds after which anything is taken to hang
STARTS = 5  # somebody else may take the free port before nginx does
READY = "ready"

# One process: nothing is left over, however it is ended. A request is logged when its connection
# is closed, so that does not linger: else some would not be logged at a stop.
CONFIG = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log error.log notice;
{user}
events {{ worker_connections 8192; }}
http {{
    default_type application/json;
    lingering_close off;
    client_body_buffer_size 64k;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    log_format facts '$status $request $connection $msec';
    access_log access.log facts;
    {http}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        root files;
        {server}
    }}
}}
"""


class Request(NamedTuple):
    """A line of the access log."""

    status: int
    method: str
    uri: str
    connection: int  # a number per connection
    time_s: float  # when it was done
    protocol: str  # "HTTP/1.1"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what):
    """Polls until condition() is true, and returns what it returned."""
    give_up = time.monotonic() + PATIENCE
    while not (result := condition()):
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {PATIENCE} s in vain until {what}")
        time.sleep(0.005)
    return result


class Nginx:
    """server: what stands in its server block. http: what stands before that. files: name ->
    text, what it serves. As a context it runs until the end or until it is stopped."""

    def __init__(self, server, http="", files=None):
        self.server, self.http, self.files = server, http, files or {}
        self.folder = None
        self.process = None
        self.port = 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        """Anew, and on the same port as the last time, if there was one."""
        self.stop()
        for _ in range(1 if self.port else STARTS):
            port = self.port or free_port()
            self._launch(port)
            if wait_until(lambda: self._is_ready() or self._has_ended(), "nginx listens") == READY:
                self.port = port
                return
        raise AssertionError(f"nginx does not start:\n{self.errors()}")

    def stop(self, how=signal.SIGTERM):
        """TERM cuts off what is under way, QUIT lets it finish. It may have stopped already."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="nginx-")
        try:
            os.mkdir(self.path("files"))
            for name, text in self.files.items():
                with open(self.path("files", name), "w", encoding="utf-8") as file:
                    file.write(text)
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)

    def requests(self):
        """The access log so far. A request is logged when its answer has left, so only that of a
        server that was stopped is complete."""
        with open(self.path("access.log"), encoding="utf-8") as log:
            lines = [line.split() for line in log if line.endswith("\n")]
        return [Request(int(w[0]), w[1], w[2], int(w[4]), float(w[5]), w[3]) for w in lines]

    def errors(self):
        """What it said: its error log, and before it could open that, stderr."""
        said = ""
        for name in ("output", "error.log"):
            if os.path.exists(self.path(name)):
                with open(self.path(name), encoding="utf-8") as log:
                    said += log.read()
        return said

    def _launch(self, port):
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
        if program is None:
            raise AssertionError("nginx is not installed (Debian: apt-get install nginx-light)")
        # As root it would work as another user, who may not read this folder.
        user = "user root;" if os.geteuid() == 0 else ""
        with open(self.path("nginx.conf"), "w", encoding="utf-8") as config:
            config.write(CONFIG.format(user=user, port=port, http=self.http, server=self.server))
        command = [program, "-p", self.folder, "-e", "error.log", "-c", "nginx.conf"]
        with open(self.path("output"), "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output)

    def _has_ended(self):
        return self.process.poll() is not None

    def _is_ready(self):
        """It writes its number when it listens."""
        try:
            with open(self.path("nginx.pid"), encoding="utf-8") as file:
                return file.read() == f"{self.process.pid}\n" and READY
        except FileNotFoundError:
            return False
