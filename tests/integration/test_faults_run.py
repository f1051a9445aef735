"""`weir run` and faults: what it says of its rows is what the server's log says.

Needs the environment variables WEIR, WEIR_BUILD and WEIR_SOURCE.
"""

import collections
import json
import os
import resource
import signal
import subprocess
import tempfile
import unittest

from fault_client import RawServer, is_sanitized, until_closed
from nginx import Nginx, wait_until

WEIR = os.environ["WEIR"]
LONGEST = 60  # seconds a run may take before it is taken to hang
ANSWER = {"answer.json": "{}"}
FILE = "location / { try_files /answer.json =404; error_page 405 =200 /answer.json; }"
# nginx reads the body, and then closes the connection instead of answering (444 is its own).
CUT = """
    location /cut { proxy_pass http://127.0.0.1:$server_port/inner; error_page 502 = @cut; }
    location /inner { return 444; }
    location @cut { return 444; }
"""


class Run(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def nginx(self):
        return self.enterContext(Nginx(CUT + FILE, files=ANSWER))

    def start(self, url, rows, *options, path="/x", output="out.jsonl", **how):
        """Of rows 1 to `rows`, whose URLs bear their number."""
        with open(os.path.join(self.folder, "rows.jsonl"), "w", encoding="utf-8") as file:
            for i in range(1, rows + 1):
                file.write(json.dumps({"url": f"{path}?{i}", "body": "b" * 100}) + "\n")
        command = [WEIR, "run", "rows.jsonl", "-o", output, "--base-url", url, *options]
        process = subprocess.Popen(
            command, cwd=self.folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, **how
        )
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def wait(self, process):
        """Its exit status, and what it said."""
        _, said = process.communicate(timeout=LONGEST)
        return process.returncode, said.decode()

    def rows(self):
        with open(os.path.join(self.folder, "out.jsonl"), encoding="utf-8") as file:
            text = file.read()
        self.assertTrue(text.endswith("\n"))
        return [json.loads(line) for line in text.splitlines()]

    def counts(self, server, status=200):
        """Row -> how often it was carried out. Stops the server."""
        server.stop()
        requests = [r for r in server.requests() if r.status == status]
        return collections.Counter(
            int(r.uri.partition("?")[2]) for r in requests if "?" in r.uri
        )

    def test_what_is_cut_off_is_carried_out_once(self):
        server = self.nginx()
        process = self.start(server.url, 200, "--no-replay", path="/cut")
        self.assertEqual(self.wait(process)[0], 3)
        ends = collections.Counter((r["error"]["code"], r["attempts"]) for r in self.rows())
        self.assertEqual(ends, {("reset", 1): 200})
        self.assertEqual(self.counts(server, 444), {row: 1 for row in range(1, 201)})

    def test_each_attempt_is_one_of_the_servers(self):
        server = self.nginx()
        process = self.start(server.url, 50, "--max-attempts", "3", path="/cut")
        self.assertEqual(self.wait(process)[0], 3)
        ends = collections.Counter((r["error"]["code"], r["attempts"]) for r in self.rows())
        self.assertEqual(ends, {("reset", 3): 50})
        self.assertEqual(self.counts(server, 444), {row: 3 for row in range(1, 51)})

    def test_interrupted_it_has_written_all_that_was_carried_out(self):
        server = self.nginx()
        process = self.start(server.url, 100000, "--rate", "2000/s")
        wait_until(lambda: len(server.requests()) >= 500, "500 are done")
        process.send_signal(signal.SIGINT)
        status, said = self.wait(process)
        self.assertEqual(status, 130, said)
        rows = self.rows()
        self.assertTrue(all(row["error"] is None for row in rows))
        self.assertEqual(self.counts(server), {row["row"]: 1 for row in rows})
        self.assertIn(f"out.jsonl holds {len(rows):,} rows", said)

    def test_a_full_device_stops_it(self):
        server = self.nginx()
        status, said = self.wait(self.start(server.url, 20000, output="/dev/full"))
        self.assertEqual(status, 74, said)
        self.assertIn("writing /dev/full failed: No space left on device", said)
        self.assertLess(len(self.counts(server)), 5000)

    def test_a_reader_that_has_gone_stops_it(self):
        server = self.nginx()
        process = self.start(server.url, 20000, output="-", stdout=subprocess.PIPE)
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        said = process.stderr.read().decode()
        self.assertEqual(process.wait(LONGEST), 74, said)
        self.assertIn("the reader of stdout has gone", said)
        self.assertLess(len(self.counts(server)), 5000)

    def test_a_server_that_always_cuts_off_costs_no_processor(self):
        """Rows that are tried for seconds, with growing waits between."""
        server = self.nginx()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = self.start(server.url, 64, "--max-attempts", "4", path="/cut")
        self.assertEqual(self.wait(process)[0], 3)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"{used_s:.2f} s of the processor", flush=True)
        if not is_sanitized():
            self.assertLess(used_s, 0.5)  # 256 attempts take some 0.05 s
        self.assertEqual(self.counts(server, 444), {row: 4 for row in range(1, 65)})

    def code(self, answer, rest=b""):
        """How a row ends whose every answer is this, with the rest for as long as it is taken."""

        def serve(connection):
            server.request(connection)
            connection.sendall(answer)
            while rest:
                connection.sendall(rest)
            until_closed(connection)

        server = RawServer(serve)
        self.addCleanup(server.close)
        process = self.start(server.url, 1, "--force")
        self.assertEqual(self.wait(process)[0], 3)
        [row] = self.rows()
        self.assertEqual((len(server.heads), row["attempts"]), (1, 1))
        return row["error"]["code"]

    def test_answers_that_are_too_large(self):
        ok = b"HTTP/1.1 200 OK\r\n"
        large = b"x" * 65536
        self.assertEqual(self.code(ok + b"\r\n", large), "bodysize")
        self.assertEqual(self.code(ok + b"X: " + b"v" * 120_000 + b"\r\n\r\n"), "headersize")
        self.assertEqual(self.code(ok + (b"X: " + b"v" * 995 + b"\r\n") * 400), "headersize")
        self.assertEqual(self.code(ok, b"X: " + large + b"\r\n"), "headersize")


if __name__ == "__main__":
    unittest.main()
