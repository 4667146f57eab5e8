"""The check of a site's links, on made-up pages."""

import pytest
from check_site import main, problems

GOOD = """<html><head><link rel="stylesheet" href="s/a.css?v=1"><link rel="canonical" href="https://x.org">
</head><body><h1 id="top">a</h1><a name="old"></a><a href="#top">up</a><a href="s/">s</a>
<a href="s/index.html#here%20too">there</a><a href="https://x.org/missing">out</a><a href="mailto:a@x">m</a>
<img src="a.png" srcset="a.png, s/a%20b.png 2x"><img src="data:image/png;base64,AA"><a href="b.html#old">b</a>
</body></html>"""


@pytest.fixture
def site(tmp_path):
    """A site in which everything is right."""
    (tmp_path / "s").mkdir()
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "b.html").write_text(GOOD)
    (tmp_path / "s" / "index.html").write_text('<p id="here too"><a href="../index.html#top">up</a></p>')
    (tmp_path / "s" / "a.css").write_text("p { background: url(a.png) }")
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "part.html").write_text('<a href="{{ made later }}">x</a>')
    for name in ("a.png", "s/a b.png", "s/a.png"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_site_in_which_all_is_right(site, capsys):
    """Files, folders, anchors, escapes, links to elsewhere: no complaint."""
    assert problems(site) == []
    assert main([str(site)]) == 0
    assert "every link within leads somewhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("tag", "said"),
    [
        ('<a href="gone.html">x</a>', "c.html: gone.html: no such file"),
        ('<a href="index.html#gone">x</a>', "c.html: index.html#gone: no such place in the page"),
        ('<a href="#gone">x</a>', "c.html: #gone: no such place in the page"),
        ('<img src="gone.png">', "c.html: gone.png: no such file"),
        ('<img srcset="a.png, gone.png 2x">', "c.html: gone.png: no such file"),
        ('<a href="../up.txt">x</a>', "c.html: ../up.txt: leads out of the site"),
        ('<script src="https://x.org/a.js">', "c.html: https://x.org/a.js: is fetched from elsewhere"),
        ('<img src="//x.org/a.png">', "c.html: //x.org/a.png: is fetched from elsewhere"),
        (
            '<link rel="stylesheet" href="https://x.org/a.css">',
            "c.html: https://x.org/a.css: is fetched from elsewhere",
        ),
    ],
)
def test_what_is_wrong_is_named(site, capsys, tag, said):
    """The page, the address, and what is wrong with it; status 1."""
    inner = site / "in"
    site.rename(site.parent / "moved")
    site.mkdir()
    (site.parent / "moved").rename(inner)
    (site / "up.txt").write_text("outside")
    (inner / "c.html").write_text(f"<p>{tag}</p>")
    assert problems(inner) == [said]
    assert main([str(inner)]) == 1
    assert said in capsys.readouterr().err


def test_styles_that_fetch(site):
    """A font from elsewhere is found in the style sheet."""
    (site / "s" / "a.css").write_text("@font-face { src: url( 'https://x.org/a.woff' ) }")
    assert problems(site) == ["s/a.css: fetches something from elsewhere"]
