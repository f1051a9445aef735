"""Every program of docs/examples runs against the mock server and says what its comment promises."""

import contextlib
import http.server
import os
import pathlib
import re
import subprocess
import tempfile
import threading
import time
import unittest

from mock import Mock

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])

QUESTIONS = [
    "What is 6 times 7?",
    "Which river flows through Vienna?",
    "How many sides has a hexagon?",
    "What is the capital of Peru?",
    "Which metal is liquid at room temperature?",
    "How many minutes has a day?",
]


def run(name, *arguments):
    return subprocess.run(
        [BUILD / "docs" / "examples" / name, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


class Examples(unittest.TestCase):
    def answers(self, name, *mock_options):
        """The questions in the order in which the example printed them; each has an answer."""
        with Mock(*mock_options) as mock:
            done = run(name, mock.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        lines = done.stdout.splitlines()
        self.assertEqual(len(lines), 2 * len(QUESTIONS))
        for answer in lines[1::2]:
            self.assertRegex(answer, r"^    \w")
        return lines[0::2]

    def test_files(self):
        """docs/guide/bodies.md"""
        kept = {}

        class Store(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                kept["body"] = self.rfile.read(int(self.headers["Content-Length"]))
                self.answer(b"thanks")

            def do_GET(self):
                self.answer(kept["body"])

            def answer(self, body):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        sent = os.urandom(300_001)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
        threading.Thread(target=server.serve_forever).start()
        with tempfile.TemporaryDirectory() as folder, server:
            source, target = (pathlib.Path(folder, name) for name in ("sent", "saved"))
            source.write_bytes(sent)
            url = f"http://127.0.0.1:{server.server_port}/"
            server.daemon_threads = True
            done = run("files", url, source, target)
            missing = run("files", url, source.with_name("none"), target)
            server.shutdown()
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(
                done.stdout,
                f"sent; the answer has 6 bytes\nstatus 200, 300001 bytes in {target}\n",
            )
            self.assertEqual(target.read_bytes(), sent)
            self.assertEqual(missing.returncode, 1)
            self.assertIn("No such file or directory", missing.stderr)

    def test_in_input_order(self):
        for name in ("sequential", "gather", "gather_semaphore"):
            with self.subTest(name):
                self.assertEqual(self.answers(name, "--latency", "0..20"), QUESTIONS)

    def test_in_completion_order(self):
        for name in ("as_completed", "as_completed_semaphore", "map"):
            with self.subTest(name):
                asked = self.answers(name, "--latency", "0..20")
                self.assertEqual(sorted(asked), sorted(QUESTIONS))

    def test_token_bucket_rides_out_a_throttling_server(self):
        asked = self.answers("token_bucket_retry", "--rate", "5/s", "--burst", "2")
        self.assertEqual(sorted(asked), sorted(QUESTIONS))

    def test_semaphore_bounds_what_is_in_flight(self):
        with Mock("--latency", "10") as mock:
            run("gather_semaphore", mock.url)
        self.assertIn("at most 2 at a time", mock.summary)

    def test_map_bounds_what_is_in_flight(self):
        with Mock("--latency", "10") as mock:
            run("map", mock.url)
        self.assertIn("at most 3 at a time", mock.summary)

    def test_nothing_listens(self):
        with Mock() as mock:
            url = mock.url
        done = run("gather", url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("connection could not be made", done.stderr)

    def test_every_example_is_tested(self):
        programs = {path.stem for path in (SOURCE / "docs" / "examples").glob("*.c")}
        self.assertEqual(
            programs,
            {
                "extract_person",
                "first",
                "sequential",
                "files",
                "stream",
                "gather",
                "gather_semaphore",
                "json_cjson",
                "json_jansson",
                "as_completed",
                "as_completed_semaphore",
                "embedded",
                "map",
                "token_bucket_retry",
                "virtual_hour",
            },
        )


class Stream(unittest.TestCase):
    """docs/guide/streaming.md"""

    def test_words_and_what_they_cost(self):
        with Mock("--latency", "10") as mock:
            done = run("stream", mock.url)
            other = run("stream", mock.url, "And 7 times 6?")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"\A\w[^\n]+\.\n\(\d+ tokens\)\n\Z")
        self.assertNotEqual(done.stdout, other.stdout)

    def test_tried_again_until_it_begins(self):
        with Mock("--rate", "10/s", "--burst", "1") as mock:
            answers = [run("stream", mock.url) for _ in range(3)]
        self.assertEqual([done.returncode for done in answers], [0, 0, 0])
        self.assertEqual(len({done.stdout for done in answers}), 1)

    def test_cut_off(self):
        with Mock("--fault", "truncate:1") as mock:
            done = run("stream", mock.url)
        self.assertEqual(done.returncode, 1)
        self.assertIn("connection lost before the answer was complete", done.stderr)


class ExtractPerson(unittest.TestCase):
    """docs/guide/llm.md"""

    LINE = re.compile(r"\S.*\S, (\d+), \S.*\S \(asks: (\d)\)")
    BASES = {"openai": "/v1", "anthropic": "", "compatible": "/v1"}

    def people(self, api, *mock_options):
        """(return code, stderr, how often each of those who were found was asked for)"""
        with Mock(*mock_options) as mock:
            done = run("extract_person", api, mock.url + self.BASES[api])
        self.assertNotIn("ERROR", done.stderr)
        lines = [self.LINE.fullmatch(line) for line in done.stdout.splitlines()]
        self.assertNotIn(None, lines, done.stdout)
        self.assertTrue(all(0 <= int(line[1]) <= 130 for line in lines))
        self.summary = mock.summary
        return done.returncode, done.stderr, [int(line[2]) for line in lines]

    def test_what_fits_is_asked_for_once(self):
        for api in self.BASES:
            with self.subTest(api):
                self.assertEqual(self.people(api, "--latency", "20"), (0, "", [1] * 6))
                self.assertIn("at most 3 at a time", self.summary)

    def test_what_does_not_fit_is_asked_for_again(self):
        for api in self.BASES:
            with self.subTest(api):
                code, errors, asks = self.people(api, "--fault", "misfit:0.3", "--seed", "6")
                self.assertEqual((code, errors, len(asks)), (0, "", 6))
                self.assertEqual(sum(asks), 8)  # two of that seed's first eight

    def test_so_often_and_no_more(self):
        for api in self.BASES:
            with self.subTest(api):
                code, errors, asks = self.people(api, "--fault", "misfit:1")
                self.assertEqual((code, asks), (1, []))
                self.assertIn("18 requests", self.summary)
                self.assertRegex(errors, r"Object item not found: city|Expected string, got null")
                self.assertIn("the answer has another shape than was asked for", errors)

    def test_the_transfer_is_tried_again(self):
        code, errors, asks = self.people("openai", "--fault", "503:0.1", "--fault", "reset:0.2")
        self.assertEqual((code, errors, asks), (0, "", [1] * 6))

    def test_no_key(self):
        self.assertNotIn("OPENAI_API_KEY", os.environ)
        done = run("extract_person", "openai")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no API key", done.stderr)

    def test_wrong_usage(self):
        self.assertEqual(run("extract_person", "other").returncode, 2)


class VirtualHour(unittest.TestCase):
    """docs/guide/testing-with-the-virtual-clock.md"""

    LINE = re.compile(
        r"seed (\d+): ([\d.]+) minutes, refused: 1 as down, (\d+) as too fast; trace (\w{16})( WRONG)?"
    )

    def hours(self, *burst):
        done = run("virtual_hour", *burst)
        self.assertEqual(done.stderr, "")
        lines = [self.LINE.fullmatch(line) for line in done.stdout.splitlines()]
        self.assertNotIn(None, lines, done.stdout)
        return done.returncode, [line.groups() for line in lines]

    def test_hours_of_work_in_milliseconds(self):
        start = time.monotonic()
        returncode, hours = self.hours()
        self.assertLess(time.monotonic() - start, 30)  # for eleven hours, under any sanitizer
        self.assertEqual(returncode, 0)
        self.assertEqual([hour[0] for hour in hours], [str(n) for n in range(1, 11)] + ["10"])
        for _, minutes, too_fast, _, wrong in hours:
            self.assertAlmostEqual(float(minutes), 60, delta=0.5)
            self.assertEqual((too_fast, wrong), ("0", None))
        # Each seed is a run of its own, and always the same.
        self.assertEqual(len({hour[3] for hour in hours}), 10)
        self.assertEqual(hours[-1], hours[-2])
        self.assertEqual(self.hours()[1], hours)

    def test_the_test_finds_the_mistake(self):
        returncode, hours = self.hours("100")
        self.assertEqual(returncode, 1)
        self.assertEqual({hour[4] for hour in hours}, {" WRONG"})


class Embedded(unittest.TestCase):
    """docs/guide/embedding.md"""

    def test_the_guide_has_the_whole_program(self):
        program = (SOURCE / "docs" / "examples" / "embedded.c").read_text()
        body = program[program.index("#include") :]
        self.assertIn(body, (SOURCE / "docs" / "guide" / "embedding.md").read_text())

    def test_each_tick_is_answered(self):
        with Mock("--latency", "0..20") as mock:
            done = run("embedded", mock.url)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(sorted(done.stdout.splitlines()), ["200 blue", "200 green", "200 red"])

    def test_nothing_listens(self):
        with Mock() as mock:
            url = mock.url
        done = run("embedded", url)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        for color in ("red", "green", "blue"):
            self.assertIn(f"{color}: connection could not be made", done.stderr)


class Json(unittest.TestCase):
    def test_trees_out_and_back(self):
        for name in ("json_jansson", "json_cjson"):
            with self.subTest(name), Mock() as mock:
                done = run(name, mock.url)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, "text 0: 8 numbers\ntext 1: 8 numbers\n")

    def test_an_answer_that_is_no_json(self):
        for name in ("json_jansson", "json_cjson"):
            with self.subTest(name), no_json() as url:
                done = run(name, url)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, rf"^2:[34]: .*\n{name}: not valid JSON\n$")


class NoJson(http.server.BaseHTTPRequestHandler):
    """Its every answer is wrong in its second line."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"data":\n[1 2]}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def no_json():
    with http.server.HTTPServer(("127.0.0.1", 0), NoJson) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class Readme(unittest.TestCase):
    def test_its_program_is_the_first_example(self):
        program = (SOURCE / "docs" / "examples" / "first.c").read_text()
        body = program[program.index("#include") :]
        self.assertIn(body, (SOURCE / "README.md").read_text())

    def test_first(self):
        with Mock() as mock:
            done = run("first", mock.url)
        self.assertEqual((done.returncode, done.stdout), (0, "200 red\n200 green\n200 blue\n"))


if __name__ == "__main__":
    unittest.main()
