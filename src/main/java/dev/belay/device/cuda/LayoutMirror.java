package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.TokenLayout;
import java.lang.foreign.MemorySegment;

/** The arrays of a {@link TokenLayout} on the device, sent anew when the layout has changed. */
final class LayoutMirror {
    /** Fewest keys that a launch of decode attention is made for; then powers of two, so that a graph serves many steps. */
    private static final int FEWEST_KEYS = 256;

    private final CudaStaging staging;
    private TokenLayout layout;
    private long changes;
    private long generation = -1;
    private long address;
    private long tiles;
    private int tileCount;
    private int tilesWindow;
    private int longest;

    LayoutMirror(CudaStaging staging) {
        this.staging = staging;
    }

    /** Bytes of staging memory that {@link #of} and {@link #tiles} may take for a layout. */
    static long bytes(TokenLayout layout) {
        return (5L * layout.tokens() + 4L * layout.rows() + 32) * Integer.BYTES + tileBytes(layout);
    }

    /** Bytes of staging memory that {@link #tiles} alone may take. */
    static long tileBytes(TokenLayout layout) {
        return (2L * layout.tokens() + 32) * Integer.BYTES;
    }

    /** Whether it holds {@code layout}, of now or of before. */
    boolean holds(TokenLayout layout) {
        return this.layout == layout;
    }

    /** Whether it holds {@code layout} as it is now. */
    boolean current(TokenLayout layout) {
        return holds(layout) && changes == layout.changes() && generation == staging.generation();
    }

    /** Makes the arrays those of {@code layout}. */
    LayoutMirror of(TokenLayout layout) {
        if (!current(layout)) {
            send(layout);
        }
        return this;
    }

    private void send(TokenLayout layout) {
        this.layout = layout;
        int tokens = layout.tokens();
        int rows = layout.rows();
        long bytes = (5L * tokens + 4L * rows + 1) * Integer.BYTES;
        generation = -1;
        long place = staging.reserve(bytes);
        MemorySegment host = staging.host(place, bytes);
        longest = 0;
        for (int t = 0; t < tokens; t++) {
            host.setAtIndex(JAVA_INT, t, layout.id(t));
            host.setAtIndex(JAVA_INT, tokens + t, layout.position(t));
            host.setAtIndex(JAVA_INT, 2L * tokens + t, layout.slot(t));
            host.setAtIndex(JAVA_INT, 3L * tokens + t, layout.row(t));
            host.setAtIndex(JAVA_INT, 4L * tokens + t, layout.angles(t));
            longest = Math.max(longest, layout.position(t) + 1);
        }
        long perRow = 5L * tokens;
        for (int r = 0; r < rows; r++) {
            host.setAtIndex(JAVA_INT, perRow + r, layout.prefixStart(r));
            host.setAtIndex(JAVA_INT, perRow + rows + r, layout.prefixLength(r));
            host.setAtIndex(JAVA_INT, perRow + 2L * rows + r, layout.ownStart(r));
            host.setAtIndex(JAVA_INT, perRow + 3L * rows + r, layout.rowStart(r));
        }
        host.setAtIndex(JAVA_INT, perRow + 4L * rows, tokens);
        address = staging.send(place, bytes);
        tiles = 0;
        changes = layout.changes();
        generation = staging.generation();
    }

    private long at(long index) {
        return address + index * Integer.BYTES;
    }

    long ids() {
        return at(0);
    }

    long positions() {
        return at(layout.tokens());
    }

    long slots() {
        return at(2L * layout.tokens());
    }

    long rowOfToken() {
        return at(3L * layout.tokens());
    }

    /** Rows of the rotary table. */
    long angles() {
        return at(4L * layout.tokens());
    }

    long prefixStart() {
        return at(5L * layout.tokens());
    }

    long prefixLength() {
        return at(5L * layout.tokens() + layout.rows());
    }

    long ownStart() {
        return at(5L * layout.tokens() + 2L * layout.rows());
    }

    /** First token of each row, and one past the last of the last. */
    long rowStart() {
        return at(5L * layout.tokens() + 3L * layout.rows());
    }

    /** The tiles of attention, see {@link AttentionTiles}; call before {@link #tileCount}. */
    long tiles(int window) {
        if (tiles == 0 || tilesWindow != window) {
            int[] pairs = AttentionTiles.of(layout, window);
            tiles = staging.ints(pairs, pairs.length);
            tileCount = pairs.length / 2;
            tilesWindow = window;
        }
        return tiles;
    }

    /** Number of tiles. */
    int tileCount() {
        return tileCount;
    }

    /** A bound on the keys that a token sees, the same for many steps. */
    int keysBound() {
        int bound = FEWEST_KEYS;
        while (bound < longest) {
            bound *= 2;
        }
        return bound;
    }
}
