package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.BatchMemory;
import dev.belay.cliff.CostModel;
import dev.belay.device.DevicePeaks;
import dev.belay.device.Work;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.nio.file.Path;
import java.util.List;
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
        generate
    }

    @Mixin
    private TextModelOptions options;

    @ArgGroup(multiplicity = "1")
    private InputOptions input;

    @Option(
            names = "--method",
            paramLabel = "METHOD",
            required = true,
            description = "direct, causal or greedy (belay heads), trace or generate")
    private Method method;

    @Option(names = "--probe", paramLabel = "P", description = "probe whose layer counts (default: the last layer)")
    private Path probe;

    @Mixin
    private SweepOptions sweep;

    @Option(
            names = "--max-new-tokens",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "generate: tokens to add (default: generation_config.json, else 1024)")
    private Integer maxNewTokens;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (options.profile != null) {
            throw new UsageException("--profile is for commands that compute; plan does not");
        }
        sweep.check(input.data == null, options.markers());
        ModelConfig config = options.config();
        int layer = probe == null
                ? config.layers()
                : ProbeOption.load(probe, config).layerIn(config.layers(), probe);
        sweep.check(layer * config.heads(), probe);
        input.read();
        options.use = switch (method) {
            case direct, trace -> BatchMemory.Use.PASS;
            case causal, greedy -> BatchMemory.Use.sweep(sweep.positions, sweep.renormalize);
            case generate -> BatchMemory.Use.GENERATION;
        };
        try (Session session = Session.openWithoutWeights(options, input.data != null)) {
            List<InputOptions.Input> inputs = sweep.limited(
                    method == Method.generate
                            ? input.prompts(session, GenerationOptions.Thinking.regenerate)
                            : input.probeInputs(session));
            DevicePeaks peaks = session.peaks();
            try (CostModel model =
                    new CostModel(options.folder, session.device(), peaks, session.batchTokens(), layer)) {
                print(session, inputs, new WorkReport(work(session, model, inputs, layer), peaks));
            }
        }
        return 0;
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
            case trace -> model.trace(texts);
            case generate -> model.generate(InputOptions.generatorPrompts(inputs), newTokens(session));
        };
    }

    private int newTokens(Session session) {
        GenerationOptions generation = GenerationOptions.greedy();
        generation.maxNewTokens = maxNewTokens;
        return generation.limit(session);
    }

    private void print(Session session, List<InputOptions.Input> inputs, WorkReport report) {
        Work work = report.work();
        int tokens = inputs.stream().mapToInt(i -> i.text().ids().length).sum();
        boolean swept = method == Method.causal || method == Method.greedy;
        String what = swept ? method + " at positions " + sweep.positions : method.toString();
        out.say(
                "%s over %d texts of %,d tokens, on %s",
                what, inputs.size(), tokens, session.device().description());
        out.say("  work            %s, %.2f TB moved", WorkReport.flops(work.flops()), work.bytes() / 1e12);
        out.say("  memory          %s on the device", InfoCommand.size(work.memory()));
        out.say(
                "  batches         %d tokens; %s of memory are free",
                session.batchTokens(), InfoCommand.size(session.freeBytes()));
        out.say(
                "  peaks           %s/s in %s, %.1f GB/s",
                WorkReport.flops(report.peaks().flopsPerSecond()),
                session.device().dtype().label(),
                report.peaks().bytesPerSecond() / 1e9);
        out.say("  time            at least %.1f s", work.seconds());
        if (method == Method.greedy) {
            out.say("The heads that the steps choose are taken to spread evenly over the layers.");
        }
        ObjectNode json = report.json();
        json.put("method", method.toString()).put("texts", inputs.size()).put("tokens", tokens);
        json.put("positions", swept ? sweep.positions.toString() : null);
        json.put("batch_tokens", session.batchTokens());
        json.put("free_bytes", session.freeBytes());
        json.put("device", session.device().description());
        json.put("dtype", session.device().dtype().label());
        out.result(json);
    }
}
