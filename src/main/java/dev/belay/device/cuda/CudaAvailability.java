package dev.belay.device.cuda;

/**
 * Whether CUDA devices can be used, and if not, why.
 *
 * @param devices number of devices that the driver lists; 0 = none can be used
 * @param reason why none can be used and what to do; if some can, which driver
 */
public record CudaAvailability(int devices, String reason) {
    private static final class Checked {
        static final CudaAvailability VALUE = of(CudaSystem.get(), KernelImage.problem());
    }

    /**
     * What {@code --device auto} takes.
     *
     * @param device {@code cuda:n} or {@code cpu}
     * @param reason why, in words
     */
    public record Automatic(String device, String reason) {}

    /** Loads and starts the driver on the first call; throws nothing. */
    public static CudaAvailability get() {
        return Checked.VALUE;
    }

    /** Whether there is a device to use, and kernels for it. */
    public boolean available() {
        return devices > 0;
    }

    /** Decides which device is best: the first CUDA device that can be used, else the CPU. Throws nothing. */
    public static Automatic automatic() {
        return automatic(CudaSystem.get(), KernelImage.problem());
    }

    /** The same of a given system, and of kernels that are missing because of {@code kernelProblem}, or there if it is null. */
    static Automatic automatic(CudaSystem system, String kernelProblem) {
        CudaAvailability availability = of(system, kernelProblem);
        if (!availability.available()) {
            return new Automatic("cpu", "no GPU can be used: " + availability.reason());
        }
        CudaDeviceInfo device = new CudaDeviceChoice(-1, null).pick(system);
        return new Automatic(
                CudaDeviceChoice.number(device.index()).toString(),
                "the first GPU that can be used, " + device.name() + " with " + availability.reason());
    }

    static CudaAvailability of(CudaSystem system, String kernelProblem) {
        if (system.problem() != null) {
            return new CudaAvailability(0, system.problem());
        }
        if (kernelProblem != null) {
            return new CudaAvailability(0, kernelProblem);
        }
        return new CudaAvailability(
                system.devices().size(),
                "CUDA " + CudaSystem.versionText(system.version()) + " driver " + system.driver());
    }
}
