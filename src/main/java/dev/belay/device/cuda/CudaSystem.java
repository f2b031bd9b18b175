package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;

/**
 * The CUDA driver of this machine and the devices that it lists, whether Belay can use them or not.
 *
 * @param driver the driver's library; null if there is none
 * @param version newest CUDA that the driver knows, 1000 · major + 10 · minor; 0 if it did not start
 * @param devices all that it lists, in its order
 * @param problem why no device can be used and what to do; null if one can
 */
public record CudaSystem(Path driver, int version, List<CudaDeviceInfo> devices, String problem) {
    /** The oldest CUDA whose drivers can load the kernels, 13.0. */
    static final int LOWEST_VERSION = 13000;

    private static final int TEXT_BYTES = 256;

    private static final class Found {
        static final CudaSystem VALUE = look();
    }

    public CudaSystem {
        devices = List.copyOf(devices);
    }

    /** Loads and starts the driver on the first call; throws nothing. */
    public static CudaSystem get() {
        return Found.VALUE;
    }

    /** What is there, with the reason why Belay can use none of it, if so. */
    static CudaSystem of(Path driver, int version, List<CudaDeviceInfo> devices) {
        String problem = null;
        if (version < LOWEST_VERSION) {
            problem =
                    "the driver " + driver + " is for CUDA " + versionText(version) + ", but Belay needs one for CUDA "
                            + versionText(LOWEST_VERSION) + " or later; install a newer NVIDIA driver";
        } else if (devices.stream().allMatch(device -> device.problem() != null)) {
            problem = devices.getFirst().problem()
                    + (devices.size() == 1 ? "" : "; the other devices are not new enough either");
        }
        return new CudaSystem(driver, version, devices, problem);
    }

    /** Version of CUDA in words, such as 13.0. */
    public static String versionText(int version) {
        return version / 1000 + "." + version % 1000 / 10;
    }

    private static CudaSystem look() {
        CudaLibrary library = CudaLibrary.driver();
        if (!library.loaded()) {
            return new CudaSystem(null, 0, List.of(), library.reason());
        }
        int version = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment number = arena.allocate(JAVA_INT);
            if (CudaDriver.cuDriverGetVersion(number) == CudaDriver.CUDA_SUCCESS()) {
                version = number.get(JAVA_INT, 0);
            }
            CudaErrors.check(CudaDriver.cuInit(0), "cuInit of " + library.file());
            CudaErrors.check(CudaDriver.cuDeviceGetCount(number), "cuDeviceGetCount of " + library.file());
            List<CudaDeviceInfo> devices = new ArrayList<>();
            int count = number.get(JAVA_INT, 0);
            for (int i = 0; i < count; i++) {
                devices.add(device(i, arena));
            }
            if (devices.isEmpty()) {
                throw new DeviceException(CudaErrors.describe(
                        CudaDriver.CUDA_ERROR_NO_DEVICE(), "cuDeviceGetCount of " + library.file()));
            }
            return of(library.file(), version, devices);
        } catch (DeviceException e) {
            return new CudaSystem(library.file(), version, List.of(), e.getMessage());
        } catch (LinkageError e) {
            return lacking(library.file(), version, e);
        }
    }

    /** A driver without a function that even listing devices takes: too old, or not what it says that it is. */
    private static CudaSystem lacking(Path driver, int version, LinkageError missing) {
        if (version < LOWEST_VERSION) {
            return of(driver, version, List.of());
        }
        Throwable cause = missing.getCause() == null ? missing : missing.getCause();
        String problem = "the driver " + driver + " is for CUDA " + versionText(version)
                + ", but lacks a function of that (" + cause.getMessage() + "); install an NVIDIA driver";
        return new CudaSystem(driver, version, List.of(), problem);
    }

    private static CudaDeviceInfo device(int index, Arena arena) {
        MemorySegment number = arena.allocate(JAVA_INT);
        CudaErrors.check(CudaDriver.cuDeviceGet(number, index), "cuDeviceGet");
        int device = number.get(JAVA_INT, 0);
        MemorySegment name = arena.allocate(TEXT_BYTES);
        CudaErrors.check(CudaDriver.cuDeviceGetName(name, TEXT_BYTES, device), "cuDeviceGetName");
        MemorySegment uuid = arena.allocate(16);
        CudaErrors.check(CudaDriver.cuDeviceGetUuid_v2(uuid, device), "cuDeviceGetUuid");
        MemorySegment pci = arena.allocate(TEXT_BYTES);
        CudaErrors.check(CudaDriver.cuDeviceGetPCIBusId(pci, TEXT_BYTES, device), "cuDeviceGetPCIBusId");
        MemorySegment bytes = arena.allocate(JAVA_LONG);
        CudaErrors.check(CudaDriver.cuDeviceTotalMem_v2(bytes, device), "cuDeviceTotalMem");
        int capability = 10 * attribute(device, CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR(), number)
                + attribute(device, CudaDriver.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR(), number);
        return new CudaDeviceInfo(
                index,
                name.getString(0),
                uuidText(uuid.toArray(JAVA_BYTE), name.getString(0)),
                capability,
                pci.getString(0),
                bytes.get(JAVA_LONG, 0));
    }

    private static int attribute(int device, int attribute, MemorySegment value) {
        CudaErrors.check(CudaDriver.cuDeviceGetAttribute(value, attribute, device), "cuDeviceGetAttribute");
        return value.get(JAVA_INT, 0);
    }

    /** 16 bytes as nvidia-smi prints them; the part of a GPU has a name such as "NVIDIA A100-SXM4-40GB MIG 3g.20gb". */
    static String uuidText(byte[] bytes, String name) {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        return (name.contains(" MIG ") ? "MIG-" : "GPU-") + new UUID(buffer.getLong(), buffer.getLong());
    }
}
