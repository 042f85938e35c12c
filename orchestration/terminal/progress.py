"""What a refresh says in a terminal while it works: a line for each step, warning and failure."""

from __future__ import annotations

import logging
import time
from typing import Any

import dagster as dg
from rich.console import Console

from orchestration.printable import markup, shown
from orchestration.terminal.output import Output, console

STEPS = {
    "landing_mirror": "Copying what has landed in object storage",
    "raw__message_events": "Loading messages",
    "raw__order_events": "Loading orders",
    "dbt_models": "Building and checking the models",
    "published__contact_reports": "Publishing",
    "postgres__contact_reports": "Bringing PostgreSQL to the published version",
    "object_storage__published_versions": "Copying the published version to object storage",
}

# What a check found names files, and reasons whose ends say what to do.
VALUE_CHARACTERS = 500


class ProgressHandler(logging.Handler):
    """Turns Dagster's log of a run into lines for people."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console
        self._step_started = time.monotonic()
        self._step_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        meta = getattr(record, "dagster_meta", {})
        event = meta.get("dagster_event")
        if event is not None:
            self._print_event(event)
            return
        message = meta.get("orig_message", "")
        # What the steps that follow a failure did not do goes without saying.
        if record.levelno >= logging.WARNING and not message.startswith("Dependencies for step"):
            self._console.print(f"  [yellow]![/] {markup(message)}")

    def _print_event(self, event: dg.DagsterEvent) -> None:
        match event.event_type:
            case dg.DagsterEventType.STEP_START:
                self._step_started = time.monotonic()
                step = event.step_key or ""
                self._console.print(f"[bold]{STEPS.get(step, step)}[/] ...")
            # The load that it is reported by says how many rows were rejected.
            case dg.DagsterEventType.ASSET_MATERIALIZATION if _is_of_quarantine(event):
                return
            case dg.DagsterEventType.ASSET_MATERIALIZATION:
                self._console.print(f"  [green]✓[/] {self._materialized(event)}")
            case dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                self._print_check(event.asset_check_evaluation_data)
            case dg.DagsterEventType.STEP_SUCCESS:
                self._console.print(f"  [dim]{time.monotonic() - self._step_started:.1f} s[/]")
            # The command says so itself.
            case dg.DagsterEventType.STEP_FAILURE if was_interrupted(event):
                self._step_failed = True
            case dg.DagsterEventType.STEP_FAILURE:
                self._step_failed = True
                self._console.print(f"  [red]✗[/] {markup(self._failure(event))}")
            case dg.DagsterEventType.RUN_FAILURE if not self._step_failed and not was_interrupted(event):
                self._console.print(f"[red]✗[/] {markup(self._innermost(event.job_failure_data.error))}")

    def _print_check(self, check: dg.AssetCheckEvaluation) -> None:
        if check.passed:
            return
        asset = check.asset_key.path[-1]
        found = ", ".join(
            f"{shown(name, VALUE_CHARACTERS)}: {shown(value.value, VALUE_CHARACTERS)}"
            for name, value in check.metadata.items()
        )
        self._console.print(
            f"  [yellow]![/] check {check.check_name} of {asset} did not pass ({markup(found)})"
        )

    @classmethod
    def _failure(cls, event: dg.DagsterEvent) -> str:
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            return failure.user_failure_data.description
        return cls._innermost(failure.error)

    @staticmethod
    def _innermost(error: Any) -> str:
        """The words of the error that Dagster wrapped, without the name of its class."""
        if error is None:
            return "The run failed; Dagster's log of it says why."
        while error.cause:
            error = error.cause
        message = error.message.strip()
        return message.partition(": ")[2] or message

    @staticmethod
    def _materialized(event: dg.DagsterEvent) -> str:
        materialization = event.step_materialization_data.materialization
        metadata = {name: value.value for name, value in materialization.metadata.items()}
        layer, name = materialization.asset_key.path[0], materialization.asset_key.path[-1]
        if "rows_landed" in metadata:
            return (
                f"{name}: {metadata['files_loaded']} new files, {metadata['rows_landed']} rows landed, "
                f"{metadata['rows_accepted']} accepted, {metadata['rows_rejected']} rejected"
            )
        if "copied" in metadata:
            return (
                f"{name}: {metadata['copied']} of {metadata['objects']} objects copied, "
                f"{metadata['deleted']} files deleted"
            )
        return f"[dim]{layer}[/] {name}"


def _is_of_quarantine(event: dg.DagsterEvent) -> bool:
    return event.asset_key is not None and event.asset_key.path[0] == "quarantine"


def was_interrupted(event: dg.DagsterEvent) -> bool:
    """Whether an event is the failure of a step or run that somebody stopped, as with Ctrl+C."""
    match event.event_type:
        case dg.DagsterEventType.STEP_FAILURE:
            error = event.step_failure_data.error
        case dg.DagsterEventType.RUN_FAILURE:
            error = event.job_failure_data.error
        case _:
            return False
    return error is not None and error.cls_name in ("DagsterExecutionInterruptedError", "KeyboardInterrupt")


class WithoutLogErrors(Output):
    """A stream without Dagster's word that its own record cannot be written: the failure says it better."""

    def write(self, text: str) -> int:
        if text.startswith("Exception while writing logger call to event log"):
            return len(text)
        return super().write(text)


@dg.logger(config_schema={}, description="Progress of a refresh for people.")
def console_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """The logger of a run that a person watches."""
    logger = logging.Logger("refresh")
    logger.addHandler(ProgressHandler(console()))
    return logger
