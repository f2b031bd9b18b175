package dev.belay.text;

import dev.belay.BelayException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a model folder has of a tokenizer: tokenizer.json, or else Mistral's tekken.json.
 *
 * @param path the file, for messages
 * @param converted the tokenizer.json that was made of tekken.json, or null
 */
record TokenizerFile(Path path, byte[] converted) {
    /** The name of Hugging Face's form. */
    static final String NAME = "tokenizer.json";

    /** Whether a folder has a tokenizer. */
    static boolean isIn(Path modelDir) {
        return Files.isRegularFile(modelDir.resolve(NAME)) || Files.isRegularFile(modelDir.resolve(TekkenFile.NAME));
    }

    /**
     * Finds the tokenizer of a folder.
     *
     * @throws BelayException if there is none, or tekken.json is broken
     */
    static TokenizerFile find(Path modelDir) {
        Path file = modelDir.resolve(NAME);
        Path tekken = modelDir.resolve(TekkenFile.NAME);
        if (!Files.isRegularFile(file) && Files.isRegularFile(tekken)) {
            return new TokenizerFile(tekken, TekkenFile.read(tekken).tokenizer());
        }
        if (!Files.isRegularFile(file)) {
            throw new BelayException("the model " + modelDir + " has no tokenizer.json: copy the file from where the"
                    + " model comes from, or save it with transformers' PreTrainedTokenizerFast");
        }
        return new TokenizerFile(file, null);
    }

    /** The tokenizer.json. */
    InputStream open() throws IOException {
        return converted == null ? Files.newInputStream(path) : new ByteArrayInputStream(converted);
    }

    /** Its bytes. */
    long size() throws IOException {
        return converted == null ? Files.size(path) : converted.length;
    }
}
