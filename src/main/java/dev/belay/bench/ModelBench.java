package dev.belay.bench;

import dev.belay.cliff.AblationSweep;
import dev.belay.cliff.ProbeScorer;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DryDevice;
import dev.belay.device.Sampling;
import dev.belay.device.Work;
import dev.belay.device.cpu.CpuDevice;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.IntStream;

/**
 * What a model does as a whole: passes over prompts, decoding, sweeps. The work is that of the commands, on random token ids; its FLOPs are
 * those of the same code on a {@link DryDevice}.
 */
public final class ModelBench implements AutoCloseable {
    /** Tokens of the four prompts. */
    public static final List<Integer> PROMPTS = List.of(96, 128, 160, 128);

    /** Tokens of a prompt that is continued, and tokens that it is continued by. */
    public static final int DECODE_PROMPT = 128;

    /** Tokens that a text is continued by. */
    public static final int NEW_TOKENS = 64;

    /** Positions that a sweep of the end changes. */
    public static final PositionScope CLOSING = PositionScope.parse("last:5");

    /** Enough for a device to have prepared all that a step needs. */
    private static final int FEW_TOKENS = 4;

    private static final int LEAST_RUNS = 3;
    private static final double READ_SECONDS = 0.1;
    private static final long SEED = 1;

    /**
     * A pass over all prompts, with the logits of each one's last token.
     *
     * @param seconds median
     */
    public record Prefill(int tokens, double seconds, double flops, int runs) {}

    /**
     * Continuing texts token by token.
     *
     * @param texts continued at a time
     * @param stepSeconds of one more token for each, median
     * @param weightBytes that a step reads
     * @param readBytesPerSecond how fast memory was read meanwhile, median
     */
    public record Decode(int texts, double stepSeconds, long weightBytes, double readBytesPerSecond, int runs) {
        /** Seconds that reading the weights takes. */
        public double floorSeconds() {
            return weightBytes / readBytesPerSecond;
        }
    }

    /**
     * A causal sweep of all heads over the prompts.
     *
     * @param layersMeasured layers whose heads were swept, evenly spread
     * @param measuredSeconds that it took
     * @param seconds that all layers take: in proportion to the FLOPs
     * @param flops of all layers
     */
    public record Sweep(
            PositionScope positions, int layersMeasured, double measuredSeconds, double seconds, double flops) {}

    private final Resources owned = new Resources();
    private final ModelConfig config;
    private final MachinePeaks peaks;
    private final Device device;
    private final DryDevice dry;
    private final ForwardPass forward;
    private final ForwardPass dryForward;
    private final LinearProbe probe;
    /** The CPU's; null on other devices, whose memory nobody else uses. */
    private final HostMemory memory;

    private boolean warm;

    /**
     * Prepares the buffers.
     *
     * @param model opened; stays the caller's
     * @param batchTokens most tokens in a batch; at least those of the longest prompt
     */
    public ModelBench(Model model, MachinePeaks peaks, int batchTokens) {
        this.peaks = peaks;
        config = model.config();
        device = model.device();
        memory = device instanceof CpuDevice ? owned.own(new HostMemory()) : null;
        dry = new DryDevice(device, peaks.roof());
        float[] weight = new float[config.hidden()];
        for (int i = 0; i < weight.length; i++) {
            weight[i] = (float) (StrictMath.cos(i) / Math.sqrt(weight.length));
        }
        probe = new LinearProbe(weight, 0, LinearProbe.LAST, Map.of());
        try {
            forward = owned.own(new ForwardPass(model, batchTokens));
            Model outline = owned.own(Model.outline(model.folder(), dry));
            dryForward = owned.own(new ForwardPass(outline, batchTokens));
        } catch (RuntimeException | Error e) {
            owned.close();
            throw e;
        }
    }

    private double flops(Consumer<ForwardPass> work) {
        dry.work();
        work.accept(dryForward);
        Work counted = dry.work();
        return counted.flops();
    }

    /**
     * Passes over the prompts.
     *
     * @param seconds about how long that may take
     */
    public Prefill prefill(double seconds) {
        prefill(forward);
        List<Double> runs = Stopwatch.repeat(() -> prefill(forward), seconds, LEAST_RUNS);
        int tokens = PROMPTS.stream().mapToInt(i -> i).sum();
        return new Prefill(tokens, Stopwatch.median(runs), flops(this::prefill), runs.size());
    }

    private void prefill(ForwardPass on) {
        float[] one = new float[1];
        TextRunner.Visitor logits = (texts, states) -> {
            DeviceBuffer out = on.logits(texts.size());
            // Waits for the device.
            out.read(0, one, 0, 1);
        };
        new TextRunner(on).run(ProbeScorer.texts(texts()), config.layers(), null, null, true, logits, n -> {});
    }

    /**
     * Continues texts, greedily and past end tokens.
     *
     * @param texts how many at a time
     * @param seconds about how long that may take
     */
    public Decode decode(int texts, double seconds) {
        generate(texts, warm ? FEW_TOKENS : 1 + NEW_TOKENS);
        warm = true;
        // The steps are what a long continuation takes more than a short one; less only if the machine was busy.
        // Reading is measured in turn with them: how fast memory is changes with what else a machine does.
        List<Double> steps = new ArrayList<>();
        List<Double> reads = new ArrayList<>();
        double sum = 0;
        while (steps.size() < 2 || sum < seconds) {
            double read = readRate();
            double first = Stopwatch.seconds(() -> generate(texts, 1));
            double all = Stopwatch.seconds(() -> generate(texts, 1 + NEW_TOKENS));
            if (all > first) {
                steps.add((all - first) / NEW_TOKENS);
                reads.add(read);
            }
            sum += first + all;
        }
        long bytes = config.layers() * device.matrixBytes(OperationBench.layerWeights(config));
        bytes += device.matrixBytes((long) config.vocabulary() * config.hidden());
        return new Decode(texts, Stopwatch.median(steps), bytes, Stopwatch.median(reads), steps.size());
    }

    private double readRate() {
        return memory == null ? peaks.readBytesPerSecond() : memory.readRate(READ_SECONDS);
    }

    private void generate(int texts, int newTokens) {
        List<Generator.Prompt> prompts = new ArrayList<>();
        Random random = new Random(SEED);
        for (int i = 0; i < texts; i++) {
            prompts.add(new Generator.Prompt(i, ids(random, DECODE_PROMPT), TextSpan.plain(DECODE_PROMPT)));
        }
        new Generator(forward, null, Generator.Closing.NONE, Sampling.GREEDY, newTokens, true)
                .generate(prompts, (prompt, continuation) -> {});
    }

    /**
     * Sweeps the heads: of all layers, or where that takes too long of some, after the heads of one layer to warm up.
     *
     * @param seconds about how long that may take
     */
    public Sweep sweep(PositionScope positions, double seconds) {
        double flops = flops(on -> sweep(on, positions, config.layers()));
        double one = Stopwatch.seconds(() -> sweep(forward, positions, 1));
        double all = one * flops / flops(on -> sweep(on, positions, 1));
        int layers = Math.clamp((long) (config.layers() * seconds / all), 1, config.layers());
        double took = Stopwatch.seconds(() -> sweep(forward, positions, layers));
        double measured = flops(on -> sweep(on, positions, layers));
        return new Sweep(positions, layers, took, took * flops / measured, flops);
    }

    private void sweep(ForwardPass on, PositionScope positions, int layers) {
        try (ProbeScorer scorer = new ProbeScorer(on, probe, "of the benchmark")) {
            AblationSweep sweep = new AblationSweep(scorer, positions, false);
            HeadMask mask = sweep.emptyMask();
            List<Integer> swept = IntStream.range(0, layers)
                    .mapToObj(i -> (2 * i + 1) * config.layers() / (2 * layers))
                    .toList();
            for (int l = 0; l < config.layers(); l++) {
                for (int h = 0; h < config.heads() && !swept.contains(l); h++) {
                    // A sweep leaves out heads that are scaled already.
                    mask.scale(l, h, Math.nextDown(1f));
                }
            }
            sweep.run(texts(), mask, n -> {});
        }
    }

    private List<ProbeText> texts() {
        Random random = new Random(SEED);
        List<ProbeText> texts = new ArrayList<>();
        for (int length : PROMPTS) {
            texts.add(new ProbeText("text " + texts.size(), ids(random, length), 0, length - CLOSING.k()));
        }
        return texts;
    }

    private int[] ids(Random random, int count) {
        return random.ints(count, 0, config.vocabulary()).toArray();
    }

    @Override
    public void close() {
        owned.close();
    }
}
