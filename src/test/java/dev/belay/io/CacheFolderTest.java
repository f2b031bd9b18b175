package dev.belay.io;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;

class CacheFolderTest {
    @Test
    void belaysOwnVariableGoesBeforeXdgBeforeHome() {
        assertEquals(Path.of("/b"), CacheFolder.path(Map.of("BELAY_CACHE", "/b", "XDG_CACHE_HOME", "/x"), "/home/u"));
        assertEquals(
                Path.of("/x/belay"), CacheFolder.path(Map.of("XDG_CACHE_HOME", "/x", "BELAY_CACHE", " "), "/home/u"));
        assertEquals(Path.of("/home/u/.cache/belay"), CacheFolder.path(Map.of("XDG_CACHE_HOME", "x"), "/home/u"));
        assertEquals(Path.of("/home/u/.cache/belay"), CacheFolder.path(Map.of(), "/home/u"));
        assertTrue(
                CacheFolder.path(Map.of("BELAY_CACHE", "relative"), "/home/u").isAbsolute());
    }
}
