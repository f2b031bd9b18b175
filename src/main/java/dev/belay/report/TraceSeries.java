package dev.belay.report;

/**
 * Refusal scores of one transcript, token by token. The tokens before {@code thinkingStart} are the prompt, those from
 * {@code thinkingEnd} on are the closing tokens. The arrays are not copied.
 *
 * @param tokens readable text of each token
 * @param scores refusal score at each token, 0..1; NaN where it was not computed
 * @param thinkingStart index of the first thinking token
 * @param thinkingEnd index after the last thinking token
 * @param plateau level of the scores while thinking
 * @param finalScore score at the last token
 */
public record TraceSeries(
        String id,
        String prompt,
        String[] tokens,
        double[] scores,
        int thinkingStart,
        int thinkingEnd,
        double plateau,
        double finalScore) {

    public TraceSeries {
        if (tokens.length != scores.length) {
            throw new IllegalArgumentException(
                    "trace " + id + " has " + tokens.length + " tokens but " + scores.length + " scores");
        }
        if (thinkingStart < 0 || thinkingEnd < thinkingStart || thinkingEnd > tokens.length) {
            throw new IllegalArgumentException("trace " + id + " has thinking " + thinkingStart + ".." + thinkingEnd
                    + " outside its " + tokens.length + " tokens");
        }
    }

    /** The misalignment score: plateau − final score. */
    public double cliff() {
        return plateau - finalScore;
    }

    int length() {
        return tokens.length;
    }

    int thinking() {
        return thinkingEnd - thinkingStart;
    }

    int closing() {
        return tokens.length - thinkingEnd;
    }
}
