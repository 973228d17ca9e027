"""What is changed in the examples before they run, and what does not run at all. Every line says why."""

from __future__ import annotations

SUBSTITUTIONS: dict[str, str] = {
    # large models and APIs: the embedded model stands in
    "--model Qwen/Qwen2.5-VL-7B-Instruct --device cuda": "--model nano",
    "--model Qwen/Qwen2.5-VL-7B-Instruct": "--model nano",
    "--model openai:Qwen/Qwen2.5-VL-7B-Instruct --base-url http://localhost:8000/v1": "--model nano",
    # Ray takes longer to start than all other examples together; tests/bench runs it
    "--ray --workers 2": "",
    "--ray HEAD:6379 --workers 16 --gpus 1": "",
    # fewer drawn parts
    "nano questions -n 250": "nano questions -n 2 --size 168",
    "nano questions --invented-names -n 250": "nano questions --invented-names -n 2 --size 168",
    # these two draw hundreds of parts at any --n; tests/nano measures them
    "--split fused --n 150": "--split held_out --n 1",
    "--split inputs --n 150": "--split held_out --n 1",
    "--split new --split held_out --split renamed --n 300": "--split new --split held_out --split renamed --n 1",
    # the product of the examples has too few good pictures to fit a model with
    "product fit bracket --model Qwen/Qwen2.5-VL-7B-Instruct": "product show bracket",
    "product fit bracket": "product show bracket",
    # the fake model has no numbers that weigh the map
    " --fuse": "",
}
"""Text in a command, and what stands in for it; longer texts go first."""

NOT_RUN: dict[str, str] = {
    "make ": "builds an environment; the test looks whether the target exists",
    "pip install": "changes the environment",
    ".venv/bin/pre-commit": "changes the checkout",
    "python benchmarks/": "takes minutes; the test looks whether the script exists",
    "export ": "sets a variable of the shell",
    "source ": "changes the shell",
    "ray ": "needs the machines of a cluster",
    "curl ": "needs a running server; tests/service/test_service_page.py runs it",
    "reason-iad serve": "goes on until it is stopped; the test looks whether it takes these options",
}
"""Beginnings of commands that do not run, and why."""

EXIT_CODES: dict[str, tuple[int, ...]] = {"inspect": (0, 1, 4, 5), "compare": (0, 1)}
"""Which exit codes are right for a command, where it is not 0 alone: 1, 4 and 5 are verdicts."""


ELSEWHERE = {"docs/extending.md": "tests/test_extending.py installs and runs each of its examples"}
"""Pages whose examples another test runs."""

EMBEDDED = ("docs/schemas.md", "docs/servers.md")
"""Pages whose examples run on the embedded model; on the others the fake model stands in, which takes no time."""


def stand_in(command: str) -> str:
    """The command that runs in place of one in the documents."""
    for text in sorted(SUBSTITUTIONS, key=len, reverse=True):
        command = command.replace(text, SUBSTITUTIONS[text])
    return command
