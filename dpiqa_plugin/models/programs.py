"""Programs of OpenVINO's operations that multiply in bfloat16 on a CPU.

Unlike torch they lay out weights once, not at every call, and convert no results between layers. Milliseconds
on two cores with AVX-512 BF16, torch 2.14 and OpenVINO 2026.4, of a transformer's sublayers in bfloat16: on
the left by torch's linear layers, with attention by OpenVINO, on the right by one program each.

    positions   channels   feed-forward    self-attention   attention to 1485
    4096          320        38     30       103     99          39     36
    1024          640        32     25        22     19          20     17
    256          1280        28     25        12     10          14     10
    64           1280         9      7         5      3           8      3

A 3 x 3 convolution of 1280 channels takes 17 instead of torch's 20 at 16 x 16 positions, 5 instead of 8 at
8 x 8. What is laid out takes as much memory as the weights, 1.7 GB for all that the teacher rounds, and the
first photo some seconds more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from dpiqa_plugin.models.inference import is_plain_inference
from dpiqa_plugin.models.kept import Kept, may_be_kept

Node = Any
"""What OpenVINO's operations take and give; it declares them too loosely for a type checker."""


class Programs:
    """Those of some layers in bfloat16, one a shape of inputs and number of threads.

    They are kept as long as the weights are in bfloat16 and stay what they are. Changes through
    ``Tensor.data`` alone go unnoticed, as of all that is `Kept`; hooks of the layers are not called.
    """

    def __init__(self) -> None:
        self._compiled: Kept[dict[Hashable, tuple[Any, list[Tensor]]]] = Kept()

    def may_run(self, layers: Sequence[nn.Module], *inputs: Tensor) -> bool:
        """Whether the weights are in bfloat16, and of float32 inputs nothing but a result is wanted."""
        if torch.compiler.is_compiling():
            return False
        weights = _weights(layers)
        if not all(isinstance(weight, nn.Parameter) and weight.dtype == torch.bfloat16 for weight in weights):
            self._compiled.forget()
            return False
        return may_be_kept(weights) and is_plain_inference(*inputs)

    def run(self, build: Callable[..., Node], layers: Sequence[nn.Module], *inputs: Tensor) -> Tensor:
        """Give ``build(*layers, *inputs)``, always the same function, of inputs (N, ...) photo by photo."""
        weights = _weights(layers)
        compiled = self._compiled.get(weights, dict)
        shapes, threads = tuple(each.shape[1:] for each in inputs), torch.get_num_threads()
        if (shapes, threads) not in compiled:
            program = compile_program(partial(build, *layers), shapes, threads)
            compiled[shapes, threads] = program, [weight.detach() for weight in weights]
        program, _memory_it_shares = compiled[shapes, threads]
        return run_program(program, *inputs)


def _weights(layers: Sequence[nn.Module]) -> list[Any]:
    return [each for layer in layers for each in (layer.weight, layer.bias) if each is not None]


def compile_program(build: Callable[..., Node], shapes: Sequence[Sequence[int]], threads: int) -> Any:
    """Compile what ``build`` makes of bfloat16 nodes of these shapes; a fixed shape costs less than any.

    Args:
        build: gives a node; from those that the functions below give.
        shapes: of the inputs, a single photo's each.
        threads: to compute with.

    Returns:
        A program that takes and gives float32, for `run_program`.
    """
    from dpiqa_plugin.unwatched_openvino import openvino

    operations = _operations()
    inputs = [operations.parameter([1, *shape], openvino.Type.f32) for shape in shapes]
    result = build(*(operations.convert(each, "bf16") for each in inputs))
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # they share the cores with torch's
    }
    model = openvino.Model([operations.convert(result, "f32")], inputs)
    return _core().compile_model(model, "CPU", settings)


def run_program(program: Any, *inputs: Tensor) -> Tensor:
    """Give a program's results of inputs (N, ...), float32 on the CPU, photo by photo."""
    from dpiqa_plugin.unwatched_openvino import openvino

    request = program.create_infer_request()  # of its own: calls may come from several threads
    results = inputs[0].new_empty(len(inputs[0]), *list(program.output(0).shape)[1:])
    for of_photo in zip(*inputs, results, strict=True):
        *taken, given = (
            openvino.Tensor(each[None].contiguous().numpy(), shared_memory=True) for each in of_photo
        )
        request.set_output_tensor(given)
        request.infer(taken)
    return results


def attended(query: Node, key: Node, value: Node, heads: int) -> Node:
    """Attend by each head on its own: (1, L, C) to (1, S, C), of which ``heads`` share the channels."""
    operations = _operations()
    # 0: as it is; -1: what is left.
    by_head = [
        operations.transpose(operations.reshape(each, [0, 0, heads, -1], True), [0, 2, 1, 3])
        for each in (query, key, value)
    ]
    result = operations.scaled_dot_product_attention(*by_head, causal=False)
    return operations.reshape(operations.transpose(result, [0, 2, 1, 3]), [0, 0, -1], True)


def projected(layer: nn.Linear, sample: Node) -> Node:
    """Apply a layer of bfloat16 weights, whose memory the program shares: they must outlive it."""
    operations = _operations()
    product = operations.matmul(sample, _constant(layer.weight), False, True)
    # diffusers has layers without a bias; torch declares none.
    return product if layer.bias is None else operations.add(product, _constant(layer.bias))


def convolved(layer: nn.Conv2d, sample: Node) -> Node:
    """Apply a 3 x 3 convolution with padding, see `projected`, to (1, H, W, C), channels last."""
    operations = _operations()
    margins = strides = dilations = [1, 1]
    channels_first = operations.transpose(sample, [0, 3, 1, 2])
    weight = _constant(layer.weight)
    product = operations.convolution(channels_first, weight, strides, margins, margins, dilations)
    assert layer.bias is not None
    # Where OpenVINO makes it a part of the convolution, before the result is rounded.
    bias = operations.reshape(_constant(layer.bias), [1, -1, 1, 1], False)
    return operations.transpose(operations.add(product, bias), [0, 2, 3, 1])


def gated(sample: Node) -> Node:
    """Multiply the first half of the channels of (1, L, C) by the GELU of the other."""
    operations = _operations()
    values, gates = operations.split(sample, operations.constant(2), 2).outputs()
    return operations.multiply(values, operations.gelu(gates, "erf"))


def _constant(weight: Tensor) -> Node:
    from dpiqa_plugin.unwatched_openvino import openvino

    numbers = weight.detach().contiguous().view(torch.int16).numpy()  # NumPy has no bfloat16
    tensor = openvino.Tensor(numbers, openvino.Shape(list(weight.shape)), openvino.Type.bf16)
    # Shared but for copies, which are gone in a moment: OpenVINO holds no reference to them.
    is_shared = weight.is_contiguous()
    return _namespace().op.Constant(tensor, is_shared)


@cache
def _core() -> Any:
    from dpiqa_plugin.unwatched_openvino import openvino

    return openvino.Core()


def _operations() -> Any:
    return _namespace().opset13


def _namespace() -> Any:
    from dpiqa_plugin.unwatched_openvino import openvino

    # In OpenVINO 2024 the operations have but the second place, in 2026 but the first.
    return openvino if hasattr(openvino, "opset13") else openvino.runtime
