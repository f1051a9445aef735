#!/usr/bin/env python3
"""Memory of a request in flight and of an idle connection, of the library's client beside a bare
multi handle of libcurl (memory.c), plain and by TLS: what more of them take more.

Then the peak memory of `weir run` for many rows beside that for few: it must not grow with them.
The rows come through a pipe, as fast as they are taken, and go to `weir mock` without limits.
"""

import argparse
import contextlib
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

from hold_server import HoldServer
from trust import Trust

PROGRAM = os.path.join(os.environ["WEIR_BUILD"], "bench", "bench_memory")
WEIR = os.environ["WEIR"]
CHAT = "/v1/chat/completions"
BLOCK = 1000  # rows written to the pipe at a time
PATIENCE = 20
POLL_S = 0.02


def block_of_rows():
    """Rows of some 300 bytes. They are the same in each block: custom_id need not be unique."""
    lines = []
    for i in range(BLOCK):
        question = f"Question {i}: how many bolts does it take? " + "Explain each step. " * 5
        body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}]}
        row = {"custom_id": f"row-{i:04}", "method": "POST", "url": CHAT, "body": body}
        lines.append(json.dumps(row, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


@contextlib.contextmanager
def mock():
    """Yields the URL of a running `weir mock`."""
    with subprocess.Popen(
        [WEIR, "mock"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            line = process.stdout.readline()
            yield re.fullmatch(r"listening on (http://\S+)\n", line)[1]
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


def served(url):
    """Status -> requests that were answered with it so far."""
    with urllib.request.urlopen(url + "/stats", timeout=PATIENCE) as response:
        return json.load(response)["status"]


def feed(pipe, block, rows):
    """A run that has ended takes no more; its exit status tells."""
    with contextlib.suppress(BrokenPipeError):
        for _ in range(rows // BLOCK):
            view = memoryview(block)
            while view:
                view = view[os.write(pipe, view) :]
    os.close(pipe)


def peak_kib(pid):
    """Peak resident set so far, 0 when the process has ended. Not wait4's: that one begins with
    what Python had when it started the process."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        with open(f"/proc/{pid}/status", encoding="ascii") as status:
            found = re.search(r"VmHWM:\s+(\d+) kB", status.read())
            return int(found[1]) if found else 0
    return 0


def measure(url, block, rows, concurrency):
    """(peak in KiB, seconds)"""
    read_end, write_end = os.pipe()
    fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 1 << 20)
    options = ["--base-url", url, "--progress", "none", "--concurrency", str(concurrency)]
    began = time.monotonic()
    process = subprocess.Popen([WEIR, "run", "-", "-o", "/dev/null", *options], stdin=read_end)
    os.close(read_end)
    writer = threading.Thread(target=feed, args=(write_end, block, rows), daemon=True)
    writer.start()
    peak = 0
    while process.poll() is None:
        peak = max(peak, peak_kib(process.pid))
        time.sleep(POLL_S)
    took_s = time.monotonic() - began
    writer.join()
    if process.returncode != 0:
        sys.exit(f"weir run of {rows:,} rows ended with {process.returncode}")
    return peak, took_s


def per_connection(way, n, trust, bundle="-", program=PROGRAM):
    """(bytes of a request in flight, of an idle connection); trust None: without TLS."""
    settings = {k: v for k, v in os.environ.items() if k not in ("SSL_CERT_FILE", "CURL_CA_BUNDLE")}
    places = ["-", "-"]
    if trust is not None:
        settings["SSL_CERT_DIR"] = str(trust.authorities)
        places = [str(bundle), str(trust.authorities)]
    with HoldServer(n, trust) as server:
        command = [program, way, server.url, str(n), *(places if way == "bare" else [])]
        done = subprocess.run(
            command, capture_output=True, text=True, env=settings, timeout=120, check=False
        )
    found = re.fullmatch(r"in flight: (\d+)\nidle: (\d+)\n", done.stdout)
    if done.returncode != 0 or not found:
        raise AssertionError(f"{way}: {done.stderr}")
    return int(found[1]), int(found[2])


def measure_connections(n):
    with tempfile.TemporaryDirectory() as folder:
        trust = Trust(folder)
        print(f"{n:,} at once; bytes of each{'in flight':>16}{'idle':>12}")
        for name, way, number, by, *bundle in (
            ("bare libcurl", "bare", n, None),
            ("client", "client", n, None),
            ("bare libcurl, TLS", "bare", n, trust),
            ("client, TLS", "client", n, trust),
            ("with libcurl's default bundle", "bare", n // 10, trust, trust.bundle),
        ):
            in_flight, idle = per_connection(way, number, by, *bundle)
            print(f"{name:31}{in_flight:13,}{idle:12,}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--few", type=int, default=10_000)
    parser.add_argument("--many", type=int, default=1_000_000)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--max-growth", type=float, default=0.10, help="more: exit with 1")
    args = parser.parse_args()
    if args.few % BLOCK or args.many % BLOCK:
        parser.error(f"rows come in blocks of {BLOCK}")
    measure_connections(args.connections)
    print()
    block = block_of_rows()
    print(f"rows of {len(block) // BLOCK} bytes from a pipe, {args.concurrency} in flight")
    print(f"{'rows':>12}{'seconds':>12}{'rows/s':>12}{'peak KiB':>12}")
    peaks = []
    with mock() as url:
        for rows in (args.few, args.many):
            peak, took_s = measure(url, block, rows, args.concurrency)
            peaks.append(peak)
            print(f"{rows:12,}{took_s:12.1f}{rows / took_s:12,.0f}{peak:12,}", flush=True)
        assert served(url) == {"200": args.few + args.many}, served(url)
    growth = peaks[1] / peaks[0] - 1
    print(f"growth: {growth:+.1%}")
    if growth > args.max_growth:
        sys.exit(f"more than {args.max_growth:.0%}")


if __name__ == "__main__":
    main()
