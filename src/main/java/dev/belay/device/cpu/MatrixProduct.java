package dev.belay.device.cpu;

/** out[T, N] (+)= a[T, K] · weights[N, K]ᵀ: blocks of tokens times panels of weights. */
final class MatrixProduct implements ThreadTeam.Task {
    private CpuMatrix weights;
    private Panel[] panels;
    private int rows;
    private long a;
    private int aStride;
    private int aBytes;
    private long out;
    private boolean accumulate;
    private int tokens;

    /**
     * Multiplies.
     *
     * @param a address of the first input
     * @param aStride elements between the inputs of two tokens
     * @param aBytes bytes of an input element
     * @param out address of the first output
     */
    void run(
            ThreadTeam team,
            long a,
            int aStride,
            int aBytes,
            int tokens,
            CpuMatrix weights,
            long out,
            boolean accumulate) {
        this.weights = weights;
        panels = weights.packed(team);
        rows = weights.rows();
        this.a = a;
        this.aStride = aStride;
        this.aBytes = aBytes;
        this.out = out;
        this.accumulate = accumulate;
        this.tokens = tokens;
        int blocks = (tokens + Products.BLOCK - 1) / Products.BLOCK;
        for (Panel panel : panels) {
            panel.prepare(Math.min(tokens, Products.BLOCK), aStride, rows, accumulate);
            panel.prepare(size(blocks - 1), aStride, rows, accumulate);
        }
        team.run(this, blocks * panels.length);
    }

    private int size(int block) {
        return Math.min(Products.BLOCK, tokens - block * Products.BLOCK);
    }

    @Override
    public void run(int item, int worker) {
        int block = item / panels.length;
        int p = item % panels.length;
        long start = (long) block * Products.BLOCK;
        long input = a + start * aStride * aBytes;
        long output = out + (start * rows + weights.panelStart(p)) * Float.BYTES;
        panels[p].multiply(worker, input, aStride, size(block), output, rows, accumulate);
    }
}
