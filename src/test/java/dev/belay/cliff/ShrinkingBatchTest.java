package dev.belay.cliff;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.Sampling;
import dev.belay.device.TestDevices;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.hooks.PositionScope;
import dev.belay.model.Model;
import dev.belay.text.ProbeText;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** A device that has no room in the middle of a run: batches become smaller, and the result is the same. */
class ShrinkingBatchTest {
    private static final int BATCH = 1024;

    private final List<String> refused = new ArrayList<>();

    /** The device under test, but what has {@code name} in its name may have {@code most} elements, or slots of a cache, at most. */
    private Device limited(String name, long most) {
        Device device = TestDevices.open(DType.F32);
        return (Device) Proxy.newProxyInstance(
                Device.class.getClassLoader(), new Class<?>[] {Device.class}, (proxy, method, args) -> {
                    String called = method.getName();
                    boolean allocates = args != null && (called.startsWith("allocate") || called.equals("keyValues"));
                    if (allocates && ((String) args[0]).contains(name) && ((Number) args[1]).longValue() > most) {
                        refused.add((String) args[0]);
                        throw new DeviceMemoryException("no room for '" + args[0] + "'");
                    }
                    try {
                        return method.invoke(device, args);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    }
                });
    }

    @Test
    void aSweepGoesOnWithSmallerBatches() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 8);
        AblationSweep.Result expected;
        try (TinyCliff tiny = new TinyCliff(BATCH)) {
            expected = sweep(tiny, attacks, new ArrayList<>());
        }
        int width = 256;
        try (TinyCliff tiny = new TinyCliff(limited("sweep", 8L * width), BATCH)) {
            List<Long> progress = new ArrayList<>();
            AblationSweep.Result actual = sweep(tiny, attacks, progress);
            assertTrue(tiny.forward.maxTokens() < BATCH, "batches of " + tiny.forward.maxTokens());
            assertTrue(refused.size() >= 1, "refused: " + refused);
            assertEquals(expected.base(), actual.base(), 1e-5);
            assertEquals(expected.changedHeadTokens(), actual.changedHeadTokens());
            for (int l = 0; l < expected.scores().length; l++) {
                for (int h = 0; h < expected.scores()[l].length; h++) {
                    assertEquals(expected.scores()[l][h], actual.scores()[l][h], 1e-5, l + "," + h);
                }
            }
            assertEquals(progress.stream().sorted().toList(), progress);
            long all = new AblationSweep(tiny.scorer, PositionScope.CLOSING, false).work(attacks.size());
            assertEquals(all, progress.getLast());
        }
    }

    private static AblationSweep.Result sweep(TinyCliff tiny, List<ProbeText> attacks, List<Long> progress) {
        AblationSweep sweep = new AblationSweep(tiny.scorer, PositionScope.CLOSING, false);
        return sweep.run(attacks, sweep.emptyMask(), progress::add);
    }

    @Test
    void tracesAreTheSame() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 8);
        List<RefusalTrace> expected;
        try (TinyCliff tiny = new TinyCliff(BATCH)) {
            expected = tiny.scorer.traces(attacks, Plateau.MAX, n -> {});
        }
        try (TinyCliff tiny = new TinyCliff(limited("passing cache", 300), BATCH)) {
            List<RefusalTrace> actual = tiny.scorer.traces(attacks, Plateau.MAX, n -> {});
            assertTrue(refused.size() >= 1, "refused: " + refused);
            assertEquals(expected.size(), actual.size());
            for (int i = 0; i < expected.size(); i++) {
                assertEquals(expected.get(i).id(), actual.get(i).id());
                assertEquals(expected.get(i).finalScore(), actual.get(i).finalScore(), 1e-5);
            }
        }
    }

    @Test
    void generationIsTheSame() {
        List<Generator.Prompt> prompts = new ArrayList<>();
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 6);
        for (int i = 0; i < attacks.size(); i++) {
            prompts.add(new Generator.Prompt(i, attacks.get(i).ids(), ProbeScorer.span(attacks.get(i))));
        }
        List<String> expected;
        try (TinyCliff tiny = new TinyCliff(BATCH)) {
            expected = generate(tiny, prompts);
        }
        try (TinyCliff tiny = new TinyCliff(limited("cache", 250), BATCH)) {
            assertEquals(expected, generate(tiny, prompts));
            assertTrue(refused.size() >= 1, "refused: " + refused);
        }
    }

    private static List<String> generate(TinyCliff tiny, List<Generator.Prompt> prompts) {
        List<String> texts = new ArrayList<>();
        new Generator(tiny.forward, null, Generator.Closing.NONE, Sampling.GREEDY, 6, true)
                .generate(
                        prompts,
                        (prompt, continuation) ->
                                texts.add(prompt.number() + " " + Arrays.toString(continuation.tokens())));
        return texts;
    }

    /** The feed-forward of tiny-cliff is 512 wide: room for 300 tokens of its two halves. */
    @Test
    void aRunBeginsWithSmallerBatchesWhereTheFirstHasNoRoom() {
        try (Device device = limited("gate and up", 300L * 1024);
                Model model = Model.load(TinyCliff.FOLDER, device, l -> {})) {
            try (ForwardPass forward = new ForwardPass(model, BATCH, 200)) {
                assertEquals(256, forward.maxTokens());
                assertEquals(List.of("gate and up", "gate and up"), refused);
            }
            DeviceMemoryException e =
                    assertThrows(DeviceMemoryException.class, () -> new ForwardPass(model, BATCH, 257));
            assertEquals(
                    "no room for 'gate and up' (a batch of 512 tokens was too much, and the fewest allowed are 257)",
                    e.getMessage());
            e = assertThrows(DeviceMemoryException.class, () -> new ForwardPass(model, BATCH));
            assertEquals("no room for 'gate and up'", e.getMessage());
        }
    }

    @Test
    void whenNothingFitsTheMessageSaysSo() {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, 2);
        try (TinyCliff tiny = new TinyCliff(limited("sweep", 1), BATCH)) {
            DeviceMemoryException e =
                    assertThrows(DeviceMemoryException.class, () -> sweep(tiny, attacks, new ArrayList<>()));
            assertTrue(e.getMessage().startsWith("no room for 'sweep"), e.getMessage());
            assertTrue(e.getMessage().contains("it is the longest text that has no room"), e.getMessage());
        }
    }
}
