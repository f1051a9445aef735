"""Every program of docs/examples runs against the mock server and says what its comment promises."""

import os
import pathlib
import subprocess
import unittest

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])
WEIR = os.environ["WEIR"]

QUESTIONS = [
    "What is 6 times 7?",
    "Which river flows through Vienna?",
    "How many sides has a hexagon?",
    "What is the capital of Peru?",
    "Which metal is liquid at room temperature?",
    "How many minutes has a day?",
]


class Mock:
    """`weir mock` on a free port, ended with the block."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen(
            [WEIR, "mock", "--port", "0", *self.options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().split()[-1]
        return self

    def __exit__(self, *_):
        self.process.terminate()
        _, self.summary = self.process.communicate(timeout=20)


def run(name, url):
    return subprocess.run(
        [BUILD / "docs" / "examples" / name, url],
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

    def test_in_input_order(self):
        for name in ("sequential", "gather", "gather_semaphore"):
            with self.subTest(name):
                self.assertEqual(self.answers(name, "--latency", "0..20"), QUESTIONS)

    def test_in_completion_order(self):
        for name in ("as_completed", "as_completed_semaphore"):
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
                "first",
                "sequential",
                "gather",
                "gather_semaphore",
                "as_completed",
                "as_completed_semaphore",
                "token_bucket_retry",
            },
        )


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
