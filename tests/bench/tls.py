#!/usr/bin/env python3
"""CPU time of a new connection by TLS, with one small request over it: by libcurl alone, with what it
does by default on Debian (bundle and folder: the bundle of all authorities is read each time), with
the bundle alone (which it then keeps) and with the folder of hashed names, and by the library's
client, which takes the folder by itself.

The server is an nginx on loopback with a certificate of an issuer of ours, which is put among
Debian's authorities; once it begins each session anew, once it resumes them.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

from nginx import Nginx, free_port
from trust import Trust

PROGRAM = os.path.join(os.environ["WEIR_BUILD"], "bench", "bench_tls")
HTTP = "log_format reused '$ssl_session_reused'; ssl_session_cache off;"
SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {trust.certificate};
        ssl_certificate_key {trust.key};
        ssl_session_tickets {tickets};
        keepalive_timeout 0;
        access_log {log} reused;
        location / {{ return 200 '{{}}'; }}
    }}
"""
FRESH, RESUMED = "off", "on"  # as ssl_session_tickets has it
WAYS = {
    "libcurl, bundle": ("easy", "{trust.bundle}", "{trust.authorities}"),
    "libcurl, bundle alone": ("easy", "{trust.bundle}", "-"),
    "libcurl, folder": ("easy", "-", "{trust.authorities}"),
    "client": ("client",),
}


class Tls:
    """Connections to two servers; as a context, like Nginx."""

    def __init__(self, folder, program=PROGRAM):
        self.program = program
        self.trust = Trust(folder)
        self.log = {tickets: os.path.join(folder, f"{tickets}.log") for tickets in (FRESH, RESUMED)}
        self.port, blocks = {}, HTTP
        for tickets, log in self.log.items():
            self.port[tickets] = free_port()
            blocks += SERVER.format(
                port=self.port[tickets], trust=self.trust, tickets=tickets, log=log
            )
        self.nginx = Nginx("", http=blocks)

    def __enter__(self):
        self.nginx.__enter__()
        return self

    def __exit__(self, *_):
        self.nginx.__exit__()

    def cpu_ms(self, way, tickets, n):
        """Per connection. Checks that sessions were resumed, or not, as they should."""
        name, *places = WAYS[way]
        words = [word.format(trust=self.trust) for word in places]
        command = [self.program, name, f"https://127.0.0.1:{self.port[tickets]}/", str(n), *words]
        settings = dict(os.environ, SSL_CERT_DIR=str(self.trust.authorities))
        settings.pop("SSL_CERT_FILE", None)
        settings.pop("CURL_CA_BUNDLE", None)
        before = self._sessions(tickets)
        done = subprocess.run(
            command, capture_output=True, text=True, env=settings, timeout=120, check=False
        )
        if done.returncode != 0:
            raise AssertionError(f"{way}: {done.stderr}")
        new = self._sessions(tickets)[len(before) :]
        reused = new.count("r")
        assert len(new) >= n, f"{len(new)} connections of {n}"
        assert reused >= len(new) - 1 if tickets == RESUMED else reused == 0, f"{reused} resumed"
        return float(re.search(r"connection: ([\d.]+)", done.stdout)[1])

    def _sessions(self, tickets):
        with open(self.log[tickets], encoding="utf-8") as log:
            return log.read().split()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--max-ms", type=float, default=2.5, help="of the client; more: exit with 1")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Tls(folder) as tls:
        print(f"{'CPU ms per connection':24}{'new session':>14}{'resumed':>10}  (least of the rounds)")
        for way in WAYS:
            fresh, resumed = (
                min(tls.cpu_ms(way, tickets, args.connections) for _ in range(args.rounds))
                for tickets in (FRESH, RESUMED)
            )
            print(f"{way:24}{fresh:14.2f}{resumed:10.2f}", flush=True)
    if fresh > args.max_ms:
        sys.exit(f"the client's is more than {args.max_ms} ms")


if __name__ == "__main__":
    main()
