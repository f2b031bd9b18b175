package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.TextSpan;
import dev.belay.io.OutputFile;
import dev.belay.run.Run;
import dev.belay.text.ThinkingMarkers;
import dev.belay.weights.SafetensorsWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.function.BiConsumer;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay capture}: hidden states to a safetensors file. */
@Command(
        name = "capture",
        mixinStandardHelpOptions = true,
        description = "Writes hidden states H[i] of texts to a safetensors file.",
        footer = {
            "",
            "Example: belay capture models/tiny-cliff --data models/tiny-cliff/data/attacks.jsonl --layers all \\",
            "           --positions closing -o states.safetensors"
        })
final class CaptureCommand implements Callable<Integer> {
    @Mixin
    private TextModelOptions options;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Option(
            names = "--layers",
            paramLabel = "LIST",
            defaultValue = "last",
            description = "which H[i]: numbers with commas, last or all (default last = after the final norm)")
    private String layers;

    @Option(
            names = "--positions",
            paramLabel = "WHICH",
            defaultValue = "last",
            description = "last (default), closing, thinking or all")
    private String positions;

    @Option(names = "-o", paramLabel = "F.safetensors", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (!Set.of("last", "closing", "thinking", "all").contains(positions)) {
            throw new UsageException("unknown positions '" + positions + "': use last, closing, thinking or all");
        }
        if (input.data == null && !positions.equals("last") && !positions.equals("all")) {
            throw new UsageException("bare token ids have no " + positions + " positions: use --positions last or all");
        }
        if (positions.equals("closing") && ThinkingMarkers.NONE.equals(options.markers())) {
            throw new UsageException(
                    "with --thinking-markers none there are no closing positions: use --positions last, thinking or all");
        }
        Set<Integer> chosen = chosenLayers(options.config().layers());
        OutputFile.check(output);
        input.read();
        try (Session session = input.open(options);
                Run run = runs.open(session, output)) {
            List<InputOptions.Input> inputs = input.probeInputs(session);
            Map<Integer, List<float[]>> states = new LinkedHashMap<>();
            chosen.forEach(i -> states.put(i, new ArrayList<>()));
            run(session, inputs, run, (i, values) -> states.get(i).add(values));
            if (run.partOnly()) {
                run.finish();
                out.shard(output, states.values().iterator().next().size());
                return 0;
            }
            write(session, inputs, states);
            run.finish();
            long vectors = states.values().stream()
                            .flatMap(List::stream)
                            .mapToLong(s -> s.length)
                            .sum()
                    / session.config().hidden();
            out.say(
                    "%d texts, positions %s, layers %s: %d hidden states of width %d",
                    inputs.size(),
                    positions,
                    names(chosen),
                    vectors,
                    session.config().hidden());
            out.say("written to %s", output);
            ObjectNode result = Output.object();
            result.put("output", output.toString()).put("texts", inputs.size());
            result.put("vectors", vectors);
            out.result(result);
        }
        return 0;
    }

    /** Runs the texts; {@code sink} gets the states of each text in order, layer by layer. */
    private void run(Session session, List<InputOptions.Input> inputs, Run run, BiConsumer<Integer, float[]> sink) {
        List<TextRunner.Text> texts = InputOptions.texts(inputs);
        Set<Integer> chosen = chosenLayers(session.config().layers());
        ForwardPass forward = session.forward();
        try (Progress progress = new Progress("capturing", texts.size())) {
            run.stage(
                    "states",
                    TextBatches.of(inputs, i -> texts.get(i).ids().length, forward),
                    (from, end) -> states(forward, texts.subList(from, end), chosen),
                    (from, end, value) -> {
                        for (JsonNode text : value) {
                            int next = 0;
                            for (int i : chosen) {
                                sink.accept(i, floats(text.get(next++)));
                            }
                        }
                        progress.at(end);
                    });
        }
    }

    /** Of each text an array with the states of each layer, float32 in little-endian order. */
    private ArrayNode states(ForwardPass forward, List<TextRunner.Text> texts, Set<Integer> chosen) {
        Set<HookPoint> points = new HashSet<>();
        chosen.forEach(i -> points.add(HookPoint.residual(i)));
        ActivationRecorder recorder =
                new ActivationRecorder(points, (text, position) -> takes(texts.get(text), position));
        int layers = forward.model().config().layers();
        new TextRunner(forward).run(texts, layers, null, recorder, positions.equals("last"), (b, s) -> {}, n -> {});
        ArrayNode all = Output.object().putArray("states");
        for (int t = 0; t < texts.size(); t++) {
            ArrayNode own = all.addArray();
            for (int i : chosen) {
                float[] values = recorder.get(HookPoint.residual(i), t);
                ByteBuffer bytes =
                        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
                bytes.asFloatBuffer().put(values);
                own.add(bytes.array());
            }
        }
        return all;
    }

    private static float[] floats(JsonNode states) {
        try {
            ByteBuffer bytes = ByteBuffer.wrap(states.binaryValue()).order(ByteOrder.LITTLE_ENDIAN);
            float[] values = new float[bytes.remaining() / Float.BYTES];
            bytes.asFloatBuffer().get(values);
            return values;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private boolean takes(TextRunner.Text text, int position) {
        TextSpan span = text.span();
        return switch (positions) {
            case "last" -> position == span.length() - 1;
            case "closing" -> position >= span.closingStart();
            case "thinking" -> position >= span.thinkingStart() && position < span.closingStart();
            default -> true;
        };
    }

    private Set<Integer> chosenLayers(int count) {
        Set<Integer> chosen = new TreeSet<>();
        for (String part : layers.split(",", -1)) {
            switch (part.trim()) {
                case "all" -> {
                    for (int i = 0; i <= count; i++) {
                        chosen.add(i);
                    }
                }
                case "last" -> chosen.add(count);
                default -> chosen.add(layer(part.trim(), count));
            }
        }
        return chosen;
    }

    private static int layer(String text, int count) {
        if (!text.matches("[0-9]{1,6}") || Integer.parseInt(text) > count) {
            throw new UsageException("--layers: '" + text + "' is not last, all or a number from 0 to " + count
                    + " (0 = embeddings, " + count + " = after the final norm)");
        }
        return Integer.parseInt(text);
    }

    private void write(Session session, List<InputOptions.Input> inputs, Map<Integer, List<float[]>> states) {
        int width = session.config().hidden();
        Map<String, String> metadata = new LinkedHashMap<>();
        ArrayNode ids = Output.object().putArray("rows");
        inputs.forEach(i -> ids.add(i.id()));
        metadata.put("rows", Output.line(ids));
        metadata.put("positions", positions);
        metadata.put("dtype", session.device().dtype().label());
        metadata.put("model", session.fingerprint());
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(output).metadata(metadata);
        for (int i : states.keySet()) {
            if (positions.equals("last")) {
                float[] all = new float[inputs.size() * width];
                for (int t = 0; t < inputs.size(); t++) {
                    System.arraycopy(states.get(i).get(t), 0, all, t * width, width);
                }
                file.floats("hidden." + i, all, inputs.size(), width);
                continue;
            }
            for (int t = 0; t < inputs.size(); t++) {
                float[] values = states.get(i).get(t);
                file.floats(t + ".hidden." + i, values, values.length / width, width);
            }
        }
        file.save();
    }

    private static String names(Set<Integer> chosen) {
        return String.join(" ", chosen.stream().map(i -> "H[" + i + "]").toList());
    }
}
