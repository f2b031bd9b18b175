package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.device.DType;
import dev.belay.io.OutputFile;
import dev.belay.report.HtmlReport;
import dev.belay.run.OutputLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code belay demo}: the whole method on the model that comes with Belay. */
@Command(
        name = "demo",
        mixinStandardHelpOptions = true,
        description = {
            "Runs the whole method on the embedded model tiny-cliff.",
            "It trains the probe, traces attacks, ranks heads three ways, ablates three of them against a random control, "
                    + "judges, and selects training examples."
        },
        footer = {"", "Example: belay demo"})
final class DemoCommand implements Callable<Integer> {
    @Spec
    private CommandSpec spec;

    @Mixin
    private DeviceOptions on;

    @Option(
            names = "--batch-tokens",
            paramLabel = "N",
            defaultValue = "4096",
            converter = Converters.Positive.class,
            description = "most tokens in one batch (default ${DEFAULT-VALUE})")
    private int batchTokens;

    @Option(
            names = "--profile",
            paramLabel = "F.json",
            description = "write time, FLOPs and bytes of every operation as a Perfetto trace")
    private Path profile;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            defaultValue = "runs/demo",
            description = "run folder (default ${DEFAULT-VALUE})")
    private Path folder;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        ModelOptions options = new ModelOptions();
        options.folder = embeddedModel();
        options.on.name = on.name;
        options.on.dtype = on.dtype(DType.F32);
        options.batchTokens = batchTokens;
        options.profile = profile;
        Path report = folder.resolve("report.html");
        OutputFile.check(report);
        try (var _ = OutputLock.of(report);
                Session session = Session.openForText(options)) {
            DemoRun run = new DemoRun(session, options.folder.resolve("data"), folder, out, CommandManifest.of(spec));
            ObjectNode result = run.run();
            OutputFile.writeText(report, HtmlReport.render(run.report()));
            run.manifest().page(report).write(folder.resolve("manifest.json"));
            out.say("");
            out.say("Report: %s (open it in a browser); everything else is in %s", report, folder);
            out.result(result.put("report", report.toString()));
        }
        return 0;
    }

    /** The folder models/tiny-cliff of the installation that the launcher names, or of the current folder. */
    private static Path embeddedModel() {
        Path model = Path.of(System.getProperty("belay.home", ".")).resolve("models/tiny-cliff");
        if (!Files.isDirectory(model)) {
            throw new BelayException(
                    model + ": the embedded model is not there; start Belay with its launcher ./belay");
        }
        return model;
    }
}
