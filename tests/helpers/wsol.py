"""The evaluation of Choe et al. 2020 (arXiv:2007.04178) written down plainly, with OpenCV's contours."""

import numpy as np

THRESHOLDS = np.arange(0, 1, 0.001)


def normalised(heatmap):
    """A score map as it is stored: from 0 to 1, constant ones zero."""
    scores = heatmap.astype(np.float64)
    scores = np.zeros_like(scores) if scores.min() == scores.max() else scores - scores.min()
    return (scores / scores.max() if scores.max() > 0 else scores).astype(np.float32)


def boxes_at_thresholds(cv2, scores):
    """[(box of the largest contour, sorted boxes of all contours)] for the 1000 thresholds of a score map."""
    picture = (scores.astype(np.float64) * 255).astype(np.uint8)
    height, width = picture.shape
    known = {}
    for byte in {int(t * picture.max()) for t in THRESHOLDS}:
        _, kept = cv2.threshold(picture, byte, 255, cv2.THRESH_BINARY)
        contours = cv2.findContours(kept, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[-2]
        boxes = []
        for contour in (max(contours, key=cv2.contourArea), *contours) if contours else ():
            x, y, w, h = cv2.boundingRect(contour)
            boxes.append((x, y, min(x + w, width - 1), min(y + h, height - 1)))
        boxes = boxes or [(0, 0, 0, 0)] * 2
        known[byte] = boxes[0], sorted(boxes[1:])
    return [known[int(t * picture.max())] for t in THRESHOLDS]


def iou(box, other):
    """Overlap of two boxes whose last pixels count to them."""
    across = min(box[2], other[2]) - max(box[0], other[0]) + 1
    down = min(box[3], other[3]) - max(box[1], other[1]) + 1
    both = max(0, across) * max(0, down)
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (box, other)]
    return both / (sum(areas) - both)


def hits(cv2, heatmap, boxes, size):
    """(4, 1000) bool: V1 at 0.5; V2 at 0.3, 0.5, 0.7. True boxes are in a photograph of (width, height)."""
    height, width = heatmap.shape
    true = [[int(c * (width, height)[i % 2] / size[i % 2]) for i, c in enumerate(box)] for box in boxes]
    found = np.zeros((4, len(THRESHOLDS)), bool)
    for column, (largest, every) in enumerate(boxes_at_thresholds(cv2, normalised(heatmap))):
        best = max(iou(box, other) for box in every for other in true)
        v1 = max(iou(largest, other) for other in true) >= 0.5
        found[:, column] = [v1, best >= 0.3, best >= 0.5, best >= 0.7]
    return found


def evaluate_folder(cv2, folder):
    """MaxBoxAcc and MaxBoxAccV2 of the score maps in a folder, with the truth in the files beside them."""
    files = {
        stem: [line.split(",") for line in (folder / f"{stem}.txt").read_text("utf-8").splitlines()]
        for stem in ("image_ids", "image_sizes", "localization")
    }
    sizes = {name: (int(width), int(height)) for name, width, height in files["image_sizes"]}
    true = {name: [] for (name,) in files["image_ids"]}
    for name, *box in files["localization"]:
        true[name].append([int(int(c) * 224.0 / sizes[name][i % 2]) for i, c in enumerate(box)])
    found = np.zeros((4, len(THRESHOLDS)), int)
    for name, boxes in true.items():
        scores = np.load(folder / f"{name}.npy", allow_pickle=False)
        assert scores.shape == (224, 224)
        assert scores.min() >= 0
        assert scores.max() <= 1
        for column, (largest, every) in enumerate(boxes_at_thresholds(cv2, scores)):
            best = max(iou(box, other) for box in every for other in boxes)
            v1 = max(iou(largest, other) for other in boxes) >= 0.5
            found[:, column] += [v1, best >= 0.3, best >= 0.5, best >= 0.7]
    v1, *ious = (found.max(axis=1) / len(true)).tolist()
    return {"v1": v1, "v2": sum(ious) / 3, **dict(zip(("iou30", "iou50", "iou70"), ious, strict=True))}
