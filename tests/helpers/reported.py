"""Reports for tests: their data as the page reads them, from arrays or from photographs."""

import base64
import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from npcam.cam import bounding_box, connected_parts, evidence_inside, scale_box, upsample_map

MODEL = {
    "weights": "w.h5",
    "weights_sha256": "0" * 64,
    "tensors_sha256": "1" * 64,
    "source": "model.keras",
    "source_sha256": "2" * 64,
    "converter": "npcam 0.1.0",
    "network": "a ResNet",
    "preprocessing": "none",
    "activation": "softmax",
    "last_activation": "conv5_block3_out",
    "assumptions": ["the input is RGB"],
    "notes": [],
    "findings": [{"kind": "layer", "where": "augment", "what": "a layer that only trains"}],
    "versions": {"numpy": "1", "python": "3"},
}
OPTIONS = {"interpolation": "nearest", "exif_transpose": False, "targets": None, "top": 5, "digits": False}


def numbers(array):
    """An array as the page has it."""
    return base64.b64encode(np.asarray(array, "<f4").tobytes()).decode("ascii")


def jpeg(picture):
    """A picture's bytes."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


def needed(adds):
    """How many of the sorted terms it takes until their sum stays within 50, 10, 1 % of all, as loops."""
    whole, found = sum(adds), {}
    for percent, rest in (("50", 0.5), ("90", 0.1), ("99", 0.01)):
        n = len(adds)
        while n > 1 and abs(sum(adds[: n - 1]) - whole) <= rest * abs(whole):
            n -= 1
        found[percent] = n
    return found


def photo(name, picture, features, classes, input_size, align="corners", threshold=0.2):
    """A photograph's part of a report.

    Args:
        name: of its file.
        picture: the photograph.
        features: f_k, (h, w, K) float32.
        classes: {index: (name, weights (K,) float32, bias)}, the one that is explained first.
        input_size: (height, width) of the network.
        align: see `npcam.upsample_map`.
        threshold: of the boxes.
    """
    f, size = features.astype(np.float64), picture.size[::-1]
    maps = {index: f @ weights.astype(np.float64) for index, (_, weights, _) in classes.items()}
    logits = {index: float(np.float32(maps[index].mean() + classes[index][2])) for index in maps}
    sure = np.exp([*logits.values()])
    largest = max(0.0, float(maps[next(iter(maps))].max()))
    described = []
    for (index, (label, weights, bias)), share in zip(classes.items(), sure / sure.sum(), strict=True):
        heatmap = upsample_map(maps[index], input_size, align)
        box = bounding_box(heatmap, threshold)
        adds = f.mean(axis=(0, 1)) * weights
        order = np.argsort(-np.abs(adds), kind="stable")
        on_photo = None if box is None else scale_box(box, input_size, size)
        x0, y0, x1, y1 = on_photo or (0, 0, 0, 0)
        described.append(
            {
                "index": index,
                "name": label,
                "probability": float(share),
                "logit": logits[index],
                "bias": bias,
                "weights": numbers(weights),
                "completeness": float(maps[index].mean()) + bias - logits[index],
                "box": on_photo,
                "everywhere": (x1 - x0) * (y1 - y0) > 0.9 * size[0] * size[1],
                "evidence_in_box": 0.0 if box is None else evidence_inside(heatmap, box),
                "boxes": [
                    {"box": scale_box(part.box, input_size, size), "evidence": part.evidence}
                    for part in connected_parts(heatmap, threshold)
                ],
                "scale": max(largest, float(maps[index].max())),
                "maps": {
                    "largest": [
                        {
                            "k": int(k),
                            "weight": float(weights[k]),
                            "adds": float(adds[k]),
                            "share": float(adds[k] / adds.sum()),
                        }
                        for k in order[:12]
                    ],
                    "needed": needed(adds[order].tolist()),
                },
            }
        )
    return {
        "photo": name,
        "photo_sha256": hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest(),
        "size": list(picture.size),
        "exif_orientation": None,
        "picture": {
            "mime": "image/jpeg",
            "width": picture.width,
            "height": picture.height,
            "sha256": "3" * 64,
        },
        "features": {"shape": list(features.shape), "float32": numbers(features)},
        "target": next(iter(classes)),
        "classes": described,
        "digits": None,
        "audit": None,
    }


def report(photos, input_size, align="corners", threshold=0.2, **model):
    """A report of some photographs, from `photo`."""
    sizes = {"input_size": list(input_size), "map": photos[0]["features"]["shape"], "classes": 9}
    return {
        "format": "npcam-report",
        "version": 1,
        "npcam": "0.1.0",
        "model": MODEL | sizes | model,
        "options": OPTIONS | {"align": align, "threshold": threshold, "audit": False},
        "photos": photos,
    }


def made_up(align="corners", shape=(4, 6, 40), input_size=(36, 64), size=(97, 61), names=None, seed=0):
    """A report of random maps, its pictures, and (features, weights, biases) that it was made of."""
    rng = np.random.default_rng(seed)
    names = names or ("cat", "dog", "garbage_truck")
    features = np.maximum(rng.normal(size=shape), 0).astype(np.float32)
    weights = rng.normal(size=(shape[2], len(names)))
    means = features.mean(axis=(0, 1), dtype=float)
    weights -= np.outer(means, means @ weights - 0.5) / (
        means @ means
    )  # each map has the mean 0.5, and both signs
    weights = weights.astype(np.float32)
    biases = rng.normal(size=len(names)).astype(np.float32).astype(float).tolist()
    classes = {3 * i + 1: (name, weights[:, i], biases[i]) for i, name in enumerate(names)}
    pixels = rng.integers(0, 256, (size[1], size[0], 3), np.uint8)
    picture = Image.fromarray(pixels)
    one = photo("made up.jpg", picture, features, classes, input_size, align)
    return report([one], input_size, align), [jpeg(picture)], (features, weights, biases)


def of_photographs(model, files, top=5):
    """A report of photographs that went through a network, its pictures, and the explanations."""
    import npcam

    photos, pictures, explained = [], [], []
    for file in files:
        e = npcam.explain(model, file)
        classes = {i: (name, *model.class_weights(i)) for i, name, _ in e.top(top)}
        photos.append(photo(Path(file).name, e.photo, e.seen.features, classes, model.input_size))
        pictures.append(jpeg(e.photo))
        explained.append(e)
    return report(photos, model.input_size), pictures, explained
