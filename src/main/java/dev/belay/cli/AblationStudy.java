package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.cliff.ProbeScorer;
import dev.belay.forward.ForwardPass;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.io.FileHash;
import dev.belay.judge.JudgeSummary;
import dev.belay.judge.RefusalPhrases;
import dev.belay.judge.ThinkingSummary;
import dev.belay.judge.TranscriptVerdict;
import dev.belay.judge.Verdict;
import dev.belay.run.Run;
import dev.belay.text.ProbeText;
import dev.belay.text.Transcript;
import java.util.ArrayList;
import java.util.List;

/** Generates from the same transcripts under several head masks and judges what comes out; for {@code ablate} and the demo. */
final class AblationStudy {
    /**
     * One way of running the model.
     *
     * @param name before, after or random
     * @param mask null = as it is
     */
    record Arm(String name, HeadMask mask) {
        /** What the arm does to {@code what}, as a stage of a run: its name tells other heads or another way of ablation apart. */
        String stage(String what) {
            String stage = what + ", " + name;
            return mask == null
                    ? stage
                    : stage + " " + FileHash.of(mask.toString()).substring(0, 16);
        }
    }

    /**
     * What came out of one arm on one file.
     *
     * @param finalScore mean final score of the given transcripts; NaN without a probe
     * @param changed number of (layer, head, token) triples scaled
     */
    record Outcome(
            Arm arm, List<Responses.Reply> replies, List<TranscriptVerdict> judged, double finalScore, long changed) {
        /** Of the responses. */
        List<Verdict> verdicts() {
            return judged.stream().map(TranscriptVerdict::response).toList();
        }

        JudgeSummary summary() {
            return JudgeSummary.of(verdicts());
        }
    }

    /** What judges the answers, in words. */
    static final String JUDGE = "refusal phrases";

    private final Session session;
    private final Responses responses;
    private final GenerationOptions options;
    private final RefusalPhrases judge = RefusalPhrases.standard();

    AblationStudy(Session session, GenerationOptions options) {
        this.session = session;
        this.options = options;
        responses = new Responses(session, options);
    }

    /**
     * Runs every arm on a set of transcripts.
     *
     * @param scorer for final scores, or null
     */
    List<Outcome> run(
            String what,
            List<Transcript> transcripts,
            List<Arm> arms,
            ForwardPass forward,
            ProbeScorer scorer,
            Run run) {
        List<InputOptions.Input> inputs = transcripts.stream()
                .map(t -> new InputOptions.Input(t.id(), t, InputOptions.start(session, t, options.thinking)))
                .toList();
        List<ProbeText> texts = scorer == null ? List.of() : session.probeTexts(transcripts);
        List<Outcome> outcomes = new ArrayList<>();
        for (Arm arm : arms) {
            List<Responses.Reply> replies = new ArrayList<>();
            String stage = arm.stage(what);
            long changed =
                    responses.run(stage, what + ", " + arm.name(), forward, inputs, arm.mask(), run, replies::add);
            List<TranscriptVerdict> judged =
                    replies.stream().map(reply -> reply.judged(judge)).toList();
            double score = scorer == null
                    ? Double.NaN
                    : FinalScoreStage.mean(stage + ", final scores", scorer, texts, arm.mask(), run);
            outcomes.add(new Outcome(arm, replies, judged, score, changed));
        }
        return outcomes;
    }

    /** Whether positions mean the same in a probe text as in a text that the model generates from its prompt. */
    static boolean sameInProbeTexts(PositionScope scope) {
        return scope.kind() == PositionScope.Kind.ALL || scope.kind() == PositionScope.Kind.CLOSING;
    }

    /** The arms of one file as JSON: totals of each, and every response. */
    static ObjectNode json(List<Outcome> outcomes) {
        ObjectNode json = Output.object();
        for (Outcome o : outcomes) {
            ObjectNode arm = JudgeCommand.json(o.summary());
            arm.set("thinking", JudgeCommand.json(ThinkingSummary.of(o.judged())));
            Output.put(arm, "final_score", o.finalScore());
            arm.put("head_outputs_changed", o.changed());
            json.set(o.arm().name(), arm);
        }
        ArrayNode items = json.putArray("items");
        for (int i = 0; i < outcomes.getFirst().replies().size(); i++) {
            ObjectNode item = items.addObject()
                    .put("id", outcomes.getFirst().replies().get(i).input().id());
            for (Outcome o : outcomes) {
                TranscriptVerdict verdict = o.judged().get(i);
                item.putObject(o.arm().name())
                        .put("verdict", verdict.response().word())
                        .put("thinking_verdict", verdict.thinking().word())
                        .put("thinking", o.replies().get(i).thinking())
                        .put("response", o.replies().get(i).response());
            }
        }
        return json;
    }
}
