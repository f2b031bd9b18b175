package dev.belay.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.text.ThinkingMarkers;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClosingTextTest {
    private static final String[] TOKENS = {
        " refuse", ".", "\n", "</think>", "\n\n", ".\n", "</think>\n\n", "Sure", "\n\nSure"
    };

    /** Tokens are numbers of the list above; the last of them has just been generated. */
    @ParameterizedTest
    @CsvSource({
        "0 1 2 3 4, 0, 3",
        "0 5 3 4, 0, 3",
        "0 5 6, 0, 2",
        "0 1 2 6, 0, 2",
        "0 1 2 3, 0, 0",
        "0 1 2 3 4 7, 0, 0",
        "0 1 2 3 8, 0, 0",
        "0 3 4, 0, 0",
        "2 3 4, 1, 0",
        "4, 0, 0"
    })
    void countsTheTokensThatHoldTheMarker(String text, int from, int expected) {
        int[] ids = java.util.Arrays.stream(text.split(" "))
                .mapToInt(Integer::parseInt)
                .toArray();
        ClosingText closing = new ClosingText(ThinkingMarkers.THINK.close(), ClosingTextTest::decode);
        assertEquals(expected, closing.length(ids, from, ids.length));
    }

    private static String decode(int[] ids, int from, int to) {
        StringBuilder text = new StringBuilder();
        for (int i = from; i < to; i++) {
            text.append(TOKENS[ids[i]]);
        }
        return text.toString();
    }
}
