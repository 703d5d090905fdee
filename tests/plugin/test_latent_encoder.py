"""The encoder that is walked here gives what diffusers' own gives, whichever layout photos come in."""

import pytest
import torch

from dpiqa_plugin.models.latent_encoder import LatentEncoder, build_latent_encoder

# By its name the module may be another by now: tests that import anew leave another behind.
OF_THE_ENCODER = LatentEncoder.forward.__globals__
LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.fixture(scope="module")
def encoder():
    torch.manual_seed(1)
    return build_latent_encoder((32, 64), 1, 8).requires_grad_(False)


def photos(layout=torch.contiguous_format):
    return torch.rand(2, 3, 48, 40, generator=torch.Generator().manual_seed(2)).to(memory_format=layout)


def by_diffusers(encoder, image):
    return encoder.quant_conv(encoder.encoder(image)).chunk(2, dim=1)[0] * 0.18215


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("in_cache", [1, 5_000, 1 << 20])
@torch.no_grad()
def test_it_gives_diffusers_latents(layout, in_cache, encoder, monkeypatch):
    monkeypatch.setitem(OF_THE_ENCODER, "_IN_CACHE", in_cache)
    image = photos(layout)
    before = image.clone()
    latent = encoder(image)
    torch.testing.assert_close(latent, by_diffusers(encoder, before), rtol=0, atol=1e-5)
    assert torch.equal(image, before)


@pytest.mark.skipif(not torch._nnpack_available(), reason="no layout is better without NNPACK")
@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@torch.no_grad()
def test_norms_go_into_memory_that_is_there_already(layout, encoder, monkeypatch):
    activated, spares = OF_THE_ENCODER["_activated"], set()

    def noted(norm, sample, spare):
        assert sample.is_contiguous()
        spares.add(None if spare is None else spare.data_ptr())
        return activated(norm, sample, spare)

    monkeypatch.setitem(OF_THE_ENCODER, "_activated", noted)
    encoder(photos(layout))
    assert len(spares) == 1
    assert None not in spares


def test_gradients_are_diffusers(encoder):
    image, same = photos().requires_grad_(), photos().requires_grad_()
    encoder(image).square().sum().backward()
    by_diffusers(encoder, same).square().sum().backward()
    torch.testing.assert_close(image.grad, same.grad, rtol=1e-3, atol=1e-6)


def test_levels_that_outgrow_the_first_are_refused():
    with pytest.raises(ValueError, match="more than fourfold"):
        build_latent_encoder((8, 64), 1, 8)
