#!/usr/bin/env python3
"""Prefill and decode rate of Hugging Face transformers on PyTorch (CPU or GPU), as tools/compare-peers times them.

prefill: all prompts as one batch, padded on the left, scaled dot product attention, logits of the last position only; the tokens
  counted are those of the prompts, not the padding.
decode:  generate() with its cache, 64 new tokens after B texts of 128 tokens, without the time of the first.

usage: hf_bench.py MODEL_DIR IDS.json OUT.json [--dtype bfloat16] [--threads N] [--only prefill,decode] [--device cpu|cuda] [--random]
  --random  MODEL_DIR has a config.json only: weights are made on the device, as transformers begins a training
  OUT.json  {"prefill_tokens_s": r, "decode_tokens_s": {"1": r, "8": r}, "versions": ...}
"""
import argparse, json, statistics, time, torch, transformers
from transformers import AutoConfig, AutoModelForCausalLM, StoppingCriteria, StoppingCriteriaList
a = argparse.ArgumentParser(); a.add_argument("model"); a.add_argument("ids"); a.add_argument("out")
a.add_argument("--dtype", default="bfloat16"); a.add_argument("--threads", type=int, default=0); a.add_argument("--only", default="prefill,decode"); a.add_argument("--device", default="cpu"); a.add_argument("--random", action="store_true")
a = a.parse_args()
if a.threads: torch.set_num_threads(a.threads)
if a.random:
    with torch.device(a.device): m = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(a.model), dtype=getattr(torch, a.dtype), attn_implementation="sdpa").eval()
else: m = AutoModelForCausalLM.from_pretrained(a.model, dtype=getattr(torch, a.dtype), attn_implementation="sdpa").eval().to(a.device)
out = {"dtype": a.dtype, "threads": torch.get_num_threads(), "versions": f"torch {torch.__version__} transformers {transformers.__version__}"}
def now():
    if a.device != "cpu": torch.cuda.synchronize()
    return time.perf_counter()
def seconds(work, repeats):
    work(); taken = []
    for _ in range(repeats):
        t = now(); work(); taken.append(now() - t)
    return statistics.median(taken)
@torch.no_grad()
def prefill():
    prompts = json.load(open(a.ids)); n = max(map(len, prompts))
    ids = torch.tensor([[0] * (n - len(p)) + p for p in prompts]).to(a.device)
    mask = torch.tensor([[0] * (n - len(p)) + [1] * len(p) for p in prompts]).to(a.device)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    forward = lambda: m(input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1)
    out["prefill_tokens_s"] = sum(map(len, prompts)) / seconds(forward, 5)
class Clock(StoppingCriteria):
    """Notes the time after each new token."""
    def __init__(self): self.times = []
    def __call__(self, ids, scores, **more):
        self.times.append(now()); return torch.zeros(ids.shape[0], dtype=torch.bool, device=ids.device)
@torch.no_grad()
def decode(batch):
    ids = torch.randint(0, m.config.vocab_size, (batch, 128), generator=torch.Generator().manual_seed(1)).to(a.device)
    def generate(n):
        clock = Clock()
        m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=n, min_new_tokens=n, do_sample=False, pad_token_id=0,
            stopping_criteria=StoppingCriteriaList([clock]))
        assert len(clock.times) == n
        return clock.times[-1] - clock.times[0]
    generate(4); out["decode_tokens_s"][str(batch)] = 64 * batch / statistics.median(generate(65) for _ in range(3))
if "prefill" in a.only: prefill()
if "decode" in a.only:
    out["decode_tokens_s"] = {}
    for batch in (1, 8): decode(batch)
json.dump(out, open(a.out, "w"))
