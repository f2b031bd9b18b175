package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import dev.belay.device.Sampling;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelFolder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GeneratorTest {
    private static final Sampling WARM = new Sampling(1.5f, 0, 1, 11);

    @TempDir
    Path folder;

    static Generator.Prompt prompt(TestModel m, int number, int length) {
        return new Generator.Prompt(number, m.text(number, length), TextSpan.plain(length));
    }

    private static int[] tokens(Generator generator, Generator.Prompt prompt) {
        return TestModel.run(generator, List.of(prompt)).getFirst().tokens();
    }

    private static Generator generator(TestModel m, Sampling sampling, int tokens, boolean ignoreEnd) {
        return new Generator(m.forward, null, Generator.Closing.NONE, sampling, tokens, ignoreEnd);
    }

    /** The most likely next token of a whole pass over the text so far, again and again. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "llama31-rope", "tiny-cliff"})
    void greedyEqualsRepeatedWholePasses(String name) {
        try (TestModel m = TestModel.open(name)) {
            List<Generator.Prompt> prompts = List.of(prompt(m, 0, 1), prompt(m, 1, 30), prompt(m, 2, 16));
            List<Generator.Continuation> continuations =
                    TestModel.run(generator(m, Sampling.GREEDY, 10, true), prompts);
            for (int i = 0; i < 3; i++) {
                int[] ids = prompts.get(i).ids();
                for (int n = 0; n < 10; n++) {
                    float[] logits = m.logits(ids, TextSpan.plain(ids.length), null);
                    int last = logits.length - m.config.vocabulary();
                    ids = Arrays.copyOf(ids, ids.length + 1);
                    ids[ids.length - 1] = argmax(logits, last);
                }
                int[] expected = Arrays.copyOfRange(ids, ids.length - 10, ids.length);
                assertArrayEquals(expected, continuations.get(i).tokens(), "text " + i);
                assertFalse(continuations.get(i).ended());
            }
        }
    }

    static int argmax(float[] values, int from) {
        int best = from;
        for (int i = from; i < values.length; i++) {
            if (values[i] > values[best]) {
                best = i;
            }
        }
        return best - from;
    }

    /** A token depends on its text's number and position: not on order, neighbours, or how texts are packed. */
    @Test
    void sampledTextsDoNotDependOnTheOrderOfTheBatch() {
        try (TestModel m = TestModel.open("llama");
                ForwardPass narrow = new ForwardPass(m.model, 40)) {
            List<Generator.Prompt> prompts = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                prompts.add(prompt(m, i, 10 + 3 * i));
            }
            Generator generator = generator(m, WARM, 12, true);
            List<Generator.Continuation> together = TestModel.run(generator, prompts);
            List<Generator.Continuation> reversed = TestModel.run(generator, prompts.reversed());
            List<Generator.Continuation> packed =
                    TestModel.run(new Generator(narrow, null, Generator.Closing.NONE, WARM, 12, true), prompts);
            for (int i = 0; i < 6; i++) {
                int[] alone = tokens(generator, prompts.get(i));
                assertArrayEquals(alone, together.get(i).tokens(), "text " + i + " in a batch");
                assertArrayEquals(alone, reversed.get(5 - i).tokens(), "text " + i + " in another order");
                assertArrayEquals(alone, packed.get(i).tokens(), "text " + i + " in small batches");
            }
            Generator.Prompt renumbered =
                    new Generator.Prompt(9, prompts.get(3).ids(), prompts.get(3).span());
            int[] other = tokens(generator, renumbered);
            assertFalse(Arrays.equals(other, together.get(3).tokens()), "another number, other draws");
        }
    }

    /** The model's greedy token number 4 is declared the end: with ignoreEnd nothing stops there. */
    @ParameterizedTest
    @ValueSource(strings = {"config.json", "generation_config.json", "a list"})
    void stopsAtAnEndTokenUnlessToldNotTo(String place) {
        int[] free;
        try (TestModel m = TestModel.open("llama")) {
            free = tokens(generator(m, Sampling.GREEDY, 12, true), prompt(m, 1, 20));
        }
        int first = firstOf(free, free[4]);
        ModelFolder copy = ModelFolder.copy("llama", folder);
        if (place.equals("config.json")) {
            copy.delete("generation_config.json");
            copy.edit("config.json", json -> json.put("eos_token_id", free[first]));
        } else if (place.equals("a list")) {
            copy.edit(
                    "generation_config.json",
                    json -> json.putArray("eos_token_id").add(159).add(free[first]));
        } else {
            copy.edit("generation_config.json", json -> json.put("eos_token_id", free[first]));
        }
        try (TestModel m = TestModel.open(folder)) {
            List<Generator.Prompt> prompts = List.of(prompt(m, 1, 20));
            Generator.Continuation ended = TestModel.run(generator(m, Sampling.GREEDY, 12, false), prompts)
                    .getFirst();
            assertArrayEquals(Arrays.copyOf(free, first + 1), ended.tokens());
            assertTrue(ended.ended());
            Generator.Continuation ignored = TestModel.run(generator(m, Sampling.GREEDY, 12, true), prompts)
                    .getFirst();
            assertArrayEquals(free, ignored.tokens());
            assertFalse(ignored.ended());
        }
    }

    static int firstOf(int[] values, int value) {
        int i = 0;
        while (values[i] != value) {
            i++;
        }
        return i;
    }

    @Test
    void stopsWhereTheModelsPositionsEnd() {
        ModelFolder.copy("llama", folder).edit("config.json", json -> json.put("max_position_embeddings", 24));
        try (TestModel m = TestModel.open(folder)) {
            List<Generator.Prompt> prompts = List.of(prompt(m, 1, 23), prompt(m, 2, 10), prompt(m, 3, 18));
            List<Generator.Continuation> continuations = TestModel.run(generator(m, Sampling.GREEDY, 8, true), prompts);
            assertEquals(
                    List.of(1, 8, 6),
                    continuations.stream().map(c -> c.tokens().length).toList());
            Generator endless = generator(m, Sampling.GREEDY, Integer.MAX_VALUE, true);
            assertEquals(14, tokens(endless, prompt(m, 2, 10)).length);
            for (int length : new int[] {24, 30}) {
                String message = assertThrows(
                                BelayException.class,
                                () -> TestModel.run(
                                        generator(m, Sampling.GREEDY, 8, true),
                                        List.of(prompt(m, 1, 5), prompt(m, 7, length))))
                        .getMessage();
                assertEquals("text 7 has " + length + " tokens; the model has room for 24", message);
            }
        }
    }

    @Test
    void refusesAnEmptyTextAndNoTokens() {
        try (TestModel m = TestModel.open("llama")) {
            String message = assertThrows(
                            BelayException.class,
                            () -> TestModel.run(generator(m, Sampling.GREEDY, 8, true), List.of(prompt(m, 4, 0))))
                    .getMessage();
            assertEquals("text 4 has no tokens; there is nothing to continue", message);
            message = assertThrows(BelayException.class, () -> generator(m, Sampling.GREEDY, 0, true))
                    .getMessage();
            assertEquals("max-new-tokens is 0: use a number from 1", message);
        }
    }

    /**
     * Once buffers have their sizes, a run allocates its cache (two buffers a layer) and nothing else: the same for 5 tokens as for
     * 50, so nothing for a token.
     */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void decodingAllocatesNothingOnTheDevice(boolean bfloat16) {
        try (TestModel m = bfloat16 ? TestModel.bfloat16("llama") : TestModel.open("llama")) {
            List<Generator.Prompt> prompts = List.of(prompt(m, 1, 20), prompt(m, 2, 9));
            TestModel.run(generator(m, WARM, 1, true), prompts);
            for (int tokens : new int[] {5, 50}) {
                long before = m.device.allocations();
                TestModel.run(generator(m, WARM, tokens, true), prompts);
                assertEquals(2L * m.config.layers(), m.device.allocations() - before, tokens + " tokens");
            }
        }
    }
}
