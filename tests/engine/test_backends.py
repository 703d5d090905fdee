"""Back ends agree with each other and with pyiqa, and say in time what they cannot do."""

import csv
import shutil

import numpy as np
import pytest
from makers.fresh_interpreter import output_of
from makers.photos import save_photo

from dpiqa_desktop.engine.backends import create_backend
from dpiqa_desktop.engine.backends.openvino_backend import OpenVINOBackend
from dpiqa_desktop.engine.decode import decode
from dpiqa_plugin import freed_memory
from dpiqa_plugin.cards import CARDS
from dpiqa_plugin.errors import MetricError, UsageError, WeightsError
from dpiqa_plugin.locate import find_weights
from dpiqa_plugin.preprocess import LITE_INPUT_SIZE

TOLERANCE = 0.005  # promised between all ways to the same score
OF_FILES = 0.002  # between the bundled files, of the same pixels
ONNX = find_weights(CARDS["dpiqa_lite"]).with_suffix(".onnx")


def pixels_of(path, size):
    return decode(path, size).pixels


@pytest.fixture(scope="module")
def openvino():
    backend = create_backend("dpiqa_lite")
    backend.load()
    return backend


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    sizes = [(160, 120), (300, 700), (1000, 800), (384, 384), (2400, 1600)]
    return [str(save_photo(folder / f"{seed}.png", seed, size)) for seed, size in enumerate(sizes)]


def test_the_default_is_openvino(openvino):
    assert isinstance(openvino, OpenVINOBackend)
    assert (openvino.input_size, openvino.lower_better) == (LITE_INPUT_SIZE, False)


def test_a_score_does_not_depend_on_its_neighbours(openvino, photos):
    pixels = [pixels_of(path, LITE_INPUT_SIZE) for path in photos]
    together = openvino.judge(pixels).scores
    alone = [openvino.judge([photo]).scores[0] for photo in pixels]
    assert together.dtype == np.float32
    assert together.tolist() == alone
    assert openvino.judge(pixels[::-1]).scores.tolist() == alone[::-1]
    assert len(set(alone)) == len(alone)


def test_many_more_photos_than_streams_keep_their_places(openvino, photos):
    pixels = [pixels_of(path, LITE_INPUT_SIZE) for path in photos] * 8
    scores = openvino.judge(pixels).scores.reshape(8, -1)
    assert (scores == scores[0]).all()


def test_openvino_scores_as_pyiqa_does(openvino, photos):
    pyiqa = pytest.importorskip("pyiqa")
    metric = pyiqa.create_metric("dpiqa_lite", device="cpu")
    for path in photos:
        assert openvino.judge([pixels_of(path, LITE_INPUT_SIZE)]).scores[0] == pytest.approx(
            metric(path).item(), abs=TOLERANCE
        )


def test_openvino_scores_the_example_photos_as_pyiqa_does(openvino, request):
    pyiqa = pytest.importorskip("pyiqa")
    metric = pyiqa.create_metric("dpiqa_lite", device="cpu")
    examples = request.config.rootpath / "examples" / "photos"
    paths = [str(path) for path in sorted(examples.iterdir()) if path.suffix in {".jpg", ".png", ".webp"}]
    assert len(paths) >= 12
    for path in paths:
        assert openvino.judge([pixels_of(path, LITE_INPUT_SIZE)]).scores[0] == pytest.approx(
            metric(path).item(), abs=TOLERANCE
        )


def test_torch_judges_as_openvino_does(openvino, photos):
    pytest.importorskip("pyiqa")
    torch_backend = create_backend("dpiqa_lite", "cpu", "torch")
    assert torch_backend.identity == openvino.identity
    pixels = [pixels_of(path, torch_backend.input_size) for path in photos]
    ours, theirs = torch_backend.judge(pixels, maps=True), openvino.judge(pixels, maps=True)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=OF_FILES)
    assert ours.maps.shape == theirs.maps.shape == (len(photos), 8, 48, 48)
    np.testing.assert_allclose(ours.maps, theirs.maps, atol=0.02 * ours.maps.max())
    np.testing.assert_allclose(ours.uncertainties, theirs.uncertainties, atol=OF_FILES)
    np.testing.assert_allclose(torch_backend.judge(pixels).scores, ours.scores, atol=1e-6)


def test_torch_on_a_cpu_keeps_freed_memory_for_the_next_photo(monkeypatch):
    pytest.importorskip("pyiqa")
    asked = []
    monkeypatch.setattr(freed_memory, "keep_freed_memory", lambda: asked.append(True))
    create_backend("dpiqa_lite", "cpu", "torch")
    assert asked


@pytest.mark.parametrize(("wanted", "expected"), [("", "passive"), ("active", "active")])
def test_threads_of_torch_are_told_to_sleep_before_it_is_imported(wanted, expected, tmp_path):
    code = """
import os, sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name in ("pyiqa", "torch"):
            print(os.environ["OMP_WAIT_POLICY"])
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoTorch())
from dpiqa_desktop.engine.backends import create_backend
from dpiqa_plugin.errors import MissingExtraError

if not os.environ["OMP_WAIT_POLICY"]:
    del os.environ["OMP_WAIT_POLICY"]
try:
    create_backend("dpiqa", "cpu", "torch")
except MissingExtraError:
    pass
"""
    assert output_of(code, tmp_path, OMP_WAIT_POLICY=wanted) == expected


def test_onnx_runtime_scores_as_openvino_does(openvino, photos):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(ONNX, providers=["CPUExecutionProvider"])
    pixels = [pixels_of(path, LITE_INPUT_SIZE) for path in photos]
    (scores,) = session.run(["score"], {"photo": np.stack(pixels)})
    np.testing.assert_allclose(scores[:, 0], openvino.judge(pixels).scores, atol=OF_FILES)


def test_backends_agree_on_every_validation_photo(openvino, shared):
    pytest.importorskip("pyiqa")
    folder = shared / "data" / "biq2021-small"
    with (folder / "labels.csv").open(newline="") as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == "val"]
    pixels = [pixels_of(str(folder / "images" / name), LITE_INPUT_SIZE) for name in names]
    theirs = create_backend("dpiqa_lite", "cpu", "torch").judge(pixels).scores
    assert len(theirs) == 120
    np.testing.assert_allclose(openvino.judge(pixels).scores, theirs, atol=OF_FILES)


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    """A student of the true shape in the cache, as if downloaded; its scores mean nothing."""
    pytest.importorskip("pyiqa")
    from subjects import make_subject

    home = tmp_path_factory.mktemp("torch")
    subject = make_subject("dpiqa_student", home)
    (home / "hub" / "pyiqa").mkdir(parents=True)
    subject.checkpoint.rename(home / "hub" / "pyiqa" / "dpiqa_student_koniq.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TORCH_HOME", str(home))
        yield home


def test_the_student_scores_on_openvino_as_on_torch(student, photos):
    pixels = [pixels_of(path, 512) for path in photos[:2]]
    ours, theirs = (create_backend("dpiqa_student", "cpu", name) for name in ("openvino", "torch"))
    assert isinstance(ours, OpenVINOBackend)
    assert ours.identity == theirs.identity
    ours.load()
    np.testing.assert_allclose(ours.judge(pixels).scores, theirs.judge(pixels).scores, atol=TOLERANCE)


def test_the_student_s_next_start_needs_no_torch(student, photos, request):
    create_backend("dpiqa_student", "cpu", "openvino")
    code = (
        "import sys; from dpiqa_desktop.engine.backends import create_backend; "
        "backend = create_backend('dpiqa_student', 'cpu'); backend.load(); "
        "print(backend.input_size, 'torch' in sys.modules)"
    )
    assert output_of(code, student, TORCH_HOME=str(student)) == "512 False"


def test_openvino_reports_to_nobody(tmp_path):
    code = (
        "import sys; from dpiqa_desktop.engine.backends import create_backend; "
        "create_backend('dpiqa_lite', 'cpu', 'openvino').load(); "
        "print('openvino' in sys.modules, [name for name in sys.modules if 'openvino_telemetry.' in name])"
    )
    # On servers that build and test, it says nothing anyway.
    assert output_of(code, tmp_path, HOME=str(tmp_path), CI="", TF_BUILD="") == "True []"
    assert not (tmp_path / "intel").exists()


def test_the_float16_of_gpus_moves_no_score_by_the_tolerance(photos):
    pytest.importorskip("pyiqa")
    torch = pytest.importorskip("torch")
    exact, reduced = (create_backend("dpiqa_lite", "cpu", "torch") for _ in range(2))
    reduced._precision = torch.autocast("cpu", torch.float16)  # what a GPU would be given
    pixels = [pixels_of(path, LITE_INPUT_SIZE) for path in photos]
    expected, found = exact.judge(pixels, maps=True), reduced.judge(pixels, maps=True)
    assert (found.scores != expected.scores).any()
    np.testing.assert_allclose(found.scores, expected.scores, atol=TOLERANCE)
    np.testing.assert_allclose(found.uncertainties, expected.uncertainties, atol=TOLERANCE)
    assert found.maps.dtype == expected.maps.dtype


def test_a_full_gpu_halves_the_batch_and_goes_on(photos):
    torch = pytest.importorskip("torch")
    backend = create_backend("entropy", "cpu")
    sizes = []

    def gpu_for_two(images):
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return images.mean(dim=(1, 2, 3))

    backend._metric = gpu_for_two
    pixels = [np.full((8, 8, 3), 5 * i, np.uint8) for i in range(7)]
    np.testing.assert_allclose(backend.judge(pixels).scores * 255, np.arange(7) * 5, atol=1e-3)
    assert sizes == [7, 3, *[1] * 7]


@pytest.mark.parametrize(("metric", "lower_better"), [("piqe", True), ("entropy", False)])
def test_any_metric_of_pyiqa_gives_its_own_scores(metric, lower_better, photos):
    pyiqa = pytest.importorskip("pyiqa")
    backend = create_backend(metric)
    assert (backend.input_size, backend.lower_better) == (None, lower_better)
    # Two of equal size and two of others: stacked where that works, and back in their places.
    paths = [photos[0], photos[1], photos[0], photos[2]]
    scores = backend.judge([pixels_of(path, None) for path in paths]).scores
    own = pyiqa.create_metric(metric, device="cpu")
    np.testing.assert_allclose(scores, [own(path).item() for path in paths], rtol=1e-4)


@pytest.mark.parametrize(
    ("metric", "device", "message"),
    [
        ("musik", "auto", "no metric musik; did you mean musiq"),
        ("lpips", "auto", "lpips needs a reference"),
        ("fid", "auto", "fid cannot judge a single photo"),
        ("entropy", "toaster", "the device toaster cannot be used here"),
        ("entropy", "cuda:99", "the device cuda:99 cannot be used here"),
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


def test_openvino_says_what_it_cannot_run():
    with pytest.raises(UsageError, match="--backend openvino runs dpiqa_lite and dpiqa_student"):
        create_backend("musiq", "auto", "openvino")
    with pytest.raises(UsageError, match="not dpiqa_lite on cuda"):
        create_backend("dpiqa_lite", "cuda", "openvino")


@pytest.mark.parametrize(
    "content", [None, b"", b"no model", ONNX.read_bytes()[:-1000]], ids=["missing", "empty", "other", "cut"]
)
def test_a_damaged_installation_is_named(content, tmp_path, monkeypatch):
    weights = tmp_path / "lite.safetensors"
    weights.write_bytes(b"weights")
    if content is not None:
        (tmp_path / "lite.onnx").write_bytes(content)
    monkeypatch.setattr("dpiqa_desktop.engine.backends.openvino_backend.find_weights", lambda card: weights)
    with pytest.raises(WeightsError, match=r"(?s)lite\.onnx.*Reinstall dpiqa"):
        create_backend("dpiqa_lite").load()


def test_a_model_made_of_other_weights_is_refused(tmp_path, monkeypatch):
    bundled = find_weights(CARDS["dpiqa_lite"])
    shutil.copy(ONNX, tmp_path)
    weights = tmp_path / bundled.name
    weights.write_bytes(bundled.read_bytes() + b"\0")
    monkeypatch.setattr("dpiqa_desktop.engine.backends.openvino_backend.find_weights", lambda card: weights)
    with pytest.raises(WeightsError, match=r"lite\.onnx was made of other weights\. Reinstall dpiqa"):
        create_backend("dpiqa_lite").load()
