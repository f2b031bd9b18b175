package dev.belay.device;

import dev.belay.device.cpu.CpuDevice;
import dev.belay.device.cuda.CudaAvailability;
import dev.belay.device.cuda.CudaDevice;

/** Opens the device that {@code --device} names. */
public final class Devices {
    private Devices() {}

    /**
     * Opens {@code cpu}, {@code cuda}, {@code cuda:n}, {@code cuda:GPU-uuid} or {@code auto} (a GPU that can be used, else the CPU).
     *
     * @throws DeviceException if the name is unknown or the device is not available, with the reason
     */
    public static Device open(String name, DType dtype) {
        if (name.equals("auto")) {
            return open(CudaAvailability.automatic().device(), dtype);
        }
        if (name.equals("cpu")) {
            return CpuDevice.open(dtype);
        }
        if (name.equals("cuda") || name.startsWith("cuda:")) {
            return CudaDevice.open(dtype, name);
        }
        throw new DeviceException("unknown device '" + name + "': use cpu, cuda, cuda:n, cuda:GPU-uuid or auto");
    }

    /** Which device {@code auto} means here, and why. */
    public static String automaticReason() {
        CudaAvailability.Automatic choice = CudaAvailability.automatic();
        return choice.device() + ": " + choice.reason();
    }
}
