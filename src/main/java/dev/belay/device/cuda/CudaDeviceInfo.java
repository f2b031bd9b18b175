package dev.belay.device.cuda;

/**
 * A CUDA device as the driver describes it without a context.
 *
 * @param index its number among those that this process sees
 * @param name as its maker calls it
 * @param uuid as nvidia-smi prints it: GPU- (MIG- for the part of a GPU), then 32 hexadecimal digits in five groups
 * @param capability compute capability, 10 · major + minor
 * @param pci address on the PCI bus, such as 0000:5C:00.0
 * @param memoryBytes size of its memory
 */
public record CudaDeviceInfo(int index, String name, String uuid, int capability, String pci, long memoryBytes) {
    /** The lowest compute capability that the kernels are written for, 8.0. */
    static final int LOWEST_CAPABILITY = 80;

    /** Why Belay cannot use the device; null if it can. */
    public String problem() {
        return capability >= LOWEST_CAPABILITY
                ? null
                : name + " has compute capability " + dotted(capability) + ", but Belay needs "
                        + dotted(LOWEST_CAPABILITY) + " or later";
    }

    /** Compute capability in words, such as 9.0. */
    public String capabilityText() {
        return dotted(capability);
    }

    private static String dotted(int capability) {
        return capability / 10 + "." + capability % 10;
    }
}
