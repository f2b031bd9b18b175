package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code belay plan}, and what {@code belay heads} says of its own cost. */
class PlanCommandTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"causal", "greedy"})
    void aPlanIsWhatTheRunCosts(String method) {
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Path data = Cli.few(folder, "attacks.jsonl", 3);
        String line = "? ? --data ? --method ? --positions closing --steps 1 --dtype f32 --probe ? --json";
        if (method.equals("causal")) {
            line = line.replace(" --steps 1", "");
        }
        JsonNode plan = Cli.run(line, "plan", Cli.TINY, data, method, probe).json();
        JsonNode heads = Cli.run(Cli.args(line, "heads", Cli.TINY, data, method, probe), "-o", folder.resolve("h.json"))
                .json();
        JsonNode sweep = heads.get("sweep");
        for (String key : new String[] {"flops", "bytes", "memory_bytes"}) {
            assertTrue(plan.get(key).longValue() > 0, plan::toString);
            assertEquals(plan.get(key), sweep.get(key), key);
        }
        double rate = sweep.get("flops").doubleValue() / sweep.get("seconds").doubleValue() / 1e9;
        assertEquals(rate, sweep.get("gflop_s").doubleValue(), 1e-9 * rate);
        double share = rate / sweep.get("peak_gflop_s").doubleValue();
        assertEquals(share, sweep.get("peak_share").doubleValue(), 1e-9 * share);
        assertTrue(sweep.get("predicted_seconds").doubleValue() > 0, sweep::toString);
        assertFalse(Cli.json(folder.resolve("h.json")).has("sweep"), "the ranking is the same at every run");
        assertEquals(3, plan.get("texts").intValue());
        assertEquals("closing", plan.get("positions").asText());
        assertEquals(method, plan.get("method").asText());
    }

    @Test
    void words() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8], [9, 10, 11]]");
        String out = Cli.run("plan ? --ids ? --method greedy --steps 3 --positions last:2 --dtype f32", Cli.TINY, ids)
                .ok();
        for (String part : new String[] {
            "greedy at positions last:2 over 2 texts of 7 tokens, on ",
            " GFLOP, ",
            " MiB on the device\n",
            "GFLOP/s in f32, ",
            "time            at least ",
            "are taken to spread evenly over the layers"
        }) {
            assertTrue(out.contains(part), part + " in " + out);
        }
    }

    @Test
    void textsMethodsAndLimits() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8], [9, 10, 11]]");
        String line = "plan ? --ids ? --dtype f32 --json --method ";
        double trace =
                Cli.run(line + "trace", Cli.TINY, ids).json().get("flops").doubleValue();
        double first = Cli.run(line + "trace --limit 1", Cli.TINY, ids)
                .json()
                .get("flops")
                .doubleValue();
        double direct =
                Cli.run(line + "direct", Cli.TINY, ids).json().get("flops").doubleValue();
        // Direct runs the texts twice, and both times the last layer for one token of each.
        assertTrue(0 < first && first < trace && trace < direct && direct < 2 * trace);
        JsonNode one =
                Cli.run(line + "generate --max-new-tokens 1", Cli.TINY, ids).json();
        JsonNode many =
                Cli.run(line + "generate --max-new-tokens 9", Cli.TINY, ids).json();
        assertTrue(one.get("flops").doubleValue() < many.get("flops").doubleValue());
        assertTrue(one.get("positions").isNull());
    }

    @Test
    void badInput() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8]]");
        String line = "plan ? --ids ? --method ";
        Cli.run(line + "causal --profile p.json", Cli.TINY, ids).failed(2, "--profile is for commands that compute");
        Cli.run(line + "causal --positions closing", Cli.TINY, ids)
                .failed(2, "bare token ids have no closing positions");
        Cli.run("plan ? --data ? --method causal --positions closing --thinking-markers none", Cli.TINY, ids)
                .failed(2, "with --thinking-markers none there are no closing positions");
        Cli.run(line + "causal --positions generated", Cli.TINY, ids).failed(2, "a sweep generates nothing");
        Cli.run(line + "greedy --steps 49", Cli.TINY, ids).failed(2, "--steps 49 is more than the 48 heads");
        Cli.run(line + "causal --probe ?", Cli.TINY, ids, Cli.probe(folder, 8, -1))
                .failed(1, "has width 8");
        Cli.run(line + "causal --probe ?", Cli.TINY, ids, Cli.probe(folder, 256, 0))
                .failed(1, "reads H[0]");
        Cli.run(line + "sweep", Cli.TINY, ids).failed(2, "--method");
    }
}
