package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
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

    private static double profiled(Path file) {
        double flops = 0;
        for (JsonNode event : Cli.json(file).get("traceEvents")) {
            flops += event.at("/args/flops").asDouble();
        }
        return flops;
    }

    /** Compared with profiles of the runs themselves, in which each operation is rounded to whole FLOPs. */
    @ParameterizedTest
    @ValueSource(strings = {"all", "last"})
    void aPlanOfACaptureIsWhatItCosts(String positions) {
        Path data = Cli.few(folder, "attacks.jsonl", 3);
        Path profile = folder.resolve("p.json");
        Cli.run(
                        "capture ? --data ? --layers all --positions ? --dtype f32 --batch-tokens 64 -o ? --profile ?",
                        Cli.TINY,
                        data,
                        positions,
                        folder.resolve("s"),
                        profile)
                .ok();
        JsonNode plan = Cli.run(
                        "plan ? --data ? --method capture --layers all --positions ? --dtype f32 --batch-tokens 64 --json",
                        Cli.TINY,
                        data,
                        positions.equals("all") ? "all" : "last:1")
                .json();
        double flops = profiled(profile);
        assertEquals(flops, plan.get("flops").doubleValue(), 1e-6 * flops);
        assertEquals(positions.equals("all"), plan.has("heap_bytes"));
        if (positions.equals("all")) {
            JsonNode config = Cli.json(Cli.TINY.resolve("config.json"));
            long perToken = 6L
                    * 4
                    * config.get("hidden_size").longValue()
                    * (1 + config.get("num_hidden_layers").longValue());
            long tokens = plan.get("heap_bytes").longValue() / perToken;
            assertEquals(tokens * perToken, plan.get("heap_bytes").longValue());
            assertTrue(64 <= tokens && tokens < plan.get("tokens").longValue(), plan.toString());
        }
    }

    @Test
    void aPlanOfAnAblationIsWhatItCosts() {
        Path data = Cli.few(folder, "attacks.jsonl", 2);
        Path profile = folder.resolve("p.json");
        JsonNode config = Cli.json(Cli.TINY.resolve("config.json"));
        int heads = config.get("num_attention_heads").intValue();
        int all = heads * config.get("num_hidden_layers").intValue();
        Path ranking = Cli.write(
                folder.resolve("h.json"),
                "{\"ranking\": [{\"layer\": %d, \"head\": %d}, {\"layer\": %d, \"head\": %d}]}"
                        .formatted(all / 4 / heads, all / 4 % heads, 3 * all / 4 / heads, 3 * all / 4 % heads));
        String options = " --dtype f32 --max-new-tokens 3 --batch-tokens 1024";
        Cli.run(
                        "ablate ? --data ? --heads ? --top 2 --positions all --ignore-eos -o ? --profile ?" + options,
                        Cli.TINY,
                        data,
                        ranking,
                        folder.resolve("a"),
                        profile)
                .ok();
        String line = "plan ? --data ? --json" + options + " --method ";
        JsonNode plan = Cli.run(line + "ablate --steps 2", Cli.TINY, data).json();
        double flops = profiled(profile);
        assertEquals(flops, plan.get("flops").doubleValue(), 1e-6 * flops);
        JsonNode once = Cli.run(line + "generate", Cli.TINY, data).json();
        assertTrue(2 * once.get("flops").doubleValue() <= plan.get("flops").doubleValue(), plan.toString());
    }

    /** Of the guard's own prompts, without those that it is not asked. */
    @Test
    void aPlanOfAGuardReadsItsPrompts() throws IOException {
        Path data = Cli.write(folder.resolve("r.jsonl"), """
                {"id": "a", "prompt": "P", "response": "yes"}
                {"id": "b", "prompt": "P", "response": ""}
                {"id": "c", "prompt": "P", "response": "<think>"}
                """);
        Path guard = GuardModel.write(Files.createDirectory(folder.resolve("guard")), GuardModel.TEMPLATE);
        String line = "plan ? --data ? --method judge --dtype f32 --json";
        JsonNode plan = Cli.run(line, guard, data).json();
        assertEquals(1, plan.get("texts").intValue());
        assertTrue(plan.get("tokens").intValue() > 10, plan.toString());
        JsonNode longer = Cli.run(line + " --max-new-tokens 7", guard, data).json();
        assertTrue(plan.get("flops").doubleValue() < longer.get("flops").doubleValue());
    }

    /** The largest resident size of a run in a process of its own, with the options of tools/launch. */
    @ParameterizedTest
    @ValueSource(strings = {"trace", "causal"})
    void aPlanOfTheProcessIsAboutWhatItTakes(String method) throws IOException, InterruptedException {
        assumeTrue(Files.exists(Path.of("/proc/self/status")));
        List<String> java = List.of("-XX:+UseParallelGC", "-Xmn32m");
        Path probe = GoldenFiles.probe(folder.resolve("probe.safetensors"));
        Path attacks = Cli.data("attacks.jsonl");
        String run = method.equals("trace") ? "trace" : "heads --method causal --positions closing";
        List<String> given = Cli.args(" ? --data ? --probe ? --device cpu --dtype f32", Cli.TINY, attacks, probe);
        List<String> plan = new ArrayList<>(List.of("plan", "--json", "--method", method));
        plan.addAll(method.equals("trace") ? List.of() : List.of("--positions", "closing"));
        plan.addAll(given.subList(1, given.size()));
        Path planned = folder.resolve("plan");
        assertEquals(
                0,
                new ProcessBuilder(Cli.process(java, plan))
                        .redirectOutput(planned.toFile())
                        .start()
                        .waitFor());
        List<String> args = new ArrayList<>(List.of(run.split(" ")));
        args.addAll(given.subList(1, given.size()));
        args.addAll(List.of("-o", folder.resolve("out").toString()));
        Process process = new ProcessBuilder(Cli.process(java, args))
                .redirectErrorStream(true)
                .redirectOutput(folder.resolve("log").toFile())
                .start();
        long most = 0;
        while (process.isAlive()) {
            most = Math.max(most, mostHeld(process));
            Thread.sleep(5);
        }
        assertEquals(0, process.waitFor(), () -> Cli.text(folder.resolve("log")));
        long expected = Cli.json(planned).get("process_bytes").longValue();
        assertEquals(1, (double) expected / most, 0.4, expected + " planned, " + most + " taken");
    }

    private static long mostHeld(Process process) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/" + process.pid() + "/status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) << 10)
                    .findFirst()
                    .orElse(0);
        } catch (IOException | UncheckedIOException e) {
            // It has ended.
            return 0;
        }
    }

    @Test
    void words() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8], [9, 10, 11]]");
        String out = Cli.run("plan ? --ids ? --method greedy --steps 3 --positions last:2 --dtype f32", Cli.TINY, ids)
                .ok();
        for (String part : new String[] {
            "greedy at positions last:2 over 2 texts of 7 tokens, on ",
            " GFLOP, ",
            " GB moved\n",
            " MiB on the device\n",
            "iB in all, with Java and ",
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
        assertEquals(
                trace,
                Cli.run(line + "select", Cli.TINY, ids).json().get("flops").doubleValue());
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
        Cli.run(line + "judge", Cli.TINY, ids).failed(2, "--method judge needs --data");
        Cli.run(line + "capture --layers 99", Cli.TINY, ids).failed(2, "--layers: '99'");
    }
}
