"""``mep-monitor``: the commands. What they do is elsewhere; here are names, options and exit codes.

0: done; 2: something a person can mend, said in one line on stderr.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated

from monitor import environment

environment.prepare()

import typer  # noqa: E402  (after the environment, as all that follows may import numpy)

from monitor import __version__  # noqa: E402
from monitor.types import MonitorError  # noqa: E402

app = typer.Typer(
    name="mep-monitor",
    help="Real-time monitoring of motor evoked potentials over LSL. Not a medical device.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Config = Annotated[Path | None, typer.Option("--config", help="Case file (docs/case.toml).")]
Stimulus = Annotated[
    str | None,
    typer.Option("--stimulus", help="Regular expression that a stimulus marker matches."),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the case's files.")]
Port = Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port of the page.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.")
    ] = False,
) -> None:
    if version:
        print(f"mep-monitor {__version__}")
        raise typer.Exit


@app.command()
def demo(
    port: Port = None,
    out: Out = None,
    seed: Annotated[int, typer.Option("--seed", help="Another simulated patient.")] = 1,
    interval: Annotated[
        float | None, typer.Option("--interval", min=0.5, help="Seconds between stimuli.")
    ] = None,
) -> None:
    """Show a simulated surgical case over real LSL. Needs nothing configured."""
    from monitor.commands import run_demo

    with tempfile.TemporaryDirectory(prefix="mep-monitor-demo-") as scratch:
        status = run_demo(port, seed, interval, out or Path(scratch), out is not None)
    raise typer.Exit(status)


@app.command()
def run(
    config: Config = None,
    signal: Annotated[
        str | None,
        typer.Option("--signal", help="LSL predicate of the EMG stream: source_id='emg1'."),
    ] = None,
    markers: Annotated[
        str | None, typer.Option("--markers", help="LSL predicate of the marker stream.")
    ] = None,
    stimulus: Stimulus = None,
    lsl_scope: Annotated[
        str | None,
        typer.Option("--lsl-scope", help="How far to look: loopback, link, site, default."),
    ] = None,
    port: Port = None,
    record: Annotated[
        Path | None, typer.Option("--record", help="Record the raw streams to this .xdf file.")
    ] = None,
    out: Out = None,
) -> None:
    """Monitor live LSL streams."""
    from monitor.commands import configured, live_folder, run_live

    settings = configured(
        config,
        stimulus=stimulus,
        signal_predicate=signal,
        markers_predicate=markers,
        lsl_scope=lsl_scope,
        port=port,
    )
    raise typer.Exit(run_live(settings, out or live_folder(), record))


@app.command()
def replay(
    recording: Annotated[
        Path, typer.Argument(help="A recording (.xdf, .vhdr, .edf, .bdf), or a folder.")
    ],
    config: Config = None,
    stimulus: Stimulus = None,
    speed: Annotated[
        str, typer.Option("--speed", help="'max', or a multiple of real time such as 1.")
    ] = "",
    out: Out = None,
    serve: Annotated[bool, typer.Option("--serve", help="Show it on the page.")] = False,
    port: Port = None,
    lsl: Annotated[
        bool,
        typer.Option(
            "--lsl", help="Offer it as LSL streams; with --out or --serve, measure those."
        ),
    ] = False,
    jobs: Annotated[
        int, typer.Option("--jobs", min=1, max=64, help="Recordings of a folder at a time.")
    ] = 1,
) -> None:
    """Run a recording through the monitor as if it came in now."""
    from monitor.commands import configured, replay_over_lsl, replay_recording

    settings = configured(config, stimulus=stimulus, port=port)
    kept = out is not None
    with tempfile.TemporaryDirectory(prefix="mep-monitor-") as scratch:
        folder = out or Path(scratch)
        if recording.is_dir():
            if lsl or serve or speed not in ("", "max"):
                raise MonitorError(
                    f"{recording}: a folder is replayed at full speed, "
                    "without --serve, --lsl and --speed"
                )
            from monitor.replay_folder import replay_folder

            status = replay_folder(recording, settings, folder, jobs, kept=kept)
        elif not lsl:
            status = replay_recording(
                recording, settings, folder, kept=kept, speed=speed, serve=serve
            )
        elif speed not in ("", "1", "1.0"):
            raise MonitorError("--lsl: streams run in real time, so --speed can't be given")
        else:
            status = replay_over_lsl(
                recording, config, settings, folder, kept=kept, measured=kept or serve
            )
    raise typer.Exit(status)


@app.command()
def watch(
    url: Annotated[str, typer.Argument(help="A monitor: http://127.0.0.1:8731/.")],
) -> None:
    """Follow a monitor from this terminal."""
    from monitor.commands import interruptible
    from monitor.watch import watch as follow

    with interruptible() as stop:
        follow(url, stop.is_set)


@app.command()
def doctor(config: Config = None, port: Port = None) -> None:
    """Check this machine: packages, liblsl, network, page, port."""
    from monitor.commands import configured
    from monitor.doctor import examine

    failed = False
    for finding in examine(configured(config, port=port)):
        failed |= finding.level == "fail"
        print(f"{finding.level:5} {finding.subject}: {finding.message}")
    raise typer.Exit(2 if failed else 0)


@app.command()
def export(
    case: Annotated[Path, typer.Argument(help="Case folder (with journal.sqlite).")],
    out: Out = None,
) -> None:
    """Make a case's files again from its journal."""
    from monitor.journal.export import export_case
    from monitor.summary import print_summary

    print_summary(export_case(case, out), case if out is None else out)


@app.command(name="fine-tune")
def fine_tune(
    data: Annotated[Path, typer.Option("--data", help="Folder of labelled sweeps (.npz).")],
    out: Annotated[Path, typer.Option("--out", help="The new network's file.")] = Path(
        "mep_cnn_own.onnx"
    ),
    steps: Annotated[int, typer.Option("--steps", min=1, help="How far to go.")] = 300,
) -> None:
    """Fit the network to labelled sweeps of one's own (needs a checkout with PyTorch)."""
    from monitor.fine_tune import fine_tune as fit

    sha256 = fit(data, out, steps)
    print(f'{out}: put it into models/weights and set network_sha256 = "{sha256}"')


def main() -> None:
    """The console script."""
    try:
        app()
    except MonitorError as error:
        print(f"mep-monitor: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
