"""The set pieces of the offline demo model.

Knows: texts. Must not know: when they are said. The story has more than 300 words, so that at the model's
pace it streams for more than 5 s: long enough to stop it, to restart the program, to see it continued.
"""

from __future__ import annotations

INTRO = (
    "I am the *offline demo model*: no language model is connected, nothing leaves this machine. "
    "For real answers set `ANTHROPIC_API_KEY` and start again."
)

THINGS_TO_TRY = """\
- Tell me something (`My app is called Lumen.`) and ask about it later (`What is my app called?`)
- Ask for a long story, and stop it, or restart the program in the middle of it
- Stay away until the conversation is parked, then come back with its button or its resume code
- Ask `What have I told you?` after a break
- Ask `What time is it in Europe/Berlin?`, or `Search my conversations for Lumen`: both use a tool"""

CAPABILITIES = f"""\
I am the offline demo model of this assistant. I have no general knowledge: I find what was written in this \
conversation, and I can talk for a while, so that everything around me can be tried without a key.

{THINGS_TO_TRY}"""

_CODE = '''\
Here is a small piece of Python:

```python
def resume(notes: list[str], question: str) -> str | None:
    """Return the note that shares the most words with the question."""
    wanted = set(question.lower().split())
    return max(notes, key=lambda note: len(wanted & set(note.lower().split())), default=None)
```

It is how I find things, in five lines.'''

_COUNT_MAX = 2_000

_STORY = (
    """\
Once, at the edge of a harbour town, there was a small workshop with a blue door, and in it \
somebody worked patiently on {topic}. Nobody had asked for it. It had begun as an idea on the back \
of a receipt, then it became a drawing on the wall, and one grey morning it stood on the bench, \
unfinished and full of promise.""",
    """\
The keeper of the workshop was called Mira. She had a habit that her neighbours found odd: before \
she put her tools down, even for a cup of tea, she wrote on a slate what she had done, what she \
had been about to do, and what puzzled her. "I am not forgetful," she used to say. "I am \
interrupted. That is something else."

And interrupted she was. The baker came for his scales, the ferry sounded its horn, children \
wanted their kites mended. Each time she turned the slate towards the bench, went to the door, and \
gave the visitor all her attention.""",
    """\
In the third winter a storm took the roof. The lamp went out in the middle of a sentence, so to \
speak: one hand on the file, the other in the air. When the wind had passed there was snow on the \
bench, and the drawing on the wall was a blue stain. People came to console her. "All that work," \
said the baker. "You will have to begin again."

Mira wiped the slate with her sleeve, not to clean it, only to see it. Every line was there. What \
she had done. What she had been about to do. What puzzled her. She read it twice, lit another \
lamp, found the file where she had dropped it, and finished the very stroke that the storm had cut \
in two.""",
    """\
Later a traveller asked for her secret. He had seen grander workshops, he said, with taller roofs \
and brighter lamps, where a single gust cost a year. She thought about it while the kettle sang.

"They protect the lamp," she said at last. "I protect the place where I stopped. A lamp can be lit \
by anybody. But only the place where I stopped knows the way to the place where I am going."

The traveller wrote that down on the back of a receipt. In spring the blue door got a new roof \
above it, and on the bench, in the first warm light, the work on {topic} was complete. Mira looked at it for \
a long while. Then she took the slate, and below everything else she wrote what she would do next.""",
)


def story(topic: str) -> str:
    """A story of more than 300 words with `topic` in it."""
    return "\n\n".join(_STORY).format(topic=topic.replace("{", "(").replace("}", ")") or "a lantern that remembers")


def code() -> str:
    """A short answer with a code block."""
    return _CODE


def count(last: int) -> str:
    """The numbers from 1 to `last`, at most 2,000, ten on a line."""
    numbers = [str(number) for number in range(1, min(max(last, 1), _COUNT_MAX) + 1)]
    return "\n".join(" ".join(numbers[start : start + 10]) for start in range(0, len(numbers), 10))
