package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.io.Messages;
import dev.belay.io.OutputFile;
import dev.belay.probe.CrossValidation;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeKind;
import dev.belay.probe.ProbeMethod;
import dev.belay.report.RunReport;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code belay probe train}. */
@Command(
        name = "train",
        mixinStandardHelpOptions = true,
        description = "Fits a refusal probe on H[layer] at the last position.",
        footer = {
            "",
            "Example: belay probe train models/tiny-cliff --refused models/tiny-cliff/data/refused.jsonl \\",
            "           --complied models/tiny-cliff/data/complied.jsonl -o probe.safetensors"
        })
final class ProbeTrainCommand implements Callable<Integer> {
    /** Directions of a nullspace probe, if nothing else is said. */
    private static final int DIRECTIONS = 4;

    @Mixin
    private TextModelOptions options;

    @Option(
            names = "--refused",
            paramLabel = "F.jsonl",
            required = true,
            description = "transcripts that refuse (class 1)")
    private Path refused;

    @Option(
            names = "--complied",
            paramLabel = "F.jsonl",
            required = true,
            description = "transcripts that answer (class 0)")
    private Path complied;

    @Option(
            names = "--kind",
            paramLabel = "KIND",
            defaultValue = "logistic",
            converter = Converters.KindOfProbe.class,
            completionCandidates = Choices.KindsOfProbe.class,
            description =
                    "logistic (default: logistic regression), mean-difference (its direction is the difference of the "
                            + "classes' means) or nullspace (logistic, again and again without the directions found before)")
    private ProbeKind kind;

    @Option(
            names = "--directions",
            paramLabel = "N",
            converter = Converters.Positive.class,
            description = "nullspace: how many (default " + DIRECTIONS + "); the first scores")
    private Integer directions;

    @Option(
            names = "--layer",
            paramLabel = "I",
            defaultValue = "last",
            description = "which H[i]: a number or last (default; after the final norm)")
    private String layer;

    @Option(
            names = "--l2",
            paramLabel = "X",
            defaultValue = "1.0",
            description =
                    "weight of 0.5·|w|² against the sum of log losses (default ${DEFAULT-VALUE}; scikit-learn's 1/C)")
    private double l2;

    @Option(
            names = "--seed",
            paramLabel = "S",
            defaultValue = "0",
            description = "seed of the folds (default ${DEFAULT-VALUE})")
    private long seed;

    @Option(names = "-o", paramLabel = "P.safetensors", required = true, description = "output file")
    private Path output;

    @Mixin
    private ReportOptions reports;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        if (!(l2 > 0) || Double.isInfinite(l2)) {
            throw new UsageException("--l2 is " + l2 + ": use a number above 0");
        }
        if (directions != null && kind != ProbeKind.NULLSPACE) {
            throw new UsageException("--directions is for --kind nullspace; a " + kind.label() + " probe has one");
        }
        int count = kind != ProbeKind.NULLSPACE ? 1 : directions == null ? DIRECTIONS : directions;
        int chosen = layer(options.config().layers());
        List<Transcript> positives = Transcripts.read(refused);
        List<Transcript> negatives = Transcripts.read(complied);
        OutputFile.check(output);
        reports.begin();
        try (Session session = Session.openForText(options)) {
            reports.phase("train");
            ProbeTraining.Trained trained = new ProbeTraining(session, chosen, new ProbeMethod(kind, l2, count), seed)
                    .run(positives, negatives);
            trained.save(output);
            reports.write("Refusal probe", session, output, page -> fill(page, positives, negatives, trained));
            out.say(
                    "trained on %d transcripts at H[%d]: objective %.6f after %d iterations%s",
                    trained.validation().metrics().n(),
                    chosen,
                    trained.fit().objective(),
                    trained.fit().iterations(),
                    trained.fit().converged() ? "" : " (not converged)");
            out.say(
                    "%d-fold cross-validation: %s",
                    trained.validation().folds(),
                    ProbeTraining.words(trained.validation().metrics()));
            ProbeTraining.sayDirections(out, trained.validation().directions());
            trained.validation().note().ifPresent(Messages.current()::warning);
            ProbeTraining.checkLabels(refused, positives, true);
            ProbeTraining.checkLabels(complied, negatives, false);
            reports.tell(out, output);
            ObjectNode result = trained.json();
            result.put("output", output.toString());
            out.result(result);
        }
        return 0;
    }

    private void fill(
            RunReport.Builder page,
            List<Transcript> positives,
            List<Transcript> negatives,
            ProbeTraining.Trained trained) {
        CrossValidation held = trained.validation();
        LinearProbe probe = trained.probe();
        page.subtitle("Does H[" + trained.layer() + "] at the last position tell " + positives.size()
                        + " transcripts that refuse from " + negatives.size() + " that answer?")
                .story(String.format(
                        Locale.ROOT,
                        "In %d-fold cross-validation the %s probe reads %.1f %% of them rightly.",
                        held.folds(),
                        kind.label(),
                        100 * held.metrics().accuracy()))
                .fact("state", "H[" + trained.layer() + "], " + probe.width() + " wide")
                .fact("norm of the weight", String.format(Locale.ROOT, "%.6g", probe.norm()))
                .fact("bias", String.format(Locale.ROOT, "%.6g", probe.bias()));
        List<Transcript> all = new ArrayList<>(positives);
        all.addAll(negatives);
        boolean[] refuse = new boolean[all.size()];
        Arrays.fill(refuse, 0, positives.size(), true);
        new ProbePage(all, refuse, held.probabilities(), held.directions(), trained.fits(), held.foldOf()).fill(page);
    }

    private int layer(int layers) {
        if (layer.equals("last")) {
            return layers;
        }
        if (!layer.matches("[0-9]{1,6}") || Integer.parseInt(layer) > layers) {
            throw new UsageException("--layer '" + layer + "' is not last or a number from 0 to " + layers);
        }
        return Integer.parseInt(layer);
    }
}
