"""Files of an answer as the board keeps them, with the post and as long as it. Pure.

Knows: their ids follow from the post, so writing an answer again replaces them. Must not know: what is in a file.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from bots.local import ids
from core.domain.entities import FileCopy, FileRef
from core.domain.files import AnswerFile


def refs(post_id: str, files: Sequence[AnswerFile]) -> tuple[FileRef, ...]:
    """What the post says of its files."""
    return tuple(
        FileRef(
            id=ids.file_id(post_id, index),
            handle=ids.file_id(post_id, index),
            name=each.name,
            media_type=each.media_type,
            size_bytes=len(each.data),
        )
        for index, each in enumerate(files)
    )


def copies(post_id: str, files: Sequence[AnswerFile]) -> tuple[FileCopy, ...]:
    """The files themselves."""
    return tuple(
        FileCopy(
            file_id=ids.file_id(post_id, index),
            session_id="",
            media_type=each.media_type,
            data=base64.b64encode(each.data).decode(),
        )
        for index, each in enumerate(files)
    )
