"""Parts of NumPy and SciPy that are put off."""

import subprocess
import sys

from helpers.program import environment

from npcam.common.unused import PARTS


def printed(program):
    """What a new process prints."""
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, capture_output=True, text=True, check=True, env=environment())
    return done.stdout.split()


def test_a_part_is_imported_when_its_first_attribute_is_read():
    """Until then it is there by name; afterwards it is the module itself, and what was there before stays."""
    program = """if True:
        import sys, numpy, json.decoder
        from npcam.common.unused import put_off
        before = sys.modules["json.decoder"]
        put_off("json.tool", "json.decoder", "json.no_such_module")
        print(sys.modules["json.decoder"] is before, "json.no_such_module" in sys.modules)
        print(type(json.tool).__name__, sys.modules["json.tool"] is json.tool)
        print(json.tool.main.__name__, type(json.tool).__name__)"""
    assert printed(program) == ["True", "False", "_LazyModule", "True", "main", "module"]


def test_scipy_does_without_them_and_numpy_has_them():
    """`scipy.ndimage` reads none of them; whoever asks NumPy for one afterwards has all of it."""
    program = f"""if True:
        import sys, numpy
        from npcam.common.unused import put_off
        put_off(*{PARTS})
        put_off("scipy.special")
        import scipy.ndimage
        print(scipy.ndimage.zoom(numpy.eye(2), 2, order=1).shape)
        parts = "numpy.f2py", "numpy.testing", "scipy.special"
        print(*(type(sys.modules[part]).__name__ for part in parts))
        assert scipy.ndimage.rotate(numpy.eye(2), 90, order=1).round(6).tolist() == [[0, 1], [1, 0]]
        print(scipy.special.comb(4, 2), type(scipy.special).__name__)
        numpy.testing.assert_array_equal(numpy.ma.masked_array([1, 2], [0, 1]).sum(), 1)
        print(numpy.polynomial.Polynomial([1, 2])(3), numpy.ctypeslib.as_ctypes_type("f4").__name__)"""
    found = printed(program)
    assert found[-4:] == ["6.0", "module", "7.0", "c_float"]
    assert found[:2] == ["(4,", "4)"]
    assert found[2:5] == ["_LazyModule"] * 3
