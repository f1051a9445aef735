"""`weir run`: rows in, rows out."""

import json
import random
import threading
import time
import unittest

import weir_run
from weir_run import answer


def chat(i, **more):
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {i}"}]}
    return {"custom_id": f"r{i}", "method": "POST", "url": "/v1/chat/completions", "body": body,
            **more}


class Rows(weir_run.Case):
    def echo(self, status="200 OK", headers=()):
        """A server that answers what it got, and the base URL of it as options."""
        server = self.server(lambda request: answer(request["body"], status, headers))
        return server, ["--base-url", server.url]

    def test_shape_of_a_row(self):
        server = self.server(
            lambda _: answer('{"b":1, "a":2}', headers=["x-request-id: id \"7\""])
        )
        self.write("in.jsonl", '{"custom_id":"x","method":"POST","url":"/p?q=1","body":{}}\n')
        result = self.weir("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url)
        self.assertEqual(result.status, 0)
        self.assertEqual(
            self.read("out.jsonl"),
            b'{"row":1,"custom_id":"x","response":{"status_code":200,"request_id":"id \\"7\\"",'
            b'"body":{"b":1, "a":2}},"error":null,"attempts":1}\n',
        )
        self.assertEqual(server.requests[0]["path"], "/p?q=1")

    def test_twenty_thousand_rows(self):
        mock = self.mock()
        rows = self.run_rows([chat(i) for i in range(20000)], "--base-url", mock.url)
        stats = mock.stats()
        self.assertEqual(sorted(row["row"] for row in rows), list(range(1, 20001)))
        for row in rows:
            self.assertEqual(row["custom_id"], f"r{row['row'] - 1}")
            self.assertEqual((row["error"], row["attempts"]), (None, 1))
            self.assertEqual(row["response"]["status_code"], 200)
            self.assertEqual(row["response"]["body"]["object"], "chat.completion")
        self.assertEqual(stats["admitted"], 20000)
        self.assertLessEqual(stats["max_in_flight"], 64)
        self.assertIn("20,000 rows in", self.result.stderr)
        self.assertIn("20,000 succeeded, 0 failed", self.result.stderr)
        self.assertIn("20,000 attempts", self.result.stderr)
        self.assertIn("output: out.jsonl", self.result.stderr)

    def test_concurrency_is_reached_and_kept(self):
        mock = self.mock("--latency", "30")
        self.run_rows([chat(i) for i in range(60)], "--base-url", mock.url, "--concurrency", "6")
        self.assertEqual(mock.stats()["max_in_flight"], 6)

    def test_rate_is_kept(self):
        mock = self.mock()
        began = time.monotonic()
        self.run_rows([chat(i) for i in range(31)], "--base-url", mock.url, "--rate", "1200/min",
                      "--burst", "1")
        self.assertGreaterEqual(time.monotonic() - began, 1.5)

    def test_burst(self):
        arrivals = []

        def handler(_):
            arrivals.append(time.monotonic())
            return answer()

        server = self.server(handler)
        self.run_rows([chat(i) for i in range(12)], "--base-url", server.url, "--rate", "4/s",
                      "--burst", "10")
        self.assertLess(arrivals[9] - arrivals[0], 0.2)
        self.assertGreater(arrivals[11] - arrivals[0], 0.4)

    def test_stdin_and_stdout(self):
        _, base = self.echo()
        lines = "".join(json.dumps({"url": "/", "body": i}) + "\n" for i in range(3000))
        result = self.weir("run", "-", "-o", "-", *base, data=lines.encode())
        self.assertEqual(result.status, 0, result.stderr)
        rows = weir_run.rows_of(result.stdout)
        self.assertEqual(len(rows), 3000)
        for row in rows:
            self.assertEqual(row["response"]["body"], row["row"] - 1)
        self.assertIn("output: stdout", result.stderr)

    def test_stdin_that_dribbles(self):
        _, base = self.echo()
        process = self.start("run", "-", "-o", "out.jsonl", *base, stdin=weir_run.subprocess.PIPE)
        process.stdin.write(b'{"url":"/","body":1}\n{"url":"/","bo')
        process.stdin.flush()
        self.wait_for_output(lambda data: data, "a row is there")
        process.stdin.write(b'dy":2}\n')
        process.stdin.flush()
        self.wait_until(lambda: self.read("out.jsonl").count(b"\n") == 2, "two rows are there")
        result = self.finish(process, b'{"url":"/","body":3}')
        self.assertEqual(result.status, 0, result.stderr)
        self.assertEqual([row["response"]["body"] for row in self.rows()], [1, 2, 3])

    def test_line_ends_blank_lines_and_byte_order_mark(self):
        _, base = self.echo()
        text = (b'\xef\xbb\xbf{"url":"/","body":1}\r\n\r\n  \t\n{"url":"/","body":2}\n'
                b'\nbad\n{"url":"/","body":3}')
        rows = {row["row"]: row for row in self.run_rows(text, *base, status=3)}
        self.assertEqual(sorted(rows), [1, 2, 3, 4])
        self.assertEqual([rows[i]["response"]["body"] for i in (1, 2, 4)], [1, 2, 3])
        self.assertTrue(rows[3]["error"]["message"].startswith("in.jsonl:6: "), rows[3])

    def test_no_rows(self):
        for text in ("", "\n \n"):
            self.assertEqual(self.run_rows(text, "--base-url", "http://127.0.0.1:9", "--force"), [])
            self.assertIn("in.jsonl holds no row\n", self.result.stderr)
            self.assertTrue(self.exists("out.jsonl"))
            self.assertIn("0 rows", self.result.stderr)

    def test_custom_ids_are_echoed_as_they_stand(self):
        _, base = self.echo()
        ids = ['"a"', '"a"', "7", "1e400", "18446744073709551615", "1.0", "null",
               '{ "b":1,"b":[2]}',
               "[]", "true", r'"\u00e9\ud83d\ude00"', '"é"', '""']
        text = "".join(f'{{"url":"/","body":1,"custom_id":{i}}}\n' for i in ids)
        text += '{"url":"/","body":1}\n'
        self.run_rows(text, *base)
        found = {}
        for line in self.read("out.jsonl").decode().splitlines():
            begin = line.index('"custom_id":') + len('"custom_id":')
            found[json.loads(line)["row"]] = line[begin : line.index(',"response":')]
        self.assertEqual([found[i + 1] for i in range(len(ids) + 1)], ids + ["null"])

    def test_bodies_are_sent_byte_for_byte(self):
        server, base = self.echo()
        bodies = [
            '{"z":1,"a":18446744073709551615,"x":1e400,"y":-0.0,"t":1.10}',
            '{"a" : [ 1 ,\t2 ] , "a": "\\u0041\\/\\ud83d\\ude00 é \\"body\\": }{][ \\\\"}',
            '"just text"',
            "[]",
            "0",
            "false",
            '{"body":{"url":"/x","body":"\\\\"}}',
            "[" * 191 + "]" * 191,
        ]
        text = "".join(
            f'{{"body" :\t {body} , "url":"/{i}"}}\n' for i, body in enumerate(bodies)
        )
        rows = self.run_rows(text, *base)
        sent = {request["path"]: request["body"].decode() for request in server.requests}
        self.assertEqual([sent[f"/{i}"] for i in range(len(bodies))], bodies)
        lines = self.read("out.jsonl").decode().splitlines()
        for row, line in zip(rows, lines):
            self.assertIn('"body":' + bodies[row["row"] - 1] + '},"error":null', line)

    def test_last_of_equal_members_counts_and_keys_may_be_escaped(self):
        server, base = self.echo()
        self.run_rows(
            r'{"url":"/no","body":1,"headers":{"X":"1"},"\u0062ody":2,"u\u0072l":"/yes",'
            r'"url2":"/no","headers":null,"method":"DELETE","method":"PUT"}', *base)
        request = server.requests[0]
        self.assertEqual((request["method"], request["path"], request["body"]),
                         ("PUT", "/yes", b"2"))
        self.assertNotIn("x", request["headers"])

    def test_methods(self):
        server, base = self.echo()
        rows = [{"url": "/none"}, {"url": "/null", "body": None}, {"url": "/post", "body": {}},
                {"url": "/nothing", "method": None}]
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "get", "Post"):
            rows.append({"url": f"/{method}", "method": method})
        rows.append({"url": "/delete", "method": "DELETE", "body": 1})
        self.run_rows(rows, *base)
        seen = {request["path"]: request for request in server.requests}
        methods = {path: request["method"] for path, request in seen.items()}
        self.assertEqual(methods, {
            "/none": "GET", "/null": "GET", "/post": "POST", "/nothing": "GET", "/GET": "GET",
            "/POST": "POST", "/PUT": "PUT", "/PATCH": "PATCH", "/DELETE": "DELETE", "/HEAD": "HEAD",
            "/get": "GET", "/Post": "POST", "/delete": "DELETE"})
        self.assertEqual(seen["/null"]["body"], b"")
        self.assertEqual(seen["/delete"]["body"], b"1")

    def test_content_type(self):
        server, base = self.echo()
        rows = [
            {"url": "/a", "body": 1},
            {"url": "/b"},
            {"url": "/c", "body": 1, "headers": {"content-TYPE": "text/plain"}},
            {"url": "/d", "body": 1, "headers": {"X-A": "b"}},
            {"url": "/e", "body": 1, "headers": {}},
        ]
        self.run_rows(rows, *base)
        types = {r["path"]: r["headers"].get("content-type") for r in server.requests}
        self.assertEqual(types, {"/a": ["application/json"], "/b": None, "/c": ["text/plain"],
                                 "/d": ["application/json"], "/e": ["application/json"]})

    def test_content_type_of_the_command_line(self):
        server, base = self.echo()
        self.run_rows([{"url": "/a", "body": 1}, {"url": "/b", "body": 1, "headers": {"X": "y"}}],
                      *base, "--header", "Content-type: application/x-ndjson")
        for request in server.requests:
            self.assertEqual(request["headers"]["content-type"], ["application/x-ndjson"])

    def test_key_and_headers_go_to_the_base_url_alone(self):
        server, base = self.echo()
        other, _ = self.echo()
        rows = [{"url": "/own", "body": 1},
                {"url": server.url + "/own2", "body": 1},
                {"url": other.url + "/other", "body": 1},
                {"url": "/mine", "body": 1,
                 "headers": {"X-API-Key": "row's", "Authorization": "mine"}}]
        self.run_rows(rows, *base, "--header", "X-Api-Key: k1", "--header", "X-Tab: a\tb",
                      "--api-key-env", "SECRET", env={"SECRET": "s3cret"})
        seen = {r["path"]: r["headers"] for r in server.requests + other.requests}
        for path in ("/own", "/own2"):
            self.assertEqual(seen[path]["authorization"], ["Bearer s3cret"])
            self.assertEqual(seen[path]["x-api-key"], ["k1"])
            self.assertEqual(seen[path]["x-tab"], ["a\tb"])
        self.assertNotIn("authorization", seen["/other"])
        self.assertNotIn("x-api-key", seen["/other"])
        self.assertEqual(seen["/mine"]["authorization"], ["mine"])
        self.assertEqual(seen["/mine"]["x-api-key"], ["row's"])
        self.assertNotIn("s3cret", self.result.stderr)
        self.assertNotIn(b"s3cret", self.read("out.jsonl"))

    def test_absolute_urls_need_no_base_url(self):
        server, _ = self.echo()
        rows = self.run_rows([{"url": server.url + "/x", "body": 1}], "--header", "X-A: b")
        self.assertEqual(rows[0]["response"]["body"], 1)
        self.assertEqual(server.requests[0]["headers"]["x-a"], ["b"])

    def test_rows_of_headers(self):
        server, base = self.echo()
        headers = {f"X-{i}": f"v {i}" for i in range(90)}
        headers |= {"X-Dup": "1", "x-dup": "2", "X-\u0041sc\u0069i": "é \"quoted\" \\",
                    "X-Empty": ""}
        self.run_rows([{"url": "/", "headers": headers}], *base)
        seen = server.requests[0]["headers"]
        for i in range(90):
            self.assertEqual(seen[f"x-{i}"], [f"v {i}"])
        self.assertEqual(seen["x-dup"], ["2"])
        self.assertEqual(seen["x-ascii"][0].encode("latin-1").decode(), "é \"quoted\" \\")

    def test_input_is_read_lazily(self):
        """Not further ahead than the workers reach: a row that waits costs memory."""
        gate = threading.Event()

        def handler(_):
            gate.wait(weir_run.PATIENCE)
            return answer()

        server = self.server(handler)
        process = self.start("run", "-", "-o", "out.jsonl", "--base-url", server.url,
                             "--concurrency", "2", stdin=weir_run.subprocess.PIPE)
        row = (json.dumps({"url": "/", "body": "x" * 100000}) + "\n").encode()
        weir_run.os.set_blocking(process.stdin.fileno(), False)
        taken = 0
        quiet_since = time.monotonic()
        while time.monotonic() - quiet_since < 0.5 and taken < 200 * len(row):
            try:
                taken += weir_run.os.write(process.stdin.fileno(), row[taken % len(row) :])
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        self.assertLess(taken, 40 * len(row))
        gate.set()
        weir_run.os.set_blocking(process.stdin.fileno(), True)
        result = self.finish(process, row[taken % len(row) :] if taken % len(row) else b"")
        self.assertEqual(result.status, 0, result.stderr)

    def test_output_is_private_and_force_overwrites(self):
        _, base = self.echo()
        self.run_rows([{"url": "/", "body": 1}], *base)
        mode = weir_run.os.stat(self.path("out.jsonl")).st_mode
        self.assertEqual(mode & 0o777, 0o600)
        self.write("out.jsonl", "old " * 10000)
        rows = self.run_rows([{"url": "/", "body": 2}], *base, "--force")
        self.assertEqual([row["response"]["body"] for row in rows], [2])

    def test_device_as_output(self):
        _, base = self.echo()
        self.write("in.jsonl", [{"url": "/", "body": 1}])
        result = self.weir("run", "in.jsonl", "-o", "/dev/null", *base)
        self.assertEqual(result.status, 0, result.stderr)




class Json(weir_run.Case):
    """What counts as JSON, in rows and in answers: as Python's parser has it, but strict."""

    GOOD = ['{"a":[1,2,{"b":null}],"c":"d"}', "-0.5e-7", '"\\ud800"', '"\\u0000"', '"\x7f"', "1E+2",
            '[[[[]]],{"":{}}]', '"é€😀"', "10", "[true,false,null]", '" \\b\\f\\n\\r\\t\\/\\\\\\" "']
    PIECES = ["{", "}", "[", "]", ",", ":", '"', "\\", "u", "0", "1", "-", "+", ".", "e", " ",
              "\t", "\r", "tru", "null", "é", "\x01", "\\u12", "\x00"]

    @staticmethod
    def is_json(text):
        def refuse(_):
            raise ValueError("not JSON")

        try:
            json.loads(text, parse_constant=refuse, parse_int=lambda _: 0,
                       parse_float=lambda _: 0.0)
            return True
        except ValueError:
            return False

    def variants(self):
        rng = random.Random(7)
        texts = list(self.GOOD)
        while len(texts) < 1500:
            text = rng.choice(self.GOOD)
            for _ in range(rng.randint(1, 2)):
                at = rng.randint(0, len(text))
                text = text[:at] + rng.choice([rng.choice(self.PIECES),
                                               ""]) + text[at + rng.randint(0, 1) :]
            if text.strip(" \t\r"):
                texts.append(text)
        return texts

    def test_rows_are_taken_and_refused_as_by_another_parser(self):
        server = self.server(lambda request: answer(request["body"]))
        texts = self.variants()
        lines = "".join(f'{{"url":"/","body":{text}}}\n' for text in texts)
        rows = {r["row"]: r for r in self.run_rows(lines, "--base-url", server.url, status=3)}
        self.assertEqual(len(rows), len(texts))
        outcomes = set()
        for i, text in enumerate(texts, 1):
            good = self.is_json(f'{{"url":"/","body":{text}}}')
            outcomes.add(good)
            code = rows[i]["error"] and rows[i]["error"]["code"]
            self.assertEqual(code, None if good else "bad_row", text)
        self.assertEqual(outcomes, {True, False})

    def test_answers_are_kept_as_json_or_as_text(self):
        texts = [text.encode() for text in self.variants()]
        texts += [b"\xff", b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"',
                  b""]
        server = self.server(lambda request: answer(texts[int(request["path"][1:])]))
        rows = self.run_rows([{"url": f"/{i}"} for i in range(len(texts))], "--base-url",
                             server.url)
        lines = self.read("out.jsonl").splitlines()
        for row, line in zip(rows, lines):
            text = texts[row["row"] - 1]
            kept = line[line.index(b'"body":') + 7 : line.index(b'},"error":null')]
            try:
                good = self.is_json(text.decode())
            except UnicodeDecodeError:
                good = False
            if good:
                plain = text.strip(b" \t\r\n").replace(b"\r", b"").replace(b"\n", b"")
                self.assertEqual(kept, plain)
            else:
                expected = ""
                for byte in text if b"\xff" in text else ():
                    expected += "\ufffd"
                if expected:
                    self.assertEqual(json.loads(kept), expected)
                else:
                    self.assertIsInstance(json.loads(kept), str, text)

    def test_pretty_printed_answers_stay_on_one_line(self):
        value = {"a": [1, 2.50, 10**25], "b": "line\nend\rend\u2028", "c": {}}
        text = json.dumps(value, indent=4).replace("\n", "\r\n") + "\r\n"
        server = self.server(lambda _: answer("\n\t" + text))
        rows = self.run_rows([{"url": "/"}], "--base-url", server.url)
        self.assertEqual(rows[0]["response"]["body"], value)
        self.assertEqual(self.read("out.jsonl").count(b"\n"), 1)

    def test_text_is_kept(self):
        text = "<html>\r\n\t\"q\" \\ \x00\x1f\x7f é😀".encode() + b"\xff\xe2\x82" + b"!"
        server = self.server(lambda _: answer(text))
        rows = self.run_rows([{"url": "/"}], "--base-url", server.url)
        self.assertEqual(rows[0]["response"]["body"],
                         "<html>\r\n\t\"q\" \\ \x00\x1f\x7f é😀\ufffd\ufffd\ufffd!")

    def test_deep_json(self):
        for depth in (193, 100000):
            deep = "[" * depth + "]" * depth
            server = self.server(lambda _: answer(deep))
            text = '{"url":"/"}\n{"url":"/","body":' + deep + "}\n"
            rows = self.run_rows(text, "--base-url", server.url, "--force", status=3)
            by_row = {row["row"]: row for row in rows}
            self.assertEqual(by_row[1]["response"]["body"], deep)
            self.assertIn("nested too deep", by_row[2]["error"]["message"])


class Refused(weir_run.Case):
    """Rows that cannot be sent fail by themselves; the others run."""

    def test_another_encoding(self):
        server = self.server(lambda request: answer())
        self.write("in.jsonl", '{"url":"/"}\n{"url":"/","body":"é"}\n'.encode("latin-1"))
        self.weir("run", "in.jsonl", "-o", "out.jsonl", "--base-url", server.url)
        by_row = {row["row"]: row for row in self.rows()}
        self.assertIsNone(by_row[1]["error"])
        self.assertEqual(by_row[2]["error"]["message"],
                         "in.jsonl:2: not JSON at byte 20: not UTF-8; convert the file, "
                         "from Latin-1 by: iconv -f LATIN1 -t UTF-8 FILE")

    def test_each_kind(self):
        server = self.server(lambda request: answer())
        deep_header = '{"url":"/","headers":{"X":' + "[" * 150 + "]" * 150 + "}}"
        bad = [
            ("no json", "not JSON at byte 1: expected a value"),
            ('{"url":"/"', "not JSON at byte 11"),
            ('{"url":"/"} x', "text behind the end"),
            ('{"url":"/",}', "expected a key in quotes"),
            ("[]", "not a JSON object"),
            ('"/"', "not a JSON object"),
            ("{}", 'no "url"'),
            ('{"url":null}', 'no "url"'),
            ('{"url":7}', '"url" is not a string'),
            ('{"url":""}', "begin it with /"),
            ('{"url":"v1/x"}', "begin it with /"),
            ('{"url":"ftp://127.0.0.1/"}', "begin it with /"),
            ('{"url":"file:///etc/passwd"}', "begin it with /"),
            ('{"url":"/a b"}', "write it as %20"),
            ('{"url":"/a\\r\\nX: y"}', "write it as %0D"),
            ('{"url":"/a\\u0000b"}', "write it as %00"),
            ('{"url":"/\\ud800"}', "escape without meaning"),
            ('{"url":"http://"}', "malformed or unsupported URL"),
            ('{"url":"http://127.0.0.1:99999/"}', "malformed or unsupported URL"),
            ('{"url":"/","method":"FETCH"}', 'unknown method "FETCH"; use GET, POST'),
            ('{"url":"/","method":""}', 'unknown method ""'),
            ('{"url":"/","method":"GET\\r\\nX: y"}', "unknown method"),
            ('{"url":"/","method":["GET"]}', '"method" is not a string'),
            ('{"url":"/","headers":[]}', '"headers" is not an object'),
            ('{"url":"/","headers":"X: y"}', '"headers" is not an object'),
            ('{"url":"/","headers":{"X":1}}', 'header "X" is not a string'),
            (deep_header, 'header "X" is not a string'),
            ('{"url":"/","headers":{"X":"a\\nEvil: 1"}}', 'header "X" has a control character'),
            ('{"url":"/","headers":{"X":"a\\u0000b"}}', 'header "X" has a control character'),
            ('{"url":"/","headers":{"X\\r\\nEvil":"1"}}', "does not allow"),
            ('{"url":"/","headers":{"X:Y":"1"}}', "no possible name"),
            ('{"url":"/","headers":{"":"1"}}', "has no name"),
            ('{"url":"/","headers":{"X Y":"1"}}', "does not allow"),
            (json.dumps({"url": "/", "headers": {f"X-{i}": "" for i in range(101)}}),
             "more than 100"),
            ('{"url":"/","body":"' + "x" * 5000 + '"}',
             "longer than the maximum; --max-line-bytes"),
        ]
        text = "".join(f'{line}\n\n{{"url":"/good"}}\n' for line, _ in bad)
        rows = self.run_rows(text, "--base-url", server.url, "--max-line-bytes", "4000", status=3)
        rows = {row["row"]: row for row in rows}
        self.assertEqual(len(rows), 2 * len(bad))
        for i, (line, says) in enumerate(bad):
            row = rows[2 * i + 1]
            self.assertEqual((row["response"], row["attempts"]), (None, 0), line)
            self.assertEqual(row["error"]["code"], "bad_row", line)
            self.assertTrue(row["error"]["message"].startswith(f"in.jsonl:{3 * i + 1}: "), row)
            self.assertIn(says, row["error"]["message"])
            self.assertIsNone(rows[2 * i + 2]["error"])
        self.assertEqual({r["path"] for r in server.requests}, {"/good"})
        self.assertNotIn("evil", str(server.requests).lower())
        self.assertIn(f"{len(bad)}  bad_row      in.jsonl:1: not JSON", self.result.stderr)

    def forget_base_url(self, rows, *args, output="out.jsonl", place="in.jsonl:2 (row 1)"):
        self.write("in.jsonl", rows)
        result = self.weir("run", "in.jsonl", "-o", output, *args)
        self.assertEqual((result.status, result.stdout), (2, b""), result.stderr)
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(f'{place}: "url" is relative: name the server of such rows with --base-url '
                      "https://HOST, or write whole URLs", result.stderr)

    def test_a_base_url_that_was_forgotten_ends_the_run(self):
        rows = "\n" + '{"url":"/v1/x"}\n' * 3000
        self.forget_base_url(rows)
        self.assertFalse(self.exists("out.jsonl"))
        self.forget_base_url('{"url":"/v1/x"}', place="in.jsonl:1")
        self.assertFalse(self.exists("out.jsonl"))
        self.forget_base_url(rows, "--progress", "none", "--concurrency", "1")
        self.assertFalse(self.exists("out.jsonl"))
        self.forget_base_url(rows, output="-")
        self.write("out.jsonl", "precious\n")
        self.forget_base_url(rows, "--force")
        self.assertEqual(self.read("out.jsonl"), b"precious\n")

    def test_rows_with_other_faults_do_not_hide_it(self):
        self.write("out.jsonl", "precious\n")
        self.forget_base_url("bad\n" * 50 + '{"url":"/v1/x"}\n' * 50, "--force",
                             place="in.jsonl:51")
        self.assertEqual(self.read("out.jsonl"), b"precious\n")

    def test_a_later_row_without_a_server_is_a_bad_row(self):
        server = self.server(lambda _: answer())
        whole = json.dumps({"url": server.url + "/a"}) + "\n"
        rows = self.run_rows(whole + '{"custom_id":"c","url":"/v1/x"}\n' * 30, status=3)
        self.assertEqual(len(rows), 31)
        row = next(row for row in rows if row["row"] == 2)
        self.assertEqual((row["custom_id"], row["error"]["message"]),
                         ("c", 'in.jsonl:2: "url" is relative; name its server with --base-url'))

    def test_lines_at_the_maximum(self):
        server = self.server(lambda request: answer())
        line = '{"url":"/","body":"' + "x" * 100 + '"}'
        text = f"{line}\r\n{line} \n{line}"
        rows = self.run_rows(text, "--base-url", server.url, "--max-line-bytes", str(len(line)),
                             status=3)
        failed = {row["row"]: row["error"] is not None for row in rows}
        self.assertEqual(failed, {1: False, 2: True, 3: False})

    def test_a_file_of_nothing_but_bad_rows(self):
        rows = self.run_rows("bad\n" * 50000, "--base-url", "http://127.0.0.1:9", status=3)
        self.assertEqual(len(rows), 50000)
        self.assertIn("50,000  bad_row", self.result.stderr)


if __name__ == "__main__":
    unittest.main()
