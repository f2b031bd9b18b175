package dev.belay.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.export.TokenTable;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.TextSpan;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.run.Run;
import dev.belay.run.StoppedException;
import dev.belay.text.ThinkingMarkers;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
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
        description = "Writes hidden states H[i] of texts, and their tokens, to a safetensors file.",
        footer = {
            "",
            "Example: belay capture models/tiny-cliff --data models/tiny-cliff/data/attacks.jsonl --layers all \\",
            "           --positions closing -o states.safetensors"
        })
final class CaptureCommand implements Callable<Integer> {
    /** Copies of a state that are on the heap at a time: as numbers, as bytes, and as characters and bytes of a line of JSON. */
    private static final int HEAP_COPIES = 6;

    /** Which states can be captured. */
    static final List<String> POSITIONS = List.of("last", "closing", "thinking", "all");

    /** The stage of the run. */
    private static final String STATES = "states";

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
            completionCandidates = Choices.CapturedPositions.class,
            description = "last (default), closing, thinking or all")
    private String positions;

    @Option(names = "-o", paramLabel = "F.safetensors", required = true, description = "output file")
    private Path output;

    @Mixin
    private RunOptions.Sharded runs;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (!POSITIONS.contains(positions)) {
            throw new UsageException("unknown positions '" + positions + "': use last, closing, thinking or all");
        }
        if (input.data == null && !positions.equals("last") && !positions.equals("all")) {
            throw new UsageException("bare token ids have no " + positions + " positions: use --positions last or all");
        }
        if (positions.equals("closing") && ThinkingMarkers.NONE.equals(options.markers())) {
            throw new UsageException(
                    "with --thinking-markers none there are no closing positions: use --positions last, thinking or all");
        }
        Set<Integer> chosen = LayerList.parse(layers, options.config().layers());
        OutputFile.check(output);
        reports.begin();
        input.read();
        if (positions.equals("all") || positions.equals("thinking")) {
            options.heapBytesPerToken = heapBytesPerToken(chosen.size(), options.config());
        }
        try (Session session = input.open(options);
                Run run = runs.open(session, output)) {
            List<InputOptions.Input> inputs = input.probeInputs(session);
            if (run.partOnly()) {
                int[] count = {0};
                run(session.forward(), inputs, run, (text, states) -> count[0]++);
                return out.shard(run, output, count[0]);
            }
            reports.phase("capture");
            long vectors = (long) chosen.size()
                    * inputs.stream().mapToInt(this::vectors).sum();
            write(session, inputs, run);
            run.finish();
            reports.write("Captured states", session, output, page -> fill(page, session, inputs, chosen, vectors));
            out.say(
                    "%d texts, positions %s, layers %s: %d hidden states of width %d",
                    inputs.size(),
                    positions,
                    names(chosen),
                    vectors,
                    session.config().hidden());
            reports.tell(out, output);
            ObjectNode result = Output.object();
            result.put("output", output.toString()).put("texts", inputs.size());
            result.put("vectors", vectors);
            out.result(result);
        }
        return 0;
    }

    /** Bytes on the Java heap for each position whose states are captured at so many layers. */
    static long heapBytesPerToken(int layers, ModelConfig config) {
        return (long) HEAP_COPIES * layers * config.hidden() * Float.BYTES;
    }

    private void fill(
            RunReport.Builder page,
            Session session,
            List<InputOptions.Input> inputs,
            Set<Integer> chosen,
            long vectors) {
        page.subtitle("Which hidden states have " + inputs.size() + " texts at positions: " + positions + "?")
                .story(String.format(
                        Locale.ROOT,
                        "%s has %d states of width %d, of %s.",
                        output.getFileName(),
                        vectors,
                        session.config().hidden(),
                        names(chosen)));
        DataTable table = new DataTable("All texts", "Positions from and to, counted from 0, and the states of each.")
                .name("id")
                .number("tokens", 0)
                .number("first", 0)
                .number("last", 0)
                .number("states", 0);
        for (InputOptions.Input text : inputs) {
            TextSpan span = text.text().span();
            int states = vectors(text) * chosen.size();
            table.row(text.id(), span.length(), first(span), end(span) - 1, states);
        }
        page.table(table);
    }

    /** Runs the texts; {@code sink} gets the number of each text, in order, and its states layer by layer. */
    private void run(
            ForwardPass forward, List<InputOptions.Input> inputs, Run run, BiConsumer<Integer, JsonNode> sink) {
        List<TextRunner.Text> texts = InputOptions.texts(inputs);
        Set<Integer> chosen = LayerList.parse(layers, options.config().layers());
        try (Progress progress = new Progress("capturing", texts.size())) {
            run.stage(
                    STATES,
                    TextBatches.of(inputs, (i, tokens) -> texts.get(i).ids().length, forward),
                    (from, end) -> states(forward, texts.subList(from, end), chosen),
                    (from, end, value) -> {
                        for (int t = from; t < end; t++) {
                            sink.accept(t, value.get(t - from));
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

    private boolean takes(TextRunner.Text text, int position) {
        return position >= first(text.span()) && position < end(text.span());
    }

    /** The first position whose state is written. */
    private int first(TextSpan span) {
        return switch (positions) {
            case "last" -> span.length() - 1;
            case "closing" -> span.closingStart();
            case "thinking" -> span.thinkingStart();
            default -> 0;
        };
    }

    /** One past the last. */
    private int end(TextSpan span) {
        return positions.equals("thinking") ? span.closingStart() : span.length();
    }

    private int vectors(InputOptions.Input text) {
        TextSpan span = text.text().span();
        return end(span) - first(span);
    }

    /** Writes the states of the texts; if the run is stopped, those of the texts that are done, under the partial name. */
    private void write(Session session, List<InputOptions.Input> inputs, Run run) {
        ForwardPass forward = session.forward();
        try (SafetensorsWriter file = open(session, inputs, Map.of())) {
            write(session, forward, inputs, run, file);
        } catch (StoppedException e) {
            List<InputOptions.Input> done = inputs.subList(0, run.done(STATES));
            if (done.isEmpty()) {
                throw e;
            }
            Map<String, String> partial = Map.of("partial", done.size() + " of " + inputs.size() + " texts");
            try (SafetensorsWriter file = open(session, done, partial)) {
                write(session, forward, done, run, file);
                throw e.with(file.leave());
            }
        }
    }

    /** Runs the texts and writes their states as they come. */
    private void write(
            Session session, ForwardPass forward, List<InputOptions.Input> inputs, Run run, SafetensorsWriter file) {
        Set<Integer> chosen = LayerList.parse(layers, session.config().layers());
        boolean withText = input.data != null;
        try {
            TokenTable tokens = TokenTable.begin(file, withText);
            BiConsumer<Integer, JsonNode> sink = (t, states) -> {
                int next = 0;
                for (int i : chosen) {
                    file.write(name(t, i), bytes(states.get(next++)));
                }
                InputOptions.Input text = inputs.get(t);
                int from = first(text.text().span());
                int to = end(text.text().span());
                tokens.add(
                        Arrays.copyOfRange(text.text().ids(), from, to), from, withText ? texts(session, text) : null);
            };
            run(forward, inputs, run, sink);
        } catch (RuntimeException | Error e) {
            // What is done is in the run's journal.
            file.abandon();
            throw e;
        }
    }

    private SafetensorsWriter open(Session session, List<InputOptions.Input> inputs, Map<String, String> more) {
        Set<Integer> chosen = LayerList.parse(layers, session.config().layers());
        Map<String, String> metadata = new LinkedHashMap<>(more);
        ArrayNode ids = Output.object().putArray("rows");
        inputs.forEach(i -> ids.add(i.id()));
        metadata.put("rows", Output.line(ids));
        metadata.put("positions", positions);
        metadata.put("dtype", session.device().dtype().label());
        metadata.put("model", session.fingerprint());
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(output).metadata(metadata);
        int width = session.config().hidden();
        for (int i : chosen) {
            if (positions.equals("last")) {
                file.tensor(name(0, i), TensorType.F32, inputs.size(), width);
                continue;
            }
            for (int t = 0; t < inputs.size(); t++) {
                file.tensor(name(t, i), TensorType.F32, vectors(inputs.get(t)), width);
            }
        }
        long tokens = inputs.stream().mapToLong(this::vectors).sum();
        long textBytes = input.data == null
                ? -1
                : inputs.stream()
                        .mapToLong(text -> TokenTable.bytes(texts(session, text)))
                        .sum();
        TokenTable.declare(file, inputs.size(), tokens, textBytes);
        return file.open();
    }

    /** The tensor with the states H[i] of text t. */
    private String name(int t, int i) {
        return positions.equals("last") ? "hidden." + i : t + ".hidden." + i;
    }

    private List<String> texts(Session session, InputOptions.Input text) {
        TextSpan span = text.text().span();
        return session.tokenizer().pieces(text.text().ids()).subList(first(span), end(span));
    }

    private static MemorySegment bytes(JsonNode states) {
        try {
            return MemorySegment.ofArray(states.binaryValue());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String names(Set<Integer> chosen) {
        return String.join(" ", chosen.stream().map(i -> "H[" + i + "]").toList());
    }
}
