"""The mock server for tests."""

import os
import subprocess

WEIR = os.environ["WEIR"]


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
