package dev.belay.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import dev.belay.BelayException;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A file that appears under its own name only when it is complete. It is written as {@code NAME.partial} beside its place and
 * renamed by {@link #commit()}; if the work fails before that, what was written stays under the partial name, and every
 * error of this class names it. A link is followed; a device or a pipe, such as /dev/stdout, is written to as it is.
 */
public final class OutputFile implements AutoCloseable {
    /** What ends the name of a file or folder that is not complete. */
    static final String PARTIAL = ".partial";

    /** Bytes of a name that every file system takes, with any suffix. */
    private static final int SURELY_FITS = 100;

    private final Path target;
    private final Path place;
    private final Path partial;
    private final FileChannel channel;
    private final Writer writer;
    private boolean committed;
    private boolean failed;

    /**
     * @param place where the complete file goes: the target, or what it links to
     * @param partial what is written until then; {@code place} itself for a device or a pipe
     */
    private OutputFile(Path target, Path place, Path partial, FileChannel channel) {
        this.target = target;
        this.place = place;
        this.partial = partial;
        this.channel = channel;
        // Not Channels.newWriter: that ignores a write which a full disk cuts short.
        this.writer =
                new BufferedWriter(new OutputStreamWriter(Channels.newOutputStream(channel), StandardCharsets.UTF_8));
    }

    /**
     * Opens {@code target.partial} for writing, creating the folders above it.
     *
     * @throws BelayException if the place cannot be written to
     */
    public static OutputFile create(Path target) {
        try {
            Path place = place(target);
            boolean special = isSpecial(place);
            Path partial = special ? place : companion(place, PARTIAL);
            FileChannel channel = special
                    ? FileChannel.open(partial, StandardOpenOption.WRITE)
                    : FileChannel.open(
                            partial,
                            StandardOpenOption.CREATE,
                            StandardOpenOption.TRUNCATE_EXISTING,
                            StandardOpenOption.READ,
                            StandardOpenOption.WRITE);
            return new OutputFile(target, place, partial, channel);
        } catch (IOException e) {
            throw new BelayException("cannot write " + target + ": " + reason(e), e);
        }
    }

    /**
     * Checks that a file can be written, before work whose result it will hold; creates the folders above it and leaves files as
     * they are.
     *
     * @throws BelayException if the place cannot be written to
     */
    public static void check(Path target) {
        try {
            Path place = place(target);
            if (isSpecial(place)) {
                return;
            }
            Path partial = companion(place, PARTIAL);
            if (Files.exists(partial)) {
                // Another run may be at work on it: it stays, even if nothing is in it yet.
                FileChannel.open(partial, StandardOpenOption.WRITE).close();
            } else {
                checkFolder(target, partial.toAbsolutePath().getParent());
            }
        } catch (IOException e) {
            throw new BelayException("cannot write " + target + ": " + reason(e), e);
        }
    }

    private static void checkFolder(Path target, Path folder) throws IOException {
        try {
            Files.delete(Files.createTempFile(folder, "belay-check-", null));
        } catch (FileSystemException e) {
            // Not the name of a file that nobody has asked for.
            String reason = reason(e).replace(String.valueOf(e.getFile()), folder.toString());
            throw new BelayException("cannot write " + target + ": " + reason, e);
        }
    }

    private static Path place(Path target) throws IOException {
        if (Files.isDirectory(target) || target.getFileName() == null) {
            throw new BelayException("cannot write " + target + ": it is a folder; name a file");
        }
        if (Files.exists(target)) {
            return isSpecial(target) ? target : target.toRealPath();
        }
        Files.createDirectories(target.toAbsolutePath().getParent());
        if (!Files.notExists(target)) {
            // The file system takes no such name: better an error now than when the complete file is to get it.
            Files.readAttributes(target, BasicFileAttributes.class);
        }
        return target;
    }

    private static boolean isSpecial(Path place) {
        return Files.exists(place) && !Files.isRegularFile(place);
    }

    private static void deleteIfEmpty(Path partial) throws IOException {
        if (Files.exists(partial) && Files.size(partial) == 0) {
            Files.delete(partial);
        }
    }

    /**
     * A file in the same folder, named as {@code file} with a suffix. Where the file system has no room for so long a name, a hash stands
     * for its end: it is then as long as that of {@code file}.
     */
    public static Path companion(Path file, String suffix) {
        String name = file.getFileName().toString();
        Path companion = file.resolveSibling(name + suffix);
        boolean fits = Files.exists(companion) || Files.notExists(companion);
        if (fits || bytes(name) < SURELY_FITS) {
            return companion;
        }
        String end = "~" + FileHash.of(name).substring(0, 16) + suffix;
        int[] start = name.codePoints().toArray();
        int length = start.length;
        while (bytes(new String(start, 0, length)) + end.length() > bytes(name)) {
            length--;
        }
        return file.resolveSibling(new String(start, 0, length) + end);
    }

    private static int bytes(String name) {
        return name.getBytes(StandardCharsets.UTF_8).length;
    }

    /**
     * A file beside the place of a target, with its name and a suffix (see {@link #companion}); creates the folders above it.
     *
     * @return null if the target is a device or a pipe
     * @throws BelayException if the place cannot be written to
     */
    public static Path beside(Path target, String suffix) {
        try {
            Path place = place(target);
            return isSpecial(place) ? null : companion(place, suffix);
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

    /** Flushes, closes and renames the file to its own name; it is on the disk under that name when this returns. */
    public void commit() {
        try {
            writer.flush();
            if (partial.equals(place)) {
                channel.close();
            } else {
                channel.force(true);
                channel.close();
                Files.move(partial, place, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
                Disk.forceName(place);
            }
            committed = true;
        } catch (IOException e) {
            throw failure(e);
        }
    }

    /** The error to throw when a write to {@link #channel()} fails: names the file, the reason and what was kept. */
    public BelayException failure(IOException e) {
        failed = true;
        return new BelayException("cannot write " + target + ": " + reason(e) + kept(), e);
    }

    /** The error to throw when the work fails whose results go here line by line: the work's own, and what was kept. */
    public BelayException interrupted(BelayException e) {
        return failed ? e : new BelayException(e.getMessage() + kept(), e);
    }

    /** Closes the file under its partial name; says where that is, in words for the end of an error. */
    public String leave() {
        close();
        return kept();
    }

    /** Closes the file and removes what was written. */
    public void discard() {
        failed = true;
        try (channel) {
            if (!committed && !partial.equals(place)) {
                Files.deleteIfExists(partial);
            }
        } catch (IOException e) {
            throw failure(e);
        }
    }

    private String kept() {
        try {
            boolean some = !partial.equals(place) && Files.size(partial) > 0;
            return some ? "; what was written so far is in " + partial : "";
        } catch (IOException e) {
            return "";
        }
    }

    /** Closes the file; without a commit the partial file stays, unless it is empty. */
    @Override
    public void close() {
        if (committed) {
            return;
        }
        try (channel) {
            if (!failed && channel.isOpen()) {
                writer.flush();
            }
            if (!partial.equals(place)) {
                deleteIfEmpty(partial);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Says in words, on one line, why a file cannot be read or written. */
    public static String reason(IOException e) {
        return switch (e) {
            case java.nio.file.NoSuchFileException missing -> "no such file or folder: " + missing.getFile();
            case java.nio.file.AccessDeniedException denied -> "permission denied: " + denied.getFile();
            case java.nio.file.FileAlreadyExistsException exists -> "a file is in the way: " + exists.getFile();
            case JsonProcessingException json ->
                json.getOriginalMessage()
                        .lines()
                        .findFirst()
                        .orElse("malformed")
                        .replaceFirst(" \\(start marker at .*", "")
                        .replaceFirst(": enable `.*", "")
                        .replaceFirst("^Trailing token .*", "more follows the first value");
            default -> e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        };
    }
}
