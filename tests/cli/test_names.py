"""What the files of each photograph are called: none hides another, in one run or in a later one."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from npcam import InputError
from npcam.cli.names import Names, map_path, names_a_picture, require_map, require_picture, stems
from npcam.cli.outputs import save_map
from npcam.pictures.saved import Origin, save_picture

A, B = Origin("a" * 64, "1" * 64), Origin("b" * 64, "1" * 64)
A_OTHERWISE = Origin("a" * 64, "2" * 64)  # the same photograph, other weights
MAP = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)


def drawn(path, origin):
    """A picture of that, where a run would write it."""
    save_picture(Image.new("RGB", (9, 8)), Path(path), origin)


@pytest.mark.parametrize(
    ("photos", "expected"),
    [
        (["a.jpg"], ["a"]),
        (["x/a.tar.gz", "y/a.tar.png"], ["x_a.tar", "y_a.tar"]),
        (["a.jpg", "a.png", "b.jpg"], ["a_jpg", "a_png", "b"]),
        (["1/x/a.jpg", "2/x/a.jpg", "x/b.jpg"], ["1_x_a", "2_x_a", "b"]),
        (["a.jpg", "x/a.jpg", "y/x/a.jpg"], ["a_jpg", "x_a_jpg", "y_x_a"]),
        (["x/a.jpg", "y/a.jpg", "x_a.jpg"], ["x_a_jpg", "y_a", "x_a_jpg-2"]),
        (["../a.jpg", "./a.jpg"], ["a_jpg", "a_jpg-2"]),
        (["a.jpg", "a.jpg", "a_jpg-2.png"], ["a_jpg", "a_jpg-3", "a_jpg-2"]),
        (["A.jpg", "a.jpg"], ["A_jpg", "a_jpg-2"]),  # one name where capitals do not count
        (["a", "a"], ["a", "a-2"]),
        (["a\0.jpg", "a.jpg"], ["a\0", "a"]),
        ([], []),
    ],
)
def test_stems(photos, expected):
    """As much of the folders as tells one from the other, then the ending, then a number; each once."""
    assert stems(photos) == expected
    assert len({name.casefold() for name in expected}) == len(photos)


def test_plain_names():
    """After the photograph, in the folder; JPEG for what is one, whatever its name says, or as is asked."""
    Image.new("RGB", (9, 8)).save("a.png", format="JPEG")
    Image.new("RGB", (9, 8)).save("b.jpg", format="PNG")
    photos = ["a.png", "b.jpg", "gone.jpg"]
    names = Names(photos, Path("maps"), "w")
    assert [names.picture(n, A).name for n in range(3)] == ["a_cam.jpg", "b_cam.png", "gone_cam.png"]
    for asked, suffix in (("jpeg", ".jpg"), ("png", ".png")):
        assert Names(photos, Path("maps"), "w", asked).picture(0, A) == Path("maps", f"a_cam{suffix}")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("cat", "x_cat_cam.png"),
        ("garbage_truck", "x_garbage_truck_cam.png"),
        ("cat versus dog", "x_cat_versus_dog_cam.png"),
        ("../y/\x1b[2J\nb", "x_.._y_2J_b_cam.png"),
        ("\u732b", "x_\u732b_cam.png"),
        ("\ud800", "x___cam.png"),
    ],
)
def test_names_with_classes(words, expected):
    """The classes stand before `_cam`; what makes folders or lines of a name is an underscore."""
    assert Names(["x.png"], Path("maps"), "w").picture(0, A, words) == Path("maps", expected)


def test_a_photograph_is_never_written_over():
    """By whatever path it is named: itself, a link to it, a second name of the file, or where a link ends."""
    Path("maps").mkdir()
    Image.new("RGB", (9, 8)).save("maps/x_cam.png")
    os.link("maps/x_cam.png", "second.png")
    Path("link.png").symlink_to("maps/x_cam.png")
    place = Path.cwd().name
    for other in ("maps/x_cam.png", "maps/../maps/x_cam.png", "second.png", "link.png"):
        found = Names(["x.png", other], Path("maps"), "w").picture(0, B)
        assert found == Path("maps", f"{place}_x_cam.png")
    Path("maps/y_cam.png").symlink_to(Path("not_there_yet.png").absolute())
    assert Names(["y.png", "not_there_yet.png"], Path("maps"), "w").picture(0, A).name != "y_cam.png"
    with pytest.raises(
        InputError, match=r"^second\.png: is the input maps/x_cam\.png itself; choose another -o"
    ):
        Names(["maps/x_cam.png"], Path("second.png"), "w")


def test_a_rerun_replaces_its_own():
    """The same photograph and weights have the same name again, whatever lies beside it."""
    for origin in (A, A_OTHERWISE, B):
        path = Names(["p/x.png"], Path(), "w" if origin != A_OTHERWISE else "v").picture(0, origin)
        drawn(path, origin)
    again = [
        Names(["p/x.png"], Path(), weights).picture(0, origin).name
        for origin, weights in ((A, "w"), (A_OTHERWISE, "v"), (B, "w"), (A, "w"))
    ]
    assert again == ["x_cam.png", "x_v_cam.png", "p_x_cam.png", "x_cam.png"]


def test_pictures_of_others_stay():
    """More and more folders, then numbers, tell photographs of one name apart over many runs."""
    found = []
    for number in range(9):
        origin = Origin(f"{number:064x}", "1" * 64)
        found.append(Names(["q/p/x.png"], Path(), "w").picture(0, origin).name)
        drawn(found[-1], origin)
    assert found[:3] == ["x_cam.png", "p_x_cam.png", "q_p_x_cam.png"]
    assert len(set(found)) == 9
    drawn("z_cam.png", B)
    for _ in range(2):
        path = Names(["/z.png"], Path(), "w").picture(0, A)
        assert path.name == "z_cam-2.png"
        drawn(path, A)


@pytest.mark.parametrize(
    ("photos", "stem", "further"),
    [
        (["r/q/p/x.png", "r/q/o/x.png"], "p_x", "q_p_x"),
        (["r/x/xy.png"], "xy", "x_xy"),
        (["r/q/p/y.png", "r/q/p/y.jpg"], "r_q_p_y_png", None),
        (["p_y/y.png"], "y", "p_y_y"),
    ],
)
def test_folders_that_are_there_already(photos, stem, further):
    """A folder is not said twice; one that is called like the beginning of the photograph is said."""
    assert Names(photos, Path(), "w").picture(0, A).name == f"{stem}_cam.png"
    drawn(f"{stem}_cam.png", B)
    expected = f"{further or f'{Path.cwd().name}_{stem}'}_cam.png"
    assert Names(photos, Path(), "w").picture(0, A).name == expected


def test_two_classes_of_one_name():
    """They come to the same words: the second has a number, and so in the next run."""
    for _ in range(2):
        names = Names(["x.png"], Path(), "w")
        found = [names.picture(0, A, words) for words in ("a/b", "a b", "a_b")]
        assert [path.name for path in found] == ["x_a_b_cam.png", "x_a_b_cam-2.png", "x_a_b_cam-3.png"]
        for path in found:
            drawn(path, A)


def test_two_photographs_that_come_to_the_same():
    """`a_b` with the class c, and `a` with the class b_c, in whatever order they are asked for."""
    for order in ((0, 1), (1, 0), (0, 1)):
        names, origins = Names(["a_b.png", "a.png"], Path(), "w"), (A, B)
        found = {n: names.picture(n, origins[n], ("c", "b_c")[n]) for n in order}
        assert found[0] != found[1]
        for number, path in found.items():
            drawn(path, origins[number])
    assert len(list(Path().iterdir())) == 2


@pytest.mark.parametrize("letter", ["x", "\u30cd"])
@pytest.mark.parametrize("words", ["", "y", "\u30cd" * 500])
def test_names_that_fit(letter, words):
    """Photographs, folders, classes and weights with names as long as can be still make files."""
    longest = letter * (250 // len(letter.encode()))
    photos = [f"{longest}/{longest}.png", f"{longest}/{longest}b/{longest}.png"]
    made = set()
    for origin in (A, A_OTHERWISE, B, Origin("c" * 64, "3" * 64)):
        names = Names(photos, Path(), longest)
        for number in range(2):
            path = names.picture(
                number, origin._replace(photo=origin.photo[:-1] + str(number)), words, with_map=True
            )
            assert letter * 20 in path.name
            drawn(path, origin._replace(photo=origin.photo[:-1] + str(number)))
            save_map(MAP, map_path(path))
            made.add(path)
    assert len(made) == 8


def test_long_names_are_shown_as_far_as_they_go():
    """Without a class nearly all of the photograph's name is there."""
    assert Names(["\u30cd" * 83 + ".png"], Path(), "w").picture(0, A).name.startswith("\u30cd" * 75)


def test_one_picture():
    """-o FILE is that file, over npcam's of anything, and over nobody else's."""
    for name in ("here/x.png", "x.jpg", "x.JPEG"):
        assert names_a_picture(Path(name))
        assert Names(["y.png"], Path(name), "w").picture(0, A) == Path(name)
    Path("folder.png").mkdir()
    assert not names_a_picture(Path("folder.png"))
    assert not names_a_picture(Path("folder"))
    drawn("x.jpg", B)
    assert Names(["y.png"], Path("x.jpg"), "w").picture(0, A, with_map=True) == Path("x.jpg")
    Path("x.npy").write_bytes(b"old")
    with pytest.raises(InputError, match=r"^x\.npy: is there, and npcam did not make it"):
        Names(["y.png"], Path("x.jpg"), "w").picture(0, A, with_map=True)
    Image.new("RGB", (9, 8)).save("x.jpg")
    with pytest.raises(InputError, match=r"^x\.jpg: is there, and npcam did not make it"):
        Names(["y.png"], Path("x.jpg"), "w")


def test_maps_of_nobody_knows_what():
    """A map without its picture, or beside the picture of another photograph too, is left alone."""
    Image.new("RGB", (9, 8)).save("x.jpg")
    save_map(MAP, Path("x_cam.npy"))
    assert Names(["x.png"], Path(), "w").picture(0, A).name == "x_cam.png"
    drawn("x_cam.jpg", B)
    for _ in range(2):
        assert Names(["x.jpg"], Path(), "w").picture(0, B, with_map=True).name == "x_cam.jpg"
    drawn("x_cam.png", A)  # without a map
    assert Names(["x.png"], Path(), "w").picture(0, A).name == "x_cam.png"
    assert Names(["x.png"], Path(), "w").picture(0, A, with_map=True).name != "x_cam.png"


def test_what_is_no_picture_or_map_of_npcams():
    """A folder or a pipe in a file's place is not waited for; another program's file stays."""
    Path("a.png").mkdir()
    os.mkfifo("b.png")
    for require in (require_picture, require_map):
        for name, said in (("a.png", "is a directory"), ("b.png", "not a regular file")):
            with pytest.raises(InputError, match=f"^{name}: {said}; choose another -o$"):
                require(Path(name))
        require(Path("nothing.png"))
    np.save("c.npy", MAP)
    with pytest.raises(InputError, match=r"^c\.npy: is there, and npcam did not make it; move it or choose "):
        require_map(Path("c.npy"))
    save_map(MAP, Path("c.npy"))
    require_map(Path("c.npy"))
    with pytest.raises(InputError, match=r"choose another --contact-sheet$"):
        require_picture(Path("c.npy"), "--contact-sheet")
    drawn("d.png", A)
    assert require_picture(Path("d.png")) == A
