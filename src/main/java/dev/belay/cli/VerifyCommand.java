package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.device.DType;
import dev.belay.weights.SafetensorsFile;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
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
            "  p.greedy      greedy continuation, [tokens]; compared with --dtype f32 only"
        })
final class VerifyCommand implements Callable<Integer> {
    /** Accepted by default in float32, absolute, for hidden states of the order of 1 to 10. */
    private static final double F32_TOLERANCE = 2e-4;

    /**
     * Accepted by default in bfloat16, as a share of the tensor's largest element: about 13 times the rounding of one bfloat16 number
     * (2⁻⁸), as errors grow over the layers.
     */
    private static final double BF16_SHARE = 0.05;

    @Mixin
    private ModelOptions options;

    @Option(names = "--golden", paramLabel = "G.safetensors", required = true, description = "golden activations")
    private Path golden;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            description = "largest accepted difference (default f32: 2e-4; bf16: 5%% of the tensor's largest element)")
    private Double tolerance;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (options.dtype == null) {
            options.dtype = DType.F32;
        }
        if (tolerance != null && !(tolerance >= 0)) {
            throw new UsageException("--tolerance is " + tolerance + ": use a number from 0");
        }
        try (Session session = Session.open(options);
                SafetensorsFile file = SafetensorsFile.open(golden)) {
            boolean exact = options.dtype == DType.F32;
            double absolute = tolerance != null ? tolerance : exact ? F32_TOLERANCE : 0;
            double share = tolerance != null || exact ? 0 : BF16_SHARE;
            String limit = share > 0 ? "5 % of each tensor's largest element" : Double.toString(absolute);
            List<GoldenComparison.Row> rows = new GoldenComparison(session, file, golden, absolute, share, exact).run();
            ObjectNode result = Output.object();
            result.put("golden", golden.toString())
                    .put("dtype", options.dtype.label())
                    .put("tolerance", absolute)
                    .put("tolerance_share", share);
            ArrayNode items = result.putArray("rows");
            out.say("%s", session.device().description());
            out.say("  %-14s %12s   where", "what", "largest error");
            boolean passed = true;
            for (GoldenComparison.Row row : rows) {
                out.say(
                        "  %-14s %12s   %s%s",
                        row.name(), row.errorText(), row.where(), row.passed() ? "" : "  <-- beyond tolerance");
                ObjectNode item = items.addObject().put("what", row.name());
                Output.put(item, "error", row.error());
                item.put("where", row.where()).put("passed", row.passed());
                passed &= row.passed();
            }
            result.put("passed", passed);
            out.say(passed ? "passed (tolerance %s)" : "FAILED (tolerance %s)", limit);
            out.result(result);
            return passed ? 0 : 1;
        }
    }
}
