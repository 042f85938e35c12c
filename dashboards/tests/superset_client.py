"""Superset's API as a user of it sees it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import requests

SECONDS = 60


class Superset:
    """A session of one user.

    Args:
        address: where Superset is served.
        user: the user's name.
        password: the user's password.
    """

    def __init__(self, address: str, user: str, password: str) -> None:
        self._address = address
        self._session = requests.Session()
        answer = self._session.post(
            f"{address}/api/v1/security/login",
            json={"username": user, "password": password, "provider": "db"},
            timeout=SECONDS,
        )
        answer.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def get(self, path: str) -> requests.Response:
        """Ask for a page or a part of the API."""
        return self._session.get(f"{self._address}{path}", timeout=SECONDS, allow_redirects=False)

    def post(self, path: str, body: Mapping[str, Any]) -> requests.Response:
        """Send something to the API, with the token that it wants for changes."""
        token = self.get("/api/v1/security/csrf_token/").json()["result"]
        return self._session.post(
            f"{self._address}{path}",
            json=body,
            headers={"X-CSRFToken": token, "Referer": self._address},
            timeout=SECONDS,
        )

    def delete(self, path: str) -> requests.Response:
        """Remove something through the API."""
        token = self.get("/api/v1/security/csrf_token/").json()["result"]
        return self._session.delete(
            f"{self._address}{path}",
            headers={"X-CSRFToken": token, "Referer": self._address},
            timeout=SECONDS,
        )

    def add_user(self, name: str, role: str) -> str:
        """Add a user with a role; the password is the answer."""
        roles = self.get(f"/api/v1/security/roles/?q={json.dumps({'page_size': 100})}").json()
        (role_id,) = [found["id"] for found in roles["result"] if found["name"] == role]
        password = secrets.token_urlsafe(12)
        answer = self.post(
            "/api/v1/security/users/",
            {
                "username": name,
                "first_name": name,
                "last_name": "Test",
                "email": f"{name}@example.com",
                "active": True,
                "roles": [role_id],
                "password": password,
            },
        )
        assert answer.ok, answer.text
        return password

    def datasets(self) -> dict[str, int]:
        """The datasets that the user sees, and their numbers."""
        answer = self.get(f"/api/v1/dataset/?q={json.dumps({'page_size': 100})}")
        assert answer.ok, answer.text
        return {dataset["table_name"]: dataset["id"] for dataset in answer.json()["result"]}

    def ask(
        self,
        dataset: int,
        columns: Sequence[Any],
        metrics: Sequence[Any],
        filters: Sequence[Mapping[str, Any]],
        **further: Any,
    ) -> requests.Response:
        """What a chart asks: columns and metrics of a dataset, under filters, and more parts of a query."""
        return self.post(
            "/api/v1/chart/data",
            {
                "datasource": {"id": dataset, "type": "table"},
                "queries": [
                    {
                        "columns": columns,
                        "metrics": metrics,
                        "filters": filters,
                        "row_limit": 50_000,
                        "orderby": [],
                        **further,
                    }
                ],
                "result_format": "json",
                "result_type": "full",
            },
        )
