"""How the monitor's network comes about: simulated sweeps, architecture, training, export, proof.

Nothing here runs while a case is monitored; the wheel carries the weights alone. From the root of
the checkout, with the ``train`` extra installed::

    python -m models.train       # simulate, fit, calibrate, write a checkpoint
    python -m models.export      # checkpoint -> models/weights/mep_cnn.onnx, its hash on stdout
    python -m models.evaluate    # errors on the held-out seeds, beside the TKEO stage's
    python -m models.site        # what fine-tuning gains at a simulated other hospital

:mod:`models.responses` and :mod:`models.disturbances` say what is assumed about muscle and room,
:mod:`models.simulator` puts a sweep together (and writes labelled ones: ``--out FILE.npz``),
:mod:`models.dataset` sends it through the monitor's own cleaning and resampling,
:mod:`models.picture` shows fifty of them. :mod:`models.compact` is the deployed network,
:mod:`models.architecture` the CNN paper's (``--network paper``), a reference for the benchmark.
"""
