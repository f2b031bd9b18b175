package dev.belay.device.cpu;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/** An operation that treats rows (tokens) independently. The object is reused: set its fields, then {@link #over}. */
abstract class RowTask implements ThreadTeam.Task {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    static final int LANES = SPECIES.length();
    static final ByteOrder ORDER = ByteOrder.nativeOrder();
    /** Elements that one item should at least cover, so that sharing costs less than it saves. */
    private static final int GRAIN = 8192;

    private int rowsPerItem;
    private int rows;

    /** Does rows {@code from} to {@code to} as member {@code worker}. */
    abstract void rows(int from, int to, int worker);

    /** Runs over {@code count} rows that touch about {@code width} elements each. */
    final void over(ThreadTeam team, int count, int width) {
        if (count == 0) {
            return;
        }
        rows = count;
        int enough = Math.max(1, GRAIN / Math.max(1, width));
        int share = (count + 4 * team.size() - 1) / (4 * team.size());
        rowsPerItem = Math.max(enough, share);
        team.run(this, (count + rowsPerItem - 1) / rowsPerItem);
    }

    @Override
    public final void run(int item, int worker) {
        int from = item * rowsPerItem;
        rows(from, Math.min(rows, from + rowsPerItem), worker);
    }

    /** Largest multiple of the vector length that is at most {@code n}. */
    static int bound(int n) {
        return SPECIES.loopBound(n);
    }
}
