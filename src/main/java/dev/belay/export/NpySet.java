package dev.belay.export;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.nio.file.Files;
import java.nio.file.Path;

/** The names of a NumPy array file and of what lies beside it: F.npy, F.NAME.npy, F.rows.jsonl. */
final class NpySet {
    private static final String ENDING = ".npy";

    private final Path base;

    /** @throws BelayException if the target is a device or a pipe, beside which nothing can lie */
    NpySet(Path target) {
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            throw new BelayException("cannot write " + target + ": name a file; others are written beside it");
        }
        String name = target.getFileName().toString();
        base = target.resolveSibling(name.endsWith(ENDING) ? name.substring(0, name.length() - ENDING.length()) : name);
    }

    /** An array beside it. */
    Path beside(String name) {
        return OutputFile.companion(base, '.' + name + ENDING);
    }

    /** The JSON Lines beside it, one a row. */
    Path rows() {
        return OutputFile.companion(base, ".rows.jsonl");
    }
}
