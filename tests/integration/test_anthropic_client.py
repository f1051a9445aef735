"""Anthropic's own client, unchanged, takes `weir mock` for its API.

Needs Node.js and npm, and once the network: tests/support/anthropic names the client's version.
"""

import unittest

import node
from mock import Mock


class Client(unittest.TestCase):
    def setUp(self):
        self.script = node.install("anthropic") / "client.mjs"

    def play(self, scene, *options, retries=0):
        with Mock(*options) as server:
            return node.run(self.script, server.url, scene, str(retries),
                            prefix=("ANTHROPIC_", "NODE_"))

    def result(self, scene):
        seen = self.play(scene)
        self.assertIsNone(seen["error"])
        return seen["result"]

    def failure(self, scene, *options, retries=0):
        seen = self.play(scene, *options, retries=retries)
        self.assertIsNone(seen["result"])
        return seen


class Answers(Client):
    def test_message(self):
        message = self.result("message")
        self.assertEqual([block["type"] for block in message["content"]], ["text"])
        self.assertTrue(message["content"][0]["text"].strip())
        self.assertEqual(message["stop_reason"], "end_turn")
        self.assertEqual(message["usage"]["input_tokens"], 3)
        self.assertEqual(self.result("cut")["stop_reason"], "max_tokens")

    def check_person(self, message):
        [block] = message["content"]
        self.assertEqual((block["type"], block["name"]), ("tool_use", "person"))
        self.assertIsInstance(block["input"]["name"], str)
        self.assertIsInstance(block["input"]["age"], int)
        self.assertEqual(message["stop_reason"], "tool_use")

    def test_tool(self):
        self.check_person(self.result("tool"))

    def test_stream(self):
        seen = self.result("stream")
        message = seen["message"]
        self.assertGreater(len(seen["pieces"]), 5)
        self.assertEqual(message["content"][0]["text"], "".join(seen["pieces"]))
        self.assertEqual(message["stop_reason"], "end_turn")
        self.assertEqual(message["usage"]["input_tokens"], 3)
        self.assertGreater(message["usage"]["output_tokens"], 5)

    def test_stream_of_a_tools_input(self):
        self.check_person(self.result("stream_tool")["message"])


class Errors(Client):
    def test_bad_request(self):
        error = self.failure("bad_request")["error"]
        self.assertEqual((error["name"], error["status"]), ("BadRequestError", 400))
        self.assertEqual(error["body"]["error"]["type"], "invalid_request_error")

    def test_server_errors_are_retried_until_given_up(self):
        seen = self.failure("message", "--fault", "500:1", retries=1)
        self.assertEqual(seen["error"]["name"], "InternalServerError")
        self.assertEqual(seen["answers"], [500, 500])

    def test_lost_connection(self):
        self.assertEqual(self.failure("stream", "--fault", "reset:1")["error"]["name"],
                         "APIConnectionError")


if __name__ == "__main__":
    unittest.main()
