"""Write the second opinion's sets: ``python -m bench.second_opinion --out DIR``.

``units_clean.npz``, ``units_mixed.npz``, ``templates_clean.npz``, ``templates_mixed.npz``, each for
``python -m bench.accuracy --sweeps FILE.npz``. Of the mixed sweeps 0.35 hold an artefact, of the
clean ones none. The default seed is for scoring alone: never train, tune or choose on it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.second_opinion import motor_units, templates
from bench.second_opinion.sets import make_set

SEED = 1859
SWEEPS = 1600
FAMILIES = {"units": motor_units, "templates": templates}
ARTEFACT_SHARES = {"clean": 0.0, "mixed": 0.35}


def write_sets(folder: Path, seed: int, count: int) -> list[Path]:
    """Write the four, ``count`` sweeps each, every one from a generator of its own; their paths."""
    paths: list[Path] = []
    for family, made in FAMILIES.items():
        for share_name, share in ARTEFACT_SHARES.items():
            rng = np.random.default_rng([seed, len(paths)])
            path = folder / f"{family}_{share_name}.npz"
            arrays = make_set(rng, count, made.response, share, made.NOISE_SD_UV)
            np.savez(path, allow_pickle=False, **arrays)
            paths.append(path)
    return paths


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.second_opinion", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the folder for the four files")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--n", type=int, default=SWEEPS, help="sweeps a file")
    options = parser.parse_args(arguments)
    if options.n < 1:
        parser.error("--n must be 1 or more")
    options.out.mkdir(parents=True, exist_ok=True)
    for path in write_sets(options.out, options.seed, options.n):
        print(path)


if __name__ == "__main__":
    main()
