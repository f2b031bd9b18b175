package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.belay.device.Sampling;
import dev.belay.hooks.TextSpan;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * Generation beyond the length at which longrope switches its factors, 24 tokens here: every token is that of a whole pass of transformers
 * 5.18 over the text so far, without a cache.
 */
class LongRopeGenerationTest {
    private static final int[][] PROMPTS = {
        {93, 32, 78, 61, 64, 76, 96, 96, 50, 92, 74, 83, 25, 60, 71, 77, 13, 89, 75, 14},
        {14, 52, 17, 21, 80, 46, 72, 18, 76, 61, 45, 6, 29, 68, 50, 25, 95, 66, 47, 41, 95},
        {29, 92, 14, 57, 79, 64, 55, 84, 5, 88, 83, 86, 36, 32, 50, 44, 92, 64, 55, 49, 21, 77},
        {63, 53, 42, 84, 33, 25, 89, 14, 22, 32, 51, 16, 54, 70, 11, 38, 16, 95, 77, 41, 85, 10, 32}
    };
    private static final int[][] GREEDY = {
        {41, 64, 26, 23, 17, 5, 41, 57, 45, 42, 64, 57},
        {49, 93, 4, 26, 17, 35, 84, 6, 93, 94, 90, 6},
        {81, 1, 48, 48, 51, 93, 83, 10, 48, 51, 89, 88},
        {45, 31, 20, 77, 83, 58, 20, 73, 23, 59, 59, 59}
    };

    @Test
    void keysAreComputedAgainWhereTheFactorsSwitch() {
        try (TestModel m = TestModel.open("phi3-longrope")) {
            List<Generator.Prompt> prompts = new ArrayList<>();
            for (int[] ids : PROMPTS) {
                prompts.add(new Generator.Prompt(prompts.size(), ids, TextSpan.plain(ids.length)));
            }
            Generator generator =
                    new Generator(m.forward, null, Generator.Closing.NONE, Sampling.GREEDY, GREEDY[0].length, true);
            List<Generator.Continuation> continuations = TestModel.run(generator, prompts);
            for (int i = 0; i < GREEDY.length; i++) {
                assertArrayEquals(GREEDY[i], continuations.get(i).tokens(), "text " + i);
            }
        }
    }
}
