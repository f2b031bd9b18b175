package dev.belay.report;

import dev.belay.BelayException;
import dev.belay.io.FileHash;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A file that a run wrote, and how to know it again. */
record Artifact(Path path, long bytes, String sha256) {

    /** Reads the whole file. */
    static Artifact of(Path file) {
        try {
            return new Artifact(file, Files.size(file), FileHash.of(file));
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        }
    }
}
