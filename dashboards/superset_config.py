"""The configuration of Superset: where its data is, who may see what, and what stays switched off.

Belongs here: settings that Superset reads. Does not belong here: the reports (reports.py) and the roles
(provision.py). A file named by CONTACT_SUPERSET_CONFIG is read last, for what a company sets itself, such as
sign-in by its identity provider: see sign_in_by_identity_provider.py.
"""

import os
import runpy
from collections.abc import Mapping
from typing import Any

from flask import Flask

from dashboards import limits, pages
from dashboards.access import refuse_expressions, with_our_readers
from dashboards.connection import Database
from dashboards.currency import read_currency_symbol
from dashboards.days import read_requested_days
from dashboards.home import DashboardHome
from dashboards.reports import ADDRESS, TITLE
from dashboards.versions import read_requested_versions
from orchestration.settings import Settings

_settings = Settings.from_environment()
_home = DashboardHome.of(_settings)
_database = Database.of(_settings)

SECRET_KEY = _home.secret_key.read_text(encoding="utf-8")
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_home.database}"
DATA_DIR = str(_home.folder)

FEATURE_FLAGS = {
    # Who has a role of the dashboard sees it; who has not does not.
    "DASHBOARD_RBAC": True,
    # The datasets hand the filters over to the published table functions.
    "ENABLE_TEMPLATE_PROCESSING": True,
    # They write to disk or send what they read elsewhere.
    "ALERT_REPORTS": False,
    "THUMBNAILS": False,
}

# The datasets learn from it which days and which versions the filter bar requests.
JINJA_CONTEXT_ADDONS = {
    "requested_days": read_requested_days(_database),
    "requested_versions": read_requested_versions(_database),
    "currency_symbol": read_currency_symbol(_database),
    "dialect": _database.dialect,
}

# Nobody sees anything before signing in, and nobody makes an account for oneself.
PUBLIC_ROLE_LIKE = None

AUTH_USER_REGISTRATION = False

# Superset connects to what the reports are read from alone, however an admin enters a connection.
PREVENT_UNSAFE_DB_CONNECTIONS = True
DB_CONNECTION_MUTATOR = _database.only_here()
limits.limit_queries()

# A page asks again by itself for what there was no room for (limits.py), for about a minute in all.
SUPERSET_CLIENT_RETRY_STATUS_CODES = [429, 502, 503, 504]
SUPERSET_CLIENT_RETRY_ATTEMPTS = 8

# Failed sign-ins are limited by limits.py. Superset's own limit for all requests is below what a page loads.
RATELIMIT_ENABLED = True
RATELIMIT_APPLICATION = None
RATELIMIT_STORAGE_URI = "memory://"
AUTH_RATE_LIMITED = False


def FLASK_APP_MUTATOR(application: Flask) -> None:
    """What our own code adds to Superset's application."""
    refuse_expressions(application)
    limits.limit_requests(application)
    limits.limit_sign_ins(application)
    limits.refuse_pictures_of_pages(application)
    pages.use_our_words(application)
    pages.include_our_script(application)
    pages.lead_to_the_reports(application)
    pages.keep_sign_ins(application)
    pages.name_downloads(application)


def COMMON_BOOTSTRAP_OVERRIDES_FUNC(_bootstrap: Mapping[str, Any]) -> dict[str, str]:
    """What every page of Superset is told."""
    return {"locale": pages.LOCALE}


# The name of the pages, and where a click on the logo leads.
APP_NAME = TITLE
LOGO_TARGET_PATH = ADDRESS

# Whom somebody asks who may not see the reports: a name, or an address.
CONTACT_ADMINISTRATOR = "whoever administers this dashboard"

# Nothing is cached, so that charts show what was published last.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}

# Pages load nothing from elsewhere, and tell nobody else that they were opened.
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "object-src": "'none'",
        "script-src": ["'self'", "'strict-dynamic'"],
        "style-src": ["'self'", "'unsafe-inline'"],
        "worker-src": ["'self'", "blob:"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    # Behind a proxy that speaks HTTPS, set both in the file that CONTACT_SUPERSET_CONFIG names.
    "force_https": False,
    "session_cookie_secure": False,
}
WTF_CSRF_ENABLED = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# Text of users, in descriptions and words beside the charts, has no markup that runs.
HTML_SANITIZATION = True

# Counts are whole numbers in downloads too, where a chart has them beside nothing, as on days without a base.
CSV_EXPORT = {"encoding": "utf-8-sig", "float_format": "%.15g"}

LOG_LEVEL = "WARNING"
ROW_LIMIT = 50_000
BABEL_DEFAULT_LOCALE = "en"

if _own := os.environ.get("CONTACT_SUPERSET_CONFIG", "").strip():
    globals().update({name: value for name, value in runpy.run_path(_own).items() if name.isupper()})

CUSTOM_SECURITY_MANAGER = with_our_readers(globals().get("CUSTOM_SECURITY_MANAGER"))
