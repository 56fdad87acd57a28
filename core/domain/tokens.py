"""How many tokens a text or a file has, estimated from above without a tokenizer.

Knows: ceil(utf-8 bytes / 3) was never too few for any language that was measured (facts/model.md); a picture has a
largest size for the model; a PDF is paid by the page, of which there is hardly more than one in ten kilobytes.
Must not know: models.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.domain.entities import FileRef

FILE_TEXT_MAX_BYTES = 90_000  # of a text file: what the model gets of it; as much as the usual budget for a history
_BYTES_PER_TOKEN = 3
_IMAGE_TOKENS = 1_600
_PDF_BYTES_PER_PAGE = 10_000
_PDF_TOKENS_PER_PAGE = 3_000
_PDF_PAGES_MAX = 100


def estimate(text: str) -> int:
    """Tokens of `text`, estimated from above."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // _BYTES_PER_TOKEN)


def weigh(text: str, files: Iterable[FileRef]) -> int:
    """Tokens of a message with its files."""
    return estimate(text) + sum(map(_of_file, files))


def _of_file(file: FileRef) -> int:
    if file.media_type.startswith("image/"):
        return _IMAGE_TOKENS
    if file.media_type == "application/pdf":
        return _PDF_TOKENS_PER_PAGE * min(_PDF_PAGES_MAX, 1 + file.size_bytes // _PDF_BYTES_PER_PAGE)
    return -(-min(file.size_bytes, FILE_TEXT_MAX_BYTES) // _BYTES_PER_TOKEN)
