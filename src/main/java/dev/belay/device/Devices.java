package dev.belay.device;

import dev.belay.device.cpu.CpuDevice;
import dev.belay.device.cuda.CudaAvailability;
import dev.belay.device.cuda.CudaDevice;

/** Opens the device that {@code --device} names. */
public final class Devices {
    private Devices() {}

    /**
     * Opens {@code cpu}, {@code cuda}, {@code cuda:n}, {@code cuda:UUID} or {@code auto} (a GPU that can be used, else the CPU).
     *
     * @throws DeviceException if the name is unknown or the device is not available, with the reason
     */
    public static Device open(String name, DType dtype) {
        if (name.equals("auto")) {
            CudaAvailability gpu = CudaAvailability.get();
            return gpu.available() ? CudaDevice.open(dtype, "cuda") : CpuDevice.open(dtype);
        }
        if (name.equals("cpu")) {
            return CpuDevice.open(dtype);
        }
        if (name.equals("cuda") || name.startsWith("cuda:")) {
            return CudaDevice.open(dtype, name);
        }
        throw new DeviceException("unknown device '" + name + "': use cpu, cuda, cuda:n, cuda:UUID or auto");
    }

    /** Why {@code auto} means the CPU here, or null if it means a GPU. */
    public static String noGpuReason() {
        CudaAvailability gpu = CudaAvailability.get();
        return gpu.available() ? null : gpu.reason();
    }
}
