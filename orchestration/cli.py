"""The commands behind the Makefile: one refresh, the reports, the sample, the web UI.

Belongs here: what a person types and reads. Heavy imports stand inside the commands, so that the first line
appears at once.
"""

from __future__ import annotations

import argparse
import gc
import io
import os
import sys
import uuid
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.hub.hub_toml import SettingsError
from orchestration.hub.rights import keep_to_owner, restrict
from orchestration.operations.dagster_home import instance_without_output, prepare_dagster_home
from orchestration.printable import markup, shown
from orchestration.settings import Settings
from orchestration.terminal.heartbeat import heartbeat
from orchestration.terminal.output import console
from orchestration.web.ports import about_port, port_of

if TYPE_CHECKING:
    import dagster as dg

CONSOLE = console()

INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the result is the exit status of the process."""
    options = _parser().parse_args(arguments)
    keep_to_owner()
    try:
        settings = Settings.from_environment()
    except SettingsError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 2
    # As an absolute path, whatever folder a process works in. The as-of day stays as it was set: a process
    # that runs for days, as the web UI does, takes its default anew for each refresh.
    os.environ["CONTACT_DATA_DIR"] = str(settings.data_dir)
    try:
        return run_command(options, settings)
    except KeyboardInterrupt:
        return say_interrupted()
    except Exception as error:
        sentence = _sentence_of(error, settings)
        if sentence is None:
            raise
        CONSOLE.print(f"[red]✗[/] {markup(sentence)}")
        return 1


def _parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="python -m orchestration.cli", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="one refresh of what has landed, then the reports")
    commands.add_parser("rebuild", help="remove the warehouse, then one refresh of all landed files")
    commands.add_parser("demo", help="land a sample when nothing has landed, then run")
    commands.add_parser("files", help="each landed file with its state")
    commands.add_parser("preview", help="how a file would be read, without loading it").add_argument("file")
    commands.add_parser("quarantine", help="the rejected rows, by file and reason")
    commands.choices["quarantine"].add_argument("--csv", action="store_true", help="all of them as a file")
    commands.add_parser("retract", help="take a loaded file back").add_argument("file")
    commands.add_parser("why", help="why figures changed between two published versions")
    commands.choices["why"].add_argument("--from", dest="from_version", help="by default: the one before")
    commands.choices["why"].add_argument("--to", dest="to_version", help="by default: the last one")
    commands.add_parser("export", help="what is published as Parquet and CSV files")
    commands.choices["export"].add_argument("--facts", action="store_true", help="facts as CSV too")
    commands.add_parser("status", help="how the hub is; the exit status is 1 when it is stale or failing")
    commands.choices["status"].add_argument("--json", action="store_true", help="for programs")
    commands.add_parser("backup", help="copy the hub into a new folder").add_argument("folder", type=Path)
    commands.choices["backup"].add_argument("--landing", action="store_true", help="landed files too")
    commands.add_parser("restore", help="bring a backup back").add_argument("folder", type=Path)
    commands.choices["restore"].add_argument("--over-newer", action="store_true", help="of a newer hub too")
    commands.add_parser("ui", help="Dagster's web UI on 127.0.0.1")
    commands.add_parser("docs", help="build the dbt docs and serve them on 127.0.0.1")
    for name, port in (("ui", 3000), ("docs", 8080)):
        commands.choices[name].add_argument("--port", type=port_of, default=port)
    for name in ("run", "rebuild", "demo"):
        commands.choices[name].add_argument(
            "--period",
            default="last_30_days",
            choices=["last_7_days", "last_30_days", "last_90_days", "last_365_days", "all_time"],
            help="the period of the printed reports",
        )
    return parser


def _sentence_of(error: Exception, settings: Settings) -> str | None:
    """What a person is told of an error; None of what nobody foresaw, where the place in the code helps."""
    from orchestration import faults

    if type(error).__module__.startswith("orchestration."):
        return str(error)
    sentence = faults.explain(error, settings)
    if sentence is None and isinstance(error, OSError):
        return f"{error}. Nothing was published. Is CONTACT_DATA_DIR right?"
    return sentence


def run_command(options: argparse.Namespace, settings: Settings) -> int:
    """Run the command that the options name; the result is the exit status of the process."""
    if options.command == "status":
        return status(settings, options.json)
    # It writes nothing, not even what every other command sets up.
    if options.command == "preview":
        return preview(settings, options.file)
    if notice := restrict(settings):
        warn(notice)
    prepare_dagster_home(settings)
    others = {
        "ui": lambda: ui(settings, options.port),
        "docs": lambda: docs(settings, options.port),
        "export": lambda: export(settings, options.facts),
        "files": lambda: files(settings),
        "quarantine": lambda: quarantine(settings, options.csv),
        "retract": lambda: retract(settings, options.file),
        "why": lambda: why(settings, options.from_version, options.to_version),
        "backup": lambda: backup(settings, options.folder, options.landing),
        "restore": lambda: restore(settings, options.folder, options.over_newer),
    }
    # A server says nothing while it serves.
    if options.command in ("ui", "docs"):
        return others[options.command]()
    with heartbeat(CONSOLE):
        return (
            others[options.command]() if options.command in others else refresh_by_command(options, settings)
        )


def refresh_by_command(options: argparse.Namespace, settings: Settings) -> int:
    """Refresh as one of the commands says that do so; the result is the exit status of the process."""
    if options.command == "demo":
        land_sample_if_nothing_has_landed(settings)
    if not engine_is_ready(settings):
        return 1
    if options.command == "rebuild" and not remove_warehouse(settings):
        return 1
    return run(settings, options.period)


def notify(message: object) -> None:
    """Print a message as it stands: what it names, such as a folder, may look like markup."""
    CONSOLE.print(markup(message))


def warn(message: object) -> None:
    """Print what goes on, but not as it should."""
    CONSOLE.print(f"[yellow]![/] {markup(message)}")


def say_interrupted() -> int:
    """Say in one line that a person stopped the command; the result is the exit status of the process."""
    CONSOLE.print(
        "[yellow]![/] Interrupted. What was loaded is kept, readers keep what was published, and the next "
        "`make run` goes on from here."
    )
    return INTERRUPTED


def land_sample_if_nothing_has_landed(settings: Settings) -> None:
    """Land the sample in a hub that has no landed file yet."""
    from orchestration.landing.discovery import something_has_landed
    from orchestration.sample.land import land_sample

    if settings.landing_url:
        CONSOLE.print(f"Files land in {markup(settings.landing_url)}; no sample is added.")
        return
    if something_has_landed(settings):
        CONSOLE.print(f"Files have landed in {markup(settings.landing)} already; no sample is added.")
        return
    CONSOLE.print(f"Landing a sample in {markup(settings.landing)} ...")
    CONSOLE.print(f"  [green]✓[/] {land_sample(settings)} files")
    CONSOLE.print(
        "  In its place, land exports of your own: docs/data-contract.md. Messages and orders have to know "
        "customers by the same ids, or every figure is zero; the check customers_meet looks at that."
    )


def engine_is_ready(settings: Settings) -> bool:
    """Whether the engine can be started; says why when it cannot."""
    from orchestration.engines.engine import EngineError, require_ready

    try:
        require_ready(settings)
    except EngineError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return False
    return True


def remove_warehouse(settings: Settings) -> bool:
    """Remove the warehouse, so that the next refresh rebuilds it; gives whether it was removed."""
    from orchestration.landing.discovery import LandingError
    from orchestration.object_storage.stores import StoreError
    from orchestration.operations import rebuilding
    from orchestration.warehouse.errors import WarehouseError

    try:
        rebuilding.remove_warehouse(settings, notify, warn)
    except (LandingError, StoreError, WarehouseError) as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return False
    return True


def retract(settings: Settings, file: str) -> int:
    """Take a loaded file back."""
    from orchestration.landing import retract as retracting
    from orchestration.landing.notices import named
    from orchestration.operations.status import copy_record_of_files
    from orchestration.warehouse import databases, errors
    from orchestration.warehouse.lock import hub_lock

    try:
        with (
            hub_lock(settings, notify=notify),
            databases.connect(settings, notify=notify) as connection,
        ):
            paths = retracting.retract(connection, settings, file)
            copy_record_of_files(connection, settings)
    except (retracting.RetractError, errors.WarehouseError) as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    CONSOLE.print(
        f"[green]✓[/] Taken back: {markup(', '.join(map(named, paths)))}. Its files are in retracted/ now; "
        "`make run` publishes the reports without it."
    )
    return 0


def files(settings: Settings) -> int:
    """Print each file of the landing folder with its state, as the last load left it."""
    from orchestration.landing import states
    from orchestration.landing.notices import named

    try:
        listed = states.saved(settings)
    except states.RecordError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    if listed is None:
        CONSOLE.print("No load has looked into the landing folder yet: `make run`.")
        return 0
    for state in listed:
        rows = f"{state.rows_accepted} accepted, {state.rows_rejected} rejected, {state.rows_kept} kept"
        about = f": {named(state.reason)}" if state.reason else ""
        to_do = f" -> {state.to_do}" if state.to_do else ""
        CONSOLE.print(f"{state.state:<11} {markup(named(state.path))} ({rows}){markup(about)}{markup(to_do)}")
    if not listed:
        CONSOLE.print(f"The last load found no file in {markup(settings.landing_url or settings.landing)}.")
    return 0


def quarantine(settings: Settings, as_csv: bool) -> int:
    """Print the rejected rows, as the last load left them, or write all of them as a CSV file."""
    from orchestration.landing.quarantine import read_quarantine
    from orchestration.operations.quarantine_csv import write_csv
    from orchestration.terminal.printed_quarantine import print_quarantine

    if as_csv:
        file, rows = write_csv(settings)
        CONSOLE.print(f"[green]✓[/] {rows:,} rejected rows written to {markup(file)}")
        return 0
    found = read_quarantine(settings)
    if found is None:
        CONSOLE.print("No load has looked into the landing folder yet: `make run`.")
    else:
        print_quarantine(found, CONSOLE)
    return 0


def preview(settings: Settings, file: str) -> int:
    """Print how a file would be read; the result is 1 when it cannot be."""
    from orchestration.landing.preview import preview_file
    from orchestration.terminal.printed_preview import print_preview

    return 0 if print_preview(preview_file(settings, file), settings, CONSOLE) else 1


def why(settings: Settings, from_version: str | None, to_version: str | None) -> int:
    """Print why figures changed between two published versions."""
    from orchestration.terminal.printed_why import compare, print_why

    print_why(compare(settings.published, from_version, to_version), CONSOLE)
    return 0


def run(settings: Settings, period: str) -> int:
    """One refresh: the same job as the schedule runs."""
    CONSOLE.print(f"Refreshing {markup(settings.data_dir)} as of {settings.as_of} ({settings.timezone}) ...")
    # The as-of day that was said, also when a day ends meanwhile.
    os.environ["CONTACT_AS_OF"] = settings.as_of.isoformat()
    # All that is imported stays. Looking for garbage in it, again and again, takes a tenth of the time.
    gc.disable()
    from orchestration.dbt_runner.project import ModelsError
    from orchestration.terminal.progress import was_interrupted

    try:
        from orchestration.definitions import defs
    except ModelsError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    from orchestration.landing.discovery import something_has_landed
    from orchestration.terminal.printed_reports import print_reports
    from orchestration.terminal.restated_days import restated_days

    gc.freeze()
    gc.enable()

    if not settings.landing_url and not something_has_landed(settings):
        CONSOLE.print(f"Nothing has landed in {markup(settings.landing)}/messages or .../orders yet.")

    result = _execute_refresh(settings, defs.resolve_job_def("refresh"))
    if any(was_interrupted(event) for event in result.all_events):
        return say_interrupted()
    if not result.success:
        CONSOLE.print("[red]The refresh failed; readers keep what was published before.[/]")
        return 1
    print_reports(settings.published, period, CONSOLE)
    if restated := restated_days(settings.published):
        CONSOLE.print(f"\n[yellow]![/] {markup(restated)}")
    CONSOLE.print(f"\nPublished: {markup(settings.published)}")
    return 0


def _execute_refresh(settings: Settings, job: dg.JobDefinition) -> dg.ExecuteInProcessResult:
    """Execute the job in this process, as a run that finishes the work of lost ones."""
    import dagster as dg

    from orchestration.operations import runs
    from orchestration.terminal.progress import WithoutLogErrors

    # What matters of dbt's own lines is said by the console logger; what it did is in its run_results.json.
    with (
        dg.DagsterInstance.from_ref(instance_without_output(settings)) as instance,
        redirect_stdout(io.StringIO()),
        redirect_stderr(WithoutLogErrors(sys.stderr)),
    ):
        for lost in runs.fail_lost_runs(instance, settings, in_daemon=False):
            CONSOLE.print(f"  [yellow]![/] The refresh {lost} did not end; this one finishes its work.")
        run_id = str(uuid.uuid4())
        runs.hold_for_life(settings, run_id)
        return job.execute_in_process(
            instance=instance,
            run_id=run_id,
            run_config={"loggers": {"console": {}}},
            raise_on_error=False,
        )


def export(settings: Settings, with_facts: bool) -> int:
    """Write what is published as files that every tool reads."""
    from orchestration.publishing import export as exporting

    try:
        folder, files = exporting.export(settings, with_facts)
    except exporting.ExportError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    CONSOLE.print(f"Exported to {markup(folder)}: {', '.join(files)}")
    return 0


def backup(settings: Settings, folder: Path, with_landing: bool) -> int:
    """Copy the hub into a folder, between two refreshes."""
    from orchestration.operations.backup import BackupError, back_up
    from orchestration.warehouse.lock import LockedError

    try:
        contents = back_up(settings, folder, with_landing, notify=notify)
    except (BackupError, LockedError) as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    CONSOLE.print(f"[green]✓[/] {len(contents.files)} files copied to {markup(folder)} and read again")
    return 0


def restore(settings: Settings, folder: Path, over_newer: bool) -> int:
    """Bring a backup back."""
    from orchestration.operations.backup import BackupError
    from orchestration.operations.backup import restore as bring_back
    from orchestration.warehouse.lock import LockedError

    try:
        contents = bring_back(settings, folder, over_newer, notify=notify)
    except (BackupError, LockedError) as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    CONSOLE.print(
        f"[green]✓[/] {markup(settings.data_dir)} is as it was at {markup(shown(contents.taken_at))}. "
        "`make run` takes in what has landed since."
    )
    return 0


def status(settings: Settings, as_json: bool) -> int:
    """Print how the hub is; the result is 1 when its figures are stale or a refresh fails.

    What cannot be prepared is one of the problems, so that monitors get their object in any case.
    """
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    from orchestration.operations.status import about_record, require_writable, status_of

    notice = None
    try:
        notice = restrict(settings)
        prepare_dagster_home(settings)
        require_writable(settings.dagster_home)
        with dg.DagsterInstance.get() as instance:
            found = status_of(settings, instance)
    except (OSError, SQLAlchemyError) as error:
        found = status_of(settings, None)
        found.problems.append(about_record(settings, error))
    if notice:
        found.warnings.append(notice)
    if as_json:
        print(found.as_json())
    else:
        for line in found.as_lines():
            CONSOLE.print(markup(line))
        for warning in found.warnings:
            warn(warning)
        for problem in found.problems:
            CONSOLE.print(f"[red]✗[/] {markup(problem)}")
    return 0 if found.is_well else 1


def docs(settings: Settings, port: int) -> int:
    """Build the dbt docs of the models as they are, as one file, and serve it until interrupted."""
    from orchestration.dbt_runner.docs_site import build_docs

    site = settings.data_dir / "docs" / "site"
    # Bound first: whoever finds the port taken has built nothing.
    try:
        server = ThreadingHTTPServer(
            ("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=str(site))
        )
    except OSError as error:
        CONSOLE.print(f"[red]✗[/] {about_port(port, str(error.strerror))}")
        return 1
    with server:
        CONSOLE.print("Building the docs ...")
        with heartbeat(CONSOLE):
            status = build_docs(settings, site, notify)
        if status:
            return status
        CONSOLE.print(f"The docs are one file: {markup(site / 'index.html')}")
        CONSOLE.print(f"Serving the docs on http://127.0.0.1:{server.server_port} (stop with Ctrl+C)")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    return 0


def ui(settings: Settings, port: int) -> int:
    """Serve Dagster's web UI, with its daemon, until interrupted."""
    from orchestration.web import ui as web

    try:
        web.serve(settings.dagster_home, port, notify, starting=heartbeat(CONSOLE))
    except web.UiError as error:
        CONSOLE.print(f"[red]✗[/] {markup(error)}")
        return 1
    return 0


if __name__ == "__main__":
    ended = main()
    # What is left is the system's to take: libraries take long to do so, and report on what they find of it.
    CONSOLE.file.flush()
    os._exit(ended)
