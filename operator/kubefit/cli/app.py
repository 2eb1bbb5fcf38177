"""Puts the commands together and prints their errors."""

import typer
from typer.core import TyperGroup

from kubefit.cli import (
    convert,
    data,
    delete,
    doctor,
    explain,
    get,
    listing,
    logs,
    run,
    screen,
    submit,
    sweep,
    validate,
    version,
    watch,
)
from kubefit.cli.errors import CommandError, Exit
from kubefit.client.errors import ClientError
from kubefit.client.refusals import ClusterError, RefusedError


class _Commands(TyperGroup):
    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        try:
            return super().invoke(ctx)
        except CommandError as error:
            screen.print_error(*error.sentences, hint=error.hint)
            raise typer.Exit(error.code) from error
        except ClientError as error:
            screen.print_error(*error.sentences, hint=error.hint)
            of_cluster = isinstance(error, ClusterError) and not isinstance(error, RefusedError)
            raise typer.Exit(Exit.CLUSTER if of_cluster else Exit.USAGE) from error


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(
    epilog=f"Exit codes: {Exit.OK:d} success, {Exit.FAILED:d} the job or a check failed,"
    f" {Exit.USAGE:d} usage or invalid file, {Exit.CLUSTER:d} cluster trouble,"
    f" {Exit.INTERRUPTED:d} interrupted."
)
def _kubefit() -> None:
    """Keras model.fit on this machine or on Kubernetes: N workers, the numbers of one."""


app.command("run")(run.run)
app.command("validate")(validate.validate)
app.add_typer(data.app, name="data")
app.command("convert")(convert.convert)
app.command("submit")(submit.submit)
app.command("sweep")(sweep.sweep)
app.command("watch")(watch.watch)
app.command("logs")(logs.logs)
app.command("list")(listing.list_jobs)
app.command("get")(get.get)
app.command("explain")(explain.explain)
app.command("doctor")(doctor.doctor)
app.command("delete")(delete.delete)
app.command("version")(version.version)
