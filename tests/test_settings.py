"""The settings: their defaults, and what is said of values that cannot be used."""

from __future__ import annotations

import tomllib
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml

from orchestration import settings as settings_module
from orchestration.hub.hub_toml import SettingsError
from orchestration.settings import REPOSITORY, Engine, Settings

MIDNIGHT = datetime(2026, 3, 1, 0, 30, tzinfo=UTC)


@pytest.fixture
def nothing_refreshed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository whose default data directory is empty, whatever the real one holds."""
    monkeypatch.setattr(settings_module, "REPOSITORY", tmp_path)


@pytest.mark.usefixtures("nothing_refreshed")
def test_every_setting_has_its_default(tmp_path: Path) -> None:
    assert Settings.from_environment({}, now=MIDNIGHT) == Settings(
        data_dir=tmp_path / "data", timezone="UTC", as_of=date(2026, 2, 28), currency="USD"
    )


@pytest.mark.usefixtures("nothing_refreshed")
def test_a_blank_setting_has_its_default() -> None:
    blank = dict.fromkeys(
        ["CONTACT_DATA_DIR", "CONTACT_TIMEZONE", "CONTACT_AS_OF", "CONTACT_CURRENCY", "CONTACT_MEMORY_LIMIT"],
        "  ",
    )

    assert Settings.from_environment(blank, now=MIDNIGHT) == Settings.from_environment({}, now=MIDNIGHT)


@pytest.mark.parametrize(
    ("timezone", "as_of"),
    [("America/New_York", date(2026, 2, 27)), ("Asia/Kathmandu", date(2026, 2, 28))],
)
@pytest.mark.usefixtures("nothing_refreshed")
def test_the_as_of_day_is_the_last_complete_day_of_the_reporting_zone(timezone: str, as_of: date) -> None:
    assert Settings.from_environment({"CONTACT_TIMEZONE": timezone}, now=MIDNIGHT).as_of == as_of


@pytest.mark.parametrize(
    ("timezone", "as_of", "ends_at"),
    [
        ("UTC", date(2026, 1, 31), datetime(2026, 2, 1)),
        ("America/New_York", date(2026, 3, 7), datetime(2026, 3, 8, 5)),
        # Clocks go back from 01:00 to 00:00 on 25 October: the day begins with the first midnight.
        ("Atlantic/Azores", date(2026, 10, 24), datetime(2026, 10, 25)),
        # On 5 September 2027 clocks go from 00:00 to 01:00, so the day has no midnight.
        ("America/Santiago", date(2027, 9, 4), datetime(2027, 9, 5, 4)),
    ],
)
def test_the_as_of_day_ends_when_the_next_one_begins(timezone: str, as_of: date, ends_at: datetime) -> None:
    assert Settings(Path("data"), timezone, as_of, "USD").as_of_ends_at == ends_at


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONTACT_TIMEZONE", "Mars/Olympus"),
        ("CONTACT_TIMEZONE", "../../etc/passwd"),
        ("CONTACT_TIMEZONE", "x'; drop table y"),
        ("CONTACT_TIMEZONE", "right/Europe/Paris"),
        ("CONTACT_TIMEZONE", "posix/Europe/Paris"),
        ("CONTACT_TIMEZONE", "Factory"),
        ("CONTACT_TIMEZONE", "2"),
        ("CONTACT_AS_OF", "31.01.2026"),
        ("CONTACT_AS_OF", "2026-02-30"),
        ("CONTACT_AS_OF", "1999-12-31"),
        ("CONTACT_DATA_DIR", "/data#1"),
        ("CONTACT_DATA_DIR", "/data%20"),
        ("CONTACT_DATA_DIR", "~no-such-user/data"),
        ("CONTACT_TIMEZONE", "localtime"),
        ("CONTACT_CURRENCY", "dollars"),
        ("CONTACT_CURRENCY", "usd"),
        ("CONTACT_MEMORY_LIMIT", "much"),
        ("CONTACT_MEMORY_LIMIT", "0GB"),
        ("CONTACT_MEMORY_LIMIT", "3"),
        ("CONTACT_AS_OF", "1"),
        ("CONTACT_CURRENCY", "978"),
        ("CONTACT_ENGINE", "Spark"),
        ("CONTACT_SPARK_MASTER", "127.0.0.1:7077"),
        ("CONTACT_SPARK_MASTER", "spark://"),
        ("CONTACT_SPARK_THRIFT", "10000"),
        ("CONTACT_SPARK_THRIFT", "host:10000/path"),
    ],
)
@pytest.mark.usefixtures("nothing_refreshed")
def test_a_setting_that_cannot_be_used_is_named_with_its_value(variable: str, value: str) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.from_environment({variable: value})

    assert variable in str(raised.value)
    assert value in str(raised.value)


@pytest.mark.parametrize("variable", ["CONTACT_LANDING", "CONTACT_PUBLISH_TO"])
@pytest.mark.parametrize(
    "value",
    [
        *(
            "bucket/folder",
            "https://bucket/folder",
            "s3://",
            "s3:///folder",
            "file://host/folder",
            "file:///",
        ),
        *("s3://user:SECRET@bucket/folder", "az://container/folder?sig=SECRET", "gs://bucket/a b"),
    ],
)
@pytest.mark.usefixtures("nothing_refreshed")
def test_a_url_with_a_password_is_refused_and_not_repeated(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=variable) as raised:
        Settings.from_environment({variable: value})

    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("url", ["s3://bucket", "gs://bucket/a/b", "az://container/a", "file:///mnt/a"])
@pytest.mark.usefixtures("nothing_refreshed")
def test_a_folder_in_object_storage_is_named_by_its_url(url: str) -> None:
    settings = Settings.from_environment({"CONTACT_LANDING": url, "CONTACT_PUBLISH_TO": f"{url}/copies/"})

    assert (settings.landing_url, settings.copies_url) == (url, f"{url}/copies")


def test_settings_survive_the_way_through_the_environment(tmp_path: Path) -> None:
    settings = Settings(
        *(tmp_path, "Asia/Kathmandu", date(2026, 1, 31), "EUR", "500MB"),
        *(Engine.SPARK, "spark://127.0.0.1:7077", "127.0.0.1:10000"),
        landing_url="s3://bucket/folder",
        copies_url="file:///mnt/copies",
    )

    assert Settings.from_environment(settings.as_environment()) == settings


def test_the_version_is_the_same_wherever_it_is_stated() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    dbt_project = yaml.safe_load((REPOSITORY / "dbt_project" / "dbt_project.yml").read_text())

    assert dbt_project["vars"]["software_version"] == project["project"]["version"]


@pytest.mark.parametrize(
    ("landing", "copies"),
    [("s3://b/x", "s3://b/x/orders"), ("s3://b", "s3://b/messages/reports/")],
)
def test_what_is_published_cannot_land(landing: str, copies: str) -> None:
    with pytest.raises(SettingsError, match="which is where files land"):
        Settings.from_environment({"CONTACT_LANDING": landing, "CONTACT_PUBLISH_TO": copies})


def test_versions_may_be_copied_beside_what_lands() -> None:
    copies = "s3://b/orders_by_day"
    settings = Settings.from_environment({"CONTACT_LANDING": "s3://b", "CONTACT_PUBLISH_TO": copies})

    assert (settings.landing_url, settings.copies_url) == ("s3://b", copies)


@pytest.mark.parametrize(
    "address",
    [
        "mysql://owner:secret@host/reports",
        "postgresql://owner:secret@host",
        "host=secret dbname=reports",
        "secret",
    ],
)
def test_what_is_no_address_of_a_database_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(SettingsError, match="CONTACT_POSTGRES is no address") as refused:
        Settings.from_environment({"CONTACT_POSTGRES": address})

    assert "secret" not in str(refused.value)


def test_the_address_of_a_database_is_handed_on_and_never_shown() -> None:
    address = "postgresql://owner:secret@host:5432/reports?sslmode=require"

    settings = Settings.from_environment({"CONTACT_POSTGRES": f" {address} "})

    assert settings.postgres_url == settings.as_environment()["CONTACT_POSTGRES"] == address
    assert "secret" not in repr(settings)
