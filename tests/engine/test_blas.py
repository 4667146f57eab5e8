"""BLAS kept to one thread, and what is known of it."""

import threading
from unittest import mock

import pytest
import threadpoolctl

from npcam.engine import blas
from npcam.engine.blas import one_blas_thread, unpacked_products


def blas_threads():
    """How many threads each BLAS in this process may use now."""
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]


def test_blas_has_its_threads_back_when_the_last_one_leaves():
    """Nested or from several threads, the limit ends with the last user."""
    before = blas_threads()
    with one_blas_thread:
        with one_blas_thread:
            assert set(blas_threads()) <= {1}
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def test_blas_is_limited_by_any_thread_and_freed_by_any_other():
    """The first to come and the last to leave are different threads, and neither was here before."""
    before, seen = blas_threads(), []
    with one_blas_thread:
        pass
    here, go = threading.Event(), threading.Event()

    def first():
        with one_blas_thread:
            seen.append(blas_threads())
            here.set()
            assert go.wait(30)

    thread = threading.Thread(target=first)
    thread.start()
    assert here.wait(30)
    with one_blas_thread:
        go.set()
        thread.join()
        seen.append(blas_threads())
    assert all(set(threads) <= {1} for threads in seen)
    assert blas_threads() == before
    with threadpoolctl.threadpool_limits(limits=1, user_api="blas"):  # somebody else may have it now
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def openblas(architecture):
    """What threadpoolctl tells of an OpenBLAS."""
    return {"user_api": "blas", "internal_api": "openblas", "architecture": architecture}


@pytest.mark.parametrize(
    ("libraries", "expected"),
    [
        ([openblas("SkylakeX")], 1_000_000),
        ([openblas("SkylakeX"), openblas("SapphireRapids"), {"user_api": "openmp"}], 1_000_000),
        ([openblas("Haswell")], 0),
        ([openblas("SkylakeX"), openblas("Haswell")], 0),
        ([{"user_api": "blas", "internal_api": "mkl"}], 0),
        ([{"user_api": "openmp"}], 0),
        ([], 0),
    ],
)
def test_what_is_multiplied_without_packing(libraries, expected):
    """Small matrices, by OpenBLAS's kernels for AVX-512; by any other that is known, none."""
    known = mock.Mock(info=lambda: libraries)
    with mock.patch.object(blas, "_libraries", return_value=known):
        assert unpacked_products.__wrapped__() == expected
