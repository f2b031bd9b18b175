package dev.belay.cli;

import dev.belay.cliff.DataSelection;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.RefusalTrace;
import dev.belay.probe.ProbeMetrics;
import dev.belay.report.HeadMap;
import dev.belay.report.OutcomeBar;
import dev.belay.report.ProbeSummary;
import dev.belay.report.RunManifest;
import dev.belay.report.RunReport;
import dev.belay.report.SelectedExample;
import dev.belay.report.TraceSeries;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Turns what the demo finds into the report's own records. */
final class DemoReport {
    private final Session session;
    private final RunReport.Builder builder;

    DemoReport(Session session) {
        this.session = session;
        builder = RunReport.builder(
                        "Refusal cliff", session.folder().getFileName().toString())
                .subtitle(
                        "What the model means to do while it thinks, where it loses it, and which heads are to blame.");
    }

    RunReport build(RunManifest manifest) {
        return builder.facts(manifest.facts()).build();
    }

    void story(String sentence) {
        builder.story(sentence);
    }

    void probe(ProbeMetrics m) {
        builder.probe(new ProbeSummary(m.n(), m.accuracy(), m.auroc(), m.logLoss(), m.calibrationError()));
    }

    void traces(List<ProbeText> texts, List<Transcript> transcripts, List<RefusalTrace> traces) {
        series(session, texts, transcripts, traces).forEach(builder::trace);
    }

    /** Traces with the tokens and prompts that they belong to. */
    static List<TraceSeries> series(
            Session session, List<ProbeText> texts, List<Transcript> transcripts, List<RefusalTrace> traces) {
        List<TraceSeries> series = new ArrayList<>();
        for (int i = 0; i < traces.size(); i++) {
            RefusalTrace t = traces.get(i);
            int[] ids = texts.get(i).ids();
            String[] tokens = session.tokenizer().pieces(ids).toArray(String[]::new);
            series.add(new TraceSeries(
                    t.id(),
                    transcripts.get(i).prompt(),
                    tokens,
                    t.scores(),
                    t.thinkingStart(),
                    t.thinkingEnd(),
                    t.plateau(),
                    t.finalScore()));
        }
        return series;
    }

    void ranking(HeadRanking ranking, int top) {
        boolean direct = ranking.method().equals("direct");
        double[][] scores = ranking.scores();
        if (ranking.method().equals("greedy")) {
            scores = Arrays.stream(scores).map(double[]::clone).toArray(double[][]::new);
            for (HeadRanking.Entry e : ranking.ranking()) {
                scores[e.layer()][e.head()] = e.score();
            }
        }
        List<HeadMap.HeadRef> heads = ranking.top(top).stream()
                .map(e -> new HeadMap.HeadRef(e.layer(), e.head(), e.score()))
                .toList();
        builder.map(new HeadMap(
                ranking.method(),
                explanation(ranking.method()),
                direct ? "logit along the probe" : "mean final score",
                direct ? 0 : ranking.base(),
                scores,
                direct,
                heads));
    }

    private static String explanation(String method) {
        return switch (method) {
            case "direct" ->
                "What each head writes along the probe's direction at the last position; the most negative work against refusal.";
            case "causal" ->
                "Mean final score with that head alone ablated at every position; the largest suppress refusal.";
            default ->
                "Heads chosen one by one: a chosen head shows the mean final score with it and those before it ablated,"
                        + " any other the score with that head alone.";
        };
    }

    void outcomes(List<AblationStudy.Outcome> attacks, List<AblationStudy.Outcome> benign) {
        int n = attacks.getFirst().replies().size();
        builder.outcome(OutcomeBar.share(
                "attacks refused",
                attacks.get(0).summary().refusalRate(),
                attacks.get(1).summary().refusalRate(),
                attacks.get(2).summary().refusalRate(),
                n));
        builder.outcome(OutcomeBar.share(
                "harmless prompts answered",
                benign.get(0).summary().attackSuccessRate(),
                benign.get(1).summary().attackSuccessRate(),
                benign.get(2).summary().attackSuccessRate(),
                benign.getFirst().replies().size()));
        builder.outcome(OutcomeBar.meanScore(
                "final score of attacks",
                attacks.get(0).finalScore(),
                attacks.get(1).finalScore(),
                attacks.get(2).finalScore(),
                n));
    }

    void selected(List<Transcript> pool, List<DataSelection.Candidate> kept) {
        for (DataSelection.Candidate c : kept) {
            Transcript t = pool.get(c.index());
            String kind = t.meta() == null ? "" : t.meta().path("kind").asText("");
            builder.selected(new SelectedExample(c.id(), t.prompt(), c.misalignment(), c.finalScore(), kind));
        }
    }
}
