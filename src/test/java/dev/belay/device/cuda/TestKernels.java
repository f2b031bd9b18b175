package dev.belay.device.cuda;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.lang.foreign.MemorySegment;

/**
 * The device and the compiled kernels that the tests of this package run on: softcuda, or a GPU, whichever
 * {@code -Dbelay.cuda.library} names, and the {@link KernelImage} that Belay runs. Where there is none, the tests are left out with the
 * reason; {@code -Dbelay.cuda.required=true} makes that a failure.
 */
final class TestKernels implements AutoCloseable {
    private static final String REQUIRED_PROPERTY = "belay.cuda.required";

    private final CudaContext context;
    private final CudaModule module;

    private TestKernels(CudaContext context, CudaModule module) {
        this.context = context;
        this.module = module;
    }

    /** Opens device 0 and the kernels, or leaves the test out. */
    static TestKernels open() {
        CudaAvailability availability = CudaAvailability.get();
        require(availability.available(), availability.reason());
        String problem = KernelImage.problem();
        require(problem == null, problem);
        CudaContext context = CudaContext.open(0);
        return new TestKernels(context, context.loadKernels());
    }

    /** Leaves the test out, or fails it where CUDA is required, unless {@code there}. */
    static void require(boolean there, String reason) {
        if (Boolean.getBoolean(REQUIRED_PROPERTY)) {
            assertTrue(there, "-D" + REQUIRED_PROPERTY + "=true, but " + reason);
        }
        assumeTrue(there, reason);
    }

    CudaContext context() {
        return context;
    }

    CudaModule module() {
        return module;
    }

    CudaKernel kernel(KernelSignature signature) {
        return module.kernel(signature);
    }

    /** Starts a kernel whose arguments have all been given, and waits for it. */
    void run(CudaKernel kernel, LaunchShape shape) {
        kernel.launch(shape, CudaKernel.DEFAULT_STREAM);
        context.synchronize();
    }

    /** {@code values} as float32 on the device. */
    TestArray floats(String name, float[] values) {
        return TestArray.of(context, name, TestArray.Kind.F32, values, 0);
    }

    /** The same, {@code skip} numbers behind a multiple of 256 bytes. */
    TestArray floats(String name, float[] values, int skip) {
        return TestArray.of(context, name, TestArray.Kind.F32, values, skip);
    }

    /** {@code values}, each rounded to bfloat16, on the device. */
    TestArray bf16(String name, float[] values, int skip) {
        return TestArray.of(context, name, TestArray.Kind.BF16, values, skip);
    }

    /** Numbers of either kind. */
    TestArray array(String name, TestArray.Kind kind, float[] values, int skip) {
        return TestArray.of(context, name, kind, values, skip);
    }

    /** Room for results, all NaN, with a guard behind it. */
    TestArray output(TestArray.Kind kind, int count, int skip) {
        return TestArray.output(context, kind, count, skip);
    }

    /** Integers on the device. */
    CudaMemory ints(String name, int... values) {
        CudaMemory memory = context.allocate(name, Math.max(1, values.length) * (long) Integer.BYTES);
        try (var arena = java.lang.foreign.Arena.ofConfined()) {
            MemorySegment native32 = arena.allocateFrom(java.lang.foreign.ValueLayout.JAVA_INT, values);
            memory.write(0, native32);
        }
        return memory;
    }

    /** The first {@code count} integers of device memory. */
    int[] ints(CudaMemory memory, int count) {
        try (var arena = java.lang.foreign.Arena.ofConfined()) {
            MemorySegment data = arena.allocate(java.lang.foreign.ValueLayout.JAVA_INT, count);
            memory.read(0, data);
            return data.toArray(java.lang.foreign.ValueLayout.JAVA_INT);
        }
    }

    @Override
    public void close() {
        try (context) {
            module.close();
        }
    }
}
