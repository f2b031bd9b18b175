package dev.belay.cli;

import dev.belay.cliff.CliffScore;
import dev.belay.cliff.DataSelection;
import dev.belay.cliff.HeadRanking;
import dev.belay.cliff.RefusalTrace;
import dev.belay.probe.ProbeMetrics;
import dev.belay.report.ProbeSummary;
import dev.belay.report.RunManifest;
import dev.belay.report.RunReport;
import dev.belay.text.Transcript;
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
        return builder.manifest(manifest.finish()).build();
    }

    void story(String sentence) {
        builder.story(sentence);
    }

    void probe(ProbeMetrics m) {
        builder.probe(new ProbeSummary(m.n(), m.accuracy(), m.auroc(), m.logLoss(), m.calibrationError()));
    }

    void traces(List<Transcript> transcripts, List<RefusalTrace> traces, List<CliffScore> scores) {
        PlottedTraces plotted = new PlottedTraces(session.tokenizer()::pieces);
        for (int i = 0; i < traces.size(); i++) {
            plotted.add(transcripts.get(i), traces.get(i));
        }
        PlottedTraces.fill(builder, plotted.series(), scores);
    }

    void ranking(HeadRanking ranking, int top) {
        builder.map(PageParts.map(ranking, top));
    }

    void outcomes(List<AblationStudy.Outcome> attacks, List<AblationStudy.Outcome> benign) {
        PageParts.outcomes(builder, attacks, benign);
    }

    void selected(List<Transcript> pool, List<DataSelection.Candidate> kept) {
        PageParts.selected(pool, kept).forEach(builder::selected);
    }
}
