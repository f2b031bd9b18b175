package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.bindings.dnnl.dnnl_version_t;
import dev.belay.device.DeviceException;
import dev.belay.io.CacheFolder;
import dev.belay.io.PackedFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/**
 * Loads libdnnl and the OpenMP runtime that it needs out of the jar of org.bytedeco:dnnl, unpacked once into Belay's cache folder.
 * OpenMP is told to use one thread per caller before it loads: the threads are {@link ThreadTeam}'s.
 */
final class OneDnnLibrary {
    private static final String FOLDER = "org/bytedeco/dnnl/linux-x86_64/";
    private static final String[] FILES = {"libgomp.so.1", "libdnnl.so.3"};
    private static boolean loaded;

    private OneDnnLibrary() {}

    /** Loads the library once; later calls do nothing. */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String system = System.getProperty("os.name") + " " + System.getProperty("os.arch");
        if (!system.equals("Linux amd64")) {
            throw new DeviceException("the CPU device needs Linux on x86-64, this is " + system);
        }
        setEnvironment("OMP_NUM_THREADS", "1");
        for (String file : FILES) {
            System.load(unpack(file).toString());
        }
        loaded = true;
    }

    /** Version of the loaded library, for example 3.13.0. */
    static String version() {
        var version = Dnnl.dnnl_version();
        return dnnl_version_t.major(version) + "."
                + dnnl_version_t.minor(version) + "."
                + dnnl_version_t.patch(version);
    }

    private static Path unpack(String file) {
        PackedFile packed = PackedFile.find(FOLDER + file);
        if (packed == null) {
            throw new DeviceException(
                    file + " is not on the class path; the jar of org.bytedeco:dnnl (linux-x86_64) is missing");
        }
        try {
            return packed.unpack(CacheFolder.path().resolve("dnnl"));
        } catch (IOException e) {
            throw new DeviceException(
                    "cannot unpack " + file + " into " + CacheFolder.path() + ": " + e.getMessage()
                            + "; set BELAY_CACHE",
                    e);
        }
    }

    private static void setEnvironment(String name, String value) {
        Linker linker = Linker.nativeLinker();
        var setenv = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("setenv"),
                FunctionDescriptor.of(
                        ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.ADDRESS, ValueLayout.JAVA_INT));
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) setenv.invokeExact(arena.allocateFrom(name), arena.allocateFrom(value), 1);
            if (code != 0) {
                throw new DeviceException("setenv(" + name + ") failed");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new DeviceException("setenv(" + name + ") failed: " + e, e);
        }
    }
}
