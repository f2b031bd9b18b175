package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.BatchMemory;
import dev.belay.cliff.CostModel;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Work;
import dev.belay.device.cpu.CpuDevice;
import dev.belay.device.cpu.FreeMemory;
import dev.belay.forward.Generator;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.PositionScope;
import dev.belay.judge.GuardVerdict;
import dev.belay.model.ModelConfig;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import dev.belay.weights.SafetensorsModel;
import java.nio.file.Path;
import java.util.Collections;
import java.util.IntSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay plan}: what a run will cost, without running it. */
@Command(
        name = "plan",
        mixinStandardHelpOptions = true,
        description = {
            "Predicts the FLOPs, bytes, memory and seconds of a run, without running it.",
            "The weights are not loaded. The device's peaks are measured first, which takes a moment.",
            "The seconds are those of a run that keeps to the peaks: it takes at least as long."
        },
        footer = {
            "",
            "Example: belay plan models/tiny-cliff --data models/tiny-cliff/data/attacks.jsonl --method causal"
        })
final class PlanCommand implements Callable<Integer> {
    enum Method {
        direct,
        causal,
        greedy,
        trace,
        select,
        capture,
        generate,
        ablate,
        judge;

        private boolean continues() {
            return this == generate || this == ablate || this == judge;
        }

        private boolean sweeps() {
            return this == causal || this == greedy;
        }
    }

    /** Tokens of a verdict such as unsafe and a category. */
    private static final int VERDICT_TOKENS = 6;

    /** Bytes that a run's process needs beside model and batch and a plan's does not: for more compiled code, garbage, the products' library. */
    private static final long MORE_THAN_A_PLAN = 64L << 20;

    private static final PositionScope LAST = PositionScope.parse("last:1");

    @Mixin
    private TextModelOptions options;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Option(
            names = "--method",
            paramLabel = "METHOD",
            required = true,
            description = "direct, causal or greedy (belay heads), trace, select, capture, generate, "
                    + "ablate (without and with --steps heads), or judge (MODEL is the guard)")
    private Method method;

    @Option(names = "--probe", paramLabel = "P", description = "probe whose layer counts (default: the last layer)")
    private Path probe;

    @Mixin
    private SweepOptions sweep;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "tokens to add (default: generation_config.json, else 1024; judge: " + VERDICT_TOKENS + ")")
    private Integer maxNewTokens;

    @Option(
            names = "--layers",
            paramLabel = "LIST",
            defaultValue = "last",
            description = "capture: which H[i]: numbers with commas, last (default) or all")
    private String layers;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (options.profile != null) {
            throw new UsageException("--profile is for commands that compute; plan does not");
        }
        sweep.check(input.data == null, options.markers());
        if (method == Method.judge && input.data == null) {
            throw new UsageException("--method judge needs --data: a guard reads prompts and responses");
        }
        ModelConfig config = options.config();
        int layer = probe == null
                ? config.layers()
                : ProbeOption.load(probe, config).layerIn(config.layers(), probe);
        sweep.check(layer * config.heads(), probe);
        input.read();
        reports.begin();
        options.use = switch (method) {
            case direct, trace, select, capture -> BatchMemory.Use.PASS;
            case causal, greedy -> BatchMemory.Use.sweep(sweep.positions, sweep.renormalize, method == Method.greedy);
            case generate, ablate, judge -> BatchMemory.Use.GENERATION;
        };
        int highest = layer;
        if (method == Method.capture) {
            Set<Integer> states = LayerList.parse(layers, config.layers());
            highest = Collections.max(states);
            options.heapBytesPerToken = sweep.positions.equals(PositionScope.ALL)
                    ? CaptureCommand.heapBytesPerToken(states.size(), config)
                    : 0;
        }
        try (Session session = Session.openWithoutWeights(options, input.data != null)) {
            reports.phase("plan");
            List<InputOptions.Input> inputs = sweep.limited(inputs(session));
            FreeMemory memory = new FreeMemory();
            long held = memory.held();
            DevicePeaks peaks = session.peaks();
            if (method.sweeps()) {
                // As the run itself measures them first.
                held = Math.max(held, memory.held());
            }
            try (CostModel model =
                    new CostModel(options.folder, session.device(), peaks, session.batchTokens(), layer)) {
                print(session, inputs, new WorkReport(work(session, model, inputs, layer), peaks), held, highest);
            }
        }
        return 0;
    }

    private List<InputOptions.Input> inputs(Session session) {
        if (method == Method.judge) {
            List<Transcript> transcripts = input.transcripts();
            return new Guard(session)
                    .prompts(transcripts, new GuardVerdict[transcripts.size()]).stream()
                            .map(prompt -> asked(transcripts.get(prompt.number()), prompt))
                            .toList();
        }
        return method.continues()
                ? input.prompts(session, GenerationOptions.Thinking.regenerate)
                : input.probeInputs(session);
    }

    private static InputOptions.Input asked(Transcript transcript, Generator.Prompt prompt) {
        return new InputOptions.Input(transcript.id(), transcript, new TextRunner.Text(prompt.ids(), prompt.span()));
    }

    private Work work(Session session, CostModel model, List<InputOptions.Input> inputs, int layer) {
        List<ProbeText> texts = InputOptions.probeTexts(inputs);
        return switch (method) {
            case direct -> model.direct(texts);
            case causal -> model.causal(texts, sweep.positions, sweep.renormalize);
            case greedy -> {
                int count = sweep.count(options.config(), layer);
                yield model.greedy(texts, sweep.positions, sweep.renormalize, model.spread(count - 1));
            }
            case trace, select -> model.trace(texts);
            case capture -> model.capture(InputOptions.texts(inputs), sweep.positions.equals(LAST));
            case generate, judge -> model.generate(InputOptions.generatorPrompts(inputs), newTokens(session));
            case ablate ->
                model.ablate(
                        InputOptions.generatorPrompts(inputs),
                        newTokens(session),
                        sweep.positions,
                        sweep.renormalize,
                        model.spread(sweep.count(options.config(), layer)));
        };
    }

    private int newTokens(Session session) {
        GenerationOptions generation = GenerationOptions.greedy();
        boolean verdict = method == Method.judge && maxNewTokens == null;
        generation.maxNewTokens = verdict ? (Integer) VERDICT_TOKENS : maxNewTokens;
        return generation.limit(session);
    }

    /**
     * About what a run's process will hold; 0 where the system does not tell what this one does.
     *
     * @param held bytes that this process, with Java, libraries, tokenizer and texts, held without a model
     * @param heap bytes of a batch on the Java heap
     * @param mapped bytes of the weights' files that are read
     */
    private long processBytes(Session session, Work work, long held, long heap, long mapped, int layer) {
        if (held == Long.MAX_VALUE) {
            return 0;
        }
        // The CPU reads and packs a matrix when a product first needs it.
        long unused = options.config().matrixParameters() - usedParameters(layer);
        long device = session.device() instanceof CpuDevice
                ? work.memory() - session.device().matrixBytes(unused)
                : 0;
        return held + MORE_THAN_A_PLAN + mapped + device + heap;
    }

    /** Parameters of the matrices that products are taken with: of the layers below {@code layer}, and of the output if texts go on. */
    private long usedParameters(int layer) {
        ModelConfig c = options.config();
        long table = (long) c.vocabulary() * c.hidden();
        long layers = c.matrixParameters() - (c.tiedEmbeddings() ? 1 : 2) * table;
        return method.continues() ? layers + table : layers * layer / c.layers();
    }

    /** Bytes that a run reads of the weights' files, which it maps. */
    private long mappedBytes(int layer) {
        try (SafetensorsModel weights = SafetensorsModel.open(options.folder)) {
            double share = (double) usedParameters(layer) / options.config().matrixParameters();
            return Math.round(share * weights.bytes());
        }
    }

    private void print(Session session, List<InputOptions.Input> inputs, WorkReport report, long held, int layer) {
        Work work = report.work();
        int tokens = inputs.stream().mapToInt(i -> i.text().ids().length).sum();
        boolean placed = method.sweeps() || method == Method.ablate || method == Method.capture;
        String what = placed ? method + " at positions " + sweep.positions : method.toString();
        out.say(
                "%s over %d texts of %,d tokens, on %s",
                what, inputs.size(), tokens, session.device().description());
        out.say("  work            %s, %s moved", WorkReport.flops(work.flops()), WorkReport.moved(work.bytes()));
        out.say("  memory          %s on the device", InfoCommand.size(work.memory()));
        long heap = options.heapBytesPerToken * heldTokens(inputs, session.batchTokens());
        long mapped = mappedBytes(layer);
        long process = processBytes(session, work, held, heap, mapped, layer);
        if (process > 0) {
            out.say(
                    "  process         about %s in all, with Java and %s of mapped weights",
                    InfoCommand.size(process), InfoCommand.size(mapped));
        }
        out.say(
                "  batches         %d tokens; %s of memory are free",
                session.batchTokens(), InfoCommand.size(session.freeBytes()));
        out.say(
                "  peaks           %s/s in %s, %.1f GB/s",
                WorkReport.flops(report.peaks().flopsPerSecond()),
                session.device().dtype().label(),
                report.peaks().bytesPerSecond() / 1e9);
        out.say("  time            at least %.1f s", work.seconds());
        if (heap > 0) {
            out.say(
                    "  Java heap       %s for the states of a batch, of %s; more with BELAY_JAVA_OPTIONS=-Xmx",
                    InfoCommand.size(heap),
                    InfoCommand.size(Runtime.getRuntime().maxMemory()));
        }
        if (method == Method.greedy || method == Method.ablate) {
            out.say("The heads that are chosen are taken to spread evenly over the layers.");
        }
        ObjectNode json = report.json();
        json.put("method", method.toString()).put("texts", inputs.size()).put("tokens", tokens);
        if (heap > 0) {
            json.put("heap_bytes", heap);
        }
        if (process > 0) {
            json.put("process_bytes", process);
        }
        json.put("positions", placed ? sweep.positions.toString() : null);
        json.put("batch_tokens", session.batchTokens());
        json.put("free_bytes", session.freeBytes());
        json.put("device", session.device().description());
        json.put("dtype", session.device().dtype().label());
        reports.write("Plan", session, null, page -> fill(page, session, what, inputs, report, process));
        reports.tell(out, null);
        out.result(json);
    }

    private static void fill(
            RunReport.Builder page,
            Session session,
            String what,
            List<InputOptions.Input> inputs,
            WorkReport report,
            long process) {
        Work work = report.work();
        page.subtitle("What will " + what + " over " + inputs.size() + " texts cost?")
                .story(String.format(
                        Locale.ROOT,
                        "It takes at least %.1f s and %s on the device.",
                        work.seconds(),
                        InfoCommand.size(work.memory())))
                .fact("work", WorkReport.flops(work.flops()))
                .fact("moved", WorkReport.moved(work.bytes()))
                .fact("memory on the device", InfoCommand.size(work.memory()))
                .fact("memory of the process", process == 0 ? "unknown" : InfoCommand.size(process))
                .fact("memory that is free", InfoCommand.size(session.freeBytes()))
                .fact(
                        "peak of products",
                        WorkReport.flops(report.peaks().flopsPerSecond()) + "/s in "
                                + session.device().dtype().label())
                .fact(
                        "peak of memory",
                        String.format(Locale.ROOT, "%.1f GB/s", report.peaks().bytesPerSecond() / 1e9));
        DataTable table = new DataTable("All texts", "The tokens of each before any are added.")
                .name("id")
                .number("tokens", 0);
        inputs.forEach(each -> table.row(each.id(), each.text().ids().length));
        page.table(table);
    }

    /** The most tokens of a batch: a text that is longer is a batch of its own. */
    private static long heldTokens(List<InputOptions.Input> inputs, int batchTokens) {
        IntSummaryStatistics lengths =
                inputs.stream().mapToInt(i -> i.text().ids().length).summaryStatistics();
        return Math.min(lengths.getSum(), Math.max(batchTokens, lengths.getMax()));
    }
}
