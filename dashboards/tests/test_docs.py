"""The docs that analysts browse: one file, opened without a server."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from serving import PIPELINE, REPOSITORY, free_port


@pytest.fixture(scope="module")
def docs(hub: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one file of the docs, in a folder of its own."""
    command = [str(PIPELINE), "-m", "orchestration.cli", "docs", "--port", str(free_port())]
    with subprocess.Popen(command, cwd=REPOSITORY, env=hub, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("Serving"):
                break
        process.terminate()
    built = re.search(r"The docs are one file: (.*)", said)
    assert built, said
    alone = tmp_path_factory.mktemp("docs") / "docs.html"
    alone.write_bytes(Path(built[1]).read_bytes())
    return alone


def test_the_docs_name_no_folder_of_the_machine(docs: Path, hub: dict[str, str]) -> None:
    page = docs.read_text(encoding="utf-8")
    environment = PIPELINE.parent.parent

    for folder in (
        REPOSITORY,
        Path(hub["CONTACT_DATA_DIR"]),
        environment,
        environment.resolve(),
        Path.home(),
    ):
        assert f"{folder}/" not in page, folder


def test_search_for_a_figure_leads_to_its_definition(page: Page, docs: Path) -> None:
    page.goto(docs.as_uri())
    page.get_by_placeholder("Search for models").click()
    page.keyboard.type("conversion_rate")
    page.locator(".search-result").filter(has_text="mart_overview model").first.click()

    expect(page.get_by_text("Customers converted divided by customers messaged").first).to_be_visible()


def test_exposures_lead_to_the_reports(page: Page, docs: Path) -> None:
    page.goto(f"{docs.as_uri()}#!/exposure/exposure.contact_reporting.overview_report")

    expect(page.get_by_text("Total messages sent, revenue generated, conversion rate").first).to_be_visible()
    link = page.locator("a[href*='/superset/dashboard/contact-reports/']").first
    expect(link).to_be_visible()


def test_the_lineage_graph_shows_the_path_from_source_to_report(page: Page, docs: Path) -> None:
    page.goto(
        f"{docs.as_uri()}#!/exposure/exposure.contact_reporting.overview_report?g_v=1&g_i=%2Bexposure:overview_report"
    )
    page.locator("canvas").first.wait_for()

    drawn = page.wait_for_function(
        """() => {
            const service = angular.element(document.body).injector().get('graph');
            const drawn = service.graph.elements.map(element => element.data.id).filter(id => id);
            return drawn.length && drawn;
        }"""
    ).json_value()
    for node in (
        "source.contact_reporting.raw.message_events",
        "model.contact_reporting.stg_messages",
        "model.contact_reporting.fct_message_orders",
        "model.contact_reporting.fct_messages",
        "model.contact_reporting.mart_overview",
        "exposure.contact_reporting.overview_report",
    ):
        assert node in drawn
