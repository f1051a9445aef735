"""HAProxy and nghttpd on free ports of 127.0.0.1, with a certificate of their own, for tests.

    with Haproxy(certificate, to_port) as server:
        ...server.url...
        server.restart()  # as its operators do: a new process takes over, the old one drains
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from nginx import PATIENCE, free_port, wait_until

HAPROXY = """
global
    hard-stop-after {patience}s
    tune.h2.max-concurrent-streams {streams}
defaults
    mode http
    timeout connect {patience}s
    timeout client {patience}s
    timeout server {patience}s
frontend front
    bind 127.0.0.1:{port} ssl crt {pem} alpn h2,http/1.1
    default_backend back
backend back
    server one 127.0.0.1:{to_port}
"""


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise AssertionError(f"{name} is not installed (Debian: haproxy, nghttp2-server)")
    return found


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class _Processes:
    """Some of one kind; ended with the block, if they have not ended before."""

    def __init__(self):
        self.port = free_port()
        self.processes = []
        self.folder = None

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def path(self, name):
        return os.path.join(self.folder, name)

    def launch(self, *command):
        with open(self.path("output"), "a", encoding="utf-8") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, cwd=self.folder)
        self.processes.append(process)
        what = f"{command[0]} listens"
        wait_until(lambda: process.poll() is not None or listens(self.port), what)
        if process.poll() is not None:
            raise AssertionError(f"{command[0]} does not start:\n{self.said()}")

    def said(self):
        with open(self.path("output"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self, how=signal.SIGTERM):
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(how)
        for process in self.processes:
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="server-")
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder)


class Haproxy(_Processes):
    """Takes HTTP/2 and HTTP/1.1 and passes on to a port of this machine, by HTTP/1.1."""

    def __init__(self, certificate, to_port, streams=100):
        super().__init__()
        self.certificate, self.to_port, self.streams = certificate, to_port, streams

    def start(self):
        pem = self.path("both.pem")
        with open(pem, "w", encoding="ascii") as both:
            for name in self.certificate:
                with open(name, encoding="ascii") as file:
                    both.write(file.read())
        with open(self.path("haproxy.cfg"), "w", encoding="utf-8") as config:
            config.write(
                HAPROXY.format(
                    patience=PATIENCE,
                    streams=self.streams,
                    port=self.port,
                    pem=pem,
                    to_port=self.to_port,
                )
            )
        self.launch(program("haproxy"), "-f", "haproxy.cfg", "-db")

    def restart(self):
        """The old process takes no more connections, ends those that it has in order, and ends."""
        old = self.processes[-1]
        self.launch(program("haproxy"), "-f", "haproxy.cfg", "-db", "-sf", str(old.pid))


class Nghttpd(_Processes):
    """Serves the file answer.json, by HTTP/2 alone, so many streams of a connection at a time."""

    def __init__(self, certificate, streams):
        super().__init__()
        self.certificate, self.streams = certificate, streams

    def start(self):
        with open(self.path("answer.json"), "w", encoding="ascii") as file:
            file.write("{}")
        pem, key = self.certificate
        options = ["-v", "-d", self.folder, "-m", str(self.streams)]
        self.launch(program("nghttpd"), *options, "-a", "127.0.0.1", str(self.port), key, pem)

    def requests(self):
        """The paths that it was asked for, in order."""
        return re.findall(r":path: (\S+)", re.sub(r"\x1b\[[0-9;]*m", "", self.said()))
