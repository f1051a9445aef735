"""`weir run` ended before its time, by signals or because its output fails; and what it shows."""

import fcntl
import os
import pty
import re
import resource
import select
import signal
import struct
import subprocess
import termios
import threading
import time
import unittest

import weir_run
from weir_run import answer


class Stopped(weir_run.Case):
    def hanging_server(self, hangs=lambda request: True):
        """Requests that `hangs` holds for get their answer when self.go is set."""
        self.go = threading.Event()
        self.addCleanup(self.go.set)

        def handler(request):
            if hangs(request):
                self.go.wait(weir_run.PATIENCE)
            return answer(request["body"] or b"{}")

        return self.server(handler)

    def start_rows(self, count, server, *args, **how):
        self.write("in.jsonl", [{"url": f"/{i}", "body": i} for i in range(1, count + 1)])
        return self.start("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url, *args,
                          **how)

    def check_rows(self):
        """Whole lines, no row twice; returns the numbers of the rows."""
        rows = self.rows()
        numbers = [row["row"] for row in rows]
        self.assertEqual(len(numbers), len(set(numbers)))
        for row in rows:
            self.assertEqual(row["response"]["body"], row["row"])
        return numbers


class Signals(Stopped):
    def test_interrupt_in_the_middle(self):
        for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
            with self.subTest(signal=number):
                server = self.server(lambda request: answer(request["body"]))
                if self.exists("out.jsonl"):
                    os.unlink(self.path("out.jsonl"))
                process = self.start_rows(200000, server, "--rate", "2000/s")
                self.wait_for_output(lambda data: len(data) > 50000, "rows are written")
                process.send_signal(number)
                began = time.monotonic()
                result = self.finish(process)
                self.assertLess(time.monotonic() - began, 5)
                self.assertEqual(result.status, status, result.stderr)
                done = self.check_rows()
                self.assertIn("stopping: no further request starts", result.stderr)
                self.assertIn(f"stopped by {number.name}: out.jsonl holds {len(done):,} rows",
                              result.stderr)
                self.assertEqual(len(server.requests), len(done))

    def test_what_is_in_flight_ends(self):
        server = self.hanging_server()
        process = self.start_rows(100, server, "--concurrency", "5")
        self.wait_until(lambda: len(server.requests) == 5, "five requests are there")
        process.send_signal(signal.SIGINT)
        self.said(process, b"no further request starts; 5 in flight may take 10 s")
        self.go.set()
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertEqual(len(server.requests), 5)
        self.assertEqual(len(self.check_rows()), 5)

    def test_what_is_in_flight_gets_ten_seconds(self):
        server = self.hanging_server(lambda request: request["path"] == "/1")
        process = self.start_rows(3, server)
        self.wait_for_output(lambda data: data.count(b"\n") == 2, "two rows are written")
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertGreater(time.monotonic() - began, 9)
        self.assertLess(time.monotonic() - began, 15)
        self.assertEqual(sorted(self.check_rows()), [2, 3])
        self.assertIn("out.jsonl holds 2 rows; 1 more may have reached the server, 0 had been read "
                      "but not sent\n", result.stderr)

    def test_nothing_is_read_any_more(self):
        server = self.hanging_server()
        process = self.start_rows(20000, server, "--concurrency", "2")
        self.wait_until(lambda: len(server.requests) == 2, "two requests are there")
        process.send_signal(signal.SIGINT)
        self.said(process, b"stopping")
        time.sleep(0.3)  # time to read on, if it would
        self.go.set()
        result = self.finish(process)
        self.assertEqual((result.status, len(self.check_rows())), (130, 2), result.stderr)
        self.assertIn("holds 2 rows; 1 more row had been read but not sent\n", result.stderr)

    def test_second_interrupt_cancels(self):
        server = self.hanging_server()
        process = self.start_rows(100, server, "--concurrency", "5")
        self.wait_until(lambda: len(server.requests) == 5, "five requests are there")
        process.send_signal(signal.SIGINT)
        self.said(process, b"stopping")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        result = self.finish(process)
        self.assertLess(time.monotonic() - began, 5)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertIn("cancelling what is in flight", result.stderr)
        self.assertFalse(self.exists("out.jsonl"), "an output without a row is no use")

    def test_rows_that_were_read_and_not_sent_are_no_alarm(self):
        server = self.server(lambda request: answer(request["body"]))
        process = self.start_rows(100, server, "--rate", "1/h")
        self.wait_for_output(lambda data: data, "a row is written")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertEqual(result.status, 130, result.stderr)
        self.assertRegex(result.stderr,
                         r"out.jsonl holds 1 rows; [1-9]\d* more rows had been read but not sent\n")
        self.assertNotIn("may have reached", result.stderr)

    def test_rows_that_were_sent_and_those_that_were_not_are_both_told(self):
        server = self.hanging_server()
        process = self.start_rows(100, server, "--concurrency", "5")
        self.wait_until(lambda: len(server.requests) == 5, "five requests are there")
        process.send_signal(signal.SIGINT)
        self.said(process, b"stopping")
        process.send_signal(signal.SIGINT)
        result = self.finish(process)
        self.assertRegex(result.stderr, r"holds 0 rows; 5 more may have reached the server, "
                         r"[1-9]\d* had been read but not sent\n")

    def test_third_interrupt_leaves_at_once(self):
        """Without a look at the loop, which may be stuck: here all three come in one go."""
        server = self.hanging_server()
        process = self.start_rows(100, server)
        self.wait_until(lambda: server.requests, "a request is there")
        os.kill(process.pid, signal.SIGSTOP)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
        os.kill(process.pid, signal.SIGCONT)
        process.wait(5)
        self.assertIn(process.returncode, (129, 130, 143))

    def test_interrupt_while_the_input_is_silent(self):
        server = self.server(lambda request: answer(request["body"]))
        process = self.start("run", "-", "-o", "out.jsonl", "--base-url", server.url,
                             stdin=subprocess.PIPE)
        process.stdin.write(b'{"url":"/","body":1}\n')
        process.stdin.flush()
        self.wait_for_output(lambda data: data, "a row is there")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(5), 130)
        self.assertEqual(self.check_rows(), [1])

    def test_interrupt_while_rows_wait_for_another_attempt(self):
        server = self.server(lambda _: answer("", "429 Too Many", ["Retry-After: 300"]))
        process = self.start_rows(100, server)
        self.wait_until(lambda: server.requests, "a request is there")
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(5), 130)

    def test_ignored_signals_stay_ignored(self):
        def ignore_interrupts():
            weir_run.default_signals()
            signal.signal(signal.SIGINT, signal.SIG_IGN)

        server = self.hanging_server()
        process = self.start_rows(3, server, before=ignore_interrupts)
        self.wait_until(lambda: len(server.requests) == 3, "the requests are there")
        process.send_signal(signal.SIGINT)
        self.go.set()
        self.assertEqual(self.finish(process).status, 0)

    def test_a_shell_scripts_background_job_is_ended_by_sigterm(self):
        """A shell without job control has it ignore SIGINT, which it keeps."""
        server = self.hanging_server()
        self.write("in.jsonl", [{"url": "/"}])
        script = f'"{weir_run.WEIR}" run in.jsonl -o out.jsonl --base-url {server.url} &\n' \
                 'echo $!; wait $!; echo $?'
        shell = subprocess.Popen(["sh", "-c", script], cwd=self.folder, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, preexec_fn=weir_run.default_signals)
        self.addCleanup(self._end, shell)
        child = int(shell.stdout.readline())
        self.addCleanup(self.go.set)
        self.wait_until(lambda: server.requests, "the request is there")
        os.kill(child, signal.SIGINT)
        os.kill(child, signal.SIGTERM)
        self.said(shell, b"stopping")
        self.go.set()
        self.assertEqual(self.finish(shell).stdout, b"143\n")


class Output(Stopped):
    def test_disk_full(self):
        """A limit on the file's size does what a full disk does: a short write, then an error."""

        def small_files():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_FSIZE, (100001, 100001))

        server = self.server(lambda request: answer(request["body"]))
        process = self.start_rows(50000, server, before=small_files)
        result = self.finish(process)
        self.assertEqual(result.status, 74, result.stderr)
        done = self.check_rows()
        self.assertGreater(len(self.read("out.jsonl")), 99000)
        self.assertIn(f"writing out.jsonl failed: File too large; stopped with {len(done):,} "
                      "whole rows", result.stderr)
        more = re.search(r"whole rows in it; (\d+) more may have reached the server", result.stderr)
        self.assertTrue(more, result.stderr)
        self.assertGreaterEqual(int(more[1]) + len(done), len(server.requests))
        self.assertLessEqual(int(more[1]) + len(done), len(server.requests) + 64)  # in flight
        self.assertLess(len(server.requests), 10000)

    def test_two_runs_into_one_file(self):
        """--force is about what is in it, not about a run that writes it now."""
        server = self.hanging_server(lambda request: request["path"] == "/1")
        process = self.start_rows(3, server)
        self.wait_for_output(lambda data: data.count(b"\n") == 2, "two rows are written")
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url",
                           server.url)
        self.assertEqual(result.status, 2, result.stderr)
        self.assertIn("out.jsonl is being written by another run", result.stderr)
        self.assertEqual(len(server.requests), 3)
        self.go.set()
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(sorted(self.check_rows()), [1, 2, 3])
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url",
                           server.url)
        self.assertEqual(result.status, 0, result.stderr)

    def test_device_full(self):
        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": 1}] * 5000)
        result = self.weir("run", "in.jsonl", "-o", "/dev/full", "--base-url", server.url)
        self.assertEqual(result.status, 74, result.stderr)
        self.assertIn("writing /dev/full failed: No space left on device", result.stderr)

    def test_appended_stdout_is_cut_back_to_whole_lines(self):
        def small_files():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_FSIZE, (5001, 5001))

        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": 1}] * 100)
        self.write("out.jsonl", '{"old":1}\n')
        with open(self.path("out.jsonl"), "ab") as stdout:
            process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url,
                                 stdout=stdout,
                                 before=small_files)
            result = self.finish(process)
        self.assertEqual(result.status, 74, result.stderr)
        rows = self.rows()
        self.assertEqual(rows[0], {"old": 1})
        self.assertGreater(len(rows), 30)

    def test_reader_that_has_gone(self):
        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": "x" * 1000}] * 5000)
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url)
        os.read(process.stdout.fileno(), 100)
        process.stdout.close()
        self.assertEqual(process.wait(weir_run.PATIENCE), 74)
        self.assertIn("the reader of stdout has gone", process.stderr.read().decode())
        self.assertLess(len(server.requests), 5000)

    def test_slow_reader_gets_everything(self):
        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": "x" * 10000 + str(i)} for i in range(300)])
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url)
        self.wait_until(lambda: len(server.requests) > 64, "the pipe is full")
        data = b""
        while piece := os.read(process.stdout.fileno(), 30000):
            data += piece
        self.assertEqual(self.finish(process).status, 0)
        rows = weir_run.rows_of(data)
        self.assertEqual({row["response"]["body"][10000:] for row in rows},
                         {str(i) for i in range(300)})

    def test_memory_is_bounded_when_nobody_reads(self):
        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": "x" * 10000}] * 2000)
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url)
        time.sleep(0.1)
        seen = -1
        while seen != (seen := len(server.requests)) or seen == 0:
            time.sleep(0.3)
        self.assertLess(seen, 400)
        process.send_signal(signal.SIGINT)
        self.said(process, b"stopping")
        process.send_signal(signal.SIGINT)
        said = self.said(process, b"reached the server")
        self.assertEqual(process.wait(5), 130)
        self.assertRegex(said, r"stdout holds \d+ rows; [1-9]\d* more may have reached the server")

    def test_named_pipe(self):
        server = self.server(lambda request: answer(request["body"]))
        os.mkfifo(self.path("pipe"))
        self.write("in.jsonl", [{"url": "/", "body": i} for i in range(1000)])
        process = self.start("run", "in.jsonl", "-o", "pipe", "--base-url", server.url)
        with open(self.path("pipe"), "rb") as pipe:
            rows = weir_run.rows_of(pipe.read())
        self.assertEqual(self.finish(process).status, 0)
        self.assertEqual(len(rows), 1000)

    def test_closed_descriptors_are_no_files(self):
        """What is opened must not become stdout or stderr by chance."""

        def close(fds):
            weir_run.default_signals()
            for fd in fds:
                os.close(fd)

        server = self.server(lambda request: answer(request["body"]))
        self.write("in.jsonl", [{"url": "/", "body": i} for i in range(1, 6)])
        for fds in ([0, 1, 2], [2], [0, 2]):
            with self.subTest(closed=fds), open(self.path("in.jsonl"), "rb") as rows:
                source = "in.jsonl" if 0 in fds else "-"
                process = self.start("run", source, "-o", "out.jsonl", "--force", "--base-url",
                                     server.url, stdin=rows, before=lambda fds=fds: close(fds))
                self.assertEqual(self.finish(process).status, 0)
                self.assertEqual(sorted(self.check_rows()), [1, 2, 3, 4, 5])
        result = self.weir("run", "in.jsonl", "-o", "-", "--base-url", server.url,
                           before=lambda: close([1]))
        self.assertEqual(result.status, 74, result.stderr)


    def test_input_that_cannot_be_read(self):
        def close_stdin():
            weir_run.default_signals()
            os.close(0)

        result = self.weir("run", "-", "-o", "out.jsonl", before=close_stdin)
        self.assertEqual(result.status, 74, result.stderr)
        self.assertIn("reading stdin failed after 0 rows: stopped", result.stderr)
        self.assertFalse(self.exists("out.jsonl"))


class Progress(Stopped):
    def terminal(self, *args, env=None, columns=80):
        """A run of 100 rows of which 10 hang, on a terminal, until the status line tells so;
        returns what the terminal got."""
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        server = self.hanging_server(lambda request: int(request["path"][1:]) > 90)
        process = self.start_rows(100, server, *args, env={"TERM": "xterm", **(env or {})},
                                  stderr=slave)
        os.close(slave)
        seen = b""
        give_up = time.monotonic() + weir_run.PATIENCE
        while seen.count(b"90 of 100") < 2 and process.poll() is None:
            ready, _, _ = select.select([master], [], [], 1)
            if ready:
                seen += os.read(master, 4096)
            elif len(server.requests) == 100 and (env or args):
                break
            self.assertLess(time.monotonic(), give_up, seen)
        self.go.set()
        process.stdout.close()
        while process.poll() is None or select.select([master], [], [], 0)[0]:
            try:
                seen += os.read(master, 4096)
            except OSError:  # the last writer has gone
                break
        self.assertEqual(process.wait(weir_run.PATIENCE), 0)
        return seen.decode()

    def test_status_line(self):
        seen = self.terminal()
        self.assertNotIn("\x1b", seen)
        lines = [line for line in seen.split("\r") if "in flight" in line]
        self.assertGreaterEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^90 of 100 rows \(90 %\), [\d.]+/s, .* left; 10 in flight")
        self.assertNotIn("\n", seen[: seen.index("100 rows in")], "one line is redrawn")
        self.assertRegex(seen, r"\r +\rweir run: 100 rows in ", "and erased before the summary")

    def test_status_line_fits_the_terminal(self):
        seen = self.terminal(columns=30)
        for line in seen.split("\r"):
            if "90 of 100" in line:
                self.assertLess(len(line), 30)

    def test_terminals_without_redrawing_and_other_modes(self):
        for args, env in (([], {"TERM": "dumb"}), (["--progress", "plain"], {}),
                          (["--progress", "none"], {})):
            with self.subTest(args=args, env=env):
                seen = self.terminal("--force", *args, env={"TERM": "xterm", **env})
                self.assertNotIn("\x1b", seen)
                self.assertNotIn("in flight", seen)
                self.assertEqual(seen.replace("\r\n", "\n").count("\r"), 0)

    def test_rows_on_the_terminal_are_not_torn_by_a_status_line(self):
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        server = self.hanging_server(lambda request: request["path"] == "/2")
        self.write("in.jsonl", [{"url": f"/{i}", "body": i} for i in range(1, 4)])
        process = self.start("run", "in.jsonl", "-o", "-", "--base-url", server.url, stdout=slave,
                             stderr=slave, env={"TERM": "xterm"})
        os.close(slave)
        ready, _, _ = select.select([master], [], [], weir_run.PATIENCE)
        self.assertTrue(ready)
        time.sleep(0.8)  # a status line would have come
        seen = os.read(master, 65536).decode().replace("\r\n", "\n")
        self.go.set()
        self.assertEqual(process.wait(weir_run.PATIENCE), 0)
        self.assertEqual({row["row"] for row in weir_run.rows_of(seen)}, {1, 3})

    def test_plain_lines(self):
        server = self.hanging_server(lambda request: request["path"] == "/2")
        process = self.start_rows(3, server, "--progress", "plain")
        said = self.said(process, b"in flight")
        self.assertRegex(said, r"^weir run: 2 of 3 rows \(66 %\), [\d.]+/s, .*; 1 in flight\n$")
        self.go.set()
        self.assertEqual(self.finish(process).status, 0)

    def test_lines_every_so_many_seconds(self):
        server = self.hanging_server(lambda request: True)
        began = time.monotonic()
        process = self.start_rows(1, server, "--progress", "0.2")
        for _ in range(3):
            self.assertIn("1 in flight", self.said(process, b"in flight"))
        self.assertGreaterEqual(time.monotonic() - began, 0.6)
        self.go.set()
        self.assertEqual(self.finish(process).status, 0)

    def test_what_limits_is_told(self):
        all_there = threading.Barrier(10)

        def handler(_):
            all_there.wait(weir_run.PATIENCE)
            return answer("", "429 Too Many", ["Retry-After: 300"])

        process = self.start_rows(10, self.server(handler), "--progress", "plain")
        said = self.said(process, b"server's pause, 4 min")
        self.assertIn("10 too fast", said)
        process.kill()

    def test_a_quota_that_is_used_up_is_told(self):
        """A limit that comes back in a year: nothing is sent, and it is said why."""
        server = self.server(lambda _: answer("{}", headers=[
            "X-RateLimit-Limit: 5", "X-RateLimit-Remaining: 0", "X-RateLimit-Reset: 31536000"]))
        process = self.start_rows(200, server, "--progress", "plain")
        self.said(process, b"; 0 in flight; limited by the server's limit, none of 5 left, "
                           b"next in 364 d 23 h\n")
        with open(f"/proc/{process.pid}/stat") as stat:
            ticks = [int(word) for word in stat.read().rsplit(")", 1)[1].split()[11:13]]
        self.assertLess(sum(ticks), os.sysconf("SC_CLK_TCK"))  # nor does it spin
        process.kill()

    def test_the_gentle_start_behind_a_pause_is_told(self):
        go = threading.Event()
        self.addCleanup(go.set)
        all_there = threading.Barrier(8)  # so many go ahead while nothing is known of a limit

        def handler(request):
            if request["number"] < 8:
                all_there.wait(weir_run.PATIENCE)
                return answer("", "429 Too Many", ["Retry-After: 3"])
            go.wait(weir_run.PATIENCE)
            return answer()

        process = self.start_rows(200, self.server(handler), "--progress", "plain")
        said = self.said(process, b"\n")
        self.assertIn("; starting again gently after a pause\n", said)
        process.kill()

    def test_a_slow_input_is_told(self):
        """But not while all that may be in flight is: then a faster one would not help."""
        server = self.hanging_server()
        process = self.start("run", "-", "-o", "out.jsonl", "--base-url", server.url,
                             "--concurrency", "1", "--progress", "plain", stdin=subprocess.PIPE)
        process.stdin.write(b'{"url":"/","body":1}\n')
        process.stdin.flush()
        self.assertRegex(self.said(process, b"\n"), r"0 rows, .*; 1 in flight\n$")
        self.go.set()
        self.assertRegex(self.said(process, b"\n"),
                         r"1 rows, .*; 0 in flight; limited by the input\n$")
        process.kill()

    def test_none_says_nothing_but_errors(self):
        server = self.server(lambda _: answer("", "400 Bad"))
        self.write("in.jsonl", [{"url": "/"}])
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url,
                           "--progress", "none")
        self.assertEqual((result.status, result.stderr), (3, ""))
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--progress", "none")
        self.assertEqual(result.status, 2)
        self.assertIn("exists already", result.stderr)


if __name__ == "__main__":
    unittest.main()
