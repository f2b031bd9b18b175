package dev.belay.bench;

import dev.belay.device.cpu.HugePages;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;
import jdk.incubator.vector.LongVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** How fast all processors together read the machine's memory: a loop over a quarter of a gigabyte that only reads. */
final class HostMemory implements AutoCloseable {
    private static final long BYTES = 1L << 28;
    private static final long WARM_BYTES = 1 << 16;
    private static final double SECONDS = 0.3;
    private static final int LEAST_RUNS = 3;
    private static final VectorSpecies<Long> LANES = LongVector.SPECIES_PREFERRED;

    private final int threads = Runtime.getRuntime().availableProcessors();
    private final long part = BYTES / threads / LANES.vectorByteSize() * LANES.vectorByteSize();
    private final Arena arena = Arena.ofShared();
    private final MemorySegment zeros = memory();

    /** Written to: what was only read so far is one page of zeros. */
    private MemorySegment memory() {
        return HugePages.allocate(arena, part * threads).fill((byte) 0);
    }

    HostMemory() {
        // Until the loop is compiled.
        Stopwatch.repeat(() -> sum(zeros.asSlice(0, WARM_BYTES)), SECONDS, 1);
    }

    /** Bytes a second, of the median of some runs that together take about {@code seconds}. */
    double readRate(double seconds) {
        return part * threads / Stopwatch.median(Stopwatch.repeat(this::read, seconds, LEAST_RUNS));
    }

    /** Bytes a second, of the best of some runs. */
    static double bestReadRate() {
        try (HostMemory memory = new HostMemory()) {
            List<Double> runs = Stopwatch.repeat(memory::read, SECONDS, LEAST_RUNS);
            return memory.part * memory.threads / Collections.min(runs);
        }
    }

    private void read() {
        long sum = IntStream.range(0, threads)
                .parallel()
                .mapToLong(t -> sum(zeros.asSlice(t * part, part)))
                .sum();
        if (sum != 0) {
            throw new IllegalStateException("memory that was cleared adds up to " + sum);
        }
    }

    private static long sum(MemorySegment memory) {
        LongVector sum = LongVector.zero(LANES);
        int step = LANES.vectorByteSize();
        for (long at = 0; at < memory.byteSize(); at += step) {
            sum = sum.add(LongVector.fromMemorySegment(LANES, memory, at, ByteOrder.nativeOrder()));
        }
        return sum.reduceLanes(VectorOperators.ADD);
    }

    @Override
    public void close() {
        arena.close();
    }
}
