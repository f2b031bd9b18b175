package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.dataset.Question;
import dev.belay.forward.LogLikelihoods;
import dev.belay.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Questions as tokens, the way lm-evaluation-harness makes them: context and continuation are tokenized as one string, and what is longer
 * than the tokens of the context alone is the continuation. A text longer than the model's positions loses its beginning; its choices
 * then have contexts of their own.
 */
final class QuestionTokens {
    private final Tokenizer tokenizer;
    private final int positions;
    private final List<LogLikelihoods.Question> units = new ArrayList<>();
    /** Unit of the first choice of each question, and of the end. */
    private final List<Integer> starts = new ArrayList<>(List.of(0));

    private int shortened;

    /** @param positions tokens that the model has positions for */
    QuestionTokens(Tokenizer tokenizer, int positions) {
        this.tokenizer = tokenizer;
        this.positions = positions;
    }

    /** Adds a question. */
    void add(Question question) {
        int[] context = tokenizer.encodeWithSpecials(question.context());
        List<int[]> continuations = new ArrayList<>();
        for (int c = 0; c < question.choices().size(); c++) {
            int[] whole = tokenizer.encodeWithSpecials(question.context() + question.continuation(c));
            if (whole.length <= context.length) {
                throw new BelayException("question " + question.id() + ": choice " + (c + 1)
                        + " adds no token to the question; leave the question out");
            }
            continuations.add(Arrays.copyOfRange(whole, context.length, whole.length));
        }
        LogLikelihoods.Question all = new LogLikelihoods.Question(context, continuations);
        // The last token is not read, so one more than there are positions fits.
        if (context.length + all.longest() <= positions + 1) {
            units.add(all);
        } else {
            continuations.forEach(c -> units.add(shortened(question, context, c)));
            shortened++;
        }
        starts.add(units.size());
    }

    private LogLikelihoods.Question shortened(Question question, int[] context, int[] continuation) {
        int excess = Math.max(0, context.length + continuation.length - positions - 1);
        if (excess >= context.length) {
            throw new BelayException("question " + question.id() + " has a choice of " + continuation.length
                    + " tokens; the model has room for " + positions + ": leave the question out");
        }
        int[] rest = Arrays.copyOfRange(context, excess, context.length);
        return new LogLikelihoods.Question(rest, List.of(continuation));
    }

    /** What to compute. */
    List<LogLikelihoods.Question> units() {
        return units;
    }

    /** Questions whose beginning is cut off. */
    int shortened() {
        return shortened;
    }

    /** The log-likelihoods of every choice of each question, from those of the units. */
    List<double[]> ofQuestions(List<double[]> ofUnits) {
        List<double[]> all = new ArrayList<>();
        for (int q = 0; q + 1 < starts.size(); q++) {
            all.add(ofUnits.subList(starts.get(q), starts.get(q + 1)).stream()
                    .flatMapToDouble(Arrays::stream)
                    .toArray());
        }
        return all;
    }
}
