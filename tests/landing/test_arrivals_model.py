"""The rules of section 2.1 of the contract by example, and what holds for every history: by the model alone.

The product is held against the model in test_arrivals.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.arrivals import (
    UNREADABLE,
    Move,
    Remove,
    Retract,
    Step,
    Write,
    carry_out,
    csv_of,
    history,
    make_folders,
)
from support.arrivals_model import ArrivalsModel, LandingAwayError, PathState
from support.oracle import Order

FILE = "orders/o.csv"
OTHER = "orders/other.csv"


class Hub:
    """A landing folder, and the model of what is loaded from it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.landing = folder / "landing"
        make_folders(self.landing)
        self.model = ArrivalsModel(self.landing, **settings)

    def take(self, *steps: Step) -> None:
        """Carry out steps; what is retracted moves out of the landing folder."""
        for step in steps:
            if not isinstance(step, Retract):
                carry_out(step, self.landing)
                continue
            for path in self.model.retract(step.path):
                (self.landing / path).unlink()

    def refresh(self, *steps: Step) -> None:
        """Carry out steps, then refresh."""
        self.take(*steps)
        self.model.refresh()

    def land(self, *orders: str, path: str = FILE) -> None:
        """Land a CSV of orders, then refresh; see :func:`csv_of`."""
        self.refresh(Write(path, csv_of(*orders)))

    def rows(self, path: str = FILE) -> list[str]:
        """The rows that count at a path, as :func:`csv_of` takes them, sorted; rejected ones with a ``!``."""
        state = self.state(path)
        orders = [order for order in state.accepted if isinstance(order, Order)]
        assert len(orders) == len(state.accepted)
        accepted = [f"{order.order_id} v{order.updated_at.day} {order.order_value}" for order in orders]
        return sorted(accepted) + sorted("!" + dict(raw)["order_id"] for raw in state.rejected)

    def state(self, path: str = FILE) -> PathState:
        """What the record holds of a path."""
        return self.model.paths[path]

    def value(self, order_id: str) -> str:
        """The value of an order, as the published file has it."""
        (order,) = (one for one in self.model.latest("orders") if one.key == order_id)
        assert isinstance(order, Order)
        return str(order.order_value)


@pytest.fixture
def hub(tmp_path: Path) -> Hub:
    return Hub(tmp_path)


# Rule 1: identity.


def test_a_copy_has_a_record_of_its_own_and_its_rows_count_once(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o1 v1 10.00", path=OTHER)

    assert {path: state.rows_landed for path, state in hub.model.paths.items()} == {FILE: 1, OTHER: 1}
    assert len(hub.model.latest("orders")) == 1


# Rule 3: changed, and nothing is kept.


def test_a_file_that_grew_has_its_new_rows(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o1 v1 10.00", "o2 v1 20.00")

    assert hub.rows() == ["o1 v1 10.00", "o2 v1 20.00"]
    assert hub.state().rows_kept == 0


def test_a_line_that_was_read_half_is_gone_when_it_is_whole(hub: Hub) -> None:
    hub.refresh(Write(FILE, csv_of("o1 v1 600.50").removesuffix(b"0.50\n")))
    assert hub.rows() == ["o1 v1 60.00"]

    hub.land("o1 v1 600.50")
    assert hub.rows() == ["o1 v1 600.50"]


@pytest.mark.parametrize("block", [b"", b"\0" * 8], ids=["no block", "preallocated block"])
def test_an_order_that_nobody_placed_is_gone_when_its_id_is_whole(hub: Hub, block: bytes) -> None:
    whole = b"ordered_at,sales_channel,order_value,order_id\n2026-01-01,online,10.00,o12\n"
    hub.refresh(Write(FILE, whole.removesuffix(b"2\n") + block))
    assert len(hub.state().accepted) == 1

    hub.refresh(Write(FILE, whole))
    assert hub.rows() == ["o12 v1 10.00"]


def test_a_preallocated_block_is_filled(hub: Hub) -> None:
    hub.refresh(Write(FILE, csv_of("o1 v1 10.00") + b"\0" * 64))
    assert len(hub.state().rejected) == 1

    hub.refresh(Write(FILE, csv_of("o1 v1 10.00", "o2 v1 20.00") + b"\0" * 32))
    hub.land("o1 v1 10.00", "o2 v1 20.00")
    assert hub.rows() == ["o1 v1 10.00", "o2 v1 20.00"]


def test_a_dump_that_was_read_half_counts_as_if_it_had_been_read_whole(hub: Hub) -> None:
    hub.land("o1 v9 10.00", "o2 v9 20.00")
    hub.land("o1 v3 11.00")
    assert hub.rows() == ["o1 v3 11.00", "o1 v9 10.00", "o2 v9 20.00"]

    hub.land("o1 v3 11.00", "o2 v3 21.00")
    assert hub.rows() == ["o1 v3 11.00", "o2 v3 21.00"]


def test_a_file_renamed_to_another_format_has_not_moved(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Move(FILE, "orders/o.parquet"))

    assert (hub.state().status, hub.rows()) == ("left", ["o1 v1 10.00"])


def test_a_dump_with_every_former_id_counts_alone_whatever_its_versions(hub: Hub) -> None:
    hub.land("o1 v9 10.00", "o2 v9 20.00")
    hub.land("o1 v3 11.00", "o2 v9 20.00", "o3 v1 30.00")

    assert hub.rows() == ["o1 v3 11.00", "o2 v9 20.00", "o3 v1 30.00"]
    assert hub.value("o1") == "11.00"


def test_a_file_that_moved_leaves_nothing_behind(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Move(FILE, OTHER))

    assert FILE not in hub.model.paths
    assert hub.rows(OTHER) == ["o1 v1 10.00"]


def test_a_file_that_was_rotated_leaves_nothing_behind(hub: Hub) -> None:
    hub.land("o1 v9 10.00")
    hub.refresh(Move(FILE, "orders/o.1.csv"), Write(FILE, csv_of("o1 v2 11.00")))

    assert (hub.rows(), hub.rows("orders/o.1.csv")) == (["o1 v2 11.00"], ["o1 v9 10.00"])
    assert hub.value("o1") == "10.00"


# Rule 4: changed otherwise, or left.


def test_rows_that_do_not_come_again_are_kept(hub: Hub) -> None:
    hub.land("o1 v1 10.00", "o2 v1 20.00")
    hub.land("o2 v2 21.00", "o3 v1 30.00")

    assert hub.rows() == ["o1 v1 10.00", "o2 v2 21.00", "o3 v1 30.00"]
    assert hub.state().rows_kept == 1


def test_a_row_whose_id_is_repeated_in_an_older_version_is_kept(hub: Hub) -> None:
    hub.land("o1 v5 10.00", "o2 v5 20.00")
    hub.land("o2 v4 19.00")

    assert hub.rows() == ["o1 v5 10.00", "o2 v4 19.00", "o2 v5 20.00"]
    assert hub.value("o2") == "20.00"


def test_a_rejected_row_takes_no_place(hub: Hub) -> None:
    hub.land("o1 v1 10.00", "o2 v1 20.00")
    hub.land("o1 v1 10.00", "o2 v2 ?")

    assert hub.rows() == ["o1 v1 10.00", "o2 v1 20.00", "!o2"]
    assert hub.state().rows_kept == 1


def test_rejected_rows_are_kept_until_their_text_is_repeated(hub: Hub) -> None:
    hub.land("o1 v1 10.00", "o2 v1 ?", "o3 v1 ?")
    hub.land("o4 v1 40.00", "o3 v1 ?")
    assert hub.rows() == ["o1 v1 10.00", "o4 v1 40.00", "!o2", "!o3"]

    hub.land("o4 v1 40.00", "o2 v1 ?", "o3 v1 ?")
    assert hub.rows() == ["o1 v1 10.00", "o4 v1 40.00", "!o2", "!o3"]
    assert hub.state().rows_kept == 1


def test_a_kept_row_leaves_when_its_id_is_repeated(hub: Hub) -> None:
    hub.land("o1 v5 10.00")
    hub.land("o2 v1 20.00")
    hub.land("o1 v4 9.00", "o2 v1 20.00")
    assert hub.rows() == ["o1 v4 9.00", "o1 v5 10.00", "o2 v1 20.00"]

    hub.land("o1 v5 11.00", "o1 v4 9.00", "o2 v1 20.00")
    assert hub.rows() == ["o1 v4 9.00", "o1 v5 11.00", "o2 v1 20.00"]


def test_the_landing_folder_may_be_emptied_at_will(hub: Hub) -> None:
    hub.land("o1 v1 10.00", "o2 v1 ?")
    hub.refresh(Remove(FILE))

    assert (hub.state().status, hub.rows(), hub.state().rows_kept) == ("left", ["o1 v1 10.00", "!o2"], 2)


def test_a_file_that_comes_back_after_a_refresh_is_as_if_it_had_been_overwritten(hub: Hub) -> None:
    hub.land("o1 v9 10.00", "o2 v9 20.00")
    hub.refresh(Remove(FILE))
    hub.land("o1 v3 11.00", "o2 v3 21.00")
    assert hub.rows() == ["o1 v3 11.00", "o2 v3 21.00"]

    hub.refresh(Remove(FILE))
    hub.land("o3 v1 30.00")
    assert hub.rows() == ["o1 v3 11.00", "o2 v3 21.00", "o3 v1 30.00"]


# Rule 5: what is declared of files that are overwritten.


@pytest.fixture
def replacing(tmp_path: Path) -> Hub:
    return Hub(tmp_path, overwritten={"orders/o*.csv": "replaces"})


def test_a_file_that_replaces_keeps_nothing_of_what_it_was(replacing: Hub) -> None:
    replacing.land("o1 v1 10.00", "o2 v1 ?")
    replacing.land("o3 v1 30.00")

    assert replacing.rows() == ["o3 v1 30.00"]
    assert replacing.model.dropped == 2


def test_files_that_leave_are_kept_even_where_files_replace(replacing: Hub) -> None:
    replacing.land("o1 v1 10.00")
    replacing.refresh(Remove(FILE))

    assert replacing.rows() == ["o1 v1 10.00"]


def test_declaring_that_files_replace_drops_what_was_kept_of_changed_ones(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o2 v1 20.00")
    hub.land("o3 v1 30.00", path=OTHER)
    hub.refresh(Remove(OTHER))
    hub.model.overwritten = {"orders/*": "replaces"}
    hub.model.refresh()

    assert (hub.rows(), hub.rows(OTHER)) == (["o2 v1 20.00"], ["o3 v1 30.00"])
    assert hub.model.dropped == 1


def _numbered(numbers: range) -> list[str]:
    return [f"o{number} v1 1.00" for number in numbers]


def test_many_ids_left_behind_hold_publishing_back_until_it_is_declared(hub: Hub) -> None:
    hub.land(*_numbered(range(1000)))
    hub.land(*_numbered(range(300, 1300)))
    assert hub.model.held_back == [FILE]
    assert hub.state().rows_kept == 300

    hub.model.overwritten = {"orders/o*.csv": "adds"}
    assert hub.model.held_back == []


def test_ids_that_lie_in_another_landed_file_are_not_left_behind(hub: Hub) -> None:
    hub.land(*_numbered(range(300)), path=OTHER)
    hub.land(*_numbered(range(1000)))
    hub.land(*_numbered(range(300, 1300)))

    assert hub.model.held_back == []


@pytest.mark.parametrize(
    ("former", "now"),
    [(range(1000), range(50, 1000)), (range(9000), range(400, 9000))],
    ids=["few", "low share"],
)
def test_few_ids_or_a_low_share_left_behind_hold_nothing_back(hub: Hub, former: range, now: range) -> None:
    hub.land(*_numbered(former))
    hub.land(*_numbered(now))

    assert hub.model.held_back == []


# Rule 6: unreadable, or away.


@pytest.mark.parametrize("content", [b"", UNREADABLE], ids=["zero bytes", "no column"])
def test_unreadable_content_leaves_the_former_rows_in_force(hub: Hub, content: bytes) -> None:
    hub.land("o1 v9 10.00", "o2 v1 ?")
    hub.refresh(Write(FILE, content))
    assert (hub.state().status, hub.rows(), hub.state().rows_kept) == ("failed", ["o1 v9 10.00", "!o2"], 2)

    hub.land("o1 v3 11.00", "o3 v1 30.00")
    assert (hub.state().status, hub.rows()) == ("loaded", ["o1 v3 11.00", "o3 v1 30.00"])


def test_unreadable_content_that_is_deleted_leaves_the_former_rows_in_force(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Write(FILE, b""))
    hub.refresh(Remove(FILE))

    assert (hub.state().status, hub.rows()) == ("left", ["o1 v1 10.00"])


def test_a_landing_folder_that_is_away_is_an_error_and_nothing_is_gone(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    before = hub.model.paths
    hub.landing.rename(hub.landing.with_name("away"))

    for command in (hub.model.refresh, hub.model.rebuild):
        with pytest.raises(LandingAwayError):
            command()
    assert hub.model.paths == before


def test_landing_folders_that_are_there_and_empty_have_lost_their_files(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Remove(FILE))

    assert hub.state().status == "left"


# Rule 7: retracted.


def test_a_retracted_file_goes_with_its_copies_and_all_that_is_kept_of_it(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o1 v1 10.00", path=OTHER)
    hub.land("o1 v1 10.00", path="orders/third.csv")
    hub.land("o2 v1 20.00", path=OTHER)
    hub.refresh(Remove("orders/third.csv"), Remove(FILE))
    hub.land("o1 v1 10.00")
    hub.land("o1 v1 10.00", path="orders/fourth.csv")
    hub.refresh(Retract(FILE))

    statuses = {path: state.status for path, state in hub.model.paths.items()}
    assert statuses == {FILE: "retracted", "orders/fourth.csv": "retracted", OTHER: "loaded"}
    assert [order.key for order in hub.model.latest("orders")] == ["o2"]


def test_what_is_kept_of_other_content_outlives_a_retraction(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o2 v1 20.00")
    hub.refresh(Retract(FILE))

    assert (hub.state().status, hub.rows()) == ("left", ["o1 v1 10.00"])


def test_a_retracted_file_that_lands_again_is_loaded_again(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Retract(FILE))
    assert hub.state().status == "retracted"

    hub.land("o1 v1 10.00")
    assert (hub.state().status, hub.rows()) == ("loaded", ["o1 v1 10.00"])


def test_a_file_that_cannot_be_read_is_retracted_with_its_former_rows(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Write(FILE, b""))
    hub.refresh(Retract(FILE))

    assert (hub.state().status, hub.rows()) == ("retracted", [])
    assert not (hub.landing / FILE).exists()


def test_a_path_of_which_only_rows_of_other_content_are_kept_can_be_retracted(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.land("o2 v1 20.00")
    hub.refresh(Move(FILE, OTHER))
    hub.refresh(Retract(FILE))

    assert {path: hub.rows(path) for path in hub.model.paths} == {OTHER: ["o2 v1 20.00"]}


def test_a_file_that_left_can_be_retracted(hub: Hub) -> None:
    hub.land("o1 v1 10.00")
    hub.refresh(Remove(FILE))
    hub.refresh(Retract(FILE))

    assert hub.model.paths == {}


# Which version wins.


def test_equal_versions_are_broken_by_content(hub: Hub) -> None:
    fields = "order_id,ordered_at,sales_channel,status,order_value,refunded_value\n"
    rows = ["o1,2026-01-01,online,placed,90.00,50.00", "o1,2026-01-01,online,cancelled,10.00,0"]
    rows += ["o2,2026-01-01,online,placed,90.00,0", "o2,2026-01-01,online,placed,80.00,1.00"]
    rows += ["o3,2026-01-01,online,placed,80.00,0", "o3,2026-01-01,online,placed,90.00,0"]
    hub.refresh(Write(FILE, (fields + "\n".join(rows) + "\n").encode()))
    fields = "message_id,customer_id,occurred_at,status\n"
    sent = "m1,c1,2026-01-01,sent\nm1,c1,2026-01-01,skipped\n"
    hub.refresh(Write("messages/m.csv", (fields + sent).encode()))

    assert [hub.value(id_) for id_ in ("o1", "o2", "o3")] == ["10.00", "80.00", "90.00"]
    assert [message.status for message in hub.model.latest("messages")] == ["sent"]


# What holds for every history, by the model alone.

HISTORIES = 100
MOVES = ("move", "hide", "rotate", "swap", "copy", "retract")

Known = tuple[object, ...]


def _hubs(folder: Path, seed: int, count: int, **settings: Any) -> list[Hub]:
    return [Hub(folder / f"{seed}-{number}", **settings) for number in range(count)]


def _known(hub: Hub) -> Known:
    """All that decides what happens to the hub from here on."""
    return hub.model.paths, hub.model.former, hub.model.files.retracted


def test_a_refresh_and_a_rebuild_read_the_same(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        refreshed, rebuilt, now_and_then = _hubs(tmp_path, seed, 3, overwritten={"orders/**": "replaces"})
        for number, batch in enumerate(history(seed)):
            for hub in (refreshed, rebuilt, now_and_then):
                hub.take(*batch)
            refreshed.model.refresh()
            rebuilt.model.rebuild()
            now_and_then.model.rebuild() if (seed + number) % 3 else now_and_then.model.refresh()
            assert _known(refreshed) == _known(rebuilt) == _known(now_and_then), f"seed {seed}"


def test_a_refresh_without_anything_new_changes_nothing(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        (hub,) = _hubs(tmp_path, seed, 1)
        for batch in history(seed):
            hub.refresh(*batch)
            before = _known(hub)
            hub.model.refresh()
            assert _known(hub) == before, f"seed {seed}"


def test_a_killed_refresh_leaves_nothing_behind(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        undisturbed, killed = _hubs(tmp_path, seed, 2)
        for batch in history(seed):
            for step in batch:
                undisturbed.take(step)
                killed.take(step)
                # Between any two steps, so that the next refresh finds other content than the killed one did.
                killed.model.refresh(killed=True)
            undisturbed.model.refresh()
            killed.model.refresh()
            assert _known(killed) == _known(undisturbed), f"seed {seed}"


def test_what_happens_to_some_files_is_nothing_to_others(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        first, second, both = _hubs(tmp_path, seed, 3)
        for one, two in zip(history(seed, "one"), history(seed, "two"), strict=True):
            first.refresh(*one)
            second.refresh(*two)
            both.refresh(*one, *two)
            assert both.model.paths == first.model.paths | second.model.paths, f"seed {seed}"


def test_emptying_the_landing_folder_between_refreshes_changes_nothing(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        full, emptied = _hubs(tmp_path, seed, 2)
        for batch in history(seed, without=MOVES):
            full.refresh(*batch)
            landed = emptied.model.files.landed
            emptied.refresh(*map(Remove, landed))
            emptied.refresh(*(Write(path, content.data) for path, content in landed.items()), *batch)
            assert _known(emptied) == _known(full), f"seed {seed}"


def test_no_id_is_lost_that_is_not_retracted(tmp_path: Path) -> None:
    for seed in range(HISTORIES):
        (hub,) = _hubs(tmp_path, seed, 1)
        known: set[str] = set()
        for batch in history(seed, without=("retract", "cut", "preallocate")):
            hub.refresh(*batch)
            ids = {event.key for entity in ("messages", "orders") for event in hub.model.latest(entity)}
            assert known <= ids, f"seed {seed}"
            known = ids
