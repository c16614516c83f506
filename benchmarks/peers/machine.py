"""What machine and which versions a run was on; no name of the machine and no path."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from peers.sides import available_cores


def facts() -> dict[str, Any]:
    """The processor as it calls itself and as LLVM does, cores, memory, and the system."""
    from chainrule.kernels.machine import processor

    return {
        "processor": _model(),
        "llvm_name": processor()[0],
        "cores": len(available_cores()),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
