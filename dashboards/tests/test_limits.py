"""How long a query runs, and how many requests for data are served at a time."""

from __future__ import annotations

import threading
import time

import pytest
from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from dashboards.limits import RequestsForData, limit_queries, limit_requests

ENDLESS = "select count(*) from range(100000000) as a, range(100000000) as b where a.range + b.range = -1"


def test_a_query_ends_when_its_time_is_over() -> None:
    engine = create_engine("duckdb:///:memory:", poolclass=NullPool)
    limit_queries(engine.pool, seconds=0.5)
    started = time.monotonic()

    with engine.connect() as connection, pytest.raises(Exception, match=r"(?i)interrupt"):
        connection.exec_driver_sql(ENDLESS).fetchall()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("select 1").fetchall() == [(1,)]

    assert time.monotonic() - started < 20
    # Nothing waits for connections that are closed.
    engine.dispose()
    time.sleep(0.2)
    assert "_interrupt" not in str(threading.enumerate())


def test_one_user_leaves_room_for_others() -> None:
    at_work = RequestsForData(most=3, most_by_a_user=2)

    assert [at_work.begin("one") for _ in range(3)] == [True, True, False]
    assert at_work.begin("two")
    assert not at_work.begin("three")  # as many as there may be in all
    at_work.end("one")
    assert at_work.begin("three")


def test_requests_beyond_the_limit_are_answered_at_once_and_others_served() -> None:
    application = Flask(__name__)
    application.secret_key = "test"
    limit_requests(application, RequestsForData(most=3, most_by_a_user=1))
    asked, finish = threading.Event(), threading.Event()

    @application.post("/api/v1/chart/data")
    def data() -> str:
        asked.set()
        assert finish.wait(30)
        return "figures"

    @application.get("/login/")
    def login() -> str:
        return "page"

    def ask(user: str) -> int:
        return (
            application.test_client().post("/api/v1/chart/data", headers={"Authorization": user}).status_code
        )

    answers: list[int] = []
    slow = threading.Thread(target=lambda: answers.append(ask("one")))
    slow.start()
    assert asked.wait(30)
    assert ask("one") == 429
    assert application.test_client().get("/login/").status_code == 200
    finish.set()
    slow.join(30)
    assert answers == [200]
    assert ask("one") == 200
