"""The one way to liblsl: loaded on demand, and told how far it may reach before its first call."""

from __future__ import annotations

import os
from typing import Any, Literal

from monitor.types import MonitorError

Scope = Literal["loopback", "link", "site", "default"]

#: Cases on one machine that give this variable different values never see each other's streams
#: (LSL's own session id); a test run sets it so as not to meet the demo that runs beside it.
SESSION_VARIABLE = "MEP_MONITOR_LSL_SESSION"

_SCOPES: dict[Scope, str] = {
    # Nothing is sent to, or asked of, another machine.
    "loopback": """\
[ports]
IPv6 = disable
[multicast]
ResolveScope = machine
ListenAddress = 127.0.0.1
MachineAddresses = {127.0.0.1}
LinkAddresses = {}
SiteAddresses = {}
OrganizationAddresses = {}
GlobalAddresses = {}
[lab]
KnownPeers = {127.0.0.1}
""",
    "link": "[multicast]\nResolveScope = link\n[lab]\n",
    "site": "[multicast]\nResolveScope = site\n[lab]\n",
    # Whatever the machine's own lsl_api.cfg says.
    "default": "",
}


def settings(scope: Scope, session: str = "") -> str:
    """liblsl's settings for a scope, as its INI text; empty: leave liblsl to its own file."""
    text = _SCOPES[scope]
    if text and session:
        text += f"SessionID = {session}\n"
    # Level -1: warnings and errors. A terminal that follows a case is no place for the rest.
    return text and f"[log]\nlevel = -1\n{text}"


# liblsl keeps its settings per process and for good; this is the memory of what it was told.
_configured: list[Scope] = []


def configure(scope: Scope) -> Any:
    """The ``pylsl`` module with liblsl's reach set, once a process; repeating is fine.

    Raises:
        MonitorError: liblsl isn't there, or has been configured for another scope.
    """
    try:
        import pylsl
    except (ImportError, OSError, RuntimeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MonitorError(f"liblsl can't be loaded (pylsl): {reason}") from None
    if not _configured:
        content = settings(scope, os.environ.get(SESSION_VARIABLE, ""))
        if content:
            pylsl.set_config_content(content)
        _configured.append(scope)
    elif _configured != [scope]:
        raise MonitorError(
            f"signal.lsl_scope {scope}: this process already uses LSL with scope {_configured[0]}"
        )
    return pylsl
