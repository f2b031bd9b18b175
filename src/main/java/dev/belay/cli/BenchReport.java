package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.bench.MachinePeaks;
import dev.belay.bench.ModelBench;
import dev.belay.bench.ModelShape;
import dev.belay.bench.OperationBench;
import dev.belay.device.Device;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.report.Machine;
import java.util.List;

/** The results of {@code belay bench}: printed one by one as they come, and gathered in one JSON object. */
final class BenchReport {
    private final Output out;
    private final ModelConfig config;
    private final ObjectNode json = Output.object();
    private MachinePeaks peaks;

    /**
     * Prints what is measured.
     *
     * @param shape the shape of a model with random weights, or null
     * @param seconds that a part may take
     */
    BenchReport(Output out, Model model, ModelShape shape, float seconds) {
        this.out = out;
        config = model.config();
        Device device = model.device();
        String name = shape == null ? model.folder().toString() : shape.name() + " with random weights";
        out.say("%s, %s, on %s", name, device.dtype().label(), device.description());
        Machine machine = Machine.current();
        json.put("belay", machine.version()).put("java", machine.java()).put("os", machine.os());
        json.put("processor", machine.cpu()).put("processors", machine.processors());
        json.put("device", device.description()).put("dtype", device.dtype().label());
        json.put("model", shape == null ? model.folder().toString() : shape.name());
        json.put("random_weights", shape != null).put("parameters", config.parameters());
        json.put("seconds_for_a_part", seconds);
    }

    /** All numbers so far. */
    ObjectNode json() {
        return json;
    }

    void peaks(MachinePeaks measured) {
        peaks = measured;
        MachinePeaks.Product best = peaks.bestProduct();
        out.say(
                "peaks: %.1f GFLOP/s (product of two matrices of %d x %d), read %.1f GB/s, copy %.1f GB/s",
                best.flopsPerSecond() / 1e9,
                best.size(),
                best.size(),
                peaks.readBytesPerSecond() / 1e9,
                peaks.copyBytesPerSecond() / 1e9);
        ObjectNode node = json.putObject("peaks");
        node.put("gflop_s", best.flopsPerSecond() / 1e9);
        node.put("read_gb_s", peaks.readBytesPerSecond() / 1e9).put("copy_gb_s", peaks.copyBytesPerSecond() / 1e9);
        ArrayNode products = node.putArray("products");
        for (MachinePeaks.Product product : peaks.products()) {
            products.addObject().put("size", product.size()).put("gflop_s", product.flopsPerSecond() / 1e9);
        }
    }

    /** The operations of one pass. */
    void operations(List<OperationBench.Timing> timings) {
        out.say("");
        out.say("%-28s %10s %9s %8s  share of peak", timings.getFirst().of(), "ms", "GFLOP/s", "GB/s");
        for (OperationBench.Timing timing : timings) {
            OperationBench.Operation operation = timing.operation();
            double ms = timing.milliseconds();
            double flops = operation.cost().flops();
            double bytes = operation.cost().bytes();
            double share = peaks.roof().milliseconds(operation.cost()) / ms;
            String bound = peaks.boundByProducts(operation.cost()) ? "products" : "memory";
            out.say(
                    "  %-26s %10.4f %9.1f %8.2f  %3.0f %% of %s",
                    operation.name(), ms, flops / ms / 1e6, bytes / ms / 1e6, 100 * share, bound);
            ObjectNode node = json.withArray("ops").addObject();
            node.put("operation", operation.name()).put("case", timing.of().toString());
            node.put("texts", timing.of().lengths().size())
                    .put("context", timing.of().context());
            node.put("tokens", operation.tokens()).put("ms", ms).put("samples", timing.samples());
            node.put("flops", Math.round(flops)).put("bytes", Math.round(bytes));
            Output.put(node, "gflop_s", flops / ms / 1e6);
            Output.put(node, "gb_s", bytes / ms / 1e6);
            node.put("bound", bound);
            Output.put(node, "peak_share", share);
        }
    }

    void prefill(ModelBench.Prefill result) {
        double rate = result.flops() / result.seconds();
        double share = share(rate);
        out.say("");
        out.say(
                "prefill of %d texts, %d tokens: %.4f s, %.1f tokens/s, %.1f GFLOP/s, %.0f %% of the product peak",
                ModelBench.PROMPTS.size(),
                result.tokens(),
                result.seconds(),
                result.tokens() / result.seconds(),
                rate / 1e9,
                100 * share);
        ObjectNode node = json.putObject("prefill");
        ArrayNode lengths = node.putArray("texts");
        ModelBench.PROMPTS.forEach(lengths::add);
        node.put("tokens", result.tokens()).put("seconds", result.seconds()).put("runs", result.runs());
        node.put("tokens_s", result.tokens() / result.seconds());
        node.put("flops", Math.round(result.flops())).put("gflop_s", rate / 1e9);
        Output.put(node, "peak_share", share);
    }

    void decode(ModelBench.Decode result) {
        double step = result.stepSeconds();
        double share = result.floorSeconds() / step;
        out.say(
                "decode of %d text%s: %.3f ms a step, %.1f tokens/s; reading the weights takes %.3f ms, %.0f %% of it",
                result.texts(),
                result.texts() == 1 ? "" : "s",
                1e3 * step,
                result.texts() / step,
                1e3 * result.floorSeconds(),
                100 * share);
        ObjectNode node = json.withArray("decode").addObject();
        node.put("texts", result.texts()).put("prompt_tokens", ModelBench.DECODE_PROMPT);
        node.put("new_tokens", ModelBench.NEW_TOKENS).put("runs", result.runs());
        node.put("step_ms", 1e3 * step);
        Output.put(node, "tokens_s", result.texts() / step);
        node.put("weight_bytes", result.weightBytes()).put("read_gb_s", result.readBytesPerSecond() / 1e9);
        node.put("floor_ms", 1e3 * result.floorSeconds());
        Output.put(node, "floor_share", share);
    }

    void sweep(ModelBench.Sweep result) {
        double rate = result.flops() / result.seconds();
        int layers = config.layers();
        boolean scaled = result.layersMeasured() < layers;
        String how = scaled
                ? String.format(
                        " (measured %.2f s on the heads of %d of %d layers)",
                        result.measuredSeconds(), result.layersMeasured(), layers)
                : "";
        out.say(
                "sweep of %d heads, positions %s: %.2f s%s, %.1f GFLOP/s, %.0f %% of the product peak",
                layers * config.heads(), result.positions(), result.seconds(), how, rate / 1e9, 100 * share(rate));
        ObjectNode node = json.withArray("sweep").addObject();
        node.put("positions", result.positions().toString()).put("heads", layers * config.heads());
        node.put("heads_measured", result.layersMeasured() * config.heads());
        node.put("measured_seconds", result.measuredSeconds()).put("seconds", result.seconds());
        node.put("flops", Math.round(result.flops())).put("gflop_s", rate / 1e9);
        Output.put(node, "peak_share", share(rate));
    }

    private double share(double flopsPerSecond) {
        return flopsPerSecond / peaks.bestProduct().flopsPerSecond();
    }
}
