package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.cliff.AblationSweep;
import dev.belay.cliff.TinyCliff;
import dev.belay.device.DType;
import dev.belay.hooks.HeadMask;
import dev.belay.hooks.PositionScope;
import dev.belay.model.ModelConfig;
import dev.belay.text.ProbeText;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** An ablation sweep of tiny-cliff on the CUDA device: graphs, copies and waits. Its numbers are those of the tests of all devices. */
class CudaSweepTest {
    /** Two attacks of up to 80 tokens: with all their tokens changed, a batch holds a head or two. */
    private static final int BATCH = 320;

    private static final int TEXTS = 2;

    @BeforeAll
    static void needsADevice() {
        CudaAvailability availability = CudaAvailability.get();
        TestKernels.require(availability.available(), availability.reason());
    }

    /** What a sweep gave and what it took. */
    private record Swept(
            AblationSweep.Result result, long graphs, long launches, long bytesToHost, long waits, int batches) {
        /** All scores, and the one without ablation. */
        double[] scores() {
            Stream<double[]> rows = Stream.of(result.scores());
            return Stream.concat(Stream.of(new double[] {result.base()}), rows)
                    .flatMapToDouble(row -> Arrays.stream(row))
                    .toArray();
        }
    }

    private static Swept sweep(DType dtype, PositionScope scope, boolean renormalize, boolean graphs) {
        System.setProperty(CudaQueue.GRAPHS_PROPERTY, Boolean.toString(graphs));
        CudaDevice device = CudaDevice.open(dtype, "cuda:0");
        CudaQueue queue = device.queue();
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, TEXTS);
        try (TinyCliff tiny = new TinyCliff(device, BATCH)) {
            AblationSweep sweep = new AblationSweep(tiny.scorer, scope, renormalize);
            HeadMask chosen = sweep.emptyMask();
            chosen.scale(0, 5, 0.5f);
            long launches = queue.launches();
            long bytes = queue.bytesToHost();
            long waits = queue.waits();
            AtomicInteger batches = new AtomicInteger();
            AblationSweep.Result result = sweep.run(attacks, chosen, n -> batches.incrementAndGet());
            return new Swept(
                    result,
                    queue.graphLaunches(),
                    queue.launches() - launches,
                    queue.bytesToHost() - bytes,
                    queue.waits() - waits,
                    batches.get());
        } finally {
            System.clearProperty(CudaQueue.GRAPHS_PROPERTY);
        }
    }

    /**
     * What is above the last layer that heads join is one graph where it comes again. Here four batches end in each layer: one with heads
     * of two layers, one that is the first of its kind, and two that repeat that.
     */
    @Test
    void graphsAndASecondRunGiveTheBitsOfSingleLaunches() {
        Swept single = sweep(DType.BF16, PositionScope.ALL, false, false);
        assertEquals(0, single.graphs());
        for (int run = 0; run < 2; run++) {
            Swept graphs = sweep(DType.BF16, PositionScope.ALL, false, true);
            assertArrayEquals(single.scores(), graphs.scores(), "run " + run);
            assertEquals(single.launches(), graphs.launches());
            assertEquals(20, graphs.batches());
            assertEquals(graphs.batches() / 2, graphs.graphs(), "graphs started");
        }
    }

    /** The host waits for the scores of a batch of heads, not for its layers: it makes the lists of the next while the device computes. */
    @ParameterizedTest
    @EnumSource(
            value = PositionScope.Kind.class,
            names = {"ALL", "CLOSING"})
    void aBatchIsWaitedForOnce(PositionScope.Kind kind) {
        PositionScope scope = kind == PositionScope.Kind.ALL ? PositionScope.ALL : PositionScope.CLOSING;
        Swept swept = sweep(DType.BF16, scope, false, true);
        // And for the run without ablation.
        assertTrue(swept.waits() <= swept.batches() + 1, swept.waits() + " waits in " + swept.batches() + " batches");
    }

    /** Only final scores leave the device, one for each transcript and head and one for each transcript without ablation. */
    @ParameterizedTest
    @CsvSource({"F32, false", "BF16, false", "F32, true", "BF16, true"})
    void onlyFinalScoresAreCopiedToTheHost(DType dtype, boolean renormalize) {
        Swept swept = sweep(dtype, PositionScope.CLOSING, renormalize, true);
        int heads = swept.result().scores().length * swept.result().scores()[0].length - 1;
        assertEquals((long) Float.BYTES * TEXTS * (1 + heads), swept.bytesToHost());
    }

    /** A mask without heads changes no bit, in either type, with or without keeping the norm. */
    @ParameterizedTest
    @EnumSource(DType.class)
    void anEmptyMaskChangesNoBit(DType dtype) {
        List<ProbeText> attacks = TinyCliff.probes("attacks.jsonl").subList(0, TEXTS);
        try (TinyCliff tiny = new TinyCliff(CudaDevice.open(dtype, "cuda:0"), BATCH)) {
            ModelConfig config = tiny.forward.model().config();
            List<double[]> scores = new ArrayList<>();
            for (HeadMask mask : new HeadMask[] {
                null,
                new HeadMask(config.layers(), config.heads(), PositionScope.ALL, false),
                new HeadMask(config.layers(), config.heads(), PositionScope.CLOSING, true)
            }) {
                scores.add(tiny.scorer.finalScores(attacks, mask, n -> {}).scores());
            }
            assertArrayEquals(scores.get(0), scores.get(1));
            assertArrayEquals(scores.get(0), scores.get(2));
        }
    }
}
