"""Discord's own OpenAPI document as a second opinion on what the bot asks and what the loopback Discord answers.

Knows: how a path, a status and a body are found in the document, and two quirks of it. Must not know: what is right.
The document is not part of this project; where it is missing there is no oracle, and tests say so.
"""

from __future__ import annotations

import importlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[3] / "shared" / "spec" / "discord-openapi.json"
_OURS = {"marks", "type_name"}  # fields that only this server has


class OpenApi:
    """Holds bodies against the document; `problems` are sentences."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.problems: list[str] = []
        self.seen: set[str] = set()
        self._document = document
        self._validators: dict[str, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\{\w+\}", r"[^/]+", path)), path.count("{"), operations)
            for path, operations in document["paths"].items()
        ]
        self._paths.sort(key=lambda each: each[1])

    @classmethod
    def load(cls) -> OpenApi | None:
        """The document, None where it is not there."""
        return cls(_document()) if DOCUMENT.exists() else None

    def request(self, method: str, path: str, body: object) -> None:
        """Hold a request body against its schema."""
        operation = self._operation(method, path)
        if operation is None:
            self.problems.append(f"{method} {path}: no such operation")
            return
        self.seen.add(operation["operationId"])
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if content is not None and body is not None:
            self._check(f"{method} {path} request", content["schema"], _plain(body))

    def answer(self, method: str, path: str, status: int, body: object) -> None:
        """Hold an answer against its schema."""
        operation = self._operation(method, path)
        if operation is None:
            return
        responses = operation["responses"]
        found = responses.get(str(status)) or responses.get(f"{status // 100}XX")
        if found is None:
            self.problems.append(f"{method} {path}: status {status} is not documented")
            return
        content = found.get("content", {}).get("application/json")
        if content is not None and body is not None:
            self._check(f"{method} {path} -> {status}", content["schema"], _plain(body))

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        for pattern, _, operations in self._paths:
            if pattern.fullmatch(path) and method.lower() in operations:
                return dict(operations[method.lower()])
        return None

    def _check(self, where: str, schema: dict[str, Any], body: object) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            jsonschema: Any = importlib.import_module("jsonschema")  # it has no types of its own
            whole = {**schema, "components": self._document["components"]}
            self._validators[key] = jsonschema.Draft202012Validator(whole)
        for error in self._validators[key].iter_errors(body):
            self.problems.append(f"{where}: {_deepest(error)}")


def _deepest(error: Any) -> str:  # noqa: ANN401  (jsonschema has no types)
    """The most telling of the errors below a `oneOf`."""
    while error.context:
        error = max(error.context, key=lambda each: len(each.absolute_path))
    return f"{'/'.join(map(str, error.absolute_path))}: {str(error.message)[:300]}"


def _plain(value: object) -> object:
    """Without our own fields; discord.py sends some ids as numbers, which Discord takes and the document does not."""
    if isinstance(value, dict):
        ids = {key: str(each) for key, each in value.items() if key.endswith("_id") and isinstance(each, int)}
        return {key: _plain(each) for key, each in (value | ids).items() if key not in _OURS}
    return [_plain(each) for each in value] if isinstance(value, list) else value


@cache
def _document() -> dict[str, Any]:
    return dict(json.loads(DOCUMENT.read_text("utf-8")))
