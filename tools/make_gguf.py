#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Make a small LLaMA model with random weights that real inference servers load (GGUF v3).

The tests and the demo need a model that any llama.cpp loads and that nobody has to download. It talks nonsense, but
its tokenizer (byte-level BPE), its chat template (ChatML) and its shapes are real. The same options always give the
same file. Only Python's standard library is used.

The llama architecture has no bias on its output. So that some tokens can be banned, embedding dimension 0 is a
constant for every token: it survives the residual stream, and output.weight[token][0] then acts as that token's bias.
Tokens that are not printable ASCII, and the special ones, are banned; so is end-of-stream unless --eos-bias says
otherwise, which makes every request run to its max_tokens.
"""
import argparse
import random
import re
import struct
import sys
from collections import Counter

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
CHAT_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
# The tokenizer is trained on this: its words become tokens of their own.
CORPUS = """
the quick brown fox jumps over the lazy dog while a tracer watches every token stream from the inference server
requests arrive in a queue and wait for a free slot before prefill begins then each decode step emits one token to the
client latency throughput time to first token inter token latency batch size scheduler kernel uprobe tracepoint syscall
socket write read hello world this is a small random model with no knowledge at all please explain how the system works
and what happens next what is the meaning of a histogram percentile median average queue depth cache hit ratio memory
bandwidth compute bound in the beginning there was a prompt and the prompt was long and the model answered with many
words one after another user assistant system message content role answer question write a story about computers
networks storage and people"""

# ggml's numbers: tensor types, and gguf_metadata_value_type.
F32, Q8_0 = 0, 8
KV_U32, KV_I32, KV_F32, KV_BOOL, KV_STRING, KV_ARRAY = 4, 5, 6, 7, 8, 9
NORMAL, CONTROL, UNUSED = 1, 3, 5  # llama_token_type

ALIGNMENT = 32
BLOCK = 32                # values in one Q8_0 block: an fp16 scale and 32 int8
BLOCK_BYTES = 2 + BLOCK
INT8_STD = 73.9           # standard deviation of a uniformly random int8
CONSTANT = 8.0            # embedding dimension 0
BANNED = -30.0            # e^-30: never sampled


# ---------------------------------------------------------------- tokenizer

def byte_alphabet():
    """GPT-2's printable stand-in for each of the 256 bytes."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    alphabet = {b: chr(b) for b in printable}
    for byte in range(256):
        if byte not in alphabet:
            alphabet[byte] = chr(256 + len(alphabet) - len(printable))
    return alphabet


def merge_pair(symbols, pair):
    """Replaces each occurrence of pair in the list by its concatenation."""
    i = 0
    while i < len(symbols) - 1:
        if (symbols[i], symbols[i + 1]) == pair:
            symbols[i:i + 2] = [pair[0] + pair[1]]
        i += 1


def train_bpe(alphabet, size):
    """Byte-level BPE on CORPUS up to `size` tokens. Returns (tokens, merges)."""
    words = Counter(re.findall(r" ?\w+", " ".join(CORPUS.split())))
    symbols = {w: [alphabet[b] for b in w.encode()] for w in words}
    tokens, merges = [alphabet[b] for b in range(256)], []
    while len(tokens) < size:
        pairs = Counter()
        for word, parts in symbols.items():
            for pair in zip(parts, parts[1:]):
                pairs[pair] += words[word]
        if not pairs:
            break
        best = max(pairs, key=lambda p: (pairs[p], p))
        merges.append(best)
        tokens.append(best[0] + best[1])
        for parts in symbols.values():
            merge_pair(parts, best)
    return tokens, merges


class Vocabulary:
    """Tokens, their types, the merges, and a bias for each token."""

    def __init__(self, size, eos_bias):
        alphabet = byte_alphabet()
        self.tokens, self.merges = train_bpe(alphabet, size - len(SPECIAL))
        learned = len(self.tokens)
        self.tokens += SPECIAL
        padding = size - len(self.tokens)  # the corpus is exhausted
        self.tokens += [f"<|reserved_{learned + len(SPECIAL) + i}|>" for i in range(padding)]
        self.types = [NORMAL] * learned + [CONTROL] * len(SPECIAL) + [UNUSED] * padding
        self.bos, _, self.eos = range(learned, learned + len(SPECIAL))

        byte_of = {char: byte for byte, char in alphabet.items()}
        self.bias = [BANNED] * size
        for i, token in enumerate(self.tokens[:learned]):
            if all(32 <= byte_of[c] < 127 or byte_of[c] == 10 for c in token):
                self.bias[i] = 0.0
        self.bias[self.eos] = eos_bias


# ---------------------------------------------------------------- tensors

def random_q8(rng, rows, columns, std):
    """A row-major random matrix in Q8_0. The int8 come straight from the generator: 50 MB take well under a second."""
    blocks = rows * columns // BLOCK
    raw = rng.randbytes(blocks * BLOCK)
    scale = struct.pack("<e", std / INT8_STD)
    out = bytearray(blocks * BLOCK_BYTES)
    for k in range(2):
        out[k::BLOCK_BYTES] = bytes([scale[k]]) * blocks
    for k in range(BLOCK):
        out[2 + k::BLOCK_BYTES] = raw[k::BLOCK]
    return out


def set_first_column(matrix, columns, values):
    """Gives each row its own value in column 0; the first block of the row gets a scale that holds it."""
    row_bytes = columns // BLOCK * BLOCK_BYTES
    for row, value in enumerate(values):
        at = row * row_bytes
        scale, *quants = struct.unpack_from(f"<e{BLOCK}b", matrix, at)
        new_scale = max(abs(value) / 127, scale)
        quants = [round(q * scale / new_scale) for q in quants]
        quants[0] = max(-127, min(127, round(value / new_scale)))
        struct.pack_into(f"<e{BLOCK}b", matrix, at, new_scale, *quants)
    return matrix


def make_tensors(o, vocabulary):
    """Yields (name, dimensions innermost first, type, data)."""
    rng = random.Random(o.seed)
    head = o.dim // o.heads
    ones = struct.pack(f"<{o.dim}f", *[1.0] * o.dim)
    # What the output layer sees in dimension 0, after RMS normalisation.
    seen = CONSTANT / ((o.dim - 1 + CONSTANT ** 2) / o.dim) ** 0.5

    def matrix(name, columns, rows, std):
        return name, (columns, rows), Q8_0, random_q8(rng, rows, columns, std)

    embedding = random_q8(rng, o.vocab, o.dim, 1.0)
    yield "token_embd.weight", (o.dim, o.vocab), Q8_0, set_first_column(
        embedding, o.dim, [CONSTANT] * o.vocab)
    yield "output_norm.weight", (o.dim,), F32, ones
    output = random_q8(rng, o.vocab, o.dim, 2.0 / o.dim ** 0.5)
    yield "output.weight", (o.dim, o.vocab), Q8_0, set_first_column(
        output, o.dim, [b / seen for b in vocabulary.bias])
    wide, narrow = 1.0 / o.dim ** 0.5, 0.5 / o.dim ** 0.5
    for i in range(o.layers):
        layer = f"blk.{i}."
        yield layer + "attn_norm.weight", (o.dim,), F32, ones
        yield layer + "ffn_norm.weight", (o.dim,), F32, ones
        yield matrix(layer + "attn_q.weight", o.dim, o.heads * head, wide)
        yield matrix(layer + "attn_k.weight", o.dim, o.kv_heads * head, wide)
        yield matrix(layer + "attn_v.weight", o.dim, o.kv_heads * head, narrow)
        yield matrix(layer + "attn_output.weight", o.heads * head, o.dim, narrow)
        yield matrix(layer + "ffn_gate.weight", o.dim, o.ffn, narrow)
        yield matrix(layer + "ffn_up.weight", o.dim, o.ffn, narrow)
        yield matrix(layer + "ffn_down.weight", o.ffn, o.dim, 0.5 / o.ffn ** 0.5)


# ---------------------------------------------------------------- GGUF v3

def gguf_string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


SCALAR = {KV_U32: "<I", KV_I32: "<i", KV_F32: "<f", KV_BOOL: "<B"}


def gguf_value(kind, value):
    return gguf_string(value) if kind == KV_STRING else struct.pack(SCALAR[kind], value)


def gguf_pair(key, kind, value):
    """One metadata pair; a list becomes an array of `kind`."""
    if isinstance(value, list):
        head = struct.pack("<IIQ", KV_ARRAY, kind, len(value))
        return gguf_string(key) + head + b"".join(gguf_value(kind, v) for v in value)
    return gguf_string(key) + struct.pack("<I", kind) + gguf_value(kind, value)


def metadata(o, v):
    return [gguf_pair(*pair) for pair in (
        ("general.architecture", KV_STRING, "llama"),
        ("general.name", KV_STRING, o.name),
        ("general.file_type", KV_U32, 7),  # mostly Q8_0
        ("general.quantization_version", KV_U32, 2),
        ("llama.context_length", KV_U32, o.ctx),
        ("llama.embedding_length", KV_U32, o.dim),
        ("llama.block_count", KV_U32, o.layers),
        ("llama.feed_forward_length", KV_U32, o.ffn),
        ("llama.attention.head_count", KV_U32, o.heads),
        ("llama.attention.head_count_kv", KV_U32, o.kv_heads),
        ("llama.vocab_size", KV_U32, o.vocab),
        ("llama.attention.layer_norm_rms_epsilon", KV_F32, 1e-5),
        ("llama.rope.dimension_count", KV_U32, o.dim // o.heads),
        ("llama.rope.freq_base", KV_F32, 10000.0),
        ("tokenizer.ggml.model", KV_STRING, "gpt2"),
        ("tokenizer.ggml.pre", KV_STRING, "gpt-2"),
        ("tokenizer.ggml.tokens", KV_STRING, v.tokens),
        ("tokenizer.ggml.token_type", KV_I32, v.types),
        ("tokenizer.ggml.merges", KV_STRING, [f"{a} {b}" for a, b in v.merges]),
        ("tokenizer.ggml.bos_token_id", KV_U32, v.bos),
        ("tokenizer.ggml.eos_token_id", KV_U32, v.eos),
        ("tokenizer.ggml.add_bos_token", KV_BOOL, 0),
        ("tokenizer.chat_template", KV_STRING, CHAT_TEMPLATE))]


def padding(length):
    return b"\0" * (-length % ALIGNMENT)


def gguf_header(pairs, tensors):
    """Everything before the tensor data. Offsets count from the end of the header."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs)
    offset = 0
    for name, dimensions, kind, data in tensors:
        head += gguf_string(name) + struct.pack("<I", len(dimensions))
        head += struct.pack(f"<{len(dimensions)}Q", *dimensions) + struct.pack("<IQ", kind, offset)
        offset += len(data) + len(padding(len(data)))
    return head + padding(len(head))


def write_gguf(path, pairs, tensors):
    """Returns the size of the file."""
    with open(path, "wb") as f:
        f.write(gguf_header(pairs, tensors))
        for _, _, _, data in tensors:
            f.write(data)
            f.write(padding(len(data)))
        return f.tell()


# ---------------------------------------------------------------- command line

def parse_arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="sizes: the defaults give 3.9 MB; --layers 8 --dim 512 --ffn 1536 gives 28 MB;\n"
               "--layers 12 --dim 768 --ffn 2304 --heads 12 --vocab 2048 gives 91 MB")
    p.add_argument("out", metavar="FILE", help="the .gguf file to write")
    p.add_argument("--layers", type=int, default=4, help="transformer blocks (%(default)s)")
    p.add_argument("--dim", type=int, default=256, help="embedding length (%(default)s)")
    p.add_argument("--ffn", type=int, help="feed-forward length (3 x dim)")
    p.add_argument("--heads", type=int, default=8, help="attention heads (%(default)s)")
    p.add_argument("--kv-heads", type=int, default=4, help="key and value heads (%(default)s)")
    p.add_argument("--vocab", type=int, default=1024, help="tokens (%(default)s)")
    p.add_argument("--ctx", type=int, default=4096, help="trained context length (%(default)s)")
    p.add_argument("--seed", type=int, default=1, help="of the weights (%(default)s)")
    p.add_argument("--eos-bias", type=float, default=BANNED,
                   help="logit bias of the end-of-stream token: %(default)s never ends by itself, 0 ends at random")
    p.add_argument("--name", default="tiny-random-llama", help="the model's name (%(default)s)")
    o = p.parse_args()
    o.ffn = o.ffn or 3 * o.dim
    if o.dim % BLOCK or o.ffn % BLOCK:
        p.error(f"--dim and --ffn must be multiples of {BLOCK}")
    if o.dim % (2 * o.heads) or o.heads % o.kv_heads:
        p.error("--dim must be a multiple of 2 x --heads, and --heads one of --kv-heads")
    if o.vocab < 256 + len(SPECIAL):
        p.error(f"--vocab must be at least {256 + len(SPECIAL)}")
    return o


def main():
    o = parse_arguments()
    vocabulary = Vocabulary(o.vocab, o.eos_bias)
    tensors = list(make_tensors(o, vocabulary))
    size = write_gguf(o.out, metadata(o, vocabulary), tensors)
    weights = sum(d[0] * (d[1] if len(d) > 1 else 1) for _, d, _, _ in tensors)
    print(f"{o.out}: {weights / 1e6:.1f} M weights, {size / 1e6:.1f} MB, vocabulary {o.vocab}",
          file=sys.stderr)


if __name__ == "__main__":
    main()
