package dev.belay.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.belay.dataset.Question;
import dev.belay.stats.Change;
import dev.belay.stats.Estimate;
import java.util.List;
import java.util.Locale;

/**
 * Which questions a model gets right: where the right choice has the largest log-likelihood, the first of those that have.
 *
 * @param arm the way of running the model: before or after
 * @param logLikelihoods of every choice of each question
 * @param right whether each question is right, by measure
 */
record ChoiceScores(String arm, List<double[]> logLikelihoods, List<boolean[]> right) {
    /** What log-likelihoods are divided by. */
    enum Measure {
        /** Nothing. */
        ACC {
            @Override
            double length(Question question, int choice) {
                return 1;
            }
        },
        /** Characters of the choice. */
        ACC_NORM {
            @Override
            double length(Question question, int choice) {
                return question.characters(choice);
            }
        },
        /** Bytes of the choice in UTF-8. */
        ACC_BYTES {
            @Override
            double length(Question question, int choice) {
                return question.bytes(choice);
            }
        };

        abstract double length(Question question, int choice);

        /** lm-evaluation-harness's name of it. */
        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static ChoiceScores of(String arm, List<Question> questions, List<double[]> logLikelihoods) {
        return new ChoiceScores(
                arm,
                logLikelihoods,
                List.of(Measure.values()).stream()
                        .map(measure -> right(questions, logLikelihoods, measure))
                        .toList());
    }

    private static boolean[] right(List<Question> questions, List<double[]> logLikelihoods, Measure measure) {
        boolean[] right = new boolean[questions.size()];
        for (int q = 0; q < right.length; q++) {
            double[] values = logLikelihoods.get(q);
            int best = 0;
            for (int c = 1; c < values.length; c++) {
                boolean better = values[c] / measure.length(questions.get(q), c)
                        > values[best] / measure.length(questions.get(q), best);
                best = better ? c : best;
            }
            right[q] = best == questions.get(q).gold();
        }
        return right;
    }

    /** What a measure's right questions change to from the first of two scores to the second. */
    static Change change(List<ChoiceScores> two, Measure measure) {
        return Change.ofTruths(two.get(0).right(measure), two.get(1).right(measure), 0);
    }

    /** Whether each question is right. */
    boolean[] right(Measure measure) {
        return right.get(measure.ordinal());
    }

    /** The share of right ones with Wilson's interval. */
    Estimate accuracy(Measure measure) {
        boolean[] all = right(measure);
        int count = 0;
        for (boolean one : all) {
            count += one ? 1 : 0;
        }
        return Estimate.share((double) count / all.length, all.length);
    }

    /** Standard error of the accuracy, from the sample's standard deviation; NaN of a single question. */
    double standardError(Measure measure) {
        double share = accuracy(measure).value();
        return Math.sqrt(share * (1 - share) / (right(measure).length - 1));
    }

    ObjectNode json() {
        ObjectNode json = Output.object();
        for (Measure measure : Measure.values()) {
            Estimate share = accuracy(measure);
            ObjectNode one = json.putObject(measure.label());
            one.put("value", share.value()).put("low", share.low()).put("high", share.high());
            Output.put(one, "stderr", standardError(measure));
        }
        return json;
    }

    String words(Measure measure) {
        Estimate share = accuracy(measure);
        double error = standardError(measure);
        return String.format(
                Locale.ROOT,
                "%.4f%s [%.4f, %.4f]",
                share.value(),
                Double.isNaN(error) ? "" : String.format(Locale.ROOT, " ± %.4f", error),
                share.low(),
                share.high());
    }
}
