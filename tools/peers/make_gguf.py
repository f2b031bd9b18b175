"""Writes a random bfloat16 Llama of a model folder's shape as GGUF, for timing llama.cpp (needs the `gguf` and numpy packages).

Of the folder only config.json is read: the time does not depend on the weights.

usage: make_gguf.py MODEL_DIR OUT.gguf
"""
import json
import os
import sys

import gguf
import numpy as np

config = json.load(open(os.path.join(sys.argv[1], "config.json")))
LAYERS, HEADS, HIDDEN = config["num_hidden_layers"], config["num_attention_heads"], config["hidden_size"]
FFN, VOCAB = config["intermediate_size"], config["vocab_size"]
KV_HEADS = config.get("num_key_value_heads") or HEADS
HEAD = config.get("head_dim") or HIDDEN // HEADS
ROPE = (config.get("rope_parameters") or config).get("rope_theta", 10000.0)
out = gguf.GGUFWriter(sys.argv[2], "llama")
out.add_context_length(config.get("max_position_embeddings", 2048))
out.add_embedding_length(HIDDEN)
out.add_block_count(LAYERS)
out.add_feed_forward_length(FFN)
out.add_head_count(HEADS)
out.add_head_count_kv(KV_HEADS)
out.add_key_length(HEAD)
out.add_value_length(HEAD)
out.add_rope_dimension_count(HEAD)
out.add_rope_freq_base(ROPE)
out.add_layer_norm_rms_eps(config.get("rms_norm_eps", 1e-6))
out.add_vocab_size(VOCAB)
out.add_file_type(32)  # mostly bf16
out.add_tokenizer_model("llama")
tokens = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % i for i in range(256)]
tokens += [b"t%d" % i for i in range(VOCAB - len(tokens))]
out.add_token_list(tokens)
out.add_token_scores([0.0] * VOCAB)
out.add_token_types([2, 3, 3] + [6] * 256 + [1] * (VOCAB - 259))
out.add_bos_token_id(1)
out.add_eos_token_id(2)
random = np.random.default_rng(0)


def matrix(name, rows, columns):
    bits = (random.standard_normal((rows, columns), dtype=np.float32) * 0.02).view(np.uint32)
    data = ((bits + 0x8000) >> 16).astype(np.uint16).view(np.uint8).reshape(rows, columns * 2)
    out.add_tensor(name, data, raw_dtype=gguf.GGMLQuantizationType.BF16)


def ones(name):
    out.add_tensor(name, np.ones(HIDDEN, np.float32))


matrix("token_embd.weight", VOCAB, HIDDEN)
ones("output_norm.weight")
if not config.get("tie_word_embeddings"):
    matrix("output.weight", VOCAB, HIDDEN)
for layer in range(LAYERS):
    p = "blk.%d." % layer
    ones(p + "attn_norm.weight")
    ones(p + "ffn_norm.weight")
    matrix(p + "attn_q.weight", HEADS * HEAD, HIDDEN)
    matrix(p + "attn_k.weight", KV_HEADS * HEAD, HIDDEN)
    matrix(p + "attn_v.weight", KV_HEADS * HEAD, HIDDEN)
    matrix(p + "attn_output.weight", HIDDEN, HEADS * HEAD)
    matrix(p + "ffn_gate.weight", FFN, HIDDEN)
    matrix(p + "ffn_up.weight", FFN, HIDDEN)
    matrix(p + "ffn_down.weight", HIDDEN, FFN)
out.write_header_to_file()
out.write_kv_data_to_file()
out.write_tensors_to_file()
out.close()
