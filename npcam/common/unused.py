"""Parts of NumPy and SciPy that are imported on the way and never used by npcam, put off until somebody does.

In the program `npcam` alone. SciPy takes over all names of NumPy, so that all is imported that NumPy
itself imports only when it is asked for: f2py, the helpers of its tests, masked arrays. And
`scipy.ndimage` imports `scipy.special` for its `rotate`. Its import takes 53 ms without them instead of 125.
"""

import importlib.util
import sys

from npcam.common.interrupts import PROGRAM

PARTS = ("numpy.f2py", "numpy.testing", "numpy.ma", "numpy.polynomial", "numpy.ctypeslib")


def import_ndimage() -> None:
    """Import `scipy.ndimage`, before it is used."""
    if PROGRAM:
        put_off("scipy.special")
    importlib.import_module("scipy.ndimage")


def put_off(*names: str) -> None:
    """Have modules loaded when one imports them by name or reads an attribute, unless they are there already.

    Args:
        names: members of packages that are imported.
    """
    for name in names:
        package, _, member = name.rpartition(".")
        spec = None if name in sys.modules else importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            continue
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        setattr(sys.modules[package], member, module)
