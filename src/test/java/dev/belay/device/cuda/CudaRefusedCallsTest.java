package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.device.AttentionShape;
import dev.belay.device.DType;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.device.HeadScaleTable;
import dev.belay.device.KeyValues;
import dev.belay.device.SoftCuda;
import dev.belay.device.TokenLayout;
import dev.belay.device.cpu.OpData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the device does when the driver refuses a call that it can do without: on softcuda, in processes of their own, where calls fail. */
class CudaRefusedCallsTest {
    private static final int LISTS = 4;
    private static final int TIMES = 5;
    private static final int WIDTH = 128;

    /** What each graph holds, 1 MiB, and the memory of a device where four of them count. */
    private static final Map<String, String> GRAPHS_HOLD_MEMORY =
            Map.of("SOFTCUDA_GRAPH", "1M", "SOFTCUDA_MEMORY", "16M");

    private static final long GRAPH_BYTES = 1 << 20;

    @TempDir
    private Path folder;

    /** Adds 1 to each of {@link #LISTS} rows {@link #TIMES} times, in sequences that differ by row; says what became of it. */
    static final class Program {
        private Program() {}

        /** Takes the number of float32 to allocate in the end, or 0. */
        public static void main(String[] args) {
            try (CudaContext context = CudaContext.open(0)) {
                long free = CudaMemoryInfo.ofCurrent().free();
                CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                try (CudaBuffer x = device.allocate("x", LISTS * WIDTH);
                        CudaBuffer one = device.allocate("one", WIDTH)) {
                    float[] values = new float[LISTS * WIDTH];
                    x.write(0, values, 0, values.length);
                    Arrays.fill(values, 1);
                    one.write(0, values, 0, WIDTH);
                    add(device, x, one, TIMES - 1);
                    int more = Integer.parseInt(args[0]);
                    if (more > 0) {
                        device.allocate("more", more).close();
                    }
                    add(device, x, one, 1);
                    x.read(0, values, 0, values.length);
                    for (float value : values) {
                        if (value != TIMES) {
                            throw new AssertionError(value + " is not " + TIMES);
                        }
                    }
                }
                System.out.println("graphs " + device.queue().graphLaunches());
                try {
                    device.close();
                    System.out.println("closed");
                } catch (DeviceException e) {
                    System.out.println(e.getMessage().replaceFirst(" failed.*", " failed"));
                }
                context.synchronize();
                System.out.println("lost " + (free - CudaMemoryInfo.ofCurrent().free()));
            }
        }

        private static void add(CudaDevice device, CudaBuffer x, CudaBuffer one, int times) {
            for (int i = 0; i < times; i++) {
                for (int row = 0; row < LISTS; row++) {
                    long offset = (long) row * WIDTH;
                    device.sequence(() -> device.addBias(x, offset, 1, WIDTH, one));
                }
            }
        }
    }

    /**
     * Ablates a head of texts and keeps norms, where the first try fails for want of memory and a second follows, in no sequence; the
     * counters' memory held ones before. Says how often it failed, and whether z is what scale_heads makes of it on a device where nothing
     * fails.
     */
    static final class Norms {
        private static final int ROWS = 3;
        private static final int HEADS = 2;
        private static final int SIZE = 32;
        private static final int HIDDEN = HEADS * SIZE;

        private Norms() {}

        /** Takes the tokens of a text, and whether to run in a sequence. */
        public static void main(String[] args) {
            int each = Integer.parseInt(args[0]);
            boolean inSequence = Boolean.parseBoolean(args[1]);
            float[] actual;
            int failed = 0;
            try (CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                    Texts texts = new Texts(device, each)) {
                texts.fillWithOnes();
                Runnable work = inSequence ? () -> device.sequence(texts::attend) : texts::attend;
                try {
                    work.run();
                } catch (DeviceMemoryException e) {
                    failed++;
                    texts.attend();
                }
                actual = texts.z();
            }
            float[] expected;
            try (CudaDevice device = CudaDevice.open(DType.F32, "cuda:0");
                    Texts texts = new Texts(device, each)) {
                texts.attendPlainly();
                device.scaleHeads(texts.z, texts.scales, texts.layout.tokens(), HEADS, SIZE);
                expected = texts.z();
            }
            for (int i = 0; i < expected.length; i++) {
                if (!(Math.abs(actual[i] - expected[i]) <= 1e-5 * Math.abs(expected[i]))) {
                    throw new AssertionError("[" + i + "] is " + actual[i] + ", not " + expected[i]);
                }
            }
            System.out.println("failed " + failed);
        }

        private static final class Texts implements AutoCloseable {
            private final CudaDevice device;
            private final TokenLayout layout = new TokenLayout();
            private final HeadScaleTable scales = new HeadScaleTable();
            private final AttentionShape shape = new AttentionShape(HEADS, 1, SIZE, SIZE, 0.2f);
            private final CudaBuffer q;
            private final CudaBuffer one;
            private final KeyValues cache;
            private final CudaBuffer z;

            Texts(CudaDevice device, int each) {
                this.device = device;
                for (int r = 0; r < ROWS; r++) {
                    layout.addRow(0, 0, r * each);
                    for (int t = 0; t < each; t++) {
                        layout.addToken(0, t);
                    }
                }
                int tokens = layout.tokens();
                scales.reset(tokens, HEADS);
                scales.factor(scales.addSet(true), 1, 0);
                for (int t = 0; t < tokens; t++) {
                    scales.assign(t, 0);
                }
                q = filled("q", tokens * HIDDEN, 1);
                one = filled("one", HIDDEN, 2);
                cache = new KeyValues(filled("keys", tokens * SIZE, 3), filled("values", tokens * SIZE, 4));
                z = filled("z", tokens * HIDDEN, 5);
                device.queue().await();
            }

            private CudaBuffer filled(String name, int count, int seed) {
                CudaBuffer buffer = device.allocate(name, count);
                buffer.write(0, OpData.normal(seed, count), 0, count);
                return buffer;
            }

            /** Memory that the pool gives out next, with ones in it. */
            void fillWithOnes() {
                int count = 1 << 14;
                List<CudaBuffer> buffers = new ArrayList<>();
                for (int i = 0; i < 3; i++) {
                    CudaBuffer buffer = device.allocate("ones", count);
                    float[] ones = new float[count];
                    Arrays.fill(ones, Float.intBitsToFloat(1));
                    buffer.write(0, ones, 0, count);
                    buffers.add(buffer);
                }
                buffers.forEach(CudaBuffer::close);
            }

            /** A launch, then attention. */
            void attend() {
                device.addBias(z, 0, 1, HIDDEN, one);
                device.attention(q, layout, shape, cache, cache, 0, scales, null, z);
            }

            void attendPlainly() {
                device.attention(q, layout, shape, cache, cache, 0, null, null, z);
            }

            float[] z() {
                float[] all = new float[layout.tokens() * HIDDEN];
                z.read(0, all, 0, all.length);
                return all;
            }

            @Override
            public void close() {
                q.close();
                one.close();
                cache.close();
                z.close();
            }
        }
    }

    private record Ended(List<String> out, List<String> err) {}

    private Ended run(Map<String, String> environment, int more) throws Exception {
        return run(environment, Program.class, String.valueOf(more));
    }

    private Ended run(Map<String, String> environment, Class<?> program, String... arguments) throws Exception {
        SoftCuda.require();
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("--enable-native-access=ALL-UNNAMED");
        command.addAll(SoftCuda.options(SoftCuda.PTX, SoftCuda.PRODUCTS));
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.add(program.getName());
        command.addAll(List.of(arguments));
        Path out = folder.resolve("out");
        Path err = folder.resolve("err");
        ProcessBuilder builder =
                new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(err.toFile());
        builder.environment().putAll(environment);
        Process process = builder.start();
        assertTrue(process.waitFor(5, TimeUnit.MINUTES), "the process ends");
        Ended ended = new Ended(Files.readAllLines(out), Files.readAllLines(err));
        assertEquals(0, process.exitValue(), ended.toString());
        return ended;
    }

    private static Map<String, String> with(Map<String, String> environment, String failing) {
        Map<String, String> all = new HashMap<>(environment);
        all.put("SOFTCUDA_FAIL", failing);
        return all;
    }

    /** The first time a list comes it runs command by command. */
    private static String graphs(int times) {
        return "graphs " + LISTS * times;
    }

    @Test
    void withoutARefusalAllIsFreed() throws Exception {
        assertEquals(
                List.of(graphs(TIMES - 1), "closed", "lost 0"),
                run(GRAPHS_HOLD_MEMORY, 0).out());
    }

    /** cuBLASLt, or a driver, may not take part in graphs: the same results without, told once. */
    @ParameterizedTest
    @ValueSource(strings = {"cuStreamBeginCapture_v2=801", "cuGraphInstantiateWithFlags=801", "cuGraphLaunch=801"})
    void whatMakesNoGraphRunsWithout(String failing) throws Exception {
        Ended ended = run(with(GRAPHS_HOLD_MEMORY, failing), 0);
        assertEquals(List.of("graphs 0", "closed", "lost 0"), ended.out());
        List<String> told =
                ended.err().stream().filter(line -> line.startsWith("belay: ")).toList();
        assertEquals(1, told.size(), ended.toString());
        String call = failing.replaceFirst("(_v2)?=.*", "");
        assertTrue(told.getFirst().contains("no CUDA graph") && told.getFirst().contains(call), told.getFirst());
    }

    /** One list that makes no graph, here the second, or the first by a launch in it, does not keep the others from it. */
    @ParameterizedTest
    @ValueSource(strings = {"cuGraphInstantiateWithFlags=801@2", "cuLaunchKernel=900@5"})
    void otherListsStayGraphs(String failing) throws Exception {
        Ended ended = run(with(GRAPHS_HOLD_MEMORY, failing), 0);
        assertEquals("graphs " + (LISTS - 1) * (TIMES - 1), ended.out().getFirst());
    }

    /**
     * Counters and small arrays whose commands failed, or came behind one that failed, are not taken for what they should be. The calls:
     * zeroing the counters ({@code fill} is what softcuda calls all such functions); the launch before it; copying the layout
     * ({@code linear}), behind those of {@code Texts}.
     */
    @ParameterizedTest
    @CsvSource({"fill=2@1, false", "fill=2@1, true", "cuLaunchKernel=2@1, true", "linear=2@9, false", "linear=2@9, true"
    })
    void whatWasLostIsDoneAgain(String failing, String inSequence) throws Exception {
        for (String each : List.of("1", "3")) {
            Ended ended = run(with(Map.of(), failing), Norms.class, each, inSequence);
            assertEquals(List.of("failed 1"), ended.out());
        }
    }

    /** 4 of 16 MiB are staging memory and 4 are graphs': with those there is no room for 10 MiB, and without them there is. */
    @Test
    void graphsMakeRoom() throws Exception {
        assertEquals(
                List.of(graphs(TIMES - 2), "closed", "lost 0"),
                run(GRAPHS_HOLD_MEMORY, 10 << 18).out());
    }

    /** What cannot be freed is told, and the rest is freed. */
    @Test
    void closingGoesOn() throws Exception {
        assertEquals(
                List.of(graphs(TIMES - 1), "cuGraphExecDestroy failed", "lost " + GRAPH_BYTES),
                run(with(GRAPHS_HOLD_MEMORY, "cuGraphExecDestroy=999@1"), 0).out());
        // The blocks of 512 bytes are freed where the staging memory is not.
        assertEquals(
                List.of(graphs(TIMES - 1), "cuMemFree(4194304 bytes, staging) failed", "lost " + (4 << 20)),
                run(with(GRAPHS_HOLD_MEMORY, "cuMemFree_v2=999@1"), 0).out());
    }
}
