"""How `make site` makes the pages: everything from this checkout, nothing from the internet."""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # the API is read from this checkout, whatever else is installed

from npcam.common.version import __version__  # noqa: E402

project = "npcam"
author = "The npcam authors"
project_copyright = author
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["lesson"]
root_doc = "index"
suppress_warnings = ["config.cache"]  # the gallery's settings hold a function

# Pages in Markdown, as they are read on a code host, too.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

# Docstrings: Google's style, with code in single backticks.
default_role = "code"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
toc_object_entries = False

# The lesson's chapters, run one after the other; one that fails ends the build.
sphinx_gallery_conf: dict[str, Any] = {
    "examples_dirs": "lesson",
    "gallery_dirs": "chapters",
    "filename_pattern": r"plot_\d",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "doc_module": ("npcam",),
    "show_memory": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "show_signature": False,
    "image_srcset": ["2x"],
}

html_theme = "pydata_sphinx_theme"
html_title = "npcam"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_align": "left",
    "show_prev_next": True,
    "footer_start": [],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "search_bar_text": "Search",
}
html_context = {"default_mode": "light"}
html_math_renderer = "mathml"
html_static_path = ["site"]
html_css_files = ["npcam.css"]


def setup(app: Any) -> None:
    """Formulas as MathML, which every browser draws by itself: no script to fetch from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))


def _mathml(text: str, block: bool) -> str:
    """A formula in LaTeX as MathML; one that cannot be read ends the build."""
    from docutils.utils.math.latex2mathml import tex2mathml

    return str(tex2mathml(text, as_block=block))


def _inline(page: Any, node: Any) -> None:
    from docutils import nodes

    page.body.append(_mathml(node.astext(), block=False))
    raise nodes.SkipNode


def _block(page: Any, node: Any) -> None:
    from docutils import nodes

    page.body.append(f'<div class="formula">{_mathml(node.astext(), block=True)}</div>\n')
    raise nodes.SkipNode
