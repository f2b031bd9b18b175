package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.forward.LogLikelihoods.Question;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.weights.SafetensorsFile;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Log-likelihoods of continuations, from the logits that transformers computed and from this engine's own, text by text. */
class LogLikelihoodsTest {
    /** Σ log softmax(logits)[token] over the tokens behind {@code from}. */
    private static double expected(float[] logits, int vocabulary, int[] ids, int from) {
        double sum = 0;
        for (int p = from; p < ids.length; p++) {
            int row = (p - 1) * vocabulary;
            double total = 0;
            for (int v = 0; v < vocabulary; v++) {
                total += Math.exp(logits[row + v]);
            }
            sum += logits[row + ids[p]] - Math.log(total);
        }
        return sum;
    }

    private static int[] join(int[] context, int[] continuation) {
        return IntStream.concat(IntStream.of(context), IntStream.of(continuation))
                .toArray();
    }

    /**
     * The prompts of the golden data cut in two: what follows the cut and one of two more tokens, so that the model reads the whole prompt;
     * and the first token after the cut alone, unless the rotary embedding of the prompt is not that of its beginning.
     */
    @ParameterizedTest
    @MethodSource("dev.belay.forward.Golden#families")
    void likeTransformers(String family) {
        try (TestModel m = TestModel.open(family);
                SafetensorsFile golden =
                        SafetensorsFile.open(TestModel.folder(family).resolve("golden.safetensors"))) {
            int vocabulary = m.config.vocabulary();
            List<Question> questions = new ArrayList<>();
            List<double[]> expected = new ArrayList<>();
            for (int p = 0; p < 3; p++) {
                int[] ids = Arrays.stream(golden.longs(p + ".input_ids"))
                        .mapToInt(Math::toIntExact)
                        .toArray();
                float[] logits = golden.floats(p + ".logits");
                int cut = ids.length - 1 - p;
                int[] rest = Arrays.copyOfRange(ids, cut, ids.length);
                List<int[]> continuations =
                        new ArrayList<>(List.of(join(rest, new int[] {3}), join(rest, new int[] {vocabulary - 1})));
                if (m.config.rotatesAlike(cut, ids.length)) {
                    continuations.add(new int[] {rest[0]});
                }
                int[] context = Arrays.copyOf(ids, cut);
                questions.add(new Question(context, continuations));
                expected.add(continuations.stream()
                        .mapToDouble(c -> expected(logits, vocabulary, join(context, c), cut))
                        .toArray());
            }
            List<double[]> actual = new LogLikelihoods(m.forward, null).of(questions);
            for (int p = 0; p < 3; p++) {
                int tokens = p + 2;
                assertArrayEquals(expected.get(p), actual.get(p), 2 * Golden.TOLERANCE * tokens, family + " " + p);
                assertTrue(actual.get(p)[0] < -1, "a random model is sure of nothing");
            }
        }
    }

    /** Continuations of all lengths in batches of all sizes, with and without a mask, equal those computed as whole texts. */
    @ParameterizedTest
    @ValueSource(strings = {"llama", "phi3-longrope", "smollm3-slide", "tiny-cliff"})
    void sharedContextsAndBatchesChangeNothing(String model) {
        try (TestModel m = TestModel.open(model);
                ForwardPass narrow = new ForwardPass(m.model, 24)) {
            List<Question> questions = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                List<int[]> continuations = new ArrayList<>();
                for (int c = 0; c < 4; c++) {
                    continuations.add(m.text(100 * i + c, 1 + (i + c) % 5));
                }
                questions.add(new Question(m.text(i, 1 + 13 * i), continuations));
            }
            for (HeadMask mask : masks(m)) {
                List<double[]> wide = new LogLikelihoods(m.forward, mask).of(questions);
                LogLikelihoods some = new LogLikelihoods(narrow, mask);
                List<double[]> small = some.of(questions);
                assertEquals(mask != null, some.report().scaledHeadTokens() > 0);
                for (int i = 0; i < questions.size(); i++) {
                    int[] context = questions.get(i).context();
                    for (int c = 0; c < 4; c++) {
                        int[] ids =
                                join(context, questions.get(i).continuations().get(c));
                        int[] given = Arrays.copyOf(ids, ids.length - 1);
                        float[] logits = m.logits(given, TextSpan.plain(context.length), mask);
                        double whole = expected(logits, m.config.vocabulary(), ids, context.length);
                        assertEquals(whole, wide.get(i)[c], 20 * TestModel.SAME, "question " + i + ", " + c);
                        assertEquals(whole, small.get(i)[c], 20 * TestModel.SAME, "question " + i + ", " + c);
                    }
                }
            }
        }
    }

    private static List<HeadMask> masks(TestModel m) {
        List<HeadMask> masks = new ArrayList<>();
        masks.add(null);
        for (String scope : List.of("all", "generated", "last:2")) {
            masks.add(m.mask(PositionScope.parse(scope), false).ablate(0, 1).ablate(1, 0));
        }
        return masks;
    }

    /** The text crosses the length at which long factors replace short ones: the context alone would have the short ones. */
    @ParameterizedTest
    @ValueSource(strings = {"phi3-longrope", "llama-longrope", "llama-dynamic"})
    void textsThatCrossTheSwitchOfTheirRotaryEmbedding(String family) {
        try (TestModel m = TestModel.open(family)) {
            int crossing = IntStream.range(2, m.config.positions())
                    .filter(n -> !m.config.rotatesAlike(n - 1, n))
                    .findFirst()
                    .orElseThrow();
            int[] context = m.text(7, crossing - 2);
            List<int[]> continuations = List.of(m.text(8, 1), m.text(9, 3), m.text(10, 5));
            double[] actual = new LogLikelihoods(m.forward, null)
                    .of(List.of(new Question(context, continuations)))
                    .getFirst();
            for (int c = 0; c < 3; c++) {
                int[] ids = join(context, continuations.get(c));
                float[] logits = m.logits(Arrays.copyOf(ids, ids.length - 1), TextSpan.plain(context.length), null);
                assertEquals(
                        expected(logits, m.config.vocabulary(), ids, context.length), actual[c], 20 * TestModel.SAME);
            }
        }
    }
}
