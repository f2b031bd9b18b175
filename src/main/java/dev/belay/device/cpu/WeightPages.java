package dev.belay.device.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * Reads words of weights before they are multiplied. A processor that sees one load after the other asks for the lines that follow by
 * itself, but not beyond a page, and what is multiplied between two loads keeps it from seeing that far: it would wait at the start of
 * each page. Methods return what was read, for the caller to keep, so that the compiler does not leave the reading out.
 */
final class WeightPages {
    /** How far behind each other reading stops by itself, even in huge pages. */
    static final int BYTES = 4096;

    private static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED;

    private WeightPages() {}

    /** Reads the word at address {@code at}, or the one at {@code last} if that comes before it. */
    static int touch(long at, long last) {
        return MEMORY.get(WORD, Math.min(at, last));
    }

    /** Reads a word every page. */
    static int touchAll(long from, long bytes) {
        int sum = 0;
        for (long at = 0; at < bytes; at += BYTES) {
            sum += MEMORY.get(WORD, from + at);
        }
        return sum;
    }
}
