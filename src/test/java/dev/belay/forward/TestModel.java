package dev.belay.forward;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.TestDevices;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** A small model with all that a forward pass needs, and texts of random tokens for it. */
final class TestModel implements AutoCloseable {
    /** Two ways to the same float32 numbers, of the order of 1 to 10, differ by the order of summation only. */
    static final double SAME = 1e-5;

    final Device device;
    final Model model;
    final ModelConfig config;
    final ForwardPass forward;

    private TestModel(Path folder, DType dtype) {
        device = TestDevices.open(dtype);
        model = Model.load(folder, device, l -> {});
        config = model.config();
        forward = new ForwardPass(model, 256);
    }

    /** {@code tiny-cliff}, or a family of the golden data. */
    static TestModel open(String name) {
        return open(folder(name));
    }

    static TestModel open(Path folder) {
        return new TestModel(folder, DType.F32);
    }

    static TestModel bfloat16(String name) {
        return new TestModel(folder(name), DType.BF16);
    }

    static Path folder(String name) {
        return name.equals("tiny-cliff") ? Path.of("models/tiny-cliff") : Golden.path("families/" + name);
    }

    /** {@code count} tokens, none of them special. */
    int[] text(long seed, int count) {
        return new Random(seed).ints(count, 5, config.vocabulary()).toArray();
    }

    HeadMask mask(PositionScope scope, boolean renormalize) {
        return new HeadMask(config.layers(), config.heads(), scope, renormalize);
    }

    /** A mask with every head of a layer at {@code factor}. */
    HeadMask wholeLayer(int layer, float factor, PositionScope scope) {
        HeadMask mask = mask(scope, false);
        for (int h = 0; h < config.heads(); h++) {
            mask.scale(layer, h, factor);
        }
        return mask;
    }

    /** H[L] of the batch, or of the tokens it reads. */
    float[] states(Batch batch, Hooks hooks, boolean readsOnly) {
        try (KvCache cache = KvCache.passing(device, config, batch.tokens())) {
            DeviceBuffer states = forward.run(batch, config.layers(), cache, hooks, readsOnly);
            return read(states, (readsOnly ? batch.readCount() : batch.tokens()) * config.hidden());
        }
    }

    /** H[L] of one text in a batch of its own; {@code mask} may be null. */
    float[] states(int[] ids, TextSpan span, HeadMask mask) {
        Batch batch = new Batch();
        batch.addText(ids, 0, span);
        return states(batch, Hooks.scaling(HeadScales.shared(mask)), false);
    }

    /** Logits of every token of one text. */
    float[] logits(int[] ids, TextSpan span, HeadMask mask) {
        states(ids, span, mask);
        return read(forward.logits(ids.length), ids.length * config.vocabulary());
    }

    /** What a generator adds to each prompt, in order. */
    static List<Generator.Continuation> run(Generator generator, List<Generator.Prompt> prompts) {
        List<Generator.Continuation> continuations = new ArrayList<>();
        generator.generate(prompts, (prompt, continuation) -> {
            assertEquals(prompts.get(continuations.size()), prompt);
            continuations.add(continuation);
        });
        assertEquals(prompts.size(), continuations.size());
        return continuations;
    }

    static float[] read(DeviceBuffer buffer, int count) {
        float[] values = new float[count];
        buffer.read(0, values, 0, count);
        return values;
    }

    @Override
    public void close() {
        forward.close();
        model.close();
        device.close();
    }

    /** Recognises exactly these tokens; none if there are none. */
    static Generator.Closing closing(int... tokens) {
        return (ids, from, to) -> {
            int start = to - tokens.length;
            boolean same = start >= from && Arrays.equals(ids, start, to, tokens, 0, tokens.length);
            return same ? tokens.length : 0;
        };
    }
}
