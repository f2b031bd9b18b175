package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code belay bench} on tiny-cliff, whose work can be counted by hand. */
class BenchCommandTest {
    /** tiny-cliff's sizes. */
    private static final long LAYERS = 6;

    private static final long HIDDEN = 256;
    private static final long QUERIES = 8 * 32;
    private static final long KEYS = 4 * 32;
    private static final long FEED_FORWARD = 512;
    private static final long VOCABULARY = 1024;
    private static final List<Integer> PROMPTS = List.of(96, 128, 160, 128);

    @TempDir
    Path folder;

    private static void positive(JsonNode node, String... keys) {
        for (String key : keys) {
            assertTrue(node.path(key).isNumber() && node.get(key).doubleValue() > 0, () -> key + " of " + node);
        }
    }

    /** FLOPs of a product. */
    private static long product(long tokens, long rows, long columns) {
        return 2 * tokens * rows * columns;
    }

    /** FLOPs of a feed-forward block with its norm. */
    private static long feedForward(long tokens) {
        return 4 * tokens * HIDDEN
                + product(tokens, 2 * FEED_FORWARD, HIDDEN)
                + 5 * tokens * FEED_FORWARD
                + product(tokens, HIDDEN, FEED_FORWARD);
    }

    private JsonNode bench(String more, Path file) {
        JsonNode json = Cli.run("bench ? --device cpu --dtype f32 --json -o ? " + more, Cli.TINY, file)
                .json();
        assertEquals(json, Cli.json(file));
        assertEquals(Cli.TINY.toString(), json.get("model").asText());
        assertEquals("f32", json.get("dtype").asText());
        assertTrue(json.get("device").asText().startsWith("cpu ("));
        assertFalse(json.get("random_weights").booleanValue());
        positive(json, "parameters", "processors", "seconds_for_a_part");
        for (String words : new String[] {"belay", "java", "os", "processor"}) {
            assertFalse(json.get(words).asText().isBlank(), words);
        }
        positive(json.get("peaks"), "gflop_s", "read_gb_s", "copy_gb_s");
        double peak = json.get("peaks").get("gflop_s").doubleValue();
        for (JsonNode product : json.get("peaks").get("products")) {
            positive(product, "size", "gflop_s");
            assertTrue(product.get("gflop_s").doubleValue() <= peak);
        }
        return json;
    }

    @Test
    void theWorkOfAModelIsMeasured() {
        JsonNode json = bench("--seconds 0.01 --only prefill,decode,sweep", folder.resolve("bench.json"));
        assertFalse(json.has("ops"));
        checkPrefill(json);
        checkDecode(json);
        checkSweep(json);
    }

    @Test
    void operationsAreMeasured() {
        JsonNode json = bench("--seconds 1 --only ops", folder.resolve("bench.json"));
        assertFalse(json.has("prefill") || json.has("decode") || json.has("sweep"));
        checkOperations(json);
    }

    private static void checkOperations(JsonNode json) {
        Map<String, Long> products = Map.of(
                "qkv", product(1, QUERIES + 2 * KEYS, HIDDEN),
                "output", product(1, HIDDEN, QUERIES),
                "gate_up", product(1, 2 * FEED_FORWARD, HIDDEN),
                "down", product(1, HIDDEN, FEED_FORWARD),
                "lm_head", product(1, VOCABULARY, HIDDEN));
        Map<String, Long> attention = Map.of(
                "1 text, 1 after 255", 4 * 256 * QUERIES,
                "8 texts, 1 after 255", 8 * 4 * 256 * QUERIES,
                "4 texts of 12 to 20", 4 * (12 * 13 + 16 * 17 + 20 * 21 + 16 * 17) / 2 * QUERIES,
                "4 texts of 96 to 160", 4 * (96 * 97 + 128 * 129 + 160 * 161 + 128 * 129) / 2 * QUERIES,
                "16 texts of 96 to 160", 16 * (96 * 97 + 128 * 129 + 160 * 161 + 128 * 129) / 2 * QUERIES);
        Set<String> seen = new TreeSet<>();
        for (JsonNode op : json.get("ops")) {
            positive(op, "tokens", "texts", "ms", "samples", "flops", "bytes", "gflop_s", "gb_s", "peak_share");
            String name = op.get("operation").asText();
            String of = op.get("case").asText();
            seen.add(name + ", " + of);
            long tokens = op.get("tokens").longValue();
            long flops = op.get("flops").longValue();
            if (products.containsKey(name)) {
                assertEquals(tokens * products.get(name), flops, name);
            } else if (name.equals("attention")) {
                assertEquals(attention.get(of), flops, of);
            }
            double rate = flops / op.get("ms").doubleValue() / 1e6;
            assertEquals(rate, op.get("gflop_s").doubleValue(), 1e-9 * rate);
        }
        for (String of : attention.keySet()) {
            assertTrue(seen.contains("attention, " + of), seen::toString);
        }
        for (String name :
                new String[] {"qkv", "output", "gate_up", "down", "lm_head", "rmsNorm", "rotate", "swiglu"}) {
            assertTrue(seen.contains(name + ", 4 texts of 96 to 160"), seen::toString);
        }
    }

    /** The last layer's queries, and all after its attention, are those of each text's last token. */
    private static void checkPrefill(JsonNode json) {
        JsonNode prefill = json.get("prefill");
        positive(prefill, "seconds", "runs", "tokens_s", "gflop_s", "peak_share");
        long tokens = 512;
        long texts = 4;
        long pairs = 0;
        for (int length : PROMPTS) {
            pairs += (long) length * (length + 1) / 2;
        }
        long layer = 4 * tokens * HIDDEN
                + product(tokens, QUERIES + 2 * KEYS, HIDDEN)
                + 3 * tokens * (QUERIES + KEYS)
                + 4 * pairs * QUERIES
                + product(tokens, HIDDEN, QUERIES)
                + feedForward(tokens);
        long last = 4 * tokens * HIDDEN
                + product(tokens, 2 * KEYS, HIDDEN)
                + 3 * tokens * KEYS
                + product(texts, QUERIES, HIDDEN)
                + 3 * texts * QUERIES
                + 4 * tokens * QUERIES
                + product(texts, HIDDEN, QUERIES)
                + feedForward(texts);
        long head = 4 * texts * HIDDEN + product(texts, VOCABULARY, HIDDEN);
        assertEquals((LAYERS - 1) * layer + last + head, prefill.get("flops").longValue());
        assertEquals(tokens, prefill.get("tokens").longValue());
        assertEquals(PROMPTS.toString(), prefill.get("texts").toString().replace(",", ", "));
    }

    private static void checkDecode(JsonNode json) {
        long weights = LAYERS * (2 * HIDDEN * (QUERIES + KEYS) + 3 * HIDDEN * FEED_FORWARD) + VOCABULARY * HIDDEN;
        assertEquals(2, json.get("decode").size());
        for (int i = 0; i < 2; i++) {
            JsonNode decode = json.get("decode").get(i);
            assertEquals(i == 0 ? 1 : 8, decode.get("texts").intValue());
            assertEquals(64, decode.get("new_tokens").intValue());
            assertEquals(weights * Float.BYTES, decode.get("weight_bytes").longValue());
            double read = decode.get("read_gb_s").doubleValue();
            double floor = weights * Float.BYTES / read / 1e6;
            assertEquals(floor, decode.get("floor_ms").doubleValue(), 1e-9 * floor);
            positive(decode, "step_ms", "tokens_s", "floor_share", "runs");
        }
    }

    private static void checkSweep(JsonNode json) {
        assertEquals(2, json.get("sweep").size());
        JsonNode all = json.get("sweep").get(0);
        JsonNode closing = json.get("sweep").get(1);
        assertEquals("all", all.get("positions").asText());
        assertEquals("last:5", closing.get("positions").asText());
        for (JsonNode sweep : json.get("sweep")) {
            positive(sweep, "measured_seconds", "seconds", "flops", "gflop_s", "peak_share", "heads_measured");
            assertEquals(48, sweep.get("heads").intValue());
            assertEquals(0, sweep.get("heads_measured").intValue() % 8);
            assertTrue(sweep.get("seconds").doubleValue()
                    >= sweep.get("measured_seconds").doubleValue());
        }
        assertTrue(all.get("flops").longValue() > 2 * closing.get("flops").longValue());
        // At least the feed-forward blocks of all layers but the last, for each head in its layer.
        assertTrue(all.get("flops").longValue() > (LAYERS - 1) * 8 * feedForward(512));
    }

    @Test
    void onlyWhatIsAskedFor() {
        String words = Cli.run("bench ? --device cpu --seconds 0.01 --only prefill", Cli.TINY)
                .ok();
        assertTrue(words.contains("peaks: ") && words.contains("prefill of 4 texts, 512 tokens: "), words);
        assertFalse(words.contains("decode of") || words.contains("sweep of") || words.contains("attention"), words);
    }

    @Test
    void badInputIsRefused() {
        Cli.run("bench --shape gpt2").failed(2, "unknown shape 'gpt2'; known: smollm2-135m, qwen3-0.6b, llama3-8b");
        Cli.run("bench ? --shape smollm2-135m", Cli.TINY).failed(2, "give MODEL or --shape, not both");
        Cli.run("bench ? --seconds 0", Cli.TINY).failed(2, "--seconds 0.0 must be more than 0");
        Cli.run("bench ? --only fly", Cli.TINY).failed(2, "fly");
        Cli.run("bench ? --device cpu", folder.resolve("none")).failed(1, "no such model folder");
        Cli.run("bench ? -o ?", Cli.TINY, folder).failed(1, "it is a folder; name a file");
    }
}
