package dev.belay.dataset;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Opens text files and says what is wrong with them. */
final class TextInput {
    private TextInput() {}

    /** A UTF-8 file without its byte order mark. */
    static BufferedReader open(Path file) throws IOException {
        BufferedReader reader = Files.newBufferedReader(file);
        reader.mark(1);
        if (reader.read() != '\uFEFF') {
            reader.reset();
        }
        return reader;
    }

    /** A failure at a place. */
    static BelayException failure(String place, IOException e) {
        for (Throwable cause = e; cause != null; cause = cause.getCause()) {
            if (cause instanceof MalformedInputException) {
                return new BelayException(place + " is not UTF-8 text; convert the file", e);
            }
        }
        return new BelayException(place + " cannot be read: " + OutputFile.reason(e), e);
    }
}
