package dev.belay.io;

import com.github.luben.zstd.ZstdInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLConnection;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;

/**
 * A large file in a jar on the class path: plain, or compressed by Zstandard under the same name with {@code .zst} behind it, as in
 * the bundle.
 */
public final class PackedFile {
    /** Where zstd-jni unpacks its own library; the folder for temporary files if it is not set. */
    private static final String ZSTD_FOLDER = "ZstdTempFolder";

    private static final int ZSTD_MAGIC = 0xfd2fb528;
    private static final int LONGEST_HEADER = 18;

    private final String name;
    private final URL url;
    private final boolean compressed;

    private PackedFile(String name, URL url, boolean compressed) {
        this.name = name;
        this.url = url;
        this.compressed = compressed;
    }

    /** Finds a file, or returns null if no jar has it. Reads nothing. */
    public static PackedFile find(String name) {
        return find(name, PackedFile.class.getClassLoader());
    }

    static PackedFile find(String name, ClassLoader loader) {
        URL plain = loader.getResource(name);
        if (plain != null) {
            return new PackedFile(name, plain, false);
        }
        URL compressed = loader.getResource(name + ".zst");
        return compressed == null ? null : new PackedFile(name, compressed, true);
    }

    /** Whether only the compressed form is there. */
    public boolean compressed() {
        return compressed;
    }

    /** The content, decompressed. */
    public InputStream open() throws IOException {
        InputStream in = connect().getInputStream();
        if (!compressed) {
            return in;
        }
        try {
            if (System.getProperty(ZSTD_FOLDER) == null) {
                Path folder = CacheFolder.path().resolve("zstd");
                Files.createDirectories(folder);
                System.setProperty(ZSTD_FOLDER, folder.toString());
            }
            return new ZstdInputStream(in);
        } catch (IOException | LinkageError e) {
            in.close();
            throw e instanceof IOException io ? io : new IOException("cannot load zstd-jni: " + e.getMessage(), e);
        }
    }

    /**
     * Writes the content to {@code folder/NAME-SIZE/NAME}, without the folders in the name, unless it is there already.
     *
     * @return where it is
     */
    public Path unpack(Path folder) throws IOException {
        long size = size();
        String file = name.substring(name.lastIndexOf('/') + 1);
        Path target = folder.resolve(file + "-" + size).resolve(file);
        if (!Files.exists(target) || Files.size(target) != size) {
            Files.createDirectories(target.getParent());
            Path partial = Files.createTempFile(target.getParent(), file, ".partial");
            try (InputStream in = open()) {
                Files.copy(in, partial, StandardCopyOption.REPLACE_EXISTING);
            }
            Files.move(partial, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        }
        return target;
    }

    /** Bytes of the content. */
    public long size() throws IOException {
        URLConnection connection = connect();
        if (!compressed) {
            return connection.getContentLengthLong();
        }
        try (InputStream in = connection.getInputStream()) {
            return contentSize(in.readNBytes(LONGEST_HEADER));
        }
    }

    /** What the header of a Zstandard frame says of the size (RFC 8878, 3.1.1.1), read here to spare loading the library at each start. */
    private long contentSize(byte[] start) throws IOException {
        // A file may be shorter than the longest header.
        ByteBuffer in = ByteBuffer.wrap(Arrays.copyOf(start, LONGEST_HEADER)).order(ByteOrder.LITTLE_ENDIAN);
        if (in.getInt() != ZSTD_MAGIC) {
            throw new IOException(url + " is not compressed by Zstandard");
        }
        int descriptor = Byte.toUnsignedInt(in.get());
        boolean window = (descriptor & 0x20) == 0;
        int dictionary = new int[] {0, 1, 2, 4}[descriptor & 3];
        in.position(in.position() + (window ? 1 : 0) + dictionary);
        return switch (descriptor >> 6) {
            case 1 -> Short.toUnsignedLong(in.getShort()) + 256;
            case 2 -> Integer.toUnsignedLong(in.getInt());
            case 3 -> in.getLong();
            default -> {
                if (window) {
                    throw new IOException(url + " does not say the size of its content");
                }
                yield Byte.toUnsignedLong(in.get());
            }
        };
    }

    private URLConnection connect() throws IOException {
        URLConnection connection = url.openConnection();
        connection.setUseCaches(false);
        return connection;
    }
}
