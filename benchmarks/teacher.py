"""How fast the teacher is, and how far from exact, in one run on the machine at hand.

    OMP_WAIT_POLICY=passive python benchmarks/teacher.py --student --count 12  # 2 cores: 14 minutes, 13 GB
    python benchmarks/teacher.py --weights koniq --photos FOLDER --count 20 --repeat 3

Three ways through the same weights: a plain forward (float32, eager, nothing kept from photo to
photo), ``precision="exact"`` and ``precision="auto"``, photo by photo and four at a time; the time of each
part of the network; and the scores' differences. The environment's setting is what ``dpiqa-batch`` gives
itself; plain is as fast without. On a CUDA device also batch sizes, memory and the share of the matrix peak,
of this model and of the student. Without ``--weights`` they are random, of unit gain; times do not depend on
them.

CPU times are those of all threads, which on a busy machine are steadier than the clock's.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.checkpoint import build_filled
from dpiqa_plugin.freed_memory import keep_freed_memory
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.models import decoder
from dpiqa_plugin.models.precision import fast_type
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import Teacher
from dpiqa_plugin.models.unet_features import keys_and_values, up_block_features
from dpiqa_plugin.models.winograd import WinogradConv2d
from dpiqa_plugin.preprocess import DPIQA_INPUT_SIZE, squash
from dpiqa_plugin.prompt_embeddings import load_prompt_embeddings
from dpiqa_plugin.teacher_conversion import load_teacher

EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
PHOTOS = (".jpg", ".png", ".webp")
SEVERAL = 4
"""Photos at a time, in the second measurement of each way."""
TEACHER_MACS = 1155e9  # a photo
STUDENT_MACS = 27e9
PEAKS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L4": 121e12, "4090": 165e12}
"""Dense float16 or bfloat16 operations a second, by the makers' data sheets (SXM where there are several)."""


@dataclass(frozen=True)
class Run:
    """A photo's score, and its share of the seconds that each part took, by the clock and of the CPU."""

    score: float
    clock: dict[str, float]
    cpu: dict[str, float]


Runs = dict[str, dict[int, list[Run]]]
"""By way and by photos at a time: one a photo."""


class Stopwatch:
    """Times parts of a forward, waiting for the GPU where there is one."""

    def __init__(self, device: torch.device) -> None:
        self.clock: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._device = device

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Add what is done inside to a part's time."""
        self._wait()
        clock, cpu = time.perf_counter(), time.process_time()
        yield
        self._wait()
        self.clock[name] = self.clock.get(name, 0) + time.perf_counter() - clock
        self.cpu[name] = self.cpu.get(name, 0) + time.process_time() - cpu

    def _wait(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def main() -> None:
    """Print the three ways' times and scores, and on a GPU its own tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", help="as the metric's option (default: random ones)")
    parser.add_argument("--photos", type=Path, default=EXAMPLES, help="folder (default: the examples)")
    parser.add_argument("--count", type=int, default=3, help="photos to score (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="times each (default: %(default)s)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--student", action="store_true", help="also the student: torch beside OpenVINO")
    asked = parser.parse_args()
    device = torch.device(asked.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    paths = sorted(path for path in asked.photos.iterdir() if path.suffix.lower() in PHOTOS)
    photos = [pixels(path, device) for path in paths[: asked.count]]
    if asked.student:
        compare_students(photos, asked.repeat)
    teacher = build_teacher(asked.weights).to(device)
    with torch.no_grad(), torch.backends.cudnn.flags(deterministic=True, allow_tf32=False):
        compare(teacher, photos, asked.repeat, device)
        if device.type == "cuda":
            fill_the_gpu(teacher, "teacher", TEACHER_MACS, device)
            student = random_weights(Student).to(device).half().to(memory_format=torch.channels_last)
            fill_the_gpu(student, "student", STUDENT_MACS, device)


def compare(teacher: Teacher, photos: list[Tensor], repeat: int, device: torch.device) -> None:
    """Time the three ways on the same photos, and compare their scores."""
    runs: Runs = {}
    # One after the other, not in turns: a change of layout or type would throw away what is kept. The first
    # photo of each way, for which torch chooses its kernels, does not count.
    teacher.to(memory_format=torch.contiguous_format)
    with plain_convolutions(teacher):
        timed(plain_forward, teacher, photos[:1], device)
        runs["plain"] = by_count(plain_forward, teacher, photos * repeat, device)
    teacher.to(memory_format=torch.channels_last)
    keep_freed_memory()  # as dpiqa-batch does
    for way, dtype in (("exact", torch.float32), ("auto", fast_type(device))):
        teacher.compute_in(dtype)
        first = timed(kept_forward, teacher, photos[:1], device)[0]
        runs[way] = by_count(kept_forward, teacher, photos * repeat, device)
        print(f"{way}: {sum(first.clock.values()):.1f} s ({sum(first.cpu.values()):.1f}) for the first photo")
    report(runs, fast_type(device))


def report(runs: Runs, fast: torch.dtype) -> None:
    """Print a line a way and a number at a time.

    Medians, so that the first call of each weighs nothing where there are three.
    """
    totals = {}
    print(f"auto computes in {fast}; seconds a photo, CPU seconds in brackets, medians")
    for way, of_way in runs.items():
        for count, found in of_way.items():
            clock, cpu = (np.median([sum(times.values()) for times in each]) for each in clocks(found))
            totals[way, count] = (clock, cpu)
            parts = "  ".join(
                f"{part} {np.median([run.clock[part] for run in found]):.2f} "
                f"({np.median([run.cpu[part] for run in found]):.2f})"
                for part in found[0].clock
            )
            print(f"{way:>6} x {count}  {1 / clock:6.3f} photos/s  {clock:6.2f} s ({cpu:6.2f})  {parts}")
    for way in ("exact", "auto"):
        for count, found in runs[way].items():
            clock, cpu = (
                plain / ours for plain, ours in zip(totals["plain", count], totals[way, count], strict=True)
            )
            print(
                f"{way} x {count} is {clock:.2f} times as fast as plain x {count} by the clock, "
                f"{cpu:.2f} by CPU time; scores move by {moved(found, runs['plain'][1]):.5f}"
            )
    for count, found in runs["auto"].items():
        print(
            f"auto x {count} differs from exact by {moved(found, runs['exact'][1]):.5f} at most "
            f"on {len(found)} photos"
        )


def moved(runs: list[Run], others: list[Run]) -> float:
    """The largest difference between two ways' scores of the same photos."""
    return max(abs(a.score - b.score) for a, b in zip(runs, others, strict=False))  # a remainder is left out


def clocks(runs: list[Run]) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """The parts' times of all runs, by the clock and of the CPU."""
    return [run.clock for run in runs], [run.cpu for run in runs]


def by_count(
    forward: Callable[..., Tensor], teacher: Teacher, photos: list[Tensor], device: torch.device
) -> dict[int, list[Run]]:
    """Run forwards of photos singly, and of several at a time where there are so many."""
    found = {1: timed(forward, teacher, photos, device)}
    whole = photos[: len(photos) // SEVERAL * SEVERAL]
    if whole:
        timed(forward, teacher, whole[:SEVERAL], device, SEVERAL)
        found[SEVERAL] = timed(forward, teacher, whole, device, SEVERAL)
    return found


def timed(
    forward: Callable[..., Tensor],
    teacher: Teacher,
    photos: list[Tensor],
    device: torch.device,
    at_a_time: int = 1,
) -> list[Run]:
    """Run forwards under a stopwatch each; one run a photo."""
    runs = []
    for first in range(0, len(photos), at_a_time):
        batch = torch.cat(photos[first : first + at_a_time])
        watch = Stopwatch(device)
        scores = forward(teacher, batch, watch).flatten().tolist()
        clock, cpu = (
            {part: seconds / len(batch) for part, seconds in each.items()}
            for each in (watch.clock, watch.cpu)
        )
        runs += [Run(score, clock, cpu) for score in scores]
    return runs


def kept_forward(teacher: Teacher, photos: Tensor, watch: Stopwatch) -> Tensor:
    """The metric's own way, part by part."""
    with watch.part("VAE"):
        latent = teacher.encode(photos)
    with watch.part("U-Net and adapters"):
        features = teacher.features(photos, latent)
    with watch.part("decoder"):
        return teacher.QFD(features).score  # type: ignore[no-any-return]


def plain_forward(teacher: Teacher, photos: Tensor, watch: Stopwatch) -> Tensor:
    """What one would write first: diffusers' modules called, the features resized, then convolved."""
    assert teacher.prompt_embeddings is not None
    with watch.part("VAE"):
        latent = teacher.vae.quant_conv(teacher.vae.encoder(photos)).chunk(2, dim=1)[0] * 0.18215
    with watch.part("U-Net and adapters"):
        condition = teacher.text_adapter(teacher.prompt_embeddings, teacher.gamma)
        prompts = keys_and_values(teacher.unet, condition)
        features = up_block_features(teacher.unet, latent, prompts, teacher.img_adapter(photos))
    with watch.part("decoder"):
        return teacher.QFD(features).score  # type: ignore[no-any-return]


def resized_first(conv: nn.Conv2d, features: Tensor, size: int) -> Tensor:
    """The decoder's first step as the paper draws it."""
    return conv(F.interpolate(features, (size, size), mode="bicubic"))  # type: ignore[no-any-return]


@contextmanager
def plain_convolutions(teacher: Teacher) -> Iterator[None]:
    """Convolutions as torch has them, in the decoder of features that were resized."""
    shortened = [layer for layer in teacher.modules() if isinstance(layer, WinogradConv2d)]
    for layer in shortened:
        layer.__class__ = nn.Conv2d
    with patch.object(decoder, "_convolve_resized", resized_first):
        yield
    for layer in shortened:
        layer.__class__ = WinogradConv2d


def fill_the_gpu(model: nn.Module, name: str, macs: float, device: torch.device) -> None:
    """Larger and larger batches: photos/s, memory, share of the matrix peak; eager and compiled."""
    peak = next((peak for card, peak in PEAKS.items() if card in torch.cuda.get_device_name(device)), None)
    print(f"\n{name} in {next(model.parameters()).dtype} and float32")
    for way in ("eager", "compiled"):
        forward = model if way == "eager" else torch.compile(model, mode="reduce-overhead")
        for batch in (1, 2, 4, 8, 16, 32):
            try:
                rate, memory = rate_of(forward, batch, model, device)
            except torch.cuda.OutOfMemoryError:
                print(f"{way:>9}  batch {batch:>3}  does not fit")
                break
            share = f"{2 * macs * rate / peak:.0%} of the matrix peak" if peak else "peak not known"
            print(f"{way:>9}  batch {batch:>3}  {rate:8.1f} photos/s  {memory:6.2f} GB  {share}", flush=True)


def rate_of(
    forward: Callable[..., object], batch: int, model: nn.Module, device: torch.device
) -> tuple[float, float]:
    """Photos a second over ten calls after three, and the most memory in 1e9 bytes."""
    torch.cuda.reset_peak_memory_stats(device)
    dtype = torch.float32 if isinstance(model, Teacher) else next(model.parameters()).dtype
    images = torch.rand(batch, 3, DPIQA_INPUT_SIZE, DPIQA_INPUT_SIZE, device=device).to(dtype)
    for _ in range(3):
        forward(images)
    torch.cuda.synchronize(device)
    started = time.perf_counter()
    for _ in range(10):
        forward(images)
    torch.cuda.synchronize(device)
    rate = 10 * batch / (time.perf_counter() - started)
    return rate, torch.cuda.max_memory_allocated(device) / 1e9


def compare_students(photos: list[Tensor], repeat: int) -> None:
    """The student on the CPU: torch's eager forward beside OpenVINO's, as dpiqa-batch runs it."""
    import tempfile

    from dpiqa_plugin.openvino_ir import save_ir
    from dpiqa_plugin.unwatched_openvino import openvino

    student = random_weights(Student).to("cpu")
    with tempfile.TemporaryDirectory() as scratch:
        save_ir(student, DPIQA_INPUT_SIZE, Path(scratch) / "model.xml", "random weights")
        core = openvino.Core()
        network = core.read_model(Path(scratch) / "model.xml")
        network.reshape({"photo": [1, DPIQA_INPUT_SIZE, DPIQA_INPUT_SIZE, 3]})
        compiled = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        times: dict[str, list[float]] = {"torch": [], "OpenVINO": []}
        moved = 0.0
        for _ in range(repeat):
            for photo in photos:
                image = photo.cpu()
                started = time.process_time()
                with torch.inference_mode():
                    score = student(image).score.item()
                times["torch"].append(time.process_time() - started)
                pixels_in = (image * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
                started = time.process_time()
                other = float(compiled({"photo": pixels_in})["score"][0, 0])
                times["OpenVINO"].append(time.process_time() - started)
                moved = max(moved, abs(score - other))
    torch_time, openvino_time = (float(np.median(each)) for each in times.values())
    print(
        f"student: torch eager {torch_time:.2f} CPU s a photo, OpenVINO {openvino_time:.2f}, "
        f"{torch_time / openvino_time:.2f} times as fast; scores move by {moved:.5f}"
    )


def build_teacher(weights: str | None) -> Teacher:
    """The published teacher, or one of random weights and prompts."""
    if weights is None:
        teacher = random_weights(Teacher)
        teacher.set_prompt_embeddings(
            torch.randn(teacher.config.prompt_shape, generator=torch.Generator().manual_seed(0)) * 0.05
        )
        return teacher
    path = find_weights(CARDS["dpiqa"], weights)
    teacher = build_filled(Teacher, path, load_teacher).eval().requires_grad_(False)
    teacher.set_prompt_embeddings(load_prompt_embeddings())
    return teacher  # type: ignore[no-any-return]


def random_weights(build: Callable[[], nn.Module]) -> nn.Module | Teacher:
    """Build a model whose layers keep the size of what goes through them."""
    with torch.device("meta"):
        model = build()
    model.to_empty(device="cpu").eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(0)
    for name, value in model.state_dict().items():
        if name.endswith("running_var"):
            value.normal_(0, 0.1, generator=generator).abs_().add_(1)  # or 200 layers' gains would add up
        elif value.dim() < 2:
            value.fill_(1 if name.endswith("weight") else 0)
        else:
            gain = 1.48 if name.startswith("base_model.") else 1.0
            value.normal_(0, gain / value[0].numel() ** 0.5, generator=generator)
    return model


def pixels(path: Path, device: torch.device) -> Tensor:
    """A photo as the metric gets it: (1, 3, 512, 512), range 0..1."""
    with Image.open(path) as image:
        photo = torch.from_numpy(squash(image.convert("RGB"), DPIQA_INPUT_SIZE).copy())
    return photo.permute(2, 0, 1)[None].to(device) / 255


if __name__ == "__main__":
    main()
