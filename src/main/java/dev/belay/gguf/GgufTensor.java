package dev.belay.gguf;

/**
 * A tensor of the header.
 *
 * @param shape slowest axis first, as PyTorch has it
 * @param offset of its first byte in the file
 */
record GgufTensor(String name, BlockType type, long[] shape, long offset) {
    long elements() {
        long count = 1;
        for (long size : shape) {
            count *= size;
        }
        return count;
    }

    /** Length of a row, the fastest axis. */
    int width() {
        return Math.toIntExact(shape[shape.length - 1]);
    }

    long rows() {
        return elements() / width();
    }
}
