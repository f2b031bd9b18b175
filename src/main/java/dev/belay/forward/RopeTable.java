package dev.belay.forward;

import dev.belay.device.Device;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.TokenLayout;
import dev.belay.model.Rope;
import java.util.ArrayList;
import java.util.List;

/**
 * Cosines and sines of a rotary embedding on the device, a row of R for each position: cosines in the first half, sines in the second.
 * Where the frequencies depend on the length of the text, the rows of each variant are behind those of another.
 */
final class RopeTable implements AutoCloseable {
    /** Variants that are kept before the table begins anew. */
    private static final int MOST_VARIANTS = 32;

    private final Device device;
    private final Rope rope;
    private final List<Integer> variants = new ArrayList<>();
    /** A length of text for each variant. */
    private final List<Integer> lengths = new ArrayList<>();

    private DeviceBuffer table;
    private int positions;

    RopeTable(Device device, Rope rope) {
        this.device = device;
        this.rope = rope;
    }

    /** The table with the angles of every token; tells the layout where they are. A row's text is as long as its last token says. */
    DeviceBuffer covering(TokenLayout layout) {
        int longest = 1;
        for (int r = 0; r < layout.rows(); r++) {
            longest = Math.max(longest, length(layout, r));
        }
        boolean known = table != null && longest <= positions;
        if (rope.scaling().dependsOnLength()) {
            known &= knows(layout);
        } else if (variants.isEmpty()) {
            add(1);
        }
        if (!known) {
            grow(longest <= positions ? positions : Math.max(longest, Math.max(512, 2 * positions)));
        }
        if (rope.scaling().dependsOnLength()) {
            for (int r = 0; r < layout.rows(); r++) {
                layout.angleStart(r, positions * variants.indexOf(rope.scaling().variant(length(layout, r))));
            }
        }
        return table;
    }

    private static int length(TokenLayout layout, int r) {
        return layout.rowStart(r) == layout.rowEnd(r) ? 1 : layout.position(layout.rowEnd(r) - 1) + 1;
    }

    /** Whether the table has the variant of each row; makes sure that the next one does. */
    private boolean knows(TokenLayout layout) {
        boolean all = true;
        if (variants.size() > MOST_VARIANTS) {
            variants.clear();
            lengths.clear();
            all = false;
        }
        for (int r = 0; r < layout.rows(); r++) {
            int length = length(layout, r);
            if (!variants.contains(rope.scaling().variant(length))) {
                add(length);
                all = false;
            }
        }
        return all;
    }

    private void add(int length) {
        variants.add(rope.scaling().variant(length));
        lengths.add(length);
    }

    private void grow(int size) {
        int width = rope.size();
        close();
        table = device.allocate("rotary table", (long) variants.size() * width * size);
        float[] values = new float[width * size];
        for (int v = 0; v < variants.size(); v++) {
            fill(values, rope.scaling().frequencies(rope.theta(), width, lengths.get(v)), size);
            table.write((long) v * values.length, values, 0, values.length);
        }
        positions = size;
    }

    private void fill(float[] values, double[] frequencies, int size) {
        int half = frequencies.length;
        float magnitude = (float) rope.scaling().magnitude();
        for (int p = 0; p < size; p++) {
            int row = 2 * half * p;
            for (int i = 0; i < half; i++) {
                // As transformers does: the angle is a float32 product of a float32 frequency.
                float angle = (float) frequencies[i] * p;
                values[row + i] = (float) StrictMath.cos(angle) * magnitude;
                values[row + half + i] = (float) StrictMath.sin(angle) * magnitude;
            }
        }
    }

    @Override
    public void close() {
        if (table != null) {
            table.close();
            table = null;
            positions = 0;
        }
    }
}
