"""`weir` and `weir run` told wrongly: one clear line with a hint, exit 2, and nothing is done."""

import os
import resource
import threading
import unittest

import weir_run

ROW = [{"url": "/echo", "body": 1}]


class Refusal(weir_run.Case):
    def setUp(self):
        super().setUp()
        self.server_seen = self.server(lambda request: weir_run.answer())
        self.write("in.jsonl", ROW)

    def refuse(self, *args, says, **how):
        """The command line is refused; returns what was said."""
        before = sorted(os.listdir(self.folder))
        result = self.weir(*args, **how)
        self.assertEqual(result.status, 2, result.stderr)
        self.assertEqual(result.stdout, b"")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertIn(says, result.stderr)
        self.assertEqual(sorted(os.listdir(self.folder)), before)
        self.assertEqual(self.server_seen.requests, [])
        return result.stderr

    def refuse_run(self, *args, says, **how):
        said = self.refuse(
            "run", "in.jsonl", "-o", "out", "--base-url", self.server_seen.url, *args, says=says,
            **how
        )
        self.assertIn("weir run --help", said)
        return said


class Usage(Refusal):
    def test_no_command(self):
        result = self.weir()
        self.assertEqual(result.status, 2)
        self.assertEqual(result.stdout, b"")
        self.assertIn("usage: weir COMMAND", result.stderr)

    def test_unknown_command(self):
        said = self.refuse("runn", says="unknown command 'runn'")
        self.assertIn("weir help", said)

    def test_help_with_a_command(self):
        for command in ("run", "mock"):
            result = self.weir("help", command)
            self.assertEqual((result.status, result.stderr), (0, ""))
            self.assertEqual(result.stdout, self.weir(command, "--help").stdout)
        self.assertEqual(self.weir("help", "help").stdout, self.weir("help").stdout)
        result = self.weir("help", "walk")
        self.assertEqual((result.status, result.stdout), (2, b""))
        self.assertIn("unknown command 'walk'", result.stderr)
        self.assertEqual(self.weir("help", "run", "x").status, 2)

    def test_help_and_version(self):
        for args in (["help"], ["--help"], ["-h"]):
            result = self.weir(*args)
            self.assertEqual((result.status, result.stderr), (0, ""))
            self.assertIn(b"usage: weir COMMAND", result.stdout)
        for word in ("version", "--version"):
            result = self.weir(word)
            self.assertEqual((result.status, result.stderr), (0, ""))
            self.assertRegex(result.stdout, rb"^weir \d+\.\d+\.\d+\n$")

    def test_manual_names_every_option_and_fits_a_terminal(self):
        result = self.weir("run", "--help")
        self.assertEqual((result.status, result.stderr), (0, ""))
        text = result.stdout.decode()
        for option in (
            "--output --force --base-url --api-key-env --header --concurrency --rate --burst "
            "--max-attempts --timeout --idle-timeout --no-replay --idempotency-key "
            "--max-line-bytes --progress --help"
        ).split():
            self.assertIn(option, text)
        for line in text.splitlines():
            self.assertLess(len(line), 80, line)
        flat = " ".join(text.split())
        self.assertIn("a path that the row's URL repeats, such as /v1, is not doubled", flat)
        self.assertIn("none: nothing but fatal errors; see the exit status", flat)
        self.assertIn("connect, resolve, tls, cert, reset, timeout, proto,", flat)
        self.assertIn("its queue before the first word included (default: none)", flat)
        self.assertIn("is silent for longer than --idle-timeout, whose code is timeout.", flat)

    def test_arguments(self):
        self.refuse("run", "-o", "out", says="no input")
        self.refuse("run", "in.jsonl", says="add -o FILE")
        self.refuse("run", "in.jsonl", "x", "-o", "out", says="'x'")
        self.refuse("run", "", "-o", "out", says="name of the input is empty")
        self.refuse("run", "in.jsonl", "-o", "", says="name of the output is empty")

    def test_unknown_options(self):
        self.refuse_run("--bogus", says="unknown option '--bogus'")
        self.refuse_run("-x", says="unknown option '-x'")
        self.refuse_run("--force=yes", says="--force=yes")
        self.refuse_run("--rate", says="option '--rate' needs a value")

    def test_long_options_are_given_in_full(self):
        for written, says in (
            (("--api-key", "sk-abc"), "unknown option --api-key; did you mean --api-key-env?"),
            (("--api-key=sk-abc",), "unknown option --api-key; did you mean --api-key-env?"),
            (("--api-ke",), "unknown option --api-ke; did you mean --api-key-env?"),
            (("--max", "3"), "did you mean --max-attempts or --max-line-bytes or --max-outage?"),
            (("--hel",), "did you mean --help?"),
            (("--token=sk-abc",), "unknown option '--token' ("),
            (("--=sk-abc",), "unknown option '--' ("),
            (("--" + "x" * 1000,), "unknown option '--xxx"),
        ):
            with self.subTest(written=written):
                said = self.refuse_run(*written, says=says)
                self.assertNotIn("sk-abc", said)
        for name in ("output base-url concurrency rate burst max-attempts timeout header "
                     "api-key-env progress max-line-bytes force no-replay help idle-timeout "
                     "idempotency-key").split():
            with self.subTest(name=name):
                said = self.refuse_run(f"--{name[:-1]}", says=f"unknown option --{name[:-1]}; ")
                self.assertIn(f"--{name}", said)
        self.refuse_run("--help=x", says="wrong use of option '--help=x'")
        self.refuse_run("--force", "-xy", says="unknown option '-x'")
        self.assertFalse(self.exists("out"))

    def test_values_may_look_like_options(self):
        self.run_rows(ROW, "--base-url", self.server_seen.url, "--header", "--api-key: 1",
                      "--timeout=5", "--rate=50/s")
        self.assertEqual(self.server_seen.requests[0]["headers"]["--api-key"], ["1"])
        self.write("--rat", ROW)
        result = self.weir("run", "-o", "--bas", "--base-url", self.server_seen.url, "--", "--rat")
        self.assertEqual(result.status, 0, result.stderr)
        self.assertEqual(len(self.rows("--bas")), 1)

    def test_rates(self):
        for unit in "s sec second m min minute h hour d day".split():
            with self.subTest(unit=unit):
                self.run_rows(ROW, "--base-url", self.server_seen.url, "--force", "--rate",
                              f"9/{unit}")
        self.write("in.jsonl", ROW * 3)
        for unit, blocked in (("second", False), ("minute", True), ("hour", True)):
            with self.subTest(unit=unit):
                del self.server_seen.requests[:]
                process = self.start("run", "in.jsonl", "-o", "out.jsonl", "--force", "--base-url",
                                     self.server_seen.url, "--rate", f"40/{unit}")
                if blocked:
                    self.wait_until(lambda: self.server_seen.requests, "a row is sent")
                    with self.assertRaises(weir_run.subprocess.TimeoutExpired):
                        process.wait(0.5)
                    self.assertEqual(len(self.server_seen.requests), 1)
                    process.kill()
                else:
                    self.assertEqual(process.wait(weir_run.PATIENCE), 0)

    def test_fractions_of_a_rate(self):
        for rate in ("0.5/s", "1.5", ".5/min"):
            self.refuse_run("--rate", rate, says="write a fraction per min or h, such as 30/min")

    def test_numbers(self):
        for option, values in {
            "--concurrency": ("0", "10001", "-1", "+1", "1.5", "x", "", " 1", "1 ", "0x10", "1e3",
                              "18446744073709551617"),
            "--rate": ("10", "0/s", "-1/s", "10/M", "10/secs", "10/", "1e3/s", "/s", "10/", "1.5/s",
                       "10/s/s",
                       "1000000001/s", "99999999999999999999/d", ""),
            "--burst": ("0", "-1", "x", "1000000001"),
            "--max-attempts": ("0", "1001", "x", "-1"),
            "--timeout": ("0", "0.000", "-1", "x", "1.2345", "1.", ".5", "604801", "1e3", "nan",
                          "1..2"),
            "--idle-timeout": ("0", "0.000", "-1", "x", "1.2345", "604801", ""),
            "--max-line-bytes": ("0", "1073741825", "64k"),
            "--progress": ("", "fancy", "Auto"),
        }.items():
            for value in values:
                with self.subTest(option=option, value=value):
                    extra = ["--rate", "10/s"] if option == "--burst" else []
                    self.refuse_run(*extra, option, value, says=f"{option} '{value}': expected")

    def test_a_key_lets_rows_be_sent_again(self):
        for words in (("--idempotency-key", "--no-replay"), ("--no-replay", "--idempotency-key")):
            self.refuse_run(*words, says="--idempotency-key lets rows be sent again, which "
                            "--no-replay forbids; leave one out")
        self.refuse_run("--idempotency-key=a", says="wrong use of option '--idempotency-key=a'")

    def test_burst_needs_a_rate(self):
        self.refuse_run("--burst", "5", says="--rate")

    def test_headers(self):
        for line, says in (
            ("no colon", "has no colon"),
            (": x", "has no name"),
            ("a b: x", "does not allow"),
            ("X-Ä: x", "does not allow"),
            ("X-A: s3cret\r\nX-B: y", "control character"),
            ("X-A: s3cret\x7f", "control character"),
            ("", "has no colon"),
        ):
            with self.subTest(line=line):
                said = self.refuse_run("--header", line, says=says)
                self.assertNotIn("s3cret", said)
        many = [word for i in range(65) for word in ("--header", f"X-{i}: 1")]
        self.refuse_run(*many, says="more than 64")

    def test_a_key_in_the_place_of_its_name_is_not_shown(self):
        for key in ("sk-abc", "7abc", "", "ABC=sk", "AB\xc4", "A B", "sk.abc"):
            with self.subTest(key=key):
                said = self.refuse_run("--api-key-env", key, says="wants the NAME of an "
                                       "environment variable, not the key itself")
                self.assertTrue(not key or key not in said)
        self.refuse_run("--api-key-env", "_a9_Z", says="_a9_Z: that variable is not set")

    def test_api_key(self):
        self.refuse_run("--api-key-env", "WEIR_NO_SUCH",
                        says="WEIR_NO_SUCH: that variable is not set")
        self.refuse_run(
            "--api-key-env", "KEY", env={"KEY": ""}, says="KEY: that variable is empty"
        )
        said = self.refuse_run("--api-key-env", "KEY", env={"KEY": "s3cret\n"}, says="line end")
        self.assertNotIn("s3cret", said)
        self.refuse(
            "run", "in.jsonl", "-o", "out", "--api-key-env", "KEY", env={"KEY": "k"},
            says="--base-url"
        )
        said = self.refuse_run(
            "--api-key-env", "KEY", "--header", "authorization: s3cret", env={"KEY": "k3y"},
            says="two keys"
        )
        self.assertNotIn("s3cret", said)

    def test_a_path_that_the_row_repeats_is_not_doubled(self):
        self.run_rows([{"url": "/v1/a"}, {"url": "/b"}], "--base-url",
                      self.server_seen.url + "/v1")
        self.assertEqual({r["path"] for r in self.server_seen.requests}, {"/v1/a", "/v1/b"})

    def test_base_url(self):
        for url in ("api.example.com", "ftp://127.0.0.1/", "/v1", "", "http://", "http://a b/",
                    "http://127.0.0.1:99999/"):
            with self.subTest(url=url):
                self.refuse("run", "in.jsonl", "-o", "out", "--base-url", url, says="--base-url")

    def test_a_base_url_that_is_wrong_does_not_cost_the_old_output(self):
        self.write("old", "precious\n")
        self.refuse("run", "in.jsonl", "-o", "old", "--force", "--base-url", "http://a b/",
                    says="--base-url")
        self.assertEqual(self.read("old"), b"precious\n")

    def test_connections(self):
        for args, says in (
            (("--proxy", "gopher://me:hush@h"), "--proxy: proxy is of no known kind"),
            (("--proxy", "h:1", "--unix-socket", "/s"), "exclude each other"),
            (("--resolve", "h:80"), "--resolve: resolve[0] is not host:port:address"),
            (("--resolve", "h:80:::1") * 65, "more than 64 --resolve"),
            (("--cacert", "nowhere.pem"), "--cacert: ca_file cannot be read: nowhere.pem"),
            (("--cacert", ".", "--insecure"), "--insecure: insecure"),
            (("--key", "in.jsonl"), "--key: key_file or key_password without cert_file"),
            (("--key-password-env", "hush hush"), "the NAME of an environment variable"),
            (("--connect-timeout", "0"), "expected seconds"),
            (("--tls-keylog", "nowhere/keys"), "--tls-keylog: tls_keylog_file"),
        ):
            said = self.refuse_run(*args, says=says)
            self.assertNotIn("hush", said)

    def test_more_files_than_allowed(self):
        def few_files():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

        self.refuse_run("--concurrency", "500", before=few_files, says="ulimit -Hn")

    def test_soft_limit_on_files_is_raised(self):
        def few_files_for_now():
            weir_run.default_signals()
            resource.setrlimit(resource.RLIMIT_NOFILE, (20, 4096))

        gate = threading.Barrier(100)

        def handler(_):
            gate.wait(weir_run.PATIENCE)
            return weir_run.answer()

        server = self.server(handler)
        rows = self.run_rows(ROW * 100, "--base-url", server.url, "--concurrency", "100",
                             before=few_files_for_now)
        self.assertEqual(len(rows), 100)


class Files(Refusal):
    def refuse_files(self, source, target, *args, says, **how):
        return self.refuse("run", source, "-o", target, "--base-url", self.server_seen.url, *args,
                           says=says, **how)

    def test_input(self):
        os.mkdir(self.path("folder"))
        for source, says in (
            ("missing.jsonl",
             "cannot read missing.jsonl: No such file or directory; check the name"),
            ("folder", "cannot read folder: Is a directory; name a file in it"),
            ("in.jsonl/x", "cannot read in.jsonl/x: Not a directory"),
        ):
            with self.subTest(source=source):
                self.refuse_files(source, "out", says=says)

    @unittest.skipUnless(os.getuid() == 0, "needs root to become somebody else")
    def test_input_that_may_not_be_read_and_folder_that_may_not_be_written(self):
        def somebody_else():
            weir_run.default_signals()
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)

        os.chmod(self.folder, 0o755)
        os.chmod(self.path("in.jsonl"), 0o600)
        self.refuse_files("in.jsonl", "/dev/null", says="Permission denied; you may not read it",
                          before=somebody_else)
        os.chmod(self.path("in.jsonl"), 0o644)
        self.refuse_files("in.jsonl", "out", says="Permission denied; you may not write there",
                          before=somebody_else)

    def test_output(self):
        os.mkdir(self.path("folder"))
        self.write("old", "precious\n")
        os.symlink("nowhere", self.path("dangling"))
        for target, says in (
            ("missing/out", "No such file or directory; create its folder first"),
            ("folder", "Is a directory"),
            ("old/out", "Not a directory"),
            ("old", "old exists already; name another output, or --force overwrites it and the "
                    "answers in it"),
            ("dangling", "dangling exists already"),
        ):
            with self.subTest(target=target):
                self.refuse_files("in.jsonl", target, says=says)
        self.refuse_files("in.jsonl", "folder", "--force", says="Is a directory")
        self.assertEqual(self.read("old"), b"precious\n")

    def test_output_that_is_the_input(self):
        os.symlink("in.jsonl", self.path("soft"))
        os.link(self.path("in.jsonl"), self.path("hard"))
        before = self.read("in.jsonl")
        for target in ("in.jsonl", "soft", "hard", "./in.jsonl"):
            for force in ([], ["--force"]):
                with self.subTest(target=target, force=force):
                    self.refuse_files("in.jsonl", target, *force, says="is the input itself")
        with open(self.path("in.jsonl"), "rb") as stdin:
            self.refuse_files("-", "hard", "--force", stdin=stdin, says="is the input itself")
        with open(self.path("in.jsonl"), "ab") as stdout:
            process = self.start("run", "in.jsonl", "-o", "-", stdout=stdout)
            result = self.finish(process)
        self.assertEqual(result.status, 2)
        self.assertIn("stdout is the input itself", result.stderr)
        self.assertEqual(self.read("in.jsonl"), before)

    def test_names_are_shown_and_not_obeyed(self):
        said = self.refuse_files("a\x1b[31m\u202eb\nc", "out", says=r"a\x1b[31m\u{202e}b\x0ac")
        self.assertNotIn("\x1b", said)


if __name__ == "__main__":
    unittest.main()
