package dev.belay.device.cuda;

import dev.belay.device.DeviceException;
import dev.belay.io.PackedFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The compiled kernels that Belay runs: the file that {@code -Dbelay.cuda.kernels} names, else those in the jar. Where the jar was built
 * without a CUDA toolkit there are none.
 *
 * @param name the file, or that they are the jar's
 * @param bytes a fatbin, a cubin or PTX text
 */
record KernelImage(String name, byte[] bytes) {
    /** Names a file of kernels to use instead of the jar's. */
    static final String PROPERTY = "belay.cuda.kernels";

    private static final String RESOURCE = "dev/belay/kernels/belay.fatbin";
    private static final int FATBIN = 0xba55ed50;
    private static final int FATBIN_HEADER = 16;
    private static final int ENTRY_HEADER = 64;
    private static final int ENTRY_ARCHITECTURE = 28;
    private static final Pattern PTX_TARGET = Pattern.compile("(?m)^\\.target\\s+sm_(\\d+)");

    /** Why there are no kernels and what to do; null if there are some. Reads nothing. */
    static String problem() {
        String chosen = System.getProperty(PROPERTY, "");
        if (!chosen.isEmpty()) {
            return Files.isRegularFile(Path.of(chosen))
                    ? null
                    : "there are no kernels: " + chosen + " does not exist; check -D" + PROPERTY;
        }
        return PackedFile.find(RESOURCE) != null
                ? null
                : "this jar has no kernels: it was built without a CUDA toolkit; install a CUDA toolkit 13 and run"
                        + " ./belay build, or name a file of kernels with -D" + PROPERTY + "=FILE";
    }

    /**
     * Reads the kernels.
     *
     * @throws DeviceException if there are none, with the reason
     */
    static KernelImage read() {
        String problem = problem();
        if (problem != null) {
            throw new DeviceException(problem);
        }
        String chosen = System.getProperty(PROPERTY, "");
        if (!chosen.isEmpty()) {
            return of(Path.of(chosen));
        }
        try (InputStream in = PackedFile.find(RESOURCE).open()) {
            return new KernelImage("the jar's kernels", in.readAllBytes());
        } catch (IOException e) {
            throw new DeviceException("cannot read the jar's kernels: " + e.getMessage() + "; set BELAY_CACHE", e);
        }
    }

    /** The kernels in a file. */
    static KernelImage of(Path file) {
        try {
            return new KernelImage(file.toString(), Files.readAllBytes(file));
        } catch (IOException e) {
            throw new DeviceException("cannot read the kernels in " + file + ": " + e + "; run make -C kernels", e);
        }
    }

    /** What they were compiled for, such as sm_80 (binary) and compute_80 (PTX), in their order; empty if that is not known. */
    List<String> targets() {
        ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        if (bytes.length >= FATBIN_HEADER && buffer.getInt(0) == FATBIN) {
            return fatbinTargets(buffer);
        }
        Matcher target = PTX_TARGET.matcher(new String(bytes, StandardCharsets.ISO_8859_1));
        return target.find() ? List.of("compute_" + target.group(1)) : List.of();
    }

    /** One entry behind the other, each with a header; native/softcuda/src/driver/fatbin.cpp says how they lie. */
    private static List<String> fatbinTargets(ByteBuffer fatbin) {
        List<String> targets = new ArrayList<>();
        long offset = Short.toUnsignedInt(fatbin.getShort(6));
        while (offset + ENTRY_HEADER <= fatbin.limit()) {
            int at = (int) offset;
            long entryBytes = Integer.toUnsignedLong(fatbin.getInt(at + 4)) + fatbin.getLong(at + 8);
            if (entryBytes < ENTRY_HEADER) {
                return targets;
            }
            boolean ptx = fatbin.getShort(at) == 1;
            targets.add((ptx ? "compute_" : "sm_") + fatbin.getInt(at + ENTRY_ARCHITECTURE));
            offset += entryBytes;
        }
        return targets;
    }
}
