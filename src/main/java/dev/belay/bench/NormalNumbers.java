package dev.belay.bench;

import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.stream.LongStream;

/**
 * Normally distributed bfloat16 numbers, fast and the same on every machine: a table of the {@value #QUANTILES} quantiles of the
 * distribution, from which random bits pick. Number i of a key does not depend on what else is asked for.
 */
final class NormalNumbers {
    private static final int QUANTILES = 1 << 16;
    private static final int BLOCK = 1 << 18;
    /** Numbers that one 64-bit word picks. */
    private static final int PER_WORD = Long.SIZE / 16;

    private static final long GOLDEN = 0x9E3779B97F4A7C15L;
    private static final ValueLayout.OfShort LITTLE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final short[] table = new short[QUANTILES];

    NormalNumbers(double mean, double deviation) {
        for (int i = 0; i < QUANTILES; i++) {
            double value = mean + deviation * quantile((i + 0.5) / QUANTILES);
            table[i] = TensorValues.floatToBfloat16((float) value);
        }
    }

    /**
     * Fills {@code target} with numbers {@code first}, {@code first + 1}, ... of a key, with all processors.
     *
     * @param first a multiple of {@value #PER_WORD}
     */
    void fill(MemorySegment target, long key, long first) {
        long count = target.byteSize() / Short.BYTES;
        LongStream.range(0, Math.ceilDiv(count, BLOCK)).parallel().forEach(block -> {
            long end = Math.min(count, (block + 1) * BLOCK);
            for (long i = block * BLOCK; i < end; i += PER_WORD) {
                long bits = mix(key + GOLDEN * ((first + i) / PER_WORD + 1));
                for (long n = i; n < Math.min(end, i + PER_WORD); n++) {
                    target.set(LITTLE, n * Short.BYTES, table[(int) bits & QUANTILES - 1]);
                    bits >>>= 16;
                }
            }
        });
    }

    /** A key for a seed and a name. */
    static long key(long seed, String name) {
        long key = mix(seed + GOLDEN);
        for (int i = 0; i < name.length(); i++) {
            key = mix(key + GOLDEN + name.charAt(i));
        }
        return key;
    }

    /** The output function of SplitMix64 (Steele, Lea, Flood 2014). */
    private static long mix(long z) {
        z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }

    /** The number below which a standard normal one is with probability p; Hastings' approximation, to 4.5e-4 (Abramowitz 26.2.23). */
    private static double quantile(double p) {
        if (p > 0.5) {
            return -quantile(1 - p);
        }
        double t = Math.sqrt(-2 * StrictMath.log(p));
        return (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    }
}
