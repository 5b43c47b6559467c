"""The peer of ``bench.acquire``: mne-lsl's ``EpochsStream``; run by an interpreter that has it.

It stands alone: nothing of the monitor is imported here.
"""

import argparse
import json
import sys
import time
from importlib.metadata import version

import mne_lsl
from mne_lsl.lsl import local_clock
from mne_lsl.stream import EpochsStream, StreamLSL

TIME_WRAP_S = 16.0
ACQUISITION_DELAY_S = 0.001


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--fs", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    args = parser.parse_args()
    mne_lsl.set_log_level("ERROR")
    delays_ms: list[float] = []
    stream = StreamLSL(5.0, name=args.name).connect(ACQUISITION_DELAY_S)
    stream.set_channel_types({"STI": "stim"}, on_unit_change="ignore")
    epochs = EpochsStream(
        stream, 10, event_id=1, event_channels="STI", tmin=-0.1, tmax=0.15, baseline=None
    ).connect(ACQUISITION_DELAY_S)
    time.sleep(2.0)
    epochs.get_data()
    cpu, begin = time.process_time(), time.perf_counter()
    while time.perf_counter() - begin < args.seconds:
        if epochs.n_new_epochs:
            pushed = epochs.get_data(picks="PUSHED")[-1, 0, -1]
            delays_ms.append(float((local_clock() - pushed) % TIME_WRAP_S * 1e3))
        else:
            time.sleep(0.0002)
    share = (time.process_time() - cpu) / (time.perf_counter() - begin)
    epochs.disconnect()
    stream.disconnect()
    result = {"delays_ms": delays_ms, "core": share, "version": version("mne-lsl")}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
