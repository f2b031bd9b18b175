package dev.belay.model;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Models in the local cache of Hugging Face's hub, by name. Nothing is downloaded, and no connection is opened. */
public final class HubCache {
    private static final Pattern NAME =
            Pattern.compile("hub:((?:[\\w.-]+/)?[\\w.-]+)(?:@([\\w./-]+))?", Pattern.UNICODE_CHARACTER_CLASS);
    private static final String MAIN = "main";

    private HubCache() {}

    /**
     * The folder of a model.
     *
     * @param name {@code hub:owner/name} or {@code hub:owner/name@revision}, where a revision is a branch, a tag or a commit; or a path
     * @param environment HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME say where the cache is
     * @throws BelayException if it is not in the cache
     */
    public static Path resolve(String name, Map<String, String> environment) {
        if (!name.startsWith("hub:")) {
            return Path.of(name);
        }
        Matcher matcher = NAME.matcher(name);
        if (!matcher.matches() || name.contains("..")) {
            throw new BelayException(
                    "'" + name + "' is no name of a model: use hub:owner/name or hub:owner/name@revision");
        }
        Path cache = cache(environment);
        Path model = cache.resolve("models--" + matcher.group(1).replace("/", "--"));
        if (!Files.isDirectory(model)) {
            throw new BelayException("'" + name + "' is not in the cache " + cache
                    + ", and nothing is downloaded: fetch it with 'hf download " + matcher.group(1)
                    + "', or name a folder");
        }
        String revision = matcher.group(2) == null ? MAIN : matcher.group(2);
        Path snapshot = model.resolve("snapshots").resolve(commit(model, revision));
        if (!Files.isDirectory(snapshot)) {
            throw new BelayException("the revision '" + revision + "' of " + matcher.group(1) + " is not in the cache "
                    + cache + "; there are: " + String.join(", ", revisions(model)));
        }
        return snapshot;
    }

    private static Path cache(Map<String, String> environment) {
        String own = environment.getOrDefault("HF_HUB_CACHE", "");
        if (!own.isBlank()) {
            return Path.of(own);
        }
        String home = environment.getOrDefault("HF_HOME", "");
        if (!home.isBlank()) {
            return Path.of(home, "hub");
        }
        String caches = environment.getOrDefault("XDG_CACHE_HOME", "");
        Path base = caches.isBlank() ? Path.of(environment.getOrDefault("HOME", "."), ".cache") : Path.of(caches);
        return base.resolve("huggingface").resolve("hub");
    }

    /** The commit that a branch or tag stands for, or the revision itself. */
    private static String commit(Path model, String revision) {
        Path ref = model.resolve("refs").resolve(revision);
        if (!Files.isRegularFile(ref)) {
            return revision;
        }
        try {
            String commit = Files.readString(ref).strip();
            if (commit.matches("[0-9a-fA-F]{7,64}")) {
                return commit;
            }
        } catch (IOException e) {
            throw new BelayException("cannot read " + ref + ": " + OutputFile.reason(e), e);
        }
        throw new BelayException(ref + " names no commit; download the model again");
    }

    private static List<String> revisions(Path model) {
        try (Stream<Path> refs = list(model.resolve("refs"));
                Stream<Path> snapshots = list(model.resolve("snapshots"))) {
            return Stream.concat(refs, snapshots)
                    .map(path -> path.getFileName().toString())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new BelayException("cannot read " + model + ": " + OutputFile.reason(e), e);
        }
    }

    private static Stream<Path> list(Path folder) throws IOException {
        return Files.isDirectory(folder) ? Files.list(folder) : Stream.empty();
    }
}
