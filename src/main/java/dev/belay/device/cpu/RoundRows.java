package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import dev.belay.weights.TensorValues;
import java.lang.foreign.MemorySegment;

/** Copies columns [column, column + width) of the rows of a matrix, rounded to bfloat16, into a packed one. */
final class RoundRows extends RowTask {
    private MemorySegment in;
    private MemorySegment out;
    private int stride;
    private int column;
    private int width;
    private boolean asFloat;

    /** Rounds; the result is stored as bfloat16, or with {@code asFloat} as float32 of the same value. */
    void run(
            ThreadTeam team,
            CpuBuffer in,
            int stride,
            int column,
            int rows,
            int width,
            boolean asFloat,
            CpuBuffer out) {
        this.in = in.segment();
        this.out = out.segment();
        this.stride = stride;
        this.column = column;
        this.width = width;
        this.asFloat = asFloat;
        over(team, rows, width);
    }

    @Override
    void rows(int from, int to, int worker) {
        for (int r = from; r < to; r++) {
            long source = (long) r * stride + column;
            long target = (long) r * width;
            for (int i = 0; i < width; i++) {
                short rounded = TensorValues.floatToBfloat16(in.getAtIndex(JAVA_FLOAT, source + i));
                if (asFloat) {
                    out.setAtIndex(JAVA_FLOAT, target + i, TensorValues.bfloat16ToFloat(rounded));
                } else {
                    out.setAtIndex(JAVA_SHORT, target + i, rounded);
                }
            }
        }
    }
}
