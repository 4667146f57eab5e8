"""The training loop of `train_bundled.py`: steps, moving average of the weights, checkpoints."""

from __future__ import annotations

import hashlib
import json
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from bundled.batches import Augmentation, Batch, Prefetch, box_mask, make_batch
from bundled.checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from bundled.network import Arrays, extent_loss
from bundled.photos import Photographs
from bundled.report import Row, line, say, write_csv, write_curve

from npcam import InputError, preprocess_input, upsample_map
from npcam.common.files import replacing

FLEXIBLE = ("phases", "cooldown")  # of the recipe, what may change on resuming
REPORT = 50  # steps between two lines of the log
VALIDATE = 4  # epochs between two looks at --validate
Plan = tuple[float, int, Augmentation]  # of a step: learning rate, size in pixels, augmentation
SMALLEST_RATE = 0.01  # what is left of the learning rate at the end, as a share of its peak


def learning_rate(step: int, warmup: int, cooldown: int, total: int, peak: float) -> float:
    """Linear up to `peak`, constant, and over the last `cooldown` steps linear down to a hundredth of it.

    What comes before the cooldown does not depend on `total`: a run can be made longer or shorter
    while it is under way (Haegele et al. 2024, arXiv:2405.18392, find it as good as a cosine).

    >>> [round(learning_rate(step, 2, 4, 10, 1.0), 3) for step in (0, 1, 5, 6, 8, 10)]
    [0.5, 1.0, 1.0, 1.0, 0.505, 0.01]
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    left = min(1.0, (total - step) / max(1, cooldown))
    return peak * (SMALLEST_RATE + (1 - SMALLEST_RATE) * left)


class Learner(Protocol):
    """A network while it learns; arrays in Keras's layouts, by Keras's names."""

    def __init__(self, args: Namespace, starting: Arrays) -> None: ...

    def step(self, batch: Batch, rate: float) -> tuple[float, float, float]:
        """One update; the loss, the box loss (NaN without boxes) and the share of right answers."""

    def update_average(self, keep: float) -> None:
        """Move the averages of the weights towards them; `keep` is what stays, 0..1."""

    def predict(self, x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logits (N, classes) and the maps (N, h, w) of the labels, from the averaged weights."""

    def state(self) -> dict[str, Arrays]:
        """All that a checkpoint needs: "weights", "average" and what the "optimizer" remembers."""

    def restore(self, state: dict[str, Arrays]) -> None:
        """The way back."""


def make_learner(args: Namespace, starting: Arrays) -> Learner:
    """What takes the steps: `--trainer`."""
    if args.trainer == "torch":
        from bundled.learn_torch import TorchLearner

        return TorchLearner(args, starting)
    from bundled.learn_keras import KerasLearner

    return KerasLearner(args, starting)


class Training:
    """One run. `step` counts finished steps; everything random depends on the seed and the step alone."""

    def __init__(
        self,
        args: Namespace,
        phases: list[tuple[float, int]],
        photographs: Photographs,
        validation: Photographs | None,
        starting: Arrays,
        recipe: dict[str, Any],
    ) -> None:
        self.args, self.photographs, self.validation, self.recipe = args, photographs, validation, recipe
        self.out = Path(args.out)
        self.augmentation = Augmentation((args.area, 1.0), cutmix=args.cutmix, smoothing=args.smoothing)
        self.per_epoch = max(1, round(len(photographs) / args.batch))
        self.sizes = [size for _, size in phases]
        self.ends = np.cumsum([max(1, round(epochs * self.per_epoch)) for epochs, _ in phases])
        self.total = int(self.ends[-1])
        self.probabilities = photographs.sampling(args.balance)
        self.step, self.seconds = 0, 0.0
        self.rows: list[Row] = []
        self.learner = make_learner(args, starting)

    def fit(self, stop: Callable[[], bool]) -> bool:
        """Train to the end of the schedule or until `stop()`; a checkpoint is there either way.

        Returns:
            True at the end of the schedule.
        """
        last = min(self.total, self.args.steps or self.total)
        batches = Prefetch(self._make, self.step, last)
        recent: list[tuple[float, float, float]] = []
        since = time.monotonic()
        try:
            while self.step < last and not stop():
                rate = self._plan(self.step)[0]
                recent.append(self.learner.step(batches.get(), rate))
                if not np.isfinite(recent[-1][0]):
                    raise InputError(f"the loss became {recent[-1][0]} at step {self.step}; lower --rate")
                self.step += 1
                # A short average while all still moves.
                self.learner.update_average(min(self.args.average, self.step / (9 + self.step)))
                if self.step % REPORT == 0 or self.step == last:
                    self._report(recent, rate, time.monotonic() - since)
                    recent, since = [], time.monotonic()
                if self.step % self.args.checkpoint_every == 0:
                    self.save()
        finally:
            batches.close()
        self.save()
        return self.step >= self.total

    def _plan(self, step: int) -> Plan:
        """What a step does; the last of several phases sees whole scenes, as they will come."""
        warmup, cooldown = (round(n * self.per_epoch) for n in (self.args.warmup, self.args.cooldown))
        phase, how = self._phase(step), self.augmentation
        if 0 < phase == len(self.sizes) - 1:
            how = replace(how, cutmix=0.0, area=(max(0.5, how.area[0]), 1.0))
        return learning_rate(step, warmup, cooldown, self.total, self.args.rate), self.sizes[phase], how

    def _plan_sha256(self, steps: int) -> str:
        """Of all that the first steps did: two schedules that begin alike have the same one."""
        return hashlib.sha256("\n".join(str(self._plan(step)) for step in range(steps)).encode()).hexdigest()

    def _phase(self, step: int) -> int:
        return int(np.searchsorted(self.ends, step, side="right"))

    def _make(self, step: int) -> Batch:
        _, size, how = self._plan(step)
        batch, seed = self.args.batch, self.args.seed
        return make_batch(self.photographs, step, seed, batch, size, how, self.probabilities)

    def _report(self, recent: list[tuple[float, float, float]], rate: float, seconds: float) -> None:
        """Add a row to the log and print it."""
        losses, boxes, right = np.array(recent).T
        speed, phase = len(recent) * self.args.batch / seconds, self._phase(self.step - 1)
        self.seconds += seconds
        row: Row = {
            "step": self.step,
            "epoch": self.step / self.per_epoch,
            "size": self.sizes[phase],
            "rate": rate,
            "loss": float(losses.mean()),
            "accuracy": float(right.mean()),
            "photographs_per_second": speed,
            "seconds": self.seconds,
        }
        if np.isfinite(boxes).any():
            row["box_loss"] = float(np.nanmean(boxes))
        if self.validation and (self.step % (VALIDATE * self.per_epoch) < REPORT or self.step == self.total):
            row |= self.validate()
        self.rows.append(row)
        starts = [0, *self.ends[:-1]]
        # A step's time goes with its pixels; what was just measured gives the pace.
        ahead = sum(
            max(0, end - max(self.step, start)) * (size / self.sizes[phase]) ** 2
            for start, end, size in zip(starts, self.ends, self.sizes, strict=True)
        )
        say(line(row, self.total, ahead * self.args.batch / speed / 60))

    def validate(self) -> Row:
        """How the averaged weights do on whole validation photographs, nearest, at --size."""
        from keras import ops

        assert self.validation is not None
        boxes, right, losses = self.validation.boxes, 0, []
        for start in range(0, len(self.validation), 64):
            index = np.arange(start, min(start + 64, len(self.validation)))
            pixels = self.validation.plain(index, self.args.size, nearest=True)
            labels = self.validation.labels[index]
            logits, maps = self.learner.predict(preprocess_input(pixels), labels)
            right += int((logits.argmax(1) == labels).sum())
            for row, i in enumerate(index):
                if len(boxes[i]):
                    mask = box_mask(boxes[i], (0, 0, 1, 1), self.args.size, flip=False)
                    grid = np.maximum(upsample_map(maps[row], mask.shape), 0)
                    losses.append(float(extent_loss(ops, grid[None], mask[None], np.ones(1, np.float32))))
        found = {"validation_accuracy": right / len(self.validation)}
        return {**found, "validation_box_loss": float(np.mean(losses))} if losses else found

    def save(self) -> None:
        """Write the checkpoint, the log, its picture and the recipe; each whole or not at all."""
        about = {
            "step": self.step,
            "seconds": self.seconds,
            "recipe": self.recipe,
            "plan_sha256": self._plan_sha256(self.step),
            "rows": self.rows,
        }
        write_checkpoint(self.out / CHECKPOINT, about, self.learner.state())
        with replacing(self.out / "recipe.json") as unfinished:
            unfinished.write_text(json.dumps(self.recipe, indent=1) + "\n")
        write_csv(self.out / "log.csv", self.rows)
        write_curve(self.out / "curve.png", self.rows)

    def restore(self, path: Path) -> None:
        """Go back to a checkpoint of the same recipe; the schedule may differ in the steps yet to come."""
        saved, state = read_checkpoint(path)
        if saved["plan_sha256"] != self._plan_sha256(saved["step"]):
            msg = (
                f"{path}: its {saved['step']} steps had other sizes or rates; change only what is yet to come"
            )
            raise InputError(msg)
        for key, value in self.recipe.items():
            if key in FLEXIBLE:
                continue
            before = saved["recipe"].get(key)
            if before != value:
                msg = f"{path}: begun with {key} {before!r}, now {value!r}; repeat the first command"
                raise InputError(msg)
        self.learner.restore(state)
        self.step, self.seconds, self.rows = saved["step"], saved["seconds"], saved["rows"]
