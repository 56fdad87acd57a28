"""What the model is told instead of a tool's own result.

Knows: stable codes and plain English, which every model reads. Must not know: what a person sees (see `words`).
Failure codes of the outside begin with "tool_" or "oauth_"; those in `SERVER_FAULTS` are the server's doing and are
also told to the person under the answer.
"""

from __future__ import annotations

import json

_MAY = "It may or may not have been carried out. Say so; do not call it again unless the person asks you to."

TEXTS: dict[str, str] = {
    "tool_unknown": "There is no tool of this name any more. Nothing was done.",
    "tool_not_allowed": "This tool is not available here. Nothing was done.",
    "tool_bad_input": "The input is not a JSON object. Nothing was done.",
    "tool_too_many": "Too many calls at once. This one was not made; ask for it again if it is still needed.",
    "tool_unreachable": "The tool server cannot be reached. Nothing was done. Tell the person, and go on without it.",
    "tool_busy": "The tool server is too busy. Nothing was done. Tell the person, and go on without it.",
    "oauth_down": "The tool server's sign-in does not answer, and without it the call could not be made. Nothing was "
    "done. Tell the person, and go on without it.",
    "tool_cut": "The connection to the tool server broke during the call. Tell the person.",
    "tool_timeout": "The tool server did not answer in time. Tell the person.",
    "tool_garbage": "The tool server answered with something that cannot be understood. Tell the person.",
    "tool_too_large": "The tool's result is larger than can be read. Ask for less, or tell the person.",
    "tool_error": "The tool server reported an error. Tell the person.",
    "tool_denied": "The tool server refused this program. Nothing was done. Tell the person.",
    "tool_died": "This program was stopped again and again during the call. Tell the person.",
    "tool_internal": "The call failed for a technical reason within this program. Tell the person.",
    "asker_gone": "The person who asked is not here any more. Nothing was done.",
    "asker_not_served": "This program may not act for the person who asked any more. Nothing was done.",
    "denied": "The person did not allow this call. Nothing was done. Do not ask for it again unless they say so.",
    "skipped": "The person chose to go on without this call. It is not known whether it was carried out.",
    "without_login": "The person chose not to sign in there now. Nothing was done. Go on without this tool.",
    "login_refused": "The tool server does not accept the login that the person made a moment ago. Nothing was done. "
    "Tell the person; do not call it again unless they ask you to.",
    "stopped": "The person stopped the answer. Nothing was done.",
    "stopped_running": f"The person stopped the answer while the call was running. {_MAY}",
    "moved_on": "The person went on without deciding about this call. Nothing was done.",
    "moved_on_unknown": "The person went on without saying whether this call was carried out. It is not known.",
    "waited_long": "Nobody decided about this call for a day. Nothing was done.",
    "waited_long_unknown": "Nobody said for a day whether this call was carried out. It is not known.",
    "happened": "This program was interrupted during the call. The person has looked: it was carried out, once. "
    "Its result is not known.",
    "interrupted": "The call was interrupted and its outcome is not known.",
}

SERVER_FAULTS = frozenset(
    {
        "tool_unreachable",
        "tool_busy",
        "tool_cut",
        "tool_timeout",
        "tool_garbage",
        "tool_too_large",
        "tool_error",
        "tool_denied",
        "oauth_down",
    }
)
MAY_HAVE_HAPPENED = frozenset(
    {"tool_cut", "tool_timeout", "tool_garbage", "tool_too_large", "tool_died", "tool_internal"}
)


def content(text: str) -> str:
    """A result of one text, as the JSON text of its content."""
    return json.dumps([{"type": "text", "text": text}], ensure_ascii=False)


def instead(code: str, *, repeatable: bool = True) -> str:
    """The content that stands for a result: why there is none, and whether something may have happened."""
    text = TEXTS.get(code, TEXTS["tool_internal"])
    return content(f"{text} {_MAY}" if code in MAY_HAVE_HAPPENED and not repeatable else text)
