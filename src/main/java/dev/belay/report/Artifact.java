package dev.belay.report;

import dev.belay.BelayException;
import dev.belay.io.OutputFile;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** A file that a run wrote, and how to know it again. */
record Artifact(Path path, long bytes, String sha256) {

    /** Reads the whole file. */
    static Artifact of(Path file) {
        try (InputStream in = Files.newInputStream(file)) {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            byte[] buffer = new byte[1 << 16];
            long bytes = 0;
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                digest.update(buffer, 0, read);
                bytes += read;
            }
            return new Artifact(file, bytes, HexFormat.of().formatHex(digest.digest()));
        } catch (IOException e) {
            throw new BelayException(
                    "cannot read " + file + " to record it in the manifest: " + OutputFile.reason(e), e);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
    }
}
