package dev.belay.bench;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.function.LongConsumer;

/** A random model in the folder for temporary files, removed when it is closed or the program is stopped. */
public final class TemporaryModel implements AutoCloseable {
    private final Path folder;
    private final Thread atExit;

    /**
     * Writes the model.
     *
     * @param progress called with the number of bytes written
     * @throws BelayException if the model cannot be written
     */
    public TemporaryModel(ModelShape shape, LongConsumer progress) {
        try {
            folder = Files.createTempDirectory("belay-bench-");
        } catch (IOException e) {
            throw new BelayException("cannot make a temporary folder: " + OutputFile.reason(e), e);
        }
        atExit = new Thread(this::remove);
        Runtime.getRuntime().addShutdownHook(atExit);
        try {
            RandomModel.write(shape, folder, 0, progress);
        } catch (RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    /** Where it is. */
    public Path folder() {
        return folder;
    }

    private void remove() {
        try (var files = Files.list(folder)) {
            for (Path file : files.toList()) {
                Files.delete(file);
            }
            Files.delete(folder);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        Runtime.getRuntime().removeShutdownHook(atExit);
        remove();
    }
}
