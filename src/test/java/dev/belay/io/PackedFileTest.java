package dev.belay.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Files of jars, as they are and compressed. */
class PackedFileTest {
    private static final String NAME = "some/where/lib.so";

    @TempDir
    private Path folder;

    private Path file;
    private URLClassLoader loader;

    @BeforeEach
    void open() throws IOException {
        file = folder.resolve("jar").resolve(NAME);
        Files.createDirectories(file.getParent());
        loader = new URLClassLoader(new URL[] {folder.resolve("jar").toUri().toURL()}, null);
    }

    @AfterEach
    void close() throws IOException {
        loader.close();
    }

    /** A size for each form of Zstandard's header. */
    @ParameterizedTest
    @ValueSource(ints = {0, 17, 255, 256, 65_791, 65_792, 3_000_000})
    void whatIsCompressedIsUnpackedOnce(int size) throws IOException {
        byte[] content = new byte[size];
        new Random(size).nextBytes(content);
        Files.write(Path.of(file + ".zst"), Zstd.compress(content, 3));
        PackedFile packed = PackedFile.find(NAME, loader);
        assertTrue(packed.compressed());
        assertEquals(size, packed.size());
        try (InputStream in = packed.open()) {
            assertArrayEquals(content, in.readAllBytes());
        }

        Path unpacked = packed.unpack(folder);
        assertEquals(folder.resolve("lib.so-" + size).resolve("lib.so"), unpacked);
        assertArrayEquals(content, Files.readAllBytes(unpacked));
        FileTime old = FileTime.fromMillis(1_000_000_000_000L);
        Files.setLastModifiedTime(unpacked, old);
        packed.unpack(folder);
        assertEquals(old, Files.getLastModifiedTime(unpacked));
        Files.write(unpacked, new byte[size + 1]);
        assertArrayEquals(content, Files.readAllBytes(packed.unpack(folder)));
    }

    @Test
    void whatIsPlainIsTakenAsItIs() throws IOException {
        Files.writeString(file, "plain");
        Files.writeString(Path.of(file + ".zst"), "not looked at");
        PackedFile packed = PackedFile.find(NAME, loader);
        assertFalse(packed.compressed());
        assertEquals("plain", Files.readString(packed.unpack(folder)));
        assertNull(PackedFile.find("some/where/else.so", loader));
    }

    @Test
    void whatIsNotZstandardIsRefused() throws IOException {
        Path compressed = Path.of(file + ".zst");
        Files.writeString(compressed, "this is no archive");
        PackedFile packed = PackedFile.find(NAME, loader);
        String message =
                assertThrows(IOException.class, () -> packed.unpack(folder)).getMessage();
        assertTrue(message.endsWith("lib.so.zst is not compressed by Zstandard"), message);

        // A stream does not know its size when it writes the header.
        try (OutputStream out = new ZstdOutputStream(Files.newOutputStream(compressed))) {
            out.write(new byte[1000]);
        }
        message = assertThrows(IOException.class, () -> packed.unpack(folder)).getMessage();
        assertTrue(message.endsWith("lib.so.zst does not say the size of its content"), message);
    }
}
