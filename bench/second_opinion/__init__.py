"""Labelled sweeps made another way than ours, for ``bench.accuracy --sweeps``: a second opinion.

Whoever learns from one simulator and is scored on it may have learnt its habits. Nothing here comes
from :mod:`models`, and nothing may: responses, set-ups, noise and artefacts were written from the
literature alone, without a look at it. Two families: sums of motor-unit potentials
(:mod:`.motor_units`) and smooth templates (:mod:`.templates`).
``python -m bench.second_opinion --out DIR`` writes them.

Never train, tune or choose on the default seed. Microvolts and milliseconds; latencies count from
the first pulse, which lies on the stimulus sample.
"""
