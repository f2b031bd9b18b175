package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.belay.device.cuda.CudaAvailability;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code --profile}: a Chrome trace of a run of tiny-cliff. */
class ProfileTest {
    private static final int TOKENS = 7;

    @TempDir
    Path folder;

    private final JsonNode config = Cli.json(Cli.TINY.resolve("config.json"));

    private int size(String key) {
        return config.get(key).intValue();
    }

    /** The operations of a forward pass over {@value #TOKENS} tokens that captures all hidden states. */
    private JsonNode profile(Path file) {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8, 9, 10, 11]]");
        Path states = folder.resolve("states.safetensors");
        Cli.run(
                        "capture ? --ids ? --layers all --positions all --dtype f32 -o ? --profile ?",
                        Cli.TINY,
                        ids,
                        states,
                        file)
                .ok();
        return Cli.json(file);
    }

    private static List<JsonNode> operations(JsonNode trace) {
        List<JsonNode> operations = new ArrayList<>();
        for (JsonNode event : trace.get("traceEvents")) {
            if (event.get("ph").asText().equals("X")) {
                operations.add(event);
            }
        }
        return operations;
    }

    @Test
    void everyOperationIsAnEventOnOneTimeLine() {
        JsonNode trace = profile(folder.resolve("new/trace.json"));
        assertEquals("ms", trace.get("displayTimeUnit").asText());
        List<JsonNode> operations = operations(trace);
        // Per layer 4 products and the 7 other operations of its two blocks.
        Map<String, Integer> counts = new HashMap<>();
        double end = 0;
        for (JsonNode event : operations) {
            counts.merge(event.get("name").asText(), 1, Integer::sum);
            double start = event.get("ts").doubleValue();
            assertTrue(start >= end && event.get("dur").doubleValue() > 0, event::toString);
            end = start + event.get("dur").doubleValue() - 1e-3;
            JsonNode args = event.get("args");
            assertEquals(TOKENS, args.get("rows").intValue(), event::toString);
            assertEquals(event.get("dur").doubleValue(), 1e3 * args.get("ms").doubleValue(), 1e-6);
            assertTrue(args.get("bytes").longValue() > 0, event::toString);
            assertTrue(args.get("roof_share").doubleValue() > 0, event::toString);
        }
        int layers = size("num_hidden_layers");
        assertEquals(1, counts.get("embed embed_tokens"));
        for (String name : new String[] {
            "matmul self_attn.qkv_proj",
            "matmul self_attn.o_proj",
            "matmul mlp.gate_proj",
            "matmul mlp.down_proj",
            "attention",
            "swiglu"
        }) {
            assertEquals(layers, counts.get(name), name);
        }
        assertEquals(2 * layers + 1, counts.get("rmsNorm"));
        assertEquals(0, operations.getFirst().get("ts").doubleValue());
    }

    @Test
    void productsHaveTheirLayerAndFlops() {
        JsonNode trace = profile(folder.resolve("trace.json"));
        long wide = 2L * TOKENS * size("hidden_size") * 2 * size("intermediate_size");
        int layer = 0;
        JsonNode before = null;
        for (JsonNode event : operations(trace)) {
            JsonNode args = event.get("args");
            if (event.get("name").asText().equals("matmul mlp.gate_proj")) {
                assertEquals(layer, args.get("layer").intValue());
                assertEquals(
                        "model.layers." + layer + ".mlp.gate_proj.weight",
                        args.get("weights").asText());
                assertEquals(wide, args.get("flops").longValue());
                layer++;
            }
            if (event.get("name").asText().equals("swiglu")) {
                assertEquals(before.get("args").get("layer"), args.get("layer"));
                assertFalse(args.has("weights"));
            }
            before = event;
        }
        assertEquals(size("num_hidden_layers"), layer);
        assertTrue(operations(trace).getFirst().get("args").get("layer").isNull(), "embeddings are of no layer");
    }

    @Test
    void normsHaveTheLayerOfTheirWeights() {
        List<String> expected = new ArrayList<>();
        for (int layer = 0; layer < size("num_hidden_layers"); layer++) {
            expected.addAll(List.of("" + layer, "" + layer));
        }
        expected.add("null");
        assertEquals(
                expected,
                operations(profile(folder.resolve("trace.json"))).stream()
                        .filter(event -> event.get("name").asText().equals("rmsNorm"))
                        .map(event -> event.get("args").get("layer").asText())
                        .toList());
    }

    @Test
    void theSummaryAddsUpTheOperationsOfAName() {
        JsonNode trace = profile(folder.resolve("trace.json"));
        JsonNode summary = trace.get("otherData");
        assertTrue(summary.get("device").asText().startsWith("cpu ("));
        assertEquals("f32", summary.get("dtype").asText());
        double copies = summary.get("peak_gb_s").doubleValue();
        double products = summary.get("peak_gflop_s").doubleValue();
        assertTrue(copies > 0.1 && copies < 1e5 && products > 0.1 && products < 1e7, summary::toString);
        Map<String, double[]> sums = new HashMap<>();
        for (JsonNode event : operations(trace)) {
            JsonNode args = event.get("args");
            double[] sum = sums.computeIfAbsent(event.get("name").asText(), name -> new double[5]);
            double flops = args.get("flops").doubleValue();
            double bytes = args.get("bytes").doubleValue();
            sum[0]++;
            sum[1] += args.get("ms").doubleValue();
            sum[2] += flops;
            sum[3] += bytes;
            sum[4] += Math.max(bytes / copies, flops / products) / 1e6;
        }
        JsonNode byName = summary.get("operations");
        assertEquals(sums.keySet(), Set.copyOf(Cli.keys(byName)));
        double shares = 0;
        double earlier = Double.MAX_VALUE;
        for (String name : Cli.keys(byName)) {
            JsonNode entry = byName.get(name);
            double[] sum = sums.get(name);
            double ms = entry.get("ms").doubleValue();
            assertEquals(sum[0], entry.get("count").intValue(), name);
            assertEquals(sum[1], ms, 1e-9 * ms, name);
            assertEquals(sum[2] / ms / 1e6, entry.get("gflop_s").doubleValue(), 1e-9 * sum[2] / ms, name);
            assertEquals(sum[3] / ms / 1e6, entry.get("gb_s").doubleValue(), 1e-9 * sum[3] / ms, name);
            assertEquals(sum[4] / ms, entry.get("roof_share").doubleValue(), 1e-9 * sum[4] / ms, name);
            assertTrue(ms <= earlier, "the longest first");
            earlier = ms;
            shares += entry.get("time_share").doubleValue();
        }
        assertEquals(1, shares, 1e-9);
    }

    /** On a GPU the times are those between CUDA events, and the peaks are measured there. */
    @Test
    void aCudaDeviceIsProfiledToo() {
        CudaAvailability cuda = CudaAvailability.get();
        assumeTrue(cuda.available(), cuda.reason());
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7, 8, 9, 10, 11]]");
        Path file = folder.resolve("cuda.json");
        Path states = folder.resolve("states.safetensors");
        Cli.run(
                        "capture ? --ids ? --layers all --positions all --dtype bf16 --device cuda -o ? --profile ?",
                        Cli.TINY,
                        ids,
                        states,
                        file)
                .ok();
        JsonNode trace = Cli.json(file);
        assertTrue(trace.get("otherData").get("device").asText().startsWith("cuda ("));
        assertTrue(trace.get("otherData").get("peak_gflop_s").doubleValue() > 0);
        int products = 0;
        for (JsonNode event : operations(trace)) {
            assertTrue(event.get("dur").doubleValue() > 0, event::toString);
            products += event.get("name").asText().startsWith("matmul") ? 1 : 0;
        }
        assertEquals(4 * size("num_hidden_layers"), products);
    }

    /** The results are those of a run without a profile. */
    @Test
    void aProfileChangesNothing() {
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7], [8, 9, 10, 11]]");
        List<String> command = Cli.args("generate ? --ids ? --max-new-tokens 6 --dtype f32 -o", Cli.TINY, ids);
        Cli.run(command, folder.resolve("a")).ok();
        Cli.run(command, folder.resolve("b"), "--profile", folder.resolve("p.json"))
                .ok();
        assertEquals(Cli.text(folder.resolve("a")), Cli.text(folder.resolve("b")));
        assertEquals(List.of("a", "b", "ids.json", "p.json"), Cli.names(folder), "no partial file is left");
    }

    @Test
    void aPlaceThatCannotBeWrittenIsFoundBeforeTheModelIsLoaded() {
        Path model = Cli.copy(Cli.TINY, folder.resolve("model"));
        Cli.delete(model.resolve("model.safetensors"));
        Path ids = Cli.write(folder.resolve("ids.json"), "[[5, 6, 7]]");
        List<String> command = Cli.args("generate ? --ids ? -o ? --profile", model, ids, folder.resolve("out"));
        Cli.run(command, folder).failed(1, "cannot write " + folder + ": it is a folder; name a file");
        Cli.run(command, folder.resolve("p.json")).failed(1, "holds neither model.safetensors");
        assertEquals(List.of("ids.json", "model"), Cli.names(folder), "nothing is left behind");
    }
}
