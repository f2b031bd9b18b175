package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import dev.belay.device.DeviceMemoryException;
import dev.belay.io.Messages;
import dev.belay.io.Resources;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.LinkedHashMap;
import java.util.StringJoiner;

/**
 * One stream, to which all work of a device goes in order. Between {@link #begin} and {@link #end} commands are held back; a list of
 * commands that has been seen before, with the same memory, becomes a graph and is started as one.
 */
final class CudaQueue implements AutoCloseable {
    /** Waits after every launch, so that the one that fails is told for sure. */
    static final String BLOCKING_PROPERTY = "belay.cuda.blocking";

    /** {@code false} starts every command alone, never a graph. */
    static final String GRAPHS_PROPERTY = "belay.cuda.graphs";

    /** Graphs kept, and lists remembered: a sweep has one for each layer that a batch of heads ends in. */
    private static final int KEPT = 512;
    /** Launches named when one of them failed. */
    private static final int NAMED = 3;

    private enum Copy {
        TO_DEVICE,
        TO_HOST,
        ON_DEVICE,
        ZERO
    }

    /** What became of a list of commands that has been run before. */
    private static final class Seen {
        /** Null where it was run once, or where the device had no room for a graph. */
        CudaGraph graph;
        /** The driver, or cuBLASLt, will not have it in a graph. */
        boolean refused;
    }

    private final MemorySegment stream;
    private final CommandList held = new CommandList();
    private final LinkedHashMap<CommandList, Seen> seen = new LinkedHashMap<>(KEPT, 0.75f, true);
    private final boolean blocking = Boolean.getBoolean(BLOCKING_PROPERTY);
    private final boolean useGraphs = !blocking && !"false".equals(System.getProperty(GRAPHS_PROPERTY));
    private final CudaKernel[] lastKernels = new CudaKernel[NAMED];
    private final LaunchShape[] lastShapes = new LaunchShape[NAMED];
    private long launches;
    private long launchesBefore;
    private long graphLaunches;
    private long waits;
    private long eventWaits;
    private long bytesToHost;
    private Runnable afterLoss = () -> {};
    private boolean holding;
    private boolean capturing;
    private boolean pending;
    private boolean toldOfRefusal;
    private boolean closed;

    CudaQueue() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment pointer = arena.allocate(ADDRESS);
            int flags = CudaDriver.CU_STREAM_NON_BLOCKING();
            CudaErrors.check(CudaDriver.cuStreamCreate(pointer, flags), "cuStreamCreate");
            stream = pointer.get(ADDRESS, 0);
        }
    }

    /** The stream. */
    MemorySegment stream() {
        return stream;
    }

    /** Kernels and products started since the device was opened, those inside graphs included. */
    long launches() {
        return launches;
    }

    /** Graphs started. */
    long graphLaunches() {
        return graphLaunches;
    }

    /** Times that the host waited for all that the device had to do. */
    long waits() {
        return waits;
    }

    /** Times that the host waited for an event, behind which the device may have had more to do. */
    long eventWaits() {
        return eventWaits;
    }

    /** Bytes copied from the device. */
    long bytesToHost() {
        return bytesToHost;
    }

    /** Sets what forgets what commands were to bring about: of those held back, those behind one that fails never run. */
    void afterLoss(Runnable action) {
        afterLoss = action;
    }

    /** From here on commands are held back. */
    void begin() {
        holding = true;
    }

    /** Whether commands are held back. */
    boolean holding() {
        return holding;
    }

    /** Starts what was held back. */
    void end() {
        holding = false;
        flush();
    }

    /** Starts what was held back so far. */
    void flush() {
        if (held.size() == 0) {
            return;
        }
        try {
            if (useGraphs) {
                start();
            } else {
                held.run(this::command);
            }
        } catch (RuntimeException | Error e) {
            afterLoss.run();
            throw e;
        } finally {
            held.clear();
        }
    }

    private void start() {
        Seen before = seen.get(held);
        if (before == null) {
            remember(held.copy());
        } else if (!before.refused && startGraph(before)) {
            return;
        }
        held.run(this::command);
    }

    /** Starts what is held as a graph; false where there is none and it is to be run command by command. */
    private boolean startGraph(Seen list) {
        try {
            if (list.graph == null) {
                list.graph = capture();
            }
            list.graph.launch(stream);
        } catch (DeviceMemoryException e) {
            drop(list);
            return false;
        } catch (DeviceException e) {
            list.refused = true;
            // A device that has failed fails here again, and the launches are named.
            held.run(this::command);
            drop(list);
            tellOfRefusal(e);
            return true;
        }
        pending = true;
        graphLaunches++;
        held.run(this::noteReplayed);
        return true;
    }

    private CudaGraph capture() {
        long before = launches;
        capturing = true;
        try {
            return CudaGraph.capture(stream, () -> held.run(this::command));
        } finally {
            capturing = false;
            launches = before;
        }
    }

    private void tellOfRefusal(DeviceException e) {
        if (!toldOfRefusal) {
            toldOfRefusal = true;
            Messages.current()
                    .notice("operations that make no CUDA graph run one by one, which is slower: " + e.getMessage());
        }
    }

    private static void drop(Seen list) {
        CudaGraph graph = list.graph;
        list.graph = null;
        if (graph != null) {
            // A graph may be freed while it runs: the driver waits.
            graph.close();
        }
    }

    /** Waits, and frees the memory of all graphs; their lists are new again when they come back. */
    void dropGraphs() {
        await();
        seen.values().forEach(CudaQueue::drop);
        seen.clear();
    }

    private void noteReplayed(Object target, long[] words, int at) {
        switch (target) {
            case CudaKernel kernel -> note(kernel, shape(words, at));
            case CudaProducts.Plan plan -> note(null, null);
            default -> {}
        }
    }

    private void note(CudaKernel kernel, LaunchShape shape) {
        int place = (int) (launches++ % NAMED);
        lastKernels[place] = kernel;
        lastShapes[place] = shape;
    }

    private static LaunchShape shape(long[] words, int at) {
        return new LaunchShape((int) words[at], (int) words[at + 1], (int) words[at + 2], (int) words[at + 3]);
    }

    private void remember(CommandList list) {
        if (seen.size() == KEPT) {
            drop(seen.pollFirstEntry().getValue());
        }
        seen.put(list, new Seen());
    }

    /** Starts a kernel whose arguments have been given. */
    void launch(CudaKernel kernel, LaunchShape shape) {
        if (holding) {
            int at = held.add(kernel, 4 + kernel.words());
            long[] words = held.words();
            words[at] = shape.gridX();
            words[at + 1] = shape.gridY();
            words[at + 2] = shape.gridZ();
            words[at + 3] = shape.threads();
            kernel.save(words, at + 4);
        } else {
            start(kernel, shape);
        }
    }

    private void start(CudaKernel kernel, LaunchShape shape) {
        pending = true;
        try {
            kernel.launch(shape, stream);
        } catch (DeviceException e) {
            throw reason(e);
        }
        note(kernel, shape);
        block();
    }

    /** Why a call failed: throws what the work before it failed with, if it did, else returns what the call failed with. */
    DeviceException reason(DeviceException e) {
        if (!capturing) {
            check(CudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
        }
        return e;
    }

    private void block() {
        if (blocking) {
            launchesBefore = launches - 1;
            check(CudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
        }
    }

    /** Starts a product; {@code bias} is 0 where there is none. */
    void product(CudaProducts.Plan plan, long a, long weights, long bias, long out) {
        if (holding) {
            int at = held.add(plan, 4);
            held.words()[at] = a;
            held.words()[at + 1] = weights;
            held.words()[at + 2] = bias;
            held.words()[at + 3] = out;
        } else {
            start(plan, a, weights, bias, out);
        }
    }

    private void start(CudaProducts.Plan plan, long a, long weights, long bias, long out) {
        pending = true;
        try {
            plan.launch(a, weights, bias, out, stream);
        } catch (DeviceException e) {
            throw reason(e);
        }
        note(null, null);
        block();
    }

    /** Copies pinned host memory to the device. */
    void upload(long target, MemorySegment source) {
        copy(Copy.TO_DEVICE, target, source.address(), source.byteSize());
    }

    /** Copies device memory to pinned host memory, which is whole after {@link #await}. */
    void download(MemorySegment target, long source) {
        bytesToHost += target.byteSize();
        copy(Copy.TO_HOST, target.address(), source, target.byteSize());
    }

    /** Copies within the device. */
    void copy(long target, long source, long bytes) {
        copy(Copy.ON_DEVICE, target, source, bytes);
    }

    /** Fills device memory with zeros. */
    void zero(long target, long bytes) {
        copy(Copy.ZERO, target, 0, bytes);
    }

    private void copy(Copy kind, long target, long source, long bytes) {
        if (holding) {
            int at = held.add(kind, 3);
            held.words()[at] = target;
            held.words()[at + 1] = source;
            held.words()[at + 2] = bytes;
        } else {
            start(kind, target, source, bytes);
        }
    }

    private void start(Copy kind, long target, long source, long bytes) {
        pending = true;
        int code = switch (kind) {
            case TO_DEVICE -> CudaDriver.cuMemcpyHtoDAsync_v2(target, MemorySegment.ofAddress(source), bytes, stream);
            case TO_HOST -> CudaDriver.cuMemcpyDtoHAsync_v2(MemorySegment.ofAddress(target), source, bytes, stream);
            case ON_DEVICE -> CudaDriver.cuMemcpyDtoDAsync_v2(target, source, bytes, stream);
            case ZERO -> CudaDriver.cuMemsetD8Async(target, (byte) 0, bytes, stream);
        };
        check(code, "copy " + kind);
    }

    private void command(Object target, long[] words, int at) {
        switch (target) {
            case CudaKernel kernel -> start(kernel.restore(words, at + 4), shape(words, at));
            case CudaProducts.Plan plan -> start(plan, words[at], words[at + 1], words[at + 2], words[at + 3]);
            case Copy kind -> start(kind, words[at], words[at + 1], words[at + 2]);
            default -> throw new IllegalStateException("no such command: " + target);
        }
    }

    /** Waits until all is done; throws if any of it failed, naming what ran last. */
    void await() {
        flush();
        if (pending) {
            waits++;
            check(CudaDriver.cuStreamSynchronize(stream), "cuStreamSynchronize");
            pending = false;
            launchesBefore = launches;
        }
    }

    /** Waits until an event is passed that was set in this stream before; what is behind it may still run. */
    void await(CudaEvent event) {
        eventWaits++;
        check(event.synchronize(), "cuEventSynchronize");
    }

    /** Whether the device has done all that it was given, as far as is known. */
    boolean idle() {
        return !pending && held.size() == 0;
    }

    private void check(int code, String call) {
        if (code != CudaDriver.CUDA_SUCCESS()) {
            throw CudaErrors.exception(code, CudaErrors.describe(code, call + lastLaunches()));
        }
    }

    /** " after launch of K in SHAPE", with the last few launches since the host last waited. */
    private String lastLaunches() {
        long from = Math.max(launchesBefore, launches - NAMED);
        if (from == launches) {
            return "";
        }
        StringJoiner words = new StringJoiner(", then ", " after ", "");
        if (from > launchesBefore) {
            words.add((from - launchesBefore) + " other launches");
        }
        for (long i = from; i < launches; i++) {
            CudaKernel kernel = lastKernels[(int) (i % NAMED)];
            words.add(
                    kernel == null
                            ? "a matrix product"
                            : "the launch of " + kernel.signature().name() + " in " + lastShapes[(int) (i % NAMED)]);
        }
        return words.toString();
    }

    /** Waits before memory is freed; what failed was reported where it was waited for, and must not hide what else goes wrong. */
    void drain() {
        if (!closed) {
            CudaDriver.cuStreamSynchronize(stream);
        }
    }

    @Override
    public void close() {
        if (!closed) {
            drain();
            closed = true;
            Resources all = new Resources();
            all.own(() -> CudaErrors.check(CudaDriver.cuStreamDestroy_v2(stream), "cuStreamDestroy"));
            for (Seen list : seen.values()) {
                all.own(() -> drop(list));
            }
            all.close();
        }
    }
}
