package dev.belay.device.cpu;

import dev.belay.bindings.dnnl.Dnnl;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Owner of oneDNN's engine and of a stream and scratch memory per worker; turns status codes into {@link DeviceException}. */
final class OneDnn implements AutoCloseable {
    private final MemorySegment engine;
    private final MemorySegment[] streams;
    private final MemorySegment[] scratch;
    private final Arena scratchArena = Arena.ofShared();
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
            String problem = operation + " failed: oneDNN status " + name(status) + " (" + status + ")";
            throw status == Dnnl.dnnl_out_of_memory()
                    ? new DeviceMemoryException(problem + DeviceMemoryException.ADVICE)
                    : new DeviceException(problem);
        }
    }

    /** A matrix with given strides, in elements; the caller destroys it. */
    static MemorySegment matrix(int rows, int columns, int rowStride, int columnStride, int type) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment dims = pair(call, rows, columns);
            MemorySegment strides = pair(call, rowStride, columnStride);
            return create(
                    "dnnl_memory_desc_create_with_strides",
                    md -> Dnnl.dnnl_memory_desc_create_with_strides(md, 2, dims, type, strides));
        }
    }

    /** A matrix whose layout oneDNN chooses; the caller destroys it. */
    static MemorySegment anyMatrix(int rows, int columns, int type) {
        try (Arena call = Arena.ofConfined()) {
            MemorySegment dims = pair(call, rows, columns);
            return create(
                    "dnnl_memory_desc_create_with_tag",
                    md -> Dnnl.dnnl_memory_desc_create_with_tag(md, 2, dims, type, Dnnl.dnnl_format_tag_any()));
        }
    }

    private static MemorySegment pair(Arena arena, long first, long second) {
        MemorySegment pair = arena.allocate(Dnnl.DNNL_MAX_NDIMS() * Long.BYTES);
        pair.setAtIndex(ValueLayout.JAVA_LONG, 0, first);
        pair.setAtIndex(ValueLayout.JAVA_LONG, 1, second);
        return pair;
    }

    /** Attributes of a primitive whose scratch memory is the caller's; the caller destroys them. */
    static MemorySegment attributes() {
        MemorySegment attributes = create("dnnl_primitive_attr_create", Dnnl::dnnl_primitive_attr_create);
        check(
                "dnnl_primitive_attr_set_scratchpad_mode",
                Dnnl.dnnl_primitive_attr_set_scratchpad_mode(attributes, Dnnl.dnnl_scratchpad_mode_user()));
        return attributes;
    }

    /** True if products of bfloat16 have instructions of their own here; oneDNN's fallback is a thousand times slower. */
    static boolean multipliesBfloat16() {
        int isa = Dnnl.dnnl_cpu_isa_avx512_core_bf16();
        return (instructionSet() & isa) == isa;
    }

    /** The instructions that oneDNN uses here, as bits of its dnnl_cpu_isa_t. */
    static int instructionSet() {
        return Dnnl.dnnl_get_effective_cpu_isa();
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

    /** Gives every worker at least {@code bytes} of scratch memory; what they had stays until the end, as they may be using it. */
    synchronized void reserveScratch(long bytes) {
        if (bytes <= scratchBytes) {
            return;
        }
        long room = Math.max(bytes, 2 * scratchBytes);
        for (int w = 0; w < scratch.length; w++) {
            scratch[w] = CpuBuffer.allocate(scratchArena, "oneDNN scratchpad", room);
        }
        scratchBytes = room;
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
