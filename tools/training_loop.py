"""The training loop of `train_bundled.py`: steps, moving average of the weights, checkpoints, log, export."""
from __future__ import annotations

import csv
import json
import os
import pathlib
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

from training_data import MEAN_BGR, Prefetch, make_batch
from training_net import TorchResNet, build_keras, extent_loss, keras_arrays, set_keras_arrays

LOG_COLUMNS = ("step", "epoch", "size", "rate", "loss", "box_loss", "accuracy", "validation_accuracy",
               "validation_box_loss", "photographs_per_second", "seconds")


def replace_file(path: pathlib.Path, write) -> None:
    """Call write(temporary path) and rename: a reader sees the old file or the new one, never half of one."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        write(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def has_fast_bfloat16(device: str) -> bool:
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


class Training:
    """One run. `step` counts finished steps; everything random depends on the seed and the step alone."""

    def __init__(self, args, phases, photographs, validation, augmentation, recipe, out):
        self.args, self.photographs, self.validation = args, photographs, validation
        self.augmentation, self.recipe, self.out = augmentation, recipe, out
        if args.threads:
            torch.set_num_threads(args.threads)
        torch.manual_seed(args.seed)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        wanted = args.precision == "bfloat16" or (args.precision == "auto" and has_fast_bfloat16(self.device))
        self.autocast = dict(device_type=self.device, dtype=torch.bfloat16, enabled=wanted)
        per_epoch = max(1, round(len(photographs) / args.batch))
        self.per_epoch = per_epoch
        self.ends, self.sizes = np.cumsum([round(e * per_epoch) for e, _ in phases]), [s for _, s in phases]
        self.total = int(self.ends[-1])
        self.probabilities = photographs.sampling(args.balance)
        self.step, self.rows, self.seconds = 0, [], 0.0
        self._network(self._starting_arrays())

    def _starting_arrays(self) -> dict[str, np.ndarray]:
        import keras
        keras.utils.set_random_seed(self.args.seed)
        arrays = keras_arrays(build_keras(len(self.photographs.class_names), self.args.width, self.args.last_stride))
        if self.args.init:
            given = keras_arrays(keras.models.load_model(self.args.init, compile=False))
            taken = {k: v for k, v in given.items() if k in arrays and v.shape == arrays[k].shape}
            if len(taken) < len(arrays) - 2:
                raise ValueError(f"{self.args.init}: {len(taken)} of {len(arrays)} arrays fit; is its --width another?")
            return {**arrays, **taken}
        for name in arrays:      # a block starts as the identity, which lets a deep network learn from the first step
            if name.endswith("_3_bn/gamma"):
                arrays[name][:] = 0
        return arrays

    def _network(self, arrays) -> None:
        self.net = TorchResNet(arrays, self.args.width, self.args.last_stride, self.device)
        self.average = {name: tensor.clone() for name, tensor in self.net.state().items()}
        kernels = [t for n, t in self.net.weights.items() if n.endswith("/kernel")]
        others = [t for n, t in self.net.weights.items() if not n.endswith("/kernel")]
        self.optimizer = torch.optim.AdamW([{"params": kernels, "weight_decay": self.args.decay},
                                            {"params": others, "weight_decay": 0.0}], lr=self.args.rate, fused=True)

    def _phase(self, step: int) -> int:
        return int(np.searchsorted(self.ends, step, side="right"))

    def _make(self, step: int):
        phase = self._phase(step)
        how = self.augmentation
        if phase == len(self.sizes) - 1 and phase > 0:    # the last phase sees whole scenes, as they will come
            from dataclasses import replace
            how = replace(how, cutmix=0.0, area=(max(0.5, how.area[0]), 1.0))
        return make_batch(self.photographs, step, self.args.seed, self.args.batch, self.sizes[phase], how,
                          self.probabilities)

    def _prepare(self, batch) -> torch.Tensor:
        """uint8 RGB (N, S, S, 3) -> float32 BGR minus mean (N, 3, S, S), colours changed, channels last in memory."""
        x = torch.from_numpy(batch.images).to(self.device).float()
        n, s = x.shape[:2]
        colour, offset = (torch.from_numpy(a).to(self.device) for a in (batch.colour, batch.offset))
        x = torch.baddbmm(offset[:, None], x.view(n, s * s, 3), colour).clamp_(0, 255)
        x -= torch.from_numpy(MEAN_BGR).to(self.device)
        return x.view(n, s, s, 3).permute(0, 3, 1, 2)

    def _step(self, batch, rate: float) -> tuple[float, float, float]:
        """One update; the loss, the box loss (NaN without boxes) and the share of right answers."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        x = self._prepare(batch)
        with torch.autocast(**self.autocast):
            logits, features = self.net(x, train=True)
        targets = torch.from_numpy(batch.targets).to(self.device)
        loss = total = F.cross_entropy(logits, targets)
        box = torch.tensor(float("nan"))
        labels = torch.from_numpy(batch.labels).to(self.device)
        if batch.boxed.any() and self.args.box_weight > 0:
            rows = torch.from_numpy(np.flatnonzero(batch.boxed)).to(self.device)
            maps = self.net.class_maps(features[rows], labels[rows])
            box = extent_loss(maps, torch.from_numpy(batch.masks).to(self.device)[rows])
            total = loss + self.args.box_weight * box
        total.backward()
        weights = list(self.net.weights.values())
        torch.nn.utils.clip_grad_norm_(weights, self.args.clip)
        self.optimizer.step()
        right = (logits.argmax(1) == labels).float().mean()
        return float(loss.detach()), float(box.detach()), float(right)

    def _update_average(self) -> None:
        keep = min(self.args.average, (1 + self.step) / (10 + self.step))   # short at first, when all is still moving
        state = self.net.state()
        torch._foreach_lerp_(list(self.average.values()), [state[n] for n in self.average], 1 - keep)

    def fit(self, stop: dict) -> bool:
        """Train to the end of the schedule, or until stop["now"]; True at the end. Leaves a checkpoint either way."""
        last = min(self.total, self.args.steps or self.total)
        warmup = max(1, round(self.args.warmup * self.per_epoch))
        batches = Prefetch(self._make, self.step, last)
        from train_bundled import learning_rate
        recent, since, began = [], time.monotonic(), time.monotonic()
        try:
            while self.step < last and not stop["now"]:
                step, batch = batches.get()
                rate = learning_rate(step, warmup, self.total, self.args.rate)
                recent.append(self._step(batch, rate))
                if not np.isfinite(recent[-1][0]):
                    raise ValueError(f"the loss became {recent[-1][0]} at step {step}; lower --rate")
                self.step += 1
                self._update_average()
                now = time.monotonic()
                if self.step % 50 == 0 or self.step == last:
                    self.seconds += now - since
                    self._report(recent, rate, now - since, now - began)
                    recent, since = [], now
                if self.step % self.args.checkpoint_every == 0:
                    self.save()
                    since = time.monotonic()
        finally:
            batches.close()
        self.save()
        return self.step >= self.total

    def _report(self, recent, rate, seconds, elapsed) -> None:
        losses = np.array(recent)
        boxes = losses[:, 1][np.isfinite(losses[:, 1])]
        speed = len(recent) * self.args.batch / seconds
        phase = self._phase(self.step - 1)
        row = {"step": self.step, "epoch": round(self.step / self.per_epoch, 3), "size": self.sizes[phase],
               "rate": f"{rate:.3g}", "loss": f"{losses[:, 0].mean():.4f}",
               "box_loss": f"{boxes.mean():.4f}" if len(boxes) else "", "accuracy": f"{losses[:, 2].mean():.4f}",
               "photographs_per_second": f"{speed:.1f}", "seconds": f"{self.seconds:.0f}"}
        if self.validation is not None and (self.step % (4 * self.per_epoch) < 50 or self.step == self.total):
            row["validation_accuracy"], row["validation_box_loss"] = (f"{v:.4f}" for v in self.validate())
        self.rows.append(row)
        # pixels still to be seen at the pace of the last steps: phases differ in size
        ahead = sum(max(0, end - max(self.step, begin)) * size ** 2 for begin, end, size in
                    zip([0, *self.ends], self.ends, self.sizes))
        left = ahead / self.sizes[phase] ** 2 * self.args.batch / speed
        print(f"step {self.step}/{self.total}  {row['size']} px  loss {row['loss']}  box {row['box_loss'] or '-'}  "
              f"right {row['accuracy']}  " + (f"validation {row['validation_accuracy']} box {row['validation_box_loss']}  "
                                              if "validation_accuracy" in row else "") +
              f"{speed:.0f}/s  {left / 60:.0f} min left", file=sys.stderr, flush=True)

    @torch.no_grad()
    def validate(self) -> tuple[float, float]:
        """(accuracy, box loss) of the averaged weights on the validation photographs, whole, nearest, at --size."""
        net = TorchResNet(TorchResNet.to_keras(self.average), self.args.width, self.args.last_stride, self.device)
        from training_data import box_mask
        right, boxes = [], []
        for start in range(0, len(self.validation), 64):
            index = range(start, min(start + 64, len(self.validation)))
            x = self.validation.plain(index, self.args.size, nearest=True)[..., ::-1].astype(np.float32) - MEAN_BGR
            labels = torch.from_numpy(self.validation.labels[start:index.stop]).to(self.device)
            with torch.autocast(**self.autocast):
                logits, features = net(torch.from_numpy(x).to(self.device).permute(0, 3, 1, 2))
            right.append((logits.argmax(1) == labels).cpu().numpy())
            rows = [i for i, n in enumerate(index) if len(self.validation.boxes[n])]
            if rows:
                masks = np.stack([box_mask(self.validation.boxes[start + i], (0, 0, 1, 1), self.args.size, False) for i in rows])
                maps = net.class_maps(features[rows], labels[rows])
                boxes += [float(extent_loss(maps, torch.from_numpy(masks).to(self.device)))] * len(rows)
        return float(np.concatenate(right).mean()), float(np.mean(boxes)) if boxes else float("nan")

    def save(self) -> None:
        state = {"step": self.step, "seconds": self.seconds, "recipe": self.recipe, "rows": self.rows,
                 "state": self.net.state(), "average": self.average, "optimizer": self.optimizer.state_dict()}
        replace_file(self.out / "checkpoint.pt", lambda path: torch.save(state, path))
        replace_file(self.out / "log.csv", self._write_log)
        replace_file(self.out / "recipe.json", lambda path: path.write_text(json.dumps(self.recipe, indent=1) + "\n"))

    def _write_log(self, path) -> None:
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, LOG_COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def restore(self, path) -> None:
        saved = torch.load(path, map_location=self.device, weights_only=True)
        for key, value in self.recipe.items():
            if saved["recipe"].get(key) != value:
                raise ValueError(f"{path}: was made with another {key} ({saved['recipe'].get(key)!r}, now {value!r}); "
                                 "repeat the first command exactly, with --resume")
        with torch.no_grad():
            for name, tensor in self.net.state().items():
                tensor.copy_(saved["state"][name])
            for name, tensor in self.average.items():
                tensor.copy_(saved["average"][name])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step, self.seconds, self.rows = saved["step"], saved["seconds"], saved["rows"]

    @staticmethod
    def export(checkpoint, out, size: int) -> None:
        """Write model.keras and class_names.txt from a checkpoint's averaged weights."""
        if not pathlib.Path(checkpoint).is_file():
            raise ValueError(f"{checkpoint}: no checkpoint; train first")
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        recipe = saved["recipe"]
        model = build_keras(len(recipe["classes"]), recipe["width"], recipe["last_stride"], size)
        arrays = TorchResNet.to_keras(saved["average"])
        set_keras_arrays(model, arrays)
        x = np.random.default_rng(0).normal(0, 60, (2, size, size, 3)).astype(np.float32)
        twin = TorchResNet(arrays, recipe["width"], recipe["last_stride"])
        with torch.no_grad():
            ours = torch.softmax(twin(torch.from_numpy(x).permute(0, 3, 1, 2))[0], 1).numpy()
        import keras
        difference = np.abs(keras.ops.convert_to_numpy(model(x, training=False)) - ours).max()
        if not difference < 1e-4:
            raise ValueError(f"the Keras model answers {difference:.2g} away from the trained one; nothing written")
        replace_file(out / "model.keras", model.save)
        replace_file(out / "class_names.txt", lambda path: path.write_text("\n".join(recipe["classes"]) + "\n"))
        print(f"wrote {out / 'model.keras'}: step {saved['step']}, Keras within {difference:.1g} of the training",
              file=sys.stderr)
