package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.OutputFile;
import dev.belay.model.ModelConfig;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeImport;
import dev.belay.report.DataTable;
import dev.belay.report.RunReport;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay probe import}. */
@Command(
        name = "import",
        mixinStandardHelpOptions = true,
        description = "Makes a refusal probe of a weight and a bias that another program fitted.",
        footer = {"", "Example: belay probe import weight.npy --bias -0.5 --layer 20 -o probe.safetensors"})
final class ProbeImportCommand implements Callable<Integer> {
    @Parameters(
            index = "0",
            paramLabel = "FILE",
            description = "safetensors with a weight [hidden] and a bias, or a .npy file with the weight")
    private Path file;

    @Option(
            names = "--layer",
            paramLabel = "I",
            required = true,
            description = "which H[i] it reads: 0 = embeddings, i = output of layer i, last = after the final norm")
    private String layer;

    @Option(
            names = "--weight",
            paramLabel = "NAME",
            description = "the weight's tensor (default: the only one named so)")
    private String weight;

    @Option(
            names = "--bias",
            paramLabel = "NAME",
            description =
                    "the bias's tensor, its .npy file or the number itself (default: the tensor named like the weight's, "
                            + "or 0 where the weight is alone)")
    private String bias;

    @Option(
            names = "--model",
            paramLabel = "MODEL",
            converter = Converters.ModelFolder.class,
            description = "check that it fits this model")
    private Path model;

    @Option(names = "-o", paramLabel = "P.safetensors", required = true, description = "output file")
    private Path output;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        int state = state();
        OutputFile.check(output);
        reports.begin();
        reports.phase("import");
        LinearProbe probe = ProbeImport.read(file, weight, bias, state);
        if (model != null) {
            ModelConfig config = ModelConfig.read(model);
            probe.checkWidth(config.hidden(), file);
            probe.layerIn(config.layers(), file);
        }
        probe.save(output);
        String sentence = String.format(
                Locale.ROOT,
                "probe of width %d at H[%s], |w| = %.4g, b = %.4g",
                probe.width(),
                layer,
                probe.norm(),
                probe.bias());
        reports.write("Imported probe", null, output, page -> fill(page, probe, sentence));
        out.say("%s", sentence);
        reports.tell(out, output);
        ObjectNode json = Output.object();
        json.put("width", probe.width())
                .put("layer", layer)
                .put("norm", probe.norm())
                .put("bias", probe.bias());
        out.result(json.put("output", output.toString()));
        return 0;
    }

    private void fill(RunReport.Builder page, LinearProbe probe, String sentence) {
        page.subtitle("What is the probe in " + file.getFileName() + "?").story("A " + sentence + ".");
        DataTable table = new DataTable("The weight", "Its numbers, which are multiplied with those of the state.")
                .number("number", 0)
                .number("weight", 6);
        float[] weight = probe.weight();
        for (int i = 0; i < weight.length; i++) {
            table.row(i, weight[i]);
        }
        page.table(table);
    }

    private int state() {
        if (layer.equals("last")) {
            return LinearProbe.LAST;
        }
        if (!layer.matches("[0-9]{1,6}")) {
            throw new UsageException("--layer is '" + layer + "': use the number i of H[i], or last");
        }
        return Integer.parseInt(layer);
    }
}
