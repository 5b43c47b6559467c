"""Real LSL on loopback: every stream comes from a child process."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from monitor.config import SignalSection
from monitor.sources.base import Item
from monitor.sources.lsl import LslSource
from monitor.types import AlarmKind, Chunk, ClockOffset, Marker, MonitorError, Notice, Tick

pytestmark = pytest.mark.lsl

CHILD = Path(__file__).with_name("lsl_child.py")
ROOT = Path(__file__).parents[1]


@contextmanager
def streams(*specs: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(CHILD), json.dumps(specs)]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    with child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield child
        finally:
            child.kill()


def emg(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "EMG",
        "channels": 2,
        "fs_hz": 2000.0,
        "labels": ["L-APB", "R-APB"],
        "units": ["microvolts", "mV"],
        **changes,
    }


def stim(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "Markers",
        "format": "string",
        "values": ["TES C3C4 400V", "rest"],
        **changes,
    }


def only(emg_name: str, stim_name: str, **changes: Any) -> SignalSection:
    """Predicates keep a test apart from any other LSL traffic on this machine."""
    return SignalSection(
        predicate=f"name='{emg_name}'", markers_predicate=f"name='{stim_name}'", **changes
    )


def read_for(source: LslSource, seconds: float) -> list[Item]:
    items: list[Item] = []
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        items += source.read(0.1)
    return items


def chunks_of(items: list[Item]) -> list[Chunk]:
    return [item for item in items if isinstance(item, Chunk)]


def test_samples_markers_clock_and_ticks_in_order() -> None:
    with (
        streams(emg("t1-emg"), stim("t1-stim")),
        LslSource(only("t1-emg", "t1-stim")) as source,
    ):
        assert source.info.name == "t1-emg"
        assert source.info.fs_hz == 2000.0
        assert source.info.channel_names == ("L-APB", "R-APB")
        assert source.info.kind == "live"
        assert source.warnings == []
        items = read_for(source, 0.8)

    first = [type(item) for item in items[:2]]
    assert first == [ClockOffset, ClockOffset]
    assert {i.stream for i in items[:2] if isinstance(i, ClockOffset)} == {"signal", "markers"}
    assert all(abs(i.offset_s) < 0.01 for i in items if isinstance(i, ClockOffset))

    chunks = chunks_of(items)
    counters = np.concatenate([c.first_sample + np.arange(len(c.t_lsl)) for c in chunks])
    np.testing.assert_array_equal(counters, np.arange(len(counters)))
    values = np.concatenate([c.samples_uv for c in chunks])
    assert values.dtype == np.float32
    # A ramp: no sample lost, none twice; the second channel is in mV.
    np.testing.assert_array_equal(np.diff(values[:, 0]), 1.0)
    np.testing.assert_array_equal(values[:, 1], (values[:, 0] + 1000.0) * 1000.0)
    stamps = np.concatenate([c.t_lsl for c in chunks])
    np.testing.assert_allclose(np.diff(stamps), 1 / 2000.0, atol=1e-6)

    markers = [i for i in items if isinstance(i, Marker)]
    assert len(markers) >= 4
    assert {m.value for m in markers} == {"TES C3C4 400V", "rest"}
    np.testing.assert_allclose(np.diff([m.t_lsl for m in markers]), 0.1, atol=1e-6)
    ticks = [i.t_lsl for i in items if isinstance(i, Tick)]
    assert ticks == sorted(ticks)
    assert stamps[-1] == pytest.approx(ticks[-1], abs=0.2)


@pytest.mark.parametrize("fmt", ["double64", "int32", "int16", "int8", "int64"])
def test_number_formats_and_integer_markers(fmt: str) -> None:
    name = f"t2-{fmt}"
    ints = stim(f"{name}-stim", format="int32", values=[255, 40000, -1])
    with (
        streams(emg(name, format=fmt, wrap=100, units=["V", "uV"]), ints),
        LslSource(only(name, f"{name}-stim")) as source,
    ):
        items = read_for(source, 0.5)
    values = np.concatenate([c.samples_uv for c in chunks_of(items)])
    assert set(np.diff(values[:, 1])) <= {1.0, -99.0}
    np.testing.assert_array_equal(values[:, 0], values[:, 1] * np.float32(1e6))
    markers = [i.value for i in items if isinstance(i, Marker)]
    assert set(markers) == {255, 40000, -1}
    assert all(type(value) is int for value in markers)


def test_without_predicates_the_only_streams_are_taken() -> None:
    with (
        streams(emg("t3-emg"), stim("t3-stim"), emg("t3-eeg", type="EEG")),
        LslSource(SignalSection()) as source,
    ):
        assert source.info.name == "t3-emg"
        assert any(isinstance(item, Marker) for item in read_for(source, 0.4))


def test_two_emg_streams_are_an_error_that_lists_them() -> None:
    with (
        streams(emg("t4-a"), emg("t4-b"), stim("t4-stim")),
        pytest.raises(MonitorError) as error,
        LslSource(SignalSection(wait_s=1.0)),
    ):
        pass
    text = str(error.value)
    assert "2 streams could be the EMG stream" in text
    assert "name='t4-a' (type 'EMG', source_id 't4-a', 2 x float32, 2000 Hz, host " in text
    assert "name='t4-b'" in text
    assert "--signal \"source_id='t4-a'\"" in text
    assert "\n" not in text


def test_nothing_that_fits_lists_what_there_is() -> None:
    with streams(emg("t5-emg")):
        with (
            pytest.raises(MonitorError, match=r"no EMG stream that fits name='x'; .*'t5-emg'"),
            LslSource(only("x", "y", wait_s=0.7)),
        ):
            pass
        with (
            pytest.raises(MonitorError, match=r"no marker stream; there are name='t5-emg'"),
            LslSource(SignalSection(wait_s=0.7)),
        ):
            pass


def test_a_channel_without_unit_is_refused_unless_the_config_says() -> None:
    bare = emg("t6-emg", units=["uV", ""])
    with streams(bare, stim("t6-stim")):
        with (
            pytest.raises(MonitorError, match="stream 't6-emg': no unit for R-APB"),
            LslSource(only("t6-emg", "t6-stim")),
        ):
            pass
        with LslSource(only("t6-emg", "t6-stim", scale_uv=0.5)) as source:
            values = np.concatenate(
                [c.samples_uv for c in chunks_of(read_for(source, 0.3))],
            )
        np.testing.assert_array_equal(values[:, 1], (values[:, 0] + 1000.0) * 0.5)


@pytest.mark.parametrize(
    ("setting", "predicates"),
    [("predicate", ("name='x", "")), ("markers_predicate", ("", "count(type"))],
)
def test_what_is_no_predicate_names_the_setting(setting: str, predicates: tuple[str, str]) -> None:
    signal = SignalSection(predicate=predicates[0], markers_predicate=predicates[1], wait_s=0.1)
    with (
        pytest.raises(MonitorError, match=f"setting signal.{setting} .*: not an LSL predicate"),
        LslSource(signal),
    ):
        pass


def notice_of(source: LslSource, within_s: float) -> tuple[Notice | None, list[Item]]:
    """The next notice, and everything that was read up to it."""
    items: list[Item] = []
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        items += source.read(0.1)
        for item in items:
            if isinstance(item, Notice):
                return item, items
    return None, items


def test_a_lost_marker_stream_is_told_and_so_is_its_return() -> None:
    with (
        streams(emg("t10-emg")),
        streams(stim("t10-stim")) as child,
        LslSource(only("t10-emg", "t10-stim")) as source,
    ):
        assert not any(isinstance(item, Notice) for item in read_for(source, 1.5))
        child.kill()
        child.wait()
        gone, items = notice_of(source, 40)
        told = "the marker stream 't10-stim' is "
        missing = AlarmKind.STIMULUS_MISSING
        assert gone == Notice(missing, True, 0.0, message=told + "gone", cause="stream")
        assert chunks_of(items), "the signal goes on"
        with streams(stim("t10-stim")):
            back, _ = notice_of(source, 40)
            assert back == Notice(missing, False, 0.0, message=told + "back", cause="stream")
            assert any(isinstance(item, Marker) for item in read_for(source, 1.0))


def test_a_killed_source_gives_ticks_and_is_taken_up_again_when_it_returns() -> None:
    with (
        streams(emg("t7-emg"), stim("t7-stim")) as child,
        LslSource(only("t7-emg", "t7-stim")) as source,
    ):
        before = chunks_of(read_for(source, 0.3))
        assert before
        child.kill()
        child.wait()
        before += chunks_of(read_for(source, 0.3))
        silent = read_for(source, 0.5)
        assert not chunks_of(silent)
        assert sum(isinstance(i, Tick) for i in silent) >= 5
        with streams(emg("t7-emg"), stim("t7-stim")):
            end_s = time.monotonic() + 40
            back: list[Chunk] = []
            while not back and time.monotonic() < end_s:
                back = chunks_of(read_for(source, 0.2))
        assert back
        assert back[0].t_lsl[0] > before[-1].t_lsl[-1] + 0.5
        assert back[0].first_sample == before[-1].first_sample + len(before[-1].t_lsl)


def until(
    source: LslSource, true: Callable[[list[Item]], bool], within_s: float = 60.0
) -> list[Item]:
    """Read until something is so; a minute is many times what it takes on an idle machine."""
    items: list[Item] = []
    end_s = time.monotonic() + within_s
    while not true(items):
        assert time.monotonic() < end_s, f"not within {within_s:g} s: {said(items)}"
        items += source.read(0.1)
    return items


def has_samples(items: list[Item]) -> bool:
    return bool(chunks_of(items))


def said(items: list[Item]) -> list[str]:
    return [item.message for item in items if isinstance(item, Notice)]


def says(text: str) -> Callable[[list[Item]], bool]:
    return lambda items: any(text in message for message in said(items))


def has_samples_and_markers(items: list[Item]) -> bool:
    return bool(chunks_of(items)) and any(isinstance(item, Marker) for item in items)


def kill(child: subprocess.Popen[str]) -> None:
    child.kill()
    child.wait()


def test_streams_without_identity_are_found_again_by_their_names() -> None:
    bare = (emg("t8-emg", source_id=""), stim("t8-stim", source_id=""))
    with streams(*bare) as child, LslSource(only("t8-emg", "t8-stim")) as source:
        assert [w.partition(":")[0] for w in source.warnings] == [
            "LSL stream 't8-emg'",
            "LSL stream 't8-stim'",
        ]
        until(source, has_samples)
        kill(child)
        until(source, says("the EMG stream 't8-emg' is gone"))
        with streams(*bare):
            until(source, has_samples_and_markers)


def test_a_source_that_returns_under_another_id_is_found_again_by_its_predicate() -> None:
    with (
        streams(emg("t12-emg"), stim("t12-stim")) as child,
        LslSource(only("t12-emg", "t12-stim")) as source,
    ):
        before = chunks_of(until(source, has_samples))
        kill(child)
        heard: list[Item] = []

        def gone_and_back(items: list[Item]) -> bool:
            heard[:] = items
            return sum("is back as" in message for message in said(items)) == 2

        # The samples begin anew: it is the other sender that is heard.
        other = emg("t12-emg", source_id="b", format="double64", units=["uV", "uV"])
        with streams(other, stim("t12-stim", source_id="b-markers")):
            until(source, gone_and_back)
            until(source, has_samples_and_markers)
    kinds = [(item.kind, item.active) for item in heard if isinstance(item, Notice)]
    assert set(kinds) == {
        (AlarmKind.SIGNAL_STALLED, True),
        (AlarmKind.SIGNAL_STALLED, False),
        (AlarmKind.STIMULUS_MISSING, True),
        (AlarmKind.STIMULUS_MISSING, False),
    }
    assert any("source_id 'b'" in message for message in said(heard))
    after = [chunk for chunk in chunks_of(heard) if chunk.t_lsl[0] > before[-1].t_lsl[-1] + 1.0]
    assert after[0].samples_uv.dtype == np.float32
    assert after[0].first_sample > before[-1].first_sample
    # A clock offset of the new stream is known before its first sample.
    types = [type(item) for item in heard]
    back = next(k for k, item in enumerate(heard) if item is after[0])
    assert ClockOffset in types[types.index(Notice) : back]


def test_what_is_not_the_same_is_not_taken_and_it_says_why() -> None:
    unlike: list[tuple[dict[str, Any], str]] = [
        ({"channels": 3, "labels": ["A", "B", "C"], "units": ["uV"] * 3},
         "it has 3 channels instead of 2"),
        ({"source_id": "u", "fs_hz": 4000.0}, "it has 4000 Hz instead of 2000"),
        ({"source_id": "v", "labels": ["L-APB", "L-TA"]}, "its channels have other names"),
        ({"source_id": "w", "kind": "replay"}, "its data are replay, not live"),
        ({"source_id": "x", "units": ["uV", ""]}, "no unit for R-APB"),
    ]  # fmt: skip
    with (
        streams(stim("t11-stim")),
        streams(emg("t11-emg")) as child,
        LslSource(only("t11-emg", "t11-stim")) as source,
    ):
        until(source, has_samples)
        kill(child)
        until(source, says("the EMG stream 't11-emg' is gone"))
        # The first has the identity of the lost one, and is another all the same.
        for changes, why in unlike:
            with streams(emg("t11-emg", **changes)):
                until(source, says(why))
                assert not chunks_of(read_for(source, 0.3))
        with streams(emg("t11-emg", source_id="y"), emg("t11-emg", source_id="z")):
            until(source, says("2 streams fit, and none is taken: name='t11-emg'"))
            assert not chunks_of(read_for(source, 0.3))


def test_without_a_predicate_the_same_name_is_asked_for() -> None:
    """Whoever chose no stream wanted the only one: another device is not the same only one."""
    with streams(emg("t18-a"), stim("t18-stim")) as child, LslSource(SignalSection()) as source:
        kill(child)
        with streams(emg("t18-b"), stim("t18-stim", source_id="b")):
            until(source, says("the marker stream 't18-stim' is back as"))
            assert not chunks_of(read_for(source, 1.0))


def test_markers_of_other_numbers_are_whole_numbers_or_written_out() -> None:
    odd = stim("t9-stim", format="double64", values=[1.0, 2.5])
    with streams(emg("t9-emg"), odd), LslSource(only("t9-emg", "t9-stim")) as source:
        values = {i.value for i in read_for(source, 0.5) if isinstance(i, Marker)}
    assert values == {1, "2.5"}


def test_using_it_before_entering_is_a_programming_error() -> None:
    with pytest.raises(RuntimeError, match="enter the source"):
        LslSource(SignalSection()).read(0.0)


def test_a_trigger_column_needs_no_unit_and_no_marker_stream() -> None:
    wired = emg("t10-emg", labels=["L-APB", "TTL"], units=["uV", ""])
    signal = SignalSection(predicate="name='t10-emg'")
    with streams(wired), LslSource(signal, trigger_channel="TTL") as source:
        items = read_for(source, 0.4)
    values = np.concatenate([c.samples_uv for c in chunks_of(items)])
    np.testing.assert_array_equal(values[:, 1], values[:, 0] + 1000.0)
    assert {i.stream for i in items if isinstance(i, ClockOffset)} == {"signal"}
    assert not any(isinstance(i, Marker) for i in items)
