package dev.belay.run;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/**
 * Keeps a second run from the same output: the operating system's lock on a file beside it, whose text says who holds it. The lock ends
 * with the process, however that ends; a file that is left over holds nobody.
 */
public final class OutputLock implements AutoCloseable {
    /** What a file says that its holder has removed. */
    private static final String ENDED = "ended";

    private final Path file;
    private final FileChannel channel;

    private OutputLock(Path file, FileChannel channel) {
        this.file = file;
        this.channel = channel;
    }

    /**
     * Takes the lock of an output file.
     *
     * @throws BelayException if another run holds it; says who
     */
    public static OutputLock of(Path output) {
        Path file = OutputFile.beside(output, ".lock");
        try {
            while (true) {
                FileChannel channel = FileChannel.open(
                        file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
                if (!lock(channel)) {
                    String holder = read(channel);
                    channel.close();
                    boolean known = !holder.isEmpty() && !holder.equals(ENDED);
                    throw new BelayException(output + " is being written by another run ("
                            + (known ? holder : "it began or ended just now")
                            + "); wait for it, or name another output");
                }
                // The holder may have ended between opening and locking, and another run made a new file since.
                if (!Files.exists(file) || read(channel).equals(ENDED)) {
                    channel.close();
                    continue;
                }
                write(channel, holder());
                return new OutputLock(file, channel);
            }
        } catch (IOException e) {
            throw new BelayException("cannot lock " + file + ": " + OutputFile.reason(e), e);
        }
    }

    private static boolean lock(FileChannel channel) throws IOException {
        try {
            FileLock lock = channel.tryLock();
            return lock != null;
        } catch (OverlappingFileLockException e) {
            return false;
        }
    }

    private static void write(FileChannel channel, String text) throws IOException {
        channel.truncate(0);
        channel.write(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)), 0);
    }

    private static String read(FileChannel channel) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(256);
        channel.read(bytes, 0);
        return new String(bytes.array(), 0, bytes.position(), StandardCharsets.UTF_8).strip();
    }

    private static String holder() {
        String host = System.getenv("HOSTNAME");
        try {
            host = Files.readString(Path.of("/proc/sys/kernel/hostname")).strip();
        } catch (IOException e) {
            host = host == null ? "unknown" : host;
        }
        return "process " + ProcessHandle.current().pid() + " on " + host + ", since "
                + Instant.now().truncatedTo(ChronoUnit.SECONDS) + "\n";
    }

    @Override
    public void close() {
        try (channel) {
            Files.deleteIfExists(file);
            // For runs that have opened the file and will lock it when this one lets go.
            write(channel, ENDED);
        } catch (IOException e) {
            throw new BelayException("cannot remove " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
