"""NumPy's BLAS: keep it to one thread, and know which matmuls it does without packing."""

import threading
from functools import cache
from typing import Any

import threadpoolctl

UNPACKED = 1_000_000  # products up to which OpenBLAS's kernels for AVX-512 pack nothing
AVX512 = {"SkylakeX", "Cooperlake", "SapphireRapids"}  # OpenBLAS's names for them


@cache
def _libraries() -> threadpoolctl.ThreadpoolController:
    """Those with threads of their own that this process has loaded."""
    return threadpoolctl.ThreadpoolController()


class OneBlasThread:
    """A context with BLAS at one thread, until the last of all who are in it leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, int]] = []  # libraries, and the threads of each

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._take_control()
                blas = [library for library in _libraries().lib_controllers if library.user_api == "blas"]
                self._before = [(library, library.num_threads) for library in blas]
                self._set([(library, 1) for library in blas])
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._take_control()
                self._set(self._before)
                self._take_control()

    def _set(self, threads: list[tuple[Any, int]]) -> None:
        """How many threads each library may use; threadpoolctl's own context takes seven times as long."""
        for library, count in threads:
            library.set_num_threads(count)

    def _take_control(self) -> None:
        """Let this thread set the limit, and after it any other.

        From threadpoolctl 3.8 on, OpenBLAS's limit belongs to the thread that set it first; what
        another one sets does nothing, without a word. Here the first who comes and the last who
        leaves are different threads, and the lock keeps them from each other.
        """
        for library in _libraries().lib_controllers:
            if hasattr(library, "clear_controlling_thread"):
                library.clear_controlling_thread(force=True)


one_blas_thread = OneBlasThread()


@cache
def unpacked_products() -> int:
    """Up to how many products BLAS multiplies two matrices without packing them; 0 where it always packs.

    Reason: OpenBLAS lays both matrices out anew before it multiplies, which takes a quarter of the
    time where few rows meet a large kernel. Its kernels for AVX-512 do without where the matrices are
    small (`sgemm_small_matrix_permit`): 200 instead of 155 GFLOP/s of one core where the 49 positions
    of conv5 meet filters that no cache holds, 250 instead of 230 elsewhere.
    """
    libraries = [library for library in _libraries().info() if library["user_api"] == "blas"]
    small = [library.get("architecture") in AVX512 for library in libraries]
    return UNPACKED if small and all(small) else 0
