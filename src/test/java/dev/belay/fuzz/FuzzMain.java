package dev.belay.fuzz;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;

/**
 * What Jazzer calls for every input. Files that fail are kept as the reader got them. System properties: {@code belay.fuzz.target}, the
 * reader; {@code belay.fuzz.corpus}, the kept files; {@code belay.fuzz.work}, a folder for the file at hand, which stays there if the
 * process dies; {@code belay.fuzz.failures}, where files that fail go.
 */
public final class FuzzMain {
    private static final Path CORPUS = path("corpus");
    private static final Path WORK = path("work");
    private static final Path FAILURES = path("failures");

    private FuzzMain() {}

    private static Path path(String name) {
        return Path.of(System.getProperty("belay.fuzz." + name));
    }

    /** Has the reader read every kept file, so that its classes are there and instrumented before the clock runs. */
    public static void fuzzerInitialize() throws IOException {
        FuzzTarget target = target();
        for (Path seed : target.seeds(CORPUS)) {
            target.run(WORK, target.content(seed));
        }
    }

    private static FuzzTarget target() {
        return FuzzTarget.named(System.getProperty("belay.fuzz.target")).getFirst();
    }

    /** Runs one input. */
    public static void fuzzerTestOneInput(byte[] input) throws IOException {
        FuzzTarget target = target();
        byte[] content = target.expand(input, CORPUS);
        try {
            target.run(WORK, content);
        } catch (RuntimeException | Error | IOException e) {
            Files.createDirectories(FAILURES);
            String name = target.label() + "-" + HexFormat.of().toHexDigits(Arrays.hashCode(content));
            Files.write(FAILURES.resolve(name), content);
            System.err.println("belay: the failing file is " + FAILURES.resolve(name));
            throw e;
        }
    }

    /**
     * {@code targets}: prints their names. {@code start TARGET FOLDER}: writes what Jazzer begins with. {@code run TARGET FILE...}: has the
     * reader read these files.
     */
    public static void main(String[] arguments) throws IOException {
        if (arguments[0].equals("targets")) {
            FuzzTarget.named(null).forEach(target -> System.out.println(target.label()));
            return;
        }
        FuzzTarget target = FuzzTarget.named(arguments[1]).getFirst();
        if (arguments[0].equals("start")) {
            Path folder = Files.createDirectories(Path.of(arguments[2]));
            int number = 0;
            for (byte[] edits : target.startingEdits(CORPUS)) {
                Files.write(folder.resolve("start-edits-" + number++), edits);
            }
            for (Path seed : target.seeds(CORPUS)) {
                Files.write(folder.resolve("start-" + seed.getFileName()), target.content(seed));
            }
            return;
        }
        for (String file : Arrays.asList(arguments).subList(2, arguments.length)) {
            boolean accepted = target.run(WORK, Files.readAllBytes(Path.of(file)));
            System.out.println(file + ": " + (accepted ? "accepted" : "refused"));
        }
    }
}
