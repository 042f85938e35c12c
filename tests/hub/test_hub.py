"""hub.toml: what it may say, what a refresh writes into it, and what wins where something else is said."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from support.landing import land_csv
from support.pipeline import edit_hub_file, reading, refresh
from support.small_hub import copied

from orchestration.hub import hub_toml
from orchestration.hub.hub_toml import Hub, SettingsError
from orchestration.hub.landing_tables import LandingTable, Overwritten
from orchestration.settings import Settings

Command = Callable[..., subprocess.CompletedProcess[str]]

MESSAGE = {"message_id": "m1", "customer_id": "c1", "status": "sent", "occurred_at": "2026-01-10T23:00:00Z"}

DEFAULTS = {
    "max_rejected_share": 0.2,
    "max_fall": 0.1,
    "max_left_behind": 0.1,
    "max_restated_share": 0.01,
    "ledger_days": 400,
    "keep_runs_days": 30,
    "links_to": [],
}


# A table of orders, and one with all fields that are required but the id.
ORDERS = '[[landing]]\nfiles = "orders/*.csv"\n'
MAPPED = ORDERS + 'ordered_at = "At"\norder_value = "Total"\nsales_channel = { value = "online" }\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hub.toml"


def hub_in_new_york(folder: Path) -> Settings:
    """A hub in New York with a message, not refreshed yet."""
    hub = Settings(folder, "America/New_York", date(2026, 1, 31), "EUR")
    land_csv(hub.landing / "messages" / "a.csv", [MESSAGE])
    return hub


@pytest.fixture
def hub(tmp_path: Path) -> Settings:
    return hub_in_new_york(tmp_path / "hub")


@pytest.fixture(scope="module")
def refreshed_in_new_york(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The hub after a refresh; tests copy it."""
    hub = hub_in_new_york(tmp_path_factory.mktemp("refreshed") / "hub")
    refresh(hub)
    return hub


@pytest.fixture
def refreshed(refreshed_in_new_york: Settings, tmp_path: Path) -> Settings:
    return copied(refreshed_in_new_york, tmp_path / "hub")


def settings_of(hub: Settings, **variables: str) -> Settings:
    """The settings as a process finds them that has no variables but these."""
    return Settings.from_environment({"CONTACT_DATA_DIR": str(hub.data_dir), **variables})


def test_a_hub_without_a_file_has_the_defaults(file: Path) -> None:
    assert hub_toml.read(file) == hub_toml.HubFile(None, None, Hub())


def test_every_key_is_read(file: Path) -> None:
    file.write_text(
        """
        timezone = "Asia/Kathmandu"
        currency = "NPR"
        max_rejected_share = 0.5
        max_fall = 0
        max_left_behind = 1
        max_restated_share = 0.25
        ledger_days = 10
        keep_runs_days = 3
        links_to = ["/mnt/exports", "/srv"]

        [[landing]]
        files = "orders/shopify*.csv"
        overwritten = "adds"

        [[landing]]
        files = "messages/**"
        overwritten = "replaces"

        [[landing]]
        files = "orders/*"
        """
    )

    assert hub_toml.read(file) == hub_toml.HubFile(
        "Asia/Kathmandu",
        "NPR",
        Hub(
            *(0.5, 0, 1, 0.25, 10, 3, (Path("/mnt/exports"), Path("/srv"))),
            landing=(
                LandingTable("orders/shopify*.csv", Overwritten.ADDS),
                LandingTable("messages/**", Overwritten.REPLACES),
                LandingTable("orders/*"),
            ),
        ),
    )


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "orders/a*.csv",
            ["orders/a.csv", "orders/a b.csv", "orders/a\n.csv"],
            ["orders/a/b.csv", "x/orders/a.csv"],
        ),
        ("orders/**", ["orders/a.csv", "orders/a/b.csv"], ["orders", "messages/a.csv"]),
        ("**/a.csv", ["orders/a.csv", "orders/b/a.csv"], ["a.csv", "orders/ba.csv"]),
        ("orders/[a]?.csv", ["orders/[a]?.csv"], ["orders/ab.csv", "orders/a.csv"]),
        (r"orders/\w+.csv", [r"orders/\w+.csv"], ["orders/a.csv"]),
    ],
)
def test_a_pattern_is_literal_but_for_its_stars(pattern: str, matching: list[str], others: list[str]) -> None:
    table = LandingTable(pattern)

    assert [path for path in matching if not table.matches(path)] == []
    assert [path for path in others if table.matches(path)] == []


def test_the_first_table_that_matches_a_file_counts() -> None:
    tables = (LandingTable("orders/a*", Overwritten.REPLACES), LandingTable("orders/*", Overwritten.ADDS))
    hub = Hub(landing=tables)

    assert hub.landing_table_of("orders/a.csv") == tables[0]
    assert hub.landing_table_of("orders/b.csv") == tables[1]
    assert hub.landing_table_of("messages/b.csv") is None


@pytest.mark.parametrize(
    ("content", "saying"),
    [
        (
            'timezone = "Mars/Olympus"',
            r'timezone = "Mars/Olympus" \(line 1\)\. That is not an IANA time zone',
        ),
        ('timezone = "right/Europe/Paris"', r"line 1\)\. That is not an IANA time zone"),
        ("timezone = 1", r"timezone = 1 \(line 1\)"),
        ('\n# x\ncurrency = "euro"', r'currency = "euro" \(line 3\)\. That is not an ISO 4217 code'),
        ("max_fall = 1.5", r"max_fall = 1\.5 \(line 1\)\. It takes a fraction between 0 and 1"),
        ("max_fall = -0.1", "fraction between 0 and 1"),
        ("max_fall = nan", "fraction between 0 and 1"),
        ("max_rejected_share = true", "fraction between 0 and 1"),
        ('max_left_behind = "0.1"', "fraction between 0 and 1"),
        ("max_restated_share = 10", "fraction between 0 and 1"),
        ("ledger_days = 0", "whole number of days between 1 and"),
        ("ledger_days = 4.5", "whole number of days between 1 and"),
        ("keep_runs_days = 99999999999999999999", "whole number of days between 1 and"),
        ('links_to = "/mnt"', "list of folders"),
        ('links_to = ["mnt"]', "list of folders"),
        ("max_fal = 0.1", r"unknown key 'max_fal' \(line 1\)\. Did you mean max_fall\?"),
        ('password = "x"', r"unknown key 'password' \(line 1\)\. Known keys: timezone, currency,"),
        ("[limits]\nmax_fall = 0.1", r"unknown key 'limits' \(line 1\)"),
        ("landing = 1", r"each under a line \[\[landing\]\]"),
        ('[landing]\nfiles = "x"', r"each under a line \[\[landing\]\]"),
        ("[[landing]]", r"lacks `files` in \[\[landing\]\] table 1"),
        ('[[landing]]\nfiles = " "', r'files = " " in \[\[landing\]\] table 1 \(line 2\)'),
        ('[[landing]]\nfiles = "/x"', "pattern of paths below landing/"),
        (
            '[[landing]]\nfiles = "a"\n[[landing]]\nfiles = "b"\noverwritten = "add"',
            r'overwritten = "add" in \[\[landing\]\] table 2 \(line 5\)\. It takes "adds" or "replaces"',
        ),
        ('[[landing]]\nfiles = "a"\nfile = "b"', r"unknown key 'file' in \[\[landing\]\] table 1 \(line 3\)"),
        (
            ORDERS + 'delimiter = ";;"',
            r'delimiter = ";;" in \[\[landing\]\] table 1 \(line 3\)\. It takes one',
        ),
        (ORDERS + 'encoding = "rot13"', r'encoding = "rot13" .*\(line 3\)\. It takes an encoding such as'),
        (ORDERS + 'timezone = "CET+1"', r'timezone = "CET\+1" .*IANA time zone'),
        (ORDERS + 'timestamp_format = "%Q"', r'timestamp_format = "%Q" .*%Q is not among the directives'),
        (
            ORDERS + 'timestamp_format = "ISO"',
            r'timestamp_format = "ISO" .*takes a strptime format with year',
        ),
        (ORDERS + 'amount_format = "1.234.50"', r'amount_format = "1\.234\.50" .*1234\.50 as it is written'),
        (ORDERS + 'timestamp_format = "%c"', r'timestamp_format = "%c" .*%c is not among the directives'),
        (ORDERS + 'timestamp_format = "%d.%m.%Y %Y"', r"It has one directive twice"),
        (ORDERS + 'timestamp_format = "%H:%M"', r"takes a strptime format with year, month and day"),
        (ORDERS + 'timestamp_format = "%d.%m.%Y%"', r"% is not among the directives"),
        (ORDERS + 'amount_format = "(1,234.50)"', r"1234\.50 as it is written"),
        (ORDERS + 'skip_blank = " "', r"skip_blank = .*It takes the name of a column"),
        (ORDERS + "only = {}", r"only = .*takes columns, each with a list of values"),
        (ORDERS + 'only = { a = [""] }', r"only = .*takes columns, each with a list of values"),
        (ORDERS + 'only = { a = ["x"], A = ["y"] }', r"only = .*It has one column twice"),
        (ORDERS + 'only = { Direction = "in" }', r"only = .*takes columns, each with a list of values"),
        (ORDERS + 'skip_blanks = "Total"', r"unknown key 'skip_blanks' .*Did you mean skip_blank\?"),
        (ORDERS + 'message_id = "Id"', r"unknown key 'message_id' .*It is no field of orders: order_id, "),
        (ORDERS + 'order_id = "Id"', r"lacks ordered_at, order_value, sales_channel .*\(line 2\)"),
        ('[[landing]]\nfiles = "**/a.csv"\norder_id = "Id"', r"has the field 'order_id' .*begins with"),
        (MAPPED + "order_id = 1", r'order_id = 1 .*It takes "Column", a list of columns'),
        (MAPPED + 'order_id = { form = "Id" }', r"unknown key 'form' of order_id .*\(line 6\)"),
        (MAPPED + 'order_id = { from = "Id", value = "x" }', r"just one of `from`, `sum`, `value`"),
        (MAPPED + 'order_id = { value = "x", blank = "y" }', r"has 'blank' beside 'value' of order_id"),
        (
            MAPPED + 'order_id = { from = "Id", times = 2 }',
            r"has 'times' of order_id .*`times` is for amounts",
        ),
        (MAPPED + 'order_id = { from = "Id", normalize = "upper" }', r'`normalize` takes "email" or "email_'),
        (
            MAPPED + 'order_id = "Id"\nstatus = { from = "S", map = { paid = "plced" } }',
            r'says "plced" in `map`',
        ),
        (MAPPED + 'order_id = "Id"\nstatus = { from = "S", else = "x" }', r'says "x" in `else` of status'),
        (MAPPED + 'order_id = "Id"\nstatus = { from = "S", map = { A = "", a = "" } }', r"one value twice"),
        (
            MAPPED + 'order_id = "Id"\nupdated_at = { file_name = "a%Q.csv" }',
            r"%Q is not among the directives",
        ),
        (
            MAPPED + 'order_id = "Id"\nrefunded_value = { from = "R", times = nan }',
            r"`times` takes a number below",
        ),
        (MAPPED + 'order_id = "Id"\nrefunded_value = { from = "R", times = 0 }', r"and not 0"),
        (MAPPED + 'order_id = "Id"\nstatus = { from = "S", map = { "" = "placed" } }', r"said by `blank`"),
        (
            MAPPED + 'order_id = "Id"\n[landing.status]\nfrom = "S"\nelse = 5',
            r"\(line 7\)\. `else` takes text",
        ),
        (MAPPED + 'order_id = { file_name = "a%d.csv" }', r"`file_name` is for timestamps"),
        ("timezone = UTC", r"is not TOML: .*line 1"),
        ('timezone = "UTC"\ntimezone = "UTC"', "is not TOML: Cannot overwrite a value"),
        (b'# caf\xe9\ntimezone = "UTC"', r"is not UTF-8 \(line 1\)"),
    ],
)
def test_what_cannot_be_used_is_named_with_file_key_and_line(
    file: Path, content: str | bytes, saying: str
) -> None:
    file.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(SettingsError, match=rf"^{re.escape(str(file))} .*(?s:{saying})") as raised:
        hub_toml.read(file)
    assert "Nothing was done." in str(raised.value)


def test_a_folder_in_the_place_of_the_file_is_named(file: Path) -> None:
    file.mkdir()

    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        hub_toml.read(file)


def test_the_file_is_written_with_every_key(file: Path) -> None:
    hub_toml.add_missing(file, "Europe/Paris", "EUR")

    assert tomllib.loads(file.read_text()) == {"timezone": "Europe/Paris", "currency": "EUR", **DEFAULTS}
    assert hub_toml.read(file) == hub_toml.HubFile("Europe/Paris", "EUR", Hub())


HEAD = "# A hub.\nmax_fall = 0.5 # less\n"
TAIL = "\n# Shopify\n[[landing]]\nfiles = 'a'\n\n[[landing]]\nfiles = 'b'"


@pytest.mark.parametrize(
    "content",
    [
        "",
        HEAD + TAIL,
        (HEAD + TAIL).replace("\n", "\r\n"),
        "\ufeff" + HEAD + TAIL,
        "[[landing]]\nfiles = 'a'",
        "max_fall = 0.5",
        "links_to = [\n'/a',\n# [[landing]]\n'/b' ]\n" + TAIL,
        "links_to = [ '''/a\n[[landing]]\n''' ]\n" + TAIL,
        "  max_fall=0.5\n\n\n  [[ landing ]] # x\nfiles = 'a'\n",
    ],
)
def test_missing_keys_are_added_above_the_first_table_and_nothing_else_changes(
    file: Path, content: str
) -> None:
    file.write_bytes(content.encode())
    file.chmod(0o640)
    said = tomllib.loads(content.removeprefix("\ufeff"))

    hub_toml.add_missing(file, "Europe/Paris", "EUR")

    written = file.read_bytes().decode()
    expected = {"timezone": "Europe/Paris", "currency": "EUR", **DEFAULTS, **said}
    assert tomllib.loads(written.removeprefix("\ufeff")) == expected
    added = len(written) - len(content)
    assert content in [written[:place] + written[place + added :] for place in range(len(content) + 1)]
    assert ("\r\n" in written) == ("\r\n" in content)
    assert "\r\n" not in written or written.count("\n") == written.count("\r\n")
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in file.parent.iterdir()] == ["hub.toml"]


def test_missing_keys_go_above_the_comment_of_the_first_table(file: Path) -> None:
    file.write_text(HEAD + TAIL)

    hub_toml.add_missing(file, "Europe/Paris", "EUR")

    written = file.read_text()
    assert written.startswith(HEAD)
    assert written.endswith(TAIL.lstrip("\n"))


def test_a_whole_file_is_not_touched(file: Path) -> None:
    hub_toml.add_missing(file, "Europe/Paris", "EUR")
    before = file.read_bytes(), file.stat().st_ino

    hub_toml.add_missing(file, "UTC", "USD")

    assert (file.read_bytes(), file.stat().st_ino) == before


def test_a_link_to_the_file_stays_one(file: Path) -> None:
    elsewhere = file.with_name("elsewhere.toml")
    elsewhere.write_text("max_fall = 0.5\n")
    file.symlink_to(elsewhere)

    hub_toml.add_missing(file, "UTC", "USD")

    assert file.is_symlink()
    assert hub_toml.read(elsewhere).timezone == "UTC"


def test_a_new_hub_takes_zone_and_currency_from_the_environment(tmp_path: Path) -> None:
    new = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")

    assert (settings_of(new).timezone, settings_of(new).currency) == ("UTC", "USD")
    in_paris = settings_of(new, CONTACT_TIMEZONE="Europe/Paris", CONTACT_CURRENCY="EUR")
    assert (in_paris.timezone, in_paris.currency) == ("Europe/Paris", "EUR")


def test_the_first_refresh_writes_the_file_which_then_stands_for_the_variables(
    hub: Settings, command: Command
) -> None:
    finished = command(hub, "run")
    assert finished.returncode == 0, finished.stdout + finished.stderr

    assert hub_toml.read(hub.hub_file) == hub_toml.HubFile("America/New_York", "EUR", Hub())
    without_variables = settings_of(hub)
    assert (without_variables.timezone, without_variables.currency) == ("America/New_York", "EUR")
    with reading(hub.published) as connection:
        assert connection.sql("select timezone, currency from refreshes").fetchall() == [
            ("America/New_York", "EUR")
        ]

    before = hub.hub_file.read_bytes()
    contradicted = command(replace(hub, timezone="Europe/Paris"), "run")
    assert contradicted.returncode == 2
    assert (
        f"CONTACT_TIMEZONE is 'Europe/Paris', but {hub.hub_file} (line 1) says "
        'timezone = "America/New_York". Nothing was done.' in contradicted.stdout
    )
    assert contradicted.stderr == ""
    assert hub.hub_file.read_bytes() == before


@pytest.mark.parametrize(
    ("variable", "value"), [("CONTACT_TIMEZONE", "Europe/Paris"), ("CONTACT_CURRENCY", "EUR")]
)
def test_a_variable_that_contradicts_the_file_is_refused_with_both_values(
    tmp_path: Path, variable: str, value: str
) -> None:
    hub = Settings(tmp_path, "UTC", date(2026, 1, 31), "USD")
    hub_toml.add_missing(hub.hub_file, "UTC", "USD")
    key = variable.removeprefix("CONTACT_").lower()

    with pytest.raises(SettingsError) as refused:
        settings_of(hub, **{variable: value})

    assert f"{variable} is {value!r}, but {hub.hub_file}" in str(refused.value)
    assert f'says {key} = "{getattr(hub, key)}". Nothing was done.' in str(refused.value)


@pytest.mark.parametrize("known_by", ["published", "warehouse"])
def test_a_hub_that_was_refreshed_before_there_was_a_file_keeps_its_zone_and_currency(
    refreshed: Settings, known_by: str
) -> None:
    assert not refreshed.hub_file.exists()
    if known_by == "warehouse":
        refreshed.published.unlink()
        refreshed.published.write_bytes(b"damaged")

    assert settings_of(refreshed).timezone == "America/New_York"
    assert settings_of(refreshed).currency == "EUR"
    with pytest.raises(SettingsError, match=r'CONTACT_CURRENCY .* but the last refresh .* currency = "EUR"'):
        settings_of(refreshed, CONTACT_CURRENCY="USD")


def test_a_published_hub_whose_zone_cannot_be_told_asks_for_it(hub: Settings) -> None:
    hub.published.parent.mkdir(parents=True)
    hub.published.write_bytes(b"damaged")
    hub.warehouse.write_bytes(b"damaged")

    with pytest.raises(SettingsError, match=r"Write `timezone` and `currency` into hub\.toml"):
        settings_of(hub)

    hub.hub_file.write_text('timezone = "UTC"\ncurrency = "USD"\n')
    assert settings_of(hub).timezone == "UTC"


def test_an_edited_zone_moves_the_days_of_messages(refreshed: Settings) -> None:
    with reading(refreshed.published) as connection:
        assert connection.sql("select message_date from fct_messages").fetchall() == [(date(2026, 1, 10),)]

    refresh(edit_hub_file(refreshed, timezone="Asia/Tokyo"))

    with reading(refreshed.published) as connection:
        assert connection.sql("select message_date from fct_messages").fetchall() == [(date(2026, 1, 11),)]


def test_limits_reach_the_settings(hub: Settings) -> None:
    edited = edit_hub_file(hub, max_rejected_share=0.75, links_to=["/mnt"])

    assert edited.hub == Hub(max_rejected_share=0.75, links_to=(Path("/mnt"),))


def test_a_warehouse_of_before_there_was_a_zone_in_it_is_read(refreshed: Settings) -> None:
    with duckdb.connect(str(refreshed.warehouse)) as connection:
        connection.execute("alter table raw.refreshes drop column timezone")
        connection.execute("alter table raw.refreshes drop column currency")

    refresh(refreshed)

    with reading(refreshed.published) as connection:
        rows = connection.sql("select timezone, currency from refreshes order by refresh_number").fetchall()
    assert rows == [(None, None), ("America/New_York", "EUR")]
