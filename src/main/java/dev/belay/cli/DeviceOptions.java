package dev.belay.cli;

import dev.belay.device.DType;
import dev.belay.device.Device;
import dev.belay.device.Devices;
import dev.belay.io.Messages;
import picocli.CommandLine.Option;

/** On which device, and in which numbers. */
final class DeviceOptions {
    @Option(
            names = "--device",
            paramLabel = "DEVICE",
            defaultValue = "${sys:belay.device:-auto}",
            converter = Converters.DeviceName.class,
            completionCandidates = Choices.DeviceNames.class,
            description = "cpu, cuda[:n or :GPU-uuid] or auto: a GPU if there is one (default)")
    String name;

    @Option(
            names = "--dtype",
            paramLabel = "TYPE",
            converter = Converters.NumberType.class,
            completionCandidates = Choices.NumberTypes.class,
            description = "matrix products in bf16 or f32 (default bf16; demo and verify: f32)")
    DType dtype;

    /** Opens the device; says on stderr which one {@code auto} is, and why. */
    Device open(DType dtype) {
        if (name.equals("auto")) {
            Messages.current().notice("on " + Devices.automaticReason());
        }
        return Devices.open(name, dtype);
    }

    /** The number type asked for, or {@code otherwise}. */
    DType dtype(DType otherwise) {
        return dtype == null ? otherwise : dtype;
    }
}
