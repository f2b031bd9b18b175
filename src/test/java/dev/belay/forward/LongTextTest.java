package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.Closeness;
import dev.belay.device.Sampling;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A text that is longer than a batch may be passes the layers in pieces, and its numbers are those of one piece. */
class LongTextTest {
    private static final int LENGTH = 150;
    private static final TextSpan SPAN = new TextSpan(LENGTH, 10, 141, 147);

    private record Run(float[] states, float[] last, ActivationRecorder recorded, HookReport report, int[] tokens) {}

    private static Run run(TestModel m, ForwardPass forward) {
        int[] ids = m.text(3, LENGTH);
        HeadMask mask = m.mask(PositionScope.CLOSING, true).ablate(0, 1).scale(m.config.layers() - 1, 0, 0.5f);
        Set<HookPoint> points = IntStream.range(0, m.config.layers())
                .boxed()
                .flatMap(l -> Stream.of(HookPoint.residual(l), HookPoint.headOutput(l)))
                .collect(Collectors.toSet());
        ActivationRecorder recorder = new ActivationRecorder(points, (text, position) -> position != 77);
        HookReport report = new HookReport();
        Hooks hooks = new Hooks(HeadScales.shared(mask), recorder, report);
        Batch batch = new Batch();
        batch.addText(ids, 0, SPAN);
        batch.readLast();
        int layers = m.config.layers();
        float[] last = new float[m.config.hidden()];
        float[] states = new float[LENGTH * m.config.hidden()];
        try (KvCache cache = KvCache.passing(m.device, m.config, LENGTH)) {
            forward.run(batch, layers, cache, Hooks.scaling(HeadScales.shared(mask)), true)
                    .read(0, last, 0, last.length);
            recorder.nextBatch(List.of(0));
            forward.run(batch, layers, cache, hooks, false).read(0, states, 0, states.length);
        }
        Generator generator = new Generator(forward, mask, Generator.Closing.NONE, Sampling.GREEDY, 5, true);
        List<Generator.Continuation> continuations =
                TestModel.run(generator, List.of(new Generator.Prompt(0, ids, SPAN)));
        return new Run(states, last, recorder, report, continuations.getFirst().tokens());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "llama-bias",
                "llama-yarn",
                "mistral",
                "phi3-longrope",
                "moe-mixed",
                "smollm3-slide",
                "tiny-cliff"
            })
    void equalsTheTextInOnePiece(String name) {
        try (TestModel m = TestModel.open(name);
                ForwardPass narrow = new ForwardPass(m.model, 32)) {
            Run whole = run(m, m.forward);
            Run pieces = run(m, narrow);
            int width = m.config.hidden();
            assertEquals(32, narrow.maxTokens());
            Closeness.assertSame(whole.states(), pieces.states(), TestModel.SAME, width, "states");
            Closeness.assertSame(whole.last(), pieces.last(), TestModel.SAME, width, "last state");
            for (int l = 0; l < m.config.layers(); l++) {
                for (HookPoint point : List.of(HookPoint.residual(l), HookPoint.headOutput(l))) {
                    float[] expected = whole.recorded().get(point, 0);
                    float[] actual = pieces.recorded().get(point, 0);
                    Closeness.assertSame(expected, actual, TestModel.SAME, expected.length / (LENGTH - 1), point + "");
                }
            }
            assertEquals(whole.report().toString(), pieces.report().toString());
            assertArrayEquals(whole.tokens(), pieces.tokens());
        }
    }
}
