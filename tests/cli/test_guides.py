"""The C code in docs/guide compiles, its programs run and print what the page says.

On each page the blocks are, in order:
    ```c file     what the fragments of the page need: includes, declarations, functions
    ```c          a fragment: a few statements; or a whole program, known by its main
    ```text       right behind a program: what it prints
"""

import pathlib
import re
import subprocess
import tempfile
import unittest

import compiler
from mock import Mock

PAGES = sorted((compiler.SOURCE / "docs" / "guide").glob("*.md"))
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
PROGRAM = re.compile(r"^int main\(", re.M)
NOT_PROSE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.M | re.S)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.M)


class Page:
    def __init__(self, path):
        self.path = path
        self.name = path.name
        self.text = path.read_text(encoding="utf-8")
        # (kind, line of the first character, content)
        self.blocks = [
            (match[1].strip(), self.text.count("\n", 0, match.start(2)) + 1, match[2])
            for match in BLOCK.finditer(self.text)
        ]

    def located(self, line, code):
        """The code, with the page's own lines in what the compiler says of it."""
        return f'#line {line} "{self.name}"\n{code}'

    def fragments(self):
        """One file of all that is no program: declarations as they are, fragments in functions."""
        parts = []
        for kind, line, code in self.blocks:
            if kind == "c file":
                parts.append(self.located(line, code))
            elif kind == "c" and not PROGRAM.search(code):
                name = f"fragment_{line}"
                parts.append(f"int {name}(void);\nint {name}(void)\n{{\n")
                parts.append(self.located(line, code) + "return 0;\n}\n")
        return "".join(parts)

    def programs(self):
        """(line, program, what it prints or None)"""
        following = [*self.blocks[1:], ("", 0, None)]
        for (kind, line, code), (next_kind, _, next_text) in zip(self.blocks, following):
            if kind == "c" and PROGRAM.search(code):
                yield line, self.located(line, code), next_text if next_kind == "text" else None

    def anchors(self):
        """What GitHub makes of the headings."""
        titles = HEADING.findall(NOT_PROSE.sub("", self.text))
        return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


class Guides(unittest.TestCase):
    def test_fragments_compile(self):
        for path in PAGES:
            page = Page(path)
            code = page.fragments()
            with self.subTest(page.name):
                done = compiler.run_compiler(
                    *compiler.WARNINGS, "-fsyntax-only", "-xc", "-", text=code
                )
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_programs_print_what_the_page_says(self):
        for path in PAGES:
            page = Page(path)
            for line, code, printed in page.programs():
                with self.subTest(f"{page.name}:{line}"):
                    self.run_program(code, printed)

    def run_program(self, code, printed):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "program")
            done = compiler.link(program, "-xc", "-", "-xnone", text=code)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            with Mock() as server:  # a program that takes an argument takes a base URL
                arguments = [server.url] if "argv[1]" in code else []
                ran = subprocess.run(
                    [program, *arguments], capture_output=True, text=True, timeout=60, check=False
                )
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        if printed is not None:
            self.assertEqual(ran.stdout, printed)

    def test_there_is_something_to_compile(self):
        found = {page.name: page for page in map(Page, PAGES)}
        asyncio = found["coming-from-asyncio.md"]
        fragments = [code for kind, _, code in asyncio.blocks if kind == "c"]
        self.assertGreater(len(fragments), 25)
        self.assertEqual(len(list(asyncio.programs())), 1)

    def test_each_word_of_asyncio_is_there(self):
        text = (compiler.SOURCE / "docs" / "guide" / "coming-from-asyncio.md").read_text()
        table = text[: text.index("## ")]
        for word in """
            run create_task TaskGroup gather return_exceptions wait return_when as_completed wait_for
            timeout timeout_at reschedule shield sleep current_task cancel done result exception
            get_name Semaphore BoundedSemaphore Lock Event Condition Queue Barrier to_thread
            call_soon_threadsafe run_in_executor CancelledError AsyncLimiter retry ClientSession
        """.split():
            with self.subTest(word):
                self.assertRegex(table, rf"\b{word}\b")

    def test_only_known_kinds_of_blocks(self):
        for page in map(Page, PAGES):
            for kind, line, _ in page.blocks:
                with self.subTest(f"{page.name}:{line}"):
                    self.assertIn(kind, {"c", "c file", "python", "sh", "text"})

    def test_links_lead_somewhere(self):
        for page in map(Page, PAGES):
            for link in LINK.findall(NOT_PROSE.sub("", page.text)):
                if "://" in link:
                    continue
                with self.subTest(f"{page.name}: {link}"):
                    name, _, anchor = link.partition("#")
                    target = page.path.parent / name if name else page.path
                    self.assertTrue(target.exists())
                    if anchor:
                        self.assertIn(anchor, Page(target).anchors())


if __name__ == "__main__":
    unittest.main()
