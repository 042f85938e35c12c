"""Superset's pages as the readers of the reports see them: in our words, and the reports first.

Belongs here: what a page says and where it leads. Does not belong here: who may see it (access.py), the words
(words.py).
"""

from __future__ import annotations

import io
import json
import mimetypes
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request
from flask_login import current_user
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.wrappers import Response as BaseResponse

from dashboards import words
from dashboards.provision import MANAGER
from dashboards.reports import ADDRESS, SLUG, TITLE, TITLES_OF_CHARTS

# Superset's pages ask for other words than those in their code only in a language that is not plain English.
LOCALE = "en_GB"

# Superset includes the templates of these names in its pages, and leaves them empty.
TEMPLATES = Path(__file__).with_name("templates")


def include_our_script(application: Flask) -> None:
    """Put our templates before those of Superset."""
    loaders = (FileSystemLoader(TEMPLATES), application.jinja_loader)
    application.jinja_loader = ChoiceLoader([loader for loader in loaders if loader])


def use_our_words(application: Flask) -> None:
    """Answer the pages that ask for the words of our language with ours."""

    @application.before_request
    def language_pack() -> Response | None:
        is_ours = request.endpoint == "Superset.language_pack" and request.view_args == {"lang": LOCALE}
        return jsonify(words.language_pack()) if is_ours else None


def lead_to_the_reports(application: Flask) -> None:
    """Begin with the reports after a sign-in, and tell who may not see them whom to ask."""

    @application.before_request
    def lead() -> BaseResponse | None:
        if not current_user.is_authenticated:
            return None
        if request.endpoint == "Superset.welcome":
            return redirect(ADDRESS)
        if request.path.rstrip("/") == ADDRESS.rstrip("/") and not _may_see_the_reports():
            whom = application.config["CONTACT_ADMINISTRATOR"]
            return make_response(render_template("refused.html", whom=whom, role=MANAGER), 403)
        return None


def _may_see_the_reports() -> bool:
    from superset import db, security_manager
    from superset.exceptions import SupersetSecurityException
    from superset.models.dashboard import Dashboard

    try:
        security_manager.raise_for_access(dashboard=db.session.query(Dashboard).filter_by(slug=SLUG).one())
    except SupersetSecurityException:
        return False
    return True


def keep_sign_ins(application: Flask) -> None:
    """Take no record of what the page for signing in does.

    Superset refuses such a record of somebody who is not signed in yet, with a message in the session. Where
    that answer overtakes the one to the sign-in, its session replaces the new one, and nobody is signed in.
    """

    @application.before_request
    def take() -> Response | None:
        is_record = request.endpoint == "Superset.log"
        return make_response("", 204) if is_record and not current_user.is_authenticated else None


def name_downloads(application: Flask) -> None:
    """Call a file that is downloaded by its chart and its days, where Superset calls it by the time of day.

    A table with a total comes as a zip archive of two files, its rows and the total. Only the rows are handed
    over: one file, which a spreadsheet opens and adds up.
    """

    @application.after_request
    def name(response: Response) -> Response:
        kept = response.headers.get("Content-Disposition", "")
        if request.endpoint != "ChartDataRestApi.data" or not kept.startswith("attachment"):
            return response
        requested = request.get_json(silent=True) or json.loads(request.form["form_data"])
        ending = kept.rpartition(".")[2]
        if ending == "zip":
            with zipfile.ZipFile(io.BytesIO(response.get_data())) as archive:
                rows = archive.namelist()[0]
                response.set_data(archive.read(rows))
            ending = rows.rpartition(".")[2]
            if kind := mimetypes.guess_type(rows)[0]:
                response.mimetype = kind
        response.headers.set("Content-Disposition", "attachment", filename=f"{_name_of(requested)}.{ending}")
        return response


def _name_of(requested: Mapping[str, Any]) -> str:
    """The chart of a request for data, and its days."""
    from flask import current_app
    from superset import db
    from superset.models.slice import Slice

    number = (requested.get("form_data") or {}).get("slice_id")
    chart = db.session.get(Slice, number) if isinstance(number, int) else None
    title = chart.slice_name if chart and chart.slice_name in TITLES_OF_CHARTS else TITLE

    def chosen(column: str) -> list[str]:
        filters = requested["queries"][0].get("filters") or []
        lists = [given["val"] for given in filters if given["col"] == column]
        return [str(value) for values in lists if isinstance(values, list) for value in values]

    requested_days = current_app.config["JINJA_CONTEXT_ADDONS"]["requested_days"]
    days = requested_days(*(chosen(column) for column in ("period", "from_day", "to_day")))
    if days["first"] > days["last"]:
        return f"{title}, no days"
    return f"{title}, {days['first']} to {days['last']}"
