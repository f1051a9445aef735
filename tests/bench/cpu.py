#!/usr/bin/env python3
"""CPU time per request of `weir run`, which reads rows and writes answers, beside that of a bare
loop of libcurl and libev (cpu.c), which does neither.

Both send the same POSTs over the same number of connections to one nginx on loopback, in turns.
Counted is all user and system time of each process, its start included.
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
        return [BARE, self.url + PATH, str(n), str(self.args.connections), self.body]

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--body-bytes", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--max-ratio", type=float, help="exit with 1 when the ratio is above")
    parser.add_argument("--callgrind", action="store_true", help="instructions, by valgrind")
    parser.add_argument("--keep", metavar="FILE", help="callgrind's data to FILE.bare, FILE.weir")
    args = parser.parse_args()
    if args.callgrind and not shutil.which("valgrind"):
        sys.exit("valgrind is not installed")
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
