"""Scripts for Node.js, with their packages from npm, which are installed into the build folder."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import unittest

SUPPORT = pathlib.Path(__file__).parent
PATIENCE = 60  # seconds after which a script is taken to hang
INSTALL_PATIENCE = 150

# Only then are the tests skipped: all other failures of npm are failures. npm's own limits would
# have it try for ten minutes where packets vanish.
NO_NETWORK = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ENETUNREACH|ETIMEDOUT|ENOTCACHED)\b")


def install(name):
    """The folder with the files of tests/support/NAME and the packages that its package.json and
    lock name, which are fetched the first time only."""
    source = SUPPORT / name
    folder = pathlib.Path(os.environ["WEIR_BUILD"]) / "node" / name
    folder.mkdir(parents=True, exist_ok=True)
    lock = (source / "package-lock.json").read_bytes()
    done = folder / "installed-lock.json"
    for file in source.iterdir():
        shutil.copy(file, folder)
    if not done.exists() or done.read_bytes() != lock:
        _npm_ci(folder)
        done.write_bytes(lock)
    return folder


def _npm_ci(folder):
    npm = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline",
         "--fetch-retries=1", "--fetch-timeout=50000"],
        cwd=folder, capture_output=True, text=True, timeout=INSTALL_PATIENCE, check=False,
    )
    if npm.returncode != 0 and NO_NETWORK.search(npm.stderr):
        raise unittest.SkipTest("npm's registry cannot be reached from here")
    if npm.returncode != 0:
        raise AssertionError(f"npm ci failed in {folder}:\n{npm.stderr}")


def run(script, *arguments, prefix=("OPENAI_", "NODE_")):
    """Runs the script without the variables that begin with `prefix`; the JSON that it printed."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(prefix)}
    done = subprocess.run(
        ["node", str(script), *arguments],
        env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"{script} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)
