package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.DType;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.HostMatrix;
import dev.belay.device.Sampling;
import dev.belay.device.TokenLayout;
import dev.belay.device.cpu.OpData;
import dev.belay.forward.Batch;
import dev.belay.forward.ForwardPass;
import dev.belay.forward.Generator;
import dev.belay.forward.Golden;
import dev.belay.forward.Hooks;
import dev.belay.forward.KvCache;
import dev.belay.forward.LogLikelihoods;
import dev.belay.hooks.ActivationCapture;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.HeadScales;
import dev.belay.hooks.HookReport;
import dev.belay.hooks.PositionScope;
import dev.belay.hooks.TextSpan;
import dev.belay.model.LayerKind;
import dev.belay.model.Model;
import dev.belay.model.ModelConfig;
import dev.belay.weights.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the CUDA device promises beyond its numbers: launches, waits and copies are counted, graphs change no bit, and memory that runs
 * out is told. Its numbers are those of the tests of all devices, which run with {@code -Dbelay.device=cuda}.
 */
class CudaDeviceTest {
    @BeforeAll
    static void needsADevice() {
        CudaAvailability availability = CudaAvailability.get();
        TestKernels.require(availability.available(), availability.reason());
    }

    /** A small model on a CUDA device of its own. */
    private static final class Opened implements AutoCloseable {
        private final CudaDevice device;
        private final Model model;
        private final ForwardPass forward;

        Opened(Path folder, DType dtype, int tokens) {
            device = CudaDevice.open(dtype, "cuda:0");
            model = Model.load(folder, device, l -> {});
            forward = new ForwardPass(model, tokens);
        }

        static Opened llama(DType dtype) {
            return of("llama", dtype);
        }

        static Opened of(String family, DType dtype) {
            return new Opened(Golden.path("families/" + family), dtype, 256);
        }

        /** Launches of a decode step in all layers: nine, and four more where there are experts. */
        long launchesInLayers() {
            return 9L * config().layers()
                    + 4 * config().kinds().stream().filter(LayerKind::experts).count();
        }

        ModelConfig config() {
            return model.config();
        }

        int[] text(int seed, int tokens) {
            return new Random(seed).ints(tokens, 5, config().vocabulary()).toArray();
        }

        /** The tokens that three texts go on with, and then the logits of the last step. */
        float[] generate(int tokens, Sampling sampling) {
            List<Generator.Prompt> prompts = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                prompts.add(new Generator.Prompt(i, text(i, 4 + 7 * i), TextSpan.plain(4 + 7 * i)));
            }
            List<Integer> chosen = new ArrayList<>();
            new Generator(forward, null, Generator.Closing.NONE, sampling, tokens, true)
                    .generate(prompts, (prompt, continuation) -> {
                        for (int token : continuation.tokens()) {
                            chosen.add(token);
                        }
                    });
            float[] result = new float[3 * config().vocabulary() + chosen.size()];
            forward.logits(3).read(0, result, 0, 3 * config().vocabulary());
            for (int i = 0; i < chosen.size(); i++) {
                result[3 * config().vocabulary() + i] = chosen.get(i);
            }
            return result;
        }

        @Override
        public void close() {
            forward.close();
            model.close();
            device.close();
        }
    }

    @ParameterizedTest
    @CsvSource({"llama, F32", "llama, BF16", "qwen3-moe, F32", "qwen3-moe, BF16", "moe-mixed, BF16"})
    void graphsGiveTheBitsOfSingleLaunches(String family, DType dtype) {
        Sampling warm = new Sampling(1.3f, 20, 0.95f, 7);
        float[] single;
        System.setProperty(CudaQueue.GRAPHS_PROPERTY, "false");
        try (Opened m = Opened.of(family, dtype)) {
            single = m.generate(24, warm);
            assertEquals(0, m.device.queue().graphLaunches());
        } finally {
            System.clearProperty(CudaQueue.GRAPHS_PROPERTY);
        }
        for (int run = 0; run < 2; run++) {
            try (Opened m = Opened.of(family, dtype)) {
                assertArrayEquals(single, m.generate(24, warm), "run " + run);
                // Not the first step, which reads the prompts, and not the two that come before a list of commands is
                // known well.
                assertTrue(
                        m.device.queue().graphLaunches() >= 20,
                        "graphs: " + m.device.queue().graphLaunches());
            }
        }
    }

    /** A workspace for one token at a time: three launches of attention a layer instead of one, and the same bits. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void aSmallWorkspaceChangesNoBit(DType dtype) {
        float[] expected;
        long launches;
        try (Opened m = Opened.llama(dtype)) {
            expected = m.generate(6, Sampling.GREEDY);
            launches = m.device.queue().launches();
        }
        try (Opened m = Opened.llama(dtype)) {
            m.device.boundPartialSums(1);
            assertArrayEquals(expected, m.generate(6, Sampling.GREEDY));
            assertTrue(m.device.queue().launches()
                    >= launches + 5L * 2 * m.config().layers());
        }
    }

    /**
     * Nine launches a layer, or 13; embedding, final norm, its rounding, the logits and the choice besides; one wait; four bytes a text.
     */
    @ParameterizedTest
    @CsvSource({
        "llama, F32",
        "llama, BF16",
        "llama-bias, F32",
        "llama-bias, BF16",
        "qwen3-moe, F32",
        "qwen3-moe, BF16",
        "moe-mixed, F32"
    })
    void aDecodeStepHasItsBudget(String family, DType dtype) {
        try (Opened m = Opened.of(family, dtype)) {
            CudaQueue queue = m.device.queue();
            m.generate(4, Sampling.GREEDY);
            long[] before = {queue.launches(), waits(queue), queue.bytesToHost()};
            m.generate(8, Sampling.GREEDY);
            long[] middle = {queue.launches(), waits(queue), queue.bytesToHost()};
            m.generate(18, Sampling.GREEDY);
            long launches = queue.launches() - middle[0] - (middle[0] - before[0]);
            long waits = waits(queue) - middle[1] - (middle[1] - before[1]);
            long bytes = queue.bytesToHost() - middle[2] - (middle[2] - before[2]);
            int steps = 10;
            assertTrue(launches <= steps * (m.launchesInLayers() + 5), launches + " launches in 10 steps");
            assertTrue(launches >= steps * m.launchesInLayers(), launches + " launches in 10 steps");
            assertEquals(steps, waits);
            assertEquals(steps * 3L * Integer.BYTES, bytes);
        }
    }

    /** Times that the host waited, for all that the device had to do or for an event. */
    private static long waits(CudaQueue queue) {
        return queue.waits() + queue.eventWaits();
    }

    /** Of choices the host gets a number a token, not the logits. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void ofChoicesOnlyScoresAreCopied(DType dtype) {
        try (Opened m = Opened.llama(dtype)) {
            long before = m.device.queue().bytesToHost();
            new LogLikelihoods(m.forward, null)
                    .of(List.of(
                            new LogLikelihoods.Question(m.text(1, 9), List.of(m.text(2, 1), m.text(3, 4))),
                            new LogLikelihoods.Question(m.text(4, 5), List.of(m.text(5, 2)))));
            assertEquals((1 + 4 + 2) * (long) Float.BYTES, m.device.queue().bytesToHost() - before);
        }
    }

    /** Four more launches where there are experts. */
    @ParameterizedTest
    @CsvSource({
        "llama, 11, false",
        "llama, 11, true",
        "llama-bias, 11, false",
        "llama-bias, 11, true",
        "qwen3-moe, 15, false",
        "qwen3-moe, 15, true"
    })
    void aPrefillHasItsBudget(String family, int most, boolean readsOnly) {
        try (Opened m = Opened.of(family, DType.BF16);
                KvCache cache = KvCache.passing(m.device, m.config(), 128)) {
            Batch batch = new Batch();
            for (int length : new int[] {17, 40, 65}) {
                batch.addText(m.text(length, length), batch.tokens(), TextSpan.plain(length));
                batch.readLast();
            }
            m.forward.embed(batch, Hooks.none());
            m.device.queue().await();
            CudaQueue queue = m.device.queue();
            long launches = queue.launches();
            long waits = queue.waits();
            m.forward.layers(batch, 0, m.config().layers(), null, cache, Hooks.none(), readsOnly);
            assertEquals(waits, queue.waits());
            long perLayer = Math.ceilDiv(queue.launches() - launches, m.config().layers());
            assertTrue(perLayer <= most && perLayer >= most - 3, perLayer + " launches a layer");
            assertEquals(0, queue.bytesToHost());
        }
    }

    /** Scaling heads and keeping norms is in the epilogue of attention, over tiles of queries and in decode. */
    @ParameterizedTest
    @CsvSource({"F32, 40", "BF16, 40", "F32, 1", "BF16, 1"})
    void keepingNormsTakesNoLaunch(DType dtype, int length) {
        try (Opened m = Opened.of("llama", dtype);
                KvCache cache = KvCache.passing(m.device, m.config(), 80)) {
            HeadMask mask = new HeadMask(m.config().layers(), m.config().heads(), PositionScope.ALL, true);
            for (int l = 0; l < m.config().layers(); l++) {
                mask.scale(l, 0, 0);
            }
            Hooks keeping = new Hooks(HeadScales.shared(mask), ActivationCapture.NONE, new HookReport());
            assertEquals(launches(m, cache, Hooks.none(), length), launches(m, cache, keeping, length));
        }
    }

    private static long launches(Opened m, KvCache cache, Hooks hooks, int length) {
        Batch batch = new Batch();
        for (int i = 0; i < 2; i++) {
            batch.addText(m.text(i, length), batch.tokens(), TextSpan.plain(length));
            batch.readLast();
        }
        m.forward.embed(batch, hooks);
        long launches = m.device.queue().launches();
        m.forward.layers(batch, 0, m.config().layers(), null, cache, hooks, false);
        m.device.queue().await();
        return m.device.queue().launches() - launches;
    }

    /**
     * The arrays of a layout of 110,000 tokens take 1.76 MB of the 4 MiB of staging memory, and with tiles 2.64 MB: a second time
     * these are not asked for.
     */
    @Test
    void aLayoutThatIsOnTheDeviceIsNotWaitedFor() {
        int tokens = 110_000;
        TokenLayout layout = new TokenLayout();
        layout.addRow(0, 0, 0);
        for (int t = 0; t < tokens; t++) {
            layout.addToken(t % 2, t);
        }
        try (CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                Arena arena = Arena.ofConfined();
                DeviceMatrix table = device.matrix(
                        "table",
                        List.of(new HostMatrix(
                                "table",
                                TensorType.F32,
                                arena.allocateFrom(ValueLayout.JAVA_FLOAT, 1, 2, 3, 4, 5, 6, 7, 8),
                                2,
                                4)));
                DeviceBuffer out = device.allocate("out", 4L * tokens)) {
            device.embed(table, layout, out);
            long waits = device.queue().waits();
            device.embed(table, layout, out);
            assertEquals(waits, device.queue().waits());
            float[] last = new float[8];
            out.read(4L * tokens - 8, last, 0, 8);
            assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6, 7, 8}, last);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"llama", "qwen3-moe"})
    void twoRunsGiveIdenticalBits(String family) {
        for (DType dtype : DType.values()) {
            float[] first = null;
            for (int run = 0; run < 2; run++) {
                try (Opened m = Opened.of(family, dtype);
                        KvCache cache = KvCache.passing(m.device, m.config(), 100)) {
                    Batch batch = new Batch();
                    batch.addText(m.text(1, 100), 0, TextSpan.plain(100));
                    float[] states = new float[100 * m.config().hidden()];
                    m.forward
                            .run(batch, m.config().layers(), cache, Hooks.none(), false)
                            .read(0, states, 0, states.length);
                    if (run == 0) {
                        first = states;
                    }
                    assertArrayEquals(first, states, dtype + ", run " + run);
                }
            }
        }
    }

    /** A probe after the final norm is one launch, with the bits of the two that it stands for. */
    @Test
    void normAndProbeAreOneLaunch() {
        int tokens = 5;
        int width = 260;
        int count = 3;
        try (CudaDevice device = CudaDevice.open(DType.BF16, "cuda:0");
                CudaBuffer x = device.allocate("x", tokens * width);
                CudaBuffer norm = device.allocate("norm", width);
                CudaBuffer vectors = device.allocate("vectors", count * width);
                CudaBuffer normed = device.allocate("normed", tokens * width)) {
            x.write(0, OpData.outliers(1, tokens, width), 0, tokens * width);
            norm.write(0, OpData.normal(2, width), 0, width);
            vectors.write(0, OpData.normal(3, count * width), 0, count * width);
            float[] expected = new float[tokens * count];
            device.rmsNorm(x, norm, 1e-5f, tokens, width, normed);
            device.dot(normed, vectors, tokens, width, count, expected).await();
            long launches = device.queue().launches();
            float[] actual = new float[tokens * count];
            device.normedDot(x, norm, 1e-5f, normed, vectors, tokens, width, count, actual)
                    .await();
            assertEquals(launches + 1, device.queue().launches());
            assertArrayEquals(expected, actual);
        }
    }

    @Test
    void memoryThatRunsOutIsTold() {
        try (CudaDevice device = CudaDevice.open(DType.F32, "cuda")) {
            DeviceMemoryException e =
                    assertThrows(DeviceMemoryException.class, () -> device.allocate("a huge one", 1L << 45));
            assertTrue(e.getMessage().contains("a huge one"), e.getMessage());
            assertTrue(e.getMessage().contains("CUDA_ERROR_OUT_OF_MEMORY"), e.getMessage());
            assertTrue(e.getMessage().contains("lower --batch-tokens"), e.getMessage());
            // The device goes on.
            try (CudaBuffer buffer = device.allocate("a small one", 3)) {
                buffer.write(0, new float[] {1, 2, 3}, 0, 3);
                float[] back = new float[3];
                buffer.read(0, back, 0, 3);
                assertArrayEquals(new float[] {1, 2, 3}, back);
            }
        }
    }

    @Test
    void closedBuffersAreNamed() {
        try (CudaDevice device = CudaDevice.open(DType.BF16, "cuda")) {
            CudaBuffer gone = device.allocateRounded("gone", 64);
            gone.close();
            gone.close();
            float[] values = new float[64];
            DeviceException e = assertThrows(DeviceException.class, () -> gone.read(0, values, 0, 64));
            assertEquals("buffer 'gone' is closed", e.getMessage());
        }
    }

    /** What a freed buffer leaves is given out again. */
    @Test
    void memoryIsReused() {
        try (CudaDevice device = CudaDevice.open(DType.F32, "cuda")) {
            long address;
            try (CudaBuffer first = device.allocate("first", 100_000)) {
                address = first.address();
            }
            try (CudaBuffer second = device.allocate("second", 90_000);
                    CudaBuffer third = device.allocate("third", 90_000)) {
                assertEquals(address, second.address());
                assertTrue(third.address() != address);
            }
        }
    }

    /** bfloat16 buffers round to nearest, ties to even; more numbers than one copy takes. */
    @Test
    void copiesConvert() {
        try (CudaDevice device = CudaDevice.open(DType.BF16, "cuda");
                CudaBuffer wide = device.allocate("wide", 700_001);
                CudaBuffer narrow = device.allocateRounded("narrow", 700_001)) {
            Random random = new Random(3);
            float[] values = new float[700_000];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextFloat();
            }
            values[0] = 1 + 0x1p-8f;
            values[1] = 1 + 3 * 0x1p-8f;
            wide.write(1, values, 0, values.length);
            narrow.write(1, values, 0, values.length);
            float[] back = new float[values.length];
            wide.read(1, back, 0, back.length);
            assertArrayEquals(values, back);
            narrow.read(1, back, 0, back.length);
            assertEquals(1f, back[0]);
            assertEquals(1 + 0x1p-6f, back[1]);
            for (int i = 2; i < back.length; i++) {
                assertEquals(values[i], back[i], values[i] * 0x1p-8f);
            }
        }
    }
}
