"""Eight processes share one limit through a file; some are killed, others take their place. The
limit is never passed, and used in full but for what the killed had reserved."""

import pathlib
import subprocess
import tempfile
import time
import unittest

import compiler

PROCESSES = 8
RATE = 200
BURST = 10
SECONDS = 6
KILLS = 8
WARM_NS = 1_000_000_000


class Shared(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.worker = pathlib.Path(cls.folder.name, "worker")
        done = compiler.link(cls.worker, compiler.SOURCE / "tests/integration/shared_worker.c")
        if done.returncode != 0:
            raise RuntimeError(done.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def start(self, until_ns, number):
        log = pathlib.Path(self.folder.name, f"{self.id()}-{number}")
        command = [self.worker, self.limits, RATE, BURST, until_ns // 1_000_000]
        with log.open("w") as output:
            process = subprocess.Popen([str(word) for word in command], stdout=output)
        self.addCleanup(process.kill)
        self.logs.append(log)
        return process

    def run_processes(self, kills):
        """The times of all grants in ns, sorted; when all were surely started, and the end."""
        self.limits = pathlib.Path(self.folder.name, f"{self.id()}.limits")
        self.logs = []
        begin = time.monotonic_ns()
        until = begin + SECONDS * 1_000_000_000
        running = [self.start(until, i) for i in range(PROCESSES)]
        for i in range(kills):
            due = begin + (i + 1) * SECONDS * 1_000_000_000 // (kills + 2)
            time.sleep(max(0, due - time.monotonic_ns()) / 1e9)
            victim = running.pop(0)
            victim.kill()
            victim.wait()
            running.append(self.start(until, PROCESSES + i))
        for process in running:
            self.assertEqual(process.wait(), 0)
        lines = [line for log in self.logs for line in log.read_text().splitlines()]
        return sorted(map(int, lines)), begin + WARM_NS, until

    def check(self, kills):
        times, warm, until = self.run_processes(kills)
        most = first = 0
        for last, moment in enumerate(times):
            while moment - times[first] > 1_000_000_000:
                first += 1
            most = max(most, last + 1 - first)
        within = sum(warm < moment <= until for moment in times)
        possible = RATE * (until - warm) / 1e9
        print(f"{within} of {possible:.0f} in time, at most {most} in a second", flush=True)
        self.assertLessEqual(most, BURST + RATE)
        # A killed process had one slot reserved, and may have been killed before it wrote its last
        # grant down.
        self.assertGreaterEqual(within + 2 * kills, possible * 0.98)

    def test_all_live(self):
        self.check(kills=0)

    def test_some_are_killed(self):
        self.check(kills=KILLS)


if __name__ == "__main__":
    unittest.main()
