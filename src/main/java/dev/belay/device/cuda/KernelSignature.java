package dev.belay.device.cuda;

import java.util.List;

/**
 * A kernel's name, what it takes, and what its launches may ask for.
 *
 * @param name entry point in the module
 * @param parameters in the kernel's order
 * @param maxThreads most threads in a block
 * @param sharedBytes dynamic shared memory of every launch
 */
record KernelSignature(String name, List<Parameter> parameters, int maxThreads, int sharedBytes) {
    /** What a parameter is in C. */
    enum Type {
        POINTER(8),
        I32(4),
        I64(8),
        F32(4);

        private final int bytes;

        Type(int bytes) {
            this.bytes = bytes;
        }

        /** Size, and alignment, in bytes. */
        int bytes() {
            return bytes;
        }
    }

    /** One parameter. */
    record Parameter(Type type, String name) {
        static Parameter pointer(String name) {
            return new Parameter(Type.POINTER, name);
        }

        static Parameter i32(String name) {
            return new Parameter(Type.I32, name);
        }

        static Parameter i64(String name) {
            return new Parameter(Type.I64, name);
        }

        static Parameter f32(String name) {
            return new Parameter(Type.F32, name);
        }
    }

    static KernelSignature of(String name, int maxThreads, int sharedBytes, Parameter... parameters) {
        return new KernelSignature(name, List.of(parameters), maxThreads, sharedBytes);
    }

    /** Where parameter {@code index} lies in the kernel's block of parameters, each aligned to its size. */
    int offset(int index) {
        int offset = 0;
        for (int i = 0; ; i++) {
            int bytes = parameters.get(i).type().bytes();
            offset = (offset + bytes - 1) / bytes * bytes;
            if (i == index) {
                return offset;
            }
            offset += bytes;
        }
    }

    /** Size of the block of parameters in bytes. */
    int parameterBytes() {
        int last = parameters.size() - 1;
        return offset(last) + parameters.get(last).type().bytes();
    }
}
