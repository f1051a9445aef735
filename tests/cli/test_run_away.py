"""`weir run` when a server goes away in mid-run: its rows wait, or are left for another run."""

import re
import signal
import socket
import threading
import time
import unittest

import weir_run
from weir_run import answer, free_port


class Away(weir_run.Case):
    def wait_for_rows(self, count):
        self.wait_for_output(lambda data: data.count(b"\n") >= count, f"{count} rows are written")

    def back(self, url):
        """Another mock where the one that was lost had been."""
        self.mock("--port", url.rsplit(":", 1)[1])

    def mock_rows(self, mock, count):
        self.write("in.jsonl", [{"url": "/echo", "body": i} for i in range(count)])
        return ["run", "in.jsonl", "-o", "out.jsonl", "--rate", "200/s", "--progress", "0.5", "--base-url",
                mock.url]

    def lose(self, mock):
        mock.close()
        mock.close = lambda: None

    def test_no_row_is_lost_while_it_is_away(self):
        mock = self.mock()
        process = self.start(*self.mock_rows(mock, 600))
        self.wait_for_rows(100)
        self.lose(mock)
        seen = self.said(process, b"has gone away")
        self.assertRegex(seen, rf"waiting for {mock.url}, away for ")
        self.assertIn("for up to 1 h 0 min (--max-outage)", seen)
        self.assertLess(self.read("out.jsonl").count(b"\n"), 400)
        self.back(mock.url)
        self.said(process, b"is back after ")
        result = self.finish(process)
        self.assertEqual(result.status, 0, result.stderr)
        rows = self.rows()
        self.assertEqual(sorted(row["row"] for row in rows), list(range(1, 601)))
        self.assertEqual({str(row["error"]) for row in rows}, {"None"})

    def test_it_costs_no_attempt_and_no_time(self):
        """Not even with --max-attempts 1. Only what is in flight at the moment may be lost."""
        mock = self.mock()
        process = self.start(*self.mock_rows(mock, 300), "--max-attempts", "1", "--timeout", "2",
                             "--no-replay", "--concurrency", "1")
        self.wait_for_rows(50)
        self.lose(mock)
        self.said(process, b"has gone away")
        self.back(mock.url)
        result = self.finish(process)
        self.assertIn(result.status, (0, 3), result.stderr)
        rows = self.rows()
        self.assertEqual(len(rows), 300)
        self.assertLessEqual({row["error"]["code"] for row in rows if row["error"]}, {"reset"})
        self.assertLessEqual(sum(row["error"] is not None for row in rows), 1)

    def test_given_up_after_max_outage(self):
        mock = self.mock()
        process = self.start(*self.mock_rows(mock, 20000), "--max-outage", "1.5")
        self.wait_for_rows(100)
        self.lose(mock)
        result = self.finish(process)
        self.assertEqual(result.status, 69, result.stderr)
        rows = self.rows()
        self.assertEqual({str(row["error"]) for row in rows}, {"None"}, "the others are left")
        self.assertIn(f"{mock.url} has been away for 1.5 s (--max-outage): Failed to connect",
                      result.stderr)
        self.assertRegex(result.stderr, rf"out.jsonl holds {len(rows)} rows; .*\d+ (more rows )?had "
                         "been read but not sent")
        self.assertIn(f"{len(rows)} succeeded, 0 failed", result.stderr)

    def test_interrupted_while_it_is_away(self):
        mock = self.mock()
        process = self.start(*self.mock_rows(mock, 20000))
        self.wait_for_rows(100)
        self.lose(mock)
        self.said(process, b"has gone away")
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = self.finish(process)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertIn("stopped by SIGINT", result.stderr)
        self.assertEqual({str(row["error"]) for row in self.rows()}, {"None"})

    def test_rows_for_others_go_on(self):
        stays, goes = self.mock(), self.mock()
        self.write("in.jsonl", [{"url": mock.url + "/echo", "body": i} for i in range(400)
                                for mock in (goes, stays)])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--rate", "200/s",
                             "--max-outage", "1.5", "--progress", "plain")
        self.wait_for_rows(100)
        self.lose(goes)
        result = self.finish(process)
        self.assertEqual(result.status, 69, result.stderr)
        rows = self.rows()
        self.assertEqual(sum(row["row"] % 2 == 0 for row in rows), 400, "all of the one that stays")
        self.assertEqual({str(row["error"]) for row in rows}, {"None"})
        left = 800 - len(rows)
        self.assertGreater(left, 100)
        self.assertIn(f"{left} rows were not sent, since their server was away", result.stderr)
        self.assertIn("given up, its rows are left for another run", result.stderr)

    def test_one_that_was_never_there_holds_nobody_back(self):
        stays = self.mock()
        dead = f"http://127.0.0.1:{free_port()}"
        self.write("in.jsonl", [{"url": stays.url + "/echo"}] +
                   [{"url": url + "/echo", "body": i} for i in range(500)
                    for url in (dead, stays.url)])
        began = time.monotonic()
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--max-attempts", "3")
        result = self.finish(process)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(result.status, 3, result.stderr)
        rows = self.rows()
        failed = [row["error"]["code"] for row in rows if row["error"]]
        self.assertEqual((len(rows), len(failed), set(failed)), (1001, 500, {"connect"}))
        message = next(row["error"]["message"] for row in rows if row["error"])
        self.assertIn("connection could not be made: Failed to connect", message)

    def test_one_that_was_never_there_leaves_room_while_it_is_waited_for(self):
        stays = self.mock()
        dead = f"http://127.0.0.1:{free_port()}"
        self.write("in.jsonl", [{"url": stays.url + "/echo"}] +
                   [{"url": url + "/echo", "body": i} for i in range(500)
                    for url in (dead, stays.url)])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--max-attempts", "100")
        self.wait_for_output(lambda data: data.count(b'"error":null') == 501, "all others are done")
        process.send_signal(signal.SIGINT)
        self.assertEqual(self.finish(process).status, 130)

    def test_the_first_rows_server_is_down_and_others_are_not(self):
        stays = self.mock()
        dead = f"http://127.0.0.1:{free_port()}"
        rows = self.run_rows([{"url": url + "/echo", "body": i} for i in range(20)
                              for url in (dead, stays.url)], "--max-attempts", "1", status=3)
        self.assertEqual(sum(row["error"] is None for row in rows), 20)

    def test_what_times_out_is_no_sign_of_life(self):
        """As after a power failure: what was asked before is never answered."""
        asked, hang = threading.Event(), threading.Event()
        self.addCleanup(hang.set)

        def handler(request):
            if request["path"] == "/1":
                asked.set()
                hang.wait(weir_run.PATIENCE)
            return weir_run.Last(answer(headers=["Connection: close"]))

        server = self.server(handler)
        self.write("in.jsonl", [{"url": f"/{i}", "body": i} for i in range(400)])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url,
                             "--rate", "100/s", "--timeout", "1.5", "--max-outage", "3",
                             "--no-replay", "--progress", "0.1")
        self.assertTrue(asked.wait(weir_run.PATIENCE))
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        result = self.finish(process)
        self.assertEqual(result.status, 69, result.stderr)
        self.assertIn('"timeout"', self.read("out.jsonl").decode())
        away = [float(s) for s in re.findall(r"away for ([\d.]+) s\n", result.stderr)]
        self.assertGreater(len(away), 10)
        self.assertEqual(away, sorted(away), result.stderr)

    def test_a_connection_lost_is_no_sign_of_life(self):
        """Those that stood when the server went away are lost then, or later."""
        asked, gone = threading.Event(), threading.Event()
        self.addCleanup(gone.set)

        def handler(request):
            if request["path"] == "/1":
                asked.set()
                gone.wait(weir_run.PATIENCE)
                return None
            return weir_run.Last(answer(headers=["Connection: close"]))

        server = self.server(handler)
        self.write("in.jsonl", [{"url": f"/{i}", "body": i} for i in range(400)])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url,
                             "--rate", "100/s", "--max-outage", "3", "--no-replay",
                             "--progress", "0.1")
        self.assertTrue(asked.wait(weir_run.PATIENCE))
        server.listener.shutdown(socket.SHUT_RDWR)
        server.listener.close()
        seen = self.said(process, b"away for 1.")
        gone.set()
        result = self.finish(process)
        self.assertEqual(result.status, 69, result.stderr)
        self.assertIn('"reset"', self.read("out.jsonl").decode())
        away = [float(s) for s in re.findall(r"away for ([\d.]+) s\n", seen + result.stderr)]
        self.assertEqual(away, sorted(away), result.stderr)

    def test_the_idempotency_key_stays_the_same(self):
        """A row that was sent, lost, and sent again once its server was back."""
        first, lost = [], threading.Event()

        def go_away(request):
            if request["path"] == "/0":
                return answer()
            first.append(request["headers"]["idempotency-key"])
            threading.Thread(target=server.close).start()
            lost.wait(weir_run.PATIENCE)
            return None

        server = weir_run.Server(go_away)
        port = int(server.url.rsplit(":", 1)[1])
        self.write("in.jsonl", [{"url": f"/{i}", "body": i} for i in range(2)])
        process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url,
                             "--idempotency-key", "--concurrency", "1", "--progress", "0.2")
        self.wait_until(lambda: first, "the second row is there")
        lost.set()
        self.said(process, b"waiting for ")
        again = []
        with socket.create_server(("127.0.0.1", port)) as accepting:
            connection, _ = accepting.accept()
            with connection, connection.makefile("rb") as stream:
                again.append(weir_run.Server._read(stream)["headers"]["idempotency-key"])
                connection.sendall(answer())
        result = self.finish(process)
        self.assertEqual(result.status, 0, result.stderr)
        self.assertEqual(first, again)
        attempts = {row["row"]: row["attempts"] for row in self.rows()}
        self.assertGreaterEqual(attempts[2], 3, "those in vain are told")


if __name__ == "__main__":
    unittest.main()
