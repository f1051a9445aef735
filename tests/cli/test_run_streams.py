"""Rows of `weir run` that ask for a stream."""

import json
import unittest

import weir_run
from weir_run import answer

EVENTS = ["Content-Type: text/event-stream; charset=utf-8"]
ROW = {"custom_id": "s", "url": "/v1/chat/completions",
       "body": {"model": "m", "messages": [], "stream": True}}


def chunk(text=None, finish=None, **more):
    delta = {} if text is None else {"content": text}
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return f"data: {json.dumps({'choices': choices, 'error': None, **more})}\n\n"


def typed(name, **more):
    return f"event: {name}\ndata: {json.dumps({'type': name, **more})}\n\n"


USAGE = 'data: {"choices":[],"usage":{"total_tokens":2}}\n\n'
DONE = "data: [DONE]\n\n"
GEMINI = 'data: {"candidates":[{"content":{"parts":[{"text":"a"}]}%s}]}\r\n\r\n'

WHOLE = {
    "to the mark": chunk("a") + DONE,
    "to the mark, with CR LF": (chunk("a") + DONE).replace("\n", "\r\n"),
    "the mark without its line end": chunk("a") + "data: [DONE]",
    "no blanks": chunk("a").replace("data: ", "data:") + "data:[DONE]\n\n",
    "finished, no mark": chunk("a") + chunk(finish="stop"),
    "finished, then usage": chunk("a") + chunk(finish="length") + USAGE,
    "comments": ": alive\n\n" + chunk("a") + ": alive\n\n" + DONE,
    "messages": typed("message_start") + typed("content_block_delta") + typed("message_stop"),
    "responses": typed("response.created") + typed("response.completed", error=None),
    "candidates": GEMINI % "" + GEMINI % ',"finishReason": "STOP"',
    "events that are not known": "data: 1\n\ndata: two\n\n",
}

CUT = {
    "nothing": "",
    "comments alone, cut": ": ali",
    "no mark": chunk("a") + chunk("b"),
    "half a mark": chunk("a") + "data: [DO",
    "half an event": chunk("a") + 'data: {"choices":[{"finish_reason":"stop"}',
    "the words in a text": chunk('"finish_reason":"stop"') + chunk("[DONE]"),
    "an empty reason is none": chunk("a", ""),
    "one choice of two": chunk("a", "stop") + chunk("b"),
    "messages": typed("message_start") + typed("content_block_delta"),
    "responses": typed("response.created"),
    "candidates": GEMINI % "",
    "half a line that is not known": "data: 1\n\ndata: tw",
}

FAILED = {
    "an error": (chunk("a") + 'data: {"error":{"message":"too full"}}\n\n', "too full"),
    "an error before the mark": ('data: {"error":"too full"}\n\n' + DONE, "too full"),
    "messages": (typed("message_start") + typed("error", error={"message": "too full"}),
                 "too full"),
    "a bare event": ("event: error\ndata: oh\n\n", "the server broke its streamed answer off"),
    "responses": (typed("response.failed"), "the server broke its streamed answer off"),
}


class Streams(weir_run.Case):
    def stream(self, *texts, args=(), status=0):
        """The row that comes of these answers, the last of them again and again."""
        self.server_ = self.server(
            lambda r: answer(texts[min(r["number"], len(texts) - 1)], headers=EVENTS))
        rows = self.run_rows([ROW], "--base-url", self.server_.url, "--force", *args,
                             status=status)
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_whole_ones_are_kept_as_text(self):
        for name, text in WHOLE.items():
            with self.subTest(name):
                row = self.stream(text, args=["--max-attempts", "1"])
                self.assertEqual(row, {
                    "row": 1, "custom_id": "s", "error": None, "attempts": 1,
                    "response": {"status_code": 200, "request_id": None, "body": text}})

    def test_a_stream_without_its_end_is_no_answer(self):
        for name, text in CUT.items():
            with self.subTest(name):
                row = self.stream(text, args=["--max-attempts", "1"], status=3)
                self.assertEqual((row["response"], row["error"]), (None, {
                    "code": "reset", "message": "the streamed answer was cut off before its end"}))

    def test_an_error_in_the_midst_is_told(self):
        for name, (text, message) in FAILED.items():
            with self.subTest(name):
                row = self.stream(text, args=["--max-attempts", "1"], status=3)
                self.assertEqual((row["response"], row["error"]),
                                 (None, {"code": "stream_error", "message": message}))

    def test_both_are_tried_again(self):
        whole = WHOLE["to the mark"]
        row = self.stream(CUT["no mark"], FAILED["an error"][0], whole)
        self.assertEqual((row["attempts"], row["response"]["body"]), (3, whole))

    def test_not_where_a_row_is_not_to_be_sent_twice(self):
        row = self.stream(CUT["no mark"], WHOLE["to the mark"], args=["--no-replay"], status=3)
        self.assertEqual((row["attempts"], row["error"]["code"]), (1, "reset"))
        self.assertEqual(len(self.server_.requests), 1)

    def test_only_events_are_looked_at(self):
        text = CUT["no mark"]
        server = self.server(lambda _: answer(text, headers=["Content-Type: text/plain"]))
        rows = self.run_rows([ROW], "--base-url", server.url)
        self.assertEqual((rows[0]["error"], rows[0]["response"]["body"]), (None, text))

    def test_an_error_status_stays_one(self):
        server = self.server(lambda _: answer('{"error":{"message":"no"}}', "400 Bad", EVENTS))
        rows = self.run_rows([ROW], "--base-url", server.url, status=3)
        self.assertEqual(rows[0]["error"], {"code": "http_400", "message": "no"})

    def test_with_faults_every_row_comes_whole_in_the_end(self):
        mock = self.mock("--fault", "truncate:0.2", "--fault", "reset:0.1")
        body = {**ROW["body"], "messages": [{"role": "user", "content": "hi"}]}
        rows = self.run_rows([{**ROW, "body": body}] * 50, "--base-url", mock.url,
                             "--max-attempts", "30")
        self.assertEqual(len(rows), 50)
        for row in rows:
            self.assertTrue(row["response"]["body"].endswith("data: [DONE]\n\n"))
        self.assertGreater(sum(row["attempts"] for row in rows), 50)


if __name__ == "__main__":
    unittest.main()
