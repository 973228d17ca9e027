"""The shape of the house (docs/architecture.md): who may import whom, and what may not be in the code at all."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src"
PACKAGE = "reason_iad"
MODULES = {
    ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((SRC / PACKAGE).rglob("*.py"))
}

ROOMS: dict[str, set[str]] = {
    # the ground floor: contracts, and files
    "errors": set(),
    "config": {"errors"},
    "schema": set(),
    "features": set(),
    "files": {"errors"},
    "images": {"errors"},
    "registry": {"errors"},
    # reaching a Ray to compute on
    "ray_session": {"errors", "images"},
    # the rooms: they do not know each other
    "backbones": {"config", "errors", "features", "files", "registry", "schema"},
    "reasoning": {"backbones.base", "config", "errors", "schema"},
    "knowledge": {"errors", "files", "schema"},
    "expert": {"errors", "features", "files", "images", "registry", "schema"},
    "report": {"errors", "files", "images", "schema"},
    "exports": {"errors", "files", "images", "schema"},
    # what is known of one kind of part, on disk
    "products": {"config", "errors", "expert", "features", "files", "images", "knowledge", "schema"},
    # one inspection: tells the story and knows the rooms
    "inspection": {"backbones", "config", "errors", "expert", "files", "images", "knowledge", "reasoning",
                   "schema"},
    # the inspector of a product
    "product_inspectors": {"config", "inspection", "knowledge", "products"},
    # where outcomes go
    "sinks": {"errors", "files", "inspection.many", "registry", "schema"},
    # the measuring room: uses the inspector as anybody would
    "bench": {"backbones", "config", "errors", "expert", "files", "images", "inspection", "knowledge",
              "ray_session", "registry", "report.svg", "schema"},
    # the service stands on all rooms and adds no verdict of its own
    "service": {
        "config", "errors", "exports", "files", "images", "inspection", "knowledge", "product_inspectors",
        "products", "ray_session", "report", "schema",
    },
    # asks a service, and needs nothing of it
    "client": {"errors"},
    "__init__": {"backbones.fake", "config", "errors", "inspection", "product_inspectors", "report", "schema"},
    "__main__": {"cli"},
}  # fmt: skip
"""Room (a module or a folder) to what it may import of this package; `cli` may import anything."""


def room_of(module: str) -> str:
    """The room a module is in: the longest name in the table that it begins with."""
    name = module.removeprefix(PACKAGE).removeprefix(".") or "__init__"
    fits = [room for room in (*ROOMS, "cli") if name == room or name.startswith(f"{room}.")]
    return max(fits, key=len, default="")


def every_module(test: Callable[[str], None]) -> Callable[[], None]:
    """One test of all modules, which names each that fails. Thousands of tests would be slow to collect."""

    def test_all() -> None:
        failed = []
        for module in MODULES:
            try:
                test(module)
            except AssertionError as error:
                failed.append(f"{module}: {error}")
        assert not failed, "\n".join(failed)

    test_all.__doc__ = test.__doc__
    return test_all


@cache
def parsed(path: Path) -> ast.Module:
    """A file, read once."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path, *, top_level: bool = False) -> frozenset[str]:
    """Full names of the modules that a file imports; with `top_level`, only what importing it really runs."""
    found: set[str] = set()
    for node in _executed(parsed(path)) if top_level else ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute here"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                found.add(full if full in MODULES else str(node.module))
    return frozenset(found)


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes outside functions and `if TYPE_CHECKING` blocks."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _executed(node)


@every_module
def test_imports_go_one_way(module: str) -> None:
    room = room_of(module)
    assert room, f"{module} is in no room; add it to the table and to docs/architecture.md"
    if room == "cli":
        return
    for name in imports(MODULES[module]):
        if not name.startswith(PACKAGE):
            continue
        target = name.removeprefix(PACKAGE).removeprefix(".")
        allowed = {room, *ROOMS[room]}
        if target and not any(target == other or target.startswith(f"{other}.") for other in allowed):
            raise AssertionError(
                f"{module} imports {name}; {room} may import only: {', '.join(sorted(ROOMS[room]))}"
            )


SERVICE = (
    "faults", "logs", "options", "background", "connections", "database", "keeping", "sinks", "sources",
    "configuration", "settings", "people", "reviews", "work", "outbox", "flow", "api", "server",
)  # fmt: skip
"""Rooms of the service; importing one imports no later one."""


@every_module
def test_the_rooms_of_the_service_stand_on_each_other(module: str) -> None:
    service = f"{PACKAGE}.service."
    if not module.startswith(service):
        return
    room = module.removeprefix(service).split(".")[0]
    assert room in SERVICE, f"add '{room}' to the list"
    for name in imports(MODULES[module], top_level=True):
        if name.startswith(service):
            other = name.removeprefix(service).split(".")[0]
            assert SERVICE.index(other) <= SERVICE.index(room), f"{room} imports {name}"


@every_module
def test_nothing_uses_the_workshop(module: str) -> None:
    assert "reason_iad_nano" not in {name.split(".")[0] for name in imports(MODULES[module])}
    assert "import reason_iad_nano" not in MODULES[module].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("library", "rooms"),
    [
        (
            "torch",
            {
                "features",  # for type checking only
                "backbones",
                "reasoning",
                "expert",
                "inspection",
                "bench",
                "service",  # the number of threads of a worker
                "cli",
            },
        ),
        (
            "transformers",
            {"backbones", "expert", "inspection", "cli"},
        ),  # its version; and the quick start of the program
        ("openai", {"backbones"}),
        ("lancedb", {"knowledge"}),
        ("matplotlib", {"bench", "report"}),
        ("jinja2", {"bench", "report"}),
        ("ray", {"bench", "ray_session", "service"}),
        ("sklearn", {"bench"}),
        ("statsmodels", {"bench"}),
        ("filelock", {"files"}),
        ("platformdirs", {"products"}),
        ("fastapi", {"service"}),
        ("watchfiles", {"service"}),
        ("harvesters", {"service"}),
        ("paho", {"service"}),
        ("httpx2", {"client", "service"}),
        ("sqlalchemy", {"service"}),
        ("click", {"cli"}),
        ("rich", {"cli"}),
    ],
)
def test_a_library_stays_in_its_rooms(library: str, rooms: set[str]) -> None:
    users = {
        room_of(module) for module, path in MODULES.items() if library in {n.split(".")[0] for n in imports(path)}
    }
    assert {room.split(".")[0] for room in users} <= rooms


@pytest.mark.parametrize("heavy", ["torch", "transformers", "lancedb", "pyarrow", "matplotlib", "scipy"])
def test_the_ground_floor_is_light(heavy: str) -> None:
    for room in (
        "",
        "errors",
        "schema",
        "config",
        "files",
        "images",
        "backbones.prompt",
        "inspection.many",
        "inspection.results",
        "inspection.questions",
        "products",
        "cli",
        "cli.installation",
        "__main__",
    ):
        name = f"{PACKAGE}.{room}".rstrip(".")
        assert heavy not in {n.split(".")[0] for n in imports(MODULES[name], top_level=True)}, name


@every_module
def test_a_long_file_says_why(module: str) -> None:
    text = MODULES[module].read_text(encoding="utf-8").splitlines()
    assert len(text) < 400 or any(line.startswith("# long because:") for line in text[:30]), f"{len(text)} lines"


@every_module
def test_a_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(parsed(MODULES[module]))


@every_module
def test_nothing_unsafe(module: str) -> None:
    path = MODULES[module]
    used = {name.split(".")[0] for name in imports(path)}
    assert not used & {"pickle", "torchvision", "dill", "joblib", "marshal", "shelve"}
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.keyword) and node.arg == "trust_remote_code":
            assert isinstance(node.value, ast.Constant) and node.value.value is False
        if isinstance(node, ast.Call):
            call = ast.unparse(node.func)
            assert call not in ("yaml.load", "yaml.full_load", "yaml.unsafe_load", "eval", "exec"), call
            if call == "torch.load":  # one file, whose SHA-256 is checked, and without code in it
                assert module == "reason_iad.expert.encoders.efficientnet_lite0"
                assert "weights_only=True" in ast.unparse(node)


def test_no_path_of_one_machine() -> None:
    pattern = re.compile(r"[\"'](/(?:home|root|work|opt|Users|mnt)/[^\"']*|[A-Z]:\\\\)")
    for path in MODULES.values():
        assert not pattern.search(path.read_text(encoding="utf-8")), path


@every_module
def test_functions_are_short_and_take_few_parameters(module: str) -> None:
    """Command functions take what their options say."""
    prescribed = {"suffix_attention"}  # the form that transformers gives an attention function
    for node in ast.walk(parsed(MODULES[module])):
        if not isinstance(node, ast.FunctionDef):
            continue
        lines = (node.end_lineno or node.lineno) - node.lineno + 1
        assert lines <= 60, f"{node.name} has {lines} lines"
        command = any("command" in ast.unparse(each) for each in node.decorator_list)
        given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        names = [each.arg for each in given if each.arg not in ("self", "cls")]
        assert len(names) <= 8 or command or node.name in prescribed, f"{node.name} takes {len(names)} parameters"


def test_only_the_encoder_asks_a_model_for_features() -> None:
    asking = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr == "patch_features"
    }
    assert asking == {"reason_iad.expert.encoders.tower"}
