"""``python -m monitor.journal CASE FILE.zip``: a case as one ZIP, made in a process of its own."""

from __future__ import annotations

import sys
from pathlib import Path

from monitor.journal.export import zip_case
from monitor.types import MonitorError


def main() -> int:
    folder, path = sys.argv[1:]
    try:
        zip_case(Path(folder), Path(path))
    except MonitorError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
