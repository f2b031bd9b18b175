package dev.belay.device.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * How much memory a process may still take: what the system says is available, or less where a control group (a container, a job of
 * Slurm or Kubernetes) has a limit.
 */
final class FreeMemory {
    /** Where the files of a version of control groups are, and how those of a group are called. */
    private record Version(String mount, String limit, String used, String cached) {
        static final Version ONE =
                new Version("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
        static final Version TWO = new Version("", "memory.max", "memory.current", "inactive_file");
    }

    private final Path proc;
    private final Path groups;

    FreeMemory() {
        this(Path.of("/proc"), Path.of("/sys/fs/cgroup"));
    }

    /**
     * @param proc where the system tells of itself, {@code /proc}
     * @param groups where control groups are, {@code /sys/fs/cgroup}
     */
    FreeMemory(Path proc, Path groups) {
        this.proc = proc;
        this.groups = groups;
    }

    /** Bytes, as it is now; {@link Long#MAX_VALUE} where the system does not tell. */
    long bytes() {
        long kibibytes = number(value(lines(proc.resolve("meminfo")), "MemAvailable:"));
        long free = kibibytes == Long.MAX_VALUE ? kibibytes : kibibytes << 10;
        for (String line : lines(proc.resolve("self/cgroup"))) {
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[1].isEmpty()) {
                free = Math.min(free, free(Version.TWO, parts[2]));
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
                free = Math.min(free, free(Version.ONE, parts[2]));
            }
        }
        return free;
    }

    /** The least that a group and those above it leave; in a container the group's own folder may not be there, but its root is. */
    private long free(Version version, String group) {
        Path root = groups.resolve(version.mount()).normalize();
        long free = Long.MAX_VALUE;
        for (Path at = root.resolve(group.substring(1)).normalize(); at.startsWith(root); at = at.getParent()) {
            long limit = number(first(at.resolve(version.limit())));
            long used = number(first(at.resolve(version.used())));
            if (limit != Long.MAX_VALUE && used != Long.MAX_VALUE) {
                // Files that were read and are not in use count as used, but go when memory is needed.
                long cached = number(value(lines(at.resolve("memory.stat")), version.cached()));
                free = Math.min(free, Math.max(0, limit - used + (cached == Long.MAX_VALUE ? 0 : cached)));
            }
        }
        return free;
    }

    private static List<String> lines(Path file) {
        try {
            return Files.readAllLines(file);
        } catch (IOException e) {
            return List.of();
        }
    }

    private static String first(Path file) {
        List<String> lines = lines(file);
        return lines.isEmpty() ? "" : lines.getFirst();
    }

    /** The number of the line that begins with that name. */
    private static String value(List<String> lines, String name) {
        return lines.stream()
                .map(line -> line.split("\\s+"))
                .filter(words -> words.length > 1 && words[0].equals(name))
                .map(words -> words[1])
                .findFirst()
                .orElse("");
    }

    /** A number; {@link Long#MAX_VALUE} for what is none, such as {@code max}, or too large. */
    private static long number(String text) {
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            return Long.MAX_VALUE;
        }
    }
}
