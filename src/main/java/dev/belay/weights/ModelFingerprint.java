package dev.belay.weights;

import dev.belay.BelayException;
import dev.belay.io.FileHash;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.HexFormat;

/**
 * A short name for the weights that a result came from, quick to compute even for 100 GB.
 *
 * <p>It is the SHA-256 of: the length and the bytes of {@code config.json}; then for each safetensors file of the model, in
 * the order of the names, its header (with its 8 bytes of length), its size as 8 bytes, and its data, of which more than
 * 4 MiB are represented by 64 evenly spaced blocks of 64 KiB, the first and the last included. Lengths are little-endian.
 *
 * <p>It is a fingerprint, not a checksum: it tells models and fine-tunes apart, but a change between the blocks goes
 * unnoticed. The names of the files do not count.
 */
public final class ModelFingerprint {
    static final int BLOCKS = 64;
    static final int BLOCK_BYTES = 64 * 1024;

    private ModelFingerprint() {}

    /**
     * The fingerprint of a model folder as 64 hexadecimal digits.
     *
     * @throws BelayException if the folder has no config.json or no sound safetensors files
     */
    public static String of(Path modelDir) {
        MessageDigest digest = FileHash.sha256();
        ShardIndex index = ShardIndex.of(modelDir);
        byte[] config = config(modelDir.resolve("config.json"));
        addLong(digest, config.length);
        digest.update(config);
        for (Path shard : index.shards()) {
            try (SafetensorsFile file = SafetensorsFile.open(shard)) {
                add(digest, file);
            }
        }
        return HexFormat.of().formatHex(digest.digest());
    }

    private static void add(MessageDigest digest, SafetensorsFile file) {
        MemorySegment content = file.content();
        digest.update(content.asSlice(0, file.headerBytes()).asByteBuffer());
        addLong(digest, content.byteSize());
        MemorySegment data = content.asSlice(file.headerBytes());
        if (data.byteSize() <= (long) BLOCKS * BLOCK_BYTES) {
            digest.update(data.asByteBuffer());
            return;
        }
        long span = data.byteSize() - BLOCK_BYTES;
        for (int i = 0; i < BLOCKS; i++) {
            long offset = span / (BLOCKS - 1) * i + span % (BLOCKS - 1) * i / (BLOCKS - 1);
            digest.update(data.asSlice(offset, BLOCK_BYTES).asByteBuffer());
        }
    }

    private static void addLong(MessageDigest digest, long value) {
        digest.update(ByteBuffer.allocate(Long.BYTES)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .flip());
    }

    private static byte[] config(Path config) {
        try {
            return Files.readAllBytes(config);
        } catch (IOException e) {
            throw new BelayException("cannot read " + config + ": " + OutputFile.reason(e), e);
        }
    }
}
