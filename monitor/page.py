"""Where the built page lies, and what to say where it was not built."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).parent / "gateway" / "page"
PAGE_MISSING = "the page is not built (run 'make page'): only the API and 'watch' will work"


def page_is_built(page: Path = PAGE) -> bool:
    return (page / "index.html").is_file()
