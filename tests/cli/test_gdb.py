"""tools/weir-gdb.py shows where parked tasks are, and the program goes on as if it had not."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import compiler

SCRIPT = compiler.SOURCE / "tools" / "weir-gdb.py"
PARKED = pathlib.Path(__file__).with_name("parked.c")
REFUSED = re.compile(r"ptrace: .*|Could not trace the inferior process.*|.*Operation not permitted")

GDB = shutil.which("gdb")
# What differs between the tests is the point at which the program stands.
IN_A_TASK = ["break all_are_parked", "run"]
IN_THE_LOOP = [*IN_A_TASK, "break epoll_wait", "continue"]


@unittest.skipUnless(GDB, "gdb is not installed")
class Gdb(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.program = pathlib.Path(cls.folder.name, "parked")
        done = compiler.link(cls.program, "-O0", PARKED)
        assert done.returncode == 0, done.stderr

    def gdb(self, *commands):
        """What gdb prints for the commands, each one's answer apart."""
        arguments = ["-iex", "set debuginfod enabled off", "-ex", f"source {SCRIPT}"]
        for command in commands:
            arguments += ["-ex", "echo ----\\n", "-ex", command]
        # LeakSanitizer does its work by ptrace too, which a process allows to one at a time.
        options = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        done = subprocess.run(
            [GDB, "-nx", "-q", "-batch", *arguments, self.program],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
            env={**os.environ, "ASAN_OPTIONS": options},
        )
        answers = done.stdout.split("----\n")[1:]
        refused = REFUSED.search(done.stdout)
        if refused and "reakpoint 1, " not in done.stdout:
            self.skipTest(f"this machine does not allow debugging: {refused[0]}")
        self.assertEqual(len(answers), len(commands), done.stdout)
        self.assertNotIn("Python Exception", done.stdout)
        return answers

    def tasks(self, answer):
        """{name: (id, state, where)} out of `weir tasks`."""
        rows = (re.split(r"  +", line.strip(), maxsplit=4) for line in answer.splitlines()[1:])
        return {row[3]: (row[0], row[1], row[4] if len(row) > 4 else "") for row in rows}

    def functions(self, backtrace):
        return re.findall(r"^#\d+ +(?:0x\w+ in )?([\w.]+) \(", backtrace, re.M)

    def test_tasks(self):
        tasks = self.tasks(self.gdb(*IN_A_TASK, "weir tasks")[-1])
        self.assertEqual(tasks["main"][:2], ("1", "running"))
        self.assertRegex(tasks["main"][2], r"^all_are_parked\(\) at parked\.c:\d+$")
        for name, call, place in (
            ("fetches_prices", "weir_sleep_ms", "fetches_prices"),
            ("wants_a_permit", "weir_semaphore_acquire", "wants_a_permit"),
            ("waits_for_all", "weir_gather", "at_depth"),
        ):
            with self.subTest(name):
                self.assertEqual(tasks[name][1], "waiting")
                self.assertRegex(tasks[name][2], rf"^{call}\w* < {place}\(\) at parked\.c:\d+$")
        self.assertEqual(tasks["has ended"][1:], ("ended", ""))
        self.assertEqual(tasks["not yet"][1:], ("not started", ""))
        self.assertEqual(len(tasks), 6)

    def check_backtraces(self, at):
        answer = self.gdb(*at, "weir bt")[-1]
        traces = dict(re.findall(r"^Task \d+ '([^']+)', \w+:\n((?:[# ].*\n)+)", answer, re.M))
        self.assertEqual(
            set(traces), {"main", "fetches_prices", "wants_a_permit", "waits_for_all"}, answer
        )
        for name, trace in traces.items():
            functions = self.functions(trace)
            # clang's assembler writes weir.ctx_start
            self.assertRegex(functions[-1], r"^weir[._]+ctx_start$", trace)
            self.assertIn("run" if name == "main" else name, functions)
            self.assertRegex(trace, r"\A#0 ")
        inside = self.functions(traces["waits_for_all"])
        self.assertEqual(inside.count("at_depth"), 4)
        self.assertLess(inside.index("weir_gather"), inside.index("at_depth"))

    def test_backtraces_from_inside_a_task(self):
        self.check_backtraces(IN_A_TASK)

    def test_backtraces_from_the_loop(self):
        self.check_backtraces(IN_THE_LOOP)

    def test_backtrace_of_one_task_with_its_variables(self):
        listed = self.tasks(self.gdb(*IN_A_TASK, "weir tasks")[-1])
        task = listed["fetches_prices"][0]
        answer = self.gdb(*IN_A_TASK, f"weir bt {task} full")[-1]
        self.assertIn("price_of_tea = 4711", answer)
        self.assertNotIn("wants_a_permit", answer)

    def test_the_program_is_left_as_it_was(self):
        answers = self.gdb(*IN_A_TASK, "bt", "info registers", "up", "weir tasks", "weir bt",
                           "frame", "bt", "info registers", "delete", "continue")  # fmt: skip
        before, after = answers[2:5], answers[7:10]
        self.assertEqual(after[1], before[0])
        # `up` and `frame` print the same place, so the selected frame has stayed.
        self.assertEqual(after[0], before[2])
        self.assertRegex(answers[-1], r"\(process \d+\) exited normally")

    def test_deadlock(self):
        """The way that docs/guide/debugging.md shows."""
        answers = self.gdb("start deadlock", "break weir__sched_cancel_all if rt->deadlocked",
                           "continue", "weir tasks", "delete", "continue")  # fmt: skip
        tasks = self.tasks(answers[-3])
        self.assertRegex(tasks["wants_a_permit"][2], r"^weir_semaphore_acquire\w* < wants_a_permit")
        self.assertEqual(tasks["fetches_prices"][1], "ended")
        self.assertRegex(answers[-1], r"\(process \d+\) exited normally")

    def test_says_why_it_cannot(self):
        for commands, words in (
            (["weir tasks"], "no program runs here"),
            (["break main", "run", "weir tasks"], "no weir_run in this thread"),
            ([*IN_A_TASK, "weir bt 99"], "no task 99"),
            ([*IN_A_TASK, "weir bt main"], "usage: weir bt"),
        ):
            with self.subTest(words):
                self.assertIn(words, self.gdb(*commands)[-1])


if __name__ == "__main__":
    unittest.main()
