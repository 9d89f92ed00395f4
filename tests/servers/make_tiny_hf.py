#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make a small LLaMA model with random weights in the Hugging Face layout, tokenizer included; downloads nothing.

It is the sibling of make_gguf.py: the same corpus, special tokens and chat template. It runs where torch, transformers
and tokenizers are, with make_gguf.py in the same folder. Tokens that are not printable ASCII are suppressed, so is
end-of-stream: every request runs to its max_tokens, and every token has a text of its own.
"""
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"

# pylint: disable=wrong-import-position
import torch
from make_gguf import CHAT_TEMPLATE, CORPUS, SPECIAL
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

VOCABULARY = 512
# vLLM's attention backends take heads of 64 and more.
HEADS, HEAD_SIZE, LAYERS = 4, 64, 4


def train_tokenizer():
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(CORPUS.split("\n"), trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    end, _, turn = SPECIAL
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, bos_token=end, eos_token=turn, pad_token=end)
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def unprintable(tokenizer):
    texts = [tokenizer.decode([i]) for i in range(len(tokenizer))]
    return [i for i, text in enumerate(texts)
            if text in SPECIAL or not (text.isascii() and text.isprintable())]


def make_model(tokenizer):
    torch.manual_seed(0)
    hidden = HEADS * HEAD_SIZE
    model = LlamaForCausalLM(LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=3 * hidden, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=HEADS, max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id))
    model.generation_config.suppress_tokens = unprintable(tokenizer)
    return model


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit(f"usage: make_tiny_hf.py DIR\n\n{__doc__}")
    tokenizer = train_tokenizer()
    make_model(tokenizer).save_pretrained(sys.argv[1])
    tokenizer.save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()
