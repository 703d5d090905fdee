"""What training starts from is read from files as they are distributed, or its lack is said at once."""

import pytest
import torch
from diffusers import AutoencoderKL

from dpiqa_plugin.errors import WeightsError
from dpiqa_plugin.models.student import REDUCED as REDUCED_STUDENT
from dpiqa_plugin.models.student import Student
from dpiqa_plugin.models.teacher import REDUCED, Teacher
from dpiqa_training.base_weights import load_imagenet_trunk, load_stable_diffusion


@pytest.fixture
def stable_diffusion(tmp_path):
    """Save a random one of the reduced size in the layout of diffusers."""
    torch.manual_seed(1)
    Teacher(REDUCED).unet.save_pretrained(tmp_path / "unet")
    AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=REDUCED.vae_channels,
        layers_per_block=REDUCED.vae_layers,
        latent_channels=4,
        norm_num_groups=REDUCED.norm_groups,
    ).save_pretrained(tmp_path / "vae")
    return tmp_path


def test_the_unet_and_half_of_the_vae_are_taken(stable_diffusion):
    teacher = Teacher(REDUCED)
    load_stable_diffusion(teacher, str(stable_diffusion))
    vae = AutoencoderKL.from_pretrained(stable_diffusion / "vae")
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = vae.encode(image).latent_dist.mean * 0.18215
        torch.testing.assert_close(teacher.encode(image), expected)
    torch.manual_seed(1)
    assert torch.equal(teacher.unet.conv_in.weight, Teacher(REDUCED).unet.conv_in.weight)


def test_another_size_is_refused(stable_diffusion):
    with pytest.raises(WeightsError, match=r"does not hold Stable Diffusion 1\.5"):
        load_stable_diffusion(
            Teacher(REDUCED.__class__(norm_groups=8, unet_channels=(16, 16, 32, 64))), str(stable_diffusion)
        )


def test_a_folder_without_the_vae_is_named(stable_diffusion):
    (stable_diffusion / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(WeightsError, match="vae cannot be read"):
        load_stable_diffusion(Teacher(REDUCED), str(stable_diffusion))


def test_without_a_network_it_says_what_to_do():
    with pytest.raises(WeightsError, match="--base DIR"):
        load_stable_diffusion(Teacher(REDUCED), "nobody/stable-diffusion")


def test_the_trunk_is_taken_from_torchvisions_file(tmp_path):
    from torchvision.models import efficientnet_b0

    torch.manual_seed(2)
    published = efficientnet_b0().state_dict()
    torch.save(published, tmp_path / "trunk.pth")
    student = Student(REDUCED_STUDENT)
    load_imagenet_trunk(student, tmp_path / "trunk.pth")
    for name, value in student.base_model.features.state_dict().items():
        assert torch.equal(value, published[f"features.{name}"])


def test_the_trunk_of_another_network_is_refused(tmp_path):
    torch.save({"features.0.0.weight": torch.zeros(3)}, tmp_path / "trunk.pth")
    with pytest.raises(WeightsError, match="made for another model"):
        load_imagenet_trunk(Student(REDUCED_STUDENT), tmp_path / "trunk.pth")


def test_without_a_network_the_trunks_address_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"efficientnet_b7.*--trunk FILE"):
        load_imagenet_trunk(Student(REDUCED_STUDENT))
