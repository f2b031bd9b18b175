package dev.belay.cli;

import dev.belay.bench.MachinePeaks;
import dev.belay.bench.ModelBench;
import dev.belay.bench.ModelShape;
import dev.belay.bench.OperationBench;
import dev.belay.bench.TemporaryModel;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.hooks.PositionScope;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.io.Resources;
import dev.belay.model.Model;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay bench}: how fast this machine is, next to what it could be. */
@Command(
        name = "bench",
        mixinStandardHelpOptions = true,
        description = {
            "Measures how fast a device is: its peaks, and models or single operations.",
            "First the peaks (products, reading and copying memory), then",
            "  ops      single operations of a forward pass, in the sizes of the model",
            "  prefill  passes over 4 prompts of 96, 128, 160 and 128 tokens",
            "  decode   continuing 1 and 8 texts of 128 tokens by 64",
            "  sweep    causal sweeps over the 4 prompts, at all positions and at the last 5",
            "each with its share of the peak that bounds it. Weights are random unless MODEL is given."
        },
        footer = {"", "Example: belay bench models/tiny-cliff --only prefill,decode --seconds 2"})
final class BenchCommand implements Callable<Integer> {
    enum Part {
        ops,
        prefill,
        decode,
        sweep
    }

    private static final int BATCH_TOKENS = 2048;

    @Parameters(
            arity = "0..1",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description = "model folder: config.json, safetensors")
    private Path folder;

    @Option(
            names = "--shape",
            paramLabel = "NAME",
            converter = Converters.Shape.class,
            completionCandidates = Choices.Shapes.class,
            description = "a model of this shape with random weights: smollm2-135m (default), qwen3-0.6b or llama3-8b")
    private ModelShape shape;

    @Mixin
    private DeviceOptions on;

    @Option(
            names = "--only",
            paramLabel = "PARTS",
            split = ",",
            description = "only these parts, with commas between them: ops,prefill,decode,sweep")
    private List<Part> only;

    @Option(
            names = "--seconds",
            paramLabel = "S",
            defaultValue = "10",
            converter = Converters.Finite.class,
            description = "about how long each part may take (default ${DEFAULT-VALUE}); a slow machine takes longer")
    private float seconds;

    @Option(names = "-o", paramLabel = "B.json", description = "write the JSON object to this file too")
    private Path output;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (folder != null && shape != null) {
            throw new UsageException("give MODEL or --shape, not both");
        }
        if (seconds <= 0) {
            throw new UsageException("--seconds " + seconds + " must be more than 0");
        }
        if (output != null) {
            OutputFile.check(output);
        }
        reports.begin();
        try (Resources opened = new Resources()) {
            Device device = opened.own(on.open(on.dtype(DType.BF16)));
            Model model = opened.own(model(opened, device));
            BenchReport report = new BenchReport(out, model, shape, seconds);
            reports.ranOn(device);
            measure(model, report);
            Output.write(output, report.json());
            if (output != null) {
                reports.measured(output);
            }
            String name = shape == null ? folder.getFileName().toString() : shape.name();
            reports.write("Speed", name, null, null, new BenchPage(report.json())::fill);
            reports.tell(out, output);
            out.result(report.json());
        }
        return 0;
    }

    private Model model(Resources opened, Device device) {
        if (folder == null) {
            shape = shape == null ? ModelShape.NAMED.getFirst() : shape;
            long parameters = shape.parameters();
            try (Progress progress = new Progress("making weights", Short.BYTES * parameters)) {
                folder = opened.own(new TemporaryModel(shape, progress::at)).folder();
            }
        }
        try (Progress progress = new Progress("loading the model", ModelBench.PROMPTS.size())) {
            return Model.load(folder, device, progress::at);
        }
    }

    private void measure(Model model, BenchReport report) {
        Set<Part> parts = only == null ? EnumSet.allOf(Part.class) : EnumSet.copyOf(only);
        MachinePeaks peaks;
        reports.phase("peaks");
        try (Progress progress = new Progress("measuring peaks", 2)) {
            progress.at(1);
            peaks = MachinePeaks.measure(model.device());
        }
        report.peaks(peaks);
        if (parts.contains(Part.ops)) {
            reports.phase("operations");
            operations(model, peaks, report);
        }
        if (parts.size() == 1 && parts.contains(Part.ops)) {
            return;
        }
        try (ModelBench bench = new ModelBench(model, peaks, BATCH_TOKENS)) {
            if (parts.contains(Part.prefill)) {
                reports.phase("prefill");
                report.prefill(bench.prefill(seconds));
            }
            if (parts.contains(Part.decode)) {
                reports.phase("decode");
                report.decode(bench.decode(1, seconds / 2));
                report.decode(bench.decode(8, seconds / 2));
            }
            if (parts.contains(Part.sweep)) {
                reports.phase("sweep");
                report.sweep(bench.sweep(PositionScope.ALL, seconds / 2));
                report.sweep(bench.sweep(ModelBench.CLOSING, seconds / 2));
            }
        }
    }

    private void operations(Model model, MachinePeaks peaks, BenchReport report) {
        List<OperationBench.Case> cases = OperationBench.cases(model.config(), BATCH_TOKENS);
        try (OperationBench bench = new OperationBench(model, BATCH_TOKENS);
                Progress progress = new Progress("measuring operations", cases.size())) {
            int done = 0;
            for (OperationBench.Case of : cases) {
                double least = bench.leastSeconds(of, peaks);
                if (least > seconds) {
                    Messages.current()
                            .warning(String.format("left out, with --seconds %s: operations on %s", seconds, of));
                } else {
                    report.operations(bench.run(of, seconds / cases.size()));
                }
                progress.at(++done);
            }
        }
    }
}
