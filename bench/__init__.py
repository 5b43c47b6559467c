"""Benchmarks: each prints the machine, versions, n and percentiles, its peer or floor beside it.

Run as ``python -m bench.NAME``; the results that the README quotes stand in ``bench/RESULTS.md``.
"""
