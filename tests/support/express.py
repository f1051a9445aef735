"""A server of Node.js whose limit is express-rate-limit's, on a free port of 127.0.0.1.

    with Express("draft-8", 300, 6000) as server:
        ...server.url...
        server.stop()
        server.requests()  # what it answered, and when
"""

import subprocess
import tempfile
from typing import NamedTuple

import node

PATIENCE = 20  # seconds after which anything is taken to hang


class Request(NamedTuple):
    status: int
    time_s: float


class Express:
    """headers: draft-6, draft-7, draft-8 or legacy. limit: requests per window_ms."""

    def __init__(self, headers, limit, window_ms):
        self.headers, self.limit, self.window_ms = headers, limit, window_ms
        self.process = None

    def __enter__(self):
        folder = node.install("express")
        self.log = tempfile.NamedTemporaryFile("r", prefix="express-", encoding="utf-8")
        command = ["node", "server.js", self.headers, str(self.limit), str(self.window_ms)]
        self.process = subprocess.Popen(
            [*command, self.log.name], cwd=folder, stdout=subprocess.PIPE, encoding="utf-8"
        )
        self.port = int(self.process.stdout.readline() or 0)
        if self.port == 0:
            self.__exit__()
            raise AssertionError("the server does not start")
        return self

    def __exit__(self, *_):
        self.stop()
        self.log.close()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.communicate(timeout=PATIENCE)
        self.process = None

    def requests(self):
        lines = [line.split() for line in self.log if line.endswith("\n")]
        return [Request(int(status), float(time_s)) for status, time_s in lines]
