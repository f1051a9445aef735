"""Idempotency keys of the rows of `weir run`."""

import re
import unittest

import weir_run
from weir_run import answer

UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
EVENTS = ["Content-Type: text/event-stream"]


class Keys(weir_run.Case):
    def keys(self, rows, *args, handler=lambda _: answer(), option=("--idempotency-key",), **how):
        """The keys that the server got with these rows: for each path a list of those that each
        sending had, itself a list of the header's values."""
        self.server_ = self.server(handler)
        self.result_rows = self.run_rows(
            rows, "--base-url", self.server_.url, "--force", *option, *args, **how)
        keys = {}
        for request in self.server_.requests:
            values = request["headers"].get("idempotency-key", [])
            keys.setdefault(request["path"], []).append(values)
        return keys

    def check_made_up(self, sendings, count):
        """That many sendings, all with one key."""
        self.assertEqual(len(sendings), count)
        self.assertEqual(sendings, sendings[:1] * count)
        self.assertEqual(len(sendings[0]), 1)
        self.assertRegex(sendings[0][0], UUID)
        return sendings[0][0]

    @staticmethod
    def twice(*lost):
        """A handler that gives the first sending of each path these, and then an answer."""
        seen = {}

        def handle(request):
            path = request["path"]
            seen[path] = seen.get(path, -1) + 1
            return lost[seen[path]] if seen[path] < len(lost) else answer()

        return handle

    def test_one_for_each_row_in_all_its_attempts(self):
        rows = [{"url": f"/{n}", "method": method, "body": n}
                for n, method in enumerate(["POST", "PATCH", "post"] * 4)]
        lost = (None, answer(status="500 No"), b"", answer(status="429 Slow"))
        keys = self.keys(rows, handler=self.twice(*lost))
        self.assertEqual(len(keys), len(rows))
        made = {self.check_made_up(sendings, len(lost) + 1) for sendings in keys.values()}
        self.assertEqual(len(made), len(rows))
        self.assertEqual({row["attempts"] for row in self.result_rows}, {len(lost) + 1})

    def test_none_unless_asked_for(self):
        keys = self.keys([{"url": "/a", "body": 1}], option=(), handler=self.twice(None))
        self.assertEqual(keys, {"/a": [[], []]})

    def test_none_with_other_methods(self):
        rows = [{"url": f"/{m}", "method": m} for m in ("GET", "HEAD", "PUT", "DELETE")]
        keys = self.keys(rows + [{"url": "/none"}, {"url": "/empty", "method": "POST"}])
        self.check_made_up(keys.pop("/empty"), 1)
        self.assertEqual(keys, {path: [[]] for path in ("/GET", "/HEAD", "/PUT", "/DELETE",
                                                        "/none")})

    def test_a_rows_own_is_sent_in_its_place(self):
        rows = [{"url": "/own", "body": 1, "headers": {"idempotency-KEY": "order-7"}},
                {"url": "/other", "body": 1, "headers": {"X-Key": "order-8"}}]
        keys = self.keys(rows, handler=self.twice(None))
        self.assertEqual(keys["/own"], [["order-7"]] * 2)
        self.check_made_up(keys["/other"], 2)

    def test_the_command_lines_is_sent_where_its_headers_go(self):
        given = ("--header", "Idempotency-Key: all")
        elsewhere = self.server(self.twice(None))
        rows = [{"url": "/here", "body": 1}, {"url": elsewhere.url + "/there", "body": 1},
                {"url": "/own", "body": 1, "headers": {"Idempotency-Key": "order-7"}}]
        keys = self.keys(rows, *given, handler=self.twice(None))
        self.assertEqual(keys, {"/here": [["all"]] * 2, "/own": [["order-7"]] * 2})
        self.check_made_up([request["headers"]["idempotency-key"]
                            for request in elsewhere.requests], 2)
        self.assertEqual({row["error"] for row in self.result_rows}, {None})

    def test_without_a_base_url_its_headers_go_everywhere(self):
        servers = [self.server(lambda _: answer()) for _ in range(2)]
        rows = [{"url": server.url + "/x", "body": 1} for server in servers]
        self.run_rows(rows, "--idempotency-key", "--header", "Idempotency-Key: all")
        for server in servers:
            self.assertEqual([request["headers"]["idempotency-key"]
                              for request in server.requests], [["all"]])

    def test_streams_have_one(self):
        cut = answer('data: {"choices":[{}]}\n\n', headers=EVENTS)
        keys = self.keys([{"url": "/s", "body": {"stream": True}}], handler=self.twice(cut, cut))
        self.check_made_up(keys["/s"], 3)


if __name__ == "__main__":
    unittest.main()
