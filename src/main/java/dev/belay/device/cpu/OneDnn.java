package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.device.DeviceException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Owner of oneDNN's engine and of a stream and scratch memory per worker; turns status codes into {@link DeviceException}. */
final class OneDnn implements AutoCloseable {
    private final MemorySegment engine;
    private final MemorySegment[] streams;
    private final MemorySegment[] scratch;
    private Arena scratchArena = Arena.ofShared();
    private long scratchBytes;

    OneDnn(int workers) {
        OneDnnLibrary.load();
        engine = create("dnnl_engine_create", out -> Dnnl.dnnl_engine_create(out, Dnnl.dnnl_cpu(), 0));
        streams = new MemorySegment[workers];
        scratch = new MemorySegment[workers];
        reserveScratch(1 << 20);
        for (int i = 0; i < workers; i++) {
            streams[i] = create(
                    "dnnl_stream_create",
                    out -> Dnnl.dnnl_stream_create(out, engine, Dnnl.dnnl_stream_default_flags()));
        }
    }

    /** A call that stores a new handle at {@code out} and returns a status. */
    interface Creation {
        int into(MemorySegment out);
    }

    /** Runs a creating call and returns the handle. */
    static MemorySegment create(String operation, Creation call) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.ADDRESS);
            check(operation, call.into(out));
            return out.get(ValueLayout.ADDRESS, 0);
        }
    }

    /** Throws if {@code status} is not success. */
    static void check(String operation, int status) {
        if (status != Dnnl.dnnl_success()) {
            String text = name(status);
            throw new DeviceException(operation + " failed: oneDNN status " + text + " (" + status + ")");
        }
    }

    private static String name(int status) {
        if (status == Dnnl.dnnl_out_of_memory()) {
            return "out_of_memory";
        } else if (status == Dnnl.dnnl_invalid_arguments()) {
            return "invalid_arguments";
        } else if (status == Dnnl.dnnl_unimplemented()) {
            return "unimplemented";
        }
        return status == Dnnl.dnnl_runtime_error() ? "runtime_error" : "unknown";
    }

    MemorySegment engine() {
        return engine;
    }

    /** Gives every worker at least {@code bytes} of scratch memory; not while products run. */
    void reserveScratch(long bytes) {
        if (bytes <= scratchBytes) {
            return;
        }
        scratchArena.close();
        scratchArena = Arena.ofShared();
        for (int w = 0; w < scratch.length; w++) {
            scratch[w] = CpuBuffer.allocate(scratchArena, "oneDNN scratchpad", bytes);
        }
        scratchBytes = bytes;
    }

    /** Scratch memory of one worker. */
    MemorySegment scratch(int worker) {
        return scratch[worker];
    }

    MemorySegment stream(int worker) {
        return streams[worker];
    }

    @Override
    public void close() {
        for (MemorySegment stream : streams) {
            Dnnl.dnnl_stream_destroy(stream);
        }
        Dnnl.dnnl_engine_destroy(engine);
        scratchArena.close();
    }
}
