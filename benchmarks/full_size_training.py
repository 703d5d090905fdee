"""Whether the paper's models train at their full size: losses, memory and time of a few steps.

    python benchmarks/full_size_training.py teacher
    python benchmarks/full_size_training.py student --micro-batch 2

Every step is of the same four example photos, some of them again if more go at once, with the bundled
recipe's precision, rate and losses. What training starts from are random numbers in the published shapes and
files, and the opinions are made up, so the weights are worthless and deleted; memory and time do not depend
on them. Memory is the peak from the first step to the last checkpoint: what torch allocated on a GPU, and
what the process held beside it. Linux only. Needs the extra ``training`` and 24 GB of disk.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from unittest.mock import patch

import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torchvision.models import efficientnet_b7

from dpiqa_plugin.models.teacher import Teacher
from dpiqa_plugin.models.teacher import TeacherConfig as ModelConfig
from dpiqa_plugin.prompt_embeddings import SHAPE, save_prompt_embeddings
from dpiqa_training.config import STUDENT_RECIPE, TEACHER_RECIPE, StudentConfig, TeacherConfig, read_config
from dpiqa_training.datasets import LabelledPhoto
from dpiqa_training.fitting import fit
from dpiqa_training.recipes.student import train_student
from dpiqa_training.recipes.teacher import train_teacher

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
EXAMPLES = Path(__file__).parents[1] / "examples" / "photos"
LEARNT = {"dog.jpg": 0.9, "dog_defocused.jpg": 0.2, "nyc.jpg": 0.7, "flowers_shaken.jpg": 0.1}
JUDGED = {"waves.jpg": 0.8, "waves_underexposed.jpg": 0.3}


def main() -> None:
    """Print what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=("teacher", "student"))
    parser.add_argument("--micro-batch", type=int, default=4, help="photos at once (default: 4)")
    parser.add_argument("--steps", type=int, default=10)
    asked = parser.parse_args()
    if asked.steps < 2:
        parser.error("--steps must be 2 or more")
    with tempfile.TemporaryDirectory() as folder:
        measure(asked.model, asked.micro_batch, asked.steps, Path(folder))


def measure(model: str, micro_batch: int, steps: int, folder: Path) -> None:
    """Train so many steps of so many photos, and print the figures."""
    torch.manual_seed(0)
    prompts = folder / "prompts.safetensors"
    save_prompt_embeddings(torch.randn(SHAPE), prompts)
    judged = labelled(JUDGED)
    at_a_step = micro_batch * math.ceil(len(LEARNT) / micro_batch)
    learnt = list(islice(cycle(labelled(LEARNT)), at_a_step))
    changes = {
        "epochs": steps,
        "decay_epochs": steps,
        "batch_size": at_a_step,
        "micro_batch": micro_batch,
        "flips": False,
    }
    start = time.monotonic()
    with patch(f"dpiqa_training.recipes.{model}.fit", fit_from_a_new_peak):
        if model == "teacher":
            teacher = replace(read_config(TEACHER_RECIPE, TeacherConfig), **changes)
            base = str(random_stable_diffusion(folder / "base"))
            train_teacher(teacher, learnt, judged, folder, "none", base=base, prompts=prompts)
        else:
            student = replace(read_config(STUDENT_RECIPE, StudentConfig), **changes)
            guide, trunk = str(random_teacher(folder)), random_trunk(folder)
            train_student(
                student, learnt, judged, folder, "none", teacher=guide, prompts=prompts, trunk=trunk
            )
    losses, seconds = logged(folder / "tensorboard")
    print(f"{model}, {micro_batch} photos at once; {time.monotonic() - start:.0f} s in all")
    print("losses: " + " ".join(f"{loss:.4f}" for loss in losses))
    print(f"seconds from step to step, with judging and saving: {seconds:.1f}")
    if torch.cuda.is_available():
        print(f"peak of {torch.cuda.get_device_name()}: {torch.cuda.max_memory_allocated() / 1e9:.1f} GB")
    peak = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    print(f"peak of memory: {int(peak.split()[1]) * 1024 / 1e9:.1f} GB")


def fit_from_a_new_peak(*arguments: object) -> Path:
    """Forget what was allocated before, such as by the teacher that a student learns from."""
    CLEAR.write_text("5")  # man proc: resets the peak of resident memory
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return fit(*arguments)


def labelled(photos: dict[str, float]) -> list[LabelledPhoto]:
    """Give example photos with opinions that are made up."""
    return [LabelledPhoto(EXAMPLES / name, mos) for name, mos in photos.items()]


def random_stable_diffusion(folder: Path) -> Path:
    """Save random weights in Stable Diffusion's layout and shapes."""
    shapes = ModelConfig()
    Teacher(shapes).unet.save_pretrained(folder / "unet")
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=shapes.vae_channels,
        layers_per_block=shapes.vae_layers,
        latent_channels=4,
        norm_num_groups=shapes.norm_groups,
    ).save_pretrained(folder / "vae")
    return folder


def random_teacher(folder: Path) -> Path:
    """Save random weights as ``dpiqa-train teacher`` writes them."""
    save_file(Teacher().state_dict(), folder / "teacher.safetensors")
    return folder / "teacher.safetensors"


def random_trunk(folder: Path) -> Path:
    """Save random weights as torchvision's file of EfficientNet-B7."""
    torch.save(efficientnet_b7().state_dict(), folder / "trunk.pth")
    return folder / "trunk.pth"


def logged(folder: Path) -> tuple[list[float], float]:
    """Give the losses of all steps, and the mean time of a step after the first."""
    log = EventAccumulator(str(folder))
    log.Reload()
    events = log.Scalars("training/loss")
    seconds = (events[-1].wall_time - events[0].wall_time) / (len(events) - 1)
    return [event.value for event in events], seconds


if __name__ == "__main__":
    main()
