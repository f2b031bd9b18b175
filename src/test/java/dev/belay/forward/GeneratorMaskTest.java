package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import dev.belay.device.Sampling;
import dev.belay.forward.Generator.Continuation;
import dev.belay.forward.Generator.Prompt;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Generation with masks, where part of what they act on is itself generated. */
class GeneratorMaskTest {
    private static final int TOKENS = 16;

    private static int[] generate(
            TestModel m, HeadMask mask, int[] closing, Sampling sampling, int tokens, Prompt prompt) {
        Generator generator = new Generator(m.forward, mask, TestModel.closing(closing), sampling, tokens, true);
        return TestModel.run(generator, List.of(prompt)).getFirst().tokens();
    }

    private static HeadMask strong(TestModel m, PositionScope scope) {
        HeadMask mask = m.mask(scope, false);
        for (int l = 0; l < m.config.layers(); l++) {
            for (int h = 0; h < m.config.heads(); h++) {
                mask.scale(l, h, -2);
            }
        }
        return mask;
    }

    /** With mask on, every step equals a whole pass over prompt and continuation whose given length is the prompt's. */
    @ParameterizedTest
    @ValueSource(strings = {"generated", "all", "last:5", "closing"})
    void greedyWithAMaskEqualsRepeatedWholePasses(String scope) {
        try (TestModel m = TestModel.open("llama")) {
            HeadMask mask = strong(m, PositionScope.parse(scope));
            TextSpan span = TextSpan.probe(20, 4, 17);
            int[] ids = m.text(3, 20);
            Prompt prompt = new Prompt(0, ids, span);
            int[] actual = generate(m, mask, new int[0], Sampling.GREEDY, 10, prompt);
            for (int n = 0; n < 10; n++) {
                float[] logits = m.logits(ids, span, mask);
                ids = Arrays.copyOf(ids, ids.length + 1);
                ids[ids.length - 1] = GeneratorTest.argmax(logits, logits.length - m.config.vocabulary());
            }
            assertArrayEquals(Arrays.copyOfRange(ids, 20, 30), actual);
            int[] base = generate(m, null, new int[0], Sampling.GREEDY, 10, prompt);
            assertFalse(Arrays.equals(base, actual), "the mask changes the text");
        }
    }

    /**
     * Three tokens that the model generates are declared the closing tokens. Up to them a mask on closing tokens does nothing; from
     * there the text goes on as if they had been given.
     */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void generatedClosingTokensActAsGivenOnes(boolean sampled) {
        Sampling sampling = sampled ? new Sampling(1.2f, 0, 1, 5) : Sampling.GREEDY;
        try (TestModel m = TestModel.open("tiny-cliff")) {
            HeadMask mask = strong(m, PositionScope.CLOSING);
            int changed = 0;
            for (int text = 0; text < 4; text++) {
                Prompt prompt = GeneratorTest.prompt(m, text, 15 + text);
                int[] base = generate(m, null, new int[0], sampling, TOKENS, prompt);
                int[] closing = Arrays.copyOfRange(base, 3, 6);
                int end = firstEnd(base, closing);
                int[] actual = generate(m, mask, closing, sampling, TOKENS, prompt);
                int given = prompt.ids().length + end;
                int[] ids = Arrays.copyOf(prompt.ids(), given);
                System.arraycopy(base, 0, ids, prompt.ids().length, end);
                Prompt closed = new Prompt(text, ids, new TextSpan(given, 0, given - 3, given));
                int[] rest = generate(m, mask, closing, sampling, TOKENS - end, closed);
                assertArrayEquals(Arrays.copyOf(base, end), Arrays.copyOf(actual, end), "thinking of text " + text);
                assertArrayEquals(rest, Arrays.copyOfRange(actual, end, TOKENS), "response of text " + text);
                changed += Arrays.equals(base, actual) ? 0 : 1;
            }
            assertEquals(4, changed, "texts that the mask changes");
        }
    }

    /** One past the first place where the closing tokens stand. */
    private static int firstEnd(int[] tokens, int[] closing) {
        int end = closing.length;
        while (!Arrays.equals(tokens, end - closing.length, end, closing, 0, closing.length)) {
            end++;
        }
        return end;
    }

    /** Texts that close at the same step: each redoes its closing tokens, more than its share of a small batch. */
    @ParameterizedTest
    @ValueSource(ints = {1, 3, 6, 64})
    void manyTextsMayCloseAtOnce(int batchTokens) {
        try (TestModel m = TestModel.open("tiny-cliff");
                ForwardPass narrow = new ForwardPass(m.model, batchTokens)) {
            Prompt one = new Prompt(0, new int[] {40}, TextSpan.plain(1));
            int[] base = generate(m, null, new int[0], Sampling.GREEDY, 8, one);
            int[] closing = Arrays.copyOfRange(base, 1, 5);
            HeadMask mask = strong(m, PositionScope.CLOSING);
            int[] alone = generate(m, mask, closing, Sampling.GREEDY, 8, one);
            List<Prompt> many = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                many.add(new Prompt(i, one.ids(), one.span()));
            }
            Generator generator = new Generator(narrow, mask, TestModel.closing(closing), Sampling.GREEDY, 8, true);
            for (Continuation continuation : TestModel.run(generator, many)) {
                assertArrayEquals(alone, continuation.tokens());
            }
        }
    }

    /** Three starts of one text: the closing tokens come two steps apart, and each row redoes its own only. */
    @Test
    void textsOfABatchMayCloseAtDifferentSteps() {
        try (TestModel m = TestModel.open("tiny-cliff")) {
            Prompt prompt = GeneratorTest.prompt(m, 2, 15);
            int[] base = generate(m, null, new int[0], Sampling.GREEDY, TOKENS, prompt);
            int[] closing = Arrays.copyOfRange(base, 5, 8);
            HeadMask mask = strong(m, PositionScope.CLOSING);
            int[] alone = generate(m, mask, closing, Sampling.GREEDY, TOKENS, prompt);
            assertEquals(8, firstEnd(alone, closing), "where the text closes");
            assertFalse(Arrays.equals(base, alone), "the mask changes the text");
            List<Prompt> starts = new ArrayList<>();
            for (int given = 0; given <= 4; given += 2) {
                int[] ids = Arrays.copyOf(prompt.ids(), 15 + given);
                System.arraycopy(base, 0, ids, 15, given);
                starts.add(new Prompt(given, ids, TextSpan.plain(ids.length)));
            }
            Generator generator =
                    new Generator(m.forward, mask, TestModel.closing(closing), Sampling.GREEDY, TOKENS - 4, true);
            List<Continuation> together = TestModel.run(generator, starts);
            for (int i = 0; i < 3; i++) {
                int[] expected = Arrays.copyOfRange(alone, 2 * i, 2 * i + TOKENS - 4);
                assertArrayEquals(expected, together.get(i).tokens(), "text given " + 2 * i + " tokens of it");
            }
        }
    }

    /** In all layers but the last the redone closing tokens are scaled, in the last only the one that is read; each once. */
    @Test
    void theReportCountsTheClosingTokensOnce() {
        try (TestModel m = TestModel.open("tiny-cliff")) {
            Prompt prompt = GeneratorTest.prompt(m, 1, 15);
            int[] base = generate(m, null, new int[0], Sampling.GREEDY, TOKENS, prompt);
            int[] closing = Arrays.copyOfRange(base, 3, 6);
            int last = m.config.layers() - 1;
            HeadMask mask = m.mask(PositionScope.CLOSING, false)
                    .ablate(0, 1)
                    .ablate(2, 0)
                    .ablate(last, 2);
            Generator generator =
                    new Generator(m.forward, mask, TestModel.closing(closing), Sampling.GREEDY, TOKENS, true);
            TestModel.run(generator, List.of(prompt));
            assertEquals(3 + 3 + 1, generator.report().scaledHeadTokens());
            assertEquals(3, generator.report().heads());
            assertEquals(3, generator.report().layers());
        }
    }

    /** Generated tokens: all but the last new one pass through the layers, and only those are scaled. */
    @Test
    void theReportCountsGeneratedTokens() {
        try (TestModel m = TestModel.open("llama")) {
            HeadMask mask = m.mask(PositionScope.GENERATED, false).ablate(0, 1).ablate(2, 0);
            Generator generator = new Generator(m.forward, mask, Generator.Closing.NONE, Sampling.GREEDY, 9, true);
            TestModel.run(generator, List.of(GeneratorTest.prompt(m, 1, 15)));
            assertEquals(2 * 8, generator.report().scaledHeadTokens());
        }
    }
}
