"""The training loop of `train_bundled.py`: steps, moving average of the weights, checkpoints."""

from __future__ import annotations

import hashlib
import json
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812
from training_data import Augmentation, Batch, Prefetch, box_mask, make_batch
from training_net import Arrays, TorchResNet, extent_loss
from training_photos import Photographs
from training_report import Row, line, say, write_csv, write_curve

from npcam import InputError
from npcam.files import replacing
from npcam.preprocess import IMAGENET_MEAN_BGR

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


def has_fast_bfloat16(device: str) -> bool:
    """Whether the processor multiplies bfloat16 in hardware; emulation would be slower than float32."""
    if device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def read_checkpoint(path: Path, device: str = "cpu") -> dict[str, Any]:
    """A checkpoint as `Training.save` wrote it; only tensors and plain values are unpickled."""
    try:
        saved = torch.load(path, map_location=device, weights_only=True)
        return {
            key: saved[key]
            for key in ("step", "seconds", "recipe", "plan_sha256", "rows", "state", "average", "optimizer")
        }
    except FileNotFoundError:
        raise InputError(f"{path}: no checkpoint here; train first, without --resume or --export") from None
    except Exception as error:  # torch raises its own kinds for damaged files
        reason = str(error).split("\n")[0]
        raise InputError(f"{path}: not a checkpoint of this program ({reason}); start afresh") from error


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
        if args.threads:
            torch.set_num_threads(args.threads)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        half = args.precision == "bfloat16" or (args.precision == "auto" and has_fast_bfloat16(self.device))
        self.autocast = {"device_type": self.device, "dtype": torch.bfloat16, "enabled": half}
        self.per_epoch = max(1, round(len(photographs) / args.batch))
        self.sizes = [size for _, size in phases]
        self.ends = np.cumsum([max(1, round(epochs * self.per_epoch)) for epochs, _ in phases])
        self.total = int(self.ends[-1])
        self.probabilities = photographs.sampling(args.balance)
        self.step, self.seconds = 0, 0.0
        self.rows: list[Row] = []
        self.net = TorchResNet(starting, args.width, args.last_stride, self.device)
        self.average = {name: tensor.clone() for name, tensor in self.net.state().items()}
        kernels = [t for n, t in self.net.weights.items() if n.endswith("/kernel")]
        others = [t for n, t in self.net.weights.items() if not n.endswith("/kernel")]
        groups = [{"params": kernels, "weight_decay": args.decay}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=args.rate, fused=True)

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
                recent.append(self._step(batches.get(), rate))
                if not np.isfinite(recent[-1][0]):
                    raise InputError(f"the loss became {recent[-1][0]} at step {self.step}; lower --rate")
                self.step += 1
                self._update_average()
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

    def _step(self, batch: Batch, rate: float) -> tuple[float, float, float]:
        """One update; the loss, the box loss (NaN without boxes) and the share of right answers."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(**self.autocast):
            logits, features = self.net(self._prepare(batch), train=True)
        labels = self._tensor(batch.labels)
        loss = total = F.cross_entropy(logits, self._tensor(batch.targets))
        box = torch.tensor(float("nan"))
        if batch.boxed.any() and self.args.box_weight > 0:
            rows = self._tensor(np.flatnonzero(batch.boxed))
            maps = self.net.class_maps(features[rows], labels[rows])
            box = extent_loss(maps, self._tensor(batch.masks)[rows])
            total = loss + self.args.box_weight * box
        total.backward()
        torch.nn.utils.clip_grad_norm_(list(self.net.weights.values()), self.args.clip)
        self.optimizer.step()
        right = (logits.argmax(1) == labels).float().mean()
        return float(loss.detach()), float(box.detach()), float(right)

    def _tensor(self, array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(self.device)

    def _prepare(self, batch: Batch) -> torch.Tensor:
        """RGB (N, S, S, 3) uint8 -> BGR minus mean (N, 3, S, S) float32, colours changed, channels last."""
        x = self._tensor(batch.images).float()
        n, s = x.shape[:2]
        x = torch.baddbmm(
            self._tensor(batch.offset)[:, None], x.view(n, s * s, 3), self._tensor(batch.colour)
        )
        x = x.clamp_(0, 255) - torch.tensor(IMAGENET_MEAN_BGR, device=self.device)
        return x.view(n, s, s, 3).permute(0, 3, 1, 2)

    def _update_average(self) -> None:
        keep = min(self.args.average, (1 + self.step) / (10 + self.step))  # short while all still moves
        state = self.net.state()
        torch._foreach_lerp_(list(self.average.values()), [state[n] for n in self.average], 1 - keep)

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

    @torch.no_grad()
    def validate(self) -> Row:
        """How the averaged weights do on whole validation photographs, nearest, at --size."""
        assert self.validation is not None
        arrays, boxes = TorchResNet.to_keras(self.average), self.validation.boxes
        net = TorchResNet(arrays, self.args.width, self.args.last_stride, self.device)
        right, losses = 0, []
        for start in range(0, len(self.validation), 64):
            index = np.arange(start, min(start + 64, len(self.validation)))
            pixels = self.validation.plain(index, self.args.size, nearest=True)
            x = pixels[..., ::-1].astype(np.float32) - np.float32(IMAGENET_MEAN_BGR)
            labels = self._tensor(self.validation.labels[index])
            with torch.autocast(**self.autocast):
                logits, features = net(self._tensor(x).permute(0, 3, 1, 2))
            right += int((logits.argmax(1) == labels).sum())
            for row in (n for n, i in enumerate(index) if len(boxes[i])):
                mask = box_mask(boxes[index[row]], (0, 0, 1, 1), self.args.size, flip=False)
                maps = net.class_maps(features[row : row + 1], labels[row : row + 1])
                losses.append(float(extent_loss(maps, self._tensor(mask)[None])))
        found = {"validation_accuracy": right / len(self.validation)}
        return {**found, "validation_box_loss": float(np.mean(losses))} if losses else found

    def save(self) -> None:
        """Write the checkpoint, the log, its picture and the recipe; each whole or not at all."""
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "recipe": self.recipe,
            "plan_sha256": self._plan_sha256(self.step),
            "rows": self.rows,
            "state": self.net.state(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }
        with replacing(self.out / "checkpoint.pt") as unfinished:
            torch.save(state, unfinished)
        with replacing(self.out / "recipe.json") as unfinished:
            unfinished.write_text(json.dumps(self.recipe, indent=1) + "\n")
        write_csv(self.out / "log.csv", self.rows)
        write_curve(self.out / "curve.png", self.rows)

    def restore(self, path: Path) -> None:
        """Go back to a checkpoint of the same recipe; the schedule may differ in the steps yet to come."""
        saved = read_checkpoint(path, self.device)
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
        with torch.no_grad():
            for name, tensor in self.net.state().items():
                tensor.copy_(saved["state"][name])
            for name, tensor in self.average.items():
                tensor.copy_(saved["average"][name])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds, self.rows = saved["step"], saved["seconds"], saved["rows"]
