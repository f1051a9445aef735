"""`weir run` against a real nginx, whose access log is the witness: what arrived, how often, when.

Needs the environment variable WEIR: the path of the program.
"""

import collections
import json
import os
import socket
import subprocess
import tempfile
import time
import unittest

from nginx import PATIENCE, Nginx, free_port, wait_until

WEIR = os.environ["WEIR"]
LONGEST = 120  # seconds a run may take before it is taken to hang
ANSWER = {"answer.json": json.dumps({"object": "chat.completion", "choices": []})}

# A POST for a file is refused with 405, which is made the file itself: unlike `return 200` all of
# nginx's phases are gone through.
FILE = "try_files /answer.json =404; error_page 405 =200 /answer.json;"
ZONE = "limit_req_zone $server_port zone=api:64k rate={}r/s;"
LIMIT = "limit_req zone=api burst={} nodelay; limit_req_status 429; "


def location(*directives):
    return "location /v1/ {" + " ".join(directives) + FILE + "}"


class Run:
    """A `weir run` of rows 1 to n, whose URLs bear their number, under way."""

    def __init__(self, folder, base_url, n, *options):
        self.n = n
        self.out = os.path.join(folder, "out.jsonl")
        rows = os.path.join(folder, "rows.jsonl")
        with open(rows, "w", encoding="utf-8") as file:
            for i in range(1, n + 1):
                body = {"model": "m", "messages": [{"role": "user", "content": f"question {i}"}]}
                row = {"custom_id": f"row-{i}", "method": "POST", "url": f"/v1/chat?{i}"}
                file.write(json.dumps({**row, "body": body}) + "\n")
        command = [WEIR, "run", rows, "-o", self.out, "--force", "--base-url", base_url]
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            [*command, *options],
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.returncode is None:
            self.process.kill()
        self.process.communicate()

    def wait(self):
        """Its exit status. Afterwards rows, said and took_s are there."""
        _, self.said = self.process.communicate(timeout=LONGEST)
        self.took_s = time.monotonic() - self.started
        with open(self.out, encoding="utf-8") as out:
            self.rows = [json.loads(line) for line in out]
        return self.process.returncode

    def codes(self):
        """How the rows ended: status or error code -> rows."""
        return collections.Counter(
            row["error"]["code"] if row["error"] else row["response"]["status_code"]
            for row in self.rows
        )


def is_sanitized():
    with open(WEIR, "rb") as program:
        content = program.read()
    return b"__asan_init" in content or b"__tsan_init" in content


def arrivals(server):
    """Row -> the statuses it was answered with, by the server's log."""
    found = collections.defaultdict(list)
    for request in server.requests():
        found[int(request.uri.partition("?")[2])].append(request.status)
    return found


class NginxTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def serve(self, server, http=""):
        return self.enterContext(Nginx(server, http, ANSWER))

    def run_rows(self, url, n, *options):
        return self.enterContext(Run(self.folder, url, n, *options))

    def assert_each_row_once(self, run):
        """In the output."""
        self.assertEqual(sorted(row["row"] for row in run.rows), list(range(1, run.n + 1)))
        for row in run.rows:
            self.assertEqual(row["custom_id"], f"row-{row['row']}")

    def assert_all_answered(self, run, status):
        self.assertEqual((status, run.codes()), (0, {200: run.n}), run.said)
        self.assert_each_row_once(run)

    def assert_each_sent_once(self, run, server):
        """By the server's log, which must be complete."""
        self.assertEqual(arrivals(server), {row: [200] for row in range(1, run.n + 1)})


class Limit(NginxTest):
    RATE, BURST, OWN_BURST, ROWS = 1000, 50, 20, 5000
    USED = 0.98  # of what the rate allows
    TRIES = 3  # a busy machine may lose some of it

    def limited(self):
        return self.serve(location(LIMIT.format(self.BURST)), ZONE.format(self.RATE))

    def test_without_a_rate_the_limit_bites(self):
        """The control: this server does refuse, and what it refused is reported."""
        server = self.limited()
        run = self.run_rows(server.url, 1000, "--max-attempts", "1")
        self.assertEqual(run.wait(), 3, run.said)
        server.stop()
        refused = sum(request.status == 429 for request in server.requests())
        self.assertGreater(refused, 10)
        self.assertEqual(run.codes(), {200: 1000 - refused, "http_429": refused})
        self.assert_each_row_once(run)

    def test_the_rate_is_kept_and_used(self):
        """Used is the least the rows could have taken (the burst at once, the rest at the rate)
        beside what the whole run took, start and end of the program included, and beside the time
        between the first and the last request in the server's log."""
        for attempt in range(1, self.TRIES + 1):
            whole, sending = self.use_of_the_rate()
            print(f"{whole:.4f} of the rate used, {sending:.4f} while sending", flush=True)
            # The sanitizers' own start and end take longer than what may be lost.
            if sending >= self.USED and (whole >= self.USED or is_sanitized()):
                return
            print(f"try {attempt} of {self.TRIES}: less than {self.USED}", flush=True)
        self.fail(f"in no try {self.USED} of the rate was used")

    def use_of_the_rate(self):
        server = self.limited()
        options = ("--rate", f"{self.RATE}/s", "--burst", str(self.OWN_BURST))
        run = self.run_rows(server.url, self.ROWS, *options)
        self.assert_all_answered(run, run.wait())
        server.stop()
        self.assert_each_sent_once(run, server)
        self.assertTrue(all(row["attempts"] == 1 for row in run.rows))
        times = [request.time_s for request in server.requests()]
        least_s = (self.ROWS - self.OWN_BURST) / self.RATE
        return least_s / run.took_s, least_s / (max(times) - min(times))


class Connections(NginxTest):
    def test_closed_after_some_requests(self):
        server = self.serve("keepalive_requests 100;" + location())
        run = self.run_rows(server.url, 10000)  # more than 100 for each of 64 connections
        self.assert_all_answered(run, run.wait())
        server.stop()
        self.assert_each_sent_once(run, server)
        uses = collections.Counter(request.connection for request in server.requests())
        self.assertEqual(max(uses.values()), 100)
        self.assertLessEqual(len(uses), 100 + 64)

    def test_closed_while_idle(self):
        """Each just when the next request is about to be sent on it."""
        server = self.serve("keepalive_timeout 10ms;" + location())
        run = self.run_rows(server.url, 300, "--rate", "100/s", "--burst", "1")
        self.assert_all_answered(run, run.wait())
        server.stop()
        self.assert_each_sent_once(run, server)
        uses = collections.Counter(request.connection for request in server.requests())
        self.assertGreater(len(uses), 10)


class Outage(NginxTest):
    def refused(self):
        """Connections that were refused on this machine so far."""
        with open("/proc/net/snmp", encoding="ascii") as file:
            names, values = (line.split() for line in file if line.startswith("Tcp:"))
        return int(values[names.index("AttemptFails")])

    def test_server_gone_and_back(self):
        """What was cut off or refused meanwhile is sent again and ends right."""
        server = self.serve(location())
        run = self.run_rows(server.url, 3000, "--rate", "1000/s")
        wait_until(lambda: len(server.requests()) >= 500, "500 requests are done")
        server.stop()
        before = self.refused()
        wait_until(lambda: self.refused() >= before + 10, "10 connections are refused")
        server.start()
        self.assert_all_answered(run, run.wait())
        server.stop()
        self.assertGreater(sum(row["attempts"] > 1 for row in run.rows), 0)
        found = arrivals(server)
        self.assertEqual(set(found), set(range(1, run.n + 1)))
        # An answer that was cut off is logged too: such a row may have been sent again.
        attempts = {row["row"]: row["attempts"] for row in run.rows}
        for row, statuses in found.items():
            self.assertLessEqual(len(statuses), attempts[row])

    def test_server_gone_for_good(self):
        """The rows that were not answered are left for another run."""
        server = self.serve(location())
        run = self.run_rows(server.url, 3000, "--rate", "1000/s", "--max-outage", "1")
        wait_until(lambda: len(server.requests()) >= 500, "500 requests are done")
        server.stop()
        self.assertEqual(run.wait(), 69, run.said)
        self.assertGreaterEqual(run.codes()[200], 500 - 64)
        self.assertEqual(len({row["row"] for row in run.rows}), len(run.rows))
        answered = {row["row"] for row in run.rows if row["error"] is None}
        self.assertEqual(answered - set(arrivals(server)), set())


class DeadUpstream(NginxTest):
    PROXY = """
        location /v1/ {{
            proxy_pass http://127.0.0.1:{port};
            error_page 502 504 = @dead;
        }}
        location @dead {{
            default_type application/json;
            return 503 '{{"error": {{"message": "the upstream is dead", "code": null}}}}';
        }}
    """

    def proxy(self, port):
        return self.serve(self.PROXY.format(port=port))

    def test_dead_for_good(self):
        with socket.socket() as nobody:  # bound and not listening: refuses, and stays free
            nobody.bind(("127.0.0.1", 0))
            server = self.proxy(nobody.getsockname()[1])
            run = self.run_rows(server.url, 100, "--max-attempts", "2")
            self.assertEqual(run.wait(), 3, run.said)
        server.stop()
        self.assertEqual(run.codes(), {"http_503": 100})
        self.assert_each_row_once(run)
        self.assertEqual(arrivals(server), {row: [503, 503] for row in range(1, 101)})
        for row in run.rows:
            self.assertEqual(row["response"]["status_code"], 503)
            self.assertIn("the upstream is dead", row["error"]["message"])

    def test_dead_at_first(self):
        upstream = Nginx(location(), files=ANSWER)
        upstream.port = free_port()
        server = self.proxy(upstream.port)
        run = self.run_rows(server.url, 200)
        wait_until(lambda: len(server.requests()) >= 100, "100 requests are refused")
        self.enterContext(upstream)
        self.assert_all_answered(run, run.wait())
        server.stop()
        upstream.stop()
        self.assert_each_sent_once(run, upstream)
        found = arrivals(server)
        for row in run.rows:
            refusals = [503] * (row["attempts"] - 1)
            self.assertEqual(found[row["row"]], [*refusals, 200])


if __name__ == "__main__":
    unittest.main()
