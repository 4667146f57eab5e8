"""Where weights lie: the bundled model, fetched ones by name, or the path of a file."""

from pathlib import Path

from npcam.common.published import NAMES, find

BUNDLED = "photos14.h5"


def weights_path(path: str | Path | None = None) -> Path:
    """A path, an official name (`resnet50`) that no file of that name hides, or the bundled model.

    Raises:
        InputError: an official name whose weights are not fetched yet.
    """
    if path is None:
        return bundled_path()
    if str(path) in NAMES and not Path(path).exists():
        return find(str(path))
    return Path(path)


def bundled_path() -> Path:
    """Where the bundled model is: in the installed package, or in a checkout's `weights/`."""
    package = Path(__file__).parents[1]
    installed, checkout = package / "bundled" / BUNDLED, package.parent / "weights" / BUNDLED
    return installed if installed.exists() else checkout
