"""What is written is read back, by ours and by pyxdf."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import pyxdf

from monitor.sources import xdf_writer
from monitor.sources.xdf_file import XdfFile


@pytest.mark.parametrize("n", [1, 255, 256, 70000])
def test_samples_and_stamps_bit_for_bit(tmp_path: Path, n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(0, 100, (n, 3)).astype(np.float32)
    t_lsl = 1e5 + np.cumsum(rng.uniform(0, 1e-3, n))
    text = "µV <&> " + "x" * n
    path = tmp_path / "a.xdf"
    path.write_bytes(
        xdf_writer.file_header()
        + xdf_writer.stream_header(
            1, name="a & b", kind="EMG", source_id="<id>", fs_hz=2000.0,
            channel_format="float32", labels=("L-APB", "R<2>", "TA"), unit="microvolts",
        )
        + xdf_writer.stream_header(
            2, name="m", kind="Markers", source_id="m", fs_hz=0.0, channel_format="string",
            labels=("marker",),
        )
        + xdf_writer.samples(1, values, t_lsl)
        + xdf_writer.clock_offset(1, 100.25, 0.25)
        + xdf_writer.text_sample(2, text, 7.5)
        + xdf_writer.boundary()
        + xdf_writer.stream_footer(1, n, float(t_lsl[0]), float(t_lsl[-1]))
        + xdf_writer.stream_footer(2, 1, 7.5, 7.5)
    )  # fmt: skip
    with XdfFile(path) as file:
        assert file.warnings == []
        header = file.streams[0]
        assert (header.name, header.source_id) == ("a & b", "<id>")
        assert (header.labels, set(header.units)) == (("L-APB", "R<2>", "TA"), {"microvolts"})
        read = file.read(1)
        np.testing.assert_array_equal(read.values, values)
        np.testing.assert_array_equal(read.stamps_s, t_lsl)
        assert [a.tolist() for a in file.clock_offsets(1)] == [[100.0], [0.25]]
        assert file.read(2).values[0, 0] == text
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    np.testing.assert_array_equal(streams[0]["time_series"], values)
    np.testing.assert_array_equal(streams[0]["time_stamps"], t_lsl)
    assert streams[1]["time_series"] == [[text]]
    assert streams[0]["footer"]["info"]["sample_count"] == [str(n)]
