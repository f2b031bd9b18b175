package dev.belay.device.cpu;

/** out[T, N] (+)= a[T, K] · weights[N, K]ᵀ: cut into blocks of tokens and parts of features, one oneDNN call each. */
final class MatrixProduct implements ThreadTeam.Task {
    private CpuMatrix weights;
    private long a;
    private int aStride;
    private int aBytes;
    private long out;
    private boolean accumulate;
    private int tokens;
    private int parts;

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
        this.a = a;
        this.aStride = aStride;
        this.aBytes = aBytes;
        this.out = out;
        this.accumulate = accumulate;
        this.tokens = tokens;
        boolean manyBlocks = tokens >= 2 * team.size() * Products.BLOCK;
        int part = weights.products().part();
        parts = manyBlocks ? 1 : (weights.rows() + part - 1) / part;
        int blocks = blocks();
        for (int item = 0; item < blocks * parts; item++) {
            product(item);
        }
        team.run(this, blocks * parts);
    }

    private int blocks() {
        int full = tokens / Products.BLOCK;
        int rest = tokens % Products.BLOCK;
        int middle = rest - rest % Products.STEP;
        return full + (middle > 0 ? 1 : 0) + (rest > middle ? 1 : 0);
    }

    private int blockStart(int block) {
        int full = tokens / Products.BLOCK;
        if (block <= full) {
            return block * Products.BLOCK;
        }
        int rest = tokens % Products.BLOCK;
        return full * Products.BLOCK + rest - rest % Products.STEP;
    }

    private int features(int item) {
        int first = item % parts * weights.products().part();
        return parts == 1 ? weights.rows() : Math.min(weights.products().part(), weights.rows() - first);
    }

    private Product product(int item) {
        int size = Products.cut(tokens - blockStart(item / parts));
        return weights.products().get(size, features(item), aStride, weights.rows(), accumulate);
    }

    @Override
    public void run(int item, int worker) {
        int start = blockStart(item / parts);
        int first = parts == 1 ? 0 : item % parts * weights.products().part();
        product(item)
                .run(
                        worker,
                        a + (long) start * aStride * aBytes,
                        weights.address(first),
                        out + ((long) start * weights.rows() + first) * Float.BYTES);
    }
}
