package dev.belay.device.cpu;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * Memory in pages of 2 MiB where the system gives them (transparent huge pages by {@code madvise(2)}), in pages of 4 KiB elsewhere: a
 * product that reads its weights once spends a third of its time on finding small pages. What is allocated together lies side by side,
 * so that one huge page may hold parts of several buffers. A page is there when it is first touched.
 */
public final class HugePages {
    /** From how many bytes on memory is worth pages of its own. */
    static final long LEAST_BYTES = 128 << 10;

    private static final long SMALL_PAGE = 4096;
    private static final int READ_AND_WRITE = 1 | 2;
    private static final int PRIVATE_AND_ANONYMOUS = 0x2 | 0x20;
    private static final int MADV_HUGEPAGE = 14;
    private static final long FAILED = -1;

    private static final MethodHandle MMAP = handle(
            "mmap", FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_LONG));
    private static final MethodHandle MADVISE =
            handle("madvise", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_INT));
    private static final MethodHandle MUNMAP = handle("munmap", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG));

    private HugePages() {}

    /**
     * Zeroed memory that {@code arena} gives back.
     *
     * @throws OutOfMemoryError if the system has no room for it
     */
    public static MemorySegment allocate(Arena arena, long bytes) {
        long room = (bytes + SMALL_PAGE - 1) / SMALL_PAGE * SMALL_PAGE;
        try {
            long address = (long) MMAP.invokeExact(0L, room, READ_AND_WRITE, PRIVATE_AND_ANONYMOUS, -1, 0L);
            if (address == FAILED) {
                throw new OutOfMemoryError("mmap of " + room + " bytes failed");
            }
            // A system without huge pages refuses: its own pages do as well.
            int ignored = (int) MADVISE.invokeExact(address, room, MADV_HUGEPAGE);
            return MemorySegment.ofAddress(address).reinterpret(bytes, arena, memory -> free(address, room));
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new DeviceException("mmap failed: " + e, e);
        }
    }

    private static void free(long address, long bytes) {
        try {
            int ignored = (int) MUNMAP.invokeExact(address, bytes);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new DeviceException("munmap failed: " + e, e);
        }
    }

    private static MethodHandle handle(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
}
