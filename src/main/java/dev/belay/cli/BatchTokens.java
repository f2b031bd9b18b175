package dev.belay.cli;

import dev.belay.BelayException;
import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.cpu.CpuDevice;
import java.util.function.IntToDoubleFunction;
import java.util.function.IntToLongFunction;

/**
 * How many tokens a batch has. Where {@code --batch-tokens} does not say, they are {@value #USUAL}, or half as many, and so on, where the
 * memory that is free has no room for them; in a long run those of doubled and halved ones that fit and that are clearly fastest.
 */
final class BatchTokens {
    /** Tokens of a batch where nothing speaks for another number. */
    static final int USUAL = 2048;

    private static final int MOST = 16 * USUAL;
    private static final int LEAST_TIMED = USUAL / 4;
    /** Of the memory that is free beside the weights, what is not left to others. */
    private static final double SHARE = 0.8;
    /** What is not faster by this factor is not taken: measured times differ by a few per cent from run to run. */
    private static final double FASTER = 1.1;

    private final IntToLongFunction needed;
    private final long weights;
    private final long free;
    private final long heapBytesPerToken;

    /**
     * @param needed bytes that a model and batches of a number of tokens need
     * @param free bytes that there are for both
     * @param heapBytesPerToken bytes on the Java heap for each token of a batch
     */
    BatchTokens(IntToLongFunction needed, long free, long heapBytesPerToken) {
        this.needed = needed;
        weights = needed.applyAsLong(1);
        this.free = free;
        this.heapBytesPerToken = heapBytesPerToken;
    }

    /**
     * The number that was asked for.
     *
     * @throws BelayException if there is no room; names a number that there is room for
     */
    int asked(int tokens, Device device) {
        if (needed.applyAsLong(tokens) <= free) {
            return tokens;
        }
        int most = Integer.highestOneBit(tokens);
        int fits = fitting(most == tokens ? tokens / 2 : most);
        throw fits == 0
                ? nothingFits(device)
                : new BelayException("--batch-tokens " + tokens + " needs " + size(needed.applyAsLong(tokens))
                        + " with the model, " + size(free) + " are free: use --batch-tokens " + fits);
    }

    /**
     * The usual number, or fewer where there is no room.
     *
     * @throws BelayException if there is no room for any batch
     */
    int usual(Device device) {
        int fits = fitting(USUAL);
        if (fits == 0) {
            throw nothingFits(device);
        }
        return fits;
    }

    /** {@code most}, or half as many, and so on, so that they fit; 0 if nothing does. */
    private int fitting(int most) {
        int tokens = most;
        while (tokens > 0 && !fits(tokens)) {
            tokens /= 2;
        }
        return tokens;
    }

    private boolean fits(int tokens) {
        return needed.applyAsLong(tokens) - weights <= SHARE * (free - weights)
                && (double) heapBytesPerToken * tokens <= SHARE * freeHeap();
    }

    private static long freeHeap() {
        Runtime java = Runtime.getRuntime();
        return java.maxMemory() - java.totalMemory() + java.freeMemory();
    }

    /**
     * The fastest number, from {@code usual} on: doubled while that is faster, or else halved while that is.
     *
     * @param speed tokens a second in batches of a number of tokens
     */
    int fastest(int usual, IntToDoubleFunction speed) {
        double first = speed.applyAsDouble(usual);
        int best = usual;
        double fastest = first;
        for (int more = 2 * usual; more <= MOST && fits(more); more *= 2) {
            double now = speed.applyAsDouble(more);
            if (now < FASTER * fastest) {
                break;
            }
            best = more;
            fastest = now;
        }
        for (int less = usual / 2; best <= usual && less >= LEAST_TIMED; less /= 2) {
            double now = speed.applyAsDouble(less);
            if (now < FASTER * fastest) {
                break;
            }
            best = less;
            fastest = now;
        }
        return best;
    }

    private BelayException nothingFits(Device device) {
        String what = "the model and a batch of one token need " + size(weights) + ", " + size(free) + " are free: ";
        if (!(device instanceof CpuDevice)) {
            return new BelayException(what + "use --device cpu, or a GPU with more memory");
        }
        return new BelayException(
                what + (device.dtype() == DType.F32 ? "use --dtype bf16, or " : "use ") + "a machine with more memory");
    }

    private static String size(long bytes) {
        return InfoCommand.size(bytes);
    }
}
