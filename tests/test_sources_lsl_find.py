"""What a stream says of itself, and what it keeps when its sender is started again."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.config import SignalSection
from monitor.sources.lsl_find import Network, described, identity, summary
from monitor.sources.lsl_library import configure
from monitor.sources.outlet import emg_outlet, marker_outlet
from monitor.types import MonitorError, StreamInfo
from tests.running import wait_until

pytestmark = pytest.mark.lsl


@pytest.fixture(scope="module")
def pylsl() -> Any:
    return configure("loopback")


def info(pylsl: Any, name: str = "amp", channels: int = 2, source_id: str = "amp-1") -> Any:
    return pylsl.StreamInfo(name, "EMG", channels, 2000.0, "float32", source_id)


def test_identity_is_what_liblsl_goes_by(pylsl: Any) -> None:
    assert identity(info(pylsl)) == identity(info(pylsl))
    for other in (info(pylsl, "b"), info(pylsl, channels=3), info(pylsl, source_id="c")):
        assert identity(other) != identity(info(pylsl))


def test_a_stream_without_a_source_id_has_none(pylsl: Any) -> None:
    one, other = info(pylsl, source_id=""), info(pylsl, source_id="")
    assert identity(one) == str(one.uid())
    assert identity(other) == str(other.uid())


def test_a_summary_is_in_plain_words(pylsl: Any) -> None:
    said = summary(info(pylsl))
    assert (said.name, said.channels, said.fs_hz, said.format) == ("amp", 2, 2000.0, "float32")


@pytest.mark.parametrize("kind", ["live", "replay", "simulated"])
def test_the_description_says_labels_units_and_kind(pylsl: Any, kind: Any) -> None:
    stream = StreamInfo("amp", "", 2000.0, ("L-APB", "R-APB"), kind)
    said = described(emg_outlet(pylsl, stream, "mV").get_info())
    assert (said.labels, said.units, said.kind) == (["L-APB", "R-APB"], ["mV", "mV"], kind)
    assert described(marker_outlet(pylsl, "m", "", kind).get_info()).kind == kind
    assert described(info(pylsl)).labels == []


def test_who_could_be_a_lost_stream_again(pylsl: Any) -> None:
    names = [f"find-{i}" for i in range(2)]
    outlets = [
        emg_outlet(pylsl, StreamInfo(name, f"{name}-id", 2000.0, ("A",), "live")) for name in names
    ]
    by_name = Network(pylsl, SignalSection())
    by_predicate = Network(pylsl, SignalSection(predicate="starts-with(name,'find-')"))
    like = pylsl.StreamInfo("find-1", "EMG", 1, 2000.0, "float32", "lost")
    wait_until(lambda: len(by_name.fitting("signal", like)) == 1, "the one of its name")
    assert by_name.fitting("signal", like)[0].source_id() == "find-1-id"
    wait_until(lambda: len(by_predicate.fitting("signal", like)) == 2, "those that fit")
    assert {i.name() for i in by_name.streams()} >= set(names)
    for network, found in ((by_name, 1), (by_predicate, 2)):
        network.search_anew("signal")
        wait_until(lambda n=network, f=found: len(n.fitting("signal", like)) == f, "again")  # type: ignore[misc]
    assert outlets


def test_what_is_no_predicate_is_named(pylsl: Any) -> None:
    with pytest.raises(MonitorError, match=r"signal\.predicate \"name='x\": not an LSL predicate"):
        Network(pylsl, SignalSection(predicate="name='x"))
