package dev.belay.cli;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A Java agent that has the main thread get a signal, as if a native library had a fault, when a journal has a finished batch. It is
 * SIGILL: Java may take a SIGSEGV in compiled code for its own check of a null.
 */
public final class CrashAgent {
    private static final int SIGILL = 4;
    private static final long HEADER_AND_MORE = 1200;

    private CrashAgent() {}

    /** Called by Java in the main thread. */
    public static void premain(String journal) throws Throwable {
        long main = (long) find("pthread_self", FunctionDescriptor.of(ValueLayout.JAVA_LONG))
                .invokeExact();
        MethodHandle kill = find(
                "pthread_kill",
                FunctionDescriptor.of(ValueLayout.JAVA_INT, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT));
        Thread.ofPlatform().daemon().start(() -> {
            try {
                Path file = Path.of(journal);
                while (!Files.exists(file) || Files.size(file) < HEADER_AND_MORE) {
                    Thread.sleep(1);
                }
                // Into the next batch.
                Thread.sleep(20);
                int code = (int) kill.invokeExact(main, SIGILL);
                System.err.println("pthread_kill returned " + code);
            } catch (Throwable e) {
                e.printStackTrace();
            }
        });
    }

    private static MethodHandle find(String name, FunctionDescriptor descriptor) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
    }
}
