package dev.belay.cliff;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.model.JsonFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Heads in the order in which they suppress refusal, strongest first.
 *
 * @param method direct, causal or greedy
 * @param positions scope of the ablation, for example closing
 * @param layers number of layers
 * @param heads heads per layer
 * @param base mean final score without ablation
 * @param scores direct: a[l,h]; causal and greedy: mean final score with that head alone ablated
 * @param changedHeadTokens number of (head, token) outputs that were taken away to find out; 0 for direct
 * @param ranking direct: ascending a; causal: descending score; greedy: the heads in the order chosen
 */
public record HeadRanking(
        String method,
        String positions,
        int layers,
        int heads,
        double base,
        double[][] scores,
        List<Entry> ranking,
        long changedHeadTokens) {
    /**
     * One ranked head.
     *
     * @param score as in {@code scores}; greedy: mean final score with this head and all before it ablated
     * @param effect how much it suppresses: −a for direct; score − base otherwise
     */
    public record Entry(int layer, int head, double score, double effect) {}

    private static final ObjectMapper JSON = new ObjectMapper();

    /** The ranking by direct attribution. */
    public static HeadRanking direct(double base, double[][] attribution) {
        List<Entry> ranking = new ArrayList<>();
        each(attribution, (l, h, a) -> ranking.add(new Entry(l, h, a, -a)));
        ranking.sort(Comparator.comparingDouble(Entry::score));
        return of("direct", "last:1", base, attribution, ranking, 0);
    }

    /** The ranking by causal effect. */
    public static HeadRanking causal(String positions, AblationSweep.Result result) {
        List<Entry> ranking = new ArrayList<>();
        each(result.scores(), (l, h, score) -> ranking.add(new Entry(l, h, score, score - result.base())));
        ranking.sort(Comparator.comparingDouble(Entry::score).reversed());
        return of("causal", positions, result.base(), result.scores(), ranking, result.changedHeadTokens());
    }

    /** The heads of a greedy selection. */
    public static HeadRanking greedy(String positions, GreedySelection.Result result) {
        double base = result.single().base();
        List<Entry> ranking = result.steps().stream()
                .map(s -> new Entry(s.layer(), s.head(), s.score(), s.score() - base))
                .toList();
        return of("greedy", positions, base, result.single().scores(), ranking, result.changedHeadTokens());
    }

    private static HeadRanking of(
            String method, String positions, double base, double[][] scores, List<Entry> ranking, long changed) {
        return new HeadRanking(
                method, positions, scores.length, scores[0].length, base, scores, List.copyOf(ranking), changed);
    }

    private interface Cell {
        void at(int layer, int head, double value);
    }

    private static void each(double[][] scores, Cell cell) {
        for (int l = 0; l < scores.length; l++) {
            for (int h = 0; h < scores[l].length; h++) {
                cell.at(l, h, scores[l][h]);
            }
        }
    }

    /**
     * The first {@code count} heads.
     *
     * @throws BelayException if there are fewer
     */
    public List<Entry> top(int count) {
        if (count > ranking.size()) {
            throw new BelayException("asked for the top " + count + " heads, but this " + method + " ranking has only "
                    + ranking.size());
        }
        return ranking.subList(0, count);
    }

    /** This ranking as JSON. */
    public ObjectNode toJson() {
        ObjectNode json = JSON.createObjectNode();
        json.put("method", method)
                .put("positions", positions)
                .put("layers", layers)
                .put("heads", heads);
        json.put("base", base).put("head_outputs_changed", changedHeadTokens);
        ArrayNode rows = json.putArray("scores");
        for (double[] layer : scores) {
            ArrayNode row = rows.addArray();
            for (double score : layer) {
                row.add(score);
            }
        }
        ArrayNode entries = json.putArray("ranking");
        for (Entry e : ranking) {
            entries.addObject()
                    .put("layer", e.layer())
                    .put("head", e.head())
                    .put("score", e.score())
                    .put("effect", e.effect());
        }
        return json;
    }

    /** Writes the JSON file that {@link #read} reads. */
    public void write(Path file) {
        try {
            OutputFile.writeText(file, JSON.writerWithDefaultPrettyPrinter().writeValueAsString(toJson()) + "\n");
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Reads a ranking; only {@code ranking} with {@code layer} and {@code head} is needed, so that a list written by hand serves too.
     *
     * @throws BelayException if the file is not such a ranking
     */
    public static HeadRanking read(Path file) {
        JsonFile json = JsonFile.read(file);
        JsonNode entries = json.get("ranking");
        if (entries == null || !entries.isArray() || entries.isEmpty()) {
            throw new BelayException(file + ": has no 'ranking' array of heads; is it an output of 'belay heads'?");
        }
        List<Entry> ranking = new ArrayList<>();
        for (JsonNode e : entries) {
            if (!isIndex(e.path("layer")) || !isIndex(e.path("head"))) {
                throw new BelayException(file + ": entry " + ranking.size()
                        + " of 'ranking' needs integers 'layer' and 'head' from 0 on");
            }
            for (String key : List.of("score", "effect")) {
                if (e.hasNonNull(key)
                        && !(e.get(key).isNumber() && Double.isFinite(e.get(key).doubleValue()))) {
                    throw new BelayException(file + ": entry " + ranking.size() + " of 'ranking' has a '" + key
                            + "' that is no number: " + e.get(key));
                }
            }
            ranking.add(new Entry(
                    e.get("layer").intValue(),
                    e.get("head").intValue(),
                    e.path("score").asDouble(),
                    e.path("effect").asDouble()));
        }
        return new HeadRanking(
                json.text("method", "unknown"),
                json.text("positions", "all"),
                json.whole("layers", 0),
                json.whole("heads", 0),
                json.number("base", Double.NaN),
                new double[0][],
                List.copyOf(ranking),
                0);
    }

    private static boolean isIndex(JsonNode node) {
        return node.isIntegralNumber() && node.canConvertToInt() && node.intValue() >= 0;
    }
}
