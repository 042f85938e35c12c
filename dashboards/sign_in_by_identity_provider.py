"""Sign-in by the company's identity provider, and who of its groups sees what: an example that works.

Copy it out of the project, put in the groups, and name the copy in CONTACT_SUPERSET_CONFIG. It works with
every provider of OpenID Connect that gives the claim `groups`. The address to enter there as the redirect is
<address of the dashboard>/oauth-authorized/company.
"""

import os
from collections.abc import Mapping
from typing import Any

from flask_appbuilder.security.manager import AUTH_OAUTH
from superset.security import SupersetSecurityManager


class CompanySecurityManager(SupersetSecurityManager):
    """Reads who somebody is, and the groups, from the token of the provider."""

    def oauth_user_info(self, provider: str, response: Mapping[str, Any]) -> dict[str, Any]:
        claims = response["userinfo"]
        return {
            "username": claims["sub"],
            "first_name": claims.get("given_name", ""),
            "last_name": claims.get("family_name", ""),
            "email": claims["email"],
            "role_keys": claims.get("groups", []),
        }


CUSTOM_SECURITY_MANAGER = CompanySecurityManager
AUTH_TYPE = AUTH_OAUTH

# Group of the provider -> roles. Taken anew at each sign-in: who leaves the group loses the reports.
AUTH_ROLES_MAPPING = {
    "contact-managers": ["Contact: Manager"],
    "data-platform": ["Admin"],
}
AUTH_ROLES_SYNC_AT_LOGIN = True
# Who is in none of these groups may sign in, and sees nothing.
AUTH_USER_REGISTRATION = True
AUTH_USER_REGISTRATION_ROLE = "Public"

OAUTH_PROVIDERS = [
    {
        "name": "company",
        "icon": "fa-key",
        "token_key": "access_token",
        "remote_app": {
            "client_id": os.environ["CONTACT_OIDC_CLIENT_ID"],
            "client_secret": os.environ["CONTACT_OIDC_CLIENT_SECRET"],
            "server_metadata_url": f"{os.environ['CONTACT_OIDC_ISSUER']}/.well-known/openid-configuration",
            "client_kwargs": {"scope": "openid email profile groups"},
        },
    }
]
