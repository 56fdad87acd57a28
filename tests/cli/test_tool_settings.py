"""The tables of tool servers: what can be written there, and what is told about a slip."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from core.configure import SettingsWrong, load
from core.domain.tooling import Auth, ToolKind


def given(tmp_path: Path, text: str, **environ: str) -> dict[str, str]:
    """An environment with a file."""
    file = tmp_path / "rejoinder.toml"
    file.write_text(text, encoding="utf-8")
    return {"REJOINDER_CONFIG": str(file), **environ}


def test_everything_that_can_be_set(tmp_path: Path) -> None:
    """An operator connects three servers, and each value arrives."""
    text = """
        [tools.files]
        command = "npx -y some-server"
        args = ["--root", "/srv"]
        env = { REGION = "eu" }
        [tools.wiki]
        url = "https://wiki.example.com/mcp"
        auth = "token"
        token_env = "WIKI_TOKEN"
        allow = ["search"]
        effects = { search = "read" }
        timeout = "20s"
        [tools.jira]
        url = "https://jira.example.com/mcp"
        auth = "oauth"
        client_id = "abc"
        scopes = ["read", "write"]
    """
    settings = load(given(tmp_path, text, WIKI_TOKEN="canary-of-wiki"), tmp_path)
    files, wiki, jira = (settings.tools[name] for name in ("files", "wiki", "jira"))
    assert files.command == ("npx", "-y", "some-server")
    assert files.args == ("--root", "/srv")
    assert wiki.token is not None
    assert wiki.token.get_secret_value() == "canary-of-wiki"
    assert (wiki.allow, wiki.effects, wiki.timeout) == (("search",), {"search": ToolKind.READ}, timedelta(seconds=20))
    assert (jira.auth, jira.scopes) == (Auth.OAUTH, "read write")
    assert settings.to_policy().tool_servers == ("files", "wiki", "jira")
    assert "canary-of-wiki" in settings.secrets
    assert "canary-of-wiki" not in repr(settings)
    assert "canary-of-wiki" not in repr(wiki)


@pytest.mark.parametrize(
    ("table", "name", "says"),
    [
        ('[tools.a]\nurl = "x"', "tools.a.url", "is not a full address"),
        ('[tools.a]\nurl = "https://u:canary@h/mcp"', "tools.a.url", "has a login in it"),
        ("[tools.a]", "tools.a", "needs exactly one of url and command"),
        ('[tools.a]\nurl = "https://h"\ncommand = "x"', "tools.a", "needs exactly one"),
        ('[tools.a]\nurl = "https://h"\nuri = "canary"', "tools.a.uri", "is not a setting"),
        ('[tools.a]\nurl = "https://h"\nauth = "canary"', "tools.a.auth", "one of none, oauth, token"),
        ('[tools.a]\nurl = "https://h"\nauth = "token"', "tools.a.token", "is missing"),
        ('[tools.a]\nurl = "https://h"\nauth = "token"\ntoken_env = "NO"', "tools.a.token", "NO is not set"),
        ('[tools.a]\nurl = "https://h"\nauth = "client_credentials"', "tools.a.client_secret", "is missing"),
        ('[tools.a]\nurl = "http://h.example"\nauth = "oauth"', "tools.a.url", "in the clear"),
        ('[tools.a]\ncommand = "x"\nauth = "oauth"', "tools.a.auth", "means nothing to a command"),
        ('[tools.a]\nurl = "https://h"\ntimeout = "11m"', "tools.a.timeout", "between 0 and 10 minutes"),
        ('[tools.a]\nurl = "https://h"\ntimeout = "canary"', "tools.a.timeout", "for example timeout"),
        ('[tools.a]\nurl = "https://h"\neffects = { x = "canary" }', "tools.a.effects", "read, idempotent, write"),
        ('[tools.a__b]\nurl = "https://h"', "tools.a__b", "is not a name that a model can call"),
        ('[tools.a_]\nurl = "https://h"', "tools.a_", "is not a name that a model can call"),
        ('[tools."a b"]\nurl = "https://h"', "tools.a b", "is not a name"),
        ('tools = "canary"', "tools", "is not a table"),
        ('[tools]\na = "canary"', "tools.a", "is not a table"),
    ],
)
def test_a_slip_is_told_with_its_fix(tmp_path: Path, table: str, name: str, says: str) -> None:
    """Whatever is wrong with a table is told under its name, together with what to do, and without its value."""
    with pytest.raises(SettingsWrong) as caught:
        load(given(tmp_path, table), tmp_path)
    (problem,) = caught.value.problems
    assert problem.name == name
    assert says in f"{problem.what} {problem.fix}"
    assert problem.fix
    assert "canary" not in str(problem)


def test_all_slips_are_told_at_once(tmp_path: Path) -> None:
    """Two wrong servers and a wrong duration are three lines."""
    text = 'idle_park = "soon"\n[tools.a]\nuri = "x"\n[tools.b]\nurl = "x"\n'
    with pytest.raises(SettingsWrong) as caught:
        load(given(tmp_path, text), tmp_path)
    assert {each.name for each in caught.value.problems} == {"tools.a.uri", "tools.b.url", "idle_park"}


def test_a_local_server_may_be_plain(tmp_path: Path) -> None:
    """A server on this machine needs no https, logins or not."""
    for host in ("127.0.0.1", "localhost", "[::1]"):
        load(given(tmp_path, f'[tools.a]\nurl = "http://{host}:9/mcp"\nauth = "oauth"\n'), tmp_path)
