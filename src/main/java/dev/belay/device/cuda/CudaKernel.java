package dev.belay.device.cuda;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import dev.belay.bindings.cuda.CudaDriver;
import dev.belay.device.DeviceException;
import dev.belay.device.cuda.KernelSignature.Type;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * A kernel of a module and its arguments. A launch gives every argument in order and then the geometry:
 * {@code kernel.pointer(x).i32(width).pointer(out).launch(shape, stream)}; a wrong kind or number of arguments throws. The driver
 * copies the arguments, so that the next launch may follow at once. For one thread at a time.
 */
final class CudaKernel {
    /** The default stream. */
    static final MemorySegment DEFAULT_STREAM = MemorySegment.NULL;

    /** Dynamic shared memory that every function may use without asking. */
    private static final int SHARED_BYTES_WITHOUT_OPT_IN = 48 * 1024;

    private final MemorySegment function;
    private final KernelSignature signature;
    private final Type[] types;
    private final int[] offsets;
    private final MemorySegment block;
    private final int words;
    /** Addresses of the arguments in {@link #block}, as cuLaunchKernel wants them. */
    private final MemorySegment pointers;

    private int given;

    CudaKernel(MemorySegment function, KernelSignature signature, Arena arena) {
        this.function = function;
        this.signature = signature;
        List<KernelSignature.Parameter> parameters = signature.parameters();
        types = new Type[parameters.size()];
        offsets = new int[types.length];
        words = Math.ceilDiv(signature.parameterBytes(), Long.BYTES);
        block = arena.allocate((long) words * Long.BYTES, Long.BYTES);
        pointers = arena.allocate(ADDRESS, types.length);
        for (int i = 0; i < types.length; i++) {
            types[i] = parameters.get(i).type();
            offsets[i] = signature.offset(i);
            pointers.setAtIndex(ADDRESS, i, block.asSlice(offsets[i]));
        }
        if (signature.sharedBytes() > SHARED_BYTES_WITHOUT_OPT_IN) {
            int attribute = CudaDriver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES();
            CudaErrors.check(
                    CudaDriver.cuFuncSetAttribute(function, attribute, signature.sharedBytes()),
                    "cuFuncSetAttribute",
                    "dynamic shared memory of " + signature.name(),
                    signature.sharedBytes());
        }
    }

    /** What the kernel is called and takes. */
    KernelSignature signature() {
        return signature;
    }

    /** Number of an attribute of the compiled kernel, by its CUfunction_attribute. */
    int attribute(int attribute) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(JAVA_INT);
            CudaErrors.check(
                    CudaDriver.cuFuncGetAttribute(value, attribute, function), "cuFuncGetAttribute", signature.name());
            return value.get(JAVA_INT, 0);
        }
    }

    /** {offset, size} in bytes of parameter {@code index} of the compiled kernel; null if it has not so many. */
    int[] compiledParameter(int index) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment offset = arena.allocate(JAVA_LONG);
            MemorySegment size = arena.allocate(JAVA_LONG);
            int code = CudaDriver.cuFuncGetParamInfo(function, index, offset, size);
            if (code == CudaDriver.CUDA_ERROR_INVALID_VALUE()) {
                return null;
            }
            CudaErrors.check(code, "cuFuncGetParamInfo", signature.name());
            return new int[] {(int) offset.get(JAVA_LONG, 0), (int) size.get(JAVA_LONG, 0)};
        }
    }

    /** Gives memory as the next argument. */
    CudaKernel pointer(CudaMemory memory) {
        return pointer(memory.address());
    }

    /** Gives a device address, or 0 for none, as the next argument. */
    CudaKernel pointer(long address) {
        block.set(JAVA_LONG, next(Type.POINTER), address);
        return this;
    }

    /** Gives a number as the next argument. */
    CudaKernel i32(int value) {
        block.set(JAVA_INT, next(Type.I32), value);
        return this;
    }

    /** Gives a number as the next argument. */
    CudaKernel i64(long value) {
        block.set(JAVA_LONG, next(Type.I64), value);
        return this;
    }

    /** Gives a number as the next argument. */
    CudaKernel f32(float value) {
        block.set(JAVA_FLOAT, next(Type.F32), value);
        return this;
    }

    private int next(Type type) {
        if (given == types.length || types[given] != type) {
            throw wrongArgument(type);
        }
        return offsets[given++];
    }

    private IllegalStateException wrongArgument(Type type) {
        String message = "argument " + given + " of " + signature.name() + " is "
                + (given == types.length
                        ? "one too many"
                        : signature.parameters().get(given) + ", not " + type);
        given = 0;
        return new IllegalStateException(message);
    }

    /**
     * Starts the kernel on a stream; it may run later, and what goes wrong in it shows in a later call.
     *
     * @throws DeviceException if the driver refuses the launch, with the geometry
     */
    void launch(LaunchShape shape, MemorySegment stream) {
        complete();
        int code = CudaDriver.cuLaunchKernel(
                function,
                shape.gridX(),
                shape.gridY(),
                shape.gridZ(),
                shape.threads(),
                1,
                1,
                signature.sharedBytes(),
                stream,
                pointers,
                MemorySegment.NULL);
        if (code != CudaDriver.CUDA_SUCCESS()) {
            throw CudaErrors.exception(
                    code, CudaErrors.describe(code, "launch of " + signature.name() + " in " + shape));
        }
    }

    /** Forgets arguments given for a launch that did not come. */
    CudaKernel reset() {
        given = 0;
        return this;
    }

    /** Number of words that {@link #save} writes. */
    int words() {
        return words;
    }

    /** Writes the arguments given to {@code target} from {@code at} on, instead of a launch. */
    void save(long[] target, int at) {
        complete();
        MemorySegment.copy(block, JAVA_LONG, 0, target, at, words);
    }

    /** Gives the arguments that {@link #save} wrote. */
    CudaKernel restore(long[] source, int at) {
        MemorySegment.copy(source, at, block, JAVA_LONG, 0, words);
        given = types.length;
        return this;
    }

    private void complete() {
        if (given != types.length) {
            int got = given;
            given = 0;
            throw new IllegalStateException(signature.name() + " takes " + types.length + " arguments, got " + got);
        }
        given = 0;
    }
}
