package dev.belay.bench;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import dev.belay.weights.SafetensorsWriter;
import dev.belay.weights.TensorType;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;

/**
 * Writes model folders with random weights: bfloat16, normally distributed with mean 0 and deviation {@value #DEVIATION}, those of norms
 * with mean 1. The same shape and seed give the same files on every machine. For measuring; such a model says nothing sensible.
 */
public final class RandomModel {
    static final double DEVIATION = 0.02;
    private static final int CHUNK_BYTES = 1 << 26;
    private static final long LINE_EVERY = 5_000_000_000L;
    private static final String USAGE =
            "usage: tools/random-model SHAPE FOLDER [--seed N | --config-only], where SHAPE is one of "
                    + ModelShape.NAMED.stream().map(ModelShape::name).collect(Collectors.joining(", "));

    private RandomModel() {}

    /**
     * Writes {@code config.json} and {@code model.safetensors}.
     *
     * @param folder made if it is not there; a folder with anything in it is left alone
     * @param progress called with the number of bytes written
     * @return bytes of weights
     * @throws BelayException if there is something in the folder already, or it cannot be written
     */
    public static long write(ModelShape shape, Path folder, long seed, LongConsumer progress) {
        writeConfig(shape, folder);
        SequencedMap<String, long[]> tensors = shape.tensors();
        SafetensorsWriter.Declaration file = SafetensorsWriter.to(folder.resolve("model.safetensors"));
        file.metadata(Map.of("format", "pt"));
        tensors.forEach((name, dimensions) -> file.tensor(name, TensorType.BF16, dimensions));
        NormalNumbers matrices = new NormalNumbers(0, DEVIATION);
        NormalNumbers norms = new NormalNumbers(1, DEVIATION);
        long written = 0;
        try (SafetensorsWriter out = file.open();
                Arena arena = Arena.ofShared()) {
            MemorySegment chunk = arena.allocate(CHUNK_BYTES);
            for (Map.Entry<String, long[]> tensor : tensors.entrySet()) {
                NormalNumbers numbers = tensor.getValue().length == 1 ? norms : matrices;
                long key = NormalNumbers.key(seed, tensor.getKey());
                long bytes = Short.BYTES * ModelShape.elements(tensor.getValue());
                for (long at = 0; at < bytes; at += CHUNK_BYTES) {
                    MemorySegment part = chunk.asSlice(0, Math.min(CHUNK_BYTES, bytes - at));
                    numbers.fill(part, key, at / Short.BYTES);
                    out.write(tensor.getKey(), part);
                    written += part.byteSize();
                    progress.accept(written);
                }
            }
        }
        return written;
    }

    /**
     * Writes {@code config.json} alone, for programs that make the weights themselves.
     *
     * @throws BelayException as {@link #write}
     */
    static void writeConfig(ModelShape shape, Path folder) {
        claim(folder);
        OutputFile.writeText(folder.resolve("config.json"), shape.config());
    }

    private static void claim(Path folder) {
        try {
            if (Files.isDirectory(folder)) {
                try (var content = Files.list(folder)) {
                    if (content.findAny().isPresent()) {
                        throw new BelayException(folder + " is there and not empty: name another folder, or remove it");
                    }
                }
            }
            Files.createDirectories(folder);
        } catch (IOException e) {
            throw new BelayException("cannot make the folder " + folder + ": " + OutputFile.reason(e), e);
        }
    }

    /** {@code tools/random-model SHAPE FOLDER [--seed N | --config-only]}. */
    public static void main(String[] args) {
        System.exit(run(args));
    }

    /** Writes the model that the arguments name; returns the exit code. */
    static int run(String... args) {
        boolean seeded = args.length == 4 && args[2].equals("--seed");
        boolean configOnly = args.length == 3 && args[2].equals("--config-only");
        if ((args.length != 2 && !seeded && !configOnly) || args[0].startsWith("-") || args[1].startsWith("-")) {
            System.err.println(USAGE);
            return 2;
        }
        try {
            if (configOnly) {
                writeConfig(ModelShape.of(args[0]), Path.of(args[1]));
                return 0;
            }
            long seed = seeded ? Long.parseLong(args[3]) : 0;
            long[] next = {System.nanoTime() + LINE_EVERY};
            long bytes = write(ModelShape.of(args[0]), Path.of(args[1]), seed, written -> {
                if (System.nanoTime() > next[0]) {
                    System.err.println("random-model: " + (written >> 20) + " MiB written");
                    next[0] = System.nanoTime() + LINE_EVERY;
                }
            });
            System.out.println(args[1] + ": " + args[0] + " with random weights, " + (bytes >> 20) + " MiB");
            return 0;
        } catch (NumberFormatException e) {
            System.err.println("random-model: --seed " + args[3] + " is not a whole number of 64 bits");
            return 2;
        } catch (BelayException e) {
            System.err.println("random-model: " + e.getMessage());
            return 1;
        }
    }
}
