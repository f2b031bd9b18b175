"""Compares Belay with PyTorch/transformers and llama.cpp on the same model, token ids and probe; started by tools/compare-peers.

Each measurement is taken in turn, peer then Belay, as many times as --pairs says, each in a process of its own, so that what else
the machine does meets both alike; the medians and the ratio of each pair are what counts.
"""
import argparse
import importlib.util
import json
import math
import os
import random
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
WORKS = ["sweep-all", "sweep-closing", "prefill", "decode"]
LENGTHS = [96, 128, 160, 128]
SEED = 1
TOP = 10
# As long as a sweep of all heads of any model takes, which is measured whole.
SWEEP_SECONDS = 1e6
# Float32 scores of two programs that sum in different orders; what the tests allow.
F32_LIMIT = 2e-4
# Share of the machine that other programs took while each command ran.
OTHERS = []
BUSY = 0.1
INSTALL = "pip install torch==2.13.0 transformers==5.18.0 safetensors"


def fail(message):
    sys.exit("compare-peers: " + message)


def options():
    parser = argparse.ArgumentParser(
        prog="compare-peers",
        description="Compares Belay with PyTorch/transformers and llama.cpp on the same model, token ids and probe, on this machine's CPU.",
    )
    parser.add_argument("model", nargs="?", metavar="MODEL_DIR", help="a Llama model folder; default: a random one of SmolLM2-135M's shape")
    parser.add_argument("--out", metavar="F.json", help="write all numbers to this file too, for example docs/peers.json")
    parser.add_argument("--pairs", type=int, default=3, metavar="N", help="times that each is measured in turn (default 3)")
    parser.add_argument("--only", default=",".join(WORKS), metavar="LIST", help="what to measure: " + ",".join(WORKS) + " (default all)")
    parser.add_argument("--heads", type=int, default=27, metavar="N", help="heads that the transformers loop is timed on, evenly spread, "
                        "and then scaled to all: every head costs it the same (default 27)")
    parser.add_argument("--full", action="store_true", help="have the transformers loop do every head: minutes a pair")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="threads of the peers (default: all processors)")
    parser.add_argument("--python", default=sys.executable, metavar="P", help="the Python with torch and transformers (default $BELAY_PYTHON or python3)")
    parser.add_argument("--belay", default=os.path.join(ROOT, "belay"), metavar="CMD", help="the belay to measure (default ./belay)")
    parser.add_argument("--llama", default=os.environ.get("BELAY_LLAMA"), metavar="DIR", help="a folder outside this one where "
                        "'npm install node-llama-cpp --ignore-scripts' was run (default $BELAY_LLAMA; without it llama.cpp is left out)")
    chosen = parser.parse_args()
    chosen.only = chosen.only.split(",")
    unknown = [w for w in chosen.only if w not in WORKS]
    if unknown:
        parser.error("--only knows " + ", ".join(WORKS) + ", not '" + unknown[0] + "'")
    if chosen.pairs < 1 or chosen.heads < 1 or chosen.threads < 1:
        parser.error("--pairs, --heads and --threads are numbers from 1")
    if chosen.model and not os.path.isfile(os.path.join(chosen.model, "config.json")):
        fail(chosen.model + ": no such model folder; give a folder with config.json and safetensors files")
    if chosen.out and not os.path.isdir(os.path.dirname(os.path.abspath(chosen.out))):
        fail("cannot write " + chosen.out + ": there is no such folder")
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        fail(sys.executable + " has no torch or no transformers; in a virtual environment outside this folder: " + INSTALL + ", then --python P")
    if chosen.llama and not os.path.isdir(os.path.join(chosen.llama, "node_modules", "node-llama-cpp")):
        fail(chosen.llama + " holds no node_modules/node-llama-cpp; run there: npm install node-llama-cpp --ignore-scripts")
    if chosen.llama and importlib.util.find_spec("gguf") is None:
        fail("llama.cpp needs its model written: pip install gguf into the environment of " + sys.executable)
    return chosen


def processor_seconds():
    """Seconds that all processors of the machine were busy, and that our own finished commands were."""
    with open("/proc/stat") as file:
        ticks = [int(n) for n in file.readline().split()[1:9]]
    own = resource.getrusage(resource.RUSAGE_CHILDREN)
    # Without the fourth and fifth, idle and waiting.
    return (sum(ticks) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK"), own.ru_utime + own.ru_stime


def run(command, log):
    """Runs a command; returns its stdout and the seconds it took, from start to end. Notes how busy others kept the machine."""
    started, (busy, own) = time.perf_counter(), processor_seconds()
    try:
        done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        fail("cannot run %s: %s" % (command[0], error.strerror))
    seconds, (busy_then, own_then) = time.perf_counter() - started, processor_seconds()
    OTHERS.append(max(0, (busy_then - busy) - (own_then - own)) / (seconds * os.cpu_count()))
    with open(log, "a") as file:
        file.write(" ".join(map(str, command)) + "\n" + done.stderr + "\n")
    if done.returncode != 0:
        fail("'" + " ".join(map(str, command)) + "' failed: " + (done.stderr.strip().splitlines() or ["no message"])[-1])
    return done.stdout, seconds


def say(text):
    print(text, flush=True)


class Comparison:
    def __init__(self, chosen, work):
        self.chosen = chosen
        self.work = work
        self.log = os.path.join(work, "log")
        self.model = chosen.model or self.random_model()
        with open(os.path.join(self.model, "config.json")) as file:
            self.config = json.load(file)
        self.layers = self.config["num_hidden_layers"]
        self.heads = self.config["num_attention_heads"]
        draw = random.Random(SEED)
        self.prompts = [[draw.randrange(self.config["vocab_size"]) for _ in range(n)] for n in LENGTHS]
        self.ids = os.path.join(work, "ids.json")
        with open(self.ids, "w") as file:
            json.dump(self.prompts, file)
        self.probe = os.path.join(work, "probe.safetensors")
        self.write_probe()
        self.versions = {}
        self.scores = {}

    def random_model(self):
        folder = os.path.join(self.work, "model")
        run([os.path.join(ROOT, "tools", "random-model"), "smollm2-135m", folder], self.log)
        return folder

    def write_probe(self):
        """The probe of hf_sweep.py: w[i] = cos(i)/sqrt(d), b = 0, as safetensors."""
        width = self.config["hidden_size"]
        values = [math.cos(i) / math.sqrt(width) for i in range(width)] + [0.0]
        header = json.dumps({
            "weight": {"dtype": "F32", "shape": [width], "data_offsets": [0, 4 * width]},
            "bias": {"dtype": "F32", "shape": [1], "data_offsets": [4 * width, 4 * width + 4]},
        }).encode()
        with open(self.probe, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + struct.pack("<%df" % len(values), *values))

    def hf_sweep(self, dtype):
        out = os.path.join(self.work, "hf.json")
        heads = [] if self.chosen.full else ["--limit-heads", min(self.chosen.heads, self.layers * self.heads)]
        run([self.chosen.python, os.path.join(HERE, "hf_sweep.py"), self.model, self.ids, out, "--dtype", dtype, "--probe", self.probe,
             "--threads", self.chosen.threads] + heads, self.log)
        with open(out) as file:
            result = json.load(file)
        self.versions["transformers"] = result["versions"]
        self.scores.setdefault(("transformers", dtype), result)
        timed = result["forwards"] // len(self.prompts)
        return {"seconds": result["full_sweep_seconds"], "heads_timed": timed}

    def belay_sweep(self, positions, dtype):
        out = os.path.join(self.work, "belay.json")
        printed, wall = run([self.chosen.belay, "heads", self.model, "--method", "causal", "--ids", self.ids, "--probe", self.probe,
                             "--positions", positions, "--dtype", dtype, "--device", "cpu", "-o", out, "--json"], self.log)
        result = json.loads(printed)
        if positions == "all":
            self.scores.setdefault(("belay", dtype), result)
        return {"seconds": result["sweep"]["seconds"], "process_seconds": wall}

    def sweeps(self):
        """Pairs of the transformers loop and Belay's sweeps, in bfloat16.

        The loop's clock starts after a first pass over the texts in the same process. What compares with it is a later sweep of a process
        (belay bench, over random ids of the same lengths); the first sweep of a process, and that process as a whole, are timed as well.
        """
        wanted = [("sweep-all", "all"), ("sweep-closing", "last:5")]
        wanted = [(name, positions) for name, positions in wanted if name in self.chosen.only]
        results = {name: {"transformers": [], "belay": [], "belay_first": [], "belay_process": []} for name, _ in wanted}
        for pair in range(self.chosen.pairs):
            peer = self.hf_sweep("bfloat16")
            later = {s["positions"]: s["seconds"] for s in self.belay_bench("sweep", "--seconds", SWEEP_SECONDS)["sweep"]}
            for name, positions in wanted:
                first = self.belay_sweep(positions, "bf16")
                result = results[name]
                result["transformers"].append(peer["seconds"])
                result["belay"].append(later[positions])
                result["belay_first"].append(first["seconds"])
                result["belay_process"].append(first["process_seconds"])
                say("  pair %d  %-13s transformers %8.2f s   belay %7.2f s (the first of a process %.2f s, whole process %.2f s)"
                    % (pair + 1, name, peer["seconds"], later[positions], first["seconds"], first["process_seconds"]))
        for name, positions in wanted:
            result = results[name]
            result.update(unit="s", dtype="bf16", positions=positions, heads_timed=peer["heads_timed"], heads=self.layers * self.heads,
                          ratio=[p / b for p, b in zip(result["transformers"], result["belay"])],
                          ratio_first=[p / b for p, b in zip(result["transformers"], result["belay_first"])],
                          ratio_process=[p / b for p, b in zip(result["transformers"], result["belay_process"])])
        return results

    def agreement(self):
        """How well the scores of both agree, over the heads that both computed, positions all."""
        say("  scores in float32, once each")
        peer = self.hf_sweep("float32")
        belay = self.belay_sweep("all", "f32")
        exact = self.scores["transformers", "float32"]["scores"]
        cells = [(l, h) for l in range(self.layers) for h in range(self.heads) if exact[l][h] is not None]

        def values(program, dtype):
            scores = self.scores[program, dtype]["scores"]
            return [scores[l][h] for l, h in cells]

        expected = values("transformers", "float32")
        result = {"heads_compared": len(cells), "seconds_f32": {"transformers": peer["seconds"], "belay": belay["seconds"]},
                  "f32_limit": F32_LIMIT}
        for key, program, dtype in [("belay_f32", "belay", "f32"), ("belay_bf16", "belay", "bf16"), ("transformers_bf16", "transformers", "bfloat16")]:
            actual = values(program, dtype)
            differences = [abs(a - e) for a, e in zip(actual, expected)]
            result[key] = {"max": max(differences), "rms": math.sqrt(sum(d * d for d in differences) / len(differences)),
                           "spearman": spearman(actual, expected), "top": same_top(actual, expected)}
        result["f32_within_limit"] = result["belay_f32"]["max"] <= F32_LIMIT
        return result

    def hf_bench(self, name):
        out = os.path.join(self.work, "hf-bench.json")
        run([self.chosen.python, os.path.join(HERE, "hf_bench.py"), self.model, self.ids, out, "--threads", self.chosen.threads, "--only", name], self.log)
        with open(out) as file:
            result = json.load(file)
        self.versions["transformers"] = result["versions"]
        return result

    def llama_bench(self):
        """A copy of llama_bench.mjs beside a link to the modules, as node looks for them beside the script."""
        model = os.path.join(self.work, "model.gguf")
        script = os.path.join(self.work, "llama_bench.mjs")
        if not os.path.exists(model):
            run([self.chosen.python, os.path.join(HERE, "make_gguf.py"), self.model, model], self.log)
            shutil.copy(os.path.join(HERE, "llama_bench.mjs"), script)
            modules = os.path.join(os.path.abspath(self.chosen.llama), "node_modules")
            os.symlink(modules, os.path.join(self.work, "node_modules"))
            with open(os.path.join(modules, "node-llama-cpp", "package.json")) as file:
                self.versions["llama.cpp"] = "node-llama-cpp " + json.load(file)["version"]
        printed, _ = run(["node", script, model, self.config["vocab_size"], self.chosen.threads], self.log)
        return json.loads(printed.splitlines()[-1])

    def belay_bench(self, name, *options):
        printed, _ = run([self.chosen.belay, "bench", self.model, "--only", name, "--dtype", "bf16", "--device", "cpu", "--json", *options],
                         self.log)
        return json.loads(printed)

    def rates(self):
        """Tokens a second: pairs of transformers, Belay and where it is there llama.cpp, in bfloat16."""
        results = {}
        for pair in range(self.chosen.pairs):
            row = {}
            llama = self.llama_bench() if self.chosen.llama else {}
            for name in [w for w in ("prefill", "decode") if w in self.chosen.only]:
                peer, belay = self.hf_bench(name), self.belay_bench(name)
                if name == "prefill":
                    row["prefill"] = {"transformers": peer["prefill_tokens_s"], "belay": prefill_rate(belay), "llama.cpp": llama.get("prefill_tokens_s")}
                else:
                    for batch in ("1", "8"):
                        row["decode " + batch] = {"transformers": peer["decode_tokens_s"][batch], "belay": decode_rate(belay, batch),
                                                  "llama.cpp": llama.get("decode_tokens_s") if batch == "1" else None}
            for name, rates in row.items():
                result = results.setdefault(name, {"unit": "tokens/s", "dtype": "bf16", "transformers": [], "belay": [], "llama.cpp": []})
                for program, rate in rates.items():
                    if rate is not None:
                        result[program].append(rate)
                say("  pair %d  %-13s " % (pair + 1, name) + "   ".join("%s %.1f" % (p, r) for p, r in rates.items() if r is not None) + " tokens/s")
        for result in results.values():
            result["ratio"] = [b / p for p, b in zip(result["transformers"], result["belay"])]
            if result["llama.cpp"]:
                result["ratio_llama.cpp"] = [b / p for p, b in zip(result["llama.cpp"], result["belay"])]
            else:
                del result["llama.cpp"]
        return results


def prefill_rate(bench):
    return bench["prefill"]["tokens_s"]


def decode_rate(bench, batch):
    return next(d["tokens_s"] for d in bench["decode"] if d["texts"] == int(batch))


def ranks(values):
    """Rank of each value; equal ones share the mean of theirs."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    result = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for i in order[start:end]:
            result[i] = (start + end - 1) / 2
        start = end
    return result


def spearman(a, b):
    """Rank correlation, or None where there is nothing to rank."""
    x, y = ranks(a), ranks(b)
    mx, my = statistics.fmean(x), statistics.fmean(y)
    both = sum((i - mx) * (j - my) for i, j in zip(x, y))
    scale = math.sqrt(sum((i - mx) ** 2 for i in x) * sum((j - my) ** 2 for j in y))
    return both / scale if scale else None


def same_top(a, b):
    """How many of the TOP heads with the largest scores both name."""
    def top(values):
        return set(sorted(range(len(values)), key=lambda i: -values[i])[:TOP])
    return {"of": min(TOP, len(a)), "same": len(top(a) & top(b))}


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else "unknown"


def summary(results):
    say("\nMedians; the ratio is how many times faster Belay is, median (least to most of the pairs)")
    for name, r in results.items():
        programs = {"transformers": "transformers", "llama.cpp": "llama.cpp", "belay": "belay", "belay_first": "belay, first of a process",
                    "belay_process": "belay, whole process"}
        median = {p: statistics.median(r[p]) for p in programs if p in r}
        r["median"] = median
        text = "  %-14s" % name + "".join("%s %.2f %s   " % (programs[p], v, r["unit"]) for p, v in median.items())
        for key in [k for k in r if k.startswith("ratio")]:
            against = {"ratio": "", "ratio_first": " first", "ratio_process": " whole process", "ratio_llama.cpp": " against llama.cpp"}[key]
            text += "%s %.1fx (%.1f to %.1f)   " % (against, statistics.median(r[key]), min(r[key]), max(r[key]))
        say(text.rstrip())
        if r.get("heads_timed", 0) < r.get("heads", 0):
            say("                 (the loop was timed on %d of %d heads and scaled)" % (r["heads_timed"], r["heads"]))


def words(a):
    say("Scores of %d heads against transformers in float32 (all positions):" % a["heads_compared"])
    for key, label in [("belay_f32", "belay f32"), ("belay_bf16", "belay bf16"), ("transformers_bf16", "transformers bf16")]:
        r = a[key]
        rank = "none" if r["spearman"] is None else "%.4f" % r["spearman"]
        say("  %-18s largest difference %.2e, RMS %.2e; rank correlation %s; %d of the top %d the same"
            % (label, r["max"], r["rms"], rank, r["top"]["same"], r["top"]["of"]))
    say("  float32 limit %.0e: %s" % (a["f32_limit"], "held" if a["f32_within_limit"] else "NOT HELD"))


def main():
    chosen = options()
    with tempfile.TemporaryDirectory(prefix="compare-peers-") as work:
        comparison = Comparison(chosen, work)
        version, _ = run([chosen.belay, "--version"], comparison.log)
        comparison.versions["belay"] = version.strip()
        say("%s on %s, %d threads; 4 texts of %s tokens" % (comparison.model, processor(), chosen.threads, ", ".join(map(str, LENGTHS))))
        results, agreement = {}, None
        if any(w.startswith("sweep") for w in chosen.only):
            results.update(comparison.sweeps())
        if "sweep-all" in chosen.only:
            agreement = comparison.agreement()
        if "prefill" in chosen.only or "decode" in chosen.only:
            if not chosen.llama:
                say("  llama.cpp is left out: --llama DIR is not given")
            results.update(comparison.rates())
        summary(results)
        if max(OTHERS) > BUSY:
            say("  Other programs took up to %.0f %% of the machine meanwhile: compare again when it is quiet." % (100 * max(OTHERS)))
        if agreement:
            words(agreement)
    if chosen.out:
        shape = {k: comparison.config[k] for k in ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size", "vocab_size")}
        document = {"date": time.strftime("%Y-%m-%d"), "machine": processor(), "threads": chosen.threads, "shape": shape,
                    "model": os.path.basename(os.path.abspath(chosen.model)) if chosen.model else "random smollm2-135m",
                    "texts": LENGTHS, "pairs": chosen.pairs, "versions": comparison.versions,
                    "other_programs_share": max(OTHERS), "results": results, "scores": agreement}
        with open(chosen.out, "w") as file:
            json.dump(document, file, indent=1)
            file.write("\n")
        say("written to " + chosen.out)
    if agreement and not agreement["f32_within_limit"]:
        fail("the float32 scores differ by more than %.0e" % F32_LIMIT)


if __name__ == "__main__":
    main()
