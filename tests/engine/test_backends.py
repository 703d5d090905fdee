"""Back ends agree with each other and with pyiqa, and say in time what they cannot do."""

import numpy as np
import pytest
from makers.photos import save_photo

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.backends.openvino_backend import OpenVINOBackend
from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin.errors import MetricError, UsageError, WeightsError

# What the issue allows between ways to the same score.
TOLERANCE = 0.005


@pytest.fixture(scope="module")
def openvino():
    return create_backend("dpiqa_lite", "auto")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    sizes = [(160, 120), (300, 700), (1000, 800), (384, 384), (2400, 1600)]
    return [str(save_photo(folder / f"{seed}.png", seed, size)) for seed, size in enumerate(sizes)]


def test_the_default_is_openvino(openvino):
    assert isinstance(openvino, OpenVINOBackend)
    assert (openvino.input_size, openvino.lower_better) == (384, False)


def test_a_score_does_not_depend_on_its_neighbours(openvino, photos):
    pixels = [decode(path, 384).pixels for path in photos]
    together = openvino.score(pixels)
    alone = [openvino.score([photo])[0] for photo in pixels]
    assert together.dtype == np.float32
    assert together.tolist() == alone
    assert openvino.score(pixels[::-1]).tolist() == alone[::-1]
    assert len(set(alone)) == len(alone)


def test_many_more_photos_than_streams_keep_their_places(openvino, photos):
    pixels = [decode(path, 384).pixels for path in photos] * 8
    scores = openvino.score(pixels).reshape(8, -1)
    assert (scores == scores[0]).all()


def test_openvino_scores_as_pyiqa_does(openvino, photos):
    pyiqa = pytest.importorskip("pyiqa")
    metric = pyiqa.create_metric("dpiqa_lite", device="cpu")
    for path in photos:
        assert openvino.score([decode(path, 384).pixels])[0] == pytest.approx(
            metric(path).item(), abs=TOLERANCE
        )


def test_openvino_scores_the_example_photos_as_pyiqa_does(openvino, request):
    pyiqa = pytest.importorskip("pyiqa")
    metric = pyiqa.create_metric("dpiqa_lite", device="cpu")
    examples = request.config.rootpath / "examples" / "photos"
    paths = [str(path) for path in sorted(examples.iterdir()) if path.suffix in {".jpg", ".png", ".webp"}]
    assert len(paths) >= 12
    for path in paths:
        assert openvino.score([decode(path, 384).pixels])[0] == pytest.approx(
            metric(path).item(), abs=TOLERANCE
        )


def test_torch_scores_as_openvino_does(openvino, photos):
    pytest.importorskip("pyiqa")
    torch_backend = create_backend("dpiqa_lite", "cpu:0")
    pixels = [decode(path, torch_backend.input_size).pixels for path in photos]
    np.testing.assert_allclose(torch_backend.score(pixels), openvino.score(pixels), atol=TOLERANCE)


@pytest.mark.parametrize(("metric", "lower_better"), [("piqe", True), ("entropy", False)])
def test_any_metric_of_pyiqa_gives_its_own_scores(metric, lower_better, photos):
    pyiqa = pytest.importorskip("pyiqa")
    backend = create_backend(metric, "auto")
    assert (backend.input_size, backend.lower_better) == (None, lower_better)
    # Two of equal size and two of others: stacked where that works, and back in their places.
    paths = [photos[0], photos[1], photos[0], photos[2]]
    scores = backend.score([decode(path, None).pixels for path in paths])
    own = pyiqa.create_metric(metric, device="cpu")
    np.testing.assert_allclose(scores, [own(path).item() for path in paths], rtol=1e-4)


@pytest.mark.parametrize(
    ("metric", "device", "message"),
    [
        ("musik", "auto", "no metric musik; did you mean musiq"),
        ("lpips", "auto", "lpips needs a reference"),
        ("fid", "auto", "fid cannot judge a single photo"),
        ("entropy", "toaster", "--device toaster cannot be used here"),
        ("entropy", "cuda:99", "--device cuda:99 cannot be used here"),
    ],
)
def test_what_cannot_be_done_is_a_usage_error(metric, device, message):
    pytest.importorskip("pyiqa")
    with pytest.raises(UsageError, match=message):
        create_backend(metric, device)


def test_a_metric_that_does_not_load_says_so(monkeypatch):
    pytest.importorskip("pyiqa")
    # Nothing listens on port 9 (discard): what a machine without network sees, at once.
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(MetricError, match="pyiqa could not load the metric cnniqa"):
        create_backend("cnniqa", "cpu")


@pytest.mark.parametrize("content", [None, "", "<net/>"])
def test_a_damaged_installation_is_named(content, tmp_path):
    model = tmp_path / "lite.xml"
    if content is not None:
        model.write_text(content)
    with pytest.raises(WeightsError, match=r"lite\.xml"):
        OpenVINOBackend(model)
