package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.judge.JudgeSummary;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.Verdict;
import dev.belay.text.Transcript;
import dev.belay.text.Transcripts;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code belay judge}: which responses refuse. */
@Command(
        name = "judge",
        mixinStandardHelpOptions = true,
        description = "Judges responses by refusal phrases, one by one and in total.")
final class JudgeCommand implements Callable<Integer> {
    @Parameters(index = "0", paramLabel = "R.jsonl", description = "transcripts with responses")
    private Path data;

    @Option(names = "--phrases", paramLabel = "F.txt", description = "your own refusal phrases, one a line")
    private Path phrases;

    @Mixin
    private Output out;

    @Override
    public Integer call() {
        RefusalPhrases judge = phrases == null ? RefusalPhrases.standard() : RefusalPhrases.read(phrases);
        List<Verdict> verdicts = new ArrayList<>();
        ObjectNode result = Output.object();
        ArrayNode items = result.putArray("items");
        for (Transcript t : Transcripts.read(data)) {
            Verdict verdict = judge.judge(t.response());
            verdicts.add(verdict);
            String outcome = verdict.outcome().name().toLowerCase(Locale.ROOT);
            items.addObject().put("id", t.id()).put("verdict", outcome).put("phrase", verdict.phrase());
            out.say("%-20s %-9s%s", t.id(), outcome, verdict.phrase() == null ? "" : " (" + verdict.phrase() + ")");
        }
        JudgeSummary summary = JudgeSummary.of(verdicts);
        out.say("%s", words(summary));
        result.setAll(json(summary));
        out.result(result);
        return 0;
    }

    static String words(JudgeSummary s) {
        return String.format(
                Locale.ROOT,
                "%d responses: %d refused (%.1f %%), %d answered (attack success rate %.1f %% if these were attacks), %d empty",
                s.n(),
                s.refused(),
                100 * s.refusalRate(),
                s.answered(),
                100 * s.attackSuccessRate(),
                s.empty());
    }

    static ObjectNode json(JudgeSummary s) {
        ObjectNode json = Output.object();
        json.put("n", s.n())
                .put("refused", s.refused())
                .put("answered", s.answered())
                .put("empty", s.empty());
        return json.put("refusal_rate", s.refusalRate()).put("attack_success_rate", s.attackSuccessRate());
    }
}
