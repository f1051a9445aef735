"""`weir mock`: JSON by a schema, and Anthropic's messages."""

import json
import unittest
import urllib.error
import urllib.request

from mock import Mock

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer", "minimum": 30, "maximum": 33},
        "height": {"type": "number", "minimum": 1.5, "maximum": 2},
        "color": {"enum": ["red", "green"]},
        "kind": {"const": "person"},
        "alive": {"type": "boolean"},
        "nothing": {"type": "null"},
        "nick": {"type": ["string", "null"]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 3},
        "home": {"$ref": "#/$defs/place"},
        "born": {"anyOf": [{"$ref": "#/$defs/place"}, {"type": "null"}]},
        "lost": {"$ref": "#/$defs/none"},
    },
    "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def post(server, path, body):
    request = urllib.request.Request(server.url + path, json.dumps(body).encode())
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def chat(schema, text="Who?", **more):
    return {
        "model": "m",
        "messages": [{"role": "user", "content": text}],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "person", "schema": schema, "strict": True},
        },
        **more,
    }


def message(text="Who?", schema=None, **more):
    body = {"model": "m", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}
    if schema:
        body["tools"] = [{"name": "other", "input_schema": {}},
                         {"name": "person", "input_schema": schema}]
        body["tool_choice"] = {"type": "tool", "name": "person"}
    return {**body, **more}


class Case(unittest.TestCase):
    def good(self, server, path, body):
        status, text = post(server, path, body)
        self.assertEqual(status, 200, text)
        return json.loads(text)

    def check_fits(self, value):
        self.assertEqual(list(value), list(SCHEMA["properties"]))
        self.assertTrue(value["name"] and isinstance(value["nick"], str))
        self.assertIn(value["age"], range(30, 34))
        self.assertIsInstance(value["age"], int)
        self.assertTrue(1.5 <= value["height"] <= 2)
        self.assertIn(value["color"], ("red", "green"))
        self.assertEqual(value["kind"], "person")
        self.assertIsInstance(value["alive"], bool)
        self.assertIsNone(value["nothing"])
        self.assertEqual([type(tag) for tag in value["tags"]], [str] * 3)
        self.assertEqual([list(value["home"]), list(value["born"])], [["city"], ["city"]])
        self.assertIsNone(value["lost"])


class Schemas(Case):
    PATH = "/v1/chat/completions"

    def test_json_that_fits(self):
        with Mock() as server:
            values = []
            for text in "abcdef":
                answer = self.good(server, self.PATH, chat(SCHEMA, text))
                [choice] = answer["choices"]
                self.assertEqual(choice["finish_reason"], "stop")
                values.append(json.loads(choice["message"]["content"]))
            again = self.good(server, self.PATH, chat(SCHEMA, "a"))
        for value in values:
            self.check_fits(value)
        self.assertEqual(len({value["name"] for value in values}), 6)
        self.assertEqual(json.loads(again["choices"][0]["message"]["content"]), values[0])

    def test_as_a_stream(self):
        with Mock() as server:
            _, text = post(server, self.PATH, chat(SCHEMA, stream=True))
        pieces = [json.loads(line[6:]) for line in text.splitlines()
                  if line.startswith("data: {")]
        said = [piece["choices"][0]["delta"].get("content", "") for piece in pieces]
        self.check_fits(json.loads("".join(said)))

    def test_cut_off(self):
        with Mock() as server:
            [choice] = self.good(server, self.PATH, chat(SCHEMA, max_tokens=5))["choices"]
        self.assertEqual(choice["finish_reason"], "length")
        self.assertEqual(len(choice["message"]["content"]), 20)

    def test_one_that_contains_itself(self):
        schema = {"type": "object", "properties": {"next": {"$ref": "#"}}}
        loop = {"$ref": "#"}
        wide = {"type": "object", "properties": {name: {"$ref": "#"} for name in "abcdef"}}
        with Mock() as server:
            for given in (schema, loop, wide):
                [choice] = self.good(server, self.PATH, chat(given))["choices"]
                json.loads(choice["message"]["content"])

    def test_misfits(self):
        """Of three kinds: half of it, without its last member, its first one null."""
        kinds = set()
        with Mock("--fault", "misfit:1") as server:
            for n in range(40):
                [choice] = self.good(server, self.PATH, chat(SCHEMA, str(n)))["choices"]
                try:
                    value = json.loads(choice["message"]["content"])
                except json.JSONDecodeError:
                    kinds.add("half")
                    continue
                kinds.add("null" if value["name"] is None else "missing")
                self.assertTrue(value["name"] is None or "lost" not in value)
            [choice] = self.good(server, self.PATH, {
                "model": "m", "messages": [{"role": "user", "content": "Hi"}]})["choices"]
            self.assertRegex(choice["message"]["content"], r"\.$")
        self.assertEqual(kinds, {"half", "missing", "null"})

    def test_what_is_refused(self):
        wrong = [7, {"type": "xml"}, {"type": "json_schema"},
                 {"type": "json_schema", "json_schema": {"name": "n", "schema": []}},
                 {"type": "json_schema", "json_schema": {"schema": {}}}]
        with Mock() as server:
            for response_format in wrong:
                body = {**chat({}), "response_format": response_format}
                status, text = post(server, self.PATH, body)
                self.assertEqual((status, json.loads(text)["error"]["param"]),
                                 (400, "response_format"))
            self.good(server, self.PATH, {**chat({}), "response_format": {"type": "text"}})


class Messages(Case):
    PATH = "/v1/messages"

    def test_text(self):
        with Mock() as server:
            answer = self.good(server, self.PATH, message("x" * 41))
        self.assertRegex(answer["id"], r"^msg_[0-9a-f]{32}$")
        self.assertEqual((answer["type"], answer["role"], answer["model"]),
                         ("message", "assistant", "m"))
        [block] = answer["content"]
        self.assertEqual(block["type"], "text")
        self.assertRegex(block["text"], r"^[A-Z].*\.$")
        self.assertEqual((answer["stop_reason"], answer["stop_sequence"]), ("end_turn", None))
        self.assertEqual(answer["usage"]["input_tokens"], 11)
        self.assertEqual(answer["usage"]["output_tokens"], (len(block["text"]) + 3) // 4)

    def test_the_input_of_a_tool(self):
        with Mock() as server:
            answer = self.good(server, self.PATH, message(schema=SCHEMA))
            cut = self.good(server, self.PATH, message(schema=SCHEMA, max_tokens=5))
        [block] = answer["content"]
        self.assertEqual((block["type"], block["name"]), ("tool_use", "person"))
        self.assertRegex(block["id"], r"^toolu_[0-9a-f]{32}$")
        self.check_fits(block["input"])
        self.assertEqual(answer["stop_reason"], "tool_use")
        self.assertEqual((cut["stop_reason"], cut["content"][0]["input"]), ("max_tokens", {}))

    def events(self, server, body):
        status, text = post(server, self.PATH, body)
        self.assertEqual(status, 200)
        events = []
        for event in text.split("\n\n")[:-1]:
            name, data = event.split("\n")
            data = json.loads(data.removeprefix("data: "))
            self.assertEqual(name, f"event: {data['type']}")
            events.append(data)
        return events

    def check_frame(self, events):
        names = [event["type"] for event in events]
        self.assertEqual(names[:3], ["message_start", "content_block_start", "ping"])
        self.assertEqual(set(names[3:-3]), {"content_block_delta"})
        self.assertEqual(names[-3:], ["content_block_stop", "message_delta", "message_stop"])
        self.assertEqual(events[0]["message"]["content"], [])
        self.assertGreater(events[0]["message"]["usage"]["input_tokens"], 0)
        self.assertGreater(events[-2]["usage"]["output_tokens"], 0)

    def test_a_stream_of_text(self):
        with Mock() as server:
            events = self.events(server, message(stream=True))
        self.check_frame(events)
        deltas = [event["delta"] for event in events[3:-3]]
        self.assertEqual({delta["type"] for delta in deltas}, {"text_delta"})
        self.assertRegex("".join(delta["text"] for delta in deltas), r"^[A-Z].*\.$")
        self.assertEqual(events[-2]["delta"]["stop_reason"], "end_turn")

    def test_a_stream_of_an_input(self):
        with Mock() as server:
            events = self.events(server, message(schema=SCHEMA, stream=True))
        self.check_frame(events)
        self.assertEqual(events[1]["content_block"]["input"], {})
        self.check_fits(json.loads("".join(event["delta"]["partial_json"]
                                           for event in events[3:-3])))
        self.assertEqual(events[-2]["delta"]["stop_reason"], "tool_use")

    def test_misfits_are_objects(self):
        with Mock("--fault", "misfit:1") as server:
            for n in range(20):
                [block] = self.good(server, self.PATH, message(str(n), SCHEMA))["content"]
                self.assertTrue(block["input"]["name"] is None or "lost" not in block["input"])

    def error(self, server, body, status):
        got, text = post(server, self.PATH, body)
        error = json.loads(text)
        self.assertEqual((got, error["type"], set(error["error"])),
                         (status, "error", {"type", "message"}))
        return error["error"]

    def test_errors(self):
        bad = [
            ("max_tokens: Field required", message()),
            ("role", message(messages=[{"role": "system", "content": "x"}])),
            ("tool_choice", message(tool_choice={"type": "tool", "name": "none"})),
            ("messages", message(messages=[])),
        ]
        del bad[0][1]["max_tokens"]
        with Mock() as server:
            for word, body in bad:
                error = self.error(server, body, 400)
                self.assertEqual(error["type"], "invalid_request_error")
                self.assertIn(word, error["message"])
        for fault, kind in (("500", "api_error"), ("503", "overloaded_error")):
            with Mock("--fault", fault + ":1") as server:
                self.assertEqual(self.error(server, message(), int(fault))["type"], kind)
        with Mock("--rate", "1/min") as server:
            self.good(server, self.PATH, message())
            self.assertEqual(self.error(server, message(), 429)["type"], "rate_limit_error")


if __name__ == "__main__":
    unittest.main()
