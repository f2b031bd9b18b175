package dev.belay.dataset;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * A question with several choices, as lm-evaluation-harness puts it to a model.
 *
 * @param id names it in reports
 * @param context what stands before a choice
 * @param delimiter stands between context and choice; a continuation is both
 * @param choices their texts
 * @param gold number of the right one, from 0
 */
public record Question(String id, String context, String delimiter, List<String> choices, int gold) {
    /** What follows if choice {@code i} is taken. */
    public String continuation(int i) {
        return delimiter + choices.get(i);
    }

    /** The question with the right choice: a worked example. */
    public String worked() {
        return context + continuation(gold);
    }

    /** The question behind another text. */
    public Question after(String examples) {
        return new Question(id, examples + context, delimiter, choices, gold);
    }

    /** Length of a choice in characters (code points), without the delimiter. */
    public int characters(int i) {
        return choices.get(i).codePointCount(0, choices.get(i).length());
    }

    /** Length of a choice in bytes of UTF-8, without the delimiter. */
    public int bytes(int i) {
        return choices.get(i).getBytes(StandardCharsets.UTF_8).length;
    }
}
