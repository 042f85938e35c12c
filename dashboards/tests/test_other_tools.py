"""The published file in other tools than the dashboard."""

from __future__ import annotations

import duckdb
import pandas as pd
import sqlalchemy
from serving import Dashboard

QUESTION = "select period, messages_sent, revenue_generated from mart_overview order by period"


def test_pandas_and_a_sqlalchemy_client_give_the_same_figures(dashboard: Dashboard) -> None:
    with duckdb.connect(str(dashboard.published), read_only=True) as connection:
        expected = connection.execute(QUESTION).fetchall()
        frame = connection.execute(QUESTION).df()
    engine = sqlalchemy.create_engine(
        f"duckdb:///{dashboard.published}",
        connect_args={"read_only": True},
        poolclass=sqlalchemy.pool.NullPool,
    )
    with engine.connect() as client:
        asked = [tuple(row) for row in client.execute(sqlalchemy.text(QUESTION))]
        tables = sqlalchemy.inspect(engine).get_table_names()
        read = pd.read_sql(QUESTION, client)

    assert asked == expected
    assert len(expected) == 5
    assert "mart_overview" in tables
    assert list(frame["messages_sent"]) == list(read["messages_sent"]) == [row[1] for row in expected]
