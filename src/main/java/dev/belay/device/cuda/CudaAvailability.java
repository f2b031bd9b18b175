package dev.belay.device.cuda;

import java.util.StringJoiner;
import java.util.function.Function;

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

    private static final class Decided {
        static final Automatic VALUE = automatic(
                CudaSystem.get(),
                KernelImage.problem(),
                device -> CudaMemoryInfo.of(device).problem());
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

    /**
     * Decides which device is best: the first CUDA device that can be used, else the CPU. The first call opens devices to see whether they
     * can be, for another process may hold them. Throws nothing.
     */
    public static Automatic automatic() {
        return Decided.VALUE;
    }

    /**
     * The same of a given system, and of kernels that are missing because of {@code kernelProblem}, or there if it is null.
     *
     * @param opening tries to open a device; null, or why it cannot be opened
     */
    static Automatic automatic(CudaSystem system, String kernelProblem, Function<CudaDeviceInfo, String> opening) {
        CudaAvailability availability = of(system, kernelProblem);
        if (!availability.available()) {
            return cpu(availability.reason());
        }
        StringJoiner problems = new StringJoiner("; ");
        for (CudaDeviceInfo device : system.devices()) {
            if (device.problem() != null) {
                continue;
            }
            String name = CudaDeviceChoice.number(device.index()).toString();
            String problem = opening.apply(device);
            if (problem == null) {
                return new Automatic(
                        name, "the first GPU that can be used, " + device.name() + " with " + availability.reason());
            }
            problems.add(name + ": " + problem);
        }
        return cpu(problems.toString());
    }

    private static Automatic cpu(String reason) {
        return new Automatic("cpu", "no GPU can be used: " + reason);
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
