"""Quality maps show where the model's own features respond, and their legend does not promise more."""

import threading

import numpy as np
import pytest
from makers.stand_in_backends import Brightness
from PySide6.QtGui import QColor

from dpiqa_desktop.engine.backends import Judgement, create_backend
from dpiqa_desktop.engine.backends.shared_backend import SharedBackend
from dpiqa_desktop.engine.decode import decode
from dpiqa_desktop.gui.quality_map import QualityMapLegend, QualityMaps, make_map
from dpiqa_plugin.errors import WeightsError


@pytest.fixture
def make_maps(qapp):
    made = []

    def make(make_backend):
        made.append(QualityMaps(make_backend))
        return made[-1]

    yield make
    for maps in made:
        maps.close()


class Corner(Brightness):
    """Responds in the upper left corner only, and remembers what it was asked."""

    def __init__(self, **options):
        super().__init__(**options)
        self.asked = []

    def judge(self, photos, maps=False):
        self.asked.append(photos[0])
        features = np.zeros((len(photos), 8, 4, 4), np.float32)
        features[:, :, 0, 0] = -3
        return Judgement(np.zeros(len(photos), np.float32), features if maps else None)


def light(image, x, y):
    colour = QColor(image.pixelColor(int(x * (image.width() - 1)), int(y * (image.height() - 1))))
    return colour.lightness()


def test_strength_is_the_norm_over_channels_from_least_to_most():
    features = np.zeros((2, 2, 3), np.float32)
    features[:, 0, 0] = (3, -4)
    features[:, 1, 2] = (0, 2.5)
    map_ = make_map(features)
    np.testing.assert_allclose(map_.strength, [[1, 0, 0], [0, 0, 0.5]])
    assert map_.channels == 2


def test_bright_is_where_it_responds():
    features = np.zeros((8, 4, 4), np.float32)
    features[:, 0, 0] = -3
    image = make_map(features).image
    assert light(image, 0, 0) > 120 > 60 > light(image, 1, 1)
    assert light(image, 1, 0) == light(image, 0, 1) == light(image, 1, 1)
    assert 0.4 < image.pixelColor(0, 0).alphaF() < 0.8  # the photo is seen through it


def test_a_flat_map_is_drawn_without_a_fault():
    map_ = make_map(np.ones((8, 4, 4), np.float32))
    assert not map_.strength.any()


def test_the_map_is_what_the_model_gives_for_the_photo_as_scored(make_maps, examples, qtbot):
    path = str(examples / "nyc.jpg")
    maps = make_maps(lambda: create_backend("dpiqa_lite"))
    with qtbot.waitSignal(maps.ready, timeout=60_000) as ready:
        maps.ask(path)
    assert ready.args[0] == path
    backend = create_backend("dpiqa_lite")
    backend.load()
    (features,) = backend.judge([decode(path, backend.input_size).pixels], maps=True).maps
    norm = np.linalg.norm(features, axis=0)
    expected = (norm - norm.min()) / (norm.max() - norm.min())
    np.testing.assert_allclose(ready.args[1].strength, expected, atol=1e-4)


def test_a_map_is_made_once_and_kept(make_maps, make_photos, qtbot):
    backend = Corner()
    maps = make_maps(lambda: backend)
    (path,) = make_photos(1)
    for _ in range(2):
        with qtbot.waitSignal(maps.ready, timeout=20_000):
            maps.ask(path)
    assert len(backend.asked) == 1
    assert backend.loads == 1
    assert maps.get(path) is not None
    maps.clear()
    assert maps.get(path) is None


def test_another_model_makes_maps_of_its_own(make_maps, make_photos, qtbot):
    first, second = Corner(input_size=32), Corner(input_size=48)
    maps = make_maps(lambda: first)
    (path,) = make_photos(1)
    with qtbot.waitSignal(maps.ready, timeout=20_000):
        maps.ask(path)
    maps.set_backend(lambda: second)
    assert maps.get(path) is None
    with qtbot.waitSignal(maps.ready, timeout=20_000):
        maps.ask(path)
    assert second.asked[0].shape == (48, 48, 3)


def test_the_last_one_asked_for_comes_next(make_maps, make_photos, qtbot):
    opened = threading.Event()

    class Held(Corner):
        def judge(self, photos, maps=False):
            assert opened.wait(20)
            return super().judge(photos, maps)

    maps = make_maps(Held)
    paths = make_photos(5)
    came = []
    maps.ready.connect(lambda path, map_: came.append(path))
    for path in paths:
        maps.ask(path)
    opened.set()
    qtbot.waitUntil(lambda: paths[4] in came, timeout=20_000)
    qtbot.wait(100)
    assert came == [paths[0], paths[4]]


def test_a_metric_without_maps_says_so(make_maps, make_photos, qtbot):
    maps = make_maps(Brightness)
    (path,) = make_photos(1)
    with qtbot.waitSignal(maps.failed, timeout=20_000) as failed:
        maps.ask(path)
    assert failed.args == [path, "brightness has no map to show"]


def test_a_model_or_photo_that_cannot_be_had_is_a_reason_and_tried_again(
    make_maps, make_photos, tmp_path, qtbot, caplog
):
    (path,) = make_photos(1)
    outcomes = [WeightsError("no weights"), RuntimeError("device lost"), Corner()]

    def make_backend():
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    maps = make_maps(make_backend)
    for reason in ("no weights", "the model could not look at it: device lost"):
        with qtbot.waitSignal(maps.failed, timeout=20_000) as failed:
            maps.ask(path)
        assert failed.args == [path, reason]
    with qtbot.waitSignal(maps.ready, timeout=20_000):
        maps.ask(path)
    with qtbot.waitSignal(maps.failed, timeout=20_000) as failed:
        maps.ask(str(tmp_path / "gone.jpg"))
    assert "No such file" in failed.args[1]
    (logged,) = caplog.records  # what is to be expected is not worth it
    assert path in logged.getMessage()
    assert "in make_backend" in caplog.text
    assert "RuntimeError: device lost" in caplog.text


def test_the_legend_says_what_is_shown_and_what_is_not(qtbot):
    legend = QualityMapLegend()
    qtbot.addWidget(legend)
    legend.explain(make_map(np.zeros((8, 64, 48), np.float32)))
    for words in (
        "8 channels",
        "48 by 64 places",
        "does not show where the photo is bad or good",
        "cannot be compared",
    ):
        assert words in legend.words
    assert legend.accessibleDescription() == legend.words


def test_a_shared_model_is_loaded_once_and_asked_in_turns():
    class Strict(Brightness):
        inside = 0

        def judge(self, photos, maps=False):
            Strict.inside += 1
            assert Strict.inside == 1
            threading.Event().wait(0.002)
            Strict.inside -= 1
            return super().judge(photos, maps)

    own = Strict()
    shared = SharedBackend(own)
    assert (shared.input_size, shared.identity, shared.batch_size) == (32, "brightness-1", 4)
    scores = []

    def work(value):
        shared.load()
        photo = np.full((2, 2, 3), value, np.uint8)
        scores.extend((value, shared.judge([photo]).scores[0]) for _ in range(10))

    threads = [threading.Thread(target=work, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(scores) == 40
    assert all(value == score for value, score in scores)
    assert own.loads == 1
