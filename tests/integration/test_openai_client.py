"""OpenAI's own client, unchanged, takes `weir mock` for its API: a rehearsal that the real client
would notice proves little.

Needs Node.js and npm, and once the network: tests/support/openai names the client's version.
"""

import json
import unittest
import urllib.request

import node
from mock import Mock

QUESTION_CHARACTERS = len("6 times 7?")


class Client(unittest.TestCase):
    def setUp(self):
        self.script = node.install("openai") / "client.mjs"

    def play(self, server, scene, *, retries=0):
        return node.run(self.script, f"{server.url}/v1", scene, str(retries))


def stats(server):
    with urllib.request.urlopen(f"{server.url}/stats", timeout=node.PATIENCE) as answer:
        return json.load(answer)


class Answers(Client):
    def answer(self, scene):
        with Mock() as server:
            seen = self.play(server, scene)
        self.assertIsNone(seen["error"])
        return seen["result"]

    def test_chat(self):
        answer = self.answer("chat")
        choice = answer["choices"][0]
        usage = answer["usage"]
        self.assertEqual(answer["object"], "chat.completion")
        self.assertEqual(answer["model"], "gpt-4o-mini")
        self.assertEqual(choice["message"]["role"], "assistant")
        self.assertTrue(choice["message"]["content"].strip())
        self.assertEqual(choice["finish_reason"], "stop")
        self.assertEqual(usage["prompt_tokens"], (QUESTION_CHARACTERS + 3) // 4)
        self.assertEqual(
            usage["total_tokens"], usage["prompt_tokens"] + usage["completion_tokens"]
        )

    def test_choices_cut_short(self):
        choices = self.answer("choices")["choices"]
        self.assertEqual([choice["index"] for choice in choices], [0, 1, 2])
        self.assertEqual({choice["finish_reason"] for choice in choices}, {"length"})
        self.assertEqual(len({choice["message"]["content"] for choice in choices}), 3)

    def test_json_by_a_schema(self):
        message = self.answer("parse")["choices"][0]["message"]
        self.assertEqual(json.loads(message["content"]), message["parsed"])
        self.assertIn(message["parsed"]["age"], range(131))

    def test_embeddings(self):
        both = self.answer("embeddings")
        decoded = [row["embedding"] for row in both["base64"]["data"]]
        plain = [row["embedding"] for row in both["float"]["data"]]
        self.assertEqual([row["index"] for row in both["base64"]["data"]], [0, 1])
        for a, b in zip(decoded, plain, strict=True):
            self.assertAlmostEqual(sum(x * x for x in a), 1, places=5)
            for x, y in zip(a, b, strict=True):
                self.assertAlmostEqual(x, y, places=6)
        self.assertNotEqual(plain[0], plain[1])

    def test_models(self):
        models = self.answer("models")
        self.assertIn("gpt-4o-mini", models["ids"])
        self.assertEqual(models["one"]["id"], "gpt-4o")

    def test_request_id_and_headers(self):
        raw = self.answer("raw")
        self.assertTrue(raw["request_id"])
        self.assertEqual(raw["headers"]["x-request-id"], raw["request_id"])


class Streams(Client):
    def chunks(self, scene):
        with Mock() as server:
            whole = self.play(server, "chat")["result"]
            seen = self.play(server, scene)
        self.assertIsNone(seen["error"])
        return seen["result"], whole

    def test_content_piece_by_piece(self):
        chunks, _ = self.chunks("stream")
        self.assertGreater(len(chunks), 2)
        self.assertEqual({chunk["object"] for chunk in chunks}, {"chat.completion.chunk"})
        self.assertEqual(len({chunk["id"] for chunk in chunks}), 1)
        choices = [chunk["choices"][0] for chunk in chunks]
        self.assertEqual(choices[0]["delta"]["role"], "assistant")
        text = "".join(choice["delta"].get("content") or "" for choice in choices)
        self.assertTrue(text.strip())
        self.assertEqual([choice["finish_reason"] for choice in choices[:-1]],
                         [None] * (len(choices) - 1))
        self.assertEqual(choices[-1]["finish_reason"], "stop")
        self.assertNotIn("usage", [key for chunk in chunks if chunk.get("usage") for key in chunk])

    def test_usage_comes_last_when_asked_for(self):
        chunks, whole = self.chunks("stream_usage")
        *content, last = chunks
        self.assertEqual(last["choices"], [])
        self.assertEqual(last["usage"]["prompt_tokens"], whole["usage"]["prompt_tokens"])
        self.assertGreater(last["usage"]["completion_tokens"], 0)
        self.assertTrue(all(chunk.get("usage") is None for chunk in content))


class Errors(Client):
    def failure(self, scene, *options, retries=0):
        with Mock(*options) as server:
            seen = self.play(server, scene, retries=retries)
        self.assertIsNone(seen["result"])
        return seen

    def test_unknown_model(self):
        error = self.failure("unknown_model")["error"]
        self.assertEqual((error["name"], error["status"]), ("NotFoundError", 404))
        self.assertEqual(error["code"], "model_not_found")

    def test_bad_request(self):
        error = self.failure("bad_request")["error"]
        self.assertEqual((error["name"], error["status"]), ("BadRequestError", 400))
        self.assertEqual((error["type"], error["param"]), ("invalid_request_error", "messages"))

    def test_server_errors_are_retried_until_given_up(self):
        seen = self.failure("chat", "--fault", "500:1", retries=1)
        self.assertEqual(seen["error"]["name"], "InternalServerError")
        self.assertEqual(seen["answers"], [500, 500])

    def test_lost_connection(self):
        self.assertEqual(self.failure("chat", "--fault", "reset:1")["error"]["name"],
                         "APIConnectionError")


class Limit(Client):
    """One request a second, so that the second one has to wait for about one."""

    OPTIONS = ("--rate", "60/min", "--burst", "1")

    def test_told_as_openai_does(self):
        with Mock(*self.OPTIONS) as server:
            seen = self.play(server, "two_chats")
        error = seen["error"]
        self.assertEqual((error["name"], error["status"]), ("RateLimitError", 429))
        self.assertEqual((error["code"], error["type"]), ("rate_limit_exceeded", "requests"))
        self.assertIn("Please try again in", error["message"])
        self.assertEqual(seen["answers"], [200, 429])

    def test_retried_by_the_client_itself(self):
        with Mock(*self.OPTIONS) as server:
            seen = self.play(server, "two_chats", retries=2)
            counted = stats(server)
        self.assertIsNone(seen["error"])
        self.assertEqual(len(seen["result"]), 2)
        # It waited as told: one refusal was enough.
        self.assertEqual(seen["answers"], [200, 429, 200])
        self.assertEqual(counted["throttled"], 1)
