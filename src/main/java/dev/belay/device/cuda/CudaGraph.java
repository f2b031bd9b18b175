package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.belay.bindings.cuda.CudaDriver;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Work of a stream, captured once and started as a whole. */
final class CudaGraph implements AutoCloseable {
    private final MemorySegment executable;
    private boolean closed;

    private CudaGraph(MemorySegment executable) {
        this.executable = executable;
    }

    /** Captures what {@code work} gives to {@code stream}, without running it. */
    static CudaGraph capture(MemorySegment stream, Runnable work) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ADDRESS);
            int mode = CudaDriver.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL();
            CudaErrors.check(CudaDriver.cuStreamBeginCapture_v2(stream, mode), "cuStreamBeginCapture");
            try {
                work.run();
            } catch (RuntimeException | Error e) {
                // Ends the capture; its own code adds nothing to what went wrong.
                CudaDriver.cuStreamEndCapture(stream, pointer);
                MemorySegment partial = pointer.get(ADDRESS, 0);
                if (partial.address() != 0) {
                    CudaDriver.cuGraphDestroy(partial);
                }
                throw e;
            }
            CudaErrors.check(CudaDriver.cuStreamEndCapture(stream, pointer), "cuStreamEndCapture");
            MemorySegment graph = pointer.get(ADDRESS, 0);
            try {
                CudaErrors.check(
                        CudaDriver.cuGraphInstantiateWithFlags(pointer, graph, 0), "cuGraphInstantiateWithFlags");
            } finally {
                CudaDriver.cuGraphDestroy(graph);
            }
            return new CudaGraph(pointer.get(ADDRESS, 0));
        }
    }

    /** Starts all of it behind the work of {@code stream}. */
    void launch(MemorySegment stream) {
        CudaErrors.check(CudaDriver.cuGraphLaunch(executable, stream), "cuGraphLaunch");
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            CudaErrors.check(CudaDriver.cuGraphExecDestroy(executable), "cuGraphExecDestroy");
        }
    }
}
