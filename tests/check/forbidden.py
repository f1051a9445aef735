#!/usr/bin/env python3
"""Calls that the project does without, and the few places that may make some of them."""

import re
import sys

import sources


def call(*names):
    return re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")


# (what, pattern, places that may)
RULES = [
    (
        "no bound on what it writes or reads",
        call("strcpy", "strcat", "stpcpy", "v?sprintf", "gets", "v?asprintf", "scanf", "[fs]scanf"),
        (),
    ),
    ("does not tell an error from a number", call("ato[ifl]", "atoll"), ()),
    ("keeps state between calls", call("strtok", "gmtime", "localtime", "ctime"), ()),
    ("takes an unknown amount of a task's stack", call("alloca", "__builtin_alloca"), ()),
    ("jumps past cleanup", call("setjmp", "longjmp", "sigsetjmp", "siglongjmp"), ()),
    ("runs a shell", call("system", "popen"), ()),
    ("guessable name", call("tmpnam", "tempnam", "mktemp"), ()),
    (
        "time is an argument; the clock's home is lib/base",
        call("clock_gettime", "gettimeofday", "time", "ev_time", "ev_now"),
        ("lib/base/", "lib/loop/", "cli/mock/", "tests/bench/", "tests/support/"),
    ),
    (
        "the home of random numbers is lib/base",
        call("s?rand(?:om)?", "rand_r", "[dlm]rand48", "getrandom", "getentropy"),
        ("lib/base/", "cli/mock/", "tests/"),
    ),
    ("stops every task of the thread", call("sleep", "usleep", "nanosleep", "clock_nanosleep"), ()),
    (
        "goes by the locale of whose program it is: lib/base/ascii.h",
        call("strn?casecmp", "strcasestr", "is(?:alpha|alnum|upper|lower|space|print|punct|graph)",
             "to(?:lower|upper)", "strto(?:d|f|ld)", "strftime", "strptime"),
        ("cli/", "tests/", "docs/"),
    ),
    (
        "milliseconds divided as integers lose what is below a second",
        re.compile(r"_ms\s*/\s*1000\b(?!\.)"),
        ("cli/mock/text.c",),  # prints the rest behind the point
    ),
]
LEFT_TO_DO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def scan(path):
    code = sources.code(path)
    for what, pattern, places in RULES:
        if path.as_posix().startswith(places):
            continue
        for match in pattern.finditer(code):
            name = match[1] if match.groups() else match[0]
            yield f"{path}:{sources.line_of(code, match.start())}: {name}: {what}"
    text = sources.text(path)
    for match in LEFT_TO_DO.finditer(text):
        yield f"{path}:{sources.line_of(text, match.start())}: {match[0]}: finish it or file it"


sys.exit(
    sources.finish(
        "forbidden calls", [finding for path in sources.files() for finding in scan(path)]
    )
)
