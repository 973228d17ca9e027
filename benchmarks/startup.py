"""How long the program takes until it says something: best of N cold interpreters, in milliseconds.

    python benchmarks/startup.py [N]

The bound that is kept is 100 ms for each, on a machine that does nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {
    "python itself": ["-c", "pass"],
    "import reason_iad": ["-c", "import reason_iad"],
    "reason-iad --help": ["-m", "reason_iad", "--help"],
    "reason-iad inspect --help": ["-m", "reason_iad", "inspect", "--help"],
    "reason-iad knowledge --help": ["-m", "reason_iad", "knowledge", "--help"],
}


def main() -> None:
    """Measure and print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for name, words in COMMANDS.items():
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
        print(f"{name:<30} {min(times) * 1000:6.0f} ms")


if __name__ == "__main__":
    main()
