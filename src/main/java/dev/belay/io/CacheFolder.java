package dev.belay.io;

import java.nio.file.Path;
import java.util.Map;

/** The one folder where Belay keeps files between runs that it can make again, such as an unpacked native library. */
public final class CacheFolder {
    private CacheFolder() {}

    /**
     * Returns {@code $BELAY_CACHE}, else {@code $XDG_CACHE_HOME/belay}, else {@code ~/.cache/belay}, as an absolute path. Nothing
     * is created.
     */
    public static Path path() {
        return path(System.getenv(), System.getProperty("user.home"));
    }

    static Path path(Map<String, String> environment, String home) {
        String own = environment.getOrDefault("BELAY_CACHE", "");
        if (!own.isBlank()) {
            return Path.of(own).toAbsolutePath();
        }
        String shared = environment.getOrDefault("XDG_CACHE_HOME", "");
        // The XDG specification says that a relative path there is to be ignored.
        if (!shared.isBlank() && Path.of(shared).isAbsolute()) {
            return Path.of(shared, "belay");
        }
        return Path.of(home, ".cache", "belay").toAbsolutePath();
    }
}
