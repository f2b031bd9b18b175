package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.Sampling;
import dev.belay.forward.Batch;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.Hooks;
import dev.belay.forward.KvCache;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelConfig;
import dev.belay.weights.TensorSource;
import dev.belay.weights.TensorView;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Runs the prompts of a golden file and compares everything that the file has. */
final class GoldenComparison {
    /**
     * The difference over all prompts at one place of the model.
     *
     * @param name for example hidden.3
     * @param error largest absolute difference; for greedy tokens the number that differ; NaN for {@link #ALL}
     * @param share the difference as a share of what is accepted, the largest or the root mean square; infinite for greedy tokens that differ
     * @param relative root mean square of the differences, as a share of that of the expected numbers; of a mixture of experts that of
     *     the median token, as rounding gives some tokens other experts; NaN for greedy tokens
     * @param ofRounding of {@code relative} what rounding the weights alone causes; NaN where that was not asked
     * @param where prompt, token and element of the largest
     */
    record Row(String name, double error, double share, double relative, double ofRounding, String where) {
        /** Of the row of all tensors together, each of which counts as much. */
        static final String ALL = "all";

        /** From such a share of what rounding causes, float32's own error is worth a word. */
        private static final double EXACT = 0.1;

        boolean passed() {
            return share <= 1;
        }

        /** The same judged beside the difference that rounding the weights alone causes. */
        Row beside(Row rounding, Limit limit) {
            double most = Math.max(limit.relative(), limit.rounding() * rounding.relative);
            return new Row(
                    name, error, GoldenComparison.share(this, relative, most), relative, rounding.relative, where);
        }

        /**
         * All rows together, judged by the differences that rounding the weights alone causes and by nothing else.
         *
         * @param exact what float32 computes, beside the golden
         * @param rounding what it computes with rounded weights, beside {@code exact}
         */
        static Row all(Collection<Row> rows, Collection<Row> exact, Collection<Row> rounding, Limit limit) {
            double before = together(exact);
            double caused = together(rounding);
            double relative = together(rows);
            String where = before < EXACT * caused
                    ? ""
                    : String.format(Locale.ROOT, "float32 differs by %.2g %% without any rounding", 100 * before);
            return new Row(ALL, Double.NaN, relative / (limit.rounding() * caused), relative, caused, where);
        }

        private static double together(Collection<Row> rows) {
            return Math.sqrt(rows.stream()
                    .mapToDouble(Row::relative)
                    .filter(relative -> !Double.isNaN(relative))
                    .map(relative -> relative * relative)
                    .average()
                    .orElse(Double.NaN));
        }

        String relativeText() {
            return Double.isNaN(relative) ? "" : String.format(Locale.ROOT, "%.2g %%", 100 * relative);
        }

        String errorText() {
            return name.equals("greedy")
                    ? (long) error + (error == 1 ? " token" : " tokens")
                    : Double.isNaN(error) ? "" : String.format(Locale.ROOT, "%.3g", error);
        }
    }

    /**
     * The difference of one prompt at one place of the model.
     *
     * @param name as in {@link Row}
     * @param error largest absolute difference; for greedy tokens the number that differ
     * @param relative root mean square of the differences, as a share of that of the expected numbers; NaN for greedy tokens
     * @param row where the largest is: the token, or the head of an ablation; for greedy tokens the first that differs; -1 if none does
     */
    record Detail(String name, int prompt, double error, double relative, int row) {}

    private final ForwardPass forward;
    private final ModelConfig config;
    private final TensorSource golden;
    private final Path path;
    private final Limit limit;
    private final boolean compareGreedy;
    private final Map<String, Row> rows = new LinkedHashMap<>();
    private final List<Detail> details = new ArrayList<>();
    private final Map<String, double[]> squares = new HashMap<>();
    /** What was computed, by the names of the golden; null where nobody asks for it. */
    private final Map<String, float[]> computed;
    /** Relative errors of the rows of tensors. */
    private final Map<String, List<Double>> ofRows = new HashMap<>();

    /**
     * What is accepted.
     *
     * @param largest largest difference from a number of up to {@code unit}, in a row whose root mean square is no more than that either; from
     *     others as many times more
     * @param relative root mean square of the differences, as a share of that of the expected numbers
     * @param rounding or as many times what rounding the weights alone causes
     */
    record Limit(double largest, double unit, double relative, double rounding) {
        /**
         * A difference from {@code expected}, in a row of the root mean square {@code size}, as a share of what is accepted; infinite
         * where one of them is no number.
         */
        double share(double difference, double expected, double size) {
            double share = difference / (largest * Math.max(1, Math.max(Math.abs(expected), size) / unit));
            return Double.isNaN(share) ? Double.POSITIVE_INFINITY : share;
        }

        boolean isRelative() {
            return Double.isFinite(relative);
        }

        /** A limit of the largest difference alone, for numbers of up to {@code unit}, which may be infinite. */
        static Limit ofLargest(double largest, double unit) {
            return new Limit(largest, unit, Double.POSITIVE_INFINITY, Double.NaN);
        }

        /** A limit of the root mean square alone. */
        static Limit ofRelative(double relative, double rounding) {
            return new Limit(Double.MAX_VALUE, Double.POSITIVE_INFINITY, relative, rounding);
        }
    }

    /** @param keeps whether {@link #computed} will be asked for */
    GoldenComparison(
            ForwardPass forward, TensorSource golden, Path path, Limit limit, boolean compareGreedy, boolean keeps) {
        computed = keeps ? new HashMap<>() : null;
        this.forward = forward;
        this.golden = golden;
        this.path = path;
        this.limit = limit;
        this.compareGreedy = compareGreedy;
        config = forward.model().config();
    }

    GoldenComparison run() {
        List<TextRunner.Text> texts = prompts();
        Set<HookPoint> points = new HashSet<>();
        for (int i = 0; i <= config.layers(); i++) {
            points.add(HookPoint.residual(i));
            if (i < config.layers()) {
                points.add(HookPoint.headOutput(i));
            }
        }
        ActivationRecorder recorder = new ActivationRecorder(points, (text, position) -> true);
        List<float[]> logits = new ArrayList<>();
        new TextRunner(forward)
                .run(
                        texts,
                        config.layers(),
                        null,
                        recorder,
                        false,
                        (batch, states) -> {
                            for (int i : batch) {
                                logits.add(null);
                            }
                            splitLogits(batch, texts, logits);
                        },
                        n -> {});
        for (int k = 0; k <= config.layers(); k++) {
            compareLayer(k, texts, recorder);
        }
        for (int p = 0; p < texts.size(); p++) {
            compare("logits", p, config.vocabulary(), "logits", logits.get(p));
            ablations(p, texts.get(p));
        }
        if (compareGreedy) {
            greedy(texts);
        }
        if (rows.isEmpty()) {
            throw new BelayException(path + ": has none of hidden, head_out, logits, ablate, greedy to compare with");
        }
        return this;
    }

    /** What {@link #run} found, over all prompts. */
    List<Row> rows() {
        return rows.values().stream().map(this::finished).toList();
    }

    /** A golden of what {@link #run} computed; to be closed no more than the one that was compared with. */
    TensorSource computed() {
        return new TensorView(golden) {
            @Override
            public float[] floats(String name) {
                return computed.get(name);
            }
        };
    }

    /** What {@link #run} found, prompt by prompt. */
    List<Detail> details() {
        return List.copyOf(details);
    }

    private List<TextRunner.Text> prompts() {
        List<TextRunner.Text> texts = new ArrayList<>();
        for (int p = 0; golden.has(p + ".input_ids"); p++) {
            int[] ids = ints(golden.longs(p + ".input_ids"));
            for (int id : ids) {
                if (id < 0 || id >= config.vocabulary()) {
                    throw new BelayException(path + ": " + p + ".input_ids has token " + id + ", but the vocabulary is "
                            + config.vocabulary() + "; does this file belong to the model?");
                }
            }
            texts.add(new TextRunner.Text(ids, TextSpan.plain(ids.length)));
        }
        if (texts.isEmpty()) {
            throw new BelayException(path + ": has no tensor 0.input_ids; is it a golden file?");
        }
        return texts;
    }

    private void splitLogits(List<Integer> batch, List<TextRunner.Text> texts, List<float[]> logits) {
        int tokens = batch.stream().mapToInt(i -> texts.get(i).ids().length).sum();
        DeviceBuffer all = forward.logits(tokens);
        long from = 0;
        for (int i : batch) {
            float[] own = new float[texts.get(i).ids().length * config.vocabulary()];
            all.read(from, own, 0, own.length);
            from += own.length;
            logits.set(i, own);
        }
    }

    private void compareLayer(int k, List<TextRunner.Text> texts, ActivationRecorder recorder) {
        for (int p = 0; p < texts.size(); p++) {
            compare("hidden." + k, p, config.hidden(), "hidden." + k, recorder.get(HookPoint.residual(k), p));
            if (k < config.layers()) {
                int width = config.attention().queryWidth();
                compare("head_out." + k, p, width, "head_out." + k, recorder.get(HookPoint.headOutput(k), p));
            }
        }
    }

    private void compare(String tensor, int prompt, int width, String name, float[] actual) {
        if (!golden.has(prompt + "." + tensor)) {
            return;
        }
        float[] expected = golden.floats(prompt + "." + tensor);
        if (expected.length != actual.length) {
            throw new BelayException(path + ": " + prompt + "." + tensor + " has " + expected.length
                    + " elements, this model gives " + actual.length + "; does this file belong to the model?");
        }
        if (computed != null) {
            computed.put(prompt + "." + tensor, actual);
        }
        int worst = 0;
        double error = 0;
        double share = 0;
        double size = 0;
        double[] sums = squares.computeIfAbsent(name, n -> new double[2]);
        double[] whole = new double[2];
        double[] row = new double[2];
        for (int i = 0; i < expected.length; i++) {
            if (i % width == 0) {
                size = rootMeanSquare(expected, i, width);
            }
            double difference = Math.abs((double) expected[i] - actual[i]);
            row[0] += difference * difference;
            row[1] += (double) expected[i] * expected[i];
            if ((i + 1) % width == 0) {
                ofRows.computeIfAbsent(name, n -> new ArrayList<>()).add(relative(row));
                whole[0] += row[0];
                whole[1] += row[1];
                Arrays.fill(row, 0);
            }
            if (Double.isNaN(difference)) {
                difference = Double.POSITIVE_INFINITY;
            }
            error = Math.max(error, difference);
            double own = limit.share(difference, expected[i], size);
            if (own > share) {
                share = own;
                worst = i;
            }
        }
        String where = "prompt " + prompt + ", row " + worst / width + ", element " + worst % width;
        sums[0] += whole[0];
        sums[1] += whole[1];
        details.add(new Detail(name, prompt, error, relative(whole), worst / width));
        put(new Row(name, error, share, Double.NaN, Double.NaN, where));
    }

    /** Keeps the worse of two rows of the same name. */
    private void put(Row row) {
        rows.merge(row.name(), row, (a, b) -> {
            boolean worse = b.share() == a.share() ? b.error() > a.error() : b.share() > a.share();
            return worse || a.where().isEmpty() ? b : a;
        });
    }

    /** Of the finite ones of some numbers. */
    private static double rootMeanSquare(float[] values, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += Float.isFinite(values[i]) ? (double) values[i] * values[i] : 0;
        }
        return Math.sqrt(sum / count);
    }

    private static double relative(double[] sums) {
        return sums[0] == 0 ? 0 : Math.sqrt(sums[0] / sums[1]);
    }

    /** The row with the relative error of all prompts. */
    private Row finished(Row row) {
        double[] sums = squares.get(row.name());
        if (sums == null) {
            return row;
        }
        double relative = config.experts() == null ? relative(sums) : median(ofRows.get(row.name()));
        double share = limit.isRelative() ? share(row, relative, limit.relative()) : row.share();
        return new Row(row.name(), row.error(), share, relative, Double.NaN, row.where());
    }

    /** A root mean square as a share of what is accepted; infinite where a single number is wrong beyond measure, which a median may hide. */
    private static double share(Row row, double relative, double most) {
        return Double.isInfinite(row.error()) ? Double.POSITIVE_INFINITY : relative / most;
    }

    /** The middle one, the larger of two. */
    private static double median(List<Double> values) {
        return values.stream().sorted().toList().get(values.size() / 2);
    }

    /** Every head ablated in turn, each in a row of its own. */
    private void ablations(int prompt, TextRunner.Text text) {
        if (!golden.has(prompt + ".ablate")) {
            return;
        }
        float[] states = new float[config.layers() * config.heads() * config.hidden()];
        int perBatch = Math.max(1, forward.maxTokens() / text.ids().length);
        try (KvCache cache = KvCache.passing(forward.model().device(), config, perBatch * text.ids().length)) {
            for (int first = 0; first < config.layers() * config.heads(); first += perBatch) {
                int count = Math.min(perBatch, config.layers() * config.heads() - first);
                Batch batch = new Batch();
                List<HeadMask> masks = new ArrayList<>();
                for (int i = first; i < first + count; i++) {
                    batch.addText(text.ids(), batch.tokens(), text.span());
                    batch.readLast();
                    masks.add(new HeadMask(config.layers(), config.heads(), PositionScope.ALL, false)
                            .ablate(i / config.heads(), i % config.heads()));
                }
                Hooks hooks = Hooks.scaling(HeadScales.perRow(masks));
                forward.run(batch, config.layers(), cache, hooks, true)
                        .read(0, states, first * config.hidden(), count * config.hidden());
            }
        }
        compare("ablate", prompt, config.hidden(), "ablate", states);
    }

    private void greedy(List<TextRunner.Text> texts) {
        for (int p = 0; p < texts.size(); p++) {
            if (!golden.has(p + ".greedy")) {
                continue;
            }
            int prompt = p;
            TextRunner.Text text = texts.get(p);
            int[] all = ints(golden.longs(p + ".greedy"));
            int[] expected = Arrays.copyOf(all, Math.min(all.length, config.positions() - text.ids().length));
            String end = expected.length == all.length
                    ? ""
                    : "prompt " + prompt + ", up to the longest text, " + config.positions() + " tokens";
            if (expected.length == 0) {
                put(new Row("greedy", 0, 0, Double.NaN, Double.NaN, end));
                continue;
            }
            Generator generator =
                    new Generator(forward, null, Generator.Closing.NONE, Sampling.GREEDY, expected.length, true);
            generator.generate(List.of(new Generator.Prompt(p, text.ids(), text.span())), (given, continuation) -> {
                int same = Arrays.mismatch(expected, continuation.tokens());
                int wrong = same < 0 ? 0 : expected.length - same;
                String where = same < 0 ? end : "prompt " + prompt + ", from new token " + same;
                details.add(new Detail("greedy", prompt, wrong, Double.NaN, same));
                double share = wrong == 0 ? 0 : Double.POSITIVE_INFINITY;
                put(new Row("greedy", wrong, share, Double.NaN, Double.NaN, where));
            });
        }
    }

    private static int[] ints(long[] values) {
        return Arrays.stream(values).mapToInt(Math::toIntExact).toArray();
    }
}
