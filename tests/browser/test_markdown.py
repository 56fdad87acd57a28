"""The page's Markdown: what is said looks right and can do nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.kit.browser import Program

RENDER = """async ([text, options]) => {
  const { renderInto } = await import('/static/markdown.js');
  const place = document.createElement('div');
  renderInto(place, text, options);
  place.querySelectorAll('.code-bar').forEach((each) => each.remove());
  return place.innerHTML.replace(/ (class|tabindex|role|aria-label|rel|target)="[^"]*"/g, '');
}"""


@pytest.fixture(scope="module")
def page(browser: Browser, program: Program) -> Iterator[Page]:
    """A page to render in."""
    context = browser.new_context()
    found = context.new_page()
    found.goto(program.url)
    yield found
    context.close()


CASES = [
    ("hello", "<p>hello</p>"),
    ("a\nb\n\nc", "<p>a<br>b</p><p>c</p>"),
    (
        "**b** *i* `c` ~~s~~ ***bi***",
        "<p><strong>b</strong> <em>i</em> <code>c</code> <del>s</del> <strong><em>bi</em></strong></p>",
    ),
    ("snake_case_name and 2 * 3 * 4", "<p>snake_case_name and 2 * 3 * 4</p>"),
    (r"\*not\* it", "<p>*not* it</p>"),
    ("`` a ` b ``", "<p><code>a ` b</code></p>"),
    ("# T\n### U #", "<h3>T</h3><h5>U</h5>"),
    ("a\n\n---\n\nb", "<p>a</p><hr><p>b</p>"),
    ("> q\n> r", "<blockquote><p>q<br>r</p></blockquote>"),
    ("- a\n- b\n  - c\n- d", "<ul><li>a</li><li>b<ul><li>c</li></ul></li><li>d</li></ul>"),
    ("3. a\n4. b\n   - c", '<ol start="3"><li>a</li><li>b<ul><li>c</li></ul></li></ol>'),
    ("1. a\n\n   more\n\n2. b", "<ol><li>a<p>more</p></li><li>b</li></ol>"),
    ("Text:\n- a\n- b", "<p>Text:</p><ul><li>a</li><li>b</li></ul>"),
    ("- [x] a\n- [ ] b", "<ul><li><span></span><span>a</span></li><li><span></span><span>b</span></li></ul>"),
    ("```py\na < b\n```\nend", "<div><pre><code>a &lt; b</code></pre></div><p>end</p>"),
    ("```\nstill open", "<div><pre><code>still open</code></pre></div>"),
    ("- a\n  ```\n  x\n    y\n  ```", "<ul><li>a<div><pre><code>x\n  y</code></pre></div></li></ul>"),
    (
        "| a | b |\n|---|--:|\n| 1 | `\\|` |",
        "<div><table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td><code>|</code></td></tr></tbody></table></div>",
    ),
    ("[t](https://a.example/x_(y))", '<p><a href="https://a.example/x_(y)">t</a></p>'),
    ("see https://a.example/p?q=1.", '<p>see <a href="https://a.example/p?q=1">https://a.example/p?q=1</a>.</p>'),
    ("<me@a.example>", '<p><a href="mailto:me@a.example">me@a.example</a></p>'),
    ("![pic](https://a.example/p.png)", '<p><a href="https://a.example/p.png">Image: pic</a></p>'),
]


@pytest.mark.parametrize(("text", "html"), CASES, ids=[f"{n}" for n in range(len(CASES))])
def test_it_looks_right(page: Page, text: str, html: str) -> None:
    """An answer would be shown as a heap of signs."""
    assert page.evaluate(RENDER, [text, {}]) == html


EVIL = [
    "<script>window.hit = 1</script>",
    "<img src=x onerror='window.hit = 1'>",
    "[x](javascript:window.hit=1)",
    "[x](JaVaScRiPt:window.hit=1)",
    "[x](java\tscript:window.hit=1)",
    "[x](data:text/html,<script>1</script>)",
    "[x](vbscript:x)",
    "<javascript:alert(1)>",
    "![x](javascript:window.hit=1)",
    "[x](/api/about)",
    "[x](//evil.example)",
    "| <b>x</b> |\n|---|\n| <iframe src=x> |",
    "```<script>\n</code><script>window.hit = 1</script>\n```",
]


@pytest.mark.parametrize("text", EVIL, ids=[f"{n}" for n in range(len(EVIL))])
def test_it_can_do_nothing(page: Page, text: str) -> None:
    """A model, or a file that it quotes, could run a program in somebody's page."""
    script = """async (text) => {
      const { renderInto } = await import('/static/markdown.js');
      const place = document.createElement('div');
      document.body.append(place);
      renderInto(place, text);
      const bad = [...place.querySelectorAll('script, img, iframe, b, object, [onerror], [onclick]')].length;
      const links = [...place.querySelectorAll('a')].map((each) => each.protocol);
      place.remove();
      return [bad, links, window.hit ?? null];
    }"""
    assert page.evaluate(script, text) == [0, [], None]


def test_links_leave_without_telling(page: Page) -> None:
    """The site behind a link could steer our page, or learn where its visitor came from."""
    script = """async () => {
      const { link } = await import('/static/inline.js');
      const made = link('https://a.example', ['x']);
      return [made.rel, made.target];
    }"""
    assert page.evaluate(script) == ["noopener noreferrer nofollow", "_blank"]


def test_peoples_words_stay_as_they_are(page: Page) -> None:
    """Somebody's shell output would become headings and lists."""
    text = "# not a title\n- not a list\n*no* `yes`\n```\ncode\n```"
    html = "<p># not a title<br>- not a list<br>*no* <code>yes</code></p><div><pre><code>code</code></pre></div>"
    assert page.evaluate(RENDER, [text, {"plain": True}]) == html


def test_a_growing_text_ends_as_the_whole_one(page: Page) -> None:
    """An answer would look different after a reload than after being streamed."""
    script = """async (texts) => {
      const { renderInto } = await import('/static/markdown.js');
      const bare = (place) => place.innerHTML;
      return texts.filter((text) => {
        const grown = document.createElement('div');
        for (let end = 1; end <= text.length; end += 1) renderInto(grown, text.slice(0, end));
        const whole = document.createElement('div');
        renderInto(whole, text);
        return bare(grown) !== bare(whole);
      });
    }"""
    texts = [text for text, _ in CASES] + EVIL + ["\n\n".join(text for text, _ in CASES)]
    assert page.evaluate(script, texts) == []


def test_what_is_finished_keeps_its_place(page: Page) -> None:
    """A selection, or a code block somebody scrolled, would jump back with every new word."""
    script = """async () => {
      const { renderInto } = await import('/static/markdown.js');
      const place = document.createElement('div');
      renderInto(place, 'one\\n\\n```\\ncode\\n```\\n\\ntw');
      const before = [...place.children];
      renderInto(place, 'one\\n\\n```\\ncode\\n```\\n\\ntwo **three**');
      const after = [...place.children];
      return [before[0] === after[0], before[1] === after[1], after[2].textContent];
    }"""
    assert page.evaluate(script) == [True, True, "two three"]


HEAVY = [
    "*",
    "**a",
    "_a",
    "[",
    "[a](",
    "`",
    "``a`",
    "~~",
    "<http://",
    "![",
    "> ",
    "- ",
    "1. ",
    "|",
    "| a |\n|--|\n",
    "# ",
    "\\",
    "h",
    "https://a.b/",
    "- a\n  ",
    "> - ",
]


@pytest.mark.parametrize("piece", HEAVY, ids=[f"{n}" for n in range(len(HEAVY))])
def test_heavy_text_does_not_hang_the_page(page: Page, piece: str) -> None:
    """One message could freeze everybody's browser."""
    script = """async (text) => {
      const { renderInto } = await import('/static/markdown.js');
      const place = document.createElement('div');
      const since = performance.now();
      renderInto(place, text);
      return performance.now() - since;
    }"""
    assert page.evaluate(script, piece * (100_000 // len(piece))) < 2_000
