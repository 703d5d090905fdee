"""What of a cluster a model gets, by what its machines say that they have."""

import pytest

ray = pytest.importorskip("ray")

from dpiqa_desktop.options import BatchOptions  # noqa: E402
from dpiqa_desktop.scaling.cluster import Share, choose_share, device_of  # noqa: E402
from dpiqa_plugin.errors import UsageError  # noqa: E402

SMALL, LARGE = {"CPU": 2.0}, {"CPU": 32.0}
CARDS = {"CPU": 16.0, "GPU": 4.0}


@pytest.fixture
def share(monkeypatch):
    """Choose on a cluster of these machines, and one that is gone; give the device, too."""

    def choose(machines, **wishes):
        nodes = [{"Alive": True, "Resources": machine} for machine in machines]
        nodes.append({"Alive": False, "Resources": {"CPU": 64.0, "GPU": 64.0}})
        monkeypatch.setattr(ray, "nodes", lambda: nodes)
        options = BatchOptions(("photos",), ray="auto", out="scores", **wishes)
        chosen = choose_share(options)
        return chosen, device_of(options, chosen)

    return choose


@pytest.mark.parametrize(
    ("machines", "wishes", "chosen", "device"),
    [
        ([SMALL], {}, Share(2, 0, 1), "cpu"),
        ([SMALL, LARGE], {}, Share(4, 0, 8), "cpu"),
        ([LARGE, CARDS], {}, Share(4, 0, 12), "cpu"),
        ([LARGE, CARDS], {"metric": "dpiqa"}, Share(4, 1, 4), "cuda"),
        ([LARGE, CARDS], {"metric": "dpiqa", "num_gpus": 0}, Share(4, 0, 12), "cpu"),
        ([LARGE, CARDS], {"metric": "dpiqa_student", "backend": "openvino"}, Share(4, 0, 12), "cpu"),
        ([LARGE, CARDS], {"metric": "dpiqa", "device": "cpu"}, Share(4, 0, 12), "cpu"),
        ([LARGE, CARDS], {"device": "cuda"}, Share(4, 1, 4), "cuda"),
        ([LARGE, CARDS], {"num_gpus": 0.5}, Share(2, 0.5, 8), "cuda"),
        ([LARGE, CARDS], {"num_gpus": 0.5, "num_cpus": 4}, Share(4, 0.5, 4), "cuda"),
        ([LARGE, CARDS], {"num_gpus": 2, "device": "cpu"}, Share(8, 2, 2), "cpu"),
        ([LARGE], {"metric": "dpiqa"}, Share(4, 0, 8), "cpu"),
    ],
)
def test_cores_gpus_and_how_many_models(machines, wishes, chosen, device, share):
    assert share(machines, **wishes) == (chosen, device)


@pytest.mark.parametrize(
    ("machines", "wishes"),
    [
        ([LARGE], {"num_gpus": 1}),
        ([LARGE], {"device": "cuda"}),
        ([LARGE, CARDS], {"num_gpus": 5}),
        ([LARGE, CARDS], {"num_gpus": 1, "num_cpus": 17}),
    ],
)
def test_gpus_that_no_machine_has(machines, wishes, share):
    with pytest.raises(UsageError, match=r"no machine of the cluster has \d GPUs and \d+ cores"):
        share(machines, **wishes)
