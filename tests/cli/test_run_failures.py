"""`weir run` when servers refuse, fail or are not there."""

import json
import re
import threading
import time
import unittest

import weir_run
from weir_run import answer, free_port


class Statuses(weir_run.Case):
    def fail_with(self, reply, *args, status=3):
        """One row that gets this answer; returns its row of the output."""
        server = self.server(lambda _: reply)
        self.requests = server.requests
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url, "--force",
                             "--max-attempts", "1", *args, status=status)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_messages_of_servers(self):
        for body, message in (
            ('{"error":{"message":"too \\u0041 \\"odd\\"","code":"x"}}', 'too A "odd"'),
            ('{"error": "plain"}', "plain"),
            ('{"message":"top"}', "top"),
            ('{"detail":"detailed"}', "detailed"),
            ('{"error":{"message":7},"message":"other"}', "other"),
            ('{"error":{"message":"' + "x" * 5000 + '"}}', None),
            ('{"detail":[{"msg":"list"}]}', None),
            ("[]", None),
            ("<html>no</html>", None),
            ("", None),
        ):
            with self.subTest(body=body[:40]):
                row = self.fail_with(answer(body, "400 Bad Request"))
                self.assertEqual(row["response"]["status_code"], 400)
                self.assertEqual(row["error"], {
                    "code": "http_400",
                    "message": message or "the server does not understand the request"})
                try:
                    body = json.loads(body)
                except ValueError:
                    pass
                self.assertEqual(row["response"]["body"], body)
                self.assertEqual(row["attempts"], 1)

    def test_every_status_but_2xx_is_a_failure(self):
        for status in (200, 201, 204, 299):
            row = self.fail_with(answer("", f"{status} X"), status=0)
            self.assertEqual((row["error"], row["response"]["body"]), (None, ""))
        for status in (302, 304, 400, 402, 404, 418, 451, 500, 501, 503, 599):
            row = self.fail_with(answer("", f"{status} X"))
            self.assertEqual(row["error"]["code"], f"http_{status}")
            self.assertTrue(row["error"]["message"])

    def test_redirects_are_not_followed(self):
        row = self.fail_with(answer("", "302 Found", ["Location: http://127.0.0.1:1/x"]))
        self.assertIn("redirected to http://127.0.0.1:1/x", row["error"]["message"])
        self.assertIn("not followed", row["error"]["message"])
        self.assertEqual(len(self.requests), 1)

    def test_server_text_is_harmless_on_the_terminal_and_exact_in_the_output(self):
        text = "\x1b]0;evil\x07\x9b31m\u202egnp\u2066 \x7f\ttab é"
        body = json.dumps({"error": {"message": text}}, ensure_ascii=False)
        body = body.replace("\\u007f", "\x7f").encode()
        row = self.fail_with(answer(body, "400 Bad"))
        self.assertEqual(row["error"]["message"], text)
        for char in "\x1b\x07\x9b\u202e\u2066\x7f\t":
            self.assertNotIn(char, self.result.stderr)
        self.assertIn(r"\x1b]0;evil\x07\u{9b}31m\u{202e}gnp\u{2066} \x7f\x09tab é",
                      self.result.stderr)

    def test_summary_counts_causes(self):
        def handler(request):
            number = int(request["path"][1:])
            if number < 5:
                return answer('{"error":{"message":"first"}}', "400 Bad")
            return answer("", "422 No") if number < 8 else answer()

        server = self.server(handler)
        rows = [{"url": f"/{i}"} for i in range(10)]
        self.run_rows(rows, "--base-url", server.url, "--concurrency", "1", status=3)
        self.assertIn("10 rows in", self.result.stderr)
        self.assertIn("2 succeeded, 8 failed", self.result.stderr)
        lines = [line.strip() for line in self.result.stderr.splitlines()]
        self.assertEqual(lines[1], "5  http_400     in.jsonl:1: first")
        self.assertTrue(lines[2].startswith("3  http_422     in.jsonl:6: "), lines)

    def test_lines_and_rows_are_told_apart_where_they_differ(self):
        server = self.server(lambda _: answer("", "400 Bad"))
        self.run_rows('\n{"url":"/"}\n\n\nbad\n', "--base-url", server.url, status=3)
        lines = [line.strip() for line in self.result.stderr.splitlines()]
        self.assertRegex(lines[1] + "\n" + lines[2], r"1  http_400     in.jsonl:2 \(row 1\): the")
        self.assertRegex(lines[1] + "\n" + lines[2], r"1  bad_row      in.jsonl:5 \(row 2\): not JSON")

    def test_summary_tells_how_to_find_the_failed_rows(self):
        self.fail_with(answer("", "400 Bad"))
        self.assertTrue(self.result.stderr.endswith(
            "weir run: failed rows: jq 'select(.error != null) | .row' out.jsonl\n"))
        self.fail_with(answer(), status=0)
        self.assertNotIn("failed rows", self.result.stderr)
        server = self.server(lambda _: answer("", "400 Bad"))
        for output in ("-", "/dev/null", "a b", "$(x)", "x" * 100):
            result = self.weir("run", "in.jsonl", "-o", output, "--base-url", server.url)
            self.assertEqual(result.status, 3, result.stderr)
            self.assertNotIn("failed rows", result.stderr)

    def test_more_causes_than_the_summary_has_room_for(self):
        server = self.server(lambda r: answer("", f"{r['path'][1:]} X"))
        rows = [{"url": f"/{i}"} for i in range(404, 434)]
        self.run_rows(rows, "--base-url", server.url, "--max-attempts", "1", status=3)
        self.assertIn("for other causes", self.result.stderr)
        self.assertIn("30 failed", self.result.stderr)


class Retries(weir_run.Case):
    def hint_after(self, headers, *args, throttled=1):
        """What is said at the end when the first answers are "too fast"."""
        server = self.server(lambda r: answer("{}", "429 Too Many") if r["number"] < throttled
                             else answer(headers=headers))
        self.run_rows([{"url": "/"}], "--base-url", server.url, "--force", *args)
        return self.result.stderr.splitlines()[-1]

    def test_summary_hints_at_the_rate(self):
        limit = "X-RateLimit-Limit-Requests: 600"
        self.assertEqual(self.hint_after([]),
                         'weir run: giving a --rate would avoid the "too fast" answers')
        self.assertEqual(self.hint_after([limit], "--rate", "6000/min"),
                         'weir run: a lower --rate than 6000/min would avoid the "too fast" '
                         "answers (the server's x-ratelimit-limit-requests: 600)")
        for odd in ("600;w=60", "", "1" * 50, "-1"):
            self.assertTrue(self.hint_after([f"x-ratelimit-limit-requests: {odd}"])
                            .endswith("answers"), odd)
        self.assertIn("output: ", self.hint_after([limit], "--rate", "10/s", throttled=0))

    def test_summary_names_the_rate_that_was_learned(self):
        mock = self.mock("--rate", "20/s", "--burst", "4", "--headers", "none")
        self.run_rows([{"url": "/echo", "body": i} for i in range(200)], "--base-url", mock.url)
        last = self.result.stderr.splitlines()[-1]
        told = re.fullmatch(rf"weir run: {mock.url} lets about ([\d.]+)/s through: --rate (\d+)/min "
                            'next time starts there, without most of the "too fast" answers', last)
        self.assertTrue(told, self.result.stderr)
        self.assertAlmostEqual(float(told[1]), 20, delta=2)
        self.assertAlmostEqual(int(told[2]), 1200, delta=120)

    def test_429_is_waited_out(self):
        arrivals = []

        def handler(request):
            arrivals.append(time.monotonic())
            if len(arrivals) == 1:
                return answer("{}", "429 Too Many", ["Retry-After: 1"])
            return answer()

        server = self.server(handler)
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url)
        self.assertEqual((rows[0]["attempts"], rows[0]["error"]), (2, None))
        self.assertGreaterEqual(arrivals[1] - arrivals[0], 0.99)
        self.assertIn('2 attempts, 1 answered "too fast"', self.result.stderr)

    def test_a_limited_server_answers_every_row_in_the_end(self):
        mock = self.mock("--rate", "100/s", "--burst", "2")  # fewer than come before the first answer
        rows = self.run_rows([{"url": "/echo", "body": i} for i in range(30)], "--base-url",
                             mock.url,
                             "--concurrency", "8", "--max-attempts", "50")
        self.assertEqual([r["error"] for r in rows], [None] * 30)
        self.assertEqual(mock.stats()["admitted"], 30)
        self.assertGreater(mock.stats()["throttled"], 0)

    def test_faults_of_the_server(self):
        mock = self.mock("--fault", "reset:0.05", "--fault", "500:0.05", "--fault", "truncate:0.05")
        rows = self.run_rows([{"custom_id": i, "url": "/echo", "body": i} for i in range(200)],
                             "--base-url", mock.url, "--max-attempts", "30")
        self.assertEqual(sorted(r["response"]["body"] for r in rows), list(range(200)))
        self.assertGreater(mock.stats()["admitted"], 200)
        self.assertGreater(sum(r["attempts"] for r in rows), 200)

    def test_max_attempts(self):
        server = self.server(lambda _: answer("no", "500 Oops"))
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url, "--max-attempts",
                             "3",
                             status=3)
        self.assertEqual(len(server.requests), 3)
        self.assertEqual(rows[0]["attempts"], 3)
        self.assertEqual(rows[0]["error"]["code"], "http_500")
        self.assertEqual(rows[0]["response"],
                         {"status_code": 500, "request_id": None, "body": "no"})

    def lose(self, *args, body=1, status=0):
        """The connection is lost twice before there is an answer."""
        server = self.server(lambda r: None if r["number"] < 2 else answer())
        rows = self.run_rows([{"url": "/", "body": body}], "--base-url", server.url, "--force",
                             *args,
                             status=status)
        return rows[0], len(server.requests)

    def test_lost_connections(self):
        row, sent = self.lose()
        self.assertEqual((row["attempts"], row["error"], sent), (3, None, 3))

    def test_no_replay(self):
        row, sent = self.lose("--no-replay", status=3)
        self.assertEqual((row["attempts"], row["error"]["code"], sent), (1, "reset", 1))
        self.assertIsNone(row["response"])
        row, sent = self.lose("--no-replay", body=None)
        self.assertEqual((row["attempts"], row["error"], sent), (3, None, 3))

    def test_timeout(self):
        hang = threading.Event()
        self.addCleanup(hang.set)

        def handler(request):
            if request["path"] == "/hangs":
                hang.wait(weir_run.PATIENCE)
            return answer()

        server = self.server(handler)
        began = time.monotonic()
        rows = self.run_rows([{"url": "/hangs"}, {"url": "/"}], "--base-url", server.url,
                             "--timeout",
                             "0.5", status=3)
        self.assertLess(time.monotonic() - began, 5)
        rows = {row["row"]: row for row in rows}
        self.assertEqual((rows[1]["error"]["code"], rows[1]["response"]), ("timeout", None))
        self.assertIsNone(rows[2]["error"])

    def test_timeout_does_not_count_the_wait_for_the_first_turn(self):
        mock = self.mock()
        rows = self.run_rows([{"url": "/echo", "body": i} for i in range(20)], "--base-url",
                             mock.url,
                             "--rate", "15/s", "--timeout", "0.4")
        self.assertEqual([row["error"] for row in rows], [None] * 20)

    def test_timeout_leaves_time_for_another_attempt_after_a_long_wait_for_the_first(self):
        seen = []

        def handler(request):
            seen.append(request["path"])
            return answer("",
                          "500 Oops" if seen.count("/5") == 1 and seen[-1] == "/5" else "200 OK")

        server = self.server(handler)
        rows = self.run_rows([{"url": f"/{i}"} for i in range(6)], "--base-url", server.url,
                             "--rate", "4/s", "--timeout", "1")
        self.assertEqual([row["error"] for row in rows], [None] * 6)
        self.assertEqual(rows[5]["attempts"], 2)

    def test_half_an_answer_is_none(self):
        half = weir_run.Last(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}")
        server = self.server(lambda _: half)
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url, "--max-attempts",
                             "2",
                             status=3)
        self.assertEqual((rows[0]["error"]["code"], rows[0]["response"], rows[0]["attempts"]),
                         ("reset", None, 2))

    def test_garbage(self):
        server = self.server(lambda _: b"garbage\r\n\r\n")
        rows = self.run_rows([{"url": "/", "body": 1}], "--base-url", server.url, "--max-attempts",
                             "1",
                             status=3)
        self.assertEqual((rows[0]["error"]["code"], rows[0]["response"]), ("proto", None))


class Unreachable(weir_run.Case):
    ROWS = [{"url": f"/{i}", "body": i} for i in range(500)]

    def test_refused(self):
        url = f"http://127.0.0.1:{free_port()}"
        began = time.monotonic()
        self.run_rows(self.ROWS, "--base-url", url + "/v1", status=69)
        self.assertLess(time.monotonic() - began, 5)
        self.assertFalse(self.exists("out.jsonl"))
        self.assertEqual(self.result.stderr.count("\n"), 1)
        self.assertIn(f"cannot connect to {url}: ", self.result.stderr)
        self.assertIn("is the server running? Check --base-url. Nothing was sent.",
                      self.result.stderr)

    def test_a_socket_that_is_not_there(self):
        self.run_rows(self.ROWS, "--base-url", "http://localhost", "--unix-socket", "none.sock",
                      status=69)
        self.assertIn("unix socket none.sock: No such file or directory", self.result.stderr)
        self.assertIn("Check --unix-socket. Nothing was sent.", self.result.stderr)
        self.assertNotIn("port 80", self.result.stderr)

    def test_a_proxy_that_is_not_there(self):
        self.run_rows(self.ROWS, "--base-url", "http://weir-test.invalid", "--proxy",
                      f"http://127.0.0.1:{free_port()}", status=69)
        self.assertIn("is the proxy running", self.result.stderr)
        self.assertIn("Check --proxy. Nothing was sent.", self.result.stderr)

    def test_rows_that_could_not_be_sent_anyway_do_not_change_that(self):
        url = f"http://127.0.0.1:{free_port()}"
        self.run_rows("bad\n" + '{"url":"/"}\n' * 100, "--base-url", url, status=69)
        self.assertIn("Nothing was sent", self.result.stderr)
        self.assertFalse(self.exists("out.jsonl"))

    def test_unknown_host(self):
        self.run_rows(self.ROWS, "--base-url", "http://weir-test.invalid", status=69)
        self.assertFalse(self.exists("out.jsonl"))
        self.assertIn("cannot connect to http://weir-test.invalid: ", self.result.stderr)
        self.assertIn("; is the name right, and this machine on the network? Check --base-url.",
                      self.result.stderr)

    def test_a_server_without_tls(self):
        server = self.server(lambda _: answer())
        self.run_rows(self.ROWS, "--base-url", server.url.replace("http:", "https:"), status=69)
        self.assertIn("; does it speak https there, with a certificate this machine trusts? Check "
                      "--base-url. Nothing was sent.", self.result.stderr)

    def test_rows_with_whole_urls(self):
        url = f"http://127.0.0.1:{free_port()}"
        self.run_rows([{"url": url + "/a"}] * 100, status=69)
        self.assertIn("Check the rows' URLs. Nothing was sent.", self.result.stderr)
        self.assertFalse(self.exists("out.jsonl"))

    def test_what_force_would_overwrite_stays(self):
        self.write("out.jsonl", "precious\n")
        self.write("in.jsonl", self.ROWS)
        url = f"http://127.0.0.1:{free_port()}"
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url", url)
        self.assertEqual(result.status, 69)
        self.assertEqual(self.read("out.jsonl"), b"precious\n")

    def test_password_in_the_url_is_not_shown(self):
        url = f"http://user:s3cret@127.0.0.1:{free_port()}"
        self.write("in.jsonl", self.ROWS)
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--base-url", url)
        self.assertIn(result.status, (2, 69))
        self.assertNotIn("s3cret", result.stderr)

    def test_another_server_that_is_down_fails_its_rows_alone(self):
        server = self.server(lambda _: answer())
        dead = f"http://127.0.0.1:{free_port()}/"
        rows = self.run_rows([{"url": dead}, {"url": "/a"}, {"url": "/b"}], "--base-url",
                             server.url,
                             "--concurrency", "1", "--max-attempts", "2", status=3)
        rows = {row["row"]: row for row in rows}
        self.assertEqual(rows[1]["error"]["code"], "connect")
        self.assertEqual((rows[2]["error"], rows[3]["error"]), (None, None))

    def test_a_server_that_goes_away_later_is_waited_for(self):
        server = self.server(lambda _: answer("{}", headers=["Connection: close"]))
        process = self.start("run", "-", "-o", "out.jsonl", "--base-url", server.url,
                             "--max-attempts", "2", "--max-outage", "1",
                             stdin=weir_run.subprocess.PIPE)
        process.stdin.write(b'{"url":"/"}\n')
        process.stdin.flush()
        self.wait_for_output(lambda data: data, "a row is there")
        server.close()
        result = self.finish(process, b'{"url":"/"}\n')
        self.assertEqual(result.status, 69, result.stderr)
        self.assertEqual([row["error"] for row in self.rows()], [None])
        self.assertIn("has been away for 1.0 s", result.stderr)
        self.assertIn("holds 1 rows; 1 more row had been read but not sent", result.stderr)
        self.assertIn("3 attempts", result.stderr)


class Keys(weir_run.Case):
    def refuse(self, statuses, count, *args):
        """Row i gets statuses[i], or the last of them; one after the other."""

        def handler(request):
            number = min(request["number"], len(statuses) - 1)
            return answer('{"error":{"message":"bad key"}}', f"{statuses[number]} X")

        self.seen = self.server(handler)
        self.write("in.jsonl", [{"url": "/", "body": i} for i in range(count)])
        return self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url",
                         self.seen.url,
                         "--concurrency", "1", *args)

    def test_a_refused_key_ends_the_run(self):
        for status in (401, 403):
            with self.subTest(status=status):
                result = self.refuse([status], 500, "--header", "Authorization: Bearer k")
                self.assertEqual(result.status, 4, result.stderr)
                self.assertIn(f"refused the first 20 rows with {status} (bad key): stopped; check "
                              "--api-key-env", result.stderr)
                rows = self.rows()
                self.assertEqual(len(rows), len(self.seen.requests))
                self.assertGreaterEqual(len(rows), 20)
                self.assertLess(len(rows), 25)
                self.assertEqual({row["error"]["code"] for row in rows}, {f"http_{status}"})

    def test_a_key_that_was_forgotten(self):
        result = self.refuse([401], 100)
        self.assertEqual(result.status, 4, result.stderr)
        self.assertIn("(bad key): stopped; no key was given: add --api-key-env or --header",
                      result.stderr)

    def test_a_key_that_the_server_repeats_is_not_shown(self):
        key = "sk-0123456789"

        def handler(request):
            said = "wrong key: {0}, {0}".format(request["headers"]["authorization"][0][7:])
            return answer(json.dumps({"error": {"message": said}}), "401 X")

        server = self.server(handler)
        for count in (5, 100):
            self.write("in.jsonl", [{"url": "/", "body": i} for i in range(count)])
            result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url",
                               server.url, "--api-key-env", "KEY", env={"KEY": key})
            self.assertIn("wrong key: ***, ***", result.stderr)
            self.assertNotIn(key, result.stderr)

    def test_few_rows_are_just_failures(self):
        self.assertEqual(self.refuse([401], 19).status, 3)

    def test_a_success_shows_that_the_key_is_good(self):
        self.assertEqual(self.refuse([200, 401], 100).status, 3)
        self.assertEqual(len(self.seen.requests), 100)
        self.assertEqual(self.refuse([401] * 10 + [200] + [401], 100).status, 3)
        self.assertEqual(len(self.seen.requests), 100)

    def test_different_refusals_are_no_verdict(self):
        self.assertEqual(self.refuse([401, 403], 100).status, 3)
        self.assertEqual(self.refuse([401] * 5 + [404] + [401], 100).status, 3)


if __name__ == "__main__":
    unittest.main()
