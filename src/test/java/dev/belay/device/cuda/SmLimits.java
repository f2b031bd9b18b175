package dev.belay.device.cuda;

/**
 * What a multiprocessor of an architecture holds at a time. The limits are those of "Technical Specifications per Compute Capability"
 * in the CUDA C++ Programming Guide, the units of allocation those of the toolkit's {@code cuda_occupancy.h}.
 *
 * @param architecture {@code sm_90}
 * @param warps most warps
 * @param blocks most blocks
 * @param sharedBytes shared memory of all blocks
 */
record SmLimits(String architecture, int warps, int blocks, int sharedBytes) {
    static final SmLimits[] ALL = {
        new SmLimits("sm_80", 64, 32, 164 * 1024),
        new SmLimits("sm_90", 64, 32, 228 * 1024),
        new SmLimits("sm_100", 64, 32, 228 * 1024),
        new SmLimits("sm_120", 48, 24, 100 * 1024),
    };

    private static final int WARP = 32;
    /** A multiprocessor has four parts with a quarter of the 65536 registers each; a warp gets multiples of 256 of them. */
    private static final int PARTS = 4;

    private static final int REGISTERS_OF_PART = 65536 / PARTS;
    private static final int REGISTER_UNIT = 256;
    private static final int SHARED_UNIT = 128;
    /** Shared memory that the system takes of every block. */
    private static final int SHARED_RESERVED = 1024;

    /** Blocks of {@code threads} that fit at a time; 0 = the kernel cannot run. */
    int residentBlocks(int threads, int registers, int sharedOfBlock) {
        int warpsOfBlock = Math.ceilDiv(threads, WARP);
        int registersOfWarp = roundUp(registers * WARP, REGISTER_UNIT);
        int warpsByRegisters = PARTS * (REGISTERS_OF_PART / registersOfWarp);
        int byRegisters = warpsByRegisters / roundUp(warpsOfBlock, PARTS);
        int byShared = sharedBytes / roundUp(sharedOfBlock + SHARED_RESERVED, SHARED_UNIT);
        return Math.min(Math.min(blocks, warps / warpsOfBlock), Math.min(byRegisters, byShared));
    }

    /** Share of the most warps that are there at a time, 0 to 1. */
    double occupancy(int threads, int registers, int sharedOfBlock) {
        return (double) residentBlocks(threads, registers, sharedOfBlock) * Math.ceilDiv(threads, WARP) / warps;
    }

    private static int roundUp(int value, int unit) {
        return Math.ceilDiv(value, unit) * unit;
    }
}
