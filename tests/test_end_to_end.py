"""The whole path in its own processes: real LSL in, an alarm over a WebSocket out."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

ALARM_WITHIN_S = 120.0


@pytest.mark.lsl
@pytest.mark.timeout(180)
def test_a_loss_over_lsl_is_an_alarm_over_a_websocket(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "monitor", "demo", "--port", "0", "--interval", "0.5"]
    demo = subprocess.Popen(
        [*command, "--out", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert demo.stdout is not None
        assert "8 channels at 5000 Hz (simulated)" in demo.stdout.readline()
        found = re.match(r"(http://127\.0\.0\.1:\d+/)", demo.stdout.readline())
        assert found, "the address is printed"
        url = found.group(1)
        api = f"{url}api/v1"
        seqs, alarms = [], {}
        with connect(url.replace("http", "ws") + "api/v1/live?since=0", max_size=None) as feed:
            deadline = time.monotonic() + ALARM_WITHIN_S
            while not any(
                a["state"] == "active" and a["priority"] == "high" for a in alarms.values()
            ):
                assert time.monotonic() < deadline, "no alarm came"
                message = json.loads(feed.recv(timeout=60))
                if message["type"] == "heartbeat":
                    continue
                seqs.append(message["seq"])
                if message["type"] == "alarm" and message["body"]["class"] == "physiological":
                    alarms[message["body"]["id"]] = message["body"]
        assert seqs == list(range(1, len(seqs) + 1)), "no gap, none twice"
        active = next(a for a in alarms.values() if a["state"] == "active")
        assert active["channel"] in ("L-TA", "L-AH"), "the leg that was lost"
        assert active["priority"] == "high"
        timing = active["timing"]
        assert timing["stimulus"] < timing["epoch_complete"] < timing["measured"] < timing["raised"]
        answer = httpx.post(f"{api}/alarms/{active['id']}/acknowledge", json={"by": "XY"})
        assert answer.json()["state"] == "acknowledged"
        demo.send_signal(signal.SIGINT)
        printed, _ = demo.communicate(timeout=120)
        assert demo.returncode == 0
        assert "simulated" in printed
    finally:
        demo.kill()
        demo.wait()
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["case"]["kind"] == "simulated"
    assert summary["alarms"]["by_class"]["physiological"] >= 1
