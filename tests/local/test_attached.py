"""A long block of an answer is a file on the web chat: whoever reads the answer can have it, and it goes with it."""

from __future__ import annotations

import json

import pytest

from bots.local.adapter import BLOCK_MAX_CHARS
from tests.local.conftest import House

ROW = "city,people <b>\n"
ROWS = ROW * 2_000
ANSWER = f"Here is `städte.csv`:\n\n```csv\n{ROWS}```\n\n```html\n<script>alert(1)</script>\n{'<p>' * 8_000}\n```\nBye."
HEAD = ROW * ((BLOCK_MAX_CHARS - len("```csv\n")) // len(ROW))
SHOWN = (
    f"Here is `städte.csv`:\n\n```csv\n{HEAD}```\n\nAll of it as a file: `städte.csv`, 2000 lines\n\n"
    "```html\n<script>alert(1)</script>\n```\n\nAll of it as a file: `answer.html`, 2 lines\nBye."
)


async def asked(house: House, **fields: list[dict[str, str]]) -> dict[str, object]:
    """Ask for it; the answer as its asker sees it."""
    house.script(ANSWER)
    taken = await house.say("All cities, please.", **fields)  # type: ignore[arg-type]
    await house.world.settle()
    return (await house.messages(taken["thread"]))[1]


def url(answer: dict[str, object], index: int = 0) -> str:
    """Where a file of an answer is."""
    files = answer["files"]
    assert isinstance(files, list)
    return str(files[index]["url"])


async def test_a_long_block_is_a_file_beside_the_answer(house: House) -> None:
    """Two thousand rows fill the page, the file cannot be had twice, or it is shown as a page of ours."""
    answer = await asked(house)
    assert answer["text"] == SHOWN
    names = [(each["name"], each["media_type"]) for each in answer["files"]]  # type: ignore[attr-defined]
    assert names == [("städte.csv", "text/csv"), ("answer.html", "text/plain")]
    for _ in range(2):
        async with house.http.get(house.server.url + url(answer)) as response:
            assert await response.read() == ROWS.encode()
            assert response.headers["Content-Disposition"] == "attachment; filename*=UTF-8''st%C3%A4dte.csv"
    async with house.http.get(house.server.url + url(answer, 1)) as response:
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="answer.html"'
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in response.headers["Content-Security-Policy"]


async def test_the_history_and_the_copy_of_ones_data_have_all_of_it(house: House) -> None:
    """What was said is only in the file, and lost with it."""
    answer = await asked(house)
    model = house.world.model
    await house.say("How many rows?", thread=answer["thread"])
    await house.world.settle()
    assert "city,people <b>" in str(model.requests[-1].messages)  # type: ignore[attr-defined]
    told = await house.say("/export", thread=answer["thread"])
    link = next(each for each in told["reply"]["downloads"] if each["name"].endswith(".json"))  # type: ignore[index]
    async with house.http.get(house.server.url + link["url"]) as response:
        assert ROWS in json.dumps(await response.json()).replace("\\n", "\n")


async def test_only_who_reads_the_answer_has_its_file(house: House) -> None:
    """Somebody reads a stranger's file by its address."""
    answer = await asked(house)
    await house.get(f"/api/files/{answer['id']}/0", status=404, person="bob")
    await house.get(f"/api/files/{answer['id']}/0", status=400)


@pytest.mark.parametrize("path", ["{id}/2", "{id}/-1", "{id}/x", "{id}/²", "{id}/00", "nothing/0", "{asked}/0"])
async def test_what_is_no_file_of_ours_is_not_given(house: House, path: str) -> None:
    """An address that was made up brings an error page, or what people have attached."""
    answer = await asked(house, files=[{"name": "a.html", "media_type": "text/html", "data": "YQ=="}])
    path = path.format(id=answer["id"], asked=answer["reply_to"])
    assert (await house.get(f"/api/files/{path}", status=404, person="alice"))["error"]["code"] == "unknown_file"  # type: ignore[index]


async def test_a_crash_at_any_moment_leaves_one_file(house: House) -> None:
    """After a crash the file is missing, or an older one is given."""
    house.script(ANSWER[:23_000], 5.0, ANSWER[23_000:])
    taken = await house.say("All cities, please.")
    await house.world.run(3.0)
    assert (await house.messages(taken["thread"]))[1].get("files") is None
    world = await house.world.reborn()
    await world.settle()
    (answer,) = [each for each in await world.posts(f"home/dm:alice/{taken['thread']}") if not each.author]
    assert [each.name for each in answer.files] == ["städte.csv", "answer.html"]
    assert await world.local.fetch_file(answer.files[0].handle, 100_000) == ROWS.encode()


async def test_forgetting_takes_the_file_along(house: House) -> None:
    """The conversation is forgotten, and its file is still there."""
    answer = await asked(house)
    told = await house.say("/forget everything", thread=answer["thread"])
    sure = told["reply"]["buttons"][0]["id"]  # type: ignore[index]
    message = told["reply"]["message"]  # type: ignore[index]
    await house.post("/api/actions", {"person": "alice", "message": message, "button": sure}, status=200)
    await house.world.settle()
    await house.get(url(answer).partition("?")[0], status=404, person="alice")
    left = await house.world.store.read(lambda conn: conn.execute("SELECT count(*) FROM board_file").fetchone())
    assert left == (0,)
