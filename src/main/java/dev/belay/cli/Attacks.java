package dev.belay.cli;

import dev.belay.text.Transcript;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;

/**
 * Which of some responses count for an attack success rate: all but those whose transcript says that its prompt is harmless.
 *
 * @param transcripts of the responses, in order
 */
record Attacks(List<Transcript> transcripts) {
    /** Those of the verdicts, one for each transcript, that are on attacks. */
    <T> List<T> of(List<T> verdicts) {
        return IntStream.range(0, transcripts.size())
                .filter(i -> is(transcripts.get(i)))
                .mapToObj(verdicts::get)
                .toList();
    }

    int count() {
        return (int) transcripts.stream().filter(Attacks::is).count();
    }

    /** Whether a transcript does not say that its prompt is harmless. */
    static boolean is(Transcript transcript) {
        return !Boolean.FALSE.equals(transcript.harmful());
    }

    /** The rate in words, and of what; {@code remark} follows the number. */
    String words(double rate, String remark) {
        int count = count();
        if (count == 0) {
            return "to harmless prompts all";
        }
        String of = count < transcripts.size() ? " of the " + count + " whose prompts are not harmless" : "";
        boolean said = transcripts.stream().allMatch(t -> t.harmful() != null);
        return String.format(
                Locale.ROOT,
                "attack success rate %.1f %%%s%s%s",
                100 * rate,
                of,
                remark,
                said ? "" : ", if these were attacks");
    }
}
