package dev.belay.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.JsonText;
import dev.belay.io.OutputFile;
import dev.belay.run.Run;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Locale;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Where results are printed: words, or with {@code --json} one JSON object on stdout. */
final class Output {
    private static final ObjectMapper JSON = new ObjectMapper();

    @Spec(Spec.Target.MIXEE)
    private CommandSpec spec;

    private PrintWriter words;

    @Option(names = "--json", description = "print the result as one JSON object on stdout")
    boolean json;

    /** For picocli to fill. */
    Output() {}

    /** Prints words to {@code words}. */
    Output(PrintWriter words) {
        this.words = words;
    }

    private PrintWriter out() {
        return words == null ? spec.commandLine().getOut() : words;
    }

    /** A new JSON object. */
    static ObjectNode object() {
        return JSON.createObjectNode();
    }

    /** One line of JSON. */
    static String line(JsonNode node) {
        try {
            return JsonText.encodable(JSON.writeValueAsString(node));
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** JSON over several lines, for files that people read. */
    static String pretty(JsonNode node) {
        try {
            return JsonText.encodable(JSON.writerWithDefaultPrettyPrinter().writeValueAsString(node)) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException(e);
        }
    }

    /** Puts a number, or null where it is not finite. */
    static void put(ObjectNode node, String key, double value) {
        if (Double.isFinite(value)) {
            node.put(key, value);
        } else {
            node.putNull(key);
        }
    }

    /** The numbers of an array; those that are none, which JSON holds as texts, too. */
    static double[] doubles(JsonNode array) {
        double[] values = new double[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).asDouble();
        }
        return values;
    }

    /** The integers of an array. */
    static int[] ints(JsonNode array) {
        int[] values = new int[array.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).intValue();
        }
        return values;
    }

    /** Puts an array of integers. */
    static void put(ObjectNode node, String key, int[] values) {
        ArrayNode array = node.putArray(key);
        for (int value : values) {
            array.add(value);
        }
    }

    /** Puts an array of numbers. */
    static void put(ObjectNode node, String key, double[] values) {
        node.set(key, array(values));
    }

    /** An array of numbers; {@link #doubles} reads it. */
    static ArrayNode array(double[] values) {
        ArrayNode array = JSON.createArrayNode();
        for (double value : values) {
            array.add(value);
        }
        return array;
    }

    /** An array of arrays of numbers. */
    static ArrayNode arrays(Iterable<double[]> rows) {
        ArrayNode array = JSON.createArrayNode();
        rows.forEach(row -> array.add(array(row)));
        return array;
    }

    /** Prints a line of the words form; nothing with {@code --json}. */
    void say(String format, Object... values) {
        if (!json) {
            out().println(String.format(Locale.ROOT, format, values));
            out().flush();
        }
    }

    /** Writes the result to a file; nothing if that is null. */
    static void write(Path file, ObjectNode result) {
        if (file != null) {
            OutputFile.writeText(file, pretty(result));
        }
    }

    /** Prints the JSON form; nothing without {@code --json}. */
    void result(ObjectNode result) {
        if (json) {
            out().print(pretty(result));
            out().flush();
        }
    }

    /** Ends a run of which only a part was to be done, and says where that is. Returns the exit code. */
    int shard(Run run, Path file, int texts) {
        run.finish();
        say("a part of the run, %d texts, is in %s; belay merge puts the parts together", texts, file);
        result(object().put("output", file.toString()).put("texts", texts));
        return 0;
    }
}
