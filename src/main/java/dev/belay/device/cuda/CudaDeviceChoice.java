package dev.belay.device.cuda;

import dev.belay.device.DeviceException;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Which CUDA device {@code --device} names.
 *
 * @param number index among the devices that the driver lists; −1 where it is not told by its number
 * @param uuid start of its UUID in lower case, gpu- or mig- included; null where it is not told by that
 */
public record CudaDeviceChoice(int number, String uuid) {
    private static final Pattern FORM =
            Pattern.compile("cuda(?::(?:(\\d{1,4})|((?:GPU|MIG)-[0-9a-fA-F][0-9a-fA-F-]{0,35})))?");
    /** Length of what stands before the numbers of a UUID. */
    private static final int KIND = "GPU-".length();

    /**
     * Reads {@code cuda} (the first that can be used), {@code cuda:n} or {@code cuda:GPU-uuid}, of which a start is enough; of a part of
     * a GPU {@code cuda:MIG-uuid}.
     *
     * @throws DeviceException if it is none of these
     */
    public static CudaDeviceChoice parse(String text) {
        Matcher form = FORM.matcher(text);
        if (!form.matches()) {
            throw new DeviceException("unknown CUDA device '" + text
                    + "': use cuda, cuda:n or cuda:GPU-uuid, as nvidia-smi -L prints it");
        }
        return new CudaDeviceChoice(
                form.group(1) == null ? -1 : Integer.parseInt(form.group(1)),
                form.group(2) == null ? null : form.group(2).toLowerCase(Locale.ROOT));
    }

    /** Device number {@code number}. */
    static CudaDeviceChoice number(int number) {
        return new CudaDeviceChoice(number, null);
    }

    /** What {@link #parse} reads as this. */
    @Override
    public String toString() {
        if (uuid != null) {
            return "cuda:" + uuid.substring(0, KIND).toUpperCase(Locale.ROOT) + uuid.substring(KIND);
        }
        return number < 0 ? "cuda" : "cuda:" + number;
    }

    /**
     * The device that this names.
     *
     * @throws DeviceException if there is none or Belay cannot use it, with the reason
     */
    CudaDeviceInfo pick(CudaSystem system) {
        List<CudaDeviceInfo> devices = system.devices();
        if (devices.isEmpty() || system.version() < CudaSystem.LOWEST_VERSION) {
            throw notAvailable(system.problem());
        }
        CudaDeviceInfo device;
        if (uuid != null) {
            device = pickByUuid(devices);
        } else if (number >= 0) {
            if (number >= devices.size()) {
                throw notAvailable(
                        devices.size() == 1
                                ? "there is 1, cuda:0"
                                : "there are " + devices.size() + ", numbered from 0");
            }
            device = devices.get(number);
        } else {
            device = devices.stream()
                    .filter(one -> one.problem() == null)
                    .findFirst()
                    .orElse(devices.getFirst());
        }
        if (device.problem() != null) {
            throw notAvailable(device.problem());
        }
        return device;
    }

    /** By the numbers alone, as the driver gives those of parts of a GPU without what stands before them. */
    private CudaDeviceInfo pickByUuid(List<CudaDeviceInfo> devices) {
        String numbers = uuid.substring(KIND);
        List<CudaDeviceInfo> found = devices.stream()
                .filter(device -> device.uuid().toLowerCase(Locale.ROOT).startsWith(numbers, KIND))
                .toList();
        if (found.size() != 1) {
            List<CudaDeviceInfo> which = found.isEmpty() ? devices : found;
            throw notAvailable((found.isEmpty() ? "there are only " : "it can be each of ")
                    + which.stream().map(CudaDeviceInfo::uuid).collect(Collectors.joining(", ")));
        }
        return found.getFirst();
    }

    private DeviceException notAvailable(String reason) {
        return new DeviceException("device " + this + " is not available: " + reason + "; or use --device cpu");
    }
}
