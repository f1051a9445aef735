"""The manual pages that tools/man.py makes of the headers: all is there, and it renders."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

WEIR = os.environ["WEIR"]
SOURCE = pathlib.Path(os.environ["WEIR_SOURCE"])
MANDOC = shutil.which("mandoc")

LINK = re.compile(r"\.so (man3/\w+\.3)\n")
WORD = re.compile(r"\w+")
OVERSTRIKE = re.compile(r".\x08")


def make(folder, *program, **environment):
    subprocess.run(
        [sys.executable, "-B", SOURCE / "tools" / "man.py", folder, *program],
        env={**os.environ, **environment},
        check=True,
    )


def mandoc(*arguments):
    done = subprocess.run(["mandoc", *arguments], capture_output=True, text=True, check=False)
    return OVERSTRIKE.sub("", done.stdout) + done.stderr


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        make(cls.folder, WEIR)
        cls.links = {}  # function: the page that it is on
        cls.pages = []
        for path in sorted(cls.folder.glob("man?/*")):
            link = LINK.fullmatch(path.read_text(encoding="utf-8"))
            if link:
                cls.links[path.stem] = cls.folder / link[1]
            else:
                cls.pages.append(path)

    def test_each_exported_function_has_a_page_that_shows_it(self):
        symbols = (SOURCE / "tests" / "check" / "symbols.list").read_text(encoding="utf-8").split()
        functions = [word for word in symbols if not word.endswith(":")]
        self.assertGreater(len(functions), 100)
        for function in functions:
            own = self.folder / "man3" / f"{function}.3"
            page = self.links.get(function, own)
            self.assertTrue(page.exists(), function)
            self.assertRegex(page.read_text(encoding="utf-8"), rf"\b{function}\(", function)

    def test_macros_that_are_called_as_functions_have_one(self):
        self.assertIn("weir_spawn", self.links)

    def test_each_header_has_a_page(self):
        headers = {path.stem for path in (SOURCE / "include" / "weir").glob("*.h")}
        pages = {path.stem.removeprefix("weir_") for path in self.pages if path.suffix == ".3"}
        self.assertEqual(pages, headers)

    @unittest.skipUnless(MANDOC, "mandoc is not installed")
    def test_no_warning(self):
        self.assertEqual(mandoc("-T", "lint", "-W", "warning", *map(str, self.pages)), "")

    @unittest.skipUnless(MANDOC, "mandoc is not installed")
    def test_no_word_of_a_header_is_lost(self):
        for path in (SOURCE / "include" / "weir").glob("*.h"):
            name = "weir" if path.stem == "weir" else f"weir_{path.stem}"
            shown = mandoc("-T", "utf8", "-O", "width=200", str(self.folder / f"man3/{name}.3"))
            text = path.read_text(encoding="utf-8")
            if name == "weir_opts":  # how the compilers' macros are made is for them alone
                text = text[: text.index("#ifdef __cplusplus")]
            text = re.sub(r"^#(ifndef|ifdef|endif|include|define \w+_H$).*", "",
                          text, flags=re.M)  # fmt: skip
            text = text.replace('extern "C"', "")
            lost = set(WORD.findall(text)) - set(WORD.findall(shown)) - {"WEIR_API"}
            self.assertEqual(lost, set(), path.name)

    @unittest.skipUnless(MANDOC, "mandoc is not installed")
    def test_a_function_is_shown_with_the_structs_that_it_takes(self):
        """Wherever they are defined: their members and the comments there are what one looks for."""
        texts = {path.stem: path.read_text(encoding="utf-8")
                 for path in (SOURCE / "include" / "weir").glob("*.h")}  # fmt: skip
        looked_at = 0
        for text in texts.values():
            for call in re.findall(r"^WEIR_API\b[^;]*;", text, flags=re.M):
                function = re.search(r"\b(weir_\w+)\(", call)[1]
                page = self.links.get(function, self.folder / "man3" / f"{function}.3")
                shown = page.read_text(encoding="utf-8")
                for struct in re.findall(r"\bstruct (weir_\w+)", call):
                    self.assertEqual(len(re.findall(rf"(?m)^struct {struct} {{", shown)), 1,
                                     f"{function}: {struct}")  # fmt: skip
                    looked_at += 1
        self.assertGreater(looked_at, 50)
        page = self.links["weir_request"].read_text(encoding="utf-8")
        for word in ("timeout_ms", "idempotency_key", "for the whole call, waiting",
                     "#define WEIR_REQUEST(...)"):  # fmt: skip
            self.assertIn(word, page)

    def test_the_program_says_the_same(self):
        shown = " ".join(mandoc("-T", "utf8", str(self.folder / "man1/weir.1")).split())
        for command in ("run", "mock"):
            told = subprocess.run([WEIR, command, "--help"], capture_output=True, text=True, check=True)
            self.assertIn(" ".join(told.stdout.split()), shown)

    def test_made_twice_they_are_the_same(self):
        with tempfile.TemporaryDirectory() as a, tempfile.TemporaryDirectory() as b:
            for folder in (a, b):
                make(folder, SOURCE_DATE_EPOCH="86400")
                page = (pathlib.Path(folder) / "man3/weir_err.3").read_text(encoding="utf-8")
                self.assertIn(" 1970-01-02 ", page)
            files = sorted(path.relative_to(a) for path in pathlib.Path(a).rglob("*.3"))
            self.assertGreater(len(files), 100)
            for file in files:
                self.assertEqual((pathlib.Path(a) / file).read_bytes(),
                                 (pathlib.Path(b) / file).read_bytes())  # fmt: skip
