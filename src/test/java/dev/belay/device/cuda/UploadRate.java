package dev.belay.device.cuda;

import dev.belay.device.DType;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * How fast weights reach the device: from a mapped file, which the page cache holds, through the two pinned buffers.
 *
 * @param from their type in the file
 * @param to their type on the device
 * @param bytes of the file
 * @param seconds of the fastest round
 */
record UploadRate(TensorType from, DType to, long bytes, double seconds) {
    private static final int ROUNDS = 3;

    /** Bytes of the file a second. */
    double bytesPerSecond() {
        return bytes / seconds;
    }

    /**
     * Measures it with a file of so many bytes in a folder; a first round, which does not count, brings it to the page cache and has its
     * page faults.
     */
    static UploadRate measure(CudaContext context, CudaQueue queue, Path folder, TensorType from, DType to, long bytes)
            throws IOException {
        Path file = Files.createTempFile(folder, "belay-upload-", ".bin");
        try (CudaMemory target = context.allocate("weights", bytes / from.bytes() * to.bytes());
                CudaUploader uploader = new CudaUploader(queue);
                Arena arena = Arena.ofShared();
                FileChannel channel = FileChannel.open(
                        file, StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.DELETE_ON_CLOSE)) {
            MemorySegment source = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
            double best = Double.MAX_VALUE;
            for (int round = 0; round <= ROUNDS; round++) {
                long start = System.nanoTime();
                uploader.upload(source, from, target.address(), to);
                queue.await();
                if (round > 0) {
                    best = Math.min(best, (System.nanoTime() - start) / 1e9);
                }
            }
            return new UploadRate(from, to, bytes, best);
        } finally {
            Files.deleteIfExists(file);
        }
    }
}
