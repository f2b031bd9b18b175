package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.Optional;

/** Which file an address in this process was loaded from. */
final class LoadedFile {
    /** Dl_info of dlfcn.h: file name, base, symbol name, symbol address. */
    private static final MemoryLayout INFO = MemoryLayout.structLayout(ADDRESS, ADDRESS, ADDRESS, ADDRESS);

    private LoadedFile() {}

    /** The absolute path of the library that holds {@code address}; empty if none does. */
    static Optional<Path> of(MemorySegment address) {
        Linker linker = Linker.nativeLinker();
        MethodHandle dladdr = linker.downcallHandle(
                linker.defaultLookup().findOrThrow("dladdr"), FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment info = arena.allocate(INFO);
            int found = (int) dladdr.invokeExact(address, info);
            if (found == 0) {
                return Optional.empty();
            }
            String name = info.get(ADDRESS, 0)
                    .reinterpret(Long.MAX_VALUE, arena, null)
                    .getString(0);
            return Optional.of(Path.of(name).toAbsolutePath());
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new DeviceException("dladdr failed: " + e, e);
        }
    }
}
