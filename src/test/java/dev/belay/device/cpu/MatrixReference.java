package dev.belay.device.cpu;

import dev.belay.Closeness.Expected;

/**
 * out[t, r] = Σ_c a[t, aColumn + c] · w[row + r, column + c], accumulated in float64.
 *
 * @param a inputs, {@code aStride} elements a token
 * @param w the whole weight matrix, {@code wStride} elements a row, of which rows × columns from (row, column) are used
 */
record MatrixReference(float[] a, int aStride, int aColumn, float[] w, int wStride, int row, int column) {
    /** The product, plus {@code before} if it is not null. */
    Expected times(int tokens, int rows, int columns, float[] before) {
        double[] values = new double[tokens * rows];
        double[] scale = new double[tokens * rows];
        for (int t = 0; t < tokens; t++) {
            for (int r = 0; r < rows; r++) {
                int i = t * rows + r;
                double sum = before == null ? 0 : before[i];
                double magnitude = Math.abs(sum);
                for (int c = 0; c < columns; c++) {
                    double term = (double) a[t * aStride + aColumn + c] * w[(row + r) * wStride + column + c];
                    sum += term;
                    magnitude += Math.abs(term);
                }
                values[i] = sum;
                scale[i] = magnitude;
            }
        }
        return new Expected(values, scale);
    }
}
