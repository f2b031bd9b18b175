package dev.belay.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A run as its manifest tells it.
 *
 * @param file the manifest, or the page that holds it
 * @param version of Belay
 * @param directory where the command line was given
 * @param device that did the work; empty if there was none
 * @param models folders and their fingerprints
 * @param inputs files that were read, and their SHA-256
 * @param outputs files that were written, and their SHA-256
 */
public record RecordedRun(
        Path file,
        String version,
        List<String> arguments,
        String directory,
        String device,
        Map<Path, String> models,
        Map<Path, String> inputs,
        Map<Path, String> outputs) {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String FOLDERS_MANIFEST = "manifest.json";

    /**
     * Reads a page of {@code --report}, a manifest, or a folder with one.
     *
     * @throws BelayException if there is no manifest of Belay with a command line
     */
    public static RecordedRun read(Path run) {
        Path file = Files.isDirectory(run) ? run.resolve(FOLDERS_MANIFEST) : run;
        try {
            String text = Files.readString(file);
            JsonNode json = JSON.readTree(text.startsWith("<") ? manifest(file, text) : text);
            if (!json.path("tool").asText().equals("belay")
                    || !json.path("arguments").isArray()
                    || json.get("arguments").isEmpty()) {
                throw new BelayException(
                        file + ": no manifest with a command line; belay rerun takes a page that --report"
                                + " wrote, or the folder of belay demo");
            }
            return new RecordedRun(
                    file,
                    json.path("version").asText(),
                    arguments(file, json.get("arguments")),
                    json.path("directory").asText(),
                    json.path("device").asText(""),
                    files(file, json.path("models"), "fingerprint"),
                    files(file, json.path("inputs"), "sha256"),
                    files(file, json.path("artifacts"), "sha256"));
        } catch (JsonProcessingException | CharacterCodingException e) {
            throw new BelayException(file + ": neither a page nor a manifest of Belay: it is neither HTML nor JSON", e);
        } catch (IOException e) {
            throw new BelayException("cannot read " + file + ": " + OutputFile.reason(e), e);
        } catch (InvalidPathException e) {
            throw new BelayException(file + ": its manifest names a file that cannot be: " + e.getMessage(), e);
        }
    }

    private static String manifest(Path file, String page) {
        String manifest = RunManifest.inPage(page);
        if (manifest == null) {
            throw new BelayException(file + ": a page without a manifest; belay rerun takes one that --report wrote");
        }
        return manifest;
    }

    private static List<String> arguments(Path file, JsonNode list) {
        List<String> arguments = new ArrayList<>();
        for (JsonNode one : list) {
            arguments.add(text(file, "an argument", one));
        }
        return arguments;
    }

    private static Map<Path, String> files(Path file, JsonNode list, String hash) {
        Map<Path, String> files = new LinkedHashMap<>();
        for (JsonNode one : list) {
            String name = text(file, "the path of a file", one.path("path"));
            Path path = Path.of(name);
            if (name.isEmpty() || path.getFileName() == null) {
                throw new BelayException(file + ": its manifest names a file that cannot be: '" + path + "'");
            }
            String value = text(file, hash + " of " + path, one.path(hash));
            if (files.putIfAbsent(path, value) != null) {
                throw new BelayException(file + ": its manifest names " + path + " twice");
            }
        }
        return files;
    }

    private static String text(Path file, String what, JsonNode value) {
        if (!value.isTextual()) {
            throw new BelayException(file + ": " + what + " in its manifest is no text");
        }
        return value.textValue();
    }
}
