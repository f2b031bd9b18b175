package dev.belay.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.belay.BelayException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The layout is that of huggingface_hub: refs with commits, snapshots with links to blobs. */
class HubCacheTest {
    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";

    @TempDir
    Path home;

    private Path hub;
    private Path snapshot;

    @BeforeEach
    void makeACache() throws IOException {
        hub = home.resolve(".cache/huggingface/hub");
        Path model = hub.resolve("models--owner--a.name-1");
        snapshot = Files.createDirectories(model.resolve("snapshots/" + COMMIT));
        Files.createDirectories(model.resolve("blobs"));
        Files.writeString(model.resolve("blobs/abc"), "{}");
        Files.createSymbolicLink(snapshot.resolve("config.json"), Path.of("../../blobs/abc"));
        Files.createDirectories(model.resolve("refs"));
        Files.writeString(model.resolve("refs/main"), COMMIT);
        Files.writeString(model.resolve("refs/v1"), COMMIT + "\n");
    }

    private String failure(String name) {
        return assertThrows(BelayException.class, () -> HubCache.resolve(name, Map.of("HOME", home.toString())))
                .getMessage();
    }

    @Test
    void findsSnapshotsByBranchTagAndCommit() throws IOException {
        Map<String, String> environment = Map.of("HOME", home.toString());
        for (String name :
                new String[] {"hub:owner/a.name-1", "hub:owner/a.name-1@v1", "hub:owner/a.name-1@" + COMMIT}) {
            assertEquals(snapshot, HubCache.resolve(name, environment));
        }
        assertEquals(
                "{}",
                Files.readString(
                        HubCache.resolve("hub:owner/a.name-1", environment).resolve("config.json")));
        assertEquals(Path.of("models/x"), HubCache.resolve("models/x", environment));
    }

    @Test
    void theCacheIsWhereTheEnvironmentSays() {
        Map<String, String> base = Map.of("HOME", "/none");
        List<Map<String, String>> environments = List.of(
                Map.of("HF_HUB_CACHE", hub.toString(), "HF_HOME", "/none"),
                Map.of("HF_HOME", hub.getParent().toString(), "XDG_CACHE_HOME", "/none"),
                Map.of("XDG_CACHE_HOME", home.resolve(".cache").toString(), "HOME", "/none"));
        for (Map<String, String> environment : environments) {
            assertEquals(snapshot, HubCache.resolve("hub:owner/a.name-1", environment));
        }
        assertThrows(BelayException.class, () -> HubCache.resolve("hub:owner/a.name-1", base));
    }

    @Test
    void whatIsNotThereIsSaid() {
        assertTrue(failure("hub:owner/other").contains("hf download owner/other"));
        assertTrue(failure("hub:owner/a.name-1@v2").endsWith("there are: " + COMMIT + ", main, v1"));
        for (String bad : new String[] {"hub:", "hub:a/b/c", "hub:../x", "hub:owner/a.name-1@../../x"}) {
            assertTrue(failure(bad).contains("is no name of a model"), bad);
        }
    }
}
