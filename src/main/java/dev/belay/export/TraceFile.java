package dev.belay.export;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.dataset.Records;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A file that {@code belay trace} wrote, read line by line as often as it is asked for. */
public final class TraceFile {
    private final Path path;
    private final String probe;

    /**
     * @param path JSON Lines, as the ending of its name says
     * @param probe whose scores, where the traces are of several probes; null where they are of one
     */
    public TraceFile(Path path, String probe) {
        this.path = path;
        this.probe = probe;
    }

    /**
     * What a file holds in all.
     *
     * @param transcripts number of lines
     * @param tokens number of tokens
     * @param longest tokens of the longest transcript
     * @param textBytes length of all token texts in UTF-8
     */
    public record Size(long transcripts, long tokens, int longest, long textBytes) {}

    /**
     * Reads the file once to know its size.
     *
     * @throws BelayException naming the line, if it cannot be read or is no file of traces
     */
    public Size size() {
        long[] sums = new long[4];
        forEach(trace -> {
            sums[0]++;
            sums[1] += trace.length();
            sums[2] = Math.max(sums[2], trace.length());
            sums[3] += TokenTable.bytes(trace.tokenTexts());
        });
        if (sums[0] == 0) {
            throw new BelayException("no traces in " + path);
        }
        return new Size(sums[0], sums[1], (int) sums[2], sums[3]);
    }

    /**
     * Reads the file from its beginning and hands over each trace.
     *
     * @throws BelayException naming the line, if it cannot be read or is no file of traces
     */
    public void forEach(Consumer<Trace> sink) {
        try (Records records = Records.open(path)) {
            for (ObjectNode line = records.next(); line != null; line = records.next()) {
                sink.accept(trace(line, records.place()));
            }
        }
    }

    private Trace trace(ObjectNode line, String place) {
        JsonNode of = scoresOf(line, place);
        JsonNode scores = array(of, "scores", place);
        JsonNode ids = array(line, "token_ids", place);
        JsonNode texts = array(line, "token_texts", place);
        JsonNode thinking = array(line, "thinking", place);
        int count = scores.size();
        if (!line.path("id").isTextual() || count == 0) {
            throw new BelayException(place + " has no id or no scores; is this a file of belay trace?");
        }
        if (ids.size() != count || texts.size() != count) {
            throw new BelayException(place + " has " + count + " scores, but " + ids.size() + " token ids and "
                    + texts.size() + " token texts; run belay trace again");
        }
        int start = thinking.path(0).asInt(-1);
        int end = thinking.path(1).asInt(-1);
        if (start < 0 || end < start || end > count) {
            throw new BelayException(place + ": thinking " + thinking + " is no range of its " + count + " tokens");
        }
        int[] tokenIds = new int[count];
        List<String> tokenTexts = new ArrayList<>(count);
        double[] values = new double[count];
        for (int i = 0; i < count; i++) {
            if (!ids.get(i).canConvertToInt() || !texts.get(i).isTextual()) {
                throw new BelayException(place + ": token " + i + " has the id " + ids.get(i) + " and the text "
                        + texts.get(i) + "; run belay trace again");
            }
            tokenIds[i] = ids.get(i).intValue();
            tokenTexts.add(texts.get(i).textValue());
            values[i] = number(scores.get(i));
        }
        return new Trace(
                line.get("id").textValue(),
                start,
                end,
                tokenIds,
                tokenTexts,
                values,
                number(of.get("plateau")),
                number(of.get("final")),
                number(of.get("misalignment")));
    }

    /** The object that holds the scores: the line itself, or that of the probe. */
    private JsonNode scoresOf(ObjectNode line, String place) {
        JsonNode probes = line.path("probes");
        if (probe == null && !probes.isObject()) {
            return line;
        }
        if (probe == null || !probes.path(probe).isObject()) {
            List<String> names = new ArrayList<>();
            probes.fieldNames().forEachRemaining(names::add);
            throw new BelayException(
                    names.isEmpty()
                            ? place + " is a trace of one probe: leave --probe out"
                            : place + " is a trace of several probes: choose one with --probe "
                                    + String.join("|", names));
        }
        return probes.get(probe);
    }

    private static JsonNode array(JsonNode line, String key, String place) {
        JsonNode value = line.path(key);
        if (!value.isArray()) {
            throw new BelayException(
                    place + " has no array '" + key + "'; is this a file of this version's belay trace?");
        }
        return value;
    }

    private static double number(JsonNode node) {
        return node != null && node.isNumber() ? node.doubleValue() : Double.NaN;
    }
}
