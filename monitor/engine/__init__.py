"""The process that owns one case: source -> pipeline -> journal -> gateway; commands come in."""

from monitor.engine.case import Engine, run_case

__all__ = ["Engine", "run_case"]
