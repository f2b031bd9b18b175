package dev.belay.report;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import java.util.stream.Stream;

/**
 * The tool and the machine of a run.
 *
 * @param version of Belay; "development" when it does not run from its jar
 * @param cpu the processor's name, or its architecture where the system does not tell
 */
public record Machine(String version, String java, String os, String cpu, int processors, long heapBytes) {
    private static final Path CPU_INFO = Path.of("/proc/cpuinfo");

    /** This one. */
    public static Machine current() {
        Runtime runtime = Runtime.getRuntime();
        String version = Machine.class.getPackage().getImplementationVersion();
        return new Machine(
                Objects.requireNonNullElse(version, "development"),
                System.getProperty("java.vendor") + " " + System.getProperty("java.runtime.version"),
                System.getProperty("os.name") + " " + System.getProperty("os.version") + " "
                        + System.getProperty("os.arch"),
                cpuName(),
                runtime.availableProcessors(),
                runtime.maxMemory());
    }

    /** The most memory that this process has had, in bytes; 0 where the system does not tell. */
    static long peakBytes() {
        String kibibytes = value(Path.of("/proc/self/status"), "VmHWM", "0 kB");
        return Long.parseLong(kibibytes.substring(0, kibibytes.indexOf(' '))) << 10;
    }

    private static String cpuName() {
        return value(CPU_INFO, "model name", System.getProperty("os.arch"));
    }

    /** What stands behind the colon of the first line with that name. */
    private static String value(Path file, String name, String otherwise) {
        try (Stream<String> lines = Files.lines(file)) {
            return lines.filter(line -> line.startsWith(name))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(otherwise);
        } catch (IOException e) {
            return otherwise;
        }
    }
}
