#!/usr/bin/env python3
"""CPU time per request of the library's client and of `weir run`, beside that of a bare loop of
libcurl and libev (cpu.c).

All send the same POSTs to an nginx on loopback, in turns.

The client at 64, 512 and 4,096 connections, each of which has a request in flight all the time;
then at 64 with 10,000 requests more that wait for their turn. What comes before that does not
count. First the server answers as fast as it goes, which is when CPU time is short; then at a
steady rate that all can take with a part of a core, where waking up for a few answers at a time,
the same for all, is a larger part of it.

`weir run`, which also reads rows and writes answers: as fast as it goes, all user and system time of
each process, its start included.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from nginx import Nginx

WEIR = os.environ["WEIR"]
BARE = os.path.join(os.environ["WEIR_BUILD"], "bench", "bench_cpu")
PATH = "/v1/chat/completions"
ANSWER_BYTES = 300
SERVER = """
    access_log off;
    keepalive_requests 1000000000;
    location / {{ return 200 '{}'; }}
"""

# At a steady rate. A file takes no POST, but this way the answer waits for its turn first.
PACED = """
    access_log off;
    keepalive_requests 1000000000;
    error_page 405 =200 /answer.json;
    location / { limit_req zone=pace burst=20000; try_files /answer.json =404; }
    location = /answer.json { }
"""
PACE = "limit_req_zone $server_port zone=pace:1m rate={}r/s; limit_req_log_level info;"
RATE, RATE_UNDER_VALGRIND = 8000, 400  # both can do more
SIZES = (64, 512, 4096)
QUEUED, QUEUED_BEHIND = 10000, 64


def filled(value, size):
    """The JSON text of value, its last text lengthened so that it takes that many bytes."""
    text = json.dumps(value, separators=(",", ":"))
    at = text.rindex('"')
    return text[:at] + "x" * (size - len(text)) + text[at:]


def body_of(size):
    messages = [
        {"role": "system", "content": "Answer with the number alone."},
        {"role": "user", "content": "How many bolts does it take? "},
    ]
    return filled({"model": "gpt-4o-mini", "temperature": 0, "messages": messages}, size)


def answer_of(size):
    usage = {"prompt_tokens": 57, "completion_tokens": 9, "total_tokens": 66}
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ""}}
    return filled({"id": "chatcmpl-1", "usage": usage, "choices": [choice]}, size)


class Bench:
    """The two ways to send n requests to one server."""

    def __init__(self, url, folder, args):
        self.url, self.folder, self.args = url, folder, args
        self.body = body_of(args.body_bytes)

    def bare(self, n):
        return [BARE, "bare", self.url + PATH, str(n), str(self.args.connections), self.body, "0"]

    def weir(self, n):
        rows = os.path.join(self.folder, f"rows-{n}.jsonl")
        if not os.path.exists(rows):
            with open(rows, "w", encoding="utf-8") as file:
                for i in range(n):
                    row = f'{{"custom_id":"row-{i}","method":"POST","url":"{PATH}","body":'
                    file.write(f"{row}{self.body}}}\n")
        command = [WEIR, "run", rows, "-o", os.path.join(self.folder, "out.jsonl"), "--force"]
        command += ["--base-url", self.url, "--progress", "none"]
        return command + ["--concurrency", str(self.args.connections)]

    def check(self, n):
        """Each row once and answered: else the figures say nothing."""
        seen = set()
        with open(os.path.join(self.folder, "out.jsonl"), encoding="utf-8") as out:
            for line in out:
                row = json.loads(line)
                assert row["error"] is None and row["attempts"] == 1, line
                seen.add(row["row"])
        assert seen == set(range(1, n + 1)), f"{len(seen)} rows of {n}"

    def cpu_us(self, way, n):
        """(microseconds of CPU per request, those of them in the kernel)"""
        process = subprocess.Popen(way(n), stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            sys.exit(f"{way.__name__} ended with {process.returncode}")
        if way == self.weir:
            self.check(n)
        return (usage.ru_utime + usage.ru_stime) / n * 1e6, usage.ru_stime / n * 1e6

    def instructions(self, way, n):
        """Of the whole process, in user mode."""
        out = os.path.join(self.folder, "callgrind.out")
        if self.args.keep:
            out = f"{self.args.keep}.{way.__name__}"
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *way(n)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = re.search(r"Collected : (\d+)", done.stderr)
        if done.returncode != 0 or not found:
            sys.exit(f"{way.__name__} under valgrind:\n{done.stderr}")
        return int(found[1])


def measure_cpu(bench, args):
    """The median of the rounds' ratios."""
    taken = {bench.bare: [], bench.weir: []}
    for i in range(args.rounds):
        for way in sorted(taken, key=lambda way: way.__name__, reverse=i % 2 == 1):
            taken[way].append(bench.cpu_us(way, args.requests))
    ratios = [w[0] / b[0] for b, w in zip(taken[bench.bare], taken[bench.weir])]
    print(f"{'':12}{'CPU us per request':>30}{'of that system':>18}")
    print(f"{'':12}{'min':>10}{'median':>10}{'max':>10}{'median':>18}")
    for way, rounds in taken.items():
        all_us = [r[0] for r in rounds]
        figures = (min(all_us), statistics.median(all_us), max(all_us))
        system = statistics.median(r[1] for r in rounds)
        name = "weir run" if way == bench.weir else "bare loop"
        print(f"{name:12}" + "".join(f"{f:10.2f}" for f in figures) + f"{system:18.2f}")
    low = min(w[0] for w in taken[bench.weir]) / min(b[0] for b in taken[bench.bare])
    ratio = statistics.median(ratios)
    print(f"weir run / bare loop: {ratio:.3f} (median of the rounds' ratios, {min(ratios):.3f} to")
    print(f"{max(ratios):.3f}), {low:.3f} (of the least)")
    return ratio


def measure_instructions(bench, args):
    """Per request: what more requests take more, so that the start does not count."""
    few, many = args.requests // 10, args.requests // 2
    per = {}
    for way in (bench.bare, bench.weir):
        start = bench.instructions(way, few)
        per[way] = (bench.instructions(way, many) - start) / (many - few)
    print(f"{'':12}{'instructions per request':>30}")
    for way, each in per.items():
        print(f"{'weir run' if way == bench.weir else 'bare loop':12}{each:30,.0f}")
    print(f"weir run / bare loop: {per[bench.weir] / per[bench.bare]:.3f} (user mode alone)")
    return per[bench.weir] / per[bench.bare]


class Sizes:
    """The bare loop and the client, with so many connections."""

    def __init__(self, url, folder, program=BARE):
        self.url, self.folder, self.program = url, folder, program
        self.body = body_of(300)

    def command(self, way, n, connections):
        numbers = [str(n), str(connections), self.body, str(2 * connections)]
        if way == "queued":
            way, numbers = "client", [*numbers, str(QUEUED)]
        return [self.program, way, self.url + PATH, *numbers]

    def cpu_us(self, way, connections, n=16000):
        command = self.command(way, n, connections)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(re.search(r"per request: ([\d.]+)", done.stdout)[1])

    def instructions(self, way, connections, n=2000):
        out = os.path.join(self.folder, "callgrind.out")
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}"]
        command += self.command(way, n, connections)
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return int(re.search(r"Collected : (\d+)", done.stderr)[1]) / n


def least(measure, ways, connections, rounds):
    """Of the rounds, which alternate."""
    taken = {way: [] for way in ways}
    for i in range(rounds):
        for way in sorted(taken, reverse=i % 2 == 1):
            taken[way].append(measure(way, connections))
    return [min(taken[way]) for way in ways]


def table_of_sizes(title, measure, rounds):
    print(f"{'per request':24}{title}")
    print(f"{'':24}{'bare loop':>12}{'client':>12}{'ratio':>8}")
    for connections in SIZES:
        bare, client = least(measure, ("bare", "client"), connections, rounds)
        ratio = client / bare
        print(f"{connections:>12,} connections{bare:>12,.1f}{client:>12,.1f}{ratio:>8.2f}")
    alone, queued = least(measure, ("client", "queued"), QUEUED_BEHIND, rounds)
    print(
        f"{QUEUED_BEHIND:>12,} connections, {QUEUED:,} requests queued behind them:"
        f" {queued:,.1f}, {queued / alone:.2f} times the client's without"
    )


def paced(rate):
    return Nginx(PACED, http=PACE.format(rate), files={"answer.json": answer_of(ANSWER_BYTES)})


def measure_sizes(args):
    with tempfile.TemporaryDirectory() as folder:
        with Nginx(SERVER.format(answer_of(ANSWER_BYTES))) as server:
            measure = Sizes(server.url, folder).cpu_us
            table_of_sizes("CPU us, at full speed", measure, args.table_rounds)
        with paced(RATE) as server:
            measure = Sizes(server.url, folder).cpu_us
            table_of_sizes(f"CPU us, at {RATE:,}/s", measure, args.table_rounds)
        if not shutil.which("valgrind"):
            print("(valgrind, which would count instructions, is not installed)")
            return
        with paced(RATE_UNDER_VALGRIND) as server:
            table_of_sizes("instructions", Sizes(server.url, folder).instructions, 1)


def forget_proxies():
    """libcurl asks for them for each request, and takes its time to find that none serves."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        os.environ.pop(name, None)
        os.environ.pop(name.upper(), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=300)
    parser.add_argument("--table-rounds", type=int, default=5, help="0: without the client's table")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--max-ratio", type=float, help="exit with 1 when the ratio is above")
    parser.add_argument("--callgrind", action="store_true", help="instructions, by valgrind")
    parser.add_argument("--keep", metavar="FILE", help="callgrind's data to FILE.bare, FILE.weir")
    args = parser.parse_args()
    if args.callgrind and not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
    forget_proxies()
    if args.table_rounds > 0:
        measure_sizes(args)
        print()
    print(
        f"{args.requests:,} POSTs of {args.body_bytes} bytes, answers of {ANSWER_BYTES}, "
        f"{args.connections} connections, nginx on loopback"
    )
    with tempfile.TemporaryDirectory() as folder, Nginx(
        SERVER.format(answer_of(ANSWER_BYTES))
    ) as server:
        bench = Bench(server.url, folder, args)
        measure = measure_instructions if args.callgrind else measure_cpu
        ratio = measure(bench, args)
    if args.max_ratio is not None and ratio > args.max_ratio:
        sys.exit(f"the ratio is above {args.max_ratio}")


if __name__ == "__main__":
    main()
