package dev.belay.io;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** A folder of files that appears under its name only when it is whole; until then it is NAME.partial. */
public final class OutputFolder implements AutoCloseable {
    private final Path target;
    private final Path partial;

    private OutputFolder(Path target) {
        this.target = target.toAbsolutePath().normalize();
        partial = OutputFile.companion(this.target, OutputFile.PARTIAL);
    }

    /**
     * Begins a folder, which must not exist or be empty.
     *
     * @throws BelayException if there is something in it, or it cannot be made
     */
    public static OutputFolder create(Path target) {
        checkFree(target);
        OutputFolder folder = new OutputFolder(target);
        folder.remove();
        try {
            Files.createDirectories(folder.partial);
        } catch (IOException e) {
            throw new BelayException("cannot make " + folder.partial + ": " + OutputFile.reason(e), e);
        }
        return folder;
    }

    /**
     * Checks that a folder does not exist or is empty.
     *
     * @throws BelayException if it is not
     */
    public static void checkFree(Path target) {
        if (!Files.exists(target)) {
            return;
        }
        if (!Files.isDirectory(target)) {
            throw new BelayException(target + " is a file; name a new folder");
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(target)) {
            if (files.iterator().hasNext()) {
                throw new BelayException(target + " is not empty; name a new folder");
            }
        } catch (IOException e) {
            throw new BelayException("cannot write into " + target + ": " + OutputFile.reason(e), e);
        }
    }

    /** Where to write the files. */
    public Path path() {
        return partial;
    }

    /**
     * Gives the folder its name; it is on the disk with all its files when this returns.
     *
     * @throws BelayException if that fails
     */
    public void commit() {
        try {
            Disk.forceAll(partial);
            Files.deleteIfExists(target);
            Files.move(partial, target);
            Disk.forceName(target);
        } catch (IOException e) {
            throw new BelayException("cannot write " + target + ": " + OutputFile.reason(e), e);
        }
    }

    private void remove() {
        if (!Files.isDirectory(partial)) {
            return;
        }
        try (DirectoryStream<Path> files = Files.newDirectoryStream(partial)) {
            for (Path file : files) {
                Files.delete(file);
            }
            Files.delete(partial);
        } catch (IOException e) {
            throw new BelayException("cannot remove " + partial + ": " + OutputFile.reason(e), e);
        }
    }

    /** Removes what was written, unless it was committed. */
    @Override
    public void close() {
        remove();
    }
}
