"""`weir run` with rows for several servers: what one of them limits holds the others back in
nothing."""

import gzip
import os
import threading
import time
import unittest

import weir_run
from weir_run import answer


def refuse(_):
    return answer("", "429 Too Many", ["Retry-After: 300"])


class Servers(weir_run.Case):
    ROWS = 40

    def start_rows(self, servers, *args):
        """Rows that take turns: the first is for the first server."""
        rows = [{"url": f"{server.url}/{i}"} for i in range(self.ROWS) for server in servers]
        self.write("in.jsonl", rows)
        return self.start("run", "in.jsonl", "-o", "out.jsonl", *args)

    def stop(self, process):
        process.send_signal(weir_run.signal.SIGINT)
        return self.finish(process)

    def test_a_pause_holds_no_other_server_back(self):
        limited, free = self.server(refuse), self.server(lambda _: answer())
        process = self.start_rows([limited, free])
        self.wait_for_output(lambda data: data.count(b"\n") == self.ROWS, "the others are written")
        self.assertEqual({row["row"] % 2 for row in self.rows()}, {0})
        result = self.stop(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertEqual(len(free.requests), self.ROWS)
        self.assertLess(len(limited.requests), self.ROWS, "its gate is closed")

    def test_case_and_port_of_a_url_make_no_other_server(self):
        limited = self.server(refuse)
        shout = limited.url.replace("http://", "HTTP://user@")
        self.write("in.jsonl", [{"url": f"{limited.url}/1"}, {"url": f"{shout}/2"}])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--concurrency", "1")
        self.wait_until(lambda: limited.requests, "the first is refused")
        time.sleep(0.3)  # time for another
        self.assertEqual(len(limited.requests), 1)
        self.assertEqual(self.stop(process).status, 130)

    def test_the_server_that_limits_is_named(self):
        limited, free = self.server(refuse), self.server(lambda _: answer())
        process = self.start_rows([limited, free], "--progress", "plain")
        seen = b""
        while b"pause" not in seen:
            piece = os.read(process.stderr.fileno(), 4096)
            self.assertTrue(piece, seen)
            seen += piece
        self.assertRegex(seen.decode(), rf"limited by the server's pause, 4 min.* \({limited.url}\)")
        process.kill()

    def test_compressed_answers(self):
        body = gzip.compress(b'{"answer": 42}')
        server = self.server(lambda _: answer(body, headers=["Content-Encoding: gzip"]))
        for args in ((), ("--compressed",)):
            self.write("in.jsonl", [{"url": f"{server.url}/"}])
            process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--force", *args)
            self.assertEqual(self.finish(process).status, 0)
            self.assertEqual(self.rows()[0]["response"]["body"], {"answer": 42})
            asked = server.requests[-1]["headers"].get("accept-encoding", [""])
            self.assertEqual("gzip" in asked[0], bool(args))

    def test_the_rate_is_each_servers(self):
        servers = [self.server(lambda _: answer()) for _ in range(3)]
        self.ROWS = 1
        process = self.start_rows(servers, "--rate", "1/h")
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual([len(server.requests) for server in servers], [1, 1, 1])

    def test_the_concurrency_is_over_all(self):
        go = threading.Event()
        self.addCleanup(go.set)

        def handler(_):
            go.wait(weir_run.PATIENCE)
            return answer()

        servers = [self.server(handler) for _ in range(2)]

        def in_flight():
            return [len(server.requests) for server in servers]

        process = self.start_rows(servers, "--concurrency", "6")
        self.wait_until(lambda: sum(in_flight()) >= 6, "as many are in flight as may be")
        time.sleep(0.3)  # time for another
        self.assertEqual(in_flight(), [3, 3])
        go.set()
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(in_flight(), [self.ROWS, self.ROWS])


if __name__ == "__main__":
    unittest.main()
