"""Made-up data sets: photographs that nobody opens, and the XML of one."""

from pathlib import Path


def touch(folder, *names):
    """Empty files where photographs would be; returns the folder."""
    for name in names:
        path = Path(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return Path(folder)


def write(path, text):
    """A text file and its folders; returns its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def xml(objects, size=(100, 80), filename="1.jpg", database=None):
    """PASCAL VOC's XML: objects are (class, xmin, ymin, xmax, ymax), or XML already."""
    source = f"<source><database>{database}</database></source>" if database else ""
    stated = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>" if size else ""
    body = "".join(o if isinstance(o, str) else xml_object(*o) for o in objects)
    return f"<annotation><filename>{filename}</filename>{source}{stated}{body}</annotation>"


def xml_object(name, xmin, ymin, xmax, ymax, more=""):
    """One object of it."""
    corners = f"<xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax>"
    return f"<object><name>{name}</name>{more}<bndbox>{corners}</bndbox></object>"


def names(dataset):
    """The photographs of a data set, by name, with their classes."""
    return {photograph.name: photograph.label for photograph in dataset.photographs}


def boxes(dataset):
    """The boxes of its photographs, by name, of those that have any."""
    return {photograph.name: photograph.boxes for photograph in dataset.photographs if photograph.boxes}
