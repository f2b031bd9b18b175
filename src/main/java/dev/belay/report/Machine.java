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

    private static String cpuName() {
        try (Stream<String> lines = Files.lines(CPU_INFO)) {
            return lines.filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElseGet(() -> System.getProperty("os.arch"));
        } catch (IOException e) {
            return System.getProperty("os.arch");
        }
    }
}
