"""The C sources of the project, for the checks beside this file."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]

_NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files():
    """Each C and assembly file, as a path relative to the project, in a stable order."""
    for folder in ("include", "lib", "cli", "tests", "docs"):
        for path in sorted((ROOT / folder).rglob("*.[chS]")):
            yield path.relative_to(ROOT)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def code(path):
    """The file's text with comments and literals emptied; lines keep their numbers."""
    return _NOT_CODE.sub(lambda m: "\n" * m[0].count("\n"), text(path))


def line_of(content, offset):
    return content.count("\n", 0, offset) + 1


def finish(name, findings):
    """Prints the findings; the exit status for sys.exit."""
    for finding in findings:
        print(finding)
    print(f"{name}: {len(findings)} findings in {sum(1 for _ in files())} files")
    return 1 if findings else 0
