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
            "The golden file holds, for prompts i = 0, 1, …: i.input_ids and any of i.hidden.k [tokens, hidden],",
            "i.head_out.l [tokens, heads, head size], i.logits [tokens, vocabulary],",
            "i.ablate [layers, heads, hidden] (last state with that head ablated) and i.greedy [tokens]."
        })
final class VerifyCommand implements Callable<Integer> {
    /** Accepted by default in float32, for hidden states of the order of 1 to 10. */
    private static final double F32_TOLERANCE = 2e-4;

    @Mixin
    private ModelOptions options;

    @Option(names = "--golden", paramLabel = "G.safetensors", required = true, description = "golden activations")
    private Path golden;

    @Option(
            names = "--tolerance",
            paramLabel = "X",
            description = "largest accepted difference (default 2e-4 for f32; needed for bf16)")
    private Double tolerance;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        double limit = limit();
        try (Session session = Session.open(options);
                SafetensorsFile file = SafetensorsFile.open(golden)) {
            boolean greedy = options.dtype == DType.F32;
            List<GoldenComparison.Row> rows = new GoldenComparison(session, file, golden, limit, greedy).run();
            ObjectNode result = Output.object();
            result.put("golden", golden.toString())
                    .put("dtype", options.dtype.label())
                    .put("tolerance", limit);
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

    private double limit() {
        if (tolerance == null && options.dtype == DType.BF16) {
            throw new UsageException("bf16 has no tolerance that suits every model: give --tolerance,"
                    + " or use --dtype f32 (default tolerance " + F32_TOLERANCE + ")");
        }
        double limit = tolerance == null ? F32_TOLERANCE : tolerance;
        if (!(limit >= 0)) {
            throw new UsageException("--tolerance is " + limit + ": use a number from 0");
        }
        return limit;
    }
}
