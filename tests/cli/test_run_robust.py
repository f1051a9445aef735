"""`weir run` where something is short: a slow reader, files, patience of the server, a way to it."""

import json
import os
import resource
import time
import unittest

import weir_run
from weir_run import answer

DEAD_PROXY = "http://127.0.0.1:9"


class SlowReader(weir_run.Case):
    def test_answers_do_not_pile_up_in_memory(self):
        """While nobody reads, no more requests start than memory may hold the answers of."""
        body = b'"' + b"y" * (1 << 20) + b'"'
        server = self.server(lambda _: answer(body))
        rows = 100
        self.write("in.jsonl", [{"url": f"/{i}"} for i in range(rows)])
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url,
                             "--concurrency", "4", "--progress", "none")
        seen, quiet_since = 0, time.monotonic()
        while time.monotonic() - quiet_since < 1 and seen < rows:
            if len(server.requests) > seen:
                seen, quiet_since = len(server.requests), time.monotonic()
            time.sleep(0.01)
        self.assertGreater(seen, 4)
        self.assertLess(seen, 16)  # 2 MiB, one answer for each place, and a little
        result = self.finish(process)
        self.assertEqual(result.status, 0, result.stderr)
        self.assertEqual(sorted(row["row"] for row in weir_run.rows_of(result.stdout)),
                         list(range(1, rows + 1)))

    def test_interrupt_while_answers_wait_for_the_reader(self):
        body = b'"' + b"y" * (1 << 20) + b'"'
        server = self.server(lambda _: answer(body))
        self.write("in.jsonl", [{"url": f"/{i}"} for i in range(50)])
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url,
                             "--concurrency", "4", "--progress", "none")
        self.wait_until(lambda: len(server.requests) > 6, "answers wait")
        process.send_signal(weir_run.signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertEqual(len(weir_run.rows_of(result.stdout)), len(server.requests))


class Places(weir_run.Case):
    """Two rows at a time; those that wait for another attempt let up to 16 others pass."""

    ROWS = 40

    def start_rows(self, waiting):
        """The first `waiting` rows that come are to wait for long."""

        def handler(request):
            if request["number"] < waiting:
                return answer("", "500 Oops", ["Retry-After: 300"])
            return answer()

        server = self.server(handler)
        self.write("in.jsonl", [{"url": f"/{i}"} for i in range(self.ROWS)])
        return server, self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url,
                                  "--concurrency", "2")

    def test_waiting_rows_hold_up_no_others(self):
        _, process = self.start_rows(17)
        done = self.ROWS - 17
        self.wait_for_output(lambda data: data.count(b"\n") == done, "all others are written")
        process.send_signal(weir_run.signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertIn(f"holds {done} rows; 17 more may have reached the server, 0 had been read "
                      "but not sent\n", result.stderr)

    def test_waiting_rows_are_bounded(self):
        server, process = self.start_rows(self.ROWS)
        self.wait_until(lambda: len(server.requests) == 18, "all that may wait do")
        time.sleep(0.3)  # time for another
        process.send_signal(weir_run.signal.SIGINT)
        result = self.finish(process)
        self.assertEqual((result.status, len(server.requests)), (130, 18), result.stderr)
        self.assertIn("holds 0 rows; 18 more may have reached the server, 0 had been read but not "
                      "sent\n", result.stderr)


class OldOutput(weir_run.Case):
    def test_bad_rows_alone_do_not_cost_it(self):
        self.write("out.jsonl", "precious\n")
        process = self.start("run", "-", "-o", "out.jsonl", "--force", "--base-url",
                             f"http://127.0.0.1:{weir_run.free_port()}",
                             stdin=weir_run.subprocess.PIPE)
        process.stdin.write(b"bad\n")
        process.stdin.flush()
        time.sleep(0.3)  # time to write, if it would
        self.assertEqual(self.read("out.jsonl"), b"precious\n")
        result = self.finish(process, b'{"url":"/"}\n')
        self.assertEqual(result.status, 69, result.stderr)
        self.assertEqual(self.read("out.jsonl"), b"precious\n")

    def test_bad_rows_replace_it_when_the_input_has_ended(self):
        self.write("out.jsonl", "old\n")
        rows = self.run_rows("bad\n", "--force", "--base-url", "http://127.0.0.1:9", status=3)
        self.assertEqual([row["error"]["code"] for row in rows], ["bad_row"])

    def test_rows_that_are_done_are_kept_when_the_server_is_not_there(self):
        other = f"http://127.0.0.1:{weir_run.free_port()}/"
        own = f"http://127.0.0.1:{weir_run.free_port()}"
        self.write("out.jsonl", "")
        process = self.start("run", "-", "-o", "out.jsonl", "--force", "--base-url", own,
                             "--max-attempts", "1", stdin=weir_run.subprocess.PIPE)
        process.stdin.write((json.dumps({"url": other}).encode() + b"\n") * 30)
        process.stdin.flush()
        self.wait_until(lambda: self.read("out.jsonl").count(b"\n") == 30, "the rows are written")
        result = self.finish(process, b'{"url":"/"}\n')
        self.assertEqual(result.status, 69, result.stderr)
        rows = [json.loads(line) for line in self.read("out.jsonl").splitlines()]
        self.assertEqual([row["error"]["code"] for row in rows], ["connect"] * 30)


class Contradictions(weir_run.Case):
    def refuse(self, *args, says):
        self.write("in.jsonl", [{"url": "/"}])
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", *args)
        self.assertEqual(result.status, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertFalse(self.exists("out.jsonl"))
        return result.stderr

    def test_burst_that_never_comes_back(self):
        said = self.refuse("--base-url", "http://127.0.0.1:9", "--rate", "1/d", "--burst",
                           "1000000", says="--burst 1000000")
        self.assertIn("--rate", said)

    def test_parts_of_the_base_url(self):
        said = self.refuse("--base-url", "http://me:s3cret@127.0.0.1:9/",
                           says="--base-url holds a user name; leave it out")
        self.assertNotIn("s3cret", said)
        for url in ("http://127.0.0.1:9/?a=b@c", "http://127.0.0.1:9/#x"):
            self.refuse("--base-url", url, says="--base-url holds a ? or #")

    def test_headers_that_frame_the_request(self):
        for name in ("Content-Length", "transfer-encoding"):
            said = self.refuse("--base-url", "http://127.0.0.1:9", "--header", "X-A: b",
                               "--header", f"{name}: 5", says=f"--header '{name}...' is for weir")
            self.assertIn("leave it out", said)

    def test_rows(self):
        server = self.server(lambda _: answer())
        bad = (
            ('{"url":"/","method":"head","body":1}', 'HEAD with a body; remove "body"'),
            ('{"url":"//127.0.0.1/x"}', '"url" begins with //; begin it with one /'),
            ('{"url":"/","body":1,"headers":{"content-length":"5"}}',
             'header "content-length" is for weir itself to set; remove it'),
            ('{"url":"/","headers":{"Transfer-Encoding":"chunked"}}',
             'header "Transfer-Encoding" is for weir itself to set; remove it'),
        )
        rows = self.run_rows("\n".join(line for line, _ in bad), "--base-url", server.url,
                             "--concurrency", "1", status=3)
        for row, (_, says) in zip(rows, bad):
            self.assertEqual(row["error"]["code"], "bad_row")
            self.assertIn(says, row["error"]["message"])
        self.assertEqual(server.requests, [])


class Files(weir_run.Case):
    ROWS = [{"url": "/", "body": 1}] * 300

    def test_a_shortage_here_is_no_unreachable_server(self):
        """The program inherits so many open files that not all connections fit beside them."""

        def crowded():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_NOFILE, (264, 264))
            for _ in range(120):
                os.set_inheritable(os.dup(0), True)

        def handler(_):
            time.sleep(0.05)
            return answer()

        server = self.server(handler)
        rows = self.run_rows(self.ROWS, "--base-url", server.url, "--concurrency", "200",
                             "--max-attempts", "30", before=crowded, close_fds=False)
        self.assertEqual([row["error"] for row in rows], [None] * len(self.ROWS))
        self.assertIn("264 open files are allowed, and --concurrency 200 may need up to 656",
                      self.result.stderr)

    def test_room_for_more_than_one_file_a_connection(self):
        def few_files_for_now():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, 4096))

        limits = []

        def handler(_):
            with open(f"/proc/{process.pid}/limits", encoding="ascii") as file:
                limits.extend(line.split()[3] for line in file if line.startswith("Max open"))
            return answer()

        server = self.server(handler)
        process = self.start("run", "-", "-o", "out.jsonl", "--base-url", server.url,
                             "--concurrency", "100", before=few_files_for_now,
                             stdin=weir_run.subprocess.PIPE)
        result = self.finish(process, b'{"url":"/"}\n')
        self.assertEqual((result.status, limits), (0, ["456"]), result.stderr)
        self.assertNotIn("open files", result.stderr)


class Patience(weir_run.Case):
    def test_too_fast_never_loses_a_row(self):
        server = self.server(lambda request: answer() if request["number"] >= 12 else
                             answer("", "429 Too Many", ["Retry-After-Ms: 1"]))
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url,
                             "--max-attempts", "2")
        self.assertEqual((rows[0]["error"], rows[0]["attempts"]), (None, 13))

    def test_a_pause_of_an_hour_is_waited_for(self):
        server = self.server(lambda _: answer("", "429 Too Many", ["Retry-After: 3600"]))
        self.write("in.jsonl", [{"url": "/", "body": 1}])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url)
        self.wait_until(lambda: server.requests, "the request is there")
        with self.assertRaises(weir_run.subprocess.TimeoutExpired):
            process.wait(0.5)
        process.send_signal(weir_run.signal.SIGINT)
        self.assertEqual(self.finish(process).status, 130)


class Proxies(weir_run.Case):
    def run_dead(self, url, env):
        self.write("in.jsonl", [{"url": "/"}])
        return self.weir("run", "in.jsonl", "-o", "out.jsonl", "--base-url", url, env=env)

    def test_proxy_that_is_not_there_is_named(self):
        for url, name in (("http://weir-test.invalid", "http_proxy"),
                          ("https://weir-test.invalid", "HTTPS_PROXY"),
                          ("http://weir-test.invalid", "ALL_PROXY")):
            with self.subTest(name=name):
                result = self.run_dead(url, {name: DEAD_PROXY})
                self.assertEqual(result.status, 69, result.stderr)
                self.assertIn(f"the variable {name} names a proxy", result.stderr)

    def test_no_proxy_no_word_of_it(self):
        self.assertNotIn("proxy", self.run_dead("http://weir-test.invalid", {}).stderr)

    def test_this_machine_needs_no_proxy(self):
        env = {"http_proxy": DEAD_PROXY, "ALL_PROXY": DEAD_PROXY}
        server = self.server(lambda _: answer())
        self.run_rows([{"url": "/"}], "--base-url", server.url, env=env)
        self.run_rows([{"url": "/"}], "--base-url", server.url.replace("127.0.0.1", "localhost"),
                      "--force", env=env)
        dead = self.run_dead(f"http://127.0.0.1:{weir_run.free_port()}", env)
        self.assertNotIn("proxy", dead.stderr)


if __name__ == "__main__":
    unittest.main()
