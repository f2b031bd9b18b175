package dev.belay.device.cpu;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.ToLongBiFunction;

/**
 * How much memory a process may still take: what the system says is available, or less where a control group (a container, a job of
 * Slurm or Kubernetes) has a limit.
 */
public final class FreeMemory {
    /** Where the files of a version of control groups are, and how those of a group are called. */
    private record Version(String mount, String limit, String used, String cached) {
        static final Version ONE =
                new Version("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
        static final Version TWO = new Version("", "memory.max", "memory.current", "inactive_file");
    }

    private final Path proc;
    private final Path groups;

    /** Of this process. */
    public FreeMemory() {
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
    public long bytes() {
        return Math.min(system("MemAvailable:"), least(FreeMemory::free));
    }

    /** Bytes of the whole machine; {@link Long#MAX_VALUE} where the system does not tell. */
    public long total() {
        return system("MemTotal:");
    }

    /** Bytes that the control groups let this process and those with it take; {@link Long#MAX_VALUE} if that is no less than all. */
    public long limit() {
        long limit = least((version, group) -> number(first(group.resolve(version.limit()))));
        return limit < total() ? limit : Long.MAX_VALUE;
    }

    /** Bytes that this process holds now, files that it has mapped and read included; {@link Long#MAX_VALUE} where the system does not tell. */
    public long held() {
        return kibibytes("self/status", "VmRSS:");
    }

    private long system(String name) {
        return kibibytes("meminfo", name);
    }

    private long kibibytes(String file, String name) {
        long kibibytes = number(value(lines(proc.resolve(file)), name));
        return kibibytes == Long.MAX_VALUE ? kibibytes : kibibytes << 10;
    }

    /** The least number of the groups of this process and those above them. */
    private long least(ToLongBiFunction<Version, Path> number) {
        long least = Long.MAX_VALUE;
        for (String line : lines(proc.resolve("self/cgroup"))) {
            String[] parts = line.split(":", 3);
            if (parts.length == 3 && parts[1].isEmpty()) {
                least = Math.min(least, least(Version.TWO, parts[2], number));
            } else if (parts.length == 3 && List.of(parts[1].split(",")).contains("memory")) {
                least = Math.min(least, least(Version.ONE, parts[2], number));
            }
        }
        return least;
    }

    /** In a container the group's own folder may not be there, but its root is. */
    private long least(Version version, String group, ToLongBiFunction<Version, Path> number) {
        Path root = groups.resolve(version.mount()).normalize();
        long least = Long.MAX_VALUE;
        for (Path at = root.resolve(group.substring(1)).normalize(); at.startsWith(root); at = at.getParent()) {
            least = Math.min(least, number.applyAsLong(version, at));
        }
        return least;
    }

    /** What a group leaves. */
    private static long free(Version version, Path group) {
        long limit = number(first(group.resolve(version.limit())));
        long used = number(first(group.resolve(version.used())));
        if (limit == Long.MAX_VALUE || used == Long.MAX_VALUE) {
            return Long.MAX_VALUE;
        }
        // Files that were read and are not in use count as used, but go when memory is needed.
        long cached = number(value(lines(group.resolve("memory.stat")), version.cached()));
        return Math.max(0, limit - used + (cached == Long.MAX_VALUE ? 0 : cached));
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
