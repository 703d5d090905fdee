"""A tiny random CLIP in the files that the published ViT-L/14 has: both towers, projection 768, tokenizer."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dpiqa_plugin.prompts import PROMPTS

_LAYER = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def save_tiny_clip(folder: Path) -> None:
    """Write model and tokenizer so that ``from_pretrained(folder)`` reads them like the published ones."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    merges = _merges()
    vocabulary = _vocabulary(merges)
    # As published: eos_token_id 2 is wrong and makes transformers look for the highest id instead.
    text = {**_LAYER, "vocab_size": len(vocabulary), "projection_dim": 768, "eos_token_id": 2}
    text |= {"bos_token_id": 0, "pad_token_id": 1, "max_position_embeddings": 77}
    vision = {**_LAYER, "image_size": 28, "patch_size": 14, "projection_dim": 768}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=768)).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *map(" ".join, merges), ""]))
    end, start = "<|endoftext|>", "<|startoftext|>"
    tokens = {"unk_token": end, "bos_token": start, "eos_token": end, "pad_token": end}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _merges() -> list[tuple[str, str]]:
    """Joins that make one or a few tokens of each word, so that no prompt is longer than CLIP's 77 tokens."""
    words = sorted({word for prompt in PROMPTS for word in re.findall("[a-z]+", prompt)})
    joins = [
        (word[:end], word[end] + "</w>" * (end + 1 == len(word)))
        for word in words
        for end in range(1, len(word))
    ]
    return list(dict.fromkeys(joins))


def _vocabulary(merges: list[tuple[str, str]]) -> dict[str, int]:
    letters = [chr(code) for code in range(33, 127)]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *dict.fromkeys(map("".join, merges))]
    return {word: number for number, word in enumerate([*words, "<|startoftext|>", "<|endoftext|>"])}
