"""Superset's own database made ready: tables, the reports, roles, and users for a trial.

Belongs here: what needs Superset at work. Does not belong here: the reports (reports.py), starting the server
(cli.py). Everything may be done again: it updates what changed, and keeps users and what they were given.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashboards.reports import DATABASE, SLUG

MANAGER = "Contact: Manager"

OWNER = "contact-reports"

# Named in the product; shown in Superset's list of permissions.
PERMISSION = ("can_manage", "Contact")

# Of these nobody is a manager.
ROLES_OF_SUPERSET = ("Alpha", "Gamma", "Public", "sql_lab")

# What somebody who only reads a dashboard does.
READING = (
    ("can_read", "Dashboard"),
    ("can_read", "Chart"),
    ("can_read", "Dataset"),
    ("can_read", "Database"),
    ("can_read", "CurrentUserRestApi"),
    ("can_read", "DashboardFilterStateRestApi"),
    ("can_write", "DashboardFilterStateRestApi"),
    ("can_read", "DashboardPermalinkRestApi"),
    ("can_write", "DashboardPermalinkRestApi"),
    ("can_read", "AdvancedDataType"),
    ("can_dashboard", "Superset"),
    ("can_log", "Superset"),
    ("can_recent_activity", "Log"),
    ("can_csv", "Superset"),
    ("can_time_range", "Api"),
    ("can_read", "SecurityRestApi"),
    ("can_view_chart_as_table", "Dashboard"),
    ("can_get", "MenuApi"),
    ("menu_access", "Dashboards"),
    ("can_userinfo", "UserDBModelView"),
    ("resetmypassword", "UserDBModelView"),
    ("can_this_form_get", "ResetMyPasswordView"),
    ("can_this_form_post", "ResetMyPasswordView"),
)


def provision(assets: Path) -> dict[str, str]:
    """Make Superset's database ready.

    Args:
        assets: the folder of the assets to import.

    Returns:
        Users made for a trial, and their passwords, of which Superset keeps only hashes; empty when there are
        users already, or an identity provider signs them in.
    """
    from superset.app import create_app

    application = create_app()
    with application.app_context():
        from flask_appbuilder.const import AUTH_DB
        from flask_migrate import upgrade
        from superset import appbuilder, security_manager

        upgrade()
        appbuilder.add_permissions(update_perms=True)
        security_manager.sync_role_definitions()
        _import(assets)
        _owner().active = False
        _give_rights()
        others = [user for user in security_manager.get_all_users() if user.username != OWNER]
        if application.config["AUTH_TYPE"] != AUTH_DB or others:
            return {}
        return dict(_add_trial_users())


def _import(assets: Path) -> None:
    from superset.commands.importers.v1.assets import ImportAssetsCommand
    from superset.utils.core import override_user

    contents = {
        str(file.relative_to(assets)): file.read_text(encoding="utf-8")
        for file in sorted(assets.rglob("*.yaml"))
    }
    with override_user(_owner()):
        ImportAssetsCommand(contents).run()


def _owner() -> Any:
    """The user to whom what is imported belongs. Nobody can sign in as this one."""
    from superset import security_manager

    return security_manager.find_user(OWNER) or security_manager.add_user(
        OWNER,
        "Contact",
        "Reports",
        f"{OWNER}@example.com",
        security_manager.find_role("Admin"),
        secrets.token_urlsafe(48),
    )


def _give_rights() -> None:
    """The role of those who may see the reports: their datasets, their dashboard, and reading as such."""
    from superset import db, security_manager
    from superset.connectors.sqla.models import SqlaTable
    from superset.models.core import Database
    from superset.models.dashboard import Dashboard

    role = security_manager.add_role(MANAGER)
    database = db.session.query(Database).filter_by(database_name=DATABASE).one()
    datasets = db.session.query(SqlaTable).filter_by(database_id=database.id).all()
    wanted = [
        *READING,
        PERMISSION,
        *(("datasource_access", dataset.perm) for dataset in datasets),
    ]
    role.permissions = [security_manager.add_permission_view_menu(name, of) for name, of in wanted]
    dashboard = db.session.query(Dashboard).filter_by(slug=SLUG).one()
    dashboard.roles = [role]
    _take_from_roles_of_superset(security_manager.find_permission_view_menu(*PERMISSION))
    db.session.commit()


def _take_from_roles_of_superset(permission: Any) -> None:
    """Each start gives Superset's own roles whatever permission Superset does not know, ours among them."""
    from superset import security_manager

    for name in ROLES_OF_SUPERSET:
        role = security_manager.find_role(name)
        if role and permission in role.permissions:
            role.permissions.remove(permission)


def _add_trial_users() -> Iterator[tuple[str, str]]:
    from superset import security_manager

    for name, role in (("admin", "Admin"), ("manager", MANAGER)):
        password = secrets.token_urlsafe(12)
        security_manager.add_user(
            name,
            name.capitalize(),
            "Trial",
            f"{name}@example.com",
            security_manager.find_role(role),
            password,
        )
        yield name, password
