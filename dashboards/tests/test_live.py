"""What is published while the dashboard is open shows in it; nobody who looks is in the way."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from pathlib import Path

from serving import Dashboard, refresh

from dashboards.days import say_day

MESSAGE = "message_id,customer_id,queue_id,user_id,status,occurred_at\n"


def test_new_data_shows_without_a_restart_while_somebody_looks(
    dashboard: Dashboard, hub: dict[str, str]
) -> None:
    manager = dashboard.signed_in("manager")
    number = manager.datasets()["overview"]
    yesterday = date.today() - timedelta(days=1)

    def messages_sent() -> int:
        answer = manager.ask(
            number,
            [],
            ["messages_sent"],
            [
                {"col": "from_day", "op": "IN", "val": [say_day(yesterday)]},
                {"col": "to_day", "op": "IN", "val": [say_day(yesterday)]},
            ],
        )
        assert answer.ok, answer.text
        return answer.json()["result"][0]["data"][0]["messages_sent"]

    before = messages_sent()
    landed = Path(hub["CONTACT_DATA_DIR"]) / "landing" / "messages" / "live.csv"
    landed.write_text(f"{MESSAGE}live-1,live-customer,live-queue,live-user,sent,{yesterday}T12:00:00Z\n")
    ended = threading.Event()
    failures: list[BaseException] = []

    def look() -> None:
        while not ended.is_set():
            try:
                assert messages_sent() in (before, before + 1)
            except BaseException as error:
                failures.append(error)
                return

    looking = threading.Thread(target=look)
    looking.start()
    try:
        refresh(hub, "run")
    finally:
        ended.set()
        looking.join()

    assert not failures
    assert messages_sent() == before + 1
