package dev.belay.io;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;

/** Brings files and their names to the disk, so that a power loss does not take what was said to be written. */
public final class Disk {
    private Disk() {}

    /** Brings the names in the folder of {@code file} to the disk, where the file system has a way to. */
    public static void forceName(Path file) {
        forceFolder(file.toAbsolutePath().getParent());
    }

    /** Brings all files in a folder, and their names, to the disk. */
    static void forceAll(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            for (Path file : files.toList()) {
                try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                    channel.force(true);
                }
            }
        }
        forceFolder(folder);
    }

    private static void forceFolder(Path folder) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException e) {
            // Some file systems, and Windows, have no such thing for folders: there it is the system that sees to the
            // name.
            return;
        }
    }
}
