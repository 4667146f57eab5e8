"""The XML of one photograph, honest and hostile."""

import pytest
from helpers.labelled import write, xml, xml_object

from npcam import InputError
from npcam.datasets.photographs import TrueBox
from npcam.datasets.xml_boxes import read_annotation


def read(tmp_path, text):
    return read_annotation(write(tmp_path / "1.xml", text))


def refused(tmp_path, data):
    """What is said of a file that cannot be used, without its path."""
    path = tmp_path / "1.xml"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_annotation(path)
    assert str(caught.value).startswith(f"{path}")
    return str(caught.value).removeprefix(str(path))


def test_pascal_voc_counts_pixels_from_one(tmp_path):
    """Pixels 11 to 20 of a row lie between the edges 10 and 20: the corner's pixel belongs to the box."""
    found = read(tmp_path, xml([("cat", 11, 21, 20, 25), ("dog", 1, 1, 100, 80)]))
    assert found.boxes == (TrueBox("cat", (10, 20, 20, 25)), TrueBox("dog", (0, 0, 100, 80)))
    assert (found.filename, found.size, found.ilsvrc) == ("1.jpg", (100, 80), False)


@pytest.mark.parametrize("database", ["ILSVRC_2012", "ImageNet database", None])
def test_imagenet_counts_pixels_from_zero(tmp_path, database):
    """Told by its source, or by classes that are all WordNet ids: pixels 0 to 99 are the whole of 100."""
    found = read(
        tmp_path, xml([("n02123045", 0, 0, 99, 79), ("n02123045", 10, 20, 19, 24)], database=database)
    )
    assert [box.xyxy for box in found.boxes] == [(0, 0, 100, 80), (10, 20, 20, 25)]
    assert found.ilsvrc


def test_one_wordnet_id_among_names_is_no_imagenet(tmp_path):
    """All classes have to be ids; without objects nothing says ImageNet."""
    found = read(tmp_path, xml([("n02123045", 11, 21, 20, 25), ("cat", 11, 21, 20, 25)]))
    assert not found.ilsvrc
    assert {box.xyxy for box in found.boxes} == {(10, 20, 20, 25)}
    assert not read(tmp_path, xml([])).ilsvrc


def test_difficult_truncated_and_broken_numbers(tmp_path):
    """Objects are kept whatever their flags say; corners may be fractions, and outside they are clipped."""
    flags = "<truncated>1</truncated><difficult>1</difficult><occluded>1</occluded>"
    found = read(tmp_path, xml([("cat", "45.70000076", " 1 ", 101, 200, flags)]))
    assert found.boxes == (TrueBox("cat", (44.70000076, 0, 100, 80)),)


def test_parts_are_no_objects(tmp_path):
    """PASCAL VOC's heads and hands have boxes of their own, before the object's or after it."""
    part = xml_object("head", 1, 1, 2, 2).replace("object>", "part>")
    found = read(tmp_path, xml([f"<object>{part}{xml_object('cat', 11, 21, 20, 25)[8:]}"]))
    assert found.boxes == (TrueBox("cat", (10, 20, 20, 25)),)


@pytest.mark.parametrize("size", [None, (0, 0)])
def test_no_size(tmp_path, size):
    """Where none is stated, or 0, a box ends where it ends."""
    found = read(tmp_path, xml([("cat", 11, 21, 200, 250)], size=size))
    assert found.size is None
    assert found.boxes[0].xyxy == (10, 20, 200, 250)


def test_boxes_without_an_area_are_set_aside(tmp_path):
    """Published files have a few: each is named in a line, the others are kept."""
    found = read(tmp_path, xml([("cat", 20, 20, 19, 30), ("cat", 11, 21, 20, 25), ("dog", 101, 1, 120, 9)]))
    assert found.boxes == (TrueBox("cat", (10, 20, 20, 25)),)
    assert found.empty == (
        f"{tmp_path}/1.xml, object 1: the box [19, 19, 19, 30] is empty (x0 < x1 and y0 < y1 expected)",
        f"{tmp_path}/1.xml, object 3: the box [100, 0, 120, 9] lies outside of the picture, 100x80",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1"])
def test_encodings(tmp_path, encoding):
    """What the XML declares, or its byte order mark says, is how it is read."""
    text = xml([("Füchse", 11, 21, 20, 25)])
    declared = encoding if encoding != "utf-8-sig" else "utf-8"
    (tmp_path / "1.xml").write_bytes(f'<?xml version="1.0" encoding="{declared}"?>{text}'.encode(encoding))
    assert read_annotation(tmp_path / "1.xml").boxes[0].label == "Füchse"


LAUGHS = "".join(f'<!ENTITY a{n + 1} "{f"&a{n};" * 10}">' for n in range(9))
BOMB = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "ha">{LAUGHS}]><annotation>&a9;</annotation>'
ELSEWHERE = (
    '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><annotation><filename>&e;</filename></annotation>'
)
DTD = '<!DOCTYPE annotation SYSTEM "http://127.0.0.1/x.dtd"><annotation/>'


@pytest.mark.parametrize("text", [BOMB, ELSEWHERE, DTD, "<!DOCTYPE annotation><annotation/>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused(tmp_path, text, encoding):
    """With them go entities: neither a billion laughs nor another file is ever read, in any encoding."""
    said = refused(tmp_path, text.encode(encoding))
    assert said == ": declares a document type (<!DOCTYPE); remove that, npcam reads none"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", ": is empty; get the XML again, or remove it"),
        (b" \n", ": is empty; get the XML again, or remove it"),
        (b"cat 1 2 3 4", ": is not valid XML (syntax error: line 1, column 0)"),
        (b"<annotation>", ": is not valid XML (no element found: line 1, column 12)"),
        (b"<annotation>&x;</annotation>", ": is not valid XML (undefined entity"),
        (b"<annotation>\xff</annotation>", ": is not valid XML (not well-formed"),
        (b'<?xml version="1.0" encoding="klingon"?><annotation/>', ": is not valid XML ("),
        (b'<?xml version="1.0" encoding="shift_jis"?><annotation/>', ": is not valid XML ("),
        (b"<html><body/></html>", ": is XML of <html>; expected PASCAL VOC's <annotation>"),
        (b"<a>" * 33 + b"</a>" * 33, ": XML nested deeper than 32 elements; no annotation is"),
        (
            b"<annotation>" + b" " * 2**20,
            ": is longer than 1,048,576 bytes; expected the XML of one photograph",
        ),
        (xml([("", 1, 1, 2, 2)]).encode(), ", object 1: has no <name>; name its class"),
        (
            xml(["<object><name>a</name></object>"]).encode(),
            ", object 1: has no <bndbox>; boxes are expected",
        ),
        (
            xml([("a", 1, 1, 2, 2), ("a", 1, "", 2, 2)]).encode(),
            ", object 2, ymin: expected a number of pixels",
        ),
        (xml([("a", 1, 1, "nan", 2)]).encode(), ", object 1, xmax: expected a number of pixels, got 'nan'"),
        (xml([], size=(100, "")).encode(), ": states only one of width and height"),
        (xml([], size=(100, "x")).encode(), ": expected a number of pixels, got 'x'"),
        (xml([("a", 1, 1, 2, 2)] * 1001).encode(), ": 1001 boxes in one photograph, 1000 at most"),
    ],
)
def test_unusable_files(tmp_path, data, said):
    """One line names the file, and the object where it is one's fault."""
    assert refused(tmp_path, data).startswith(said)


def test_the_deepest_file(tmp_path):
    """As deep as the limit is not too deep: then only the words are missing."""
    assert refused(tmp_path, b"<a>" * 32 + b"</a>" * 32).startswith(": is XML of <a>")


def test_no_file(tmp_path):
    """A file that went away after it was listed."""
    with pytest.raises(InputError, match=r"1\.xml: no such file; expected the XML of one photograph"):
        read_annotation(tmp_path / "1.xml")
