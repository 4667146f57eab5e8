"""The rule of imports, read from every import in `npcam/`, those inside functions too.

The house has rooms: a folder of `npcam/` is one, a file at its top is one of its own. A room uses
only rooms below it, four rooms are entered by their doors, and nothing closes a circle.
"""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "npcam"
DOORS = ("engine", "hdf5", "keras_files", "weights")
BY_NAME = ("random",)  # files of `weights` that are entered by name
CORE = ("ops", "resnet", "cam", "labels", "model", "preprocessing", "explain", "images", "weights")

# Each room, and the rooms that it uses; `shapes` and `common` are for everybody.
USES = {
    "common": (),
    "shapes": (),
    "ops": (),
    "naive": (),
    "resnet": ("ops",),
    "layers": ("resnet",),
    "preprocessing": (),
    "hdf5": (),
    "weights": ("hdf5", "layers", "resnet", "preprocessing"),
    "engine": ("ops", "resnet", "layers"),
    "keras_files": ("hdf5", "weights", "layers", "resnet", "preprocessing"),
    "cam": (),
    "labels": (),
    "pictures": ("cam", "labels"),
    "images": ("preprocessing",),
    "card": ("weights", "labels"),
    "model": ("card", "engine", "weights", "labels", "layers", "resnet", "preprocessing"),
    "explain": ("model", "cam", "labels", "images", "pictures"),
    "inside": ("model", "images", "pictures"),
    "stages": ("model", "weights", "layers", "resnet"),
    "slides": ("stages", "inside", "model", "images", "pictures", "labels"),
    "convert": ("keras_files", "weights", "hdf5", "layers", "resnet", "preprocessing"),
    "verify": (
        *("model", "keras_files", "engine", "weights", "hdf5", "layers", "resnet", "ops", "images"),
        *("preprocessing", "cam", "pictures"),
    ),
    "explore": ("model", "images", "layers", "weights", "labels", "pictures"),
    "stream": ("explain", "model", "images", "pictures"),
    "datasets": ("model", "labels"),
    "localise": ("datasets", "stream", "explain", "model", "images", "pictures", "cam", "labels", "weights"),
    "audit": (
        *("localise", "datasets", "stream", "explain", "model", "images", "pictures", "cam", "labels"),
        *("weights", "preprocessing", "layers"),
    ),
    "report": (
        *("audit", "localise", "datasets", "stream", "explain", "model", "images", "pictures", "convert"),
        *("verify", "cam", "card", "labels", "weights"),
    ),
    "cli": (
        *("slides", "explore", "report", "audit", "localise", "datasets", "stream", "convert", "verify"),
        *("explain", "inside", "model", "weights", "labels", "images", "pictures"),
    ),
    "__init__": (
        *("naive", "ops", "cam", "explain", "labels", "model", "images", "verify"),
        *("inside", "pictures"),
    ),
    "__main__": ("cli",),
}
FOR_EVERYBODY = ("common", "shapes")


def module_name(path: Path) -> str:
    """`npcam.hdf5.reader` for npcam/hdf5/reader.py, `npcam.hdf5` for its `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module: str) -> str:
    """The room of a module: `hdf5` for `npcam.hdf5.reader`."""
    return module.split(".")[1]


def handed_on(package: str) -> set[str]:
    """The names that a folder's `__init__` imports: `check` of `npcam.weights` is a function."""
    path = MODULES.get(package, PACKAGE)
    if path.name != "__init__.py":
        return set()
    nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in nodes for alias in node.names}


def imports(module: str, for_types: bool = True) -> list[tuple[str, str]]:
    """(module, name) of everything of npcam's that a module imports, in functions too.

    Args:
        module: the importing module.
        for_types: whether imports under `if TYPE_CHECKING` count.
    """
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    ignored = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not for_types:
            ignored.update(ast.walk(node))
    found = []
    for node in ast.walk(tree):
        if node in ignored:
            continue
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            base = node.module or ""
            if base == "npcam" or base.startswith("npcam."):
                for alias in node.names:
                    whole = f"{base}.{alias.name}"
                    a_module = whole in MODULES and alias.name not in handed_on(base)
                    found.append((whole, "") if a_module else (base, alias.name))
        elif isinstance(node, ast.Import):
            found += [(a.name, "") for a in node.names if a.name == "npcam" or a.name.startswith("npcam.")]
    return found


def lines_of(rooms: tuple[str, ...]) -> int:
    """How many lines the files of some rooms have."""
    return sum(len(path.read_text().splitlines()) for name, path in MODULES.items() if room(name) in rooms)


@pytest.mark.parametrize("module", MODULES)
def test_a_room_uses_rooms_below_it_only(module):
    """Every import is one that the table above allows; nothing imports the package root."""
    own = room(module)
    for other, name in imports(module):
        assert other != "npcam", f"{module} imports {name or 'npcam'} from the package root"
        allowed = (own, *FOR_EVERYBODY, *USES[own])
        assert room(other) in allowed, f"{module} imports {other}: {own} may use {allowed}"


@pytest.mark.parametrize("module", MODULES)
def test_doors(module):
    """The four machines are entered by their doors, from outside; inside nobody goes through them."""
    for other, name in imports(module):
        place = other.split(".")
        if room(other) not in DOORS:
            continue
        if room(module) == room(other):
            assert len(place) == 3 or module == other, f"{module} imports {name} through its own door"
        elif len(place) == 3:
            assert place[2] in BY_NAME, f"{module} imports {other}.{name}, past the door of {place[1]}"


def test_the_table_has_no_arrow_up():
    """The rooms can be put in one order; so no chain of rooms leads back to where it began."""
    order: list[str] = []
    while len(order) < len(USES):
        ready = [name for name, uses in USES.items() if name not in order and set(uses) <= set(order)]
        assert ready, f"a circle among {sorted(set(USES) - set(order))}"
        order += ready
    assert set(USES) == {room(name) for name in MODULES}


def test_no_circle_of_modules():
    """Module by module, too: whoever imports is above what it imports."""
    below = {name: {o for o, _ in imports(name)} - {name} for name in MODULES}
    for name, others in below.items():  # importing a door is importing its `__init__`
        assert others <= set(MODULES), f"{name} imports {others - set(MODULES)}, which is not there"
    waiting = dict(below)
    while waiting:
        free = [name for name, others in waiting.items() if not others & set(waiting)]
        assert free, f"a circle among {sorted(waiting)}"
        for name in free:
            del waiting[name]


@pytest.mark.parametrize("module", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_a_door_defines_nothing(module):
    """An `__init__.py` holds a docstring, imports (also for type checkers), and what it hands on."""
    tree = ast.parse(MODULES[module].read_text())
    docstring, *rest = tree.body
    assert isinstance(docstring, ast.Expr)
    assert ast.get_docstring(tree)
    choices = [node for node in rest if isinstance(node, ast.If)]
    assert {ast.unparse(node.test) for node in choices} <= {"TYPE_CHECKING"}
    rest = [node for node in rest if node not in choices] + [n for c in choices for n in c.body + c.orelse]
    for node in rest:
        listed = isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        assert isinstance(node, ast.ImportFrom) or listed, f"{module}: {ast.unparse(node)[:60]}"


def test_the_core_is_small():
    """The way of a photograph to its explanation is under 2,500 lines, and needs no Keras files or verify."""
    assert lines_of(CORE) < 2_500
    seen: set[str] = set()
    todo = [name for name in MODULES if room(name) in CORE]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [other for other, _ in imports(name)]
    assert not {room(name) for name in seen} & {"verify", "keras_files", "convert", "cli"}


def test_only_one_file_imports_keras():
    """Keras is imported in `verify/live_keras.py` and nowhere else."""
    found = [
        name
        for name, path in MODULES.items()
        if re.search(r"^\s*(?:import|from) (?:keras|tensorflow|torch|jax)\b", path.read_text(), re.MULTILINE)
    ]
    assert found in ([], ["npcam.verify.live_keras"])


def test_contributing_lists_every_module():
    """The table in CONTRIBUTING.md has each module of `npcam/` once, and none that is not there."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `([\w/]+\.py)` \|", text, re.MULTILINE)
    listed = set(rows)
    assert len(rows) == len(listed), f"twice: {sorted(name for name in listed if rows.count(name) > 1)}"
    there = {str(path.relative_to(PACKAGE)) for path in MODULES.values() if path.name != "__init__.py"}
    assert listed == there, f"missing: {sorted(there - listed)}; gone: {sorted(listed - there)}"
