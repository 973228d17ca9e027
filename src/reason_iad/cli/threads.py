"""How many processor cores a command uses, and how threads wait for each other (docs/servers.md).

torch starts one thread per core. By default, threads wait for each other by counting at full speed. On an idle
machine this saves microseconds. Beside other busy programs, a thread that waits keeps a core from the thread that
it waits for, and an inspection takes many times as long. So the threads of this program sleep while they wait. How
many there are is left to torch unless --threads or the environment says so, because another number may move the
last bits of a result.

Only the command line does this, because it owns its process. `Inspector` never changes the settings of the program
that uses it: set OMP_WAIT_POLICY=PASSIVE (and OMP_NUM_THREADS) before Python starts, or call
`torch.set_num_threads`.
"""

from __future__ import annotations

import os
import sys

_NUMBERS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""What torch, its matrix products, NumPy and OpenCV read when they are loaded."""


def use_threads(threads: int | None) -> None:
    """Set up the threads of this process. Call it before torch, NumPy and OpenCV are loaded.

    Args:
        threads: how many; None: what the environment says, else as many as torch takes by itself.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if threads is None:
        return
    for name in _NUMBERS:
        os.environ[name] = str(threads)
    if "torch" in sys.modules:  # the command line is called from a program that has loaded it
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)
