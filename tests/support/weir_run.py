"""What tests of `weir run` share: the program, its mock server, and servers of their own."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.request

from listening import Listener

WEIR = os.environ["WEIR"]
PATIENCE = 40  # seconds after which anything is taken to hang


def default_signals():
    """Whoever runs the tests in the background may have had signals ignored."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)


def free_port():
    """Of this machine, where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def rows_of(data):
    """Output as a list of rows; fails when a line is torn or is no JSON."""
    if isinstance(data, bytes):
        data = data.decode("utf-8")
    assert not data or data.endswith("\n"), "the last line is torn"
    return [json.loads(line) for line in data.split("\n")[:-1]]


class Last(bytes):
    """An answer after which the connection is closed."""


class Server(Listener):
    """Answers each request by handler(request) -> bytes; None resets the connection, b"" closes
    it. An iterator's pieces are sent as they come. One thread per connection."""

    def __init__(self, handler):
        self.handler = handler
        self.requests = []
        super().__init__(self._answer_all)

    def _answer_all(self, connection):
        with connection.makefile("rb") as stream:
            while request := self._read(stream):
                with self.lock:
                    request["number"] = len(self.requests)
                    self.requests.append(request)
                answer = self.handler(request)
                if answer is None:
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                if not answer:
                    break
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(piece)
                if isinstance(answer, Last):
                    break

    @staticmethod
    def _read(stream):
        first = stream.readline().decode("latin-1").split()
        if len(first) != 3:
            return None
        headers = {}
        while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, value = line.split(":", 1)
            headers.setdefault(name.lower(), []).append(value.strip())
        length = int(headers.get("content-length", ["0"])[0])
        body = stream.read(length)
        return {"method": first[0], "path": first[1], "headers": headers, "body": body}


def answer(body=b"{}", status="200 OK", headers=()):
    """An HTTP answer as bytes."""
    if isinstance(body, str):
        body = body.encode()
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Mock:
    """`weir mock` on a free port."""

    def __init__(self, *args):
        self.process = subprocess.Popen(
            [WEIR, "mock", "--port", "0", *args],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            preexec_fn=default_signals,
        )
        line = self.process.stdout.readline().decode()
        prefix = "listening on "
        assert line.startswith(prefix), self.process.stderr.read()
        self.url = line[len(prefix) :].strip()

    def stats(self):
        with urllib.request.urlopen(self.url + "/stats", timeout=PATIENCE) as reply:
            return json.load(reply)

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise


class Result:
    def __init__(self, status, stdout, stderr):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr.decode("utf-8", "backslashreplace")


class Case(unittest.TestCase):
    """A test with a folder of its own, as the current folder of the programs it runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        """A file of rows (a list), text or bytes."""
        if isinstance(content, list):
            content = "".join(json.dumps(row) + "\n" for row in content)
        if isinstance(content, str):
            content = content.encode()
        with open(self.path(name), "wb") as file:
            file.write(content)
        return name

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def rows(self, name="out.jsonl"):
        return rows_of(self.read(name))

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def mock(self, *args):
        mock = Mock(*args)
        self.addCleanup(lambda: mock.close())
        return mock

    def server(self, handler):
        server = Server(handler)
        self.addCleanup(server.close)
        return server

    def start(self, *args, env=None, **how):
        """The program with these arguments, to be ended by the test."""
        how.setdefault("stdin", subprocess.DEVNULL)
        how.setdefault("stdout", subprocess.PIPE)
        how.setdefault("stderr", subprocess.PIPE)
        before = how.pop("before", default_signals)
        process = subprocess.Popen(
            [WEIR, *args],
            cwd=self.folder,
            env={**os.environ, **(env or {})},
            preexec_fn=before,
            **how,
        )
        self.addCleanup(self._end, process)
        return process

    @staticmethod
    def _end(process):
        if process.poll() is None:
            process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                try:
                    stream.close()
                except BrokenPipeError:
                    pass
        process.wait()

    def finish(self, process, data=None):
        stdout, stderr = process.communicate(data, timeout=PATIENCE)
        return Result(process.returncode, stdout or b"", stderr or b"")

    def weir(self, *args, data=None, **how):
        if data is not None:
            how["stdin"] = subprocess.PIPE
        return self.finish(self.start(*args, **how), data)

    def run_rows(self, content, *args, status=0, **how):
        """`weir run` on these rows; checks how it ends, and returns the rows of its output."""
        name = self.write("in.jsonl", content)
        result = self.weir("run", name, "-o", "out.jsonl", *args, **how)
        self.assertEqual(result.status, status, result.stderr)
        self.result = result
        return self.rows() if self.exists("out.jsonl") else []

    def wait_for_output(self, condition, what):
        """condition(content) of the output file, once there is one."""
        self.wait_until(
            lambda: self.exists("out.jsonl") and condition(self.read("out.jsonl")), what
        )

    def said(self, process, text):
        """Waits until the program has said this on stderr; returns all until there."""
        seen = b""
        give_up = time.monotonic() + PATIENCE
        while text not in seen:
            ready, _, _ = select.select([process.stderr], [], [], give_up - time.monotonic())
            self.assertTrue(ready, f"never said {text}: {seen}")
            piece = os.read(process.stderr.fileno(), 4096)
            self.assertTrue(piece, f"ended without {text}: {seen}")
            seen += piece
        return seen.decode()

    def wait_until(self, condition, what):
        give_up = time.monotonic() + PATIENCE
        while not (result := condition()):
            if time.monotonic() > give_up:
                self.fail(f"waited {PATIENCE} s in vain until {what}")
            time.sleep(0.01)
        return result
