package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.TextSpan;
import dev.belay.io.OutputFile;
import dev.belay.text.ThinkingMarkers;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay capture}: hidden states to a safetensors file. */
@Command(
        name = "capture",
        mixinStandardHelpOptions = true,
        description = "Writes hidden states H[i] of texts to a safetensors file.")
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
        try (Session session = input.open(options)) {
            List<InputOptions.Input> inputs = input.probeInputs(session);
            Set<HookPoint> points = new HashSet<>();
            chosen.forEach(i -> points.add(HookPoint.residual(i)));
            ActivationRecorder recorder = new ActivationRecorder(
                    points, (text, position) -> takes(inputs.get(text).text(), position));
            HookReport report = run(session, inputs, recorder);
            write(session, inputs, chosen, recorder);
            out.say(
                    "%d texts, positions %s, layers %s: %d hidden states of width %d",
                    inputs.size(),
                    positions,
                    names(chosen),
                    report.residualTokens(),
                    session.config().hidden());
            out.say("written to %s", output);
            ObjectNode result = Output.object();
            result.put("output", output.toString()).put("texts", inputs.size());
            result.put("vectors", report.residualTokens());
            out.result(result);
        }
        return 0;
    }

    private HookReport run(Session session, List<InputOptions.Input> inputs, ActivationRecorder recorder) {
        List<TextRunner.Text> texts = InputOptions.texts(inputs);
        ForwardPass forward = session.forward();
        boolean lastOnly = positions.equals("last");
        try (Progress progress = new Progress("capturing", texts.size())) {
            return new TextRunner(forward)
                    .run(texts, session.config().layers(), null, recorder, lastOnly, (b, s) -> {}, progress::at);
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

    private void write(
            Session session, List<InputOptions.Input> inputs, Set<Integer> chosen, ActivationRecorder recorder) {
        int width = session.config().hidden();
        Map<String, String> metadata = new LinkedHashMap<>();
        ArrayNode ids = Output.object().putArray("rows");
        inputs.forEach(i -> ids.add(i.id()));
        metadata.put("rows", Output.line(ids));
        metadata.put("positions", positions);
        metadata.put("dtype", session.device().dtype().label());
        metadata.put("model", session.fingerprint());
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(output).metadata(metadata);
        for (int i : chosen) {
            HookPoint point = HookPoint.residual(i);
            if (positions.equals("last")) {
                float[] all = new float[inputs.size() * width];
                for (int t = 0; t < inputs.size(); t++) {
                    System.arraycopy(recorder.get(point, t), 0, all, t * width, width);
                }
                file.floats("hidden." + i, all, inputs.size(), width);
                continue;
            }
            for (int t = 0; t < inputs.size(); t++) {
                float[] states = recorder.get(point, t);
                file.floats(t + ".hidden." + i, states, states.length / width, width);
            }
        }
        file.save();
    }

    private static String names(Set<Integer> chosen) {
        return String.join(" ", chosen.stream().map(i -> "H[" + i + "]").toList());
    }
}
