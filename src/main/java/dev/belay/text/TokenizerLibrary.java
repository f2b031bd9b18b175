package dev.belay.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import dev.belay.BelayException;
import dev.belay.io.CacheFolder;
import dev.belay.io.OutputFile;
import dev.belay.io.PackedFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Loads the native library of Hugging Face tokenizers, once: the CPU build inside DJL's jar, unpacked into Belay's cache by DJL, or
 * by Belay where it is compressed. DJL reads its settings from system properties when its classes load, so they are set here first and a
 * setting of the user wins.
 */
final class TokenizerLibrary {
    private static final String FILE = "native/lib/linux-x86_64/cpu/libtokenizers.so";
    private static boolean loaded;

    private TokenizerLibrary() {}

    /** The folder into which DJL unpacks the library. */
    static Path folder() {
        return CacheFolder.path().resolve("djl");
    }

    /**
     * Loads the library if that has not happened yet.
     *
     * @throws BelayException if it cannot be unpacked or loaded
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        Path folder = folder();
        configure(folder);
        try {
            Files.createDirectories(folder);
            PackedFile packed = PackedFile.find(FILE);
            if (packed != null && packed.compressed()) {
                setDefault("RUST_LIBRARY_PATH", packed.unpack(folder).toString());
            }
            LibUtils.checkStatus();
        } catch (IOException e) {
            throw failure(folder, OutputFile.reason(e), e);
        } catch (RuntimeException | LinkageError e) {
            throw failure(
                    folder, e.getCause() == null ? e.getMessage() : e.getCause().getMessage(), e);
        }
        loaded = true;
    }

    private static void configure(Path folder) {
        setDefault("ENGINE_CACHE_DIR", folder.toString());
        setDefault("DJL_CACHE_DIR", folder.toString());
        setDefault("RUST_FLAVOR", "cpu");
        setDefault("ai.djl.offline", "true");
        setDefault("OPT_OUT_TRACKING", "true");
        // DJL asks the CUDA runtime for GPUs through JNA. Without JNA's own library it finds none, starts no CUDA
        // context, and
        // JNA unpacks nothing into another cache folder.
        setDefault("jna.noclasspath", "true");
        setDefault("jna.nounpack", "true");
    }

    private static void setDefault(String name, String value) {
        if (System.getProperty(name) == null) {
            System.setProperty(name, value);
        }
    }

    private static BelayException failure(Path folder, String reason, Throwable cause) {
        String line = String.valueOf(reason).lines().findFirst().orElse("unknown reason");
        return new BelayException(
                "cannot load the tokenizer library from " + folder + ": " + line
                        + "; make that folder writable, or set BELAY_CACHE to another one",
                cause);
    }
}
