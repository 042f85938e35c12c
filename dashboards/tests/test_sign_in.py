"""The example of a sign-in by an identity provider, used as it stands."""

from __future__ import annotations

import shutil
from pathlib import Path

import requests
from identity_provider import CLIENT, IdentityProvider, serving
from serving import REPOSITORY, free_port, start

PAGE = "/superset/dashboard/contact-reports/"


def signed_in(address: str, provider: IdentityProvider, name: str, groups: list[str]) -> requests.Session:
    provider.next_user = {"sub": name, "email": f"{name}@example.com", "given_name": name, "groups": groups}
    session = requests.Session()
    # A sign-in leads to the reports, or to the page that says whom to ask for them.
    assert session.get(f"{address}/login/company", timeout=60).status_code in (200, 403)
    return session


def test_groups_of_the_identity_provider_decide_who_sees_the_reports(
    hub: dict[str, str], tmp_path: Path
) -> None:
    data = tmp_path / "hub"
    shutil.copytree(Path(hub["CONTACT_DATA_DIR"]) / "published", data / "published", symlinks=True)
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with serving() as provider:
        environment = {
            **hub,
            "CONTACT_DATA_DIR": str(data),
            "CONTACT_SUPERSET_CONFIG": str(REPOSITORY / "dashboards" / "sign_in_by_identity_provider.py"),
            "CONTACT_OIDC_ISSUER": provider.address,
            "CONTACT_OIDC_CLIENT_ID": CLIENT,
            "CONTACT_OIDC_CLIENT_SECRET": provider.client_secret,
        }
        process, said = start(environment, port, tmp_path / "log")
        try:
            manager = signed_in(address, provider, "ada", ["contact-managers", "others"])
            outsider = signed_in(address, provider, "eve", ["others"])
            pages = [session.get(f"{address}{PAGE}", timeout=60) for session in (manager, outsider)]
            data_of = [
                session.get(f"{address}/api/v1/dashboard/contact-reports", timeout=60).status_code
                for session in (manager, outsider)
            ]
            left_the_group = signed_in(address, provider, "ada", [])
            after = left_the_group.get(f"{address}/api/v1/dashboard/contact-reports", timeout=60).status_code
        finally:
            process.terminate()
            process.wait(60)

    assert "password" not in said
    assert pages[0].url.endswith(PAGE)
    assert "Contact reports" in pages[0].text
    assert "Contact reports" not in pages[1].text
    assert pages[1].status_code == 403
    assert "give this user the role “Contact: Manager”" in pages[1].text
    assert data_of[0] == 200
    assert data_of[1] in (401, 403, 404)
    assert after in (401, 403, 404)
