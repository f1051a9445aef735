"""Compiles C programs as a user of the build under test would: with its compiler and sanitizers,
against the public headers and the shared library."""

import os
import pathlib
import re
import subprocess

BUILD = pathlib.Path(os.environ["WEIR_BUILD"])
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])

WARNINGS = ("-Wall", "-Wextra", "-Werror")


def setting(name):
    """A value out of the build's cache; "" if it has none."""
    cache = (BUILD / "CMakeCache.txt").read_text(encoding="utf-8")
    match = re.search(rf"^{name}:[^=]*=(.*)$", cache, re.M)
    return match[1] if match else ""


def run_compiler(*arguments, text=None):
    """What the compiler said, as a CompletedProcess; text is its standard input."""
    command = [setting("CMAKE_C_COMPILER"), "-std=gnu11", f"-I{SOURCE / 'include'}", *arguments]
    return subprocess.run(
        command, input=text, capture_output=True, text=True, timeout=120, check=False
    )


def link(program, *arguments, text=None):
    """Compiles and links a program; the arguments name its source, or it is the text ("-xc -")."""
    sanitize = setting("WEIR_SANITIZE")
    flags = [f"-fsanitize={sanitize}"] if sanitize else []
    libraries = [f"-L{BUILD / 'lib'}", "-lweir", "-lev", f"-Wl,-rpath,{BUILD / 'lib'}"]
    return run_compiler(*flags, *WARNINGS, "-g", "-o", program, *arguments, *libraries, text=text)
