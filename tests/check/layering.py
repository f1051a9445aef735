#!/usr/bin/env python3
"""Who may include whom. lib/CMakeLists.txt lists the layers; each may include those before it."""

import re
import sys

import sources

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)

# A dependency is known in few places, so that it can be replaced there.
HOMES = {
    "curl/": ("lib/http/", "tests/"),
    "cjson/": ("lib/json/cjson.c", "lib/client/cjson.c", "include/weir/cjson.h", "cli/mock/", "tests/", "docs/"),
    "http_parser.h": ("cli/mock/",),
    "valgrind/": ("lib/task/fiber.h", "tests/bench/"),
    "ev.h": ("lib/loop/", "cli/mock/", "tests/", "docs/"),
}

# Which API a header or an error body belongs to is known in lib/provider alone.
PROVIDERS = re.compile(
    r"openai|azure|anthropic|gemini|groq|mistral|openrouter|hugging_?face|cloudflare|shopify", re.I
)


def layers():
    build = sources.text("lib/CMakeLists.txt")
    return re.search(r"set\(weir_layers ([a-z ]+)\)", build)[1].split()


def complaint(path, bracket, name, order):
    """Why this include is wrong, or None."""
    place = path.as_posix()
    for prefix, homes in HOMES.items():
        if name.startswith(prefix) and not place.startswith(homes):
            return f"{name} belongs to {', '.join(homes)}"
    if bracket == "<":
        return None
    folder = path.parts[0]
    if folder == "docs" and (sources.ROOT / path.parent / name).exists():
        return None
    if folder in ("include", "docs"):
        return "only <weir/...> and system headers here"
    if folder == "cli" and not (sources.ROOT / "cli" / name).exists():
        return "the program includes <weir/...> and its own headers only"
    if folder == "lib":
        return wrong_layer(path.parts[1], name, order)
    return None


def wrong_layer(own, name, order):
    layer = name.split("/")[0]
    if "/" not in name or layer not in order:
        return 'internal headers are written "LAYER/file.h"'
    if order.index(layer) > order.index(own):
        return f"{own} comes before {layer}"
    return None


def main():
    order = layers()
    findings = []
    for path in sources.files():
        text = sources.text(path)
        for match in INCLUDE.finditer(text):
            why = complaint(path, match[1], match[2], order)
            if why:
                line = sources.line_of(text, match.start())
                findings.append(f"{path}:{line}: include of {match[2]}: {why}")
        if path.parts[0] == "lib" and path.parts[1] not in order:
            findings.append(f"{path}: {path.parts[1]} is no layer of lib/CMakeLists.txt")
        if path.parts[0] == "lib" and path.parts[1] != "provider":
            code = sources.code(path)
            for match in PROVIDERS.finditer(code):
                line = sources.line_of(code, match.start())
                findings.append(f"{path}:{line}: {match[0]}: a provider's name outside lib/provider")
    return sources.finish("layers", findings)


sys.exit(main())
