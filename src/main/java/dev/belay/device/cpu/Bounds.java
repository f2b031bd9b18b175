package dev.belay.device.cpu;

import dev.belay.device.AttentionShape;
import dev.belay.device.DeviceBuffer;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMatrix;
import dev.belay.device.KeyValues;
import dev.belay.device.TokenLayout;

/** Checks that what a layout points at is there, before any thread or oneDNN touches it. */
final class Bounds {
    private Bounds() {}

    /** Every token id is a row of the table. */
    static void ids(DeviceMatrix table, TokenLayout layout) {
        for (int t = 0; t < layout.tokens(); t++) {
            if (layout.id(t) < 0 || layout.id(t) >= table.rows()) {
                throw new DeviceException("embed of token id " + layout.id(t) + " is outside matrix " + table);
            }
        }
    }

    /** The columns that a product reads are inside one row of its inputs. */
    static void columns(DeviceBuffer a, int stride, int column, DeviceMatrix weights) {
        if (column < 0 || column > stride - weights.columns()) {
            throw new DeviceException("matmul of " + weights + " reads columns " + column + ".."
                    + (column + weights.columns()) + " of rows of " + stride + " in buffer '" + a.name() + "'");
        }
    }

    /** There are angles for every position. */
    static void angles(String operation, DeviceBuffer rope, TokenLayout layout, AttentionShape shape) {
        int last = -1;
        for (int t = 0; t < layout.tokens(); t++) {
            last = Math.max(last, layout.position(t));
        }
        rope.check(operation + " angles", 0, (last + 1L) * shape.rotarySize());
    }

    /** Every token's slot is in the cache. */
    static void slots(KeyValues cache, TokenLayout layout, AttentionShape shape) {
        for (int t = 0; t < layout.tokens(); t++) {
            long slot = layout.slot(t);
            cache.keys().check("storeKeyValues", slot * shape.kvWidth(), shape.kvWidth());
            cache.values().check("storeKeyValues", slot * shape.kvWidth(), shape.kvWidth());
        }
    }

    /** The prefix and the own keys and values of every row are in their caches. */
    static void keys(KeyValues prefix, KeyValues own, TokenLayout layout, AttentionShape shape) {
        long width = shape.kvWidth();
        for (int r = 0; r < layout.rows(); r++) {
            if (layout.rowStart(r) == layout.rowEnd(r)) {
                continue;
            }
            long shared = layout.prefixLength(r) * width;
            prefix.keys().check("attention prefix keys", layout.prefixStart(r) * width, shared);
            prefix.values().check("attention prefix values", layout.prefixStart(r) * width, shared);
            int last = layout.position(layout.rowEnd(r) - 1);
            long mine = (last + 1 - layout.prefixLength(r)) * width;
            own.keys().check("attention keys", layout.ownStart(r) * width, mine);
            own.values().check("attention values", layout.ownStart(r) * width, mine);
        }
    }
}
