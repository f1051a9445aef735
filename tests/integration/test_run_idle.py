"""Rows of `weir run` whose server falls silent: --idle-timeout."""

import threading
import time
import unittest

import weir_run
from weir_run import answer

HEAD = (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n")
EVENT = 'data: {"choices":[{"delta":{"content":"a"}}]}\n\n'
DONE = "data: [DONE]\n\n"
STREAM = {"url": "/v1/chat/completions",
          "body": {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True}}
LIMIT_S = 0.25


def chunk(text):
    return b"%x\r\n%s\r\n" % (len(text), text.encode())


class Idle(weir_run.Case):
    def setUp(self):
        super().setUp()
        self.over = threading.Event()

    def silent_server(self, *said, count=1):
        """Says this to the first `count` requests and then nothing; sends the others a stream."""
        def handle(request):
            if request["number"] >= count:
                yield HEAD + chunk(EVENT) + chunk(DONE) + chunk("")
                return
            yield from said
            self.over.wait(weir_run.PATIENCE)

        server = self.server(handle)
        self.addCleanup(self.over.set)
        return server

    def run_one(self, row, server, *args, limit=("--idle-timeout", str(LIMIT_S)), **how):
        began = time.monotonic()
        rows = self.run_rows([row], "--base-url", server.url, "--force", *limit, *args, **how)
        self.took_s = time.monotonic() - began
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_a_stream_that_stalls_is_asked_for_again(self):
        for said in ((HEAD + chunk(EVENT),), (HEAD,), ()):
            with self.subTest(said):
                server = self.silent_server(*said, count=2)
                row = self.run_one(STREAM, server)
                self.assertEqual((row["attempts"], row["error"]), (3, None))
                self.assertEqual(row["response"]["body"], EVENT + DONE)
                self.assertEqual(len(server.requests), 3)
                self.assertGreaterEqual(self.took_s, 2 * LIMIT_S)

    def test_how_it_is_told(self):
        for args in (("--max-attempts", "1"), ("--no-replay",)):
            with self.subTest(args):
                server = self.silent_server(HEAD + chunk(EVENT))
                row = self.run_one(STREAM, server, *args, status=3)
                self.assertEqual((row["attempts"], row["response"], row["error"]), (1, None, {
                    "code": "timeout",
                    "message": "nothing came from the server for longer than the idle limit; "
                               "--idle-timeout says so"}))
                self.assertEqual(len(server.requests), 1)
        self.assertRegex(self.result.stderr, r"1 +timeout +in\.jsonl:1: nothing came")

    def test_a_stream_by_its_url(self):
        row = {"url": "/v1/m:generate?key=1&alt=sse#x", "body": {"stream": False}}
        self.assertEqual(self.run_one(row, self.silent_server(HEAD))["attempts"], 2)

    def steady_server(self, head, pieces, gap_s):
        def handle(_):
            yield head
            for _ in range(pieces):
                time.sleep(gap_s)
                yield chunk(": alive\n\n")
            yield chunk(EVENT) + chunk(DONE) + chunk("")

        return self.server(handle)

    def test_a_slow_stream_goes_on(self):
        pieces, gap_s = 8, 0.1
        limit = ("--idle-timeout", str(5 * gap_s))
        row = self.run_one(STREAM, self.steady_server(HEAD, pieces, gap_s), "--max-attempts", "1",
                           limit=limit)
        self.assertIsNone(row["error"])
        self.assertGreaterEqual(self.took_s, pieces * gap_s)

    def late_server(self):
        """Silent for longer than the limit, but not for ever, before its content and within."""
        def handle(_):
            whole = answer("{}")
            time.sleep(2 * LIMIT_S)
            yield whole[:-1]
            time.sleep(2 * LIMIT_S)
            yield whole[-1:]

        return self.server(handle)

    def test_other_rows_may_be_silent(self):
        messages = STREAM["body"]["messages"]
        for body in ({"stream": False}, {"messages": messages}, {"stream": "true"},
                     {"deeper": {"stream": True}}, ["stream", True], None):
            with self.subTest(body):
                row = {"url": "/v1/x?alt=ssee&calt=sse", "method": "POST", "body": body}
                told = self.run_one(row, self.late_server(), "--max-attempts", "1")
                self.assertIsNone(told["error"])

    def test_by_default_a_stream_may_begin_late(self):
        told = self.run_one(STREAM, self.late_server(), "--max-attempts", "1", limit=())
        self.assertIsNone(told["error"])

    def test_with_a_server_that_stalls_now_and_then_every_row_comes_whole(self):
        mock = self.mock("--fault", "stall:0.2", "--fault", "slow:0.2")
        rows = self.run_rows([STREAM] * 40, "--base-url", mock.url, "--idle-timeout", "0.4",
                             "--max-attempts", "30")
        self.assertEqual(len(rows), 40)
        for row in rows:
            self.assertTrue(row["response"]["body"].endswith(DONE))
        self.assertGreater(sum(row["attempts"] for row in rows), 40)


if __name__ == "__main__":
    unittest.main()
