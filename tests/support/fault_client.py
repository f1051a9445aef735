"""A client that is ordered about (tests/integration/fault_client.c), and what tests with it share.

    client = self.client(base_url=server.url, attempts=3)
    client.do("send", url="/x", method="POST", body=100)
    client.wait_until(lambda: len(server.requests) == 1, "the request is there")
    client.do("cancel")
    [result] = client.join()
"""

import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

import compiler
from listening import Listener
from nginx import wait_until

PATIENCE = 40  # seconds after which a client is taken to hang
SOURCES = ("fault_client.c", "fault_resolver.c")
NEVER, MAYBE, ANSWERED = range(3)  # enum weir_sent

WEIR = os.environ["WEIR"]


def is_sanitized():
    with open(WEIR, "rb") as program:
        content = program.read()
    return b"__asan_init" in content or b"__tsan_init" in content


class Client:
    def __init__(self, program, environment, settings):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env={**os.environ, **environment},
        )
        self.open_files = self.files()
        self.settings = settings

    def do(self, command, **settings):
        """Its answer."""
        words = [f"{name}={value}" for name, value in settings.items() if value is not None]
        self.process.stdin.write(" ".join([command, *words, "\n"]).encode())
        self.process.stdin.flush()
        alarm = threading.Timer(PATIENCE, self.process.kill)
        alarm.start()
        line = self.process.stdout.readline()
        alarm.cancel()
        if not line:
            self.process.wait()
            raise AssertionError(f"{command}: {self.process.returncode}\n{self.said()}")
        answer = json.loads(line)
        if answer.get("ok") is False:
            raise AssertionError(f"{command} {words}: {answer}")
        return answer

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode("utf-8", "replace")

    def send(self, url, **settings):
        return self.do("send", url=url, **settings)

    def join(self):
        return self.do("join")["results"]

    def ask(self, url, **settings):
        """One request, to its end."""
        self.send(url, **settings)
        return self.join()[0]

    def state(self):
        return self.do("state")

    def wait_for(self, **wanted):
        """Until its state is so."""

        def so():
            state = self.state()
            return all(state[name] == value for name, value in wanted.items()) and state

        return wait_until(so, f"the client's state is {wanted}")

    def files(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def threads(self):
        return len(os.listdir(f"/proc/{self.process.pid}/task"))

    def cpu_s(self):
        """What it has used so far, by the kernel's count."""
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        """Closes it in order: its exit status, which also a leak spoils where those are looked
        for."""
        self.do("close")
        self.process.stdin.close()
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            try:
                stream.close()
            except BrokenPipeError:
                pass


class RawServer(Listener):
    """Calls serve(connection) in a thread for each connection, which is closed afterwards. Its
    counts are what arrived: heads of requests, each as text, and connections."""

    def __init__(self, serve, backlog=512):
        self.heads = []
        super().__init__(serve, backlog)

    def head(self, connection):
        """Reads the head of a request, and counts it: its text, and what came behind it."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                raise OSError("closed")
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        with self.lock:
            self.heads.append(head.decode("latin-1"))
        return self.heads[-1], rest

    def request(self, connection):
        """Reads a request with its body: the head."""
        head, rest = self.head(connection)
        length = 0
        for line in head.split("\r\n")[1:]:
            name, _, value = line.partition(":")
            if name.lower() == "content-length":
                length = int(value)
        left = length - len(rest)
        while left > 0:
            piece = connection.recv(min(left, 1 << 20))
            if not piece:
                raise OSError("closed")
            left -= len(piece)
        return head


def reset(connection):
    """Its close will be a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def until_closed(connection):
    """By the other side."""
    while connection.recv(65536):
        pass


class FaultTest(unittest.TestCase):
    """A test with a folder of its own, which makes clients and servers."""

    @classmethod
    def setUpClass(cls):
        cls.built = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.built.cleanup)
        cls.program = pathlib.Path(cls.built.name, "fault_client")
        folder = compiler.SOURCE / "tests/integration"
        done = compiler.link(cls.program, *(folder / name for name in SOURCES))
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def client(self, environment=None, **settings):
        client = Client(self.program, environment or {}, settings)
        self.addCleanup(client.kill)
        client.do("open", **settings)
        return client

    def raw(self, serve):
        """serve(server, connection)"""
        server = RawServer(lambda connection: serve(server, connection))
        self.addCleanup(server.close)
        return server

    def assert_well(self, results, count, status=200):
        self.assertEqual(len(results), count)
        for result in results:
            self.assertEqual((result["rc"], result["status"]), ("0", status), result)

    def assert_ends_well(self, client):
        """No request is under way, nothing is held, no file is left, no memory is lost."""
        state = client.state()
        self.assertEqual((state["waiting"], state["holding"], state["in_flight"]), (0, 0, 0))
        self.assertEqual(client.end(), 0, client.said())
