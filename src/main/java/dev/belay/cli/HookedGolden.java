package dev.belay.cli;

import dev.belay.device.Sampling;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.TextRunner;
import dev.belay.hooks.ActivationRecorder;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HookPoint;
import dev.belay.hooks.TextSpan;
import dev.belay.model.ModelConfig;
import dev.belay.weights.SafetensorsWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What a model computes with heads scaled by a mask, of texts of random tokens, as a golden file of {@code belay verify}. */
final class HookedGolden {
    private static final int[] LENGTHS = {7, 24, 33};
    private static final int NEW_TOKENS = 16;

    private HookedGolden() {}

    /** Runs the texts and writes the states of every layer, the logits and the greedy continuation. */
    static void write(Session session, HeadMask mask, Path file) {
        ModelConfig config = session.config();
        ForwardPass forward = session.forward();
        Random random = new Random(0);
        SafetensorsWriter.Declaration golden = SafetensorsWriter.to(file);
        for (int p = 0; p < LENGTHS.length; p++) {
            int length = Math.min(LENGTHS[p], Math.min(forward.maxTokens(), config.positions() - NEW_TOKENS));
            int[] ids = random.ints(length, 0, config.vocabulary()).toArray();
            TextRunner.Text text = new TextRunner.Text(ids, TextSpan.plain(length));
            golden.longs(p + ".input_ids", longs(ids), length);
            pass(forward, mask, text, p, golden);
            Generator generator =
                    new Generator(forward, mask, Generator.Closing.NONE, Sampling.GREEDY, NEW_TOKENS, true);
            String greedy = p + ".greedy";
            generator.generate(
                    List.of(new Generator.Prompt(p, ids, text.span())),
                    (prompt, continuation) -> golden.longs(greedy, longs(continuation.tokens()), NEW_TOKENS));
        }
        golden.save();
    }

    private static void pass(
            ForwardPass forward, HeadMask mask, TextRunner.Text text, int p, SafetensorsWriter.Declaration golden) {
        ModelConfig config = forward.model().config();
        int length = text.ids().length;
        float[] logits = new float[Math.multiplyExact(length, config.vocabulary())];
        Set<HookPoint> points = IntStream.rangeClosed(0, config.layers())
                .mapToObj(HookPoint::residual)
                .collect(Collectors.toSet());
        ActivationRecorder states = new ActivationRecorder(points, (one, position) -> true);
        new TextRunner(forward)
                .run(
                        List.of(text),
                        config.layers(),
                        mask,
                        states,
                        false,
                        (batch, last) -> forward.logits(length).read(0, logits, 0, logits.length),
                        n -> {});
        for (int k = 0; k <= config.layers(); k++) {
            golden.floats(p + ".hidden." + k, states.get(HookPoint.residual(k), 0), length, config.hidden());
        }
        golden.floats(p + ".logits", logits, length, config.vocabulary());
    }

    private static long[] longs(int[] values) {
        return IntStream.of(values).asLongStream().toArray();
    }
}
