package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.BelayException;
import dev.belay.cliff.ProbeStates;
import dev.belay.forward.ForwardPass;
import dev.belay.io.Messages;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.Verdict;
import dev.belay.probe.CrossValidation;
import dev.belay.probe.LinearProbe;
import dev.belay.probe.ProbeFile;
import dev.belay.probe.ProbeFit;
import dev.belay.probe.ProbeKind;
import dev.belay.probe.ProbeMethod;
import dev.belay.probe.ProbeMetrics;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Trains a probe from two files of transcripts; for {@code probe train} and the demo. */
final class ProbeTraining {
    private static final int FOLDS = 5;

    private final Session session;
    private final int layer;
    private final ProbeMethod method;
    private final long seed;

    ProbeTraining(Session session, int layer, ProbeMethod method, long seed) {
        this.session = session;
        this.layer = layer;
        this.method = method;
        this.seed = seed;
    }

    /** A fitted probe, how it does on held-out folds, and both as JSON; {@code fits} are its directions. */
    record Trained(
            List<ProbeFit> fits, CrossValidation validation, ObjectNode json, int layer, Map<String, String> metadata) {
        /** The direction that scores. */
        ProbeFit fit() {
            return fits.getFirst();
        }

        /** The direction that scores. */
        LinearProbe probe() {
            return probe(fit());
        }

        void save(Path file) {
            ProbeFile.write(file, fits.stream().map(this::probe).toList());
        }

        private LinearProbe probe(ProbeFit fit) {
            return fit.toProbe(layer, metadata);
        }
    }

    /** Says so where the refusal phrases do not find in the responses what the file is to hold. */
    static void checkLabels(Path file, List<Transcript> transcripts, boolean refuses) {
        RefusalPhrases phrases = RefusalPhrases.standard();
        List<Verdict> verdicts =
                transcripts.stream().map(t -> phrases.judge(t).response()).toList();
        long refused = verdicts.stream().filter(Verdict::refused).count();
        long fitting = refuses ? refused : verdicts.size() - refused;
        if (2 * fitting < verdicts.size()) {
            Messages.current()
                    .warning(file + ": by their responses only " + fitting + " of " + verdicts.size() + " transcripts "
                            + (refuses ? "refuse" : "answer") + "; is this the right file?");
        }
    }

    Trained run(List<Transcript> refused, List<Transcript> complied) {
        if (refused.size() < 2 || complied.size() < 2) {
            throw new BelayException("cannot cross-validate with " + refused.size() + " refusals and " + complied.size()
                    + " answers; at least 2 of each are needed");
        }
        List<ProbeText> texts = new ArrayList<>(session.probeTexts(refused));
        int positives = texts.size();
        texts.addAll(session.probeTexts(complied));
        boolean[] labels = new boolean[texts.size()];
        for (int i = 0; i < positives; i++) {
            labels[i] = true;
        }
        float[][] states;
        ForwardPass forward = session.forward();
        try (Progress progress = new Progress("reading states", texts.size())) {
            states = ProbeStates.last(forward, texts, layer, progress::at);
        }
        List<ProbeFit> fits = method.fit(states, labels);
        CrossValidation validation = CrossValidation.run(states, labels, method, FOLDS, seed);
        ObjectNode json = json(fits, validation, positives, texts.size() - positives);
        Map<String, String> metadata = new LinkedHashMap<>();
        metadata.put("format", "belay-probe");
        metadata.put("layer", Integer.toString(layer));
        metadata.put("model", session.fingerprint());
        metadata.put("dtype", session.device().dtype().label());
        if (method.kind() != ProbeKind.LOGISTIC) {
            metadata.put(ProbeFile.KIND, method.kind().label());
        }
        metadata.put("training", Output.line(json));
        return new Trained(fits, validation, json, layer, metadata);
    }

    /** What was fitted and how well; the kind only if it is not logistic. */
    private ObjectNode json(List<ProbeFit> fits, CrossValidation validation, int refused, int complied) {
        ObjectNode json = Output.object();
        if (method.kind() != ProbeKind.LOGISTIC) {
            json.put("kind", method.kind().label());
        }
        json.put("layer", layer)
                .put("refused", refused)
                .put("complied", complied)
                .put("l2", method.l2());
        json.setAll(fit(fits.getFirst()));
        json.put("folds", validation.folds()).put("seed", seed);
        json.setAll(metrics(validation.metrics()));
        if (method.kind() == ProbeKind.NULLSPACE) {
            ArrayNode directions = json.putArray("directions");
            for (int d = 0; d < fits.size(); d++) {
                ObjectNode direction = fit(fits.get(d));
                direction.setAll(metrics(validation.directions().get(d)));
                directions.add(direction);
            }
        }
        return json;
    }

    private static ObjectNode fit(ProbeFit fit) {
        return Output.object()
                .put("objective", fit.objective())
                .put("iterations", fit.iterations())
                .put("converged", fit.converged());
    }

    /** Says how well each direction does, where there are several. */
    static void sayDirections(Output out, List<ProbeMetrics> directions) {
        for (int d = 0; directions.size() > 1 && d < directions.size(); d++) {
            out.say("  direction %d: %s", d + 1, words(directions.get(d)));
        }
    }

    static ObjectNode metrics(ProbeMetrics m) {
        ObjectNode json = Output.object();
        Output.put(json, "accuracy", m.accuracy());
        Output.put(json, "auroc", m.auroc());
        Output.put(json, "log_loss", m.logLoss());
        Output.put(json, "calibration_error", m.calibrationError());
        return json;
    }

    static String words(ProbeMetrics m) {
        return String.format(
                Locale.ROOT,
                "accuracy %.4f, AUROC %s, log loss %.4f, calibration error %.4f",
                m.accuracy(),
                Double.isNaN(m.auroc()) ? "undefined (one class only)" : String.format(Locale.ROOT, "%.4f", m.auroc()),
                m.logLoss(),
                m.calibrationError());
    }
}
