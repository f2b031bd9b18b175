package dev.belay.io;

import dev.belay.BelayException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/**
 * A file that appears under its own name only when it is complete. It is written as {@code NAME.partial} beside its place and
 * renamed by {@link #commit()}; if the work fails before that, what was written stays under the partial name, and every
 * error of this class names it.
 */
public final class OutputFile implements AutoCloseable {
    private final Path target;
    private final Path partial;
    private final FileChannel channel;
    private final Writer writer;
    private boolean committed;

    private OutputFile(Path target, Path partial, FileChannel channel) {
        this.target = target;
        this.partial = partial;
        this.channel = channel;
        this.writer = new BufferedWriter(Channels.newWriter(channel, StandardCharsets.UTF_8));
    }

    /**
     * Opens {@code target.partial} for writing, creating the folders above it.
     *
     * @throws BelayException if the place cannot be written to
     */
    public static OutputFile create(Path target) {
        Path partial = target.resolveSibling(target.getFileName() + ".partial");
        try {
            if (Files.isDirectory(target)) {
                throw new BelayException("cannot write " + target + ": it is a folder; name a file");
            }
            Path parent = target.toAbsolutePath().getParent();
            if (parent != null) {
                Files.createDirectories(parent);
            }
            FileChannel channel = FileChannel.open(
                    partial,
                    StandardOpenOption.CREATE,
                    StandardOpenOption.TRUNCATE_EXISTING,
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE);
            return new OutputFile(target, partial, channel);
        } catch (IOException e) {
            throw new BelayException("cannot write " + target + ": " + reason(e), e);
        }
    }

    /** Writes one whole text file: create, write, rename. */
    public static void writeText(Path target, String text) {
        try (OutputFile out = create(target)) {
            out.write(text);
            out.commit();
        }
    }

    /** The place where the complete file appears. */
    public Path target() {
        return target;
    }

    /** The file's channel, for binary formats; not to be mixed with {@link #write}. */
    public FileChannel channel() {
        return channel;
    }

    /** Appends UTF-8 text. */
    public void write(String text) {
        try {
            writer.write(text);
        } catch (IOException e) {
            throw failure(e);
        }
    }

    /** Appends UTF-8 text and a line feed, and hands it to the operating system, so that a later failure keeps it. */
    public void writeLine(String line) {
        try {
            writer.write(line);
            writer.write('\n');
            writer.flush();
        } catch (IOException e) {
            throw failure(e);
        }
    }

    /** Flushes, closes and renames the file to its own name. */
    public void commit() {
        try {
            writer.flush();
            channel.close();
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
            committed = true;
        } catch (IOException e) {
            throw failure(e);
        }
    }

    /** The error to throw when a write to {@link #channel()} fails: names the file, the reason and what was kept. */
    public BelayException failure(IOException e) {
        return new BelayException(
                "cannot write " + target + ": " + reason(e) + "; what was written so far is in " + partial, e);
    }

    /** Closes the file; without a commit the partial file stays, unless it is empty. */
    @Override
    public void close() {
        if (committed) {
            return;
        }
        try {
            if (channel.isOpen()) {
                try {
                    writer.flush();
                } finally {
                    channel.close();
                }
            }
            if (Files.exists(partial) && Files.size(partial) == 0) {
                Files.delete(partial);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Says in words why a file operation failed. */
    public static String reason(IOException e) {
        return switch (e) {
            case java.nio.file.NoSuchFileException missing -> "no such file or folder: " + missing.getFile();
            case java.nio.file.AccessDeniedException denied -> "permission denied: " + denied.getFile();
            case java.nio.file.FileAlreadyExistsException exists -> "a file is in the way: " + exists.getFile();
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
