package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.BatchMemory;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.cpu.CpuDevice;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.weights.SafetensorsFile;
import dev.belay.weights.TensorSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay verify}: does this machine compute what transformers computes? */
@Command(
        name = "verify",
        mixinStandardHelpOptions = true,
        description = {
            "Compares a forward pass with golden activations, layer by layer.",
            "The golden file holds for each prompt p = 0, 1, ... the tensor p.input_ids and any of:",
            "  p.hidden.i    H[i], [tokens, hidden]",
            "  p.head_out.l  head outputs of layer l, [tokens, heads, head size]",
            "  p.logits      [tokens, vocabulary]",
            "  p.ablate      last state with each head ablated, [layers, heads, hidden]",
            "  p.greedy      greedy continuation, [tokens]; compared with --dtype f32 only",
            "With --against ORIGINAL --heads H.json --top N, a model that belay bake wrote is compared with the",
            "original whose heads are scaled while it runs: states of all layers, logits, greedy tokens."
        },
        footer = {"", "Example: belay verify models/tiny-cliff --golden golden.safetensors"})
final class VerifyCommand implements Callable<Integer> {
    /** Accepted by default in float32, absolute, for numbers of up to {@link #F32_UNIT}; from larger ones as many times more. */
    private static final double F32_TOLERANCE = 2e-4;

    private static final double F32_UNIT = 10;

    /**
     * Accepted by default in bfloat16: root mean square of the differences, as a share of that of the tensor, or with a mixture of
     * experts of the median token's. The largest of many differences is a matter of luck.
     */
    private static final double BF16_RELATIVE = 0.03;

    /** Or as many times what rounding the weights alone causes; all tensors together are held to this alone. */
    private static final double BF16_ROUNDING = 1.5;

    @Mixin
    private ModelOptions options;

    @Option(
            names = "--golden",
            paramLabel = "G.safetensors",
            description = "golden activations (default MODEL/golden.safetensors)")
    private Path golden;

    @Option(
            names = "--against",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description = "the original of a baked model; with the --heads, --top and --gamma of belay bake")
    private Path original;

    @Mixin
    private HeadOptions heads;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            description =
                    "largest accepted difference (default f32: 2e-4, of numbers beyond 10 in proportion; bf16: root mean square, of all tensors"
                            + " together 1.5 times what rounding the weights alone causes, of each 3%% or 1.5 times its own)")
    private Double tolerance;

    @Option(names = "-o", paramLabel = "V.json", description = "write the JSON object to this file too")
    private Path output;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (options.on.dtype == null) {
            options.on.dtype = DType.F32;
        }
        if (tolerance != null && !(tolerance >= 0)) {
            throw new UsageException("--tolerance is " + tolerance + ": use a number from 0");
        }
        if (output != null) {
            OutputFile.check(output);
        }
        if (original != null) {
            return againstOriginal();
        }
        heads.settle();
        if (heads.file != null) {
            throw new UsageException(
                    "--against MODEL is missing: --heads says which of its heads a baked model ablates");
        }
        if (golden == null) {
            golden = options.folder.resolve("golden.safetensors");
            if (Files.notExists(golden)) {
                throw new BelayException(
                        "cannot read " + golden + ": no such file; name golden activations with --golden");
            }
        }
        reports.begin();
        if (Files.isRegularFile(golden)) {
            reports.input(golden);
        }
        return compare("golden", golden.toString());
    }

    /** Has the original compute a golden file, and compares the baked model with that. */
    private int againstOriginal() {
        if (golden != null) {
            throw new UsageException("--golden and --against are two things to compare with: give one");
        }
        heads.settleForWeights();
        ModelOptions hooked = new ModelOptions();
        hooked.folder = original;
        hooked.on = options.on;
        hooked.batchTokens = options.batchTokens;
        ModelConfig config = hooked.config();
        HeadMask mask = new HeadMask(config.layers(), config.heads(), PositionScope.ALL, false);
        heads.chosen(config).forEach(head -> mask.scale(head.layer(), head.head(), heads.gamma));
        checkShape(options.config(), config);
        reports.begin();
        try {
            golden = Files.createTempFile("belay-against", ".safetensors");
            try {
                try (Session session = Session.open(hooked)) {
                    HookedGolden.write(session, mask, golden);
                }
                return compare("against", original.toString());
            } finally {
                Files.deleteIfExists(golden);
            }
        } catch (IOException e) {
            throw new BelayException("cannot write a temporary file: " + OutputFile.reason(e), e);
        }
    }

    private void checkShape(ModelConfig baked, ModelConfig config) {
        if (baked.layers() != config.layers()
                || baked.heads() != config.heads()
                || baked.hidden() != config.hidden()
                || baked.vocabulary() != config.vocabulary()) {
            throw new BelayException(options.folder + " is not baked from " + original
                    + ": they differ in layers, heads, width or vocabulary");
        }
    }

    /** Compares with the golden file; the result names it as {@code kind}. */
    private int compare(String kind, String name) {
        try (Session session = Session.open(options);
                SafetensorsFile file = SafetensorsFile.open(golden)) {
            reports.phase("compare");
            boolean exact = options.dtype() == DType.F32;
            boolean relative = tolerance == null && !exact;
            double largest = tolerance != null ? tolerance : F32_TOLERANCE;
            GoldenComparison.Limit limit = relative
                    ? GoldenComparison.Limit.ofRelative(BF16_RELATIVE, BF16_ROUNDING)
                    : GoldenComparison.Limit.ofLargest(
                            largest, tolerance == null ? F32_UNIT : Double.POSITIVE_INFINITY);
            GoldenComparison comparison = new GoldenComparison(session.forward(), file, golden, limit, exact, false);
            List<GoldenComparison.Row> rows = comparison.run().rows();
            boolean together = original == null;
            if (relative && (together || !rows.stream().allMatch(GoldenComparison.Row::passed))) {
                rows = besideRoundedWeights(rows, file, session.batchTokens(), limit, together);
            }
            String words = relative ? words(rows, session.config().experts() != null) : words(largest);
            ObjectNode result = Output.object();
            result.put(kind, name)
                    .put("dtype", options.dtype().label())
                    .put("tolerance", relative ? null : largest)
                    .put("tolerance_relative", relative ? BF16_RELATIVE : null)
                    .put("tolerance_of_rounding", Double.isNaN(rows.getLast().ofRounding()) ? null : BF16_ROUNDING);
            ArrayNode items = result.putArray("rows");
            out.say("%s", session.device().description());
            out.say("  %-14s %13s %13s   where", "what", "largest error", "r.m.s. error");
            boolean passed = true;
            for (GoldenComparison.Row row : rows) {
                out.say(
                        "  %-14s %13s %13s   %s%s",
                        row.name(), row.errorText(), row.relativeText(), row.where(), besides(row));
                ObjectNode item = items.addObject().put("what", row.name());
                Output.put(item, "error", row.error());
                Output.put(item, "rms_relative", row.relative());
                Output.put(item, "rms_relative_of_rounding", row.ofRounding());
                item.put("where", row.where()).put("passed", row.passed());
                passed &= row.passed();
            }
            result.put("passed", passed);
            out.say(passed ? "passed (tolerance %s)" : "FAILED (tolerance %s)", words);
            Output.write(output, result);
            VerifyPage page = new VerifyPage(
                    original == null
                            ? "what " + golden.getFileName() + " holds"
                            : "what " + original.getFileName() + " does with its heads scaled",
                    words,
                    rows,
                    comparison.details());
            reports.write(passed ? "Verified" : "Not verified", session, output, page::fill);
            reports.tell(out, output);
            out.result(result);
            return passed ? 0 : 1;
        }
    }

    private String words(double largest) {
        return largest + (tolerance == null ? ", of numbers beyond 10 in proportion" : "");
    }

    private static String words(List<GoldenComparison.Row> rows, boolean mixture) {
        String rounding = "1.5 times what rounding the weights alone causes";
        String each = "3 % of " + (mixture ? "the median token's" : "each tensor's");
        GoldenComparison.Row last = rows.getLast();
        if (last.name().equals(GoldenComparison.Row.ALL)) {
            return "root mean square: of all tensors together " + rounding + "; " + each + ", or 1.5 times its own";
        }
        return "root mean square " + each + (Double.isNaN(last.ofRounding()) ? "" : ", or " + rounding);
    }

    private static String besides(GoldenComparison.Row row) {
        String rounding = Double.isNaN(row.ofRounding())
                ? ""
                : String.format(Locale.ROOT, "  (rounding the weights alone: %.2g %%)", 100 * row.ofRounding());
        return rounding + (row.passed() ? "" : "  <-- beyond tolerance");
    }

    /**
     * Computes the same on the CPU in float32, with the weights and with rounded ones, and judges the rows beside the difference. Where
     * the CPU cannot do that, or has no room, the rows stay as they are.
     *
     * @param together whether all of them, too
     */
    private List<GoldenComparison.Row> besideRoundedWeights(
            List<GoldenComparison.Row> rows,
            SafetensorsFile file,
            int batchTokens,
            GoldenComparison.Limit limit,
            boolean together) {
        try (CpuDevice cpu = CpuDevice.open(DType.F32)) {
            try (BatchMemory memory = new BatchMemory(options.folder, cpu, BatchMemory.Use.PASS)) {
                if (memory.bytes(batchTokens) > cpu.freeBytes() / 5 * 4) {
                    throw new DeviceMemoryException("there is no room for " + options.folder + " in float32");
                }
            }
            GoldenComparison exact;
            try (Model model = Model.load(options.folder, cpu, layers -> {})) {
                exact = compare(model, file, batchTokens, limit, true);
            }
            GoldenComparison rounding;
            try (Model model = Model.rounded(options.folder, cpu)) {
                rounding = compare(model, exact.computed(), batchTokens, limit, false);
            }
            Map<String, GoldenComparison.Row> caused =
                    rounding.rows().stream().collect(Collectors.toMap(GoldenComparison.Row::name, row -> row));
            List<GoldenComparison.Row> judged = new ArrayList<>();
            rows.forEach(row -> judged.add(row.beside(caused.get(row.name()), limit)));
            if (together) {
                judged.add(GoldenComparison.Row.all(rows, exact.rows(), rounding.rows(), limit));
            }
            return judged;
        } catch (DeviceException | OutOfMemoryError e) {
            Messages.current()
                    .warning(
                            e.getMessage()
                                    + ": what rounding the weights causes is not measured, and only the limit of each tensor counts");
            return rows;
        }
    }

    private GoldenComparison compare(
            Model model, TensorSource with, int batchTokens, GoldenComparison.Limit limit, boolean keeps) {
        try (ForwardPass forward = new ForwardPass(model, batchTokens, 1)) {
            return new GoldenComparison(forward, with, golden, limit, false, keeps).run();
        }
    }
}
