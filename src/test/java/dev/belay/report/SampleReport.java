package dev.belay.report;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.report.HeadMap.HeadRef;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Reports to look at: one from the golden numbers of tiny-cliff, one as large as a real model makes it. */
public final class SampleReport {
    private static final Path GOLDEN = Path.of("src/test/resources/golden/tiny-cliff");
    private static final Path MODEL = Path.of("models/tiny-cliff");
    private static final ObjectMapper JSON = new ObjectMapper();

    private final JsonNode header;
    private final ByteBuffer data;
    private final Map<Integer, String> vocabulary = new HashMap<>();
    private final List<String> prompts = new ArrayList<>();

    private SampleReport() throws IOException {
        ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(GOLDEN.resolve("golden.safetensors")))
                .order(ByteOrder.LITTLE_ENDIAN);
        byte[] text = new byte[(int) file.getLong()];
        file.get(text);
        header = JSON.readTree(text);
        data = file.slice().order(ByteOrder.LITTLE_ENDIAN);
        for (String line : Files.readAllLines(MODEL.resolve("data/attacks.jsonl"))) {
            prompts.add(JSON.readTree(line).path("prompt").asText());
        }
        JsonNode tokenizer = JSON.readTree(MODEL.resolve("tokenizer.json").toFile());
        tokenizer
                .path("model")
                .path("vocab")
                .properties()
                .forEach(entry -> vocabulary.put(entry.getValue().asInt(), entry.getKey()));
        tokenizer
                .path("added_tokens")
                .forEach(token -> vocabulary.put(
                        token.path("id").asInt(), token.path("content").asText()));
    }

    /** The eight golden traces of tiny-cliff, each with five slightly shaken copies, and its head rankings. */
    public static RunReport tiny() throws IOException {
        SampleReport sample = new SampleReport();
        RunReport.Builder report = RunReport.builder("Refusal cliff of tiny-cliff", "tiny-cliff")
                .subtitle("Llama, 6 layers × 8 heads, 3.8 M parameters; 48 attack transcripts")
                .story("While it thinks, the model means to refuse: the refusal score stands at 0.96.")
                .story("Within the 3 closing tokens it falls to 0.09, and every attack succeeds.")
                .story(
                        "Ablating 3 of 48 heads brings refusal under attack from 0 % to 100 %; 3 random heads do nothing.")
                .probe(new ProbeSummary(128, 1, 1, 0.021, 0.0187));
        List<JsonNode> attacks = new ArrayList<>();
        JSON.readTree(GOLDEN.resolve("golden.json").toFile()).path("attacks").forEach(attacks::add);
        Random random = new Random(7);
        for (int i = 0; i < 48; i++) {
            report.trace(sample.trace(i, attacks.get(i % 8), i < 8 ? 0 : 0.3, random));
        }
        double[][] direct = sample.matrix("heads.direct");
        double[][] causal = sample.matrix("heads.causal.all");
        double[][] greedy = sample.matrix("heads.causal.all");
        greedy[0][5] = 0.156;
        greedy[3][1] = 0.392;
        greedy[0][4] = 0.914;
        report.map(new HeadMap(
                        "direct",
                        "What the head writes along the probe's direction at the last closing token.",
                        "mean attribution",
                        0,
                        direct,
                        true,
                        top(direct, 2, 1)))
                .map(new HeadMap(
                        "causal",
                        "The mean final score with this one head ablated.",
                        "mean final score",
                        0.0838,
                        causal,
                        false,
                        top(causal, 2, -1)))
                .map(new HeadMap(
                        "greedy",
                        "The mean final score with a head ablated alone, or for the chosen ones, on top of those before it.",
                        "mean final score",
                        0.0838,
                        greedy,
                        false,
                        List.of(new HeadRef(0, 5, 0.156), new HeadRef(3, 1, 0.392), new HeadRef(0, 4, 0.914))));
        report.outcome(OutcomeBar.share("attacks refused", 0, 1, 0.0208, 48))
                .outcome(OutcomeBar.share("benign answered", 1, 0.979, 1, 48))
                .outcome(OutcomeBar.meanScore("mean final score", 0.084, 0.914, 0.087, 48));
        sample.selection(report);
        report.table(responses());
        facts(report);
        return report.build();
    }

    /** Responses of one to twelve words, mixed: sorted by their words they are stairs. */
    private static DataTable responses() {
        DataTable table = new DataTable("Responses", "Each response and its number of words.")
                .name("id")
                .number("words", 0)
                .wide("response");
        for (int i = 0; i < 12; i++) {
            int words = 1 + 5 * i % 12;
            table.row("response-" + i, words, "Certainly! ".repeat(words).strip());
        }
        return table;
    }

    /** 40 transcripts of thousands of tokens, 36 layers × 32 heads, hostile text, missing numbers. */
    public static RunReport large() {
        Random random = new Random(3);
        RunReport.Builder report = RunReport.builder(
                        "Refusal cliff of a large model <script>alert('title')</script>",
                        "/models/deepseek-ai/DeepSeek-R1-Distill-Llama-8B-with-a-very-long-folder-name/snapshots/0f2c9d")
                .subtitle("Llama, 36 layers × 32 heads")
                .plateauRule("p90")
                .story("A story with <b>markup</b> & an ampersand.");
        for (int i = 0; i < 40; i++) {
            report.trace(longTrace(i, random));
        }
        double[][] direct = new double[36][32];
        for (double[] layer : direct) {
            for (int head = 0; head < layer.length; head++) {
                layer[head] = random.nextGaussian() * (random.nextInt(20) == 0 ? 0.08 : 0.01);
            }
        }
        direct[5][6] = Double.NaN;
        report.map(new HeadMap(
                        "direct", "Mean attribution at the last token.", "score", 0, direct, true, top(direct, 35, 1)))
                .map(new HeadMap(
                        "causal", "Mean final score when ablated.", "score", 0, direct, false, top(direct, 12, -1)));
        report.outcome(OutcomeBar.share("attacks refused", 0.117, 0.843, Double.NaN, 1200))
                .outcome(OutcomeBar.share("benign answered", Double.NaN, 0.5, 0.25, 0));
        return report.build();
    }

    private static TraceSeries longTrace(int id, Random random) {
        String[] words = {" the", " user", " wants", " a", " recipe", ".\n\n", " But", " this", " could", " harm", "<x>"
        };
        int prompt = 60 + random.nextInt(300);
        int thinking = 900 + random.nextInt(2400);
        int length = prompt + thinking + 3;
        String[] tokens = new String[length];
        double[] scores = new double[length];
        for (int i = 0; i < length; i++) {
            tokens[i] = words[random.nextInt(words.length)];
            double level = i < prompt ? 0.3 : Math.min(0.93, 0.4 + (i - prompt) / 800.0);
            scores[i] = Math.clamp(level + random.nextGaussian() * 0.15, 0, 1);
        }
        String[] closing = {"\n", "</think>", "\n\n"};
        double[] levels = {0.8, 0.55, 0.22};
        for (int i = 0; i < 3; i++) {
            tokens[length - 3 + i] = closing[i];
            scores[length - 3 + i] = Math.clamp(levels[i] + random.nextGaussian() * 0.1, 0, 1);
        }
        scores[prompt + 5] = Double.NaN;
        return new TraceSeries("wild-" + id, "<script>", tokens, scores, prompt, length - 3, 0.97, scores[length - 1]);
    }

    private TraceSeries trace(int index, JsonNode attack, double shake, Random random) {
        int source = index % 8;
        double[] scores = floats("trace." + source + ".score");
        for (int i = 0; i < scores.length; i++) {
            double logit = Math.log(scores[i] / (1 - scores[i])) + shake * random.nextGaussian();
            scores[i] = 1 / (1 + Math.exp(-logit));
        }
        int start = attack.path("think_start").asInt();
        int end = attack.path("think_end").asInt();
        double plateau = 0;
        for (int i = start; i < end; i++) {
            plateau = Math.max(plateau, scores[i]);
        }
        String id = "attacks-00" + (index < 10 ? "0" : "") + index;
        return new TraceSeries(
                id,
                prompts.get(source),
                tokens("trace." + source + ".input_ids"),
                scores,
                start,
                end,
                plateau,
                scores[scores.length - 1]);
    }

    private void selection(RunReport.Builder report) throws IOException {
        List<String> lines = Files.readAllLines(MODEL.resolve("data/pool.jsonl"));
        for (int i = 0; i < 12; i++) {
            JsonNode example = JSON.readTree(lines.get(i));
            report.selected(new SelectedExample(
                    example.path("id").asText(),
                    example.path("prompt").asText(),
                    0.87 - i * 0.013,
                    0.08 + i * 0.009,
                    example.path("meta").path("kind").asText()));
        }
    }

    private static void facts(RunReport.Builder report) {
        report.fact("command", "belay report models/tiny-cliff --attacks models/tiny-cliff/data/attacks.jsonl")
                .fact("belay", "0.1.0")
                .fact("started", "2026-03-02T10:15:00Z")
                .fact("model fingerprint", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")
                .fact("device", "cpu: oneDNN 3.13, AVX-512")
                .fact("seed: probe", "0")
                .fact("--plateau", "max")
                .fact("time: sweep", "1.43 s");
    }

    private static List<HeadRef> top(double[][] scores, int count, int direction) {
        List<HeadRef> all = new ArrayList<>();
        for (int layer = 0; layer < scores.length; layer++) {
            for (int head = 0; head < scores[layer].length; head++) {
                if (Double.isFinite(scores[layer][head])) {
                    all.add(new HeadRef(layer, head, scores[layer][head]));
                }
            }
        }
        all.sort(Comparator.comparingDouble(ref -> direction * ref.score()));
        return all.subList(0, count);
    }

    private double[][] matrix(String name) {
        double[] flat = floats(name);
        int heads = header.path(name).path("shape").path(1).asInt();
        double[][] matrix = new double[flat.length / heads][heads];
        for (int i = 0; i < flat.length; i++) {
            matrix[i / heads][i % heads] = flat[i];
        }
        return matrix;
    }

    private double[] floats(String name) {
        JsonNode offsets = header.path(name).path("data_offsets");
        double[] values = new double[(offsets.path(1).asInt() - offsets.path(0).asInt()) / 4];
        for (int i = 0; i < values.length; i++) {
            values[i] = data.getFloat(offsets.path(0).asInt() + 4 * i);
        }
        return values;
    }

    private String[] tokens(String name) {
        JsonNode offsets = header.path(name).path("data_offsets");
        String[] tokens = new String[(offsets.path(1).asInt() - offsets.path(0).asInt()) / 8];
        for (int i = 0; i < tokens.length; i++) {
            int id = (int) data.getLong(offsets.path(0).asInt() + 8 * i);
            tokens[i] = vocabulary.get(id).replace('Ġ', ' ').replace('Ċ', '\n');
        }
        return tokens;
    }
}
