"""The example notebook, run from the first cell to the last as a notebook runs it."""

import base64
import io
import os
from pathlib import Path

import pytest
from helpers.needs import needs
from PIL import Image

import npcam

ROOT = Path(npcam.__file__).parents[1]
EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture(scope="module")
def notebook():
    """The notebook with the outputs of a fresh kernel, by the cells' names."""
    nbclient, nbformat = needs("nbclient"), needs("nbformat")
    needs("ipykernel")
    needs("matplotlib")
    made = nbformat.read(EXAMPLES / "tour.ipynb", as_version=4)
    nbformat.validate(made)
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    client = nbclient.NotebookClient(made, timeout=300, resources={"metadata": {"path": str(EXAMPLES)}})
    client.execute(env=environment)
    return {cell.id: cell.get("outputs", []) for cell in made.cells}


def pictures(outputs):
    """The pictures among a cell's outputs, those within HTML, too."""
    found = []
    for output in outputs:
        data = output.get("data", {})
        text = data.get("text/html", "")
        if "base64," in text:
            found.append(text.split("base64,")[1].split('"')[0])
        elif "image/png" in data:
            found.append(data["image/png"])
    return [Image.open(io.BytesIO(base64.b64decode(code))) for code in found]


@pytest.mark.slow
def test_every_cell_runs_and_shows_what_it_says(notebook):
    """No cell ends in an error; pictures are pictures, the card and the tables have the model's names."""
    assert not [
        output for outputs in notebook.values() for output in outputs if output.output_type == "error"
    ]
    for name in ("explain", "several", "versus", "parts", "maps", "own"):
        (picture,) = pictures(notebook[name])
        assert picture.width > 300
        assert len(picture.convert("RGB").getcolors(2**24)) > 100
    model = npcam.load_model()
    assert "garbage truck" in notebook["model"][0]["data"]["text/html"]
    assert notebook["summary"][0]["data"]["text/plain"] == str(model.summary())
    assert notebook["layer"][0]["data"]["text/plain"] == "(7, 7, 3, 16)"
    said = notebook["adds"][0]["text"].split()
    assert float(said[0]) == pytest.approx(float(said[2]), abs=2e-4)
    e = npcam.explain(model, EXAMPLES / "rocket.jpg")
    assert notebook["parts"][0]["text"].count("%") == len(e.boxes)
    assert "cat" in notebook["explain"][0]["data"]["text/html"]


def test_the_notebook_is_kept_without_outputs():
    """What a run leaves is not kept, so that a difference is one of the text."""
    import json

    cells = json.loads((EXAMPLES / "tour.ipynb").read_text())["cells"]
    assert not [cell for cell in cells if cell.get("outputs") or cell.get("execution_count")]
