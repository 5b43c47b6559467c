"""Acquisition: samples and markers go in, stimulus-locked epochs come out. PURE."""
