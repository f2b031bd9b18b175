package dev.belay.device.cuda;

/**
 * How many blocks of how many threads a launch has.
 *
 * @param gridX blocks along x, at most 2³¹ − 1
 * @param gridY blocks along y, at most 65535
 * @param gridZ blocks along z, at most 65535
 * @param threads threads of a block
 */
record LaunchShape(int gridX, int gridY, int gridZ, int threads) {
    /** Most blocks along y, and along z. */
    static final int MAX_GRID_Y = 65535;

    private static final int WARP = 32;
    private static final int MAX_THREADS = 1024;

    LaunchShape {
        boolean grid = gridX >= 1 && gridY >= 1 && gridY <= MAX_GRID_Y && gridZ >= 1 && gridZ <= MAX_GRID_Y;
        if (!grid || threads < 1 || threads > MAX_THREADS) {
            throw new IllegalArgumentException("a grid of " + gridX + " × " + gridY + " × " + gridZ + " blocks of "
                    + threads + " threads cannot be launched");
        }
    }

    /** A grid of one block along z. */
    LaunchShape(int gridX, int gridY, int threads) {
        this(gridX, gridY, 1, threads);
    }

    /** One block a row of {@code width} numbers, {@code perThread} numbers a thread, in whole warps. */
    static LaunchShape rows(int rows, int width, int perThread) {
        int threads = Math.ceilDiv(Math.ceilDiv(width, perThread), WARP) * WARP;
        return new LaunchShape(rows, 1, Math.clamp(threads, WARP, MAX_THREADS));
    }

    /** As many blocks of {@code threads} a row as there are units of work for. */
    static LaunchShape split(int rows, long units, int threads) {
        return new LaunchShape(rows, Math.clamp(Math.ceilDiv(units, threads), 1, MAX_GRID_Y), threads);
    }
}
