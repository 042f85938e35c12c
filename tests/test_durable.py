"""What takes the place of a file does so in one step, and is on the disk before and after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration import durable


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Each path that was handed over to the disk, with what the file held at that moment."""
    seen: list[tuple[str, str]] = []
    monkeypatch.setattr(
        durable, "sync", lambda path: seen.append((path.name, (path.parent / "file").read_text()))
    )
    return seen


def test_a_new_file_is_on_the_disk_before_it_takes_the_place_and_its_name_after_it(
    tmp_path: Path, synced: list[tuple[str, str]]
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file").write_text("old")
    (tmp_path / "file").write_text("of the folder above")

    with durable.replacing_file(folder / "file") as beside:
        beside.write_text("new")
        assert (folder / "file").read_text() == "old"

    assert (folder / "file").read_text() == "new"
    assert synced == [(beside.name, "old"), ("folder", "of the folder above")]
    assert [path.name for path in folder.iterdir()] == ["file"]


def test_a_new_file_that_was_not_written_whole_takes_no_place(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")

    def write_half() -> None:
        with durable.replacing_file(file) as beside:
            beside.write_text("ne")
            raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        write_half()

    assert file.read_text() == "old"


def test_a_link_is_pointed_elsewhere_whatever_a_killed_process_left(tmp_path: Path) -> None:
    link = tmp_path / "link"
    for version in ("one", "two"):
        (tmp_path / version).write_text(version)
        (tmp_path / ".link").unlink(missing_ok=True)
        (tmp_path / ".link").symlink_to("nowhere")
        durable.point_to(link, tmp_path / version)
        assert link.read_text() == version
        assert str(link.readlink()) == version
