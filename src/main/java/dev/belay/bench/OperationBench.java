package dev.belay.bench;

import dev.belay.device.CapturingDevice;
import dev.belay.device.Device;
import dev.belay.device.DeviceClock;
import dev.belay.device.OperationCost;
import dev.belay.forward.Batch;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Hooks;
import dev.belay.forward.KvCache;
import dev.belay.hooks.TextSpan;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * The single operations of a forward pass, each done again and again on the buffers of a real pass. An operation goes round the layers,
 * so that its weights come from memory as they do in a pass, not from a cache.
 */
public final class OperationBench implements AutoCloseable {
    /** Until Java has compiled what an operation does of it: most seconds, and times those of a case. */
    private static final double WARM_SECONDS = 2;

    private static final double WARM_CASES = 4;

    /** Weights of the layers that an operation goes round: more than caches hold. */
    private static final long ENOUGH_BYTES = 1L << 29;
    /** Logits of a batch at most, as in {@link dev.belay.forward.Generator}. */
    private static final long MOST_LOGITS = 1 << 26;

    /** Tokens before the one of a decode step. */
    private static final int CONTEXT = 255;

    /** Share of an operation's time for running it before it is measured. */
    private static final double WARM_SHARE = 0.25;

    private static final Set<String> FUSED = Set.of("project", "feedForward");

    private static final int LEAST_SAMPLES = 5;
    private static final int MOST_MARKS = 4096;
    private static final Map<String, String> LABELS = Map.of(
            "self_attn.qkv_proj", "qkv",
            "self_attn.o_proj", "output",
            "mlp.gate_proj", "gate_up",
            "mlp.down_proj", "down",
            "lm_head", "lm_head",
            "embed_tokens", "lm_head");

    /**
     * Tokens that one pass computes.
     *
     * @param lengths new tokens of each text
     * @param context tokens of each text before them, with their keys and values in the cache
     */
    public record Case(List<Integer> lengths, int context) {
        /** Tokens of all texts. */
        public int tokens() {
            return lengths.stream().mapToInt(i -> i).sum();
        }

        /** Length of the longest text. */
        int positions() {
            return context + lengths.stream().mapToInt(i -> i).max().orElse(0);
        }

        /** For example {@code 4 texts of 96 to 160} or {@code 8 texts, 1 after 255}. */
        @Override
        public String toString() {
            int least = lengths.stream().mapToInt(i -> i).min().orElse(0);
            int most = positions() - context;
            String texts = lengths.size() == 1 ? "1 text" : lengths.size() + " texts";
            String size = least == most ? "" + most : least + " to " + most;
            return context == 0 ? texts + " of " + size : texts + ", " + size + " after " + context;
        }
    }

    /** One operation as it is in each layer. */
    public static final class Operation {
        private final String name;
        private final int tokens;
        private final OperationCost cost;
        private final List<Runnable> layers = new ArrayList<>();

        private Operation(String name, int tokens, OperationCost cost) {
            this.name = name;
            this.tokens = tokens;
            this.cost = cost;
        }

        /** What it is: qkv, output, gate_up, down, lm_head, rmsNorm, rotate, attention, swiglu, or what the device does as one. */
        public String name() {
            return name;
        }

        /** Tokens that it computes. */
        public int tokens() {
            return tokens;
        }

        /** What it has to do. */
        public OperationCost cost() {
            return cost;
        }

        /** Does it as in the {@code n}th layer, beginning again after the last. */
        public void run(int n) {
            layers.get(n % layers.size()).run();
        }
    }

    /**
     * How long an operation took.
     *
     * @param milliseconds median
     * @param samples times that it was measured
     */
    public record Timing(Case of, Operation operation, double milliseconds, int samples) {}

    private final Resources owned = new Resources();
    private final CapturingDevice device;
    private final DeviceClock clock;
    private final ModelConfig config;
    private final ForwardPass forward;
    /** That of texts, and that of texts which are continued. */
    private final KvCache cache;

    private final KvCache generated;
    private final int layers;
    private boolean warm;

    /**
     * Prepares the buffers.
     *
     * @param model opened; stays the caller's
     * @param maxTokens most tokens of a case, context included
     */
    public OperationBench(Model model, int maxTokens) {
        device = new CapturingDevice(model.device());
        clock = model.device().clock();
        config = model.config();
        layers = layers(model.device(), config);
        try {
            forward = owned.own(new ForwardPass(model.through(device), maxTokens));
            cache = owned.own(KvCache.keeping(model.device(), config, maxTokens));
            generated = owned.own(KvCache.generating(model.device(), config, maxTokens));
        } catch (RuntimeException | Error e) {
            owned.close();
            throw e;
        }
    }

    private static int layers(Device device, ModelConfig c) {
        long layer = device.matrixBytes(layerWeights(c));
        return (int) Math.min(c.layers(), Math.max(2, ENOUGH_BYTES / layer));
    }

    /** Weights of a layer's products. */
    static long layerWeights(ModelConfig c) {
        return 2L * c.hidden() * (c.heads() + c.kvHeads()) * c.headSize() + 3L * c.hidden() * c.feedForward();
    }

    /** The cases that fit the model: one token of one and of eight texts, several short texts, one long text. */
    public static List<Case> cases(ModelConfig config, int maxTokens) {
        List<Case> cases = new ArrayList<>();
        cases.add(new Case(List.of(1), CONTEXT));
        cases.add(new Case(Collections.nCopies(8, 1), CONTEXT));
        for (int tokens : new int[] {64, 512, 2048}) {
            cases.add(new Case(ragged(tokens), 0));
        }
        cases.add(new Case(List.of(2048), 0));
        cases.removeIf(c -> c.positions() > config.positions()
                || c.tokens() + (long) c.lengths().size() * c.context() > maxTokens);
        return cases;
    }

    /** Texts with this many tokens together, of 96, 128, 160 and 128 tokens or in that proportion. */
    private static List<Integer> ragged(int tokens) {
        int scale = Math.min(tokens, 512) / 16;
        List<Integer> lengths = new ArrayList<>();
        for (int done = 0; done < tokens; done += 16 * scale) {
            lengths.addAll(List.of(3 * scale, 4 * scale, 5 * scale, 4 * scale));
        }
        return lengths;
    }

    /** Seconds that the products of one pass over a case's tokens take at least; measuring takes some times that. */
    public double leastSeconds(Case of, MachinePeaks peaks) {
        double flops = 2.0 * of.tokens() * layers * layerWeights(config);
        return flops / peaks.bestProduct().flopsPerSecond();
    }

    /** Runs a pass over a case's tokens; returns its operations, in their order, and then what the device does as one. */
    public List<Operation> operations(Case of) {
        Batch batch = new Batch();
        int slots = of.tokens() + of.lengths().size() * of.context();
        KvCache kept = of.context() > 0 ? generated : cache;
        if (of.context() > 0) {
            for (int r = 0; r < of.lengths().size(); r++) {
                batch.addText(ids(of.context()), r * slots / of.lengths().size(), TextSpan.plain(of.context()));
            }
            pass(batch, kept);
            batch = new Batch();
        }
        int slot = 0;
        for (int length : of.lengths()) {
            int end = of.context() + length;
            batch.openRow(slot, TextSpan.plain(end));
            for (int p = of.context(); p < end; p++) {
                batch.addToken(p % config.vocabulary(), p);
            }
            slot += end;
        }
        device.take();
        device.fusing(false);
        pass(batch, kept);
        if ((long) of.tokens() * config.vocabulary() <= MOST_LOGITS) {
            forward.finalNorm(of.tokens());
            forward.logits(of.tokens());
        }
        List<CapturingDevice.Operation> captured = new ArrayList<>(device.take());
        device.fusing(true);
        if (device.fuses(of.tokens())) {
            pass(batch, kept);
            device.take().stream().filter(one -> FUSED.contains(one.name())).forEach(captured::add);
        }
        return grouped(captured);
    }

    private void pass(Batch batch, KvCache kept) {
        forward.embed(batch, Hooks.none());
        forward.layers(batch, 0, layers, null, kept, Hooks.none(), false);
    }

    private int[] ids(int count) {
        int[] ids = new int[count];
        for (int i = 0; i < count; i++) {
            ids[i] = i % config.vocabulary();
        }
        return ids;
    }

    private static List<Operation> grouped(List<CapturingDevice.Operation> captured) {
        Map<String, Operation> byName = new LinkedHashMap<>();
        for (CapturingDevice.Operation one : captured) {
            if (!one.name().equals("embed")) {
                byName.computeIfAbsent(label(one), name -> new Operation(name, one.rows(), one.cost()))
                        .layers
                        .add(one.work());
            }
        }
        return List.copyOf(byName.values());
    }

    /** A product is called after its weights. */
    private static String label(CapturingDevice.Operation one) {
        if (!one.name().equals("matmul")) {
            return one.name();
        }
        String part = one.weights().replaceAll("^model\\.(layers\\.\\d+\\.)?|\\.weight$", "");
        return LABELS.getOrDefault(part, part);
    }

    /**
     * Measures every operation of a case.
     *
     * @param seconds about how long all of them together may take
     */
    public List<Timing> run(Case of, double seconds) {
        List<Operation> operations = operations(of);
        List<Timing> timings = new ArrayList<>();
        if (!warm) {
            double warming = Math.min(WARM_SECONDS, WARM_CASES * seconds);
            Stopwatch.repeat(() -> operations.forEach(operation -> operation.run(0)), warming, 1);
            warm = true;
        }
        for (Operation operation : operations) {
            timings.add(time(of, operation, seconds / operations.size()));
        }
        return timings;
    }

    private Timing time(Case of, Operation operation, double seconds) {
        Stopwatch.repeat(() -> operation.run(0), seconds * WARM_SHARE, 1);
        clock.milliseconds();
        List<Double> milliseconds = new ArrayList<>();
        double sum = 0;
        for (int n = 1; milliseconds.size() < LEAST_SAMPLES || sum < 1e3 * seconds; ) {
            int count = Math.clamp(n - 1, LEAST_SAMPLES, MOST_MARKS);
            clock.mark();
            for (int i = 0; i < count; i++) {
                operation.run(n++);
                clock.mark();
            }
            double[] marks = clock.milliseconds();
            for (int i = 0; i < count; i++) {
                milliseconds.add(marks[i + 1] - marks[i]);
            }
            sum += marks[count] - marks[0];
        }
        return new Timing(of, operation, Stopwatch.median(milliseconds), milliseconds.size());
    }

    @Override
    public void close() {
        owned.close();
    }
}
