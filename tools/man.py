#!/usr/bin/env python3
"""usage: man.py FOLDER [PROGRAM]

Manual pages from the one place where things are said: the comments of include/weir (a page per
header, weir_NAME.3, and a link to it for each function), and what the PROGRAM's --help says (weir.1).
They go to FOLDER/man3 and FOLDER/man1.
"""

import os
import pathlib
import re
import subprocess
import sys
import textwrap
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = ROOT / "include" / "weir"

# What a header has for the compiler's sake alone.
NOISE = re.compile(
    r"^#ifndef \w+_H\n#define \w+_H$|^#endif$\n?\Z|^#include .*$"
    r'|^#ifdef __cplusplus\n(?:extern "C" \{\n|\}\n|\n(?s:.*?))#endif$',
    re.M,
)
COMMENT = re.compile(r"\A\s*/\*(.*?)\*/", re.S)
HEADING = re.compile(r"^\s*-{3,} (.*?) -{3,}\s*$", re.S)
FUNCTION = re.compile(r"^(?:WEIR_API\b[^;{]*?\b|#define )(weir_\w+)\(", re.M)
STRUCT = re.compile(r"\bstruct (weir_\w+)")
DEFINITION = re.compile(r"^struct (weir_\w+) \{", re.M)
CALLS = re.compile(r"^WEIR_API\b[^;]*;|^typedef [^;]*\(\*\w+_fn\)[^;]*;", re.M)
VERSION = re.compile(r"#define WEIR_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)")
COMMANDS = ("run", "mock")


def version():
    return ".".join(VERSION.findall((INCLUDE / "version.h").read_text(encoding="utf-8")))


def date(path):
    """Of the source: pages that are made twice are the same."""
    moment = float(os.environ.get("SOURCE_DATE_EPOCH") or path.stat().st_mtime)
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


# ---- roff ----


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def literal(text):
    return f".PP\n.nf\n{escaped(text.expandtabs())}\n.fi\n"


def filled(text):
    """Lines of a length that no tool complains of, broken at blanks alone."""
    return escaped(textwrap.fill(text, 72, break_long_words=False, break_on_hyphens=False)) + "\n"


def plain(lines):
    return ".PP\n" + filled(" ".join(line.strip() for line in lines))


def prose(comment):
    """Paragraphs; what is indented in the comment stays as it stands."""
    lines = [re.sub(r"^\s*\* ?", "", line).rstrip() for line in comment.strip().split("\n")]
    blocks = []
    for line in lines:
        kind = "blank" if not line else "literal" if line.startswith("  ") else "plain"
        if blocks and blocks[-1][0] == kind:
            blocks[-1][1].append(line)
        else:
            blocks.append((kind, [line]))
    return "".join(
        literal("\n".join(lines)) if kind == "literal" else plain(lines)
        for kind, lines in blocks
        if kind != "blank"
    )


def title(name, section, path):
    return (
        f'.TH {escaped(name.upper())} {section} {date(path)} "weir {version()}" "weir"\n'
        ".nh\n"  # names must not be torn apart
    )


# ---- headers ----


def chunks(text):
    """The parts between blank lines that are inside of neither a comment nor braces."""
    part, depth, in_comment = [], 0, False
    for line in text.split("\n"):
        if not line.strip() and depth == 0 and not in_comment:
            if part:
                yield "\n".join(part)
            part = []
            continue
        part.append(line)
        code = re.sub(r"/\*.*?\*/", "", line)
        in_comment = ("*/" not in code) if in_comment else ("/*" in code)
        if not in_comment:
            depth += code.count("{") - code.count("}")
    if part:
        yield "\n".join(part)


def declaration(code):
    """As a reader wants it: without the export's mark and the backslashes of macros."""
    code = re.sub(r"[ \t]*\\$", "", code, flags=re.M)
    code = code.strip("\n")
    if "WEIR_API" not in code:
        return code
    code = re.sub(r"^ {9,}(?!/\*)", "        ", code, flags=re.M)  # parameters, less far out
    return re.sub(r"^WEIR_API ", "", code, flags=re.M)


def describe(chunk):
    match = COMMENT.match(chunk)
    comment, code = (match[1], chunk[match.end() :]) if match else ("", chunk)
    heading = HEADING.match(comment.strip())
    if heading and not code.strip():
        words = " ".join(re.sub(r"^\s*\* ?", "", line) for line in heading[1].split("\n"))
        return f'.SS "{escaped(words)}"\n'
    text = literal(declaration(code)) if code.strip() else ""
    return text + (prose(comment) if comment else "")


def sentence(comment):
    """The first one, for apropos: without its end, and beginning small unless it is a name."""
    text = " ".join(re.sub(r"^\s*\* ?", "", line).strip() for line in comment.split("\n")).strip()
    text = re.split(r"[.:;](?:\s|$)", text, maxsplit=1)[0]
    return text[0].lower() + text[1:] if not text[1:2].isupper() else text


class Header:
    def __init__(self, path):
        text = path.read_text(encoding="utf-8")
        self.path = path
        self.name = path.stem
        self.page = f"weir_{path.stem}" if path.stem != "weir" else "weir"
        self.comment = COMMENT.match(text)[1]
        self.includes = re.findall(r"^#include <weir/(\w+)\.h>", text, re.M)
        self.body = NOISE.sub("", text[COMMENT.match(text).end() :])
        self.functions = FUNCTION.findall(self.body)
        self.structs = DEFINITION.findall(self.body)

    def asked_for(self):
        """The structs that its functions take, and those that it calls back with."""
        names = STRUCT.findall(" ".join(CALLS.findall(self.body)))
        return [name for name in dict.fromkeys(names) if name not in self.structs]

    def definition(self, struct):
        """The struct with its comment, and what makes one."""
        maker = f"({struct}, __VA_ARGS__)"
        defined = re.compile(rf"^struct {struct} {{", re.M)
        return [part for part in chunks(self.body) if defined.search(part) or maker in part]

    def borrowed(self, headers):
        """What its functions take and other headers define: who looks up a function sees it, too."""
        owners = {struct: header for header in headers for struct in header.structs}
        parts = []
        for struct in self.asked_for():
            owner = owners[struct]
            parts.append(f'.SS "struct {escaped(struct)}, of <weir/{owner.name}.h>"\n')
            parts += [describe(part) for part in owner.definition(struct)]
        return [".SH STRUCTURES OF OTHER HEADERS\n", *parts] if parts else []

    def text(self, headers):
        pages = {header.page for header in headers}
        names = [name for name in self.functions if name != self.page]
        also = {f"weir_{name}" for name in self.includes} if self.name != "weir" else pages
        parts = [
            title(self.page, 3, self.path),
            ".SH NAME\n",
            filled(f"{', '.join([self.page, *names])} DASH {sentence(self.comment)}").replace(
                "DASH", "\\-", 1
            ),
            ".SH SYNOPSIS\n.nf\n",
            escaped(f"#include <weir/{self.name}.h>") + "\n.fi\n",
            ".SH DESCRIPTION\n",
            prose(self.comment),
            *(describe(chunk) for chunk in chunks(self.body)),
            *self.borrowed(headers),
        ]
        if also:
            seen = [f".BR {escaped(page)} (3)" for page in sorted(also - {self.page})]
            parts.append(".SH SEE ALSO\n" + ",\n".join(seen) + "\n")
        return re.sub(r"(?m)^(\.S[HS] .*\n)\.PP\n", r"\1", "".join(parts))


def write_section_3(folder):
    folder.mkdir(parents=True, exist_ok=True)
    headers = [Header(path) for path in sorted(INCLUDE.glob("*.h"))]
    pages = {header.page for header in headers}
    for header in headers:
        (folder / f"{header.page}.3").write_text(header.text(headers), encoding="utf-8")
        for function in header.functions:
            if function == header.page:
                continue
            if function in pages:
                sys.exit(f"man.py: {function} of {header.path.name} is the page of another header")
            (folder / f"{function}.3").write_text(f".so man3/{header.page}.3\n", encoding="utf-8")


# ---- the program ----


def help_of(program, *command):
    done = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True)
    return done.stdout.strip("\n")


def write_section_1(folder, program):
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        title("weir", 1, INCLUDE / "version.h"),
        ".SH NAME\nweir \\- run files of API requests at the rate that their server allows\n",
        ".SH SYNOPSIS\n",
        ".br\n".join(f".B weir {name}\n.I arguments\n" for name in COMMANDS),
        ".SH DESCRIPTION\n",
        literal(help_of(program)).removeprefix(".PP\n"),
    ]
    for name in COMMANDS:
        parts.append(f".SH WEIR {name.upper()}\n")
        parts.append(literal(help_of(program, name)).removeprefix(".PP\n"))
    parts.append(".SH SEE ALSO\n.BR weir (3)\n")
    (folder / "weir.1").write_text("".join(parts), encoding="utf-8")


def main(arguments):
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    folder = pathlib.Path(arguments[0])
    write_section_3(folder / "man3")
    if len(arguments) == 2:
        write_section_1(folder / "man1", arguments[1])


main(sys.argv[1:])
