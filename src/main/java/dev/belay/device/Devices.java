package dev.belay.device;

import dev.belay.device.cpu.CpuDevice;

/** Opens the device that {@code --device} names. */
public final class Devices {
    private Devices() {}

    /**
     * Opens {@code cpu}, {@code cuda}, {@code cuda:n} or {@code auto} (the best there is).
     *
     * @throws DeviceException if the name is unknown or the device is not available, with the reason
     */
    public static Device open(String name, DType dtype) {
        if (name.equals("cpu") || name.equals("auto")) {
            return CpuDevice.open(dtype);
        }
        if (name.matches("cuda(:[0-9]{1,4})?")) {
            throw new DeviceException("device " + name
                    + " is not available: this version of Belay computes on the CPU only;" + " use --device cpu");
        }
        throw new DeviceException("unknown device '" + name + "': use cpu, cuda, cuda:n or auto");
    }
}
