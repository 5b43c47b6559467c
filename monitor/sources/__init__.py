"""Where samples, markers and time come from: live LSL, recordings, a simulated case.

Every source hands over the same :class:`~monitor.types.Chunk`, :class:`~monitor.types.Marker`,
:class:`~monitor.types.ClockOffset` and :class:`~monitor.types.Tick`; what follows can't tell them
apart (see :mod:`monitor.sources.base`).
"""
