package dev.belay.hooks;

import dev.belay.device.HeadScaleTable;
import dev.belay.device.TokenLayout;
import java.util.List;

/** The masks of a batch: every row has its own, or all share one. Rows of one batch may carry different masks. */
public final class HeadScales {
    private final HeadMask shared;
    private final List<HeadMask> perRow;

    private HeadScales(HeadMask shared, List<HeadMask> perRow) {
        this.shared = shared;
        this.perRow = perRow;
    }

    /** No intervention in any row. */
    public static HeadScales none() {
        return new HeadScales(null, null);
    }

    /** The same mask for every row; null = none. */
    public static HeadScales shared(HeadMask mask) {
        return new HeadScales(mask, null);
    }

    /** Mask i for row i; an entry may be null. */
    public static HeadScales perRow(List<HeadMask> masks) {
        return new HeadScales(null, masks);
    }

    /** The mask of a row, or null. */
    public HeadMask of(int row) {
        return perRow == null ? shared : perRow.get(row);
    }

    /**
     * Writes down which tokens of a layer are scaled by what.
     *
     * @param spans the parts of each row's text
     * @return whether any token is
     */
    public boolean fill(HeadScaleTable table, int layer, TokenLayout layout, List<TextSpan> spans, HookReport report) {
        if (perRow == null && (shared == null || !shared.touches(layer))) {
            return false;
        }
        boolean any = false;
        HeadMask previous = null;
        int set = HeadScaleTable.NONE;
        for (int r = 0; r < layout.rows(); r++) {
            HeadMask mask = of(r);
            if (mask == null || !mask.touches(layer)) {
                continue;
            }
            if (set == HeadScaleTable.NONE) {
                table.reset(layout.tokens(), mask.heads());
            }
            if (mask != previous) {
                set = table.addSet(mask.renormalize());
                for (int h = 0; h < mask.heads(); h++) {
                    table.factor(set, h, mask.factor(layer, h));
                }
                previous = mask;
            }
            int covered = assign(table, set, mask, layout, r, spans.get(r));
            report.scaled(layer, mask, covered);
            any |= covered > 0;
        }
        return any;
    }

    private static int assign(
            HeadScaleTable table, int set, HeadMask mask, TokenLayout layout, int row, TextSpan span) {
        int covered = 0;
        for (int t = layout.rowStart(row); t < layout.rowEnd(row); t++) {
            if (mask.scope().covers(layout.position(t), span)) {
                table.assign(t, set);
                covered++;
            }
        }
        return covered;
    }
}
