"""From an epoch to measurements: artefact, mains, filter, response, onset, amplitude, shape. PURE.

In the order in which a sweep passes: :mod:`plan` (where everything lies), :mod:`clean`,
:mod:`filters`, :mod:`noise`, :mod:`detect`, :mod:`tkeo`, :mod:`envelope`, :mod:`morphology`,
:mod:`resample` and :mod:`network`, :mod:`reconcile`; :mod:`sweep` is the whole chain and
:mod:`epoch` applies it to a trial.
"""
