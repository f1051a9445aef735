"""Files that are not what `weir run` reads: one clear error before anything is sent."""

import bz2
import gzip
import json
import lzma
import unittest

import weir_run
from weir_run import answer

LINE = '{"custom_id":"a","url":"/","body":{"n":1}}\n'
TALL = json.dumps({"custom_id": "a", "url": "/", "body": {}}, indent=2)
ANSWER = ('{"row":1,"custom_id":"a","response":{"status_code":200,"request_id":null,"body":{}},'
          '"error":null,"attempts":1}\n')

FORMS = {  # what is said, and the whole of files that it is said of
    "is compressed (gzip), and weir reads JSON Lines, a request a line; run: zcat FILE | weir":
        [gzip.compress(LINE.encode() * 100)],
    "is compressed (bzip2)": [bz2.compress(LINE.encode())],
    "is compressed (xz)": [lzma.compress(LINE.encode())],
    "is compressed (zstd)": [b"\x28\xb5\x2f\xfd rest"],
    "is a zip archive": [b"PK\x03\x04 rest"],
    "is UTF-16": [LINE.encode("utf-16"), LINE.encode("utf-16-le"), LINE.encode("utf-16-be"),
                  b"\xfe\xff" + LINE.encode("utf-16-be")],
    "is one JSON array": [f"[{LINE},{LINE}]", f"[\n{LINE},{LINE}]", f"[\n  {LINE}]",
                          f"\n [ {LINE}]"],
    "has JSON that goes over several lines": [TALL, TALL + "\n" + TALL],
    "looks like a table (CSV)": ["question,answer\nWhat?,That\n", '"a";"b"\n1;2\n', "a\tb\n"],
    "holds answers (its first row has a \"response\" and no \"url\")": [ANSWER * 2],
}

ROWS = {  # these first lines are rows, though some are bad ones
    "a word": "bad\n",
    "an array of values": "[1,2]\n",
    "empty lines": "\n \n",
    "a response and a URL": '{"url":"/","response":{}}\n',
    "broken JSON": '{"url":"/", "body": }\n',
    "a byte order mark": "\ufeff" + LINE,
}


class Forms(weir_run.Case):
    def setUp(self):
        super().setUp()
        self.target = self.server(lambda _: answer())

    def content(self, content):
        return content if isinstance(content, bytes) else content.encode()

    def refused(self, name, says, *args, **how):
        self.write("out.jsonl", "precious\n")
        result = self.weir("run", name, "-o", "out.jsonl", "--force", "--base-url",
                           self.target.url, "--concurrency", "8", *args, **how)
        self.assertEqual(result.status, 2, result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        shown = "stdin" if name == "-" else name
        self.assertIn(f"weir run: {shown} {says}", result.stderr)
        self.assertEqual(self.read("out.jsonl"), b"precious\n")
        self.assertEqual(self.target.requests, [])

    def test_each_is_told_from_a_file_and_from_a_pipe(self):
        for says, contents in FORMS.items():
            for content in contents:
                with self.subTest(says=says, content=content[:40]):
                    data = self.content(content)
                    with open(self.path("in.jsonl"), "wb") as file:
                        file.write(data)
                    self.refused("in.jsonl", says)
                    self.refused("-", says, data=data)

    def test_no_new_output_is_left(self):
        self.write("in.jsonl", "a,b\n1,2\n")
        result = self.weir("run", "in.jsonl", "-o", "new.jsonl", "--base-url", self.target.url)
        self.assertEqual(result.status, 2, result.stderr)
        self.assertFalse(self.exists("new.jsonl"))

    def test_an_array_longer_than_a_line_may_be(self):
        self.write("in.jsonl", "[" + (LINE.strip() + ",") * 50 + LINE.strip() + "]")
        self.refused("in.jsonl", "is one JSON array", "--max-line-bytes", "100")

    def test_rows_are_still_rows(self):
        for name, first in ROWS.items():
            with self.subTest(name):
                self.write("in.jsonl", first + LINE)
                result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--force",
                                   "--base-url", self.target.url)
                self.assertIn(result.status, (0, 3), result.stderr)
                rows = self.rows()
                self.assertEqual(rows[-1]["error"] and rows[0]["error"], None)

    def test_only_the_first_row_is_looked_at(self):
        self.write("in.jsonl", LINE + "a,b\n" + ANSWER + "[{}]\n{\n")
        rows = self.run_rows(self.read("in.jsonl").decode(), "--base-url", self.target.url,
                             status=3)
        self.assertEqual([row["error"] and row["error"]["code"]
                          for row in sorted(rows, key=lambda row: row["row"])],
                         [None] + ["bad_row"] * 4)


if __name__ == "__main__":
    unittest.main()
