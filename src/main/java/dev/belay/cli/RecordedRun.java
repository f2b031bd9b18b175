package dev.belay.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.belay.BelayException;
import dev.belay.io.FileHash;
import dev.belay.io.OutputFile;
import dev.belay.report.RunManifest;
import dev.belay.weights.ModelFingerprint;
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
record RecordedRun(
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
    static RecordedRun read(Path run) {
        Path file = Files.isDirectory(run) ? run.resolve(FOLDERS_MANIFEST) : run;
        try {
            String text = Files.readString(file);
            JsonNode json = JSON.readTree(text.startsWith("<") ? manifest(file, text) : text);
            if (!json.path("tool").asText().equals("belay")
                    || json.path("arguments").isEmpty()) {
                throw new BelayException(
                        file + ": no manifest with a command line; belay rerun takes a page that --report"
                                + " wrote, or the folder of belay demo");
            }
            List<String> arguments = new ArrayList<>();
            json.get("arguments").forEach(argument -> arguments.add(argument.asText()));
            return new RecordedRun(
                    file,
                    json.path("version").asText(),
                    arguments,
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

    private static Map<Path, String> files(Path file, JsonNode list, String hash) {
        Map<Path, String> files = new LinkedHashMap<>();
        for (JsonNode one : list) {
            Path path = Path.of(one.path("path").asText());
            if (path.toString().isEmpty() || path.getFileName() == null) {
                throw new BelayException(file + ": its manifest names a file that cannot be: '" + path + "'");
            }
            files.put(path, one.path(hash).asText());
        }
        return files;
    }

    /** The command line as picocli takes it: an argument that begins with @ is no file of arguments. */
    static String[] escaped(List<String> arguments) {
        return arguments.stream()
                .map(argument -> argument.startsWith("@") ? "@" + argument : argument)
                .toArray(String[]::new);
    }

    /**
     * The models and files that are no longer what the run read.
     *
     * @throws BelayException if one is not there
     */
    List<String> changes() {
        List<String> changes = new ArrayList<>();
        models.forEach((folder, fingerprint) -> {
            if (!ModelFingerprint.of(there(folder)).equals(fingerprint)) {
                changes.add("model " + folder);
            }
        });
        inputs.forEach((input, sha256) -> {
            if (!FileHash.of(there(input)).equals(sha256)) {
                changes.add(input.toString());
            }
        });
        return changes;
    }

    private Path there(Path input) {
        if (!Files.exists(input)) {
            String hint =
                    input.isAbsolute() ? "" : "; the run was in the folder " + directory + ": start belay rerun there";
            throw new BelayException(input + ", which the run of " + file + " read, is not there" + hint);
        }
        return input;
    }
}
