"""Settings: what an operator writes is understood, and everything that is wrong is told at once."""

from __future__ import annotations

from datetime import time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.configure import CONFIG, Problem, SettingsWrong, is_loopback, load
from core.domain.decision import Policy
from core.domain.leaving import Notices
from core.settings import Settings, ThreadSessions, environment_name
from core.units import QuietHours, format_duration, parse_dollars, parse_duration


def problems(environ: dict[str, str], folder: Path = Path("/nonexistent")) -> dict[str, Problem]:
    """What is wrong with an environment, by name."""
    with pytest.raises(SettingsWrong) as caught:
        load(environ, folder)
    return {problem.name: problem for problem in caught.value.problems}


def test_an_empty_environment_is_enough(tmp_path: Path) -> None:
    """A newcomer would have to configure something before the first conversation."""
    settings = load({}, tmp_path)
    assert settings.local_chat_on
    assert settings.database == Path("data/rejoinder.db")
    assert settings.to_policy().model == "claude-sonnet-5-5"


def test_only_the_given_environment_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A broken value would be read a second time, past the list of problems, and end in a traceback."""
    monkeypatch.setenv("REJOINDER_HTTP_PORT", "x")
    monkeypatch.setenv("http_port", "x")
    assert load({}, tmp_path).http_port == 8080


@pytest.mark.parametrize("key", ["sk-ant-1\nsk-ant-2", "sk-ant 1", "sk-änt", "sk\x00"])
def test_a_key_with_a_line_break_is_told_at_once(key: str) -> None:
    """Every answer would fail with an error about a header that nobody has written."""
    (problem,) = problems({"ANTHROPIC_API_KEY": key}).values()
    assert problem.what == "holds a line break, a blank or a letter that no key has"
    assert key not in str(problem)


def test_blank_space_around_a_key_is_no_part_of_it(tmp_path: Path) -> None:
    """A secret that comes from a file ends with a line break."""
    for name in ("ANTHROPIC_API_KEY", "DISCORD_TOKEN"):
        found = getattr(load({name: " sk-1\n"}, tmp_path), name.lower())
        assert found.get_secret_value() == "sk-1"


def test_everything_wrong_is_told_at_once() -> None:
    """An operator would mend one setting, start, and be told of the next one."""
    found = problems(
        {
            "REJOINDER_IDLE_WARNING": "30",
            "REJOINDER_IDLE_PARK": "2d",
            "REJOINDER_SESSION_TTL": "24h",
            "REJOINDER_HTTP_HOST": "0.0.0.0",  # noqa: S104
            "REJOINDER_HTTP_PORT": "80800",
            "REJOINDER_BUDGET_PERSON_DAY": "five",
            "REJOINDER_LOCAL_CHAT": "maybe",
            "REJOINDER_DATA_DIRR": "x",
            "REJOINDER_DATABASE_URL": "postgresql://u:pw@host/db",
            "REJOINDER_IDLE_NOTICE": "dm",
            "REJOINDER_LANGUAGE": "fr",
            "REJOINDER_RETENTION": "3d",
            "SLACK_APP_TOKEN": "xoxb-1",
        }
    )
    assert set(found) == {
        "REJOINDER_IDLE_WARNING",
        "REJOINDER_SESSION_TTL",
        "REJOINDER_HTTP_HOST",
        "REJOINDER_HTTP_PORT",
        "REJOINDER_BUDGET_PERSON_DAY",
        "REJOINDER_LOCAL_CHAT",
        "REJOINDER_DATA_DIRR",
        "REJOINDER_DATABASE_URL",
        "REJOINDER_IDLE_NOTICE",
        "REJOINDER_LANGUAGE",
        "REJOINDER_RETENTION",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
    }
    assert all(problem.fix for problem in found.values())
    assert "30m" in found["REJOINDER_IDLE_WARNING"].fix
    assert "REJOINDER_DATA_DIR " in found["REJOINDER_DATA_DIRR"].fix


def test_a_problem_never_repeats_a_value() -> None:
    """A mistyped secret would land in the terminal's scroll-back and in CI logs."""
    with pytest.raises(SettingsWrong) as caught:
        load(
            {
                "SLACK_BOT_TOKEN": "canary-1",
                "REJOINDER_LOCAL_CHAT_TOKEN": "canary-2",
                "REJOINDER_DATABASE_URL": "postgresql://canary-3",
                "REJOINDER_HTTP_PORT": "canary-4",
            }
        )
    assert "canary" not in str(caught.value)


def test_secrets_do_not_show_in_a_repr() -> None:
    """A debug print of the settings would give the tokens away."""
    settings = load({"ANTHROPIC_API_KEY": "sk-ant-canary", "REJOINDER_SECRET_KEY": "canary" * 6})
    assert "canary" not in repr(settings)
    assert "canary" not in str(settings)
    assert set(settings.secrets) == {"sk-ant-canary", "canary" * 6}


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    """An operator could not keep settings in a file and change one for a single run."""
    (tmp_path / "rejoinder.toml").write_text(
        'idle_warning = "10m"\nhttp_port = 9000\nbudget_person_day = 2.5\nallow_people = "U1, U2"\n'
        'thread_sessions = "shared"\nlocal_chat = true\n\n[tools.files]\ncommand = ["mcp-files"]\n'
    )
    settings = load({"REJOINDER_HTTP_PORT": "9001", "REJOINDER_DATA_DIR": ""}, tmp_path)
    assert settings.idle_warning == timedelta(minutes=10)
    assert settings.http_port == 9001
    assert settings.budget_person_day == 2_500_000
    assert settings.thread_sessions is ThreadSessions.SHARED
    assert settings.to_policy().shared_threads
    assert settings.to_policy().allow_people == ("U1", "U2")
    assert settings.tools["files"].command == ("mcp-files",)


def test_an_unknown_key_or_a_broken_file_is_told(tmp_path: Path) -> None:
    """A slip of the pen in the file would silently change nothing."""
    file = tmp_path / "mine.toml"
    file.write_text('idle_warnings = "10m"\nidle_park = "x"\n')
    found = problems({CONFIG: "mine.toml"}, tmp_path)
    assert "idle_warning " in found["idle_warnings"].fix
    assert 'idle_park = "30m"' in found["idle_park"].fix
    file.write_text("idle_warning 10m")
    assert "is not TOML" in problems({CONFIG: "mine.toml"}, tmp_path)[str(file)].what
    assert "cannot be read" in problems({CONFIG: "gone.toml"}, tmp_path)[str(tmp_path / "gone.toml")].what


@pytest.mark.parametrize(
    ("host", "alone"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("example.com", False)],  # noqa: S104
)
def test_listening_beyond_this_machine_asks_for_a_token(host: str, alone: bool) -> None:  # noqa: FBT001
    """Anybody on the network could speak as anybody."""
    assert is_loopback(host) is alone
    assert load({"REJOINDER_HTTP_HOST": host, "REJOINDER_LOCAL_CHAT_TOKEN": "t" * 16}).http_host == host
    if not alone:
        assert "REJOINDER_LOCAL_CHAT_TOKEN" in problems({"REJOINDER_HTTP_HOST": host})["REJOINDER_HTTP_HOST"].fix


@pytest.mark.parametrize(
    ("environ", "wrong"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_BOT_TOKEN"),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "s"},
            "SLACK_BOT_TOKEN",
        ),
        ({"SLACK_SIGNING_SECRET": "s"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_CLIENT_ID": "1.2"}, "SLACK_CLIENT_SECRET"),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1", "SLACK_CLIENT_SECRET": "s"},
            "SLACK_CLIENT_ID",
        ),
        ({"SLACK_CLIENT_ID": "1.2", "SLACK_CLIENT_SECRET": "s"}, "SLACK_BOT_TOKEN"),
        ({"DISCORD_CLIENT_SECRET": "s"}, "DISCORD_TOKEN"),
        ({"REJOINDER_LOCAL_CHAT": "off"}, "REJOINDER_LOCAL_CHAT"),
    ],
)
def test_settings_that_cannot_work_together_are_told(environ: dict[str, str], wrong: str) -> None:
    """The bot would start and hear nothing."""
    assert set(problems(environ)) == {wrong}


def test_a_platform_turns_the_local_chat_off_unless_it_is_asked_for() -> None:
    """A production bot would serve a chat without accounts, or a developer could not get one."""
    slack = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
    assert load(slack).platforms == ("slack",)
    assert not load(slack).local_chat_on
    assert load(slack | {"REJOINDER_LOCAL_CHAT": "on"}).local_chat_on


def test_every_name_of_the_contract_is_there() -> None:
    """A setting that operators rely on would have lost its name."""
    prefixed = (
        "DATA_DIR DATABASE_URL SECRET_KEY HTTP_HOST HTTP_PORT PUBLIC_URL MODEL SUMMARY_MODEL IDLE_WARNING "
        "IDLE_PARK SESSION_TTL CODE_TTL RETENTION IDLE_NOTICE IDLE_MIN_EXCHANGES QUIET_HOURS THREAD_SESSIONS "
        "DM_SESSIONS RECALL_BUDGET CATCH_UP_AGE BUDGET_PERSON_DAY BUDGET_WORKSPACE_DAY ALLOW_WORKSPACES "
        "ALLOW_CHANNELS ALLOW_PEOPLE LANGUAGE LOG_FORMAT LOCAL_CHAT LOCAL_CHAT_TOKEN TOOLS"
    )
    plain = (
        "SLACK_BOT_TOKEN SLACK_APP_TOKEN SLACK_SIGNING_SECRET SLACK_API_URL DISCORD_TOKEN DISCORD_API_URL "
        "SLACK_CLIENT_ID SLACK_CLIENT_SECRET SLACK_AUTHORIZE_URL DISCORD_CLIENT_SECRET DISCORD_AUTHORIZE_URL "
        "DISCORD_GATEWAY_URL ANTHROPIC_API_KEY ANTHROPIC_BASE_URL"
    )
    wanted = {f"REJOINDER_{name}" for name in prefixed.split()} | set(plain.split())
    assert {environment_name(field) for field in Settings.model_fields} == wanted
    assert all(info.description for info in Settings.model_fields.values())


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("30m", 1_800_000),
        ("24h", 86_400_000),
        ("90s", 90_000),
        ("500ms", 500),
        ("1h30m", 5_400_000),
        ("2d", 172_800_000),
    ],
)
def test_durations_as_people_write_them(text: str, milliseconds: int) -> None:
    """A session would be parked after 30 seconds instead of 30 minutes."""
    assert parse_duration(text) == timedelta(milliseconds=milliseconds)


@pytest.mark.parametrize("text", ["", "30", "-5m", "0s", "5 parsecs", "1e3s", "٣m", "9" * 30 + "w"])
def test_what_is_no_duration(text: str) -> None:
    """A slip of the pen would become some other duration."""
    with pytest.raises(ValueError, match=r"\w"):
        parse_duration(text)


@given(st.integers(min_value=1, max_value=10**12))
def test_a_written_duration_is_read_back(milliseconds: int) -> None:
    """The table of settings would show a default that means something else."""
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(("text", "micro"), [("5", 5_000_000), ("$5.00", 5_000_000), ("0.000001", 1), ("0", 0)])
def test_money_as_people_write_it(text: str, micro: int) -> None:
    """A budget would be off by a factor."""
    assert parse_dollars(text) == micro


@given(st.text())
def test_any_text_is_a_duration_or_money_or_told(text: str) -> None:
    """A strange value would end in a traceback instead of a sentence."""
    for parse in (parse_duration, parse_dollars, QuietHours.parse):
        try:
            parse(text)
        except ValueError as error:
            assert str(error)  # noqa: PT017


def test_quiet_hours() -> None:
    """Notices would come at night."""
    assert QuietHours.parse("22:00-07:00") == QuietHours(start=time(22), end=time(7))
    assert str(QuietHours.parse("9:05 - 23:59")) == "09:05-23:59"
    for wrong in ("22-07", "25:00-07:00", "07:00-07:00", "-5:00-07:00"):
        with pytest.raises(ValueError, match=r"\w"):
            QuietHours.parse(wrong)


def test_what_an_operator_sets_about_leaving_reaches_the_rules(tmp_path: Path) -> None:
    """A setting is read, checked, documented, and changes nothing."""
    chosen = {
        "IDLE_WARNING": "10m", "IDLE_PARK": "20m", "SESSION_TTL": "3h", "CODE_TTL": "4h", "RETENTION": "30d",
        "IDLE_NOTICE": "off", "IDLE_MIN_EXCHANGES": "5", "QUIET_HOURS": "22:00-07:30", "THREAD_SESSIONS": "shared",
        "DM_SESSIONS": "single", "SUMMARY_MODEL": "m", "LANGUAGE": "de",
    }  # fmt: skip
    policy = load({f"REJOINDER_{name}": value for name, value in chosen.items()}, tmp_path).to_policy()
    minute = 60_000
    assert policy == Policy(
        idle_warning_ms=10 * minute,
        idle_park_ms=20 * minute,
        session_ttl_ms=180 * minute,
        code_ttl_ms=240 * minute,
        retention_ms=30 * 24 * 60 * minute,
        idle_notice=Notices.OFF,
        idle_min_exchanges=5,
        quiet_hours=(22 * 60, 7 * 60 + 30),
        shared_threads=True,
        single_dm=True,
        summary_model="m",
        language="de",
        model_vendor="",
        tool_list_tokens=500,
    )


@pytest.mark.parametrize(
    ("environ", "vendor"),
    [
        ({}, ""),
        ({"ANTHROPIC_API_KEY": "sk"}, "Anthropic"),
        ({"ANTHROPIC_API_KEY": "sk", "ANTHROPIC_BASE_URL": "https://gate.example.com/x"}, "gate.example.com"),
    ],
)
def test_privacy_names_whoever_gets_the_words(tmp_path: Path, environ: dict[str, str], vendor: str) -> None:
    """/privacy says that the words stay here, or names somebody who does not get them."""
    assert load(environ, tmp_path).to_policy().model_vendor == vendor
